"""Residual blocks under spectral norm, and the short and long term attention (Zhao and Zhao 2020, section 3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from inpaintkit.nn import autocast_off

SLOPE = 0.1  # of every LeakyReLU (Zheng et al. 2019)
CHUNK = 4096  # queries computed together where no gradient is needed


def normed(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Module:
    """The layer with its weight divided by its largest singular value.

    The initial weights are torch's own: their size does not show, but the smaller they are, the farther a step of Adam
    turns them (an orthogonal start with a gain of 0.02 by 28 degrees at a rate of 3e-4, this one by 1).
    """
    if layer.weight.is_meta:  # slow on the meta device: the first power iterations take seconds
        return spectral_norm(layer.to_empty(device="cpu")).to("meta")
    return spectral_norm(layer)


def conv(inputs: int, outputs: int, side: int = 3) -> nn.Module:
    """A convolution that keeps height and width, under spectral norm."""
    return normed(nn.Conv2d(inputs, outputs, side, padding=side // 2))


def act() -> nn.Module:
    return nn.LeakyReLU(SLOPE)


class ResBlock(nn.Module):
    """(B, inputs, H, W) -> (B, outputs, H, W), halved with ``down``: LeakyReLU and a 3x3 convolution, twice, and a
    1x1 convolution beside them. ``hidden`` channels between the two.

    ``start`` leaves out the first LeakyReLU, for a block whose input is a picture.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, down: bool = False, start: bool = False) -> None:
        super().__init__()
        pool = [nn.AvgPool2d(2)] if down else []
        first = [] if start else [act()]
        self.body = nn.Sequential(*first, conv(inputs, hidden), act(), conv(hidden, outputs), *pool)
        self.skip = nn.Sequential(*pool, conv(inputs, outputs, 1))

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

    Each position attends to all positions of the decoder's map ``x``, by similarity. What it reads is added to it
    (short term), and it fills the hole of the encoder's map ``f_e`` (long term); a residual block joins the two. Both
    are initially off, ``gamma = alpha = 0``: the block then sees ``x`` and the known part of ``f_e``.

    Args:
        channels: of ``x``, ``f_e`` and the result.
        most_keys: above about this number of positions (64x64, which is 512x512 pixels after 3 halvings), only every
            second, third, ... row and column is used, so that memory grows with the picture and not with its square.
    """

    def __init__(self, channels: int, most_keys: int = 4096) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 4, 1)
        nn.init.orthogonal_(self.query.weight, 0.02)
        nn.init.zeros_(self.query.bias)  # type: ignore[arg-type]
        self.gamma = nn.Parameter(torch.zeros(()))
        self.alpha = nn.Parameter(torch.zeros(()))
        self.join = ResBlock(2 * channels, channels, channels)
        self.most_keys = most_keys

    def forward(self, x: Tensor, f_e: Tensor, hole: Tensor) -> Tensor:
        """``x``, ``f_e`` (B, C, h, w), ``hole`` (B, 1, h, w) in [0, 1] -> (B, C, h, w)."""
        step = math.ceil(math.sqrt(x.shape[2] * x.shape[3] / self.most_keys))
        sources = torch.cat([x, f_e], 1)
        with autocast_off(x.device):  # the logits are not scaled: bfloat16 would round large ones
            query = self.query(x.to(self.query.weight.dtype))
            keys, values = (part[..., ::step, ::step].flatten(2) for part in (query, sources))
            attended = attend(query.flatten(2), keys, values).view_as(sources)
        own, from_encoder = attended.chunk(2, 1)
        near = self.gamma * own + x
        far = self.alpha * hole * from_encoder + (1 - hole) * f_e
        return self.join(torch.cat([near, far], 1))  # type: ignore[no-any-return]


def attend(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """``query`` (B, D, N), ``keys`` (B, D, K), ``values`` (B, C, K) -> means of the values (B, C, N), weighted by the
    softmax of the dot products; without gradients in parts, which bounds the memory of large pictures."""

    def part(query: Tensor) -> Tensor:
        return values @ (query.mT @ keys).softmax(-1).to(values.dtype).mT

    if torch.is_grad_enabled():
        return part(query)
    return torch.cat([part(query[..., at : at + CHUNK]) for at in range(0, query.shape[2], CHUNK)], 2)


def picture(channels: int) -> nn.Module:
    """(B, channels, H, W) -> a picture (B, 3, H, W) in [-1, 1]."""
    return nn.Sequential(act(), nn.ReflectionPad2d(1), normed(nn.Conv2d(channels, 3, 3)), nn.Tanh())


def resized(mask: Tensor, like: Tensor) -> Tensor:
    """The mask at the height and width of ``like``, bilinearly, in [0, 1]. Only the middle pixels of a position
    count, so that a stroke of two pixels may vanish."""
    return F.interpolate(mask, like.shape[2:], mode="bilinear")
