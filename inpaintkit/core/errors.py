"""The exceptions, Problem, and helpers that word messages: did_you_mean, listed, short_repr."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Literal

import attrs

KeyPath = tuple[str | int, ...]
ProblemKind = Literal["value", "mismatch", "unknown", "missing"]  # mismatch: the value has another type


class InpaintkitError(Exception):
    """A mistake that the user can correct: printed without a traceback, exit code 2."""


@attrs.frozen
class Problem:
    """One mistake in the options of a component, in a recipe or in a protocol.

    ``path`` leads to the value, for example ``("stages", 1, "weights", "image")``; ``where`` is its place in a file.
    """

    message: str
    path: KeyPath = ()
    where: str = attrs.field(default="", converter=str)  # file:line:column
    kind: ProblemKind = "value"
    key: str = ""  # the name of what is missing
    cause: Exception | None = attrs.field(default=None, eq=False, repr=False)  # what a constructor raised

    def __str__(self) -> str:
        at = dotted(self.path)
        head = f"{self.where}: " if self.where else ""
        return f"{head}{at}: {self.message}" if at else f"{head}{self.message}"


class OptionError(InpaintkitError, ValueError):
    """Values that a constructor refuses.

    ``path`` leads from the component's own options to the value, so that a recipe can name the line. ``problems`` has
    one entry, or several after :meth:`join`.
    """

    problems: tuple[Problem, ...]

    def __init__(self, message: str, path: Sequence[str | int] = ()) -> None:
        super().__init__(message)
        self.problems = (Problem(message, tuple(path)),)

    @classmethod
    def join(cls, errors: Sequence[OptionError]) -> OptionError:
        """One error with the problems of all ``errors``: ``raise OptionError.join(errors)``."""
        joined = OptionError("\n".join(map(str, errors)))
        joined.problems = tuple(problem for error in errors for problem in error.problems)
        return joined

    @property
    def path(self) -> KeyPath:
        """The path of the first problem."""
        return self.problems[0].path


class RecipeError(OptionError):
    """All problems of a recipe or protocol, with their places in its files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        found = tuple(problems)
        super().__init__("\n".join(map(str, found)))
        self.problems = found


class PluginError(InpaintkitError):
    """A plugin that cannot be used, or two that claim one name."""


class DataError(InpaintkitError):
    """Images or masks that are missing or cannot be read."""


class CheckpointError(InpaintkitError):
    """A checkpoint that is missing, damaged, or does not fit the method."""


class NonFiniteError(InpaintkitError):
    """A loss term became NaN or infinite."""


class Interrupted(InpaintkitError):
    """A signal, such as Ctrl-C, ended a piece of work; the message says what was kept."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number  # as shells tell which signal it was


def dotted(path: KeyPath) -> str:
    """``("stages", 1, "lr")`` -> ``"stages[1].lr"``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``", did you mean 'x'?"``, or ``""`` when nothing known is near."""
    near = get_close_matches(str(name), [str(other) for other in known], n=1, cutoff=0.6)
    return f", did you mean {near[0]!r}?" if near else ""


def listed(items: Iterable[object], most: int = 5, *, separator: str = ", ") -> str:
    """``"a, b and 3 more"``: at most ``most`` of the items, then how many there are besides."""
    texts = [str(item) for item in items]
    text = separator.join(texts[:most])
    space = separator if separator.isspace() else " "  # a list of lines ends with a line of its own
    return f"{text}{space}and {len(texts) - most:,} more" if len(texts) > most else text


def short_repr(value: object) -> str:
    """A plain value in a message, as YAML names it: ``null``, ``true``, ``'text'``, ``a list of 3``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, Mapping):
        return f"a mapping with {', '.join(map(str, list(value)[:5]))}" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    return repr(value)
