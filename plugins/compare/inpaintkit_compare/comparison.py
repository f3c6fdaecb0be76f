"""The values of a comparison: rows over training seeds, paired differences to the first row, ``comparison.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import attrs
import numpy as np

from inpaintkit.evaluation import (
    Conditions,
    Interval,
    MetricResult,
    Row,
    describe_seeds,
    holm,
    paired_differences,
    paired_p_value,
    read_json,
    to_tree,
)

from .candidates import Candidate

FILE = "comparison.json"


@attrs.frozen
class Earlier:
    """Where and with what a row was measured that was taken over from an earlier comparison."""

    device: str
    threads: int
    batch: int
    environment: Mapping[str, Any] = attrs.field(factory=dict)
    plugins: Mapping[str, str] = attrs.field(factory=dict)

    @classmethod
    def of(cls, comparison: Comparison) -> Earlier:
        """The conditions of the rows that a comparison measured itself."""
        return cls(**{field.name: getattr(comparison, field.name) for field in attrs.fields(cls)})


@attrs.frozen
class ComparisonRow:
    """One method under the protocol of a comparison.

    Attributes:
        name, kind, seeds, steps, training_seconds, stochastic, blend: as in :class:`.candidates.Candidate`.
        sources: what was loaded, as text.
        training_seeds: the number of training runs behind the numbers; 0 for a method that is not trained, None where
            it is unknown.
        best_of: the number of samples of each picture of which the truth chose the best; 0 for an ordinary row, which
            is one sample; ``chosen_by`` is the label of the metric that it was chosen by.
        metrics: each image's value is the mean over the seeds; so are the values of metrics of the whole set.
        by_seed: by label, the means of the training runs one by one, in the order of ``seeds``; their standard
            deviation is :meth:`spread`.
        images_by_seed: by label, the values of each training run for each image, where there are several runs.
        differences: to the first row, paired over images; empty for the first row itself, and where that one failed.
        p_values: of these differences, by sign flips; none for a row that the truth chose.
        p_holm: the same by Holm's correction over the rows of the comparison, for each metric.
        seconds_per_image: the median over batches without the first, then over runs; for best of k of all k samples.
        memory_per_image: bytes that the method needs at its peak for a batch, divided by its pictures; None where the
            platform cannot measure it.
        non_finite: images for which a run drew NaN or infinity; they count as black there.
        earlier: of a row that was taken over from an earlier comparison; None for one that was measured in this one.
    """

    name: str
    kind: str
    sources: tuple[str, ...]
    seeds: tuple[int, ...]
    training_seeds: int | None
    steps: int
    training_seconds: float | None
    stochastic: bool
    metrics: Mapping[str, MetricResult]
    by_seed: Mapping[str, tuple[float, ...]]
    seconds_per_image: float
    memory_per_image: int | None = None
    non_finite: tuple[str, ...] = ()
    best_of: int = 0
    chosen_by: str = ""
    blend: str = ""
    images_by_seed: Mapping[str, tuple[tuple[float, ...], ...]] = attrs.field(factory=dict)
    differences: Mapping[str, Interval] = attrs.field(factory=dict)
    p_values: Mapping[str, float] = attrs.field(factory=dict)
    p_holm: Mapping[str, float] = attrs.field(factory=dict)
    earlier: Earlier | None = None

    @classmethod
    def over(
        cls,
        candidate: Candidate,
        rows: Sequence[Row],
        *,
        memory: int | None = None,
        best_of: int = 0,
        chosen_by: str = "",
    ) -> ComparisonRow:
        """One row of the rows of a candidate's training runs."""
        non_finite = [image for row in rows for image in row.non_finite]
        return cls(
            name=best_of_name(candidate.name, best_of) if best_of else candidate.name,
            kind=candidate.kind,
            sources=tuple(map(str, candidate.sources)),
            seeds=candidate.seeds,
            training_seeds=candidate.training_seeds,
            steps=candidate.steps,
            training_seconds=candidate.training_seconds,
            stochastic=candidate.stochastic,
            seconds_per_image=float(np.median([row.seconds_per_image for row in rows])),
            memory_per_image=memory,
            non_finite=tuple(dict.fromkeys(non_finite)),
            best_of=best_of,
            chosen_by=chosen_by,
            blend=candidate.blend,
            **over_runs([row.metrics for row in rows]),
        )

    def against(self, reference: ComparisonRow) -> ComparisonRow:
        """The row with its differences to another one."""
        found, p_values = paired_differences(self.metrics, reference.metrics), {}
        for label, difference in found.items():
            pair = self.metrics[label].per_image or (), reference.metrics[label].per_image or ()
            if not self.best_of and difference.n > 1 and np.isfinite(difference.mean):
                p_values[label] = paired_p_value(*pair)
        return attrs.evolve(self, differences=found, p_values=p_values)

    def spread(self, label: str) -> float | None:
        """The standard deviation of a metric's mean over the training runs (n - 1 below); None for fewer than two."""
        means = self.by_seed[label]
        with np.errstate(invalid="ignore"):  # of an infinite mean it is NaN
            return float(np.std(means, ddof=1)) if len(means) > 1 else None

    @property
    def sampling(self) -> str:
        """How a method that draws at random is scored, in words; empty for others."""
        if self.best_of:
            return f"best of {self.best_of} samples by {self.chosen_by}"
        return "one sample" if self.stochastic else ""

    @property
    def basis(self) -> str:
        """What the numbers rest on, in words: training seeds, and the sample of a method that draws at random."""
        return ", ".join(filter(None, [describe_seeds(self.training_seeds), self.sampling]))


@attrs.frozen(kw_only=True)
class Comparison(Conditions):
    """Methods side by side under one protocol, on the same pictures and masks.

    Attributes:
        reference: the name of the first row that was asked for: differences are to this row.
        failed: the reasons of rows without numbers, by name.
        complete: whether every row was tried.
        pictures: names of the images in ``grid.png``, from the top.
        threads: of the CPU.
    """

    rows: tuple[ComparisonRow, ...] = ()
    failed: Mapping[str, str] = attrs.field(factory=dict)
    complete: bool = False
    reference: str = ""
    pictures: tuple[str, ...] = ()
    threads: int = 0

    @classmethod
    def from_conditions_tree(cls, tree: Mapping[str, Any]) -> Self:
        """The inverse of :func:`to_json`; raises KeyError, TypeError or ValueError where something is missing."""
        rows = [{"earlier": None, **row} for row in tree["rows"]]
        return super().from_conditions_tree({**tree, "rows": rows})

    @property
    def labels(self) -> list[str]:
        """Of the metrics, in the protocol's order."""
        return list(self.rows[0].metrics) if self.rows else []

    @property
    def mean_of(self) -> list[str]:
        """The names of the protocols of a mean; empty for a comparison under one protocol."""
        return [str(one["name"]) for one in self.protocol.get("mean_of", ())]

    def row(self, name: str) -> ComparisonRow:
        """The row of that name.

        Raises:
            KeyError: there is none.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def with_failure(self, name: str, reason: str) -> Comparison:
        """With a row that failed."""
        return attrs.evolve(self, failed={**self.failed, name: reason})

    def with_row(self, row: ComparisonRow) -> Comparison:
        """With one more row: its differences to the first are computed, and all p-values corrected again."""
        reference = next((one for one in self.rows if one.name == self.reference), None)
        rows = [*self.rows, row.against(reference) if reference is not None else row]
        corrected: list[dict[str, float]] = [{} for _ in rows]
        for label in dict.fromkeys(label for one in rows for label in one.p_values):
            p_values = {str(at): one.p_values[label] for at, one in enumerate(rows) if label in one.p_values}
            for at, value in holm(p_values).items():
                corrected[int(at)][label] = value
        return attrs.evolve(
            self, rows=tuple(attrs.evolve(one, p_holm=p) for one, p in zip(rows, corrected, strict=True))
        )


def best_of_name(name: str, count: int) -> str:
    """The name of the row with the best of several samples."""
    return f"{name}, best of {count} (chosen by the truth)"


def over_runs(runs: Sequence[Mapping[str, MetricResult]]) -> dict[str, Any]:
    """The metrics of a row: their means over training runs, and the values of the single runs."""
    results = {label: [run[label] for run in runs] for label in runs[0]}
    several = len(runs) > 1
    return {
        "metrics": {label: MetricResult.average(ones) for label, ones in results.items()},
        "by_seed": {label: tuple(one.interval.mean for one in ones) for label, ones in results.items()},
        "images_by_seed": {
            label: tuple(one.per_image or () for one in ones)
            for label, ones in results.items()
            if several and ones[0].per_image is not None
        },
    }


def to_json(comparison: Comparison) -> dict[str, Any]:
    """The content of ``comparison.json``, with the values of all images; ``earlier`` is in rows taken over only."""
    tree = comparison.tree()
    for row, values in zip(tree["rows"], comparison.rows, strict=True):
        row["spread"] = {label: to_tree(values.spread(label)) for label in values.by_seed}
        if values.earlier is None:
            del row["earlier"]
    return tree


def read_comparison(path: str | Path) -> Comparison:
    """A ``comparison.json``, or the one in a folder; of a comparison that was interrupted what it has.

    Raises:
        InpaintkitError: the file is missing or damaged.
    """
    return read_json(Path(path), FILE, Comparison.from_conditions_tree, "comparison", "compare")
