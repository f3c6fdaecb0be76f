"""Perceptual loss: a distance between features of a frozen network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import torch
from annotated_types import Gt
from torch import Tensor
from torch.nn import functional as F

from inpaintkit import Sample, checked
from inpaintkit.components.losses import PixelLoss, Reduction, Region, l1, l2, smooth_l1

from .backbones import Backbone
from .unit import unit_l2

DISTANCES: dict[str, Callable[..., Tensor]] = {"smooth-l1": smooth_l1, "l2": l2, "l1": l1, "unit-l2": unit_l2}


class Perceptual(PixelLoss):
    """Weighted sum over layers of a distance between features of ``on`` and of ``against``.

    Johnson et al., "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", 2016, eq. 2. On the completed
    picture only the hole gets a gradient, while the features see it with its surroundings.

    Args:
        backbone: a network of timm or, if timm has none of that name, of torchvision: ``vgg16.tv_in1k``,
            ``squeezenet1_0``; ``timm/`` or ``torchvision/`` before the name picks one.
        layers: usual names (``relu3_3`` of a VGG, ``fire2`` of a SqueezeNet) or paths of modules (``features.12``), as
            a list, or as a mapping from each to its weight.
        pretrained: ``hub``, ``package``, ``random``, or the path of a ``.safetensors`` file with the network's keys.
        distance: smooth L1 (beta 1), squared or absolute difference; ``unit-l2`` normalizes the features over their
            channels first and sums the squares over channels (LPIPS without learned weights; Zhang et al. 2018).
        region: the features that count; one that covers any pixel of the hole belongs to the hole.

    Raises:
        OptionError: an unknown network or layer, or a layer without height and width where the region or the distance
            needs them.
    """

    @checked
    def __init__(
        self,
        backbone: str = "vgg16.tv_in1k",
        layers: Sequence[str] | Mapping[str, Annotated[float, Gt(0)]] = ("relu3_3", "relu4_3", "relu5_3"),
        pretrained: Literal["hub", "package", "random"] | Path = "hub",
        distance: Literal["smooth-l1", "l2", "l1", "unit-l2"] = "smooth-l1",
        on: str = "completed",
        against: str = "image",
        region: Region = "whole",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(on, against, region, reduction)
        self.backbone = Backbone(backbone, layers, pretrained)
        self.weights = dict(layers) if isinstance(layers, Mapping) else dict.fromkeys(layers, 1.0)
        self.distance = DISTANCES[distance]
        if distance == "unit-l2":
            self.backbone.check_maps("distance", "use another distance")
        if region != "whole":
            self.backbone.check_maps("region", "use the region 'whole'")
        self.flat = region == "whole" and distance != "unit-l2"

    def setup(self) -> None:
        """Reads the network's weights, see :meth:`Backbone.setup`."""
        self.backbone.setup()

    def forward(self, sample: Sample) -> Tensor:
        drawn, truth = sample.view(self.on), sample.view(self.against)
        with torch.set_grad_enabled(torch.is_grad_enabled() and truth.requires_grad):
            expected = self.backbone(truth)
        terms = [
            weight * self._term(features, target, sample.mask)
            for weight, features, target in zip(self.weights.values(), self.backbone(drawn), expected, strict=True)
        ]
        return torch.stack(terms).sum()

    def _term(self, features: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """The distance at one layer, in float32: sums over a layer overflow half precision."""
        if self.flat:
            features, target = (f.reshape(len(f), -1, 1, 1) for f in (features, target))
            mask = mask[..., :1, :1]
        else:
            mask = F.adaptive_max_pool2d(mask, features.shape[-2:])  # (B, 1, h, w)
        return self.distance(features, target, mask, self.region, self.reduction)

    def extra_repr(self) -> str:
        return f"weights={self.weights}, {super().extra_repr()}"
