"""YAML for tests of what reads it: a text as a tree of nodes, and the files that ``extends`` finds."""

from __future__ import annotations

from pathlib import Path

from inpaintkit.core.config.nodes import Node, parse
from inpaintkit.core.errors import Problem, RecipeError


def tree(text: str, name: str = "f.yaml") -> Node:
    """The tree of a text in which nothing is wrong."""
    problems: list[Problem] = []
    node = parse(text, name, problems)
    assert not problems, problems
    assert node is not None
    return node


def find(name: str, folder: Path) -> Path:
    """A file of the folder, as the core's own ``find`` does where there are no bundled recipes."""
    if not (folder / name).is_file():
        raise RecipeError([Problem(f"there is no file {name!r}")])
    return folder / name
