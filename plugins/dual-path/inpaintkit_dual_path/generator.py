"""Encoder and decoder of one path (Zhao and Zhao 2020, section 3; sizes after Zheng et al. 2019)."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from inpaintkit import Generator, InpaintkitError
from inpaintkit.distributed import per_image

from .blocks import Attention, ResBlock, UpBlock, picture, resized


class Encoder(nn.Module):
    """A picture (B, 3, H, W) -> its features at an eighth of the side and at a thirty-second, ``4 base`` channels each.

    Seven residual blocks, of which five halve: ``base``, ``2 base`` and then ``4 base`` channels.
    """

    def __init__(self, base: int) -> None:
        super().__init__()
        self.start = ResBlock(3, base, base, down=True, start=True)
        widths = (base, 2 * base, *[4 * base] * 5)
        self.blocks = nn.ModuleList(
            ResBlock(before, before, after, down=number < 4) for number, (before, after) in enumerate(pairwise(widths))
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = self.start(image)
        eighth = x
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number == 1:
                eighth = x
        return eighth, x


class Decoder(nn.Module):
    """Features -> pictures at an eighth, a quarter, half of the side and the whole, each shown to the next block."""

    def __init__(self, base: int, attention: bool) -> None:
        super().__init__()
        wide = 4 * base
        self.added = ResBlock(wide, wide, wide)
        self.low = nn.Sequential(UpBlock(wide, wide), UpBlock(wide, wide))
        self.attention = Attention(wide) if attention else None
        widths = (wide, wide, 2 * base, base)
        self.high = nn.ModuleList(UpBlock(before + 3, after) for before, after in pairwise(widths))
        self.pictures = nn.ModuleList(picture(width) for width in widths)

    def forward(self, eighth: Tensor, latent: Tensor, added: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """``eighth`` (B, C, H/8, W/8), ``latent`` and ``added`` (B, C, H/32, W/32), ``mask`` (B, 1, H, W) -> four
        pictures (B, 3, h, w), coarse to fine."""
        x = self.low(latent + self.added(added))
        if self.attention is not None:
            x = self.attention(x, eighth, resized(mask, x))
        drawn = [self.pictures[0](x)]
        for block, out in zip(self.high, self.pictures[1:], strict=True):
            x = block(torch.cat([x, drawn[-1]], 1))
            drawn.append(out(x))
        return tuple(drawn)


class DualPathGenerator(Generator):
    """One path: seven residual blocks down to a thirty-second of the side, a decoder with attention, four scales.

    At the default width these are the paper's encoder of 1,405,952 and its generator of 2,374,016 parameters, under
    spectral norm throughout but for the attention's queries. What is drawn is a tuple of scales, coarse to fine.

    This is the generation path, the one that fills holes: to the latent of the masked picture it adds a residual block
    of noise z ~ N(0, I), drawn from torch's global generator in training; else z = 0 unless ``noise`` is given. The
    reconstruction path, of the same shape, adds one of the complement's latent (see the method ``dual-path``).

    Args:
        base: channels of the first block; the others have two and four times as many.
        attention: False leaves the short and long term attention out, and with it the encoder's features.
    """

    stride = 32

    def __init__(self, base: Annotated[int, Ge(2)] = 32, attention: bool = True) -> None:
        super().__init__()
        self.base, self.attention = base, attention
        self.encoder = Encoder(base)
        self.decoder = Decoder(base, attention)

    def forward(self, masked: Tensor, mask: Tensor, noise: Tensor | None = None) -> tuple[Tensor, ...]:
        """``masked`` (B, 3, H, W), ``mask`` (B, 1, H, W), ``noise`` (B, 4 base, H/32, W/32) -> four scales.

        Raises:
            InpaintkitError: the picture is 32x32: nothing is left to normalize where it is one pixel.
        """
        return self.draw(*self.encode(masked), mask, noise)

    def encode(self, masked: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the masked picture: at an eighth of its side, and the latent at a thirty-second."""
        height, width = masked.shape[2:]
        if height * width <= self.stride**2:
            raise InpaintkitError(f"a picture of {height}x{width} is too small for this generator: 32x64 is the least")
        eighth, latent = self.encoder(masked)
        return eighth, latent

    def draw(self, eighth: Tensor, latent: Tensor, mask: Tensor, noise: Tensor | None = None) -> tuple[Tensor, ...]:
        if noise is None:
            noise = self.noise(latent) if self.training else torch.zeros_like(latent)
        drawn: tuple[Tensor, ...] = self.decoder(eighth, latent, noise, mask)
        return drawn

    def noise(self, latent: Tensor) -> Tensor:
        """z ~ N(0, I) of the latent's shape (B, C, h, w), from torch's global generator."""
        shape = latent.shape[1:]
        return per_image(lambda count: torch.randn(count, *shape, device=latent.device), len(latent))
