"""LPIPS: a learned perceptual distance."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from inpaintkit import CheckpointError
from inpaintkit.components.metrics import PerImage
from inpaintkit.runtime import to_float

from .backbones import Backbone
from .unit import unit_squares

#: Network and layers of each variant (Zhang et al. 2018, appendix B; their SqueezeNet is version 1.1).
VARIANTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "alex": ("torchvision/alexnet", ("relu1", "relu2", "relu3", "relu4", "relu5")),
    "vgg": ("torchvision/vgg16", ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")),
    "squeeze": ("torchvision/squeezenet1_1", ("relu1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9")),
}


class LPIPS(PerImage):
    """Learned perceptual image patch similarity of the full frame; 0 for equal pictures.

    Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", 2018, eq. 1: the features of
    each layer are normalized over their channels, the squared difference is weighted by channel, averaged over height
    and width, and summed over the layers. The authors' weights of the channels (version 0.1) come with torchmetrics.

    Args:
        net: the ImageNet network.
        pretrained: its weights: ``hub`` or the path of a ``.safetensors`` file with torchvision's keys.
    """

    def __init__(
        self,
        net: Literal["alex", "vgg", "squeeze"] = "alex",
        pretrained: Literal["hub"] | Path = "hub",
        on: str = "completed",
    ) -> None:
        super().__init__(on)
        self.net = net
        self.backbone = Backbone(*VARIANTS[net], pretrained)
        self.weights: list[Tensor] = []
        self.label = self.name("lpips", net, "v0.1", *self.backbone.variant)

    def setup(self, device: torch.device) -> None:
        """Reads the weights of the channels and those of the network.

        Raises:
            CheckpointError: the network's weights are missing or do not fit; the message says where to get them.
        """
        self.weights = channel_weights(self.net, device)
        self.backbone.to(device).setup()

    @torch.no_grad()
    def values(self, drawn: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        if not self.weights:
            raise CheckpointError(f"the weights of {self.label} are not loaded: call setup(device) first")
        pairs = zip(self.backbone(to_float(drawn)), self.backbone(to_float(truth)), self.weights, strict=True)
        return torch.stack([layer_distance(a, b, weight) for a, b, weight in pairs]).sum(0)


def channel_weights(net: str, device: torch.device) -> list[Tensor]:
    """The learned weights of the channels, (1, C, 1, 1) for each layer of a variant."""
    file = files("torchmetrics") / "functional" / "image" / "lpips_models" / f"{net}.pth"
    with file.open("rb") as stream:
        state = torch.load(stream, map_location=device, weights_only=True)
    return [state[f"lin{index}.model.1.weight"] for index in range(len(VARIANTS[net][1]))]


def layer_distance(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    """Features (B, C, H, W) of two pictures and channel weights (1, C, 1, 1) -> (B,): one term of eq. 1."""
    return unit_squares(one, other, weight).mean((1, 2, 3))
