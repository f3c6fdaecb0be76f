"""The distance of features that are normalized over their channels (Zhang et al. 2018, eq. 1)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from inpaintkit.components.losses import Reduction, Region, reduced


def unit_squares(one: Tensor, other: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """Features (B, C, h, w) of two pictures -> (B, 1, h, w): squared differences, weighted and summed over channels."""
    one, other = (F.normalize(features.float(), dim=1, eps=1e-10) for features in (one, other))
    return ((one - other).square() * weight).sum(1, keepdim=True)


def unit_l2(features: Tensor, target: Tensor, mask: Tensor, region: Region, reduction: Reduction) -> Tensor:
    """The mean or sum of :func:`unit_squares` over a region; a scalar, as the distances of pixels are."""
    squares = unit_squares(features, target)
    if region != "whole":
        squares = squares * (mask if region == "hole" else 1 - mask)
    return reduced(squares, mask, region, reduction)
