"""The options of every way to fill pictures, and what a method must be able to do for them."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Annotated

import attrs
import torch
from annotated_types import Ge, Lt

from ..core.config.checks import checked
from ..core.errors import OptionError
from ..core.interfaces import Method
from ..runs import load
from ..runtime import Execution, whole_number

DEFAULT_METHOD = "photo"  # a recipe that comes with trained weights
BATCH = 8  # windows at once, where no Execution is given


@checked
@attrs.frozen
class FillOptions:
    """How masks are read, and which random numbers a method draws.

    Args:
        grow: dilate the mask by so many pixels first, in every direction.
        threshold: the part of white above which a mask is hole.
        seed: of a method that draws at random: the same call gives the same picture, another seed another one.

    Raises:
        OptionError: options out of their range, all of them together.
    """

    grow: Annotated[int, Ge(0)] = attrs.field(default=0, validator=whole_number)
    threshold: Annotated[float, Ge(0), Lt(1)] = 0.5
    seed: int = attrs.field(default=0, validator=whole_number)


DEFAULTS = FillOptions()


def check_samples(method: Method, samples: int) -> None:
    """Raises an OptionError if ``samples`` is not positive, or the method has only one answer to each hole."""
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise OptionError(f"samples is {samples!r}: a whole number, at least 1, is needed", ("samples",))
    if method.randomness == "none":
        name = type(method).__name__
        raise OptionError(f"{name} gives only one answer to each hole: leave samples out", ("samples",))


def as_method(method: Method | str | Path, execution: Execution | None) -> Method:
    """The method itself, or what :func:`inpaintkit.load` makes of the name of a recipe or the folder of a run."""
    if isinstance(method, str | Path):
        return load(method, "cpu" if execution is None else execution.device)
    if not isinstance(method, Method):
        fix = "a network becomes one as the `inpaint(masked, mask)` of a class that is derived from inpaintkit.Method"
        kind = type(method).__name__
        raise OptionError(f"a method, or the name of a recipe or run, is needed to fill with, not {kind}: {fix}")
    return method


def check_kinds(options: object, execution: object) -> None:
    """Raises an OptionError that names the class for what is given in place of its objects."""
    if not isinstance(options, FillOptions):
        raise OptionError(f"options are FillOptions, as in FillOptions(grow=4), not {type(options).__name__}")
    if not isinstance(execution, Execution | None):
        kind = type(execution).__name__
        raise OptionError(f'execution is an Execution, as in Execution("cuda"), not {kind}')


def default_execution(method: Method) -> Execution:
    """On the device of the method's parameters, or on the CPU if it has none."""
    return Execution(next(chain(method.parameters(), method.buffers()), torch.zeros(0)).device, BATCH)
