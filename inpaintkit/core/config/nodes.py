"""YAML files as trees whose every node knows its file, line and column; nothing in a file is ever executed.

YAML 1.2's core schema (``1e-4`` is a number, ``no`` a string), and 1.1's ``20_000``. Refused: tags, anchors, aliases,
duplicate keys, keys that are not plain text, several documents, and files that are too large.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

import attrs
import yaml

from ..errors import Path, Problem, RecipeError

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

    def find(self, path: Path, *, at_key: bool = False) -> Mark:
        """The place of ``path``, or of its nearest parent that exists.

        A value is found at itself where it begins on its key's line, and at the key where it begins below.
        """
        nodes = self._along(path)
        key, mark = nodes[-1].key, nodes[-1].mark
        beside = key is None or (key.file, key.line) == (mark.file, mark.line)
        return mark if key is None or (beside and not (at_key and len(nodes) > len(path))) else key

    def removal(self, path: Path, name: str) -> Mark | None:
        """Where a null removed ``name`` from the mapping at ``path``."""
        nodes = self._along(path)
        return nodes[-1].removed.get(name) if len(nodes) > len(path) else None

    def _along(self, path: Path) -> list[Node]:
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


def parse(text: str, name: str, problems: list[Problem], *, within: Mark | None = None, path: Path = ()) -> Node | None:
    """The tree of one YAML document; mistakes go to ``problems``, and None comes back where nothing can be read.

    ``within``: every node is marked with this place, instead of the lines of ``name``; ``path`` leads to the document.
    """

    def where(mark: Any) -> Mark:
        return within or (Mark(name, mark.line + 1, mark.column + 1) if mark else Mark(name))

    try:
        composer = _Composer(text)
        if not composer.check_node():
            return None if within is None else Node(None, within)
        root = _converted(composer.get_node(), where, path, problems)
        if composer.check_node():
            mark = composer.peek_event().start_mark  # type: ignore[no-untyped-call]
            problems.append(Problem("a second document begins here: one file holds one", (), where(mark)))
        return root
    except _Refused as error:
        problems.append(Problem(str(error.problem), (), where(error.problem_mark)))
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


def read(path: FilePath, problems: list[Problem]) -> Node | None:
    """The tree of a file, or None and the reason in ``problems``; a file that has not changed is read once."""
    try:
        status = path.stat()
        root, found = _read(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        problems.append(Problem(f"cannot be read: {error.strerror or error}", where=path))
        return None
    problems += found
    return root


@functools.lru_cache(maxsize=128)
def _read(path: FilePath, mtime: int, size: int) -> tuple[Node | None, tuple[Problem, ...]]:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        return None, (Problem(f"is larger than {MAX_BYTES // 1024} KiB: this is no recipe", where=path),)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return None, (Problem("is not UTF-8 text", where=f"{path}:{line}:1"),)
    problems: list[Problem] = []
    root = parse(text, str(path), problems)
    return root, tuple(problems)


class _Refused(yaml.MarkedYAMLError):
    """Valid YAML that is not accepted here."""


class _Composer(yaml.SafeLoader):
    """PyYAML's composer within limits of depth and number; a node's ``tag`` is None where none is written."""

    count = depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self.count += 1
        refused = ""
        if event.anchor is not None:  # of an alias, too
            name = f"*{event.anchor}" if isinstance(event, yaml.AliasEvent) else f"&{event.anchor}"
            refused = f"anchors and aliases ({name}) are not allowed: write the value out, or use `extends`"
        elif self.count > MAX_NODES:
            refused = f"more than {MAX_NODES:,} values"
        elif self.depth > MAX_DEPTH:
            refused = f"nested deeper than {MAX_DEPTH} levels"
        if refused:
            raise _Refused(problem=refused, problem_mark=event.start_mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        if node is not None:
            node.tag = event.tag
        return node


def _converted(found: Any, where: Callable[[Any], Mark], path: Path, problems: list[Problem]) -> Node:
    """PyYAML's node as ours."""
    mark = where(found.start_mark)
    if found.tag is not None:
        tag = found.tag.replace("tag:yaml.org,2002:", "!!")
        problems.append(Problem(f"tags such as {tag} are not allowed: quote a value to make it a string", path, mark))
    if isinstance(found, yaml.SequenceNode):
        return Node([_converted(item, where, (*path, at), problems) for at, item in enumerate(found.value)], mark)
    if not isinstance(found, yaml.MappingNode):
        return Node(resolve(found.value) if found.style is None else found.value, mark)
    children: dict[str, Node] = {}
    for key, item in found.value:
        name, place = str(key.value), where(key.start_mark)
        mistake = _key_problem(key, children)
        if mistake:
            problems.append(Problem(mistake, (*path, name) if name in children else path, place))
        child = _converted(item, where, (*path, name), problems)
        if not mistake or key.tag is not None:  # a key that is no key would be reported again as unknown
            children[name] = attrs.evolve(child, key=place)
    return Node(children, mark)


def _key_problem(key: Any, before: Mapping[str, Node]) -> str:
    if not isinstance(key, yaml.ScalarNode):
        return "a key must be plain text"
    if key.tag is not None:
        return "tags are not allowed"
    if key.value == "<<" and key.style is None:
        return "merge keys (<<) are not part of YAML 1.2: use `extends` or a profile"
    if key.value in before:
        first = before[key.value].key
        return f"duplicate key {key.value!r}" + (f": first on line {first.line}" if first and first.line else "")
    return ""


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
    if len(text) > 400:  # Python refuses to read integers of thousands of digits
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


def _place(problem: Problem) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", problem.where)]
