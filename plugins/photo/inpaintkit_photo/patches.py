"""A small discriminator of patches with spectral normalization."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from inpaintkit import Discriminator, checked


class PatchDiscriminator(Discriminator):
    """Scores overlapping patches in the hole of a picture, which it is shown together with the mask.

    Two 4x4 convolutions with stride 2, one with stride 1, and one to a map of scores; each score sees 34x34 pixels.
    Spectral normalization bounds the slope of each layer (Miyato et al., "Spectral Normalization for Generative
    Adversarial Networks", 2018), and the mask tells where to look (Yu et al., "Free-Form Image Inpainting with Gated
    Convolution", 2019, section 3.3, whose network is larger). Scores whose cell does not touch the hole are 0: there
    the completed picture is the real one, and its gradients would be noise.

    Args:
        width: channels of the first convolution; the next ones have 2 and 4 times as many.
    """

    @checked
    def __init__(self, width: Annotated[int, Ge(1)] = 32) -> None:
        super().__init__()
        widths = (4, width, 2 * width, 4 * width)
        layers: list[nn.Module] = []
        for stride, (before, after) in zip((2, 2, 1), pairwise(widths), strict=True):
            layers += [spectral_norm(nn.Conv2d(before, after, 4, stride, 1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(widths[-1], 1, 4, 1, 1)))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """``image`` (B, 3, H, W), ``mask`` (B, 1, H, W) -> scores (B, 1, h, w)."""
        hole = mask.to(image.dtype)
        scores: Tensor = self.layers(torch.cat([image, hole], 1))
        return scores * F.adaptive_max_pool2d(hole, scores.shape[-2:])
