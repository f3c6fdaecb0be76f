"""Scales of axes, for the charts of sweeps until those are drawn by matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
import numpy as np

from .curves import Floats as Floats


@attrs.frozen
class Scale:
    """Values to pixels, linear or logarithmic, and where the ticks are."""

    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]

    def __call__(self, values: Floats, start: float, end: float) -> Floats:
        low, high, at = self.low, self.high, values
        if self.log:
            low, high, at = math.log(low), math.log(high), np.log(np.maximum(values, self.low * 1e-6))
        return np.asarray(start + (at - low) / (high - low) * (end - start), dtype=np.float64)


def value_scale(main: Sequence[Floats], raw: Sequence[Floats]) -> Scale:
    """An axis for the lines ``main``; rare spikes of the ``raw`` values may leave the frame."""
    values = np.concatenate([*main, *(np.quantile(one, [0.01, 0.99]) for one in raw)])
    low, high = float(values.min()), float(values.max())
    if low > 0 and high / low > 20:
        low, high = low / 1.15, high * 1.15
        return Scale(low, high, True, _log_ticks(low, high))
    if high - low < 1e-9 * max(1.0, abs(high)):
        spread = max(abs(low), abs(high)) * 0.1
        spread = spread if spread > 1e-300 else 0.1  # a tenth of next to nothing is no distance
        low, high = low - spread, high + spread
    margin = (high - low) * 0.06
    floor = 0.0 if 0 <= low < 0.35 * high else low - margin  # zero, where it is near, is the honest base
    return Scale(floor, high + margin, False, ticks(floor, high + margin, 5))


def ticks(low: float, high: float, about: int) -> tuple[float, ...]:
    """Round numbers between the ends: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return tuple(index * step for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1))


def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    """Powers of ten; with 2 and 5 between them where there are few, and not all of them where there are many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    every = max(1, (last - first) // 6)
    ticks = (factor * 10.0**power for power in range(first, last + 1, every) for factor in factors)
    return tuple(tick for tick in ticks if low <= tick <= high)


def label(value: float) -> str:
    """A tick's text: ``0.05``, ``12``, ``150k``, ``1e-5``.

    >>> [label(value) for value in (0, 0.05, 12.0, 150_000, 2_500_000, 1e-5, -0.25)]
    ['0', '0.05', '12', '150k', '2.5M', '1e-5', '-0.25']
    """
    size = abs(value)
    if size < 1e-12:
        return "0"
    for unit, suffix in ((1e6, "M"), (1e3, "k")):
        if size >= unit:
            return f"{value / unit:.4g}{suffix}"
    text = f"{value:.4g}"
    return text.replace("e-0", "e-") if "e" in text else text
