"""LPIPS: learned perceptual distance, where its weights are supplied."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ..core.errors import CheckpointError, OptionError
from ..runtime import to_float
from .backbones import Backbone
from .metrics import PerImage
from .pretrained import read_file

#: Network and layers of each variant (Zhang et al. 2018, appendix B; their SqueezeNet is version 1.1).
VARIANTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "alex": ("torchvision/alexnet", ("relu1", "relu2", "relu3", "relu4", "relu5")),
    "vgg": ("torchvision/vgg16", ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")),
    "squeeze": ("torchvision/squeezenet1_1", ("relu1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9")),
}


class LPIPS(PerImage):
    """Learned perceptual image patch similarity, of the whole frame; 0 for equal pictures.

    Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", 2018, eq. 1: features of
    each layer, normalized over channels, their squared difference weighted by channel, averaged over places and summed
    over layers.

    It needs two sets of weights: those of the ImageNet network, and the learned weights of its channels, which the
    authors publish as ``lpips/weights/v0.1/<net>.pth``.

    Args:
        linear: a ``.safetensors`` file with ``lin0.model.1.weight`` (1, C, 1, 1) and so on, one for each layer: the
            authors' file converted once, or the whole ``state_dict`` of their module.
        net: the network that these weights are of.
        pretrained: the network's own weights: ``hub`` or the path of a ``.safetensors`` file with torchvision's keys.
        on: the view that is measured.
    """

    def __init__(
        self,
        linear: Path | None = None,
        net: Literal["alex", "vgg", "squeeze"] = "alex",
        pretrained: Literal["hub"] | Path = "hub",
        on: str = "completed",
    ) -> None:
        super().__init__(on)
        if linear is not None and Path(linear).suffix != ".safetensors":
            text = f"linear is a .safetensors file, not {str(linear)!r}. {_how_to_convert(net)}"
            raise OptionError(text, ("linear",))
        self.linear, self.net = linear, net
        self.backbone = Backbone(VARIANTS[net][0], VARIANTS[net][1], pretrained)
        self.weights: list[Tensor] = []
        self.label = self.name("lpips", net, "v0.1", *self.backbone.variant)

    def setup(self, device: torch.device) -> None:
        """Reads both sets of weights.

        Raises:
            CheckpointError: one of them is not there or does not fit; says what it is and where to get it.
        """
        if self.linear is None:
            raise CheckpointError(f"{self.label} needs the option `linear`. {_how_to_convert(self.net)}")
        self.weights = [weight.to(device) for weight in self._read_linear(Path(self.linear))]
        self.backbone.to(device).setup()

    def _read_linear(self, path: Path) -> list[Tensor]:
        state = read_file(path)
        wanted = {f"lin{place}.model.1.weight": shape[0] for place, shape in enumerate(self.backbone.shapes.values())}
        wrong = [
            f"{key} {(1, channels, 1, 1)}" + (f", there it is {tuple(state[key].shape)}" if key in state else "")
            for key, channels in wanted.items()
            if key not in state or state[key].shape != (1, channels, 1, 1)
        ]
        if wrong:
            raise CheckpointError(
                f"{path} does not fit LPIPS of {self.net!r}: it lacks {'; '.join(wrong)}. It has "
                f"{', '.join(list(state)[:8]) or 'nothing'}. {_how_to_convert(self.net)}"
            )
        return [state[key].float() for key in wanted]

    @torch.no_grad()
    def values(self, drawn: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        if not self.weights:
            raise CheckpointError(f"the weights of {self.label} are not read yet: call setup(device) first")
        pairs = zip(self.backbone(to_float(drawn)), self.backbone(to_float(truth)), self.weights, strict=True)
        return torch.stack([layer_distance(a, b, weight) for a, b, weight in pairs]).sum(0)


def layer_distance(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    """Two maps (B, C, H, W) and channel weights (1, C, 1, 1) -> (B,): one term of eq. 1."""
    one, other = normalized(one.float()), normalized(other.float())
    return ((one - other).square() * weight).sum(1).mean((1, 2))


def normalized(features: Tensor) -> Tensor:
    """Unit length over the channels of each place; a place without any activity stays 0."""
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)


def _how_to_convert(net: str) -> str:
    return (
        f"Take {net}.pth of the authors' package `lpips` (folder weights/v0.1) and convert it once: safetensors.torch."
        f"save_file(torch.load('{net}.pth', map_location='cpu', weights_only=True), '{net}.safetensors')"
    )
