"""The global and the local discriminator (Liu et al. 2018, section 3.2, tables 3 and 4)."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn

from inpaintkit import Discriminator
from inpaintkit.nn import cropped, hole_windows, normal_init

from .frames import reflect_to

GLOBAL = (32, 32, 64, 128, 256, 128)  # channels: of the first convolution, then behind each halving
LOCAL = (64, 64, 128, 256, 256)


class GlobalDiscriminator(Discriminator):
    """Scores the whole picture: a 3x3 convolution, 4x4 convolutions with stride 2 down to 2x2, one logit.

    At 64x64 there are five halvings and 1,232,353 parameters, the paper's; at 32x32 four, at 128x128 five again, and
    the nine logits that remain are averaged. No batch norm; LeakyReLU 0.2. A side that is no power of two is reflected
    to the next one on all four sides: 24x24 to 32x32.

    Args:
        size: the side of the pictures.
    """

    def __init__(self, size: Annotated[int, Ge(16)] = 64) -> None:
        super().__init__()
        self.size, self.side = size, power_of_two(size)
        halvings = min(5, self.side.bit_length() - 2)
        self.layers = trunk(GLOBAL[: halvings + 1], last_padding=1)
        normal_init(self)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """``image`` (B, 3, size, size) -> logits (B,); the mask is not used."""
        return self.layers(reflect_to(image, self.side)).mean((1, 2, 3))  # type: ignore[no-any-return]


class LocalDiscriminator(Discriminator):
    """Scores the hole: a window of half the side around it, 4x4 convolutions with stride 2 down to 4x4, one logit.

    The window follows the mask (:func:`~inpaintkit.nn.hole_windows`), wherever the hole is and
    whatever its shape. At 64x64 it is 32x32, with three halvings and 727,233 parameters, the paper's; at 24x24 it is
    16x16, with two. No batch norm; LeakyReLU 0.2.

    Args:
        size: the side of the pictures.
    """

    def __init__(self, size: Annotated[int, Ge(16)] = 64) -> None:
        super().__init__()
        self.size, self.side = size, power_of_two(size) // 2
        halvings = self.side.bit_length() - 3
        widths = (LOCAL + (LOCAL[-1],) * halvings)[: halvings + 1]
        self.layers = trunk(widths, last_padding=0)
        normal_init(self)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """``image`` (B, 3, size, size), ``mask`` (B, 1, size, size) -> logits (B,)."""
        window = cropped(image, *hole_windows(mask, self.side), self.side)
        return self.layers(window).flatten()  # type: ignore[no-any-return]


def trunk(widths: tuple[int, ...], last_padding: int) -> nn.Sequential:
    """A 3x3 convolution, 4x4 convolutions with stride 2, and the 4x4 convolution to one channel."""
    layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 3, padding=1), nn.LeakyReLU(0.2)]
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, padding=last_padding))


def power_of_two(size: int) -> int:
    """The least power of two that is not below ``size``."""
    return 1 << (size - 1).bit_length()
