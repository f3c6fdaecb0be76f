"""``extends``, ``profiles`` and ``--set``: trees are merged, and every node keeps its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path as FilePath

import attrs

from ..errors import Path, Problem, RecipeError, did_you_mean, dotted
from .nodes import MAX_DEPTH, Mark, Node, parse, read

MAX_CHAIN = 10

Find = Callable[[str, FilePath], FilePath]  # (the value of `extends`, the folder of its file) -> the file


@attrs.frozen
class Resolved:
    """A tree after ``extends``, profile and ``--set``, and everything that went wrong on the way."""

    root: Node
    profiles: tuple[str, ...]
    problems: list[Problem]
    complete: bool  # False where a base or a profile could not be read: keys may be missing only because of that


def resolve_file(path: FilePath, find: Find, profile: str | None = None, sets: Sequence[str] = ()) -> Resolved:
    """Reads a file and what it extends, base first, each merged with its own part of the profile; then ``sets``.

    So a file's own values override its base's profile: an ablation stays one in every profile of its base.
    """
    problems: list[Problem] = []
    chain, complete = _chain(path, find, problems)
    if not chain:
        return Resolved(Node({}, Mark(str(path), 1, 1)), (), problems, False)
    root = Node({}, chain[0].mark)
    names: list[str] = []
    for number, body in enumerate(chain):
        bodies = _profiles(body, problems)
        names += [name for name in bodies if name not in names]
        if number:  # a name is a file's own: two recipes of one name would share their runs
            root = _without(root, "name")
        root = merge(root, _without(body, "profiles"), (), problems) if number else _without(body, "profiles")
        if profile in bodies:
            root = merge(root, bodies[profile], (), problems)
    if profile is not None and profile not in names:
        complete = False
        known = f"; known: {', '.join(names)}" if names else "; this recipe has none"
        message = f"unknown profile {profile!r}{did_you_mean(profile, names)}{known}"
        problems.append(Problem(message, where=str(chain[-1].find(("profiles",)))))
    for text in sets:
        root = apply_set(root, text, problems)
    return Resolved(root, tuple(names), problems, complete)


def _chain(path: FilePath, find: Find, problems: list[Problem]) -> tuple[list[Node], bool]:
    """The file's tree after those of all that it extends, base first; and whether none of them is missing."""
    trees: list[Node] = []
    files: list[FilePath] = []
    while True:
        before = len(problems)
        root = read(path, problems)
        if root is None or not isinstance(root.value, dict):
            if len(problems) == before:
                problems.append(Problem("expected a mapping of keys to values", where=str(root.mark if root else path)))
            return trees, False
        trees.insert(0, _without(root, "extends"))
        files.append(path.resolve())
        extends = root.value.get("extends")
        if extends is None:
            return trees, True
        try:
            path = _base(extends, path, find, tuple(files))
        except RecipeError as error:
            where = str(extends.mark)
            problems += [attrs.evolve(problem, path=("extends",), where=where) for problem in error.problems]
            return trees, False


def _base(extends: Node, path: FilePath, find: Find, chain: tuple[FilePath, ...]) -> FilePath:
    if not isinstance(extends.value, str) or not extends.value:
        raise RecipeError([Problem("expected a file or the name of a bundled recipe")])
    base = find(extends.value, path.parent)
    if base.resolve() in chain:
        circle = " -> ".join(file.name for file in (*chain[chain.index(base.resolve()) :], base))
        raise RecipeError([Problem(f"extends itself: {circle}")])
    if len(chain) >= MAX_CHAIN:
        raise RecipeError([Problem(f"a chain of more than {MAX_CHAIN} files")])
    return base


def _profiles(root: Node, problems: list[Problem]) -> dict[str, Node]:
    assert isinstance(root.value, dict)
    node = root.value.get("profiles")
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        where = str(root.find(("profiles",)))
        problems.append(Problem("expected a mapping of names to parts of a recipe", ("profiles",), where))
        return {}
    bodies = {}
    for name, body in node.value.items():
        path = ("profiles", name)
        if body.value is None:
            body = Node({}, body.mark)
        if not isinstance(body.value, dict):
            problems.append(Problem("expected a mapping, part of a recipe", path, str(root.find(path))))
            continue
        for key in ("extends", "profiles"):
            if key in body.value:
                where = str(root.find((*path, key), at_key=True))
                problems.append(Problem(f"{key!r} belongs at the top of a file, not in a profile", (*path, key), where))
                body = _without(body, key)
        bodies[name] = body
    return bodies


def _without(node: Node, key: str) -> Node:
    assert isinstance(node.value, dict)
    return attrs.evolve(node, value={name: child for name, child in node.value.items() if name != key})


def merge(base: Node, over: Node, path: Path, problems: list[Problem]) -> Node:
    """``base`` with the values of ``over``.

    Mappings merge key by key, and a null removes the key (once removed, it stays so); a mapping with another ``use``
    replaces the one in ``base``. Lists are replaced, but a mapping over a list whose items all have a ``name`` changes
    those that it names.
    """
    if isinstance(base.value, list) and isinstance(over.value, dict) and (names := _names(base.value)) is not None:
        return _merge_items(base, over, names, path, problems)
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    same = "use" not in over.value or _use(base) == _use(over)
    values = dict(base.value) if same else {}
    keys = dict(base.keys) if same else {}
    removed = dict(base.removed) if same else {}
    for key, child in over.value.items():
        if child.value is None and (key in base.value or key in base.removed):
            values.pop(key, None)
            removed[key] = over.keys[key]
            continue
        merged = merge(values[key], child, (*path, key), problems) if key in values else child
        if merged.mark is child.mark:  # replaced
            keys[key] = over.keys[key]
        values[key] = merged
    return Node(values, base.mark if same else over.mark, keys, removed)


def _use(node: Node) -> object:
    assert isinstance(node.value, dict)
    return node.value["use"].plain() if "use" in node.value else None


def _names(items: list[Node]) -> list[str] | None:
    names = [item.value["name"].value for item in items if isinstance(item.value, dict) and "name" in item.value]
    texts = [name for name in names if isinstance(name, str)]
    return texts if items and len(texts) == len(items) else None


def _merge_items(base: Node, over: Node, names: list[str], path: Path, problems: list[Problem]) -> Node:
    assert isinstance(base.value, list)
    assert isinstance(over.value, dict)
    items: list[Node | None] = list(base.value)
    for name, child in over.value.items():
        if name not in names:
            message = f"no item is named {name!r}{did_you_mean(name, names)}; there are {', '.join(names)}"
            problems.append(Problem(message, (*path, name), str(over.keys[name])))
            continue
        index = names.index(name)
        below = items[index]
        items[index] = None if child.value is None or below is None else merge(below, child, (*path, index), problems)
    return attrs.evolve(base, value=[item for item in items if item is not None])


def apply_set(root: Node, text: str, problems: list[Problem]) -> Node:
    """One ``a.b.c=value``: list items by ``name`` or index, the value read as YAML."""
    shown = text if len(text) <= 80 else text[:77] + "..."
    mark = Mark(f"--set {shown}")
    head, equals, value_text = text.partition("=")
    parts = [part for part in re.split(r"\.|\[(\d+)\]", head.strip()) if part]
    if not equals or not parts:
        problems.append(Problem("expected key=value, for example data.batch=16", where=str(mark)))
        return root
    if len(parts) > MAX_DEPTH:
        problems.append(Problem(f"leads deeper than {MAX_DEPTH} levels", where=str(mark)))
        return root
    if parts[0] in ("extends", "profiles"):
        problems.append(Problem(f"{parts[0]!r} cannot be set here", where=str(mark)))
        return root
    before = len(problems)
    value = parse(value_text, "", problems, within=mark, path=tuple(parts))
    return root if value is None or len(problems) > before else _put(root, parts, value, (), problems)


def _put(node: Node, parts: list[str], value: Node, path: Path, problems: list[Problem]) -> Node:
    if not parts:
        return value
    mark = value.mark
    if isinstance(node.value, list):
        return _put_item(node, node.value, parts, value, path, problems)
    if isinstance(node.value, str):  # `generator: dilated-fcn` is short for {use: dilated-fcn}
        node = Node({"use": node}, node.mark, {"use": node.mark})
    elif node.value is None:
        node = Node({}, mark)
    if not isinstance(node.value, dict):
        problems.append(Problem(f"{dotted(path)} is {node.value}, which has no {parts[0]!r}", where=str(mark)))
        return node
    # A key may hold dots itself: the longest that exists is meant.
    joined = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    key = next((name for name in joined if name in node.value), parts[0])
    rest = parts[key.count(".") + 1 :]
    values, keys, removed = dict(node.value), dict(node.keys), dict(node.removed)
    if not rest and value.value is None and key in values:
        del values[key]
        removed[key] = mark
        return attrs.evolve(node, value=values, removed=removed)
    if not rest and key == "use" and "use" in values and values["use"].value != value.value:
        # another component: the options of the old one go, those that were set by hand stay
        values = {name: child for name, child in values.items() if child.mark.line == 0}
    below = values.get(key)
    values[key] = _put(below or Node(None, mark), rest, value, (*path, key), problems)
    if below is None or not rest:
        keys[key] = mark
    return attrs.evolve(node, value=values, keys=keys)


def _put_item(
    node: Node, items: list[Node], parts: list[str], value: Node, path: Path, problems: list[Problem]
) -> Node:
    names = _names(items) or []
    if parts[0] in names:
        index = names.index(parts[0])
    elif parts[0].isdigit() and int(parts[0]) < len(items):
        index = int(parts[0])
    else:
        known = f"the names {', '.join(names)}" if names else f"the indices below {len(items)}" if items else "none"
        message = f"{dotted(path)} has no item {parts[0]!r}{did_you_mean(parts[0], names)}; it has {known}"
        problems.append(Problem(message, where=str(value.mark)))
        return node
    if len(parts) == 1 and value.value is None:
        return attrs.evolve(node, value=[*items[:index], *items[index + 1 :]])
    changed = _put(items[index], parts[1:], value, (*path, index), problems)
    return attrs.evolve(node, value=[*items[:index], changed, *items[index + 1 :]])
