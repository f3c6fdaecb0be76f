"""``extends`` and the merging of trees, in which every node keeps its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

from ..errors import KeyPath, OptionError, Problem, did_you_mean
from .nodes import Mark, Node, read

Find = Callable[[str, Path], Path]  # (the value of `extends`, the folder of its file) -> the file


def read_chain(path: Path, find: Find, problems: list[Problem]) -> tuple[list[Node], bool]:
    """The tree of a file after those of all that it extends, base first; and whether none of them is missing."""
    trees: list[Node] = []
    files: list[Path] = []
    while root := read(path, problems):
        if not isinstance(root.value, dict):
            problems.append(Problem("expected a mapping of keys to values", where=root.mark))
            break
        trees.insert(0, without(root, "extends"))
        files.append(path.resolve())
        extends = root.value.get("extends")
        if extends is None:
            return trees, True
        try:
            path = _base(extends.value, path, find, files)
        except OptionError as error:
            problems += [attrs.evolve(each, path=("extends",), where=extends.mark) for each in error.problems]
            break
    return trees, False


def _base(extends: object, path: Path, find: Find, chain: list[Path]) -> Path:
    if not isinstance(extends, str) or not extends:
        raise OptionError("expected a file or the name of a bundled recipe")
    base = find(extends, path.parent)
    if base.resolve() in chain:
        circle = " -> ".join(file.name for file in (*chain[chain.index(base.resolve()) :], base))
        raise OptionError(f"extends itself: {circle}")
    return base


def without(node: Node, *keys: str) -> Node:
    """The mapping without these keys."""
    return attrs.evolve(node, value={name: child for name, child in node.children.items() if name not in keys})


def merge(base: Node, over: Node, path: KeyPath, problems: list[Problem]) -> Node:
    """``base`` with the values of ``over``.

    Mappings merge key by key, and a null removes the key (once removed, it stays so); a mapping with another ``use``
    replaces the one in ``base``. Lists are replaced, but a mapping over a list whose items all have a ``name`` changes
    those that it names.
    """
    if isinstance(base.value, list) and isinstance(over.value, dict) and _names(base.value):
        items: list[Node | None] = list(base.value)
        for name, child in over.value.items():
            index = item_index(base.value, name, path, child.key or child.mark, problems)
            if index is not None:
                gone = child.value is None
                items[index] = None if gone else merge(base.value[index], child, (*path, index), problems)
        return attrs.evolve(base, value=[item for item in items if item is not None])
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    same = "use" not in over.value or _use(base) == _use(over)
    children, removed = (dict(base.value), dict(base.removed)) if same else ({}, {})
    for key, child in over.value.items():
        if child.value is None and (key in base.value or key in base.removed):
            children.pop(key, None)
            removed[key] = child.key or child.mark
        else:
            children[key] = merge(children[key], child, (*path, key), problems) if key in children else child
    return attrs.evolve(base if same else over, value=children, removed=removed)


def _use(node: Node) -> object:
    return node.children["use"].plain() if "use" in node.children else None


def _names(items: list[Node]) -> list[str]:
    """The names of a list's items; none unless all have one."""
    names = [item.children["name"].value for item in items if "name" in item.children]
    texts = [name for name in names if isinstance(name, str)]
    return texts if len(texts) == len(items) else []


def item_index(items: list[Node], name: str, path: KeyPath, mark: Mark, problems: list[Problem]) -> int | None:
    """The index of the item that has this name or number."""
    names = _names(items)
    if name in names:
        return names.index(name)
    if name.isdigit() and int(name) < len(items):
        return int(name)
    known = ", ".join(names) or f"{len(items)} without names"
    message = f"no item is named {name!r}{did_you_mean(name, names)}; there are {known}"
    problems.append(Problem(message, (*path, name), mark))
    return None
