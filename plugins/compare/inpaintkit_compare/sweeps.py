"""The values of a sweep: methods over the values of one option of a protocol's mask sampler."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

import attrs

from inpaintkit.evaluation import MetricResult
from inpaintkit.runtime import Pixels

from .comparison import Comparison, ComparisonRow
from .sweep_plan import Plan, Value


@attrs.frozen(eq=False)
class Sweep:
    """Methods over the values of one option of a protocol's mask sampler, on the same pictures.

    Attributes:
        plan: the option, its values, and a test set for each.
        comparisons: value by value, the rows of the methods and what failed, without differences.
        picture: the index of the picture on the sheet.
        tiles: by method, how its first run completes the picture, value by value; None where it failed.
        complete: whether every method was tried.
    """

    plan: Plan
    comparisons: tuple[Comparison, ...]
    picture: int
    tiles: Mapping[str, Sequence[Pixels | None]] = attrs.field(factory=dict)
    complete: bool = False

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of the methods that were tried."""
        return tuple(self.tiles)

    @property
    def failed(self) -> dict[tuple[str, Value], str]:
        """Why there are no numbers, by method and value."""
        pairs = list(zip(self.plan.values, self.comparisons, strict=True))
        return {(name, at): one.failed[name] for name in self.tiles for at, one in pairs if name in one.failed}

    def rows(self, method: str) -> dict[Value, ComparisonRow]:
        """The rows of a method by value."""
        pairs = zip(self.plan.values, self.comparisons, strict=True)
        return {value: row for value, comparison in pairs for row in comparison.rows if row.name == method}

    def curve(self, method: str, label: str) -> dict[float, MetricResult]:
        """A metric over the values; of pairs, over their Euclidean distance from (0, 0).

        Pairs at the same distance are one point: each image's value is the mean over them.
        """
        points: dict[float, list[MetricResult]] = {}
        for value, row in self.rows(method).items():
            points.setdefault(math.hypot(*value) if isinstance(value, tuple) else value, []).append(row.metrics[label])
        return {at: MetricResult.average(results) for at, results in sorted(points.items())}

    def places(self, method: str, label: str) -> list[list[float]]:
        """Of pairs: a method's means, row by row; NaN where there is none."""
        means = {value: row.metrics[label].interval.mean for value, row in self.rows(method).items()}
        rows, columns = self.plan.axes
        return [[means.get((row, column), math.nan) for column in columns] for row in rows]

    @cached_property
    def metrics(self) -> Mapping[str, MetricResult]:
        """By label, any result of each metric."""
        return next((row.metrics for one in self.comparisons for row in one.rows), {})

    @property
    def charted(self) -> tuple[str, ...]:
        """The metrics that are drawn: the protocol's first with a value per image, and PSNR over the whole picture."""
        drawn = [label for label, result in self.metrics.items() if result.per_image is not None]
        whole = [label for label in drawn if label.startswith("psnr[whole,")]
        return tuple(dict.fromkeys([*drawn[:1], *whole[:1]]))

    @property
    def title(self) -> str:
        return f"{self.comparisons[0].name}: {self.plan.option} of {self.plan.sampler}"

    @property
    def axis(self) -> str:
        """The quantity that curves are drawn over, with its unit."""
        plan = self.plan
        unit = f" ({plan.unit})" if plan.unit else ""
        if plan.sampler == "center-square":
            return f"{'distance of the hole from the center, Euclidean' if plan.grid else 'side of the hole'}{unit}"
        return f"distance of {plan.option} from (0, 0), Euclidean{unit}" if plan.grid else f"{plan.option}{unit}"
