"""The patch critic of both paths (Zhao and Zhao 2020, section 3.4)."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from annotated_types import Ge
from torch import Tensor, nn

from inpaintkit import Discriminator

from .blocks import SLOPE

STRIDES = {"corrected": (2, 2, 2, 1, 1), "as-stated": (1, 1, 1, 2, 2)}


class PatchDiscriminator(Discriminator):
    """Five 4x4 convolutions to a map of scores; no norm, which a gradient penalty rules out. 2,764,737 parameters.

    The paper states patches of 70x70 and gives the first three convolutions stride 1 and the last two stride 2, with
    which a score sees 19x19 pixels, on a map of 63x63 at 256x256. The other way round a score sees 70x70, on a map of
    30x30 (Isola et al. 2017, whose critic this is).

    Differs: the initial weights are Kaiming's. The orthogonal ones with a gain of 0.02 of Zheng et al. give a critic
    whose gradients are too small for Adam, so that its penalty does not change.

    Args:
        base: channels of the first convolution; the next ones have 2, 4 and 8 times as many.
        strides: ``corrected``, or ``as-stated`` in the paper.
    """

    def __init__(
        self, base: Annotated[int, Ge(1)] = 64, strides: Literal["corrected", "as-stated"] = "corrected"
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        widths = (3, base, 2 * base, 4 * base, 8 * base, 1)
        for (before, after), stride in zip(pairwise(widths), STRIDES[strides], strict=True):
            layer = nn.Conv2d(before, after, 4, stride=stride, padding=1)
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            layers += [layer, nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """``image`` (B, 3, H, W) -> logits (B, 1, h, w); the mask is not used."""
        scores: Tensor = self.layers(image)
        return scores
