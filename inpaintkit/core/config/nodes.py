"""YAML files as trees whose every node knows its file, line and column; nothing in a file is ever executed.

YAML 1.2's core schema (``1e-4`` is a number, ``no`` a string), and 1.1's ``20_000``. Refused: tags, duplicate keys,
keys that are not plain text, several documents, and files that are too large or that aliases make too large.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

import attrs
import yaml

from ..errors import Path, Problem, RecipeError

MAX_BYTES = 256 * 1024  # of one file
MAX_NODES = 50_000  # of one file, aliases expanded
MAX_DEPTH = 50

Scalar = None | bool | int | float | str


@attrs.frozen
class Mark:
    """A place: a file's line and column, or, without a line, an argument such as ``--set seed=1``."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@attrs.frozen(eq=False)
class Node:
    """A scalar, a list of nodes or a mapping of names to nodes; never changed, so aliases may share one."""

    value: Scalar | list[Node] | dict[str, Node]
    mark: Mark
    keys: Mapping[str, Mark] = attrs.Factory(dict)  # where a mapping's keys stand
    removed: Mapping[str, Mark] = attrs.Factory(dict)  # where a null took a key out

    def plain(self) -> Any:
        """The same in Python's own dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def find(self, path: Path, *, at_key: bool = False) -> Mark:
        """Where ``path`` stands, or its nearest parent that there is.

        A value is found at itself where it begins on its key's line, and at the key where it begins below.
        """
        node, mark = self, self.mark
        for depth, part in enumerate(path, 1):
            if isinstance(node.value, dict) and part in node.value:
                key, node = node.keys[str(part)], node.value[str(part)]
                beside = (key.file, key.line) == (node.mark.file, node.mark.line)
                mark = node.mark if beside and not (at_key and depth == len(path)) else key
            elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                mark = node.mark
            else:
                break
        return mark

    def removal(self, path: Path, name: str) -> Mark | None:
        """Where a null took ``name`` out of the mapping at ``path``."""
        node = self
        for part in path:
            if isinstance(node.value, dict | list):
                try:
                    node = node.value[part]  # type: ignore[index]
                except (KeyError, IndexError):
                    return None
        return node.removed.get(name)


class _Fatal(Exception):
    """What ends the reading of a text."""


def parse(text: str, name: str, problems: list[Problem], *, within: Mark | None = None, path: Path = ()) -> Node | None:
    """The tree of one YAML document; what is wrong goes to ``problems``, and None comes back where nothing can be read.

    ``within``: every node is marked with this place, instead of the lines of ``name``; ``path`` leads to the document.
    """
    try:
        return _Composer(text, name, problems, within).document(path)
    except _Fatal as error:
        problems.append(error.args[0])
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(str(part) for part in (error.context, error.problem) if part)
        hint = " (indent with spaces, not tabs)" if "'\\t'" in reason else ""
        where = within or (Mark(name, mark.line + 1, mark.column + 1) if mark else Mark(name))
        problems.append(Problem(f"not YAML: {reason}{hint}", where=str(where)))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        where = within or Mark(name, before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1)
        character = error.character if isinstance(error.character, int) else ord(error.character)
        problems.append(Problem(f"not YAML: the character U+{character:04X} is not allowed", where=str(where)))
    return None


def read(path: FilePath, problems: list[Problem]) -> Node | None:
    """The tree of a file, or None and the reason in ``problems``."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        problems.append(Problem(f"cannot be read: {error.strerror or error}", where=str(path)))
        return None
    if len(data) > MAX_BYTES:
        problems.append(Problem(f"is larger than {MAX_BYTES // 1024} KiB: this is no recipe", where=str(path)))
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(Problem("is not UTF-8 text", where=f"{path}:{line}:1"))
        return None
    return parse(text, str(path), problems)


class _Composer:
    """Makes nodes of PyYAML's events (which nest without recursion, so that a depth limit can be kept)."""

    def __init__(self, text: str, name: str, problems: list[Problem], within: Mark | None) -> None:
        self.events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.SafeLoader))
        self.name, self.problems, self.within = name, problems, within
        self.anchors: dict[str, tuple[Node, int, int]] = {}  # node, its size, its depth
        self.count = 0

    def mark(self, event: Any) -> Mark:
        return self.within or Mark(self.name, event.start_mark.line + 1, event.start_mark.column + 1)

    def problem(self, message: str, event: Any, path: Path = ()) -> None:
        self.problems.append(Problem(message, path, str(self.mark(event))))

    def fatal(self, message: str, event: Any) -> _Fatal:
        return _Fatal(Problem(message, (), str(self.mark(event))))

    def document(self, path: Path) -> Node | None:
        next(self.events)  # the stream's start
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            return None if self.within is None else Node(None, self.within)
        node, _ = self.node(next(self.events), 0, path)
        next(self.events)  # the document's end
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            self.problem("a second document begins here: one file holds one", after)
        return node

    def grow(self, size: int, event: Any) -> None:
        self.count += size
        if self.count > MAX_NODES:
            raise self.fatal(f"more than {MAX_NODES:,} values, aliases expanded", event)

    def node(self, event: Any, depth: int, path: Path) -> tuple[Node, int]:
        """The node that begins with ``event``, and how deep it nests."""
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self.fatal(f"alias *{event.anchor} stands for nothing that is complete before it", event)
            node, size, below = self.anchors[event.anchor]
            self.deep(depth + below, event)
            self.grow(size, event)
            return node, below
        self.deep(depth, event)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.problem(f"tags such as {tag} are not allowed: quote a value to make it a string", event, path)
        start = self.count
        self.grow(1, event)
        if isinstance(event, yaml.ScalarEvent):
            plain = event.style is None and event.tag is None
            node, below = Node(resolve(event.value) if plain else event.value, self.mark(event)), 0
        elif isinstance(event, yaml.SequenceStartEvent):
            node, below = self.sequence(event, depth, path)
        else:
            node, below = self.mapping(event, depth, path)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, self.count - start, below)
        return node, below

    def deep(self, depth: int, event: Any) -> None:
        if depth > MAX_DEPTH:
            raise self.fatal(f"nested deeper than {MAX_DEPTH} levels", event)

    def sequence(self, start: Any, depth: int, path: Path) -> tuple[Node, int]:
        items: list[Node] = []
        deepest = 0
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            item, below = self.node(event, depth + 1, (*path, len(items)))
            items.append(item)
            deepest = max(deepest, below + 1)
        return Node(items, self.mark(start)), deepest

    def mapping(self, start: Any, depth: int, path: Path) -> tuple[Node, int]:
        values: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        deepest = 0
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event, path)
            value, below = self.node(next(self.events), depth + 1, (*path, key))
            deepest = max(deepest, below + 1)
            if key in values:
                first = keys[key].line
                told = f"duplicate key {key!r}" + (f": first on line {first}" if first else "")
                self.problem(told, event, (*path, key))
            else:
                values[key], keys[key] = value, self.mark(event)
        return Node(values, self.mark(start), keys), deepest

    def key(self, event: Any, path: Path) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self.fatal("a key must be plain text", event)
        if event.tag is not None:
            self.problem("tags are not allowed", event, path)
        if event.value == "<<" and event.style is None:
            self.problem("merge keys (<<) are not part of YAML 1.2: use `extends` or a profile", event, path)
        return str(event.value)


_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_INT = re.compile(rf"[-+]?{_DIGITS}")
_FLOAT = re.compile(rf"[-+]?(?:\.{_DIGITS}|{_DIGITS}(?:\.(?:{_DIGITS})?)?)(?:[eE][-+]?[0-9]+)?")
_OCTAL, _HEX = re.compile(r"0o[0-7]+"), re.compile(r"0x[0-9a-fA-F]+")
_WORDS: dict[str, Scalar] = {"": None, "~": None}
_WORDS |= dict.fromkeys(("null", "Null", "NULL"), None)
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_WORDS |= {sign + form: float(sign + "inf") for sign in ("", "+", "-") for form in (".inf", ".Inf", ".INF")}
_WORDS |= {form: float("nan") for form in (".nan", ".NaN", ".NAN")}


def resolve(text: str) -> Scalar:
    """What an unquoted scalar means in YAML 1.2's core schema, underscores between digits allowed."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 400:  # no number anybody means; Python refuses to read integers of thousands of digits
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _OCTAL.fullmatch(text):
        return int(text, 8)
    return int(text, 16) if _HEX.fullmatch(text) else text


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, data: str) -> yaml.ScalarNode:
    # PyYAML quotes what YAML 1.1 would misread; 1.2 reads other texts as numbers (1e-4, 0o17). Line breaks are escaped.
    style = '"' if not isinstance(resolve(data), str) or not data.isprintable() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _text)


def dump(tree: Any) -> str:
    """A plain tree as YAML that :func:`parse` reads back to the same tree."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def raise_problems(problems: Sequence[Problem], cause: Exception | None = None) -> None:
    """Raises all of ``problems``, if there are any, in the order of their files, lines and columns."""
    if problems:
        raise RecipeError(sorted(dict.fromkeys(problems), key=_place)) from cause


def _place(problem: Problem) -> tuple[str, int, int]:
    file, line, column = ([*problem.where.rsplit(":", 2), "", ""])[:3]
    return (file, int(line), int(column)) if line.isdigit() and column.isdigit() else (problem.where, 0, 0)
