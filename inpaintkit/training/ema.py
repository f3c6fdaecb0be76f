"""EMA: the exponential moving average of a generator's weights, updated after each of its steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def warmed_up(decay: float, updates: int) -> float:
    """The decay after so many updates: at most (1 + n) / (10 + n).

    >>> warmed_up(0.999, 0), warmed_up(0.999, 8), warmed_up(0.999, 10_000)
    (0.1, 0.5, 0.999)
    """
    return min(decay, (1 + updates) / (10 + updates))


@torch.no_grad()
def update_average(averaged: nn.Module, module: nn.Module, decay: float) -> None:
    """Moves the parameters of ``averaged`` by ``1 - decay`` towards those of ``module``; copies the buffers.

    Averaging batch norm's running statistics too was tried and was worse early on: they begin at 0 and 1. Spectral
    norm divides the average by an estimate from the copied vectors, a little less than its largest singular value.
    """
    for mean, parameter in zip(averaged.parameters(), module.parameters(), strict=True):
        mean.lerp_(parameter, 1 - decay)
    for copied, buffer in zip(averaged.buffers(), module.buffers(), strict=True):
        copied.copy_(buffer)


def average_from_generator(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """A hook before ``load_state_dict``: where the weights were saved without an average, it starts at the generator's.

    ``module`` is an ``Adversarial`` method.
    """
    if module.averaged is not None and not any(key.startswith(f"{prefix}averaged.") for key in state):
        head = f"{prefix}generator."
        weights = {key.removeprefix(head): value for key, value in state.items() if key.startswith(head)}
        state |= {f"{prefix}averaged.{key}": value for key, value in weights.items()}
