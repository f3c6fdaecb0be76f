"""What the tests of the plugin share."""

from __future__ import annotations

import torch
from torch import nn

from inpaintkit import Batch


def parameters(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def batch_of(count: int = 2, height: int = 64, width: int = 64, seed: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    mask = torch.zeros(count, 1, height, width)
    mask[:, :, 10:30, 20:50] = 1
    return Batch(torch.rand(count, 3, height, width, generator=rng) * 2 - 1, mask)
