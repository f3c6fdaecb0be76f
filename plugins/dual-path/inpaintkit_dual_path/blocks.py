"""Residual blocks under spectral norm, and the attention that reaches near and far (Zhao and Zhao 2020, section 3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

SLOPE = 0.1  # of every LeakyReLU (Zheng et al. 2019)
GAIN = 0.02  # of the orthogonal initial weights (Zheng et al. 2019); under spectral norm: how far a step turns them


def normed(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Module:
    """The layer with orthogonal weights and no bias to begin with, its weight divided by its largest singular value."""
    if layer.weight.is_meta:  # torch stands in for that device in Python, where the first power iterations take seconds
        return spectral_norm(layer.to_empty(device="cpu")).to("meta")
    nn.init.orthogonal_(layer.weight, GAIN)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return spectral_norm(layer)


def conv(inputs: int, outputs: int, side: int = 3) -> nn.Module:
    """A convolution that keeps height and width, under spectral norm."""
    return normed(nn.Conv2d(inputs, outputs, side, padding=side // 2))


def act() -> nn.Module:
    return nn.LeakyReLU(SLOPE)


class ResBlock(nn.Module):
    """(B, inputs, H, W) -> (B, outputs, H, W), halved with ``down``: LeakyReLU and a 3x3 convolution, twice, and a
    1x1 convolution beside them. ``hidden`` channels between the two.

    ``start`` leaves the first LeakyReLU out, for a picture is shown to it, and averages before the 1x1 convolution.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, down: bool = False, start: bool = False) -> None:
        super().__init__()
        pool = [nn.AvgPool2d(2)] if down else []
        first = [] if start else [act()]
        self.body = nn.Sequential(*first, conv(inputs, hidden), act(), conv(hidden, outputs), *pool)
        beside = conv(inputs, outputs, 1)
        self.skip = nn.Sequential(*pool, beside) if start else nn.Sequential(beside, *pool)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.skip(x)  # type: ignore[no-any-return]


class UpBlock(nn.Module):
    """(B, inputs, H, W) -> (B, outputs, 2H, 2W): instance norm, LeakyReLU, 3x3 convolution, the same with a transposed
    one, and a transposed one beside them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.InstanceNorm2d(inputs, affine=True), act(), conv(inputs, outputs),
            nn.InstanceNorm2d(outputs, affine=True), act(), doubling(outputs, outputs),
        )  # fmt: skip
        self.skip = doubling(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.skip(x)  # type: ignore[no-any-return]


def doubling(inputs: int, outputs: int) -> nn.Module:
    """A transposed convolution that doubles height and width exactly, under spectral norm."""
    return normed(nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1))


class Attention(nn.Module):
    """Short and long term attention (Zhao and Zhao 2020, section 3.3; Zheng et al. 2019, section 3.3).

    Every place looks at all places of the decoder's map ``x`` that resemble it. With what it sees it adds to itself
    (short term), and fills the hole of the encoder's map ``f_e`` (long term); a residual block joins the two. Both
    begin switched off, ``gamma = alpha = 0``, where the block is one of ``x`` and the known part of ``f_e``.

    Args:
        channels: of ``x``, ``f_e`` and the result.
        most_keys: above so many places (64x64 of them: pictures of 512x512), only every second, third, ... row and
            column is looked at, so that memory grows with the picture and not with its square.
    """

    def __init__(self, channels: int, most_keys: int = 4096) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 4, 1)
        nn.init.orthogonal_(self.query.weight, GAIN)
        nn.init.zeros_(self.query.bias)  # type: ignore[arg-type]
        self.gamma = nn.Parameter(torch.zeros(()))
        self.alpha = nn.Parameter(torch.zeros(()))
        self.join = ResBlock(2 * channels, channels, channels)
        self.most_keys = most_keys

    def forward(self, x: Tensor, f_e: Tensor, hole: Tensor) -> Tensor:
        """``x``, ``f_e`` (B, C, h, w), ``hole`` (B, 1, h, w) in [0, 1] -> (B, C, h, w)."""
        channels = x.shape[1]
        step = math.ceil(math.sqrt(x.shape[2] * x.shape[3] / self.most_keys))
        query = self.query(x)
        looked_at = torch.cat([x, f_e], 1)[..., ::step, ::step].flatten(2)  # (B, 2C, K)
        alike = query.flatten(2).mT @ query[..., ::step, ::step].flatten(2)  # (B, hw, K)
        seen = (looked_at @ alike.softmax(-1).mT).view(len(x), 2 * channels, *x.shape[2:])
        near = self.gamma * seen[:, :channels] + x
        far = self.alpha * hole * seen[:, channels:] + (1 - hole) * f_e
        return self.join(torch.cat([near, far], 1))  # type: ignore[no-any-return]


def picture(channels: int) -> nn.Module:
    """(B, channels, H, W) -> a picture (B, 3, H, W) in [-1, 1]."""
    return nn.Sequential(act(), nn.ReflectionPad2d(1), normed(nn.Conv2d(channels, 3, 3)), nn.Tanh())


def resized(mask: Tensor, like: Tensor) -> Tensor:
    """The mask at the height and width of ``like``: how much of each place is hole, in [0, 1]."""
    return F.interpolate(mask, like.shape[2:], mode="bilinear")
