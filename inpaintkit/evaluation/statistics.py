"""Intervals over images: bootstrap, paired differences between two methods, and Holm's correction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000
LEVEL = 0.95
_CELLS = 4_000_000  # random numbers drawn at a time: bounds the memory at 32 MB whatever the number of images

Floats = NDArray[np.float64]


@attrs.frozen
class Interval:
    """A mean and its confidence interval over ``n`` images; unpacks as ``mean, low, high``."""

    mean: float
    low: float
    high: float
    n: int

    def __iter__(self) -> Iterator[float]:
        return iter((self.mean, self.low, self.high))

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def bootstrap(values: ArrayLike, seed: int = 0, *, resamples: int = RESAMPLES, level: float = LEVEL) -> Interval:
    """The mean of ``values`` (N,) with its percentile bootstrap interval over images (Efron 1979).

    A NaN says that the measure is undefined for that image (no hole, say): it is left out, and ``n`` counts the rest.
    Images are resampled, so the interval describes other test images, not of other training runs. One image
    has no interval: both ends are NaN.

    Raises:
        ValueError: no value is defined.

    >>> bootstrap([1.0, 1.0, 1.0])
    Interval(mean=1.0, low=1.0, high=1.0, n=3)
    """
    defined = _defined(values)
    mean = float(defined.mean())
    if len(defined) == 1:
        return Interval(mean, float("nan"), float("nan"), 1)
    rng, count = np.random.default_rng(seed), len(defined)
    means = _in_parts(lambda rows: defined[rng.integers(0, count, (rows, count))].mean(1), resamples, count)
    tail = (1 - level) / 2
    method = "linear" if np.isfinite(means).all() else "nearest"  # an infinite mean cannot be interpolated
    low, high = np.quantile(means, [tail, 1 - tail], method=method)  # type: ignore[call-overload]
    return Interval(mean, float(low), float(high), count)


def paired_difference(
    a: ArrayLike, b: ArrayLike, seed: int = 0, *, resamples: int = RESAMPLES, level: float = LEVEL
) -> Interval:
    """The mean of ``a - b`` over the same images, with its bootstrap interval.

    Far narrower than the two intervals side by side: how hard an image is cancels out. Images where either is NaN, or
    where both are the same infinity, are left out.

    Raises:
        ValueError: ``a`` and ``b`` are not of the same length, or no image is left.
    """
    return bootstrap(_differences(a, b), seed, resamples=resamples, level=level)


def paired_p_value(a: ArrayLike, b: ArrayLike, seed: int = 0, *, resamples: int = 10_000) -> float:
    """How often chance makes a mean difference as large: two-sided sign-flip test of ``a - b`` over images.

    Under the null hypothesis the sign of each image's difference is arbitrary (Fisher's randomization test). At least
    ``1 / (resamples + 1)``, since the signs as found are one of the draws.

    Raises:
        ValueError: as :func:`paired_difference`; or a difference is infinite.
    """
    difference = _defined(_differences(a, b))
    if not np.isfinite(difference).all():
        raise ValueError("the sign-flip test needs finite differences")
    rng = np.random.default_rng(seed)

    def draw(rows: int) -> Floats:
        signs = rng.integers(0, 2, (rows, len(difference)), dtype=np.int8) * np.int8(2) - np.int8(1)
        return np.asarray(signs @ difference, dtype=np.float64)

    # A hair below the observed sum: flipping every sign is as extreme, and must count despite its rounding.
    observed = abs(float(difference.sum())) - 1e-12 * float(np.abs(difference).sum())
    sums = np.abs(_in_parts(draw, resamples, len(difference)))
    return float((1 + np.count_nonzero(sums >= observed)) / (resamples + 1))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P-values corrected for how many there are (Holm 1979), under the same names: compare each with the level.

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'b': 0.06, 'c': 0.06}
    """
    for name, value in p_values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name}: {value} is no p-value")
    rising = sorted(p_values, key=p_values.__getitem__)
    corrected = (min(1.0, (len(rising) - rank) * p_values[name]) for rank, name in enumerate(rising))
    adjusted = dict(zip(rising, accumulate(corrected, max), strict=True))
    return {name: adjusted[name] for name in p_values}


def ranks(values: Sequence[float], higher_is_better: bool) -> list[int]:
    """Indices of the images from the worst to the best; images without a value are left out."""
    array = np.asarray(values, dtype=np.float64)
    order = np.argsort(array if higher_is_better else -array, kind="stable")
    return [int(index) for index in order if not np.isnan(array[index])]


def _defined(values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64).reshape(-1)
    defined = array[~np.isnan(array)]
    if not len(defined):
        raise ValueError("no image has a value")
    return defined


def _differences(a: ArrayLike, b: ArrayLike) -> Floats:
    first, second = (np.asarray(values, dtype=np.float64).reshape(-1) for values in (a, b))
    if len(first) != len(second):
        raise ValueError(f"paired values must be of the same images: {len(first)} and {len(second)} were given")
    with np.errstate(invalid="ignore"):  # inf - inf is NaN: left out
        return np.asarray(first - second)


def _in_parts(draw: Callable[[int], Floats], rows: int, columns: int) -> Floats:
    """``draw(rows)`` in parts of bounded memory."""
    step = max(1, _CELLS // max(1, columns))
    return np.concatenate([draw(min(step, rows - start)) for start in range(0, rows, step)])
