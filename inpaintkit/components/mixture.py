"""Masks of several kinds in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge, MinLen
from torch import Tensor

from ..core.config.checks import checked
from ..core.errors import OptionError
from ..core.interfaces import MaskSampler


class Mixture(MaskSampler):
    """Each mask is drawn by one of ``samplers``, chosen at random for every picture.

    All samplers draw the whole batch and each picture keeps one mask, which needs no synchronization with the device.

    Args:
        samplers: the kinds of holes.
        weights: how often each is chosen, relative to the others; equally often by default.
    """

    @checked
    def __init__(
        self,
        samplers: Annotated[Sequence[MaskSampler], MinLen(1)],
        weights: Sequence[Annotated[float, Ge(0)]] | None = None,
    ) -> None:
        if weights is not None and len(weights) != len(samplers):
            raise OptionError(f"{len(samplers)} samplers need as many weights, not {len(weights)}", ("weights",))
        if weights is not None and not sum(weights) > 0:
            raise OptionError("every weight is 0: give one", ("weights",))
        self.samplers = tuple(samplers)
        self.weights = tuple(weights) if weights is not None else (1.0,) * len(self.samplers)

    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Tensor:
        weights = torch.tensor(self.weights, device=rng.device)
        which = torch.multinomial(weights, count, replacement=True, generator=rng)
        drawn = torch.stack([sampler(count, size, rng) for sampler in self.samplers])  # (samplers, count, 1, H, W)
        return drawn[which, torch.arange(count, device=rng.device)]
