"""What a comparison found: rows over seeds, paired differences to the first row, and ``comparison.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from ..core.errors import InpaintkitError
from ..evaluation import (
    Interval,
    MetricResult,
    Row,
    describe_seeds,
    differences,
    holm,
    interval_from_json,
    interval_to_json,
    measures_from_json,
    measures_to_json,
    number,
    paired_p_value,
)
from .candidates import Candidate

FORMAT = 1
FILE = "comparison.json"


@attrs.frozen
class ComparisonRow:
    """One method under the protocol of a comparison.

    Attributes:
        name, kind, seeds, steps, training_seconds, stochastic: as in :class:`.candidates.Candidate`.
        sources: what was loaded, as text.
        training_seeds: over how many training runs the numbers stand; 0 for a method that is not trained, None where
            nobody knows.
        best_of: how many samples the truth chose from for each picture; 0 for an ordinary row, which is one sample;
            ``chosen_by`` is the label of the metric that it chose by.
        blend: how what the method drew was blended with the known pixels; empty for a row without.
        metrics: each image's value is the mean over the seeds; so are the values of metrics of the whole set.
        by_seed: by label, the means that the training runs have one by one, in the order of ``seeds``; their standard
            deviation is :meth:`spread`.
        images_by_seed: by label, what each training run has for each image, where there are several runs.
        differences: to the first row, paired over images; empty for the first row itself, and where that one failed.
        p_values: of these differences, by sign flips; none for a row that the truth chose.
        p_holm: the same by Holm's correction over the rows of the comparison, for each metric.
        seconds_per_image: the median over batches without the first, then over runs; for best of k of all k samples.
        memory_per_image: bytes that the method needs at its peak for a batch, divided by its pictures; None where the
            platform does not tell.
        non_finite: images for which a run drew NaN or infinity; they count as black there.
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

    @classmethod
    def over(
        cls,
        candidate: Candidate,
        rows: Sequence[Row],
        *,
        memory: int | None = None,
        best_of: int = 0,
        chosen_by: str = "",
        blend: str = "",
    ) -> ComparisonRow:
        """One row of what the runs of a candidate have each."""
        name = f"{candidate.name} + {blend.capitalize()}" if blend else candidate.name
        names = [image for row in rows for image in row.non_finite]
        return cls(
            name=f"{name}, best of {best_of} (chosen by the truth)" if best_of else name,
            kind=candidate.kind,
            sources=tuple(map(str, candidate.sources)),
            seeds=candidate.seeds,
            training_seeds=candidate.training_seeds,
            steps=candidate.steps,
            training_seconds=candidate.training_seconds,
            stochastic=candidate.stochastic,
            metrics={label: _over_seeds([row.metrics[label] for row in rows]) for label in rows[0].metrics},
            by_seed={label: tuple(row.metrics[label].interval.mean for row in rows) for label in rows[0].metrics},
            seconds_per_image=float(np.median([row.seconds_per_image for row in rows])),
            memory_per_image=memory,
            non_finite=tuple(dict.fromkeys(names)),
            best_of=best_of,
            chosen_by=chosen_by,
            blend=blend,
            images_by_seed=_images(rows) if len(rows) > 1 else {},
        )

    def against(self, first: ComparisonRow) -> ComparisonRow:
        """The row with its differences to the first one."""
        found, p_values = differences(self, first), {}
        for label, measure in self.metrics.items():
            other = first.metrics.get(label)
            if self.best_of or measure.per_image is None or other is None or other.per_image is None:
                continue
            if label not in found or found[label].n < 2:
                continue
            try:
                p_values[label] = paired_p_value(measure.per_image, other.per_image)
            except ValueError:  # a difference is infinite
                continue
        return attrs.evolve(self, differences=found, p_values=p_values)

    def spread(self, label: str) -> float | None:
        """The standard deviation of a metric's mean over the training runs (n - 1 below); None for fewer than two."""
        means = self.by_seed[label]
        with np.errstate(invalid="ignore"):  # of an infinite mean it is NaN
            return float(np.std(means, ddof=1)) if len(means) > 1 else None

    @property
    def drawn(self) -> str:
        """How a method that draws at random is scored, in words; empty for others."""
        if self.best_of:
            return f"best of {self.best_of} samples by {self.chosen_by}"
        return "one sample" if self.stochastic else ""

    @property
    def basis(self) -> str:
        """What the numbers rest on, in words: training seeds, and the sample of a method that draws at random."""
        return ", ".join(filter(None, [describe_seeds(self), self.drawn]))


@attrs.frozen
class Comparison:
    """Methods side by side under one protocol, on the same pictures and masks.

    Attributes:
        protocol: in full, as plain values; ``hash`` says what numbers are comparable.
        names: the images, in the order of each metric's ``per_image``.
        reference: the name of the row that the others are held against, the first that was asked for.
        failed: by the name of the row, what went wrong with those that have no numbers.
        complete: whether every row was tried.
        pictures: names of the images in ``grid.png``, from the top.
    """

    protocol: Mapping[str, Any]
    hash: str
    names: tuple[str, ...]
    digest: str
    rows: tuple[ComparisonRow, ...] = ()
    failed: Mapping[str, str] = attrs.field(factory=dict)
    complete: bool = False
    reference: str = ""
    pictures: tuple[str, ...] = ()
    device: str = ""
    threads: int = 0
    batch: int = 0
    environment: Mapping[str, Any] = attrs.field(factory=dict)
    plugins: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def name(self) -> str:
        return str(self.protocol.get("name", ""))

    @property
    def labels(self) -> list[str]:
        """Of the metrics, in the protocol's order."""
        return list(self.rows[0].metrics) if self.rows else []

    @property
    def mean_of(self) -> list[str]:
        """The names of the protocols that this is the mean of; none for a comparison that was measured."""
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

    def without(self, name: str, reason: str) -> Comparison:
        """With a row that failed."""
        return attrs.evolve(self, failed={**self.failed, name: reason})

    def added(self, row: ComparisonRow) -> Comparison:
        """With one row more: its differences to the first are taken, and all p-values corrected anew."""
        first = next((one for one in self.rows if one.name == self.reference), None)
        rows = [*self.rows, row.against(first) if first is not None else row]
        corrected: list[dict[str, float]] = [{} for _ in rows]
        for label in dict.fromkeys(label for one in rows for label in one.p_values):
            found = {str(at): one.p_values[label] for at, one in enumerate(rows) if label in one.p_values}
            for at, value in holm(found).items():
                corrected[int(at)][label] = value
        return attrs.evolve(
            self, rows=tuple(attrs.evolve(one, p_holm=p) for one, p in zip(rows, corrected, strict=True))
        )


def _over_seeds(measures: Sequence[MetricResult]) -> MetricResult:
    """The mean over training runs, image by image where there are images."""
    first = measures[0]
    if len(measures) == 1:
        return first
    if first.per_image is None:
        whole = float(np.mean([measure.interval.mean for measure in measures]))
        return MetricResult(Interval(whole, float("nan"), float("nan"), first.interval.n), first.higher_is_better)
    with np.errstate(invalid="ignore"):  # the mean of both infinities is NaN: undefined for that image
        means = np.mean([measure.per_image or () for measure in measures], axis=0)
    return MetricResult.from_values(means.tolist(), first.higher_is_better)


def _images(rows: Sequence[Row]) -> dict[str, tuple[tuple[float, ...], ...]]:
    """By label, the values of the images for each training run."""
    found = {label: [row.metrics[label].per_image for row in rows] for label in rows[0].metrics}
    return {label: tuple(one for one in runs if one is not None) for label, runs in found.items() if None not in runs}


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Plain values, those of the images included; NaN and infinity as words."""
    tree = attrs.asdict(comparison, recurse=False)
    tree["protocol"] = {**tree["protocol"], "hash": tree.pop("hash")}
    tree["images"] = {"count": len(comparison.names), "digest": tree.pop("digest"), "names": list(tree.pop("names"))}
    tree["rows"] = [_row_to_json(row) for row in comparison.rows]
    return {"format": FORMAT, **tree}


def from_json(tree: Mapping[str, Any]) -> Comparison:
    """The inverse of :func:`to_json`; raises KeyError, TypeError or ValueError where something is missing."""
    if tree["format"] != FORMAT:
        raise ValueError(f"its format is {tree['format']!r}, this inpaintkit reads {FORMAT}")
    protocol, images = dict(tree["protocol"]), tree["images"]
    special = ("protocol", "hash", "names", "digest", "rows", "pictures")
    plain = [field.name for field in attrs.fields(Comparison) if field.name not in special]
    return Comparison(
        hash=protocol.pop("hash"),
        protocol=protocol,
        names=tuple(images["names"]),
        digest=images["digest"],
        rows=tuple(_row_from_json(row) for row in tree["rows"]),
        pictures=tuple(tree["pictures"]),
        **{name: tree[name] for name in plain},
    )


def read_comparison(path: str | Path) -> Comparison:
    """A ``comparison.json``, or the one in a folder; of a comparison that was interrupted what it has.

    Raises:
        InpaintkitError: it is missing, or damaged.
    """
    file = Path(path) / FILE if Path(path).is_dir() else Path(path)
    try:
        return from_json(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise InpaintkitError(f"no comparison at {file}: `inpaintkit compare` writes it ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InpaintkitError(f"{file} is damaged ({reason}): compare again") from error


def _row_to_json(row: ComparisonRow) -> dict[str, Any]:
    tree = attrs.asdict(row, recurse=False)
    tree["seconds_per_image"] = number(row.seconds_per_image)
    tree["metrics"] = measures_to_json(row.metrics)
    tree["by_seed"] = {label: [number(mean) for mean in means] for label, means in row.by_seed.items()}
    tree["images_by_seed"] = {
        label: [[number(value) for value in run] for run in runs] for label, runs in row.images_by_seed.items()
    }
    tree["spread"] = {label: None if (one := row.spread(label)) is None else number(one) for label in row.by_seed}
    tree["differences"] = {label: interval_to_json(interval) for label, interval in row.differences.items()}
    return tree


def _row_from_json(tree: Mapping[str, Any]) -> ComparisonRow:
    tree = {"blend": "", **tree}  # older files have none
    special = ("metrics", "by_seed", "images_by_seed", "differences")
    fields = {field.name: tree[field.name] for field in attrs.fields(ComparisonRow) if field.name not in special}
    for name in ("sources", "seeds", "non_finite"):
        fields[name] = tuple(fields[name])
    return ComparisonRow(
        metrics=measures_from_json(tree["metrics"]),
        by_seed={label: tuple(map(float, means)) for label, means in tree["by_seed"].items()},
        images_by_seed={
            label: tuple(tuple(map(float, run)) for run in runs)
            for label, runs in tree.get("images_by_seed", {}).items()  # older files have none
        },
        differences={label: interval_from_json(entry) for label, entry in tree["differences"].items()},
        **fields,
    )
