"""Checks and statistics of the known pixels of pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from inpaintkit import InpaintkitError


def require_known(mask: Tensor) -> None:
    """Checks that each picture has a known pixel.

    Args:
        mask: (B, 1, H, W), 1 inside the hole and 0 where the pixel is known.

    Raises:
        InpaintkitError: a picture has no known pixel; the message names its index in the batch.
    """
    hidden = torch.nonzero(mask.bool().flatten(1).all(1)).flatten().tolist()
    if hidden:
        which = ", ".join(str(index) for index in hidden[:8])
        more = f" and {len(hidden) - 8} more" if len(hidden) > 8 else ""
        raise InpaintkitError(
            f"nothing is known of {'picture' if len(hidden) == 1 else 'pictures'} {which}{more} (counted from 0 in the "
            f"batch of {len(mask)}): the mask is 1 everywhere, and this method needs at least one known pixel. "
            "The mask is 1 in the hole and 0 where the pixel is known; was it meant the other way round?"
        )


def levels(masked: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The minimum, mean and maximum of the known pixels of each channel, each (B, C, 1, 1) in float64.

    The mean is clamped to the other two, which rounding could violate.
    """
    hole = mask.bool()
    lowest = masked.masked_fill(hole, torch.inf).amin((2, 3), keepdim=True).double()
    highest = masked.masked_fill(hole, -torch.inf).amax((2, 3), keepdim=True).double()
    total = masked.double().masked_fill(hole, 0).sum((2, 3), keepdim=True)
    mean = total / (~hole).sum((2, 3), keepdim=True)
    return lowest, mean.clamp(lowest, highest), highest
