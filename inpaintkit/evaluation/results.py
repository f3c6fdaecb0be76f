"""What an evaluation found: values, ``results.json`` and the printed table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import attrs
from rich.table import Table

from ..core.errors import InpaintkitError
from .statistics import Interval, bootstrap, paired_difference

FORMAT = 1
FILE = "results.json"


@attrs.frozen
class MetricResult:
    """One metric of one method: its mean over the images with a 95 % interval.

    A metric of the set as a whole (KID, FID) has no values per image and no interval: both ends are NaN.
    """

    interval: Interval
    higher_is_better: bool | None = None
    per_image: tuple[float, ...] | None = None

    @classmethod
    def from_values(cls, per_image: Sequence[float], higher_is_better: bool | None) -> MetricResult:
        """Of values image by image; where it is defined for none (no hole has a ring, say) its mean is NaN."""
        try:
            interval = bootstrap(per_image)
        except ValueError:
            interval = Interval(float("nan"), float("nan"), float("nan"), 0)
        return cls(interval, higher_is_better, tuple(per_image))


@attrs.frozen
class Row:
    """One method under one protocol.

    Attributes:
        name: the run's name, or what else the table shall say.
        method: the registered name of the method.
        training_seeds: over how many training runs the numbers stand; 0 for a method that is not trained, None where
            nobody said.
        non_finite: images for which the method drew NaN or infinity; they count as black there.
    """

    name: str
    method: str
    metrics: Mapping[str, MetricResult]
    seconds_per_image: float
    seed: int | None = None
    steps: int = 0
    training_seconds: float | None = None
    training_seeds: int | None = None
    non_finite: tuple[str, ...] = ()


@attrs.frozen
class Example:
    """A test image kept for the eye: ``file`` shows masked, output, completed and truth side by side."""

    rank: str  # "best", "median", "worst 1" to "worst 12"
    index: int
    name: str
    value: float
    file: str = ""  # relative to the folder of results.json


@attrs.frozen
class Results:
    """One run under one protocol, with filling by the mean color beside it.

    Attributes:
        protocol: the protocol in full, as plain values.
        hash: numbers are comparable when these agree.
        names: the images, in the order of ``per_image``.
        ranked_by: the label of the metric that chose ``pictures``.
    """

    protocol: Mapping[str, Any]
    hash: str
    names: tuple[str, ...]
    digest: str
    row: Row
    baseline: Row
    pictures: tuple[Example, ...] = ()
    ranked_by: str = ""
    device: str = ""
    batch: int = 0
    environment: Mapping[str, Any] = attrs.field(factory=dict)
    plugins: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def name(self) -> str:
        return str(self.protocol.get("name", ""))

    def differences(self) -> dict[str, Interval]:
        """By label, what the method has more than filling by the mean color, paired over the images."""
        return differences(self.row, self.baseline)


class HasMetrics(Protocol):
    """A row of any table."""

    @property
    def metrics(self) -> Mapping[str, MetricResult]: ...

    @property
    def training_seeds(self) -> int | None: ...


def differences(row: HasMetrics, other: HasMetrics) -> dict[str, Interval]:
    """The paired differences ``row - other`` of every metric that both have for each image.

    The two must have been measured under the same protocol hash.
    """
    found: dict[str, Interval] = {}
    for label, measure in row.metrics.items():
        against = other.metrics.get(label)
        if measure.per_image is None or against is None or against.per_image is None:
            continue
        try:
            found[label] = paired_difference(measure.per_image, against.per_image)
        except ValueError:  # no image for which both are defined
            continue
    return found


# --- results.json ---------------------------------------------------------------------------------------------------


def to_json(results: Results) -> dict[str, Any]:
    """Plain values: the method's metrics at the top, the baseline's under ``baseline``; NaN and infinity as words."""
    row = _row_to_json(results.row)
    return {
        "format": FORMAT,
        "run": row.pop("name"),
        **row,
        "baseline": _row_to_json(results.baseline),
        "protocol": {**results.protocol, "hash": results.hash},
        "images": {"count": len(results.names), "digest": results.digest, "names": list(results.names)},
        "ranked_by": results.ranked_by,
        "pictures": [{**attrs.asdict(picture), "value": number(picture.value)} for picture in results.pictures],
        "device": results.device,
        "batch": results.batch,
        "environment": dict(results.environment),
        "plugins": dict(results.plugins),
    }


def from_json(tree: Mapping[str, Any]) -> Results:
    """The inverse of :func:`to_json`; raises KeyError, TypeError or ValueError where something is missing."""
    if tree["format"] != FORMAT:
        raise ValueError(f"its format is {tree['format']!r}, this inpaintkit reads {FORMAT}")
    protocol = dict(tree["protocol"])
    return Results(
        hash=protocol.pop("hash"),
        protocol=protocol,
        names=tuple(tree["images"]["names"]),
        digest=tree["images"]["digest"],
        row=_row_from_json({**tree, "name": tree["run"]}),
        baseline=_row_from_json(tree["baseline"]),
        pictures=tuple(Example(**{**entry, "value": float(entry["value"])}) for entry in tree["pictures"]),
        ranked_by=tree["ranked_by"],
        device=tree["device"],
        batch=tree["batch"],
        environment=tree["environment"],
        plugins=tree["plugins"],
    )


def read_results(path: Path) -> Results:
    """A ``results.json``, or the one in a folder.

    Raises:
        InpaintkitError: it is missing, or damaged.
    """
    file = path / FILE if path.is_dir() else path
    try:
        return from_json(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise InpaintkitError(f"no results at {file}: `inpaintkit evaluate` writes them ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InpaintkitError(f"{file} is damaged ({reason}): evaluate again") from error


def _row_to_json(row: Row) -> dict[str, Any]:
    tree = attrs.asdict(row, recurse=False)
    tree["non_finite"] = list(row.non_finite)
    tree["metrics"] = measures_to_json(row.metrics)
    return tree


def _row_from_json(tree: Mapping[str, Any]) -> Row:
    metrics = measures_from_json(tree["metrics"])
    fields = [field.name for field in attrs.fields(Row) if field.name not in ("metrics", "non_finite")]
    return Row(metrics=metrics, non_finite=tuple(tree["non_finite"]), **{name: tree[name] for name in fields})


def measures_to_json(metrics: Mapping[str, MetricResult]) -> dict[str, Any]:
    """By label, with the values of the images."""
    return {
        label: {
            **interval_to_json(measure.interval),
            "higher_is_better": measure.higher_is_better,
            "per_image": None if measure.per_image is None else [number(value) for value in measure.per_image],
        }
        for label, measure in metrics.items()
    }


def measures_from_json(tree: Mapping[str, Any]) -> dict[str, MetricResult]:
    """The inverse of :func:`measures_to_json`."""
    return {
        label: MetricResult(
            interval_from_json(entry),
            entry["higher_is_better"],
            None if entry["per_image"] is None else tuple(float(value) for value in entry["per_image"]),
        )
        for label, entry in tree.items()
    }


def interval_to_json(interval: Interval) -> dict[str, Any]:
    mean, low, high = map(number, interval)
    return {"mean": mean, "low": low, "high": high, "n": interval.n}


def interval_from_json(entry: Mapping[str, Any]) -> Interval:
    return Interval(float(entry["mean"]), float(entry["low"]), float(entry["high"]), entry["n"])


def number(value: float) -> float | str:
    """JSON has no NaN and no infinity: they are written as words, which ``float`` reads."""
    return float(value) if math.isfinite(value) else str(float(value))


# --- the table ------------------------------------------------------------------------------------------------------


def decimals(interval: Interval) -> int:
    """How many decimals are worth printing: two significant digits of the interval's half width."""
    half = (interval.high - interval.low) / 2
    scale = half if math.isfinite(half) and half > 0 else abs(interval.mean) / 100
    return min(6, max(0, 1 - math.floor(math.log10(scale)))) if math.isfinite(scale) and scale > 0 else 2


def format_interval(interval: Interval, signed: bool = False) -> tuple[str, str]:
    """``("21.53", "21.37 to 21.69")``; the second is empty where there is no interval."""
    places = decimals(interval)
    sign = "+" if signed else ""
    texts = [f"{value:{sign}.{places}f}".replace("-", "\N{MINUS SIGN}") for value in interval]  # of one width
    return texts[0], "" if math.isnan(interval.low) else f"{texts[1]} to {texts[2]}"


def direction_arrow(measure: MetricResult) -> str:
    """An arrow towards the better end."""
    return {True: "\N{UPWARDS ARROW}", False: "\N{DOWNWARDS ARROW}", None: ""}[measure.higher_is_better]


def describe_seeds(row: HasMetrics) -> str:
    """Over how many training seeds a row stands, in words."""
    words = {None: "training seeds unknown", 0: "not trained", 1: "one training seed"}
    return words.get(row.training_seeds, f"{row.training_seeds} training seeds")


def results_table(results: Results) -> Table:
    """The metrics of one run, the baseline and the paired difference, for a terminal."""
    row, baseline = results.row, results.baseline
    table = Table(
        title=f"{row.name} under {results.name}",
        caption=f"{len(results.names)} images, {describe_seeds(row)}, 95 % intervals over images, "
        f"protocol {results.hash[:12]}",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("metric", overflow="fold")
    for name in (row.name, baseline.name, "difference"):
        table.add_column(name, justify="right")
    paired = results.differences()
    for label, measure in row.metrics.items():
        cells: list[Sequence[str]] = [format_interval(measure.interval)]
        cells.append(format_interval(baseline.metrics[label].interval) if label in baseline.metrics else ("", ""))
        cells.append(format_interval(paired[label], signed=True) if label in paired else ("", ""))
        texts = [f"{mean}\n[dim]{rest}[/dim]" if rest else mean for mean, rest in cells]
        table.add_row(f"{escaped(label)} {direction_arrow(measure)}", *texts)
    return table


def escaped(text: str) -> str:
    """Rich takes ``[words in brackets]`` for markup, and labels have them."""
    return text.replace("[", "\\[")
