"""A loss at every scale of a view that has several."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.interfaces import Loss, Sample, composite


class MultiScale(Loss):
    """The sum of ``loss`` over all scales of the view ``on``.

    At each scale ``loss`` is given a sample of that size: ``output`` is the view at this scale, ``completed`` its
    composite, the image is averaged down, and a pixel of the mask that touches the hole belongs to the hole. Other
    views are taken at their scale of that size, or averaged down.

    Args:
        loss: what is summed; by default its own ``on`` is ``output``, the view at each scale.
        on: the view that has several scales; a view of one scale is compared at that scale only.
    """

    def __init__(self, loss: Loss, on: str = "output") -> None:
        super().__init__()
        self.loss = loss
        self.on = on

    @property
    def views(self) -> Mapping[str, tuple[str, ...]]:
        return {"on": (self.on,)}

    def forward(self, sample: Sample) -> Tensor:
        values = [self.loss(at_scale(sample, self.on, scale)) for scale in sample.scales(self.on)]
        return torch.stack(values).sum()

    def extra_repr(self) -> str:
        return f"on={self.on}"


def at_scale(sample: Sample, name: str, scale: Tensor) -> Sample:
    """The sample at the size of ``scale`` (B, C, h, w), one of the scales of the view ``name``."""
    size = (int(scale.shape[-2]), int(scale.shape[-1]))
    if sample.image.shape[-2:] == size:
        image, mask = sample.image, sample.mask
    else:
        image = F.interpolate(sample.image, size, mode="area")
        mask = F.adaptive_max_pool2d(sample.mask, size)
    views = {other: resized(sample.scales(other), size) for other in sample.views}
    views |= {"output": scale, "completed": composite(scale, image, mask), name: scale}
    return attrs.evolve(sample, image=image, mask=mask, views=views)


def resized(scales: tuple[Tensor, ...], size: tuple[int, int]) -> Tensor:
    """The scale of a view that has this size, or its finest scale averaged down."""
    for scale in scales:
        if scale.shape[-2:] == size:
            return scale
    return F.interpolate(scales[-1], size, mode="area")
