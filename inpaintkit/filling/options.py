"""The options of every way to fill pictures, and what a method must be able to do for them."""

from __future__ import annotations

from itertools import chain

import attrs
import torch

from ..core.errors import OptionError, OptionErrors
from ..core.interfaces import Method
from ..runtime import Execution

BATCH = 8  # windows at once, where no Execution is given


@attrs.frozen
class FillOptions:
    """How masks are read, and which random numbers a method draws.

    Args:
        grow: dilate the mask by so many pixels first, in every direction.
        threshold: the part of white above which a mask is hole, from 0 to below 1.
        seed: of a method that draws at random: the same call gives the same picture, another seed another one.

    Raises:
        OptionErrors: options out of their range, all of them together.
    """

    grow: int = 0
    threshold: float = 0.5
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        problems = []
        if not _is_whole(self.grow, least=0):
            text = f"grow is {self.grow!r}: a whole number, at least 0, is needed"
            problems.append(OptionError(text, ("grow",)))
        is_number = isinstance(self.threshold, int | float) and not isinstance(self.threshold, bool)
        if not is_number or not 0 <= self.threshold < 1:
            text = f"threshold is {self.threshold!r}: a number from 0 to below 1 is needed"
            problems.append(OptionError(text, ("threshold",)))
        if problems:
            raise OptionErrors(problems)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def check_samples(method: Method, samples: int) -> None:
    """Raises an OptionError if ``samples`` is not positive, or the method has only one answer to each hole."""
    if not _is_whole(samples, least=1):
        raise OptionError(f"samples is {samples!r}: a whole number, at least 1, is needed", ("samples",))
    if method.randomness == "none":
        name = type(method).__name__
        raise OptionError(f"{name} draws only one answer to each hole: leave samples out", ("samples",))


def where_it_is(method: Method) -> Execution:
    """On the device of the method's parameters, or on the CPU if it has none."""
    return Execution(next(chain(method.parameters(), method.buffers()), torch.zeros(0)).device, BATCH)
