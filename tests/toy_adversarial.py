"""A small adversarial method, for tests of the training step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from inpaintkit.components.losses import L2
from inpaintkit.components.objectives import LeastSquares
from inpaintkit.core.interfaces import Batch, Discriminator, Generator, Loss, Sample
from inpaintkit.training.adversarial import Adversarial
from inpaintkit.training.critic import Critic
from inpaintkit.training.stages import Adam, Stage


class Net(Generator):
    """Two convolutions; with a batch norm between them on request."""

    def __init__(self, norm: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(4, 5, 3, padding=1), nn.BatchNorm2d(5) if norm else nn.Tanh(), nn.Conv2d(5, 3, 3, padding=1)
        )

    def forward(self, masked: Tensor, mask: Tensor) -> Tensor:
        return self.layers(torch.cat([masked, mask], 1))  # type: ignore[no-any-return]


class Judge(Discriminator):
    """One score a picture; it remembers how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.Tanh(), nn.Conv2d(4, 1, 3))
        self.asked = 0

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        self.asked += 1
        return self.layers(image).flatten(1).mean(1)  # type: ignore[no-any-return]


class Spy(Loss):
    """L2, and what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Sample, dict[str, Tensor]]] = []
        self.watch: nn.Module = nn.Identity()

    def forward(self, sample: Sample) -> Tensor:
        self.seen.append((sample, {name: p.detach().clone() for name, p in self.watch.named_parameters()}))
        return (sample.output - sample.image).square().mean()


def batch(count: int = 4, seed: int = 0, side: int = 9) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    mask = torch.zeros(count, 1, side, side)
    mask[:, :, 2:6, 3:7] = 1
    return Batch(torch.rand(count, 3, side, side, generator=rng) * 2 - 1, mask)


def method(
    *stages: Stage, critics: int = 1, norm: bool = False, losses: Mapping[str, Loss] | None = None, **options: Any
) -> Adversarial:
    torch.manual_seed(0)
    names = ["image", "second", "third"][:critics]
    return Adversarial(
        Net(norm),
        stages,
        losses or {"l2": L2()},
        {name: Critic(Judge(), LeastSquares(), optimizer=Adam(lr=0.01)) for name in names},
        optimizer=Adam(lr=0.02),
        **options,
    )


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def moved(before: Mapping[str, Tensor], module: nn.Module) -> bool:
    return any(not torch.equal(before[name], value) for name, value in module.state_dict().items())


def critic_of(made: Adversarial, name: str = "image") -> Critic:
    found = made.critics[name]
    assert isinstance(found, Critic)
    return found
