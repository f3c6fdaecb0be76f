"""The variants of a recipe: its ``profiles``, and changes by ``--set``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import attrs

from ..core.config.layers import Find, item_index, merge, read_chain, without
from ..core.config.nodes import MAX_DEPTH, Mark, Node, parse
from ..core.errors import KeyPath, Problem, did_you_mean


def resolve_file(
    path: Path, find: Find, problems: list[Problem], profile: str | None = None, sets: Sequence[str] = ()
) -> tuple[Node, tuple[str, ...], bool]:
    """The tree of a file and what it extends, base first, each merged with its own part of the profile; then ``sets``.

    So a file's own values override its base's profile: an ablation stays one in every profile of its base. With it come
    the names of the profiles, and whether all was read: keys may be missing only because a base or the profile is.
    """
    chain, complete = read_chain(path, find, problems)
    if not chain:
        return Node({}, Mark(str(path), 1, 1)), (), False
    root = Node({}, chain[0].mark)
    names: list[str] = []
    for body in chain:
        bodies = _profiles(body, problems)
        names += [name for name in bodies if name not in names]
        # a name is a file's own: two recipes of one name would share their runs
        root = merge(without(root, "name"), without(body, "profiles"), (), problems)
        if profile in bodies:
            root = merge(root, bodies[profile], (), problems)
    if profile is not None and profile not in names:
        complete = False
        known = f"; known: {', '.join(names)}" if names else "; this recipe has none"
        message = f"unknown profile {profile!r}{did_you_mean(profile, names)}{known}"
        problems.append(Problem(message, where=chain[-1].find(("profiles",))))
    for text in sets:
        root = apply_set(root, text, problems)
    return root, tuple(names), complete


def _profiles(root: Node, problems: list[Problem]) -> dict[str, Node]:
    node = root.children.get("profiles", Node({}, root.mark))
    if not isinstance(node.value, dict):
        place = root.find(("profiles",))
        problems.append(Problem("expected a mapping of names to parts of a recipe", ("profiles",), place))
    bodies = {}
    for name, body in node.children.items():
        path = ("profiles", name)
        if not isinstance(body.value, dict | None):
            problems.append(Problem("expected a mapping, part of a recipe", path, root.find(path)))
            continue
        for key in ("extends", "profiles"):
            if key in body.children:
                message = f"{key!r} belongs at the top of a file, not in a profile"
                problems.append(Problem(message, (*path, key), body.children[key].key))
        bodies[name] = without(body, "extends", "profiles")
    return bodies


def apply_set(root: Node, text: str, problems: list[Problem]) -> Node:
    """One ``a.b.c=value``: list items by ``name`` or index, the value read as YAML."""
    shown = text if len(text) <= 80 else text[:77] + "..."
    mark = Mark(f"--set {shown}")
    head, equals, value_text = text.partition("=")
    parts = re.sub(r"\[(\d+)\]", r".\1", head.strip()).split(".")
    refused = ""
    if not equals or not any(parts):
        refused = "expected key=value, for example data.batch=16"
    elif not all(parts):
        refused = f"a part of the key is empty, did you mean {'.'.join(filter(None, parts))!r}?"
    elif len(parts) > MAX_DEPTH:
        refused = f"leads deeper than {MAX_DEPTH} levels"
    elif parts[0] in ("extends", "profiles"):
        refused = f"{parts[0]!r} cannot be set here"
    if refused:
        problems.append(Problem(refused, where=mark))
        return root
    before = len(problems)
    value = parse(value_text, "", problems, within=mark, path=tuple(parts))
    if value is None or len(problems) > before:
        return root
    return _put(root, parts, attrs.evolve(value, key=mark), (), problems)


def _put(node: Node, parts: list[str], value: Node, path: KeyPath, problems: list[Problem]) -> Node:
    """``node`` with ``value`` at ``parts`` below it; ``path`` leads to ``node``."""
    if not parts:
        return value
    if isinstance(node.value, list):
        index = item_index(node.value, parts[0], path, value.mark, problems)
        if index is None:
            return node
        last = len(parts) == 1 and value.value is None
        item = [] if last else [_put(node.value[index], parts[1:], value, (*path, index), problems)]
        return attrs.evolve(node, value=[*node.value[:index], *item, *node.value[index + 1 :]])
    if isinstance(node.value, str):  # `generator: dilated-fcn` is short for {use: dilated-fcn}
        node = attrs.evolve(node, value={"use": attrs.evolve(node, key=node.mark)})
    elif node.value is None:
        node = attrs.evolve(node, value={})
    if not isinstance(node.value, dict):
        problems.append(Problem(f"is {node.value}, which has no {parts[0]!r}", path, value.mark))
        return node
    # A key may hold dots itself: the longest that exists is meant.
    joined = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    key = next((name for name in joined if name in node.value), parts[0])
    rest = parts[key.count(".") + 1 :]
    children = dict(node.value)
    if not rest and value.value is None and key in children:
        del children[key]
        return attrs.evolve(node, value=children, removed={**node.removed, key: value.mark})
    if not rest and key == "use" and "use" in children and children["use"].value != value.value:
        # another component: the options of the old one go, those that were set by hand stay
        children = {name: child for name, child in children.items() if child.mark.line == 0}
    below = children.get(key, Node(None, value.mark, value.mark))
    children[key] = _put(below, rest, value, (*path, key), problems)
    return attrs.evolve(node, value=children)
