"""Checks that terms and weights are finite; means of logged values, and the speed of training."""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch
from torch import Tensor

from ..core.errors import NonFiniteError, listed
from ..core.interfaces import Method
from ..runtime import distributed

NEVER = 2**62  # later than any step


class FiniteGuard:
    """Records, on the device, the first step in which each logged term was NaN or infinite.

    Steps need not wait for the device; :meth:`check` does.
    """

    ADVICE = "the last good checkpoint is kept. Lower learning rates or weights, set method.clip, or train in float32"

    def __init__(self) -> None:
        self._first: dict[str, Tensor] = {}

    def watch(self, logs: Mapping[str, Tensor], step: int) -> None:
        for name, value in logs.items():
            now = torch.where(torch.isfinite(value), NEVER, step)
            self._first[name] = torch.minimum(self._first[name], now) if name in self._first else now

    def check(self) -> None:
        """Raises NonFiniteError with the first terms and their step; called before anything is saved."""
        if not self._first:
            return
        first = torch.stack(list(self._first.values()))
        distributed.all_reduce_min(first)
        steps = first.tolist()
        step = min(steps)
        if step < NEVER:
            terms = [name for name, at in zip(self._first, steps, strict=True) if at == step]
            raise NonFiniteError(f"{', '.join(terms)} became NaN or infinite in step {step + 1}; {self.ADVICE}")

    def check_weights(self, method: Method, step: int) -> None:
        """Raises NonFiniteError with the weights that are not finite: a finite loss can have a gradient that is not."""
        weights = {name: value for name, value in method.state_dict().items() if value.is_floating_point()}
        good = [torch.isfinite(value).all() for value in weights.values()]
        bad = [name for name, fine in zip(weights, torch.stack(good).tolist(), strict=True) if not fine] if good else []
        if bad:
            raise NonFiniteError(f"weights became NaN or infinite by step {step}: {listed(bad, 3)}; {self.ADVICE}")


class Meter:
    """Means of the values logged since the last line, and the speed."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._steps, self._began = 0, time.monotonic()

    def add(self, logs: Mapping[str, Tensor]) -> None:
        self._steps += 1
        for name, value in logs.items():
            value = value.detach().float()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def flush(self, batch: int) -> tuple[dict[str, float], float]:
        """(name -> mean, images per second); resets both."""
        values: dict[str, float] = {}
        if self._sums:
            sums = torch.stack(list(self._sums.values()))
            distributed.all_reduce_mean(sums)
            means = sums.tolist()
            values = {name: mean / self._counts[name] for name, mean in zip(self._sums, means, strict=True)}
        speed = self._steps * batch / max(time.monotonic() - self._began, 1e-9)
        self._reset()
        return values, speed
