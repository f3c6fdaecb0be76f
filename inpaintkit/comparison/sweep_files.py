"""The files of a sweep: curves as SVG, tables as Markdown and CSV, all values as JSON, and a sheet of one picture."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import InpaintkitError
from ..evaluation import MetricResult, decimals, direction_arrow, format_interval, measures_to_json, number
from ..runtime import write_atomically
from .files import csv_cell, markdown_table, plain_text
from .sweep_charts import Line, Map, Panel, svg
from .sweep_curves import Curve, Point, Sweep
from .sweep_plan import axes_of, spelled
from .sweep_sheet import to_sheet

FORMAT = 1
_PSNR = {"psnr[hole,255]": "PSNR in the hole (dB)", "psnr[whole,255]": "PSNR of the whole picture (dB)"}


def write_sweep(folder: Path, sweep: Sweep) -> list[Path]:
    """``sweep-OPTION`` as ``.svg``, ``.md``, ``.csv``, ``.json`` and ``.png``: of each the whole or nothing.

    Raises:
        InpaintkitError: the folder cannot be written to.
    """
    stem = f"sweep-{sweep.plan.option}"
    files: dict[str, bytes | str] = {
        ".json": json.dumps(to_json(sweep), allow_nan=False),
        ".csv": to_csv(sweep),
        ".svg": to_svg(sweep),
        ".png": to_sheet(sweep),
        ".md": to_markdown(sweep),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, content in files.items():
            write_atomically(folder / f"{stem}{suffix}", content)
    except OSError as error:
        raise InpaintkitError(f"the sweep cannot be written to {folder}: {error}") from error
    return [folder / f"{stem}{suffix}" for suffix in files]


def failures(sweep: Sweep) -> list[str]:
    """A line for each method and reason, with the values."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for (method, value), reason in sweep.failed.items():
        reasons.setdefault((method, reason), []).append(spelled(value))
    return [f"{method} at {sweep.plan.option} {', '.join(at)}: {why}" for (method, why), at in reasons.items()]


def to_json(sweep: Sweep) -> dict[str, Any]:
    """Plain values; those of the images for the metrics that are drawn. NaN and infinity as words."""
    plan = sweep.plan
    return {
        "format": FORMAT,
        "complete": sweep.complete,
        "option": plan.option,
        "sampler": plan.sampler,
        "unit": plan.unit,
        "values": list(plan.values),
        "hashes": list(sweep.hashes),
        "protocol": dict(sweep.protocol),
        "images": {"count": len(sweep.names), "digest": sweep.digest, "names": list(sweep.names)},
        "picture": {"index": sweep.picture, "name": sweep.names[sweep.picture]},
        "charted": list(sweep.charted),
        "device": sweep.device,
        "batch": sweep.batch,
        "rows": [
            {
                "name": curve.name,
                "kind": curve.kind,
                "seeds": list(curve.seeds),
                "training_seeds": curve.training_seeds,
                "stochastic": curve.stochastic,
                "points": [_point_to_json(sweep, point) for point in curve.points],
            }
            for curve in sweep.curves
        ],
    }


def _point_to_json(sweep: Sweep, point: Point) -> dict[str, Any]:
    metrics = measures_to_json(point.metrics)
    for label, measure in metrics.items():
        if label not in sweep.charted:
            del measure["per_image"]
    return {
        "value": point.value,
        "failed": point.failed,
        "seconds_per_image": number(point.seconds_per_image),
        "metrics": metrics,
    }


def to_csv(sweep: Sweep) -> str:
    """One line for each method, value and metric, numbers in full; what is undefined is empty."""
    plan = sweep.plan
    names = [f"{plan.option}_rows", f"{plan.option}_columns"] if plan.grid else [plan.option]
    file = io.StringIO()
    heads = [*names, "row", "method", "training_seeds", "metric", "higher_is_better", "n", "mean", "low", "high"]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*heads, "seconds_per_image", "hash", "error"])
    for curve in sweep.curves:
        for point, whole in zip(curve.points, sweep.hashes, strict=True):
            start = [*axes_of(point.value), curve.name, curve.kind, csv_cell(curve.training_seeds)]
            if point.failed:
                writer.writerow([*start, *[""] * 7, whole, point.failed])
            for label, one in point.metrics.items():
                cells = [label, one.higher_is_better, one.interval.n, *one.interval, point.seconds_per_image]
                writer.writerow([*start, *map(csv_cell, cells), whole, ""])
    return file.getvalue()


def to_markdown(sweep: Sweep) -> str:
    """GitHub's Markdown: chart, sheet, and a table for each metric that is drawn; of a grid each method's places."""
    plan = sweep.plan
    stem = f"sweep-{plan.option}"
    parts = [f"# {plain_text(title(sweep))}", plain_text(subtitle(sweep))]
    if not sweep.complete:
        parts.append("INCOMPLETE: it was interrupted.")
    if sweep.charted:
        parts.append(f"![{plain_text(title(sweep))}]({stem}.svg)")
    for label in sweep.charted:
        one = next(point.metrics[label] for curve in sweep.curves for point in curve.points if point.metrics)
        parts += [f"## {plain_text(words(label))} {direction_arrow(one)}".rstrip(), _table(sweep, label)]
        if plan.grid and label == sweep.charted[0]:
            parts += [_places(sweep, curve, label) for curve in sweep.curves]
    name = plain_text(sweep.names[sweep.picture])
    parts.append(f"## One picture ({sweep.picture}: {name})")
    parts.append(f"![What methods are given, and what each makes of it]({stem}.png)")
    parts += [
        "## What the numbers rest on",
        "\n".join(f"- {plain_text(one.name)}: {one.basis}" for one in sweep.curves),
    ]
    if sweep.failed:
        parts += ["## Without numbers", "\n".join(f"- {plain_text(line)}" for line in failures(sweep))]
    return "\n\n".join(parts) + "\n"


def _table(sweep: Sweep, label: str) -> str:
    """Value by method; of a grid distance by method."""
    found = {curve.name: dict(curve.over(label)) for curve in sweep.curves}
    rows = []
    for at in sorted({at for one in found.values() for at in one}):
        cells = [_cell(one.get(at)) for one in found.values()]
        rows.append([f"{at:.4g}", *cells])
    return markdown_table([plain_text(axis(sweep)), *map(plain_text, found)], rows)


def _cell(measure: MetricResult | None) -> str:
    if measure is None:
        return "-"
    mean, between = format_interval(measure.interval)
    return f"{mean} ({between})" if between else mean


def _places(sweep: Sweep, curve: Curve, label: str) -> str:
    """A map of a method's means in numbers: a line for each row offset."""
    one = _map(sweep, curve, label)
    found = [point.metrics[label].interval for point in curve.points if label in point.metrics]
    places = max(map(decimals, found), default=0)  # of one map the same
    cells = [f"{value:.{places}f}" if math.isfinite(value) else "-" for value in one.values.ravel()]
    wide = len(one.columns)
    lines = [[f"{row:g}", *cells[at * wide : (at + 1) * wide]] for at, row in enumerate(one.rows)]
    heads = ["rows, columns", *(f"{column:g}" for column in one.columns)]
    return f"**{plain_text(curve.name)}**, by {sweep.plan.option}:\n\n{markdown_table(heads, lines)}"


def to_svg(sweep: Sweep) -> str:
    """The chart: a panel for each metric that is drawn, and of a grid a map for each method."""
    plan = sweep.plan
    mark = None if plan.grid or not isinstance(plan.own, int | float) else (float(plan.own), "the protocol's own")
    panels = [
        Panel(words(label), axis(sweep), [_line(sweep, curve, label) for curve in sweep.curves], mark)
        for label in sweep.charted
    ]
    if not plan.grid or not sweep.charted:
        return svg(title(sweep), subtitle(sweep), panels)
    label = sweep.charted[0]
    maps = [_map(sweep, curve, label) for curve in sweep.curves]
    about = f"{words(label)} by place: rows and columns of {plan.option}; darker is higher, the same colors in all maps"
    return svg(title(sweep), subtitle(sweep), panels, maps, about)


def _line(sweep: Sweep, curve: Curve, label: str) -> Line:
    found = dict(curve.over(label))
    every = sorted({at for one in sweep.curves for at, _ in one.over(label)})
    ends = [tuple(found[at].interval) if at in found else (np.nan,) * 3 for at in every]
    mean, low, high = np.array(ends, np.float64).reshape(-1, 3).T
    return Line(curve.name, np.array(every, np.float64), mean, low, high)


def _map(sweep: Sweep, curve: Curve, label: str) -> Map:
    values = {point.value: point.metrics[label].interval.mean for point in curve.points if label in point.metrics}
    rows, columns = (sorted({axes_of(value)[at] for value in sweep.plan.values}) for at in (0, 1))
    array = [[values.get((row, column), np.nan) for column in columns] for row in rows]
    return Map(curve.name, rows, columns, np.array(array, np.float64))


def title(sweep: Sweep) -> str:
    return f"{sweep.protocol.get('name', '')}: {sweep.plan.option} of {sweep.plan.sampler}"


def subtitle(sweep: Sweep) -> str:
    return f"{len(sweep.names):,} images at each value; bands are 95 % intervals, by bootstrap over images"


def axis(sweep: Sweep) -> str:
    """What curves are drawn over, with its unit."""
    plan = sweep.plan
    unit = f" ({plan.unit})" if plan.unit else ""
    if plan.sampler == "center-square":
        return f"{'distance of the hole from the center, Euclidean' if plan.grid else 'side of the hole'}{unit}"
    return f"distance of {plan.option} from (0, 0), Euclidean{unit}" if plan.grid else f"{plan.option}{unit}"


def words(label: str) -> str:
    return _PSNR.get(label, label)
