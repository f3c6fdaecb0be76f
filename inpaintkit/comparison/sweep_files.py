"""The files of a sweep: charts as SVG, tables as Markdown and CSV, all values as JSON, and a sheet of one picture."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from ..core.errors import InpaintkitError
from ..evaluation import decimals, direction_arrow, format_interval, picture_grid
from ..runtime import evenly_spaced
from .comparison import to_json as comparison_to_json
from .files import COLUMNS, csv_lines
from .sweep_charts import axis_label, metric_title, place_values, sweep_chart
from .sweep_plan import axes_of, format_value
from .sweep_result import Sweep
from .text import NONE, csv_text, markdown_table, plain_text, write_files

SIZES, PLACES = 6, 3  # columns of the sheet: values, or places on each axis


def write_sweep(folder: Path, sweep: Sweep) -> list[Path]:
    """``sweep-OPTION`` as ``.svg``, ``.md``, ``.csv``, ``.json`` and ``.png``, each written in one step.

    Raises:
        InpaintkitError: the folder cannot be written to.
    """
    stem = f"sweep-{sweep.plan.option}"
    files: dict[str, bytes | str] = {
        f"{stem}.json": json.dumps(to_json(sweep), allow_nan=False),
        f"{stem}.csv": to_csv(sweep),
        f"{stem}.svg": sweep_chart(sweep),
        f"{stem}.png": to_sheet(sweep),
        f"{stem}.md": to_markdown(sweep),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InpaintkitError(f"{folder} cannot be written to: {error}") from error
    write_files(folder, files)
    return [folder / name for name in files]


def failures(sweep: Sweep) -> list[str]:
    """A line for each method and reason, with the values."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for (method, value), reason in sweep.failed.items():
        reasons.setdefault((method, reason), []).append(format_value(value))
    return [f"{method} at {sweep.plan.option} {', '.join(at)}: {why}" for (method, why), at in reasons.items()]


def to_json(sweep: Sweep) -> dict[str, Any]:
    """The comparisons of all values; the values of single images for the metrics that are drawn only."""
    plan, trees = sweep.plan, [comparison_to_json(comparison) for comparison in sweep.comparisons]
    for row in (row for tree in trees for row in tree["rows"]):
        del row["images_by_seed"]
        for label, result in row["metrics"].items():
            if label not in sweep.charted:
                del result["per_image"]
    return {
        "format": trees[0]["format"],
        "complete": sweep.complete,
        "option": plan.option,
        "sampler": plan.sampler,
        "unit": plan.unit,
        "values": list(plan.values),
        "hashes": [comparison.hash for comparison in sweep.comparisons],
        "picture": {"index": sweep.picture, "name": sweep.comparisons[0].names[sweep.picture]},
        "charted": list(sweep.charted),
        **{key: trees[0][key] for key in ("images", "device", "batch", "environment", "plugins")},
        "comparisons": [{key: tree[key] for key in ("protocol", "rows", "failed")} for tree in trees],
    }


def to_csv(sweep: Sweep) -> str:
    """The lines of the comparisons, each with its value."""
    option = sweep.plan.option
    names = [f"{option}_rows", f"{option}_columns"] if sweep.plan.grid else [option]
    lines = [
        dict(zip(names, axes_of(value), strict=True)) | line
        for value, comparison in zip(sweep.plan.values, sweep.comparisons, strict=True)
        for line in csv_lines(comparison)
    ]
    return csv_text([*names, *COLUMNS], lines)


def to_markdown(sweep: Sweep) -> str:
    """GitHub's Markdown: chart, a table for each metric that is drawn, of pairs each method's places, and the sheet."""
    plan, first = sweep.plan, sweep.comparisons[0]
    stem = f"sweep-{plan.option}"
    title = plain_text(f"{first.name}: {plan.option} of {plan.sampler}")
    parts = [f"# {title}", f"{len(first.names):,} images at each value; 95 % intervals by bootstrap over images"]
    if not sweep.complete:
        parts.append("INCOMPLETE: it was interrupted.")
    if sweep.charted:
        parts.append(f"![{title}]({stem}.svg)")
    for label in sweep.charted:
        arrow = next(direction_arrow(row.metrics[label]) for one in sweep.comparisons for row in one.rows)
        parts += [f"## {plain_text(metric_title(label))} {arrow}".rstrip(), _table(sweep, label)]
        if plan.grid and label == sweep.charted[0]:
            parts += [_places(sweep, method, label) for method in sweep.methods]
    parts.append(f"## One picture ({sweep.picture}: {plain_text(first.names[sweep.picture])})")
    parts.append(f"![What methods are given, and what each makes of it]({stem}.png)")
    rows = [next(iter(sweep.rows(method).values()), None) for method in sweep.methods]
    basis = [f"- {plain_text(row.name)}: {row.basis}" for row in rows if row is not None]
    parts += ["## What the numbers rest on", "\n".join(basis)]
    if sweep.failed:
        parts += ["## Without numbers", "\n".join(f"- {plain_text(line)}" for line in failures(sweep))]
    return "\n\n".join(parts) + "\n"


def _table(sweep: Sweep, label: str) -> str:
    """Value by method; of pairs distance by method."""
    curves = [sweep.curve(method, label) for method in sweep.methods]
    rows = []
    for at in sorted({at for curve in curves for at in curve}):
        texts = [format_interval(curve[at].interval) if at in curve else (NONE, "") for curve in curves]
        rows.append([f"{at:.4g}", *(f"{mean} ({interval})" if interval else mean for mean, interval in texts)])
    return markdown_table([plain_text(axis_label(sweep)), *map(plain_text, sweep.methods)], rows)


def _places(sweep: Sweep, method: str, label: str) -> str:
    """A map of a method's means in numbers: a line for each row offset."""
    rows, columns, means = place_values(sweep, method, label)
    places = max((decimals(row.metrics[label].interval) for row in sweep.rows(method).values()), default=0)
    lines = [
        [f"{row:g}", *(f"{mean:.{places}f}" if math.isfinite(mean) else NONE for mean in line)]
        for row, line in zip(rows, means, strict=True)
    ]
    heads = ["rows, columns", *(f"{column:g}" for column in columns)]
    return f"**{plain_text(method)}**, by {sweep.plan.option}:\n\n{markdown_table(heads, lines)}"


def to_sheet(sweep: Sweep) -> bytes:
    """A PNG of one picture: a column for each of some values, a row for what methods are given, each method, the truth.

    Of more than six values six are spread evenly; of pairs nine places.
    """
    columns = []
    for at in sheet_columns(sweep):
        tiles = [sweep.masked[at], *(sweep.tiles[method][at] for method in sweep.methods), sweep.truth]
        columns.append((f"{sweep.plan.option} {format_value(sweep.plan.values[at])}", tiles))
    return picture_grid(columns, ["masked", *sweep.methods, "truth"])


def sheet_columns(sweep: Sweep) -> list[int]:
    """Indices of the values on the sheet."""
    values = sweep.plan.values
    if not sweep.plan.grid:
        return evenly_spaced(range(len(values)), SIZES)
    axes = (sorted({axes_of(value)[at] for value in values}) for at in (0, 1))
    rows, columns = ([axis[at] for at in evenly_spaced(range(len(axis)), PLACES)] for axis in axes)
    return [values.index((row, column)) for row in rows for column in columns]
