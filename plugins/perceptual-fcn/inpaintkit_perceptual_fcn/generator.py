"""The fully convolutional completion network with dilations and intermediate layers (Liu et al. 2017, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge, MultipleOf
from torch import Tensor, nn

from inpaintkit import Generator
from inpaintkit.nn import normal_init


def block(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU: "after each layer except the last" (section 3.1)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def upsample(inputs: int, outputs: int) -> nn.Sequential:
    """4x4 deconvolution that doubles the side exactly, batch norm, ReLU."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 4, 2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class DilatedFCN(Generator):
    """Four encoder levels, dilated convolutions in the middle, a decoder that meets each level again.

    An intermediate layer is a convolution on an encoder level's map, concatenated to the decoder's map of that size:
    it brings fine detail past the bottleneck. Input is the masked picture and the mask, four channels. The receptive
    field is 295 pixels with dilations 2, 4, 8, 119 with the same convolutions undilated, and 71 without them, which is
    less than a hole of 80 (the paper's argument for dilation).

    Args:
        width: channels at the two deepest levels; the first two have a quarter and half of it.
        dilations: one dilated convolution each; none for an empty list.
        dilated: False gives the same convolutions without dilation (the paper's figure 7).
        intermediate: False leaves the intermediate layers out (the same figure).
    """

    stride = 8

    def __init__(
        self,
        width: Annotated[int, Ge(4), MultipleOf(4)] = 128,
        dilations: Sequence[Annotated[int, Ge(1)]] = (2, 4, 8),
        dilated: bool = True,
        intermediate: bool = True,
    ) -> None:
        super().__init__()
        w0, w1, w2 = width // 4, width // 2, width
        self.e0 = nn.Sequential(block(4, w0), block(w0, w0))
        self.e1 = nn.Sequential(block(w0, w1, stride=2), block(w1, w1))
        self.e2 = nn.Sequential(block(w1, w2, stride=2), block(w2, w2))
        self.e3 = nn.Sequential(block(w2, w2, stride=2), block(w2, w2))
        self.middle = nn.Sequential(*(block(w2, w2, dilation=d if dilated else 1) for d in dilations))
        self.i0, self.i1, self.i2 = (block(w, w) if intermediate else None for w in (w0, w1, w2))
        joined = 2 if intermediate else 1
        self.u2, self.m2 = upsample(w2, w2), block(joined * w2, w2)
        self.u1, self.m1 = upsample(w2, w1), block(joined * w1, w1)
        self.u0, self.m0 = upsample(w1, w0), block(joined * w0, w0)
        self.out = nn.Conv2d(w0, 3, 3, padding=1)
        normal_init(self)

    def forward(self, masked: Tensor, mask: Tensor) -> Tensor:
        e0 = self.e0(torch.cat([masked, mask], 1))  # (B, w/4, H, W)
        e1 = self.e1(e0)  # (B, w/2, H/2, W/2)
        e2 = self.e2(e1)  # (B, w, H/4, W/4)
        x = self.middle(self.e3(e2))  # (B, w, H/8, W/8)
        x = self.m2(meet(self.u2(x), e2, self.i2))
        x = self.m1(meet(self.u1(x), e1, self.i1))
        x = self.m0(meet(self.u0(x), e0, self.i0))
        return torch.tanh(self.out(x))


def meet(x: Tensor, level: Tensor, intermediate: nn.Module | None) -> Tensor:
    """The decoder's map with what the intermediate layer makes of the encoder's of the same size."""
    return x if intermediate is None else torch.cat([x, intermediate(level)], 1)
