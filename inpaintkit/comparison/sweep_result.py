"""What a sweep found: a comparison at each value, and curves over the values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

import attrs

from ..evaluation import MetricResult, Pixels
from .comparison import Comparison, ComparisonRow
from .sweep_plan import Plan, Value


@attrs.frozen(eq=False)
class Sweep:
    """Methods over the values of one option of a protocol's mask sampler, on the same pictures.

    Attributes:
        plan: the option, its values, and a test set for each.
        comparisons: value by value, the rows of the methods and what failed, without differences.
        methods: the names of the methods that were tried, in order.
        labels: of the metrics, in the protocol's order.
        picture: the index of the picture on the sheet.
        truth: (3, S, S) uint8, that picture.
        masked: what methods are given of it, value by value.
        tiles: by method, what its first run makes of the picture, value by value; None where it failed.
        complete: whether every method was tried.
    """

    plan: Plan
    comparisons: tuple[Comparison, ...]
    labels: tuple[str, ...]
    picture: int
    truth: Pixels
    masked: tuple[Pixels, ...]
    methods: tuple[str, ...] = ()
    tiles: Mapping[str, Sequence[Pixels | None]] = attrs.field(factory=dict)
    complete: bool = False

    @property
    def failed(self) -> dict[tuple[str, Value], str]:
        """Why there are no numbers, by method and value."""
        return {
            (name, value): reason
            for name in self.methods
            for value, comparison in zip(self.plan.values, self.comparisons, strict=True)
            if (reason := comparison.failed.get(name))
        }

    def rows(self, method: str) -> dict[Value, ComparisonRow]:
        """The rows of a method by value."""
        return {
            value: row
            for value, comparison in zip(self.plan.values, self.comparisons, strict=True)
            for row in comparison.rows
            if row.name == method
        }

    def curve(self, method: str, label: str) -> dict[float, MetricResult]:
        """A metric over the values; of pairs, over their Euclidean distance from (0, 0).

        Pairs at the same distance are one point: each image's value is the mean over them.
        """
        points: dict[float, list[MetricResult]] = {}
        for value, row in self.rows(method).items():
            points.setdefault(math.hypot(*value) if isinstance(value, tuple) else value, []).append(row.metrics[label])
        return {at: MetricResult.average(results) for at, results in sorted(points.items())}

    @cached_property
    def charted(self) -> tuple[str, ...]:
        """The metrics that are drawn: the protocol's first with a value per image, and PSNR over the whole picture."""
        metrics = next((row.metrics for one in self.comparisons for row in one.rows), {})
        drawn = [label for label in self.labels if label in metrics and metrics[label].per_image is not None]
        whole = [label for label in drawn if label.startswith("psnr[whole,")]
        return tuple(dict.fromkeys([*drawn[:1], *whole[:1]]))
