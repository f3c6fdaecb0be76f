"""YAML files as trees whose every node knows its file, line and column; nothing in a file is ever executed.

YAML 1.2's core schema (``1e-4`` is a number, ``no`` a string), and 1.1's ``20_000``. Refused: tags, anchors, aliases,
duplicate keys, keys that are not plain text, several documents, and files that are too large.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import attrs
import yaml

from ..errors import KeyPath, Problem, RecipeError

MAX_BYTES = 256 * 1024  # of one file
MAX_NODES = 50_000  # of one file
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
    """A scalar, a list of nodes or a mapping of names to nodes; never changed, so trees may share them."""

    value: Scalar | list[Node] | dict[str, Node]
    mark: Mark
    key: Mark | None = None  # the place of its key, where it stands in a mapping
    removed: Mapping[str, Mark] = attrs.Factory(dict)  # where a null removed a key

    @property
    def children(self) -> dict[str, Node]:
        """What a mapping has; empty for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    def plain(self) -> Any:
        """The same in Python's own dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def find(self, path: KeyPath, *, at_key: bool = False) -> Mark:
        """The place of ``path``, or of its nearest parent that exists.

        A value is found at itself where it begins on its key's line, and at the key where it begins below.
        """
        nodes = self._along(path)
        key, mark = nodes[-1].key, nodes[-1].mark
        beside = key is None or (key.file, key.line) == (mark.file, mark.line)
        return mark if key is None or (beside and not (at_key and len(nodes) > len(path))) else key

    def removal(self, path: KeyPath, name: str) -> Mark | None:
        """Where a null removed ``name`` from the mapping at ``path``."""
        nodes = self._along(path)
        return nodes[-1].removed.get(name) if len(nodes) > len(path) else None

    def _along(self, path: KeyPath) -> list[Node]:
        """The nodes from this one to that at ``path``, as far as they exist."""
        nodes = [self]
        for part in path:
            value = nodes[-1].value
            if isinstance(value, dict) and part in value:
                nodes.append(value[str(part)])
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                nodes.append(value[part])
            else:
                break
        return nodes


def parse(
    text: str, name: str, problems: list[Problem], *, within: Mark | None = None, path: KeyPath = ()
) -> Node | None:
    """The tree of one YAML document; mistakes go to ``problems``, and None comes back where nothing can be read.

    ``within``: every node is marked with this place, instead of the lines of ``name``; ``path`` leads to the document.
    """

    def where(mark: Any) -> Mark:
        return within or (Mark(name, mark.line + 1, mark.column + 1) if mark else Mark(name))

    events = yaml.parse(text, Loader=yaml.SafeLoader)
    try:
        next(events)  # the stream begins
        if isinstance(next(events), yaml.StreamEndEvent):
            return Node(None, where(None))
        root = _Builder(events, where, problems).node(next(events), path)
        next(events)  # the document ends
        if not isinstance(after := next(events), yaml.StreamEndEvent):
            problems.append(Problem("a second document begins here: one file holds one", (), where(after.start_mark)))
        return root
    except RecipeError as error:
        problems += error.problems
    except yaml.MarkedYAMLError as error:
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        hint = " (indent with spaces, not tabs)" if "'\\t'" in reason else ""
        mark = error.problem_mark or error.context_mark
        problems.append(Problem(f"not YAML: {reason}{hint}", (), where(mark)))
    except yaml.reader.ReaderError as error:
        start = text.rfind("\n", 0, error.position) + 1
        at = within or Mark(name, text.count("\n", 0, start) + 1, error.position - start + 1)
        character = error.character if isinstance(error.character, int) else ord(error.character)
        problems.append(Problem(f"not YAML: the character U+{character:04X} is not allowed", (), at))
    return None


def read(path: Path, problems: list[Problem]) -> Node | None:
    """The tree of a file, or None and the reason in ``problems``; a file that has not changed is read once."""
    try:
        status = path.stat()
        if status.st_size > MAX_BYTES:
            problems.append(Problem(f"is larger than {MAX_BYTES // 1024} KiB: this is no recipe", where=path))
            return None
        root, found = _read(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        problems.append(Problem(f"cannot be read: {error.strerror or error}", where=path))
        return None
    problems += found
    return root


@functools.lru_cache(maxsize=128)
def _read(path: Path, mtime: int, size: int) -> tuple[Node | None, list[Problem]]:
    data = path.read_bytes()
    problems: list[Problem] = []
    try:
        return parse(data.decode("utf-8-sig"), str(path), problems), problems
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return None, [Problem("is not UTF-8 text", where=f"{path}:{line}:1")]


@attrs.define
class _Builder:
    """Makes nodes of PyYAML's events, within limits of depth and number."""

    events: Iterator[yaml.Event]
    where: Callable[[Any], Mark]
    problems: list[Problem]
    count: int = 0

    def node(self, event: Any, path: KeyPath, depth: int = 0) -> Node:
        """The node that ``event`` begins.

        Raises:
            RecipeError: it is beyond what is read at all.
        """
        mark = self.where(event.start_mark)
        self.count += 1
        refused = ""
        if event.anchor is not None:  # of an alias, too
            name = f"*{event.anchor}" if isinstance(event, yaml.AliasEvent) else f"&{event.anchor}"
            refused = f"anchors and aliases ({name}) are not allowed: write the value out, or use `extends`"
        elif self.count > MAX_NODES:
            refused = f"more than {MAX_NODES:,} values"
        elif depth > MAX_DEPTH:
            refused = f"nested deeper than {MAX_DEPTH} levels"
        if refused:
            raise RecipeError([Problem(refused, (), mark)])
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            message = f"tags such as {tag} are not allowed: quote a value to make it a string"
            self.problems.append(Problem(message, path, mark))
        if isinstance(event, yaml.ScalarEvent):
            return Node(resolve(event.value) if event.style is None else event.value, mark)
        parts = takewhile(lambda part: not isinstance(part, yaml.CollectionEndEvent), self.events)
        if isinstance(event, yaml.MappingStartEvent):
            return Node(self._mapping(parts, path, depth + 1), mark)
        return Node([self.node(part, (*path, at), depth + 1) for at, part in enumerate(parts)], mark)

    def _mapping(self, keys: Iterator[Any], path: KeyPath, depth: int) -> dict[str, Node]:
        children: dict[str, Node] = {}
        for key in keys:
            self.node(key, path, depth)  # a key has the limits of a value
            name = key.value if isinstance(key, yaml.ScalarEvent) else "?"
            child = self.node(next(self.events), (*path, name), depth)
            place = self.where(key.start_mark)
            if mistake := _key_problem(key, children):
                self.problems.append(Problem(mistake, (*path, name) if name in children else path, place))
            else:
                children[name] = attrs.evolve(child, key=place)
        return children


def _key_problem(key: Any, before: Mapping[str, Node]) -> str:
    if not isinstance(key, yaml.ScalarEvent):
        return "a key must be plain text"
    if key.value == "<<" and key.style is None:
        return "merge keys (<<) are not part of YAML 1.2: use `extends` or a profile"
    if key.value in before:
        first = before[key.value].key
        return f"duplicate key {key.value!r}" + (f": first on line {first.line}" if first and first.line else "")
    return ""


_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_FORMS: dict[str, Callable[[str], Scalar]] = {
    r"|~|null|Null|NULL": lambda text: None,
    r"true|True|TRUE": lambda text: True,
    r"false|False|FALSE": lambda text: False,
    rf"[-+]?{_DIGITS}": int,
    r"0o[0-7]+|0x[0-9a-fA-F]+": lambda text: int(text, 0),
    rf"[-+]?(?:\.{_DIGITS}|{_DIGITS}(?:\.(?:{_DIGITS})?)?)(?:[eE][-+]?[0-9]+)?": float,
    r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)": lambda text: float(text.replace(".", "")),
}


def resolve(text: str) -> Scalar:
    """What an unquoted scalar means in YAML 1.2's core schema, underscores between digits allowed."""
    if len(text) > 400:  # Python refuses to read integers of thousands of digits
        return text
    return next((read(text) for form, read in _FORMS.items() if re.fullmatch(form, text)), text)


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


def raise_problems(problems: Sequence[Problem]) -> None:
    """Raises all of ``problems``, if there are any, in the order of their files, lines and columns."""
    if problems:
        causes = [problem.cause for problem in problems if problem.cause]
        raise RecipeError(sorted(dict.fromkeys(problems), key=_place)) from next(iter(causes), None)


def _place(problem: Problem) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", problem.where)]
