"""What inpaintkit raises on purpose: one family, each with what, where and the nearest fix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import attrs

Path = tuple[str | int, ...]


class InpaintkitError(Exception):
    """A mistake that the user can mend: printed without a traceback, exit code 2."""


class OptionError(InpaintkitError, ValueError):
    """A value that a constructor refuses.

    ``path`` leads from the component's own options to the value, for example ``("stages", 1, "weights", "image")``,
    so that a recipe can point at its line.
    """

    def __init__(self, message: str, path: Sequence[str | int] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path: Path = tuple(path)


class OptionErrors(InpaintkitError, ValueError):
    """Several :class:`OptionError` of one component, raised together."""

    def __init__(self, errors: Iterable[OptionError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(error.message for error in self.errors))


@attrs.frozen
class Problem:
    """One thing wrong in a recipe or protocol."""

    message: str
    path: Path = ()
    where: str = ""  # file:line:column

    def __str__(self) -> str:
        at = dotted(self.path)
        head = f"{self.where}: " if self.where else ""
        return f"{head}{at}: {self.message}" if at else f"{head}{self.message}"


class RecipeError(InpaintkitError):
    """Everything that is wrong with a recipe, all at once."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


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


def dotted(path: Path) -> str:
    """``("stages", 1, "lr")`` -> ``"stages[1].lr"``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``", did you mean 'x'?"``, or ``""`` when nothing known is near."""
    near = get_close_matches(str(name), [str(other) for other in known], n=1, cutoff=0.6)
    return f", did you mean {near[0]!r}?" if near else ""
