"""The DCGAN-like discriminator (Liu et al. 2017, section 3.2)."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn

from inpaintkit import Discriminator, OptionError
from inpaintkit.nn import normal_init


class DCGANDiscriminator(Discriminator):
    """Strided 4x4 convolutions down to 4x4, each with batch norm and LeakyReLU, then one logit.

    At 128x128 these are five, 64-128-256-512-512 wide, as in the paper; another size has as many as it takes.

    Args:
        size: the side of the pictures, a power of two of at least 16.
        width: channels of the first convolution; they double up to eight times that.
    """

    def __init__(self, size: Annotated[int, Ge(16)] = 128, width: Annotated[int, Ge(1)] = 64) -> None:
        super().__init__()
        if size & (size - 1):
            raise OptionError(f"the side is halved down to 4, so it must be a power of two, not {size}", ("size",))
        halvings = size.bit_length() - 3
        widths = [3, *(width * min(2**level, 8) for level in range(halvings))]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [
                nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4))
        self.size = size
        normal_init(self)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """``image`` (B, 3, size, size) -> logits (B,); the mask is not used."""
        return self.layers(image).flatten()  # type: ignore[no-any-return]
