"""Where a method is applied to pictures: on which device, how many at once, and whether progress bars are shown."""

from __future__ import annotations

import attrs
import torch

from ..core.errors import OptionError
from .devices import pick_device


def _device(name: str | torch.device) -> torch.device:
    return pick_device(name) if isinstance(name, str) else name


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
    batch: int = attrs.field(default=32)
    progress: bool = False

    @batch.validator
    def _check_batch(self, _: attrs.Attribute[int], batch: int) -> None:
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise OptionError(f"batch is {batch!r}: a whole number, at least 1, is needed", ("batch",))
