"""Methods that many tests share: one level everywhere, random pixels, and one with a weight."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inpaintkit import Method


class Level(Method):
    """Draws one level everywhere, and keeps the sizes of the batches that it was given."""

    def __init__(self, level: float = 0.0) -> None:
        super().__init__()
        self.level = level
        self.batches: list[int] = []

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        self.batches.append(len(masked))
        return torch.full_like(masked, self.level)


class Noise(Method):
    """Draws each pixel at random, has no parameters, and keeps the device that it was given pixels on."""

    randomness = "always"

    def inpaint(self, masked: Tensor, mask: Tensor, *, rng: torch.Generator | None = None) -> Tensor:
        self.seen = masked.device.type
        return torch.rand(masked.shape, generator=rng) * 2 - 1


class Trained(Method):
    """Stands for a method with weights: draws its one parameter."""

    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self.color = nn.Parameter(torch.tensor(start))

    @property
    def steps(self) -> int:
        return 4

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        return self.color.expand_as(masked)
