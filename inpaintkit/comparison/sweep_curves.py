"""What a sweep found: methods over the values of one option of a protocol's holes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import attrs
import numpy as np

from ..evaluation import Interval, MetricResult, Pixels
from .sweep_plan import Plan, Value


@attrs.frozen
class Point:
    """One method at one value.

    Attributes:
        metrics: over the pictures, as in a comparison: each image's value is the mean over the training runs.
        tile: (3, S, S) uint8, what the first run made of the picture of the sheet.
        failed: why there are no numbers; empty where there are.
    """

    value: Value
    metrics: Mapping[str, MetricResult] = attrs.field(factory=dict)
    seconds_per_image: float = float("nan")
    tile: Pixels | None = attrs.field(default=None, eq=False, repr=False)
    failed: str = ""


@attrs.frozen
class Curve:
    """One method over all values; name, kind and seeds as in :class:`inpaintkit.comparison.candidates.Candidate`."""

    name: str
    kind: str
    seeds: tuple[int, ...]
    training_seeds: int | None
    stochastic: bool
    points: tuple[Point, ...]

    @property
    def basis(self) -> str:
        """On what the numbers rest, in words."""
        count = self.training_seeds
        known = "not trained" if count == 0 else f"{count} training seed{'s' if count != 1 else ''}"
        return ("training seeds unknown" if count is None else known) + (", one sample" if self.stochastic else "")

    def by_distance(self, label: str) -> list[tuple[float, MetricResult]]:
        """Of a grid: a metric by the distance of the hole from where the pair is (0, 0), Euclidean, in its unit.

        Places that are equally far are one: each image's value is the mean over them, the interval is over images.
        """
        places: dict[float, list[MetricResult]] = {}
        for point in self.points:
            assert isinstance(point.value, tuple)
            if label in point.metrics:
                places.setdefault(math.hypot(*point.value), []).append(point.metrics[label])
        return [(distance, _mean(measures)) for distance, measures in sorted(places.items())]

    def over(self, label: str) -> list[tuple[float, MetricResult]]:
        """A metric by the value, or of a grid by the distance; values without numbers are left out."""
        if self.points and isinstance(self.points[0].value, tuple):
            return self.by_distance(label)
        return [(point.value, point.metrics[label]) for point in self.points if label in point.metrics]  # type: ignore[misc]


@attrs.frozen(eq=False)
class Sweep:
    """Methods over the values of one option of a protocol's mask sampler, on the same pictures.

    Attributes:
        plan: the option, its values, and a test set for each.
        protocol: the one that was changed, in full.
        hashes: of the changed protocols, value by value: numbers compare where these agree.
        names: the images, in the order of ``per_image``.
        labels: of the metrics, in the protocol's order.
        picture: the index of the picture on the sheet.
        truth: (3, S, S) uint8, that picture.
        masked: what methods are given of it, value by value.
        complete: whether every method was tried.
    """

    plan: Plan
    protocol: Mapping[str, Any]
    hashes: tuple[str, ...]
    names: tuple[str, ...]
    digest: str
    labels: tuple[str, ...]
    picture: int
    truth: Pixels
    masked: tuple[Pixels, ...]
    curves: tuple[Curve, ...] = ()
    complete: bool = False
    device: str = ""
    batch: int = 0

    @property
    def failed(self) -> dict[tuple[str, Value], str]:
        """Why there are no numbers, by method and value."""
        return {(curve.name, one.value): one.failed for curve in self.curves for one in curve.points if one.failed}

    @cached_property
    def charted(self) -> tuple[str, ...]:
        """The metrics that are drawn: the protocol's first with a value per image, and PSNR over the whole picture."""
        measures = {
            label: one for curve in self.curves for point in curve.points for label, one in point.metrics.items()
        }
        drawn = [label for label in self.labels if label in measures and measures[label].per_image is not None]
        whole = [label for label in drawn if label.startswith("psnr[whole,")]
        return tuple(dict.fromkeys([*drawn[:1], *whole[:1]]))


def _mean(measures: Sequence[MetricResult]) -> MetricResult:
    """Over places, image by image where there are images."""
    first = measures[0]
    if any(one.per_image is None for one in measures):
        whole = float(np.mean([one.interval.mean for one in measures]))
        return MetricResult(Interval(whole, float("nan"), float("nan"), first.interval.n), first.higher_is_better)
    with np.errstate(invalid="ignore"):  # the mean of both infinities is NaN: undefined for that image
        means = np.mean([one.per_image or () for one in measures], axis=0)
    return MetricResult.from_values(means.tolist(), first.higher_is_better)
