"""Pictures brought to the side that a network works at."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def reflect_to(picture: Tensor, side: int) -> Tensor:
    """``picture`` (B, C, S, S) reflected on all four sides to (B, C, side, side), with an odd rest at the end."""
    missing = side - picture.shape[-1]
    if not missing:
        return picture
    before, behind = missing // 2, missing - missing // 2
    return F.pad(picture, (before, behind, before, behind), mode="reflect")
