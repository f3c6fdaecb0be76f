"""Encoder and decoder of one path (Zhao and Zhao 2020, section 3; sizes after Zheng et al. 2019)."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from inpaintkit import Generator, InpaintkitError
from inpaintkit.nn import per_image

from .blocks import Attention, ResBlock, UpBlock, picture, resized


class Encoder(nn.Module):
    """A picture (B, 3, H, W) -> its features at four times the latent's side, and its latent; ``4 base`` channels each.

    Seven residual blocks: ``base``, ``2 base`` and then ``4 base`` channels. Of five halvings three lead to the
    features, at an eighth of the side, and two to the latent, at a thirty-second; of fewer, fewer lead to the features.
    """

    def __init__(self, base: int, halvings: int) -> None:
        super().__init__()
        self.start = ResBlock(3, base, base, down=True, start=True)
        widths = (base, 2 * base, *[4 * base] * 5)
        self.blocks = nn.ModuleList(
            ResBlock(before, before, after, down=number < halvings - 3 or number in (2, 3))
            for number, (before, after) in enumerate(pairwise(widths))
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = features = self.start(image)
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number == 1:
                features = x
        return features, x


class Decoder(nn.Module):
    """Features -> pictures at the features' side, twice that and so on to the whole, each shown to the next block."""

    def __init__(self, base: int, attention: bool, halvings: int) -> None:
        super().__init__()
        wide = 4 * base
        self.added = ResBlock(wide, wide, wide)
        self.low = nn.Sequential(UpBlock(wide, wide), UpBlock(wide, wide))
        self.attention = Attention(wide) if attention else None
        widths = (wide, *(wide, 2 * base, base)[5 - halvings :])
        self.high = nn.ModuleList(UpBlock(before + 3, after) for before, after in pairwise(widths))
        self.pictures = nn.ModuleList(picture(width) for width in widths)

    def forward(self, features: Tensor, latent: Tensor, added: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """``features`` (B, C, 4h, 4w), ``latent`` and ``added`` (B, C, h, w), ``mask`` (B, 1, H, W) -> pictures of
        4h x 4w, 8h x 8w, ... and H x W, (B, 3, ...) each."""
        x = self.low(latent + self.added(added))
        if self.attention is not None:
            x = self.attention(x, features, resized(mask, x))
        drawn = [self.pictures[0](x)]
        for block, out in zip(self.high, self.pictures[1:], strict=True):
            x = block(torch.cat([x, drawn[-1]], 1))
            drawn.append(out(x))
        return tuple(drawn)


class DualPathGenerator(Generator):
    """One path: seven residual blocks down to a thirty-second of the side, a decoder with attention, four scales.

    By default an encoder of 1,405,952 parameters and a decoder, the paper's "generator", of 2,374,016; under
    spectral norm are all convolutions but the attention's queries. What is drawn is a tuple of scales, coarse to fine.

    This is the generation path, the one that fills holes: to the latent of the masked picture it adds a residual block
    of noise z ~ N(0, I), drawn from torch's global generator in training; else one z, the same for every picture,
    unless ``noise`` is given. The reconstruction path, of the same shape, adds one of the complement's latent (see the
    method ``dual-path``).

    Args:
        base: channels of the first block; the others have two and four times as many.
        attention: False leaves the short and long term attention out, and with it the encoder's features.
        halvings: how often the encoder halves and the decoder doubles. Five are the paper's for 256x256; with four or
            three a smaller picture keeps a latent of more than 2x2, and fewer scales are drawn.
    """

    def __init__(
        self,
        base: Annotated[int, Ge(2)] = 32,
        attention: bool = True,
        halvings: Annotated[int, Ge(3), Le(5)] = 5,
    ) -> None:
        super().__init__()
        self.base, self.attention, self.halvings = base, attention, halvings
        self.stride = 2**halvings
        self.encoder = Encoder(base, halvings)
        self.decoder = Decoder(base, attention, halvings)

    def twin(self) -> DualPathGenerator:
        """Another path of the same shape, with weights of its own."""
        return DualPathGenerator(self.base, self.attention, self.halvings)

    def forward(self, masked: Tensor, mask: Tensor, noise: Tensor | None = None) -> tuple[Tensor, ...]:
        """``masked`` (B, 3, H, W), ``mask`` (B, 1, H, W), ``noise`` (B, 4 base, H/stride, W/stride) -> pictures
        (B, 3, ...), ``halvings - 1`` of them, coarse to fine.

        Raises:
            InpaintkitError: the picture has the stride's side: of one place nothing is left when it is normalized.
        """
        return self.draw(*self.encode(masked), mask, noise)

    def encode(self, masked: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the masked picture, for the attention, and its latent."""
        height, width = masked.shape[2:]
        if height * width <= self.stride**2:
            raise InpaintkitError(
                f"a picture of {height}x{width} pixels (padded to the stride) is too small for this generator: with "
                f"halvings {self.halvings} one side must be above {self.stride}"
            )
        features, latent = self.encoder(masked)
        return features, latent

    def draw(self, features: Tensor, latent: Tensor, mask: Tensor, noise: Tensor | None = None) -> tuple[Tensor, ...]:
        if noise is None:
            noise = self.noise(latent) if self.training else self.one_noise(latent)
        drawn: tuple[Tensor, ...] = self.decoder(features, latent, noise, mask)
        return drawn

    def noise(self, latent: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """z ~ N(0, I) of the latent's shape (B, C, h, w), drawn from ``rng``, or else torch's global generator."""
        shape, device = latent.shape[1:], latent.device
        return per_image(lambda n: torch.randn(n, *shape, generator=rng, device=device), len(latent)).to(latent)

    def one_noise(self, latent: Tensor) -> Tensor:
        """One z for each shape of latents, of a seed of its own: like those of training, which z = 0 is not."""
        drawn = torch.randn(latent.shape[1:], generator=torch.Generator("cpu").manual_seed(0), device="cpu")
        return drawn.to(latent).expand_as(latent)
