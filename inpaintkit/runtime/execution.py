"""Execution: device, batch size and progress bar for applying a method."""

from __future__ import annotations

from typing import Annotated

import attrs
import torch
from annotated_types import Ge

from ..core.config.checks import checked
from ..core.errors import OptionError
from .devices import pick_device


def _device(device: str | torch.device) -> torch.device:
    return pick_device(str(device))


def whole_number(_: object, attribute: attrs.Attribute[int], value: object) -> None:
    """Raises an OptionError for 1.5, True or "3"; a validator of attrs classes whose annotations set the limits."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise OptionError(f"{attribute.name} is {value!r}: a whole number is needed", (attribute.name,))


@checked
@attrs.frozen
class Execution:
    """How a method is applied to many pictures.

    Args:
        device: where to work, as in ``cuda:1``; ``auto`` is the first accelerator, or the CPU if there is none.
        batch: how many pictures the method is given at once, at most.
        progress: show a progress bar.

    Raises:
        OptionError: ``batch`` is not a positive whole number.
        InpaintkitError: the device cannot be used here.
    """

    device: torch.device = attrs.field(default=torch.device("cpu"), converter=_device)
    batch: Annotated[int, Ge(1)] = attrs.field(default=32, validator=whole_number)
    progress: bool = False
