"""A small U-Net of residual blocks without normalization, made to be cheap on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Ge, MinLen
from torch import Tensor, nn
from torch.nn import functional as F

from inpaintkit import Generator, OptionError, checked


class Block(nn.Module):
    """x + conv(relu(conv(relu(x)))); the last convolution starts at 0, so that the block starts as the identity."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.last = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.last(F.relu(self.first(F.relu(x))))
        return x + y


class UNet(Generator):
    """An unbounded picture from a picture and its mask; at first it is 0 everywhere.

    Pixels are unshuffled 2x2 into channels (Shi et al. 2016, "Real-time single image and video super-resolution using
    an efficient sub-pixel convolutional neural network", backwards), so no convolution works at full resolution. Each
    further level halves the resolution. There is no normalization: what is drawn does not depend on the size of the
    picture or on the rest of the batch.

    Args:
        widths: channels of each level, the first at half the resolution.
        blocks: residual blocks of each level on the way down and, but for the last level, on the way up.
        dilations: of the blocks of the last level, in turn.
    """

    @checked
    def __init__(
        self,
        widths: Annotated[Sequence[Annotated[int, Ge(1)]], MinLen(1)] = (32, 64, 128),
        blocks: Annotated[Sequence[Annotated[int, Ge(1)]], MinLen(1)] = (1, 2, 4),
        dilations: Annotated[Sequence[Annotated[int, Ge(1)]], MinLen(1)] = (1, 2, 4, 1),
    ) -> None:
        super().__init__()
        if len(widths) != len(blocks):
            raise OptionError(f"{len(widths)} widths need as many blocks, not {len(blocks)}", ("blocks",))
        self.stride = 2 ** len(widths)
        self.stem = nn.Conv2d(16, widths[0], 3, padding=1)
        *outer, last = zip(widths, blocks, strict=True)
        self.down = nn.ModuleList(nn.Sequential(*(Block(width) for _ in range(count))) for width, count in outer)
        self.shrink = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairwise(widths))
        width, count = last
        self.middle = nn.Sequential(*(Block(width, dilations[at % len(dilations)]) for at in range(count)))
        self.grow = nn.ModuleList(nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in pairwise(widths))
        self.up = nn.ModuleList(nn.Sequential(*(Block(width) for _ in range(count))) for width, count in outer)
        self.out = nn.Conv2d(widths[0], 12, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)

    def forward(self, masked: Tensor, mask: Tensor) -> Tensor:
        """(B, 3, H, W) and (B, 1, H, W), 1 in the hole -> (B, 3, H, W); sides are multiples of ``stride``."""
        x = self.stem(F.pixel_unshuffle(torch.cat([masked, mask], 1), 2))
        skips = []
        for blocks, shrink in zip(self.down, self.shrink, strict=True):
            x = blocks(x)
            skips.append(x)
            x = shrink(x)
        x = self.middle(x)
        for grow, blocks, skip in zip(reversed(self.grow), reversed(self.up), reversed(skips), strict=True):
            x = blocks(skip + F.pixel_shuffle(grow(x), 2))
        return F.pixel_shuffle(self.out(F.relu(x)), 2)
