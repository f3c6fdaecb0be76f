"""A critic: a discriminator, its objective and its optimizer. A loss that learns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..core.errors import OptionError
from ..core.interfaces import Discriminator, Match, Objective, Sample
from .stages import Adam


@contextmanager
def frozen_parameters(module: nn.Module) -> Iterator[None]:
    """No gradient reaches the module's parameters inside; what was frozen before stays so after."""
    thawed = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in thawed:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in thawed:
            parameter.requires_grad_(True)


class Critic(nn.Module):
    """A discriminator that plays ``objective`` on the views ``on``, held against the view ``real``.

    Called with a sample it gives the generator's side, like any loss; :meth:`loss` is its own side.

    Args:
        net: scores pictures.
        objective: the game.
        on: the view or views that it takes for fakes.
        real: the view that it takes for real.
        optimizer: its own optimizer.
    """

    def __init__(
        self,
        net: Discriminator,
        objective: Objective,
        on: str | Sequence[str] = "completed",
        real: str = "image",
        optimizer: Adam | None = None,
    ) -> None:
        super().__init__()
        self.net = net
        self.objective = objective
        self.on = (on,) if isinstance(on, str) else tuple(on)
        if not self.on:
            raise OptionError("a critic looks at one view at least", ("on",))
        self.real = real
        self.adam = optimizer or Adam()

    def match(self, sample: Sample) -> Match:
        def score(picture: Tensor) -> Tensor:
            return self.net(picture, sample.mask)  # type: ignore[no-any-return]

        fakes = tuple(sample.view(name) for name in self.on)
        return Match(score, sample.view(self.real), fakes, sample.mask, sample)

    def forward(self, sample: Sample) -> Tensor:
        """The scalar that the generator descends."""
        return self.objective.generator(self.match(sample))

    def loss(self, sample: Sample) -> dict[str, Tensor]:
        """The critic's own ``loss``, and what its objective logs beside it; the sample is detached first."""
        with torch.enable_grad():
            return self.objective.critic(self.match(sample.detach()))
