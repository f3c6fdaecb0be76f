"""Results, Row and MetricResult: the values of an evaluation; reads and writes ``results.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import attrs
import numpy as np

from ..core.errors import InpaintkitError
from ..core.plugins import Plugins
from ..runs import environment
from ..runtime import LOCK, Execution, file_lock, write_atomically
from .serialization import INLINE, from_tree, read_json, to_tree
from .statistics import Interval, bootstrap, paired_difference
from .testset import TestSet, device_name

FORMAT = 1
FILE = "results.json"
_NAN = float("nan")


@attrs.frozen
class MetricResult:
    """One metric of one method: its mean over the images with a 95 % interval.

    A metric of the set as a whole (KID, FID) has no values per image and no interval: both ends are NaN.
    """

    interval: Interval = attrs.field(metadata=INLINE)
    higher_is_better: bool | None = None
    per_image: tuple[float, ...] | None = None

    @classmethod
    def from_values(cls, per_image: Sequence[float], higher_is_better: bool | None) -> MetricResult:
        """Of values image by image; where it is defined for none (no hole has a ring, say) its mean is NaN."""
        try:
            interval = bootstrap(per_image)
        except ValueError:
            interval = Interval(_NAN, _NAN, _NAN, 0)
        return cls(interval, higher_is_better, tuple(per_image))

    @classmethod
    def of_set(cls, value: float, images: int, higher_is_better: bool | None) -> MetricResult:
        """Of a metric that has one value for the whole set."""
        return cls(Interval(value, _NAN, _NAN, images), higher_is_better)

    @classmethod
    def average(cls, results: Sequence[MetricResult]) -> MetricResult:
        """The mean of several results of a metric on the same images, image by image where each image has a value."""
        first = results[0]
        if len(results) == 1:
            return first
        if any(result.per_image is None for result in results):
            mean = float(np.mean([result.interval.mean for result in results]))
            return cls.of_set(mean, first.interval.n, first.higher_is_better)
        with np.errstate(invalid="ignore"):  # the mean of both infinities is NaN: undefined for that image
            means = np.mean([result.per_image or () for result in results], axis=0)
        return cls.from_values(means.tolist(), first.higher_is_better)


@attrs.frozen
class Row:
    """One method under one protocol.

    Attributes:
        name: the run's name, or another name for tables.
        method: the registered name of the method.
        training_seeds: the number of training runs behind the numbers; 0 for a method that is not trained, None where
            it is unknown.
        non_finite: images for which the method drew NaN or infinity; they count as black there.
    """

    name: str
    method: str
    metrics: Mapping[str, MetricResult] = attrs.field(factory=dict)
    seconds_per_image: float = _NAN
    seed: int | None = None
    steps: int = 0
    training_seconds: float | None = None
    training_seeds: int | None = None
    non_finite: tuple[str, ...] = ()


@attrs.frozen
class Example:
    """A test image of the report: ``file`` shows it in the columns that :meth:`Results.columns` names."""

    rank: str  # "best", "median", "worst 1" to "worst 12"
    index: int
    name: str
    value: float
    file: str = ""  # relative to the folder of results.json


@attrs.frozen(kw_only=True)
class Conditions:
    """The protocol, the images and the machine of an evaluation.

    Attributes:
        protocol: the protocol in full, as plain values.
        hash: numbers are comparable when these agree.
        names: the images, in the order of ``per_image``.
        digest: of the images' pixels.
        source: where the images come from, for people; empty where they were given as pixels.
    """

    protocol: Mapping[str, Any]
    hash: str
    names: tuple[str, ...]
    digest: str
    source: str = ""
    device: str = ""
    batch: int = 0
    environment: Mapping[str, Any] = attrs.field(factory=dict)
    plugins: Mapping[str, str] = attrs.field(factory=dict)

    @classmethod
    def of(cls, test_set: TestSet, execution: Execution, plugins: Plugins | None = None, **others: Any) -> Self:
        """Those of a test set here and now, with the ``others`` of a subclass."""
        found = environment(plugins)
        return cls(
            protocol=test_set.protocol.settings(),
            hash=test_set.hash,
            names=test_set.images.names,
            digest=test_set.images.digest,
            source=test_set.source,
            device=device_name(execution.device),
            batch=execution.batch,
            plugins=found.pop("plugins", {}),
            environment=found,
            **others,
        )

    @property
    def name(self) -> str:
        """Of the protocol."""
        return str(self.protocol.get("name", ""))

    def tree(self) -> dict[str, Any]:
        """As JSON: the hash stands with the protocol, names and digest of the images together."""
        tree: dict[str, Any] = to_tree(self)
        protocol = {**tree.pop("protocol"), "hash": tree.pop("hash")}
        names = tree.pop("names")
        images = {"count": len(names), "source": tree.pop("source"), "digest": tree.pop("digest"), "names": names}
        return {"format": FORMAT, **tree, "protocol": protocol, "images": images}

    @classmethod
    def from_conditions_tree(cls, tree: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`tree`; raises KeyError, TypeError or ValueError where something is missing."""
        if tree["format"] != FORMAT:
            raise ValueError(f"its format is {tree['format']!r}, this inpaintkit reads {FORMAT}")
        protocol, images = dict(tree["protocol"]), tree["images"]
        flat = {"hash": protocol.pop("hash"), **{key: images[key] for key in ("names", "digest", "source")}}
        result: Self = from_tree({**tree, "protocol": protocol, **flat}, cls)
        return result


@attrs.frozen(kw_only=True)
class Results(Conditions):
    """One run under one protocol, beside baselines.

    Attributes:
        baselines: rows of the same images; by default of the method that fills with the mean color.
        missing: baselines that could not be evaluated, and why.
        ranked_by: the label of the metric that chose ``pictures``.
    """

    row: Row
    baselines: tuple[Row, ...]
    missing: Mapping[str, str] = attrs.field(factory=dict)
    pictures: tuple[Example, ...] = ()
    ranked_by: str = ""

    def differences(self, baseline: Row) -> dict[str, Interval]:
        """By label, the method minus a baseline, paired over the images."""
        return paired_differences(self.row.metrics, baseline.metrics)

    def columns(self) -> list[str]:
        """What the files of ``pictures`` show, from left to right."""
        completed = [f"completed by {self.row.name}", *(baseline.name for baseline in self.baselines)]
        return ["masked", "output", *completed, "truth"]


def paired_differences(metrics: Mapping[str, MetricResult], others: Mapping[str, MetricResult]) -> dict[str, Interval]:
    """``metrics - others`` for every metric that both have for each image; both are of one protocol hash."""
    found: dict[str, Interval] = {}
    for label, result in metrics.items():
        reference = others.get(label)
        if result.per_image is None or reference is None or reference.per_image is None:
            continue
        try:
            found[label] = paired_difference(result.per_image, reference.per_image)
        except ValueError:  # no image for which both are defined
            continue
    return found


def ranking_metric(metrics: Mapping[str, MetricResult]) -> str:
    """The label of the first metric that says which of two images is better; empty where none does."""
    return next(
        (label for label, one in metrics.items() if one.per_image and one.higher_is_better is not None),
        "",
    )


def to_json(results: Results) -> dict[str, Any]:
    """The content of ``results.json``: the method's values at the top, the others under ``baselines``."""
    tree = results.tree()
    row = tree.pop("row")
    return {"format": tree.pop("format"), "run": row.pop("name"), **row, **tree}


def from_json(tree: Mapping[str, Any]) -> Results:
    """The inverse of :func:`to_json`; raises KeyError, TypeError or ValueError where something is missing."""
    return Results.from_conditions_tree({**tree, "row": {**tree, "name": tree["run"]}})


def read_results(path: Path) -> Results:
    """A ``results.json``, or the one in a folder.

    Raises:
        InpaintkitError: the file is missing or damaged.
    """
    return read_json(path, FILE, from_json, "results", "evaluate")


def write_results(folder: Path, results: Results, files: Mapping[str, bytes] | None = None) -> Path:
    """Writes ``results.json`` and the files of its pictures; pictures of an earlier evaluation go.

    ``results.json`` is replaced last, in one step, so that at any time it names files that are there.

    Raises:
        InpaintkitError: the folder cannot be written to.
    """
    files = files or {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file_lock(folder / LOCK):  # two evaluations at once would remove each other's pictures
            for name, content in files.items():
                write_atomically(folder / name, content)
            write_atomically(folder / FILE, json.dumps(to_json(results), indent=1, allow_nan=False))
            for old in [*folder.glob("*.png"), *folder.glob(".*.part")]:  # of before, or of a process that was killed
                if old.name not in files:
                    old.unlink(missing_ok=True)
    except OSError as error:
        raise InpaintkitError(f"the results cannot be written to {folder}: {error}") from error
    return folder / FILE
