"""A critic: a discriminator with its objective and its optimizer; to the generator it is a loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..core.errors import OptionError
from ..core.interfaces import AdversarialInputs, Discriminator, Loss, Objective, Sample
from .stages import Adam


@contextmanager
def frozen_parameters(module: nn.Module) -> Iterator[None]:
    """No gradient reaches the module's parameters inside; what was frozen before stays so after."""
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in trainable:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)


class Critic(Loss):
    """A discriminator that learns to tell the views ``on`` from the view ``real``.

    Called with a sample it gives the generator's loss, like any other loss; :meth:`loss` is the critic's own.

    Args:
        net: scores pictures.
        objective: the adversarial losses of both.
        on: the view or views that count as fake.
        real: the view that counts as real.
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
            raise OptionError("a critic needs at least one view", ("on",))
        self.real = real
        self.adam = optimizer or Adam()

    @property
    def views(self) -> Mapping[str, tuple[str, ...]]:
        return {"on": self.on, "real": (self.real,)}

    def inputs(self, sample: Sample) -> AdversarialInputs:
        def score(picture: Tensor) -> Tensor:
            return self.net(picture, sample.mask)  # type: ignore[no-any-return]

        fakes = tuple(sample.view(name) for name in self.on)
        return AdversarialInputs(score, sample.view(self.real), fakes, sample.mask, sample)

    def forward(self, sample: Sample) -> Tensor:
        """The scalar that the generator minimizes."""
        return self.objective.generator(self.inputs(sample))

    def loss(self, sample: Sample) -> dict[str, Tensor]:
        """The critic's own ``loss``, and what its objective logs; the sample is detached first."""
        with torch.enable_grad():
            return self.objective.critic(self.inputs(sample.detach()))
