"""The distance of LPIPS without learned weights, in the features of any network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from inpaintkit import CheckpointError, checked
from inpaintkit.components.metrics import PerImage
from inpaintkit.runtime import to_float

from .backbones import Backbone
from .unit import unit_squares


class FeatureDistance(PerImage):
    """Distance between unit features of the completed picture and of the truth; 0 for equal pictures.

    Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", 2018, eq. 1 with all weights
    1: the features of each layer are normalized over their channels, the squared difference is summed over channels,
    averaged over places, and summed over layers. Values of different backbones or layers cannot be compared. A network
    that a method was trained with favors that method: measure with another one.

    Args:
        backbone: a network of timm or torchvision, as in the perceptual loss.
        layers: the names of its layers, as in the perceptual loss; their features must be maps.
        pretrained: ``hub``, ``package``, ``random``, or the path of a ``.safetensors`` file.
        region: ``hole`` averages over the places whose cell touches the hole, ``whole`` over all. The network sees the
            whole picture in both.

    Raises:
        OptionError: an unknown network or layer, or a layer whose features are not maps.
    """

    @checked
    def __init__(
        self,
        backbone: str = "torchvision/squeezenet1_1",
        layers: Sequence[str] = ("relu1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9"),
        pretrained: Literal["hub", "package", "random"] | Path = "hub",
        region: Literal["hole", "whole"] = "hole",
        on: str = "completed",
    ) -> None:
        super().__init__(on)
        self.backbone = Backbone(backbone, layers, pretrained)
        self.backbone.check_maps("layers", "compare other layers")
        self.region = region
        network = self.backbone.network
        self.label = self.name("feature-distance", network.name, "+".join(layers), *self.backbone.variant, region)

    def setup(self, device: torch.device) -> None:
        """Reads the network's weights, see :meth:`Backbone.setup`."""
        self.backbone.to(device).setup()

    @torch.no_grad()
    def values(self, drawn: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        if self.backbone.net is None:
            raise CheckpointError(f"the weights of {self.label} are not loaded: call setup(device) first")
        pairs = zip(self.backbone(to_float(drawn)), self.backbone(to_float(truth)), strict=True)
        return torch.stack([self._averaged(unit_squares(one, other), mask) for one, other in pairs]).sum(0)

    def _averaged(self, squares: Tensor, mask: Tensor) -> Tensor:
        """(B, 1, h, w) -> (B,): the mean over the region; NaN for a picture without a hole."""
        if self.region == "whole":
            return squares.mean((1, 2, 3))
        inside = F.adaptive_max_pool2d(mask, squares.shape[-2:])
        return (squares * inside).sum((1, 2, 3)) / inside.sum((1, 2, 3))
