"""The files of a sweep: a chart, tables as Markdown and CSV, all values as JSON, and a sheet of pictures."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from inpaintkit.core.errors import InpaintkitError
from inpaintkit.evaluation import decimals, format_interval, input_columns
from inpaintkit.runtime import evenly_spaced, picture_grid, png

from .comparison import to_json as comparison_to_json
from .files import csv_lines
from .sweep_plan import Plan, axes_of, format_value
from .sweeps import Sweep
from .text import NONE, csv_text, render, write_files

SIZES, PLACES = 6, 3  # columns of the sheet: values, or places on each axis


def write_sweep(folder: Path, sweep: Sweep) -> list[Path]:
    """``sweep-OPTION`` as ``.svg``, ``.md``, ``.csv``, ``.json`` and ``.png``, each written in one step.

    Raises:
        InpaintkitError: the folder cannot be written to.
    """
    from .sweep_charts import sweep_chart  # imports matplotlib

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
        row["metrics"] = {
            label: {key: value for key, value in result.items() if key != "per_image" or label in sweep.charted}
            for label, result in row["metrics"].items()
        }
    shared = ("format", "images", "device", "batch", "environment", "plugins")
    return {
        **{key: trees[0][key] for key in shared},
        "complete": sweep.complete,
        "option": plan.option,
        "sampler": plan.sampler,
        "unit": plan.unit,
        "values": list(plan.values),
        "hashes": [comparison.hash for comparison in sweep.comparisons],
        "picture": {"index": sweep.picture, "name": sweep.comparisons[0].names[sweep.picture]},
        "charted": list(sweep.charted),
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
    return csv_text(lines)


def to_markdown(sweep: Sweep) -> str:
    """GitHub's Markdown: chart, a table for each metric that is drawn, of pairs each method's places, and the sheet."""
    grid, rows = sweep.plan.grid, [row for comparison in sweep.comparisons for row in comparison.rows]
    basis = {row.name: row.basis for row in rows}
    return render(
        "sweep.md",
        sweep=sweep,
        stem=f"sweep-{sweep.plan.option}",
        names=sweep.comparisons[0].names,
        curves={label: _curve_cells(sweep, label) for label in sweep.charted},
        columns=[f"{column:g}" for column in sweep.plan.axes[-1]],
        places={method: _place_cells(sweep, method, sweep.charted[0]) for method in sweep.methods if grid and rows},
        bases={name: basis[name] for name in sweep.methods if name in basis},
        failures=failures(sweep),
    )


def _curve_cells(sweep: Sweep, label: str) -> list[list[str]]:
    """Value by method; of pairs distance by method."""
    curves = [sweep.curve(method, label) for method in sweep.methods]
    lines = []
    for at in sorted({at for curve in curves for at in curve}):
        texts = [format_interval(curve[at].interval) if at in curve else (NONE, "") for curve in curves]
        lines.append([f"{at:.4g}", *(f"{mean} ({interval})" if interval else mean for mean, interval in texts)])
    return lines


def _place_cells(sweep: Sweep, method: str, label: str) -> list[list[str]]:
    """A map of a method's means in numbers: a line for each row offset."""
    places = max((decimals(row.metrics[label].interval) for row in sweep.rows(method).values()), default=0)
    return [
        [f"{row:g}", *(f"{mean:.{places}f}" if math.isfinite(mean) else NONE for mean in means)]
        for row, means in zip(sweep.plan.axes[0], sweep.places(method, label), strict=True)
    ]


def to_sheet(sweep: Sweep) -> bytes:
    """A PNG of one picture: a column for each of some values, a row for what methods are given, each method, the truth.

    Of more than six values six are spread evenly; of pairs nine places.
    """
    columns = []
    for at in sheet_columns(sweep.plan):
        (_, [truth]), (_, [masked]) = input_columns(sweep.plan.test_sets[at], [sweep.picture])
        tiles = [masked, *(tiles[at] for tiles in sweep.tiles.values()), truth]
        columns.append((f"{sweep.plan.option} {format_value(sweep.plan.values[at])}", tiles))
    return png(picture_grid(columns, ["masked", *sweep.methods, "truth"]))


def sheet_columns(plan: Plan) -> list[int]:
    """Indices of the values on the sheet."""
    if not plan.grid:
        return evenly_spaced(range(len(plan.values)), SIZES)
    rows, columns = ([axis[at] for at in evenly_spaced(range(len(axis)), PLACES)] for axis in plan.axes)
    return [plan.values.index((row, column)) for row in rows for column in columns]
