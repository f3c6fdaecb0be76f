"""Losses that compare pictures pixel by pixel, as plain functions and as modules that name the views they compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Literal

import torch
from annotated_types import Gt
from torch import Tensor
from torch.nn import functional as F

from ..core.config.checks import checked
from ..core.interfaces import Loss, Sample

Region = Literal["hole", "known", "whole"]
Reduction = Literal["mean", "sum"]


def l1(
    output: Tensor, image: Tensor, mask: Tensor | None, region: Region = "whole", reduction: Reduction = "mean"
) -> Tensor:
    """Absolute difference |output - image| over a region.

    Args:
        output, image: (B, C, H, W).
        mask: (B, 1, H, W), 1 in the hole; may be None for the region ``whole``.
        region: the pixels that count. The others get no gradient, and a NaN among them has no effect.
        reduction: ``mean`` over the values of the region of each image, or ``sum`` over them; then the mean over the
            batch. An image without such pixels adds 0.

    Returns:
        A scalar, float32.

    Raises:
        ValueError: shapes that do not fit, or an unknown region or reduction.

    >>> output, image = torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)
    >>> mask = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    >>> l1(output, image, mask, region="hole").item(), l1(output, image, mask, region="hole", reduction="sum").item()
    (1.0, 3.0)
    """
    return reduced(difference(output, image, mask, region).abs(), mask, region, reduction)


def l2(
    output: Tensor, image: Tensor, mask: Tensor | None, region: Region = "whole", reduction: Reduction = "mean"
) -> Tensor:
    """Squared difference (output - image)^2 over a region; arguments as in :func:`l1`, no factor 1/2."""
    return reduced(difference(output, image, mask, region).square(), mask, region, reduction)


def smooth_l1(
    output: Tensor,
    image: Tensor,
    mask: Tensor | None,
    region: Region = "whole",
    reduction: Reduction = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Quadratic near 0, linear beyond ``beta``: d^2 / (2 beta) where |d| < beta, else |d| - beta/2.

    Arguments as in :func:`l1`. Girshick, "Fast R-CNN", 2015, eq. 3 (beta = 1).
    """
    d = difference(output, image, mask, region)
    return reduced(F.smooth_l1_loss(d, torch.zeros_like(d), reduction="none", beta=beta), mask, region, reduction)


def total_variation(
    output: Tensor, mask: Tensor | None = None, region: Region = "whole", reduction: Reduction = "mean"
) -> Tensor:
    """Absolute differences of horizontal and vertical neighbors (anisotropic total variation).

    A pair belongs to the hole if either of its pixels does, so that the boundary counts (Liu et al., "Image Inpainting
    for Irregular Holes Using Partial Convolutions", 2018, section 3.3, where the hole is dilated by one pixel); it is
    known if both are.

    Args:
        output: (B, C, H, W).
        mask: (B, 1, H, W), 1 in the hole; may be None for the region ``whole``.
        region: the pairs that count.
        reduction: ``mean`` over the region's pairs of each image, of both directions together, ``sum`` over them; then
            the mean over the batch.

    Returns:
        A scalar, float32.

    Raises:
        ValueError: shapes that do not fit, or an unknown region or reduction.

    >>> total_variation(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])).item()
    0.5
    """
    chosen = _chosen(output, mask, region)
    output = output.float()
    pairs = ((output[..., 1:, :], output[..., :-1, :]), (output[..., 1:], output[..., :-1]))
    steps = torch.cat([(one - other).flatten(2) for one, other in pairs], 2)  # (B, C, pairs)
    keep = None
    if chosen is not None:
        both = ((chosen[..., 1:, :], chosen[..., :-1, :]), (chosen[..., 1:], chosen[..., :-1]))
        joined = [(one | other) if region == "hole" else (one & other) for one, other in both]
        keep = torch.cat([pair.flatten(2) for pair in joined], 2)
        steps = torch.where(keep, steps, 0.0)
    return _reduced(steps.abs(), keep, reduction)


def difference(output: Tensor, image: Tensor, mask: Tensor | None, region: Region) -> Tensor:
    """``output - image`` in float32, exactly 0 and without gradient outside the region."""
    if output.shape != image.shape:
        raise ValueError(f"cannot compare pictures of shapes {_shape(output)} and {_shape(image)}")
    chosen = _chosen(output, mask, region)
    d = output.float() - image.float()
    return d if chosen is None else torch.where(chosen, d, 0.0)


def reduced(values: Tensor, mask: Tensor | None, region: Region, reduction: Reduction) -> Tensor:
    """Reduces ``values`` (B, C, H, W), which are 0 outside the region, to a scalar: per image, then over the batch."""
    return _reduced(values, _chosen(values, mask, region), reduction)


def _reduced(values: Tensor, chosen: Tensor | None, reduction: Reduction) -> Tensor:
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction is 'mean' or 'sum', not {reduction!r}")
    totals = values.reshape(len(values), -1).sum(1)  # (B,)
    if reduction == "mean":
        if chosen is None:
            totals = totals / values[0].numel()
        else:
            count = chosen.reshape(len(values), -1).sum(1) * values.shape[1]
            totals = totals / count.clamp(min=1)
    return totals.mean()


def _chosen(picture: Tensor, mask: Tensor | None, region: Region) -> Tensor | None:
    """The pixels of the region as booleans (B, 1, H, W); None is all of them."""
    if region not in ("hole", "known", "whole"):
        raise ValueError(f"region is 'hole', 'known' or 'whole', not {region!r}")
    if picture.ndim != 4:
        raise ValueError(f"a picture is (B, C, H, W), not {_shape(picture)}")
    if region == "whole":
        return None
    if mask is None:
        raise ValueError(f"region {region!r} needs a mask")
    expected = (len(picture), 1, *picture.shape[-2:])
    if mask.shape != expected:
        raise ValueError(f"a mask of a picture {_shape(picture)} is {_shape(expected)}, not {_shape(mask)}")
    return mask.bool() if region == "hole" else ~mask.bool()


def _shape(of: Tensor | tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in (of.shape if isinstance(of, Tensor) else of))


class PixelLoss(Loss):
    """Base of the losses between two views over a region; subclasses say which ``distance``.

    Args:
        on: the view that is compared.
        against: the view that it is compared with.
        region: the pixels that count: those in the hole, the known ones, or all.
        reduction: mean or sum over those of each image; then the mean over the batch.
    """

    distance: Callable[..., Tensor]  # (output, image, mask, region, reduction) -> a scalar

    def __init__(
        self,
        on: str = "output",
        against: str = "image",
        region: Region = "whole",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.on, self.against, self.region, self.reduction = on, against, region, reduction

    @property
    def views(self) -> Mapping[str, tuple[str, ...]]:
        return {"on": (self.on,), "against": (self.against,)}

    def forward(self, sample: Sample) -> Tensor:
        pictures = sample.view(self.on), sample.view(self.against)
        return self.distance(*pictures, sample.mask, self.region, self.reduction)

    def extra_repr(self) -> str:
        return f"on={self.on}, against={self.against}, region={self.region}, reduction={self.reduction}"


class L1(PixelLoss):
    """Mean or summed absolute difference, see :func:`l1`."""

    distance = staticmethod(l1)


class L2(PixelLoss):
    """Mean or summed squared difference, see :func:`l2`."""

    distance = staticmethod(l2)


class SmoothL1(PixelLoss):
    """Quadratic below ``beta`` and linear above, see :func:`smooth_l1`.

    Args:
        beta: the difference at which the loss becomes linear.
    """

    @checked
    def __init__(
        self,
        on: str = "output",
        against: str = "image",
        region: Region = "whole",
        reduction: Reduction = "mean",
        beta: Annotated[float, Gt(0)] = 1.0,
    ) -> None:
        super().__init__(on, against, region, reduction)
        self.distance = partial(smooth_l1, beta=beta)


class TotalVariation(Loss):
    """Differences of neighboring pixels, see :func:`total_variation`.

    Args:
        on: the view that is to be smooth; in the completed picture the boundary of the hole counts too.
        region: the pairs that count: those that touch the hole, those of two known pixels, or all.
        reduction: mean or sum over those of each image; then the mean over the batch.
    """

    def __init__(self, on: str = "completed", region: Region = "hole", reduction: Reduction = "mean") -> None:
        super().__init__()
        self.on, self.region, self.reduction = on, region, reduction

    @property
    def views(self) -> Mapping[str, tuple[str, ...]]:
        return {"on": (self.on,)}

    def forward(self, sample: Sample) -> Tensor:
        return total_variation(sample.view(self.on), sample.mask, self.region, self.reduction)

    def extra_repr(self) -> str:
        return f"on={self.on}, region={self.region}, reduction={self.reduction}"
