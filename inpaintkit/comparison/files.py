"""The files of a comparison: Markdown, CSV, JSON and the picture grid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..evaluation import direction_arrow, format_interval
from .comparison import FILE, Comparison, ComparisonRow, to_json
from .text import (
    NONE,
    caption,
    csv_text,
    explanation,
    markdown_table,
    mean_text,
    memory_text,
    p_text,
    plain_text,
    seconds_text,
    write_files,
)

MARKDOWN, CSV, GRID = "comparison.md", "comparison.csv", "grid.png"


def write_comparison(folder: Path, comparison: Comparison, picture: bytes | None = None) -> None:
    """Writes Markdown, CSV, JSON and, if given, ``grid.png``, each in one step.

    Raises:
        InpaintkitError: the folder cannot be written to.
    """
    write_json(folder, comparison)
    files: dict[str, bytes | str] = {MARKDOWN: to_markdown(comparison), CSV: to_csv(comparison)}
    write_files(folder, files if picture is None else {**files, GRID: picture})


def write_json(folder: Path, comparison: Comparison) -> None:
    """``comparison.json``, whose ``complete`` is false until every row was tried."""
    write_files(folder, {FILE: json.dumps(to_json(comparison), indent=1, allow_nan=False)})


def to_markdown(comparison: Comparison) -> str:
    """GitHub's Markdown: the means of all metrics, then a table for each metric with differences to the first row."""
    parts = [f"# {plain_text(comparison.name)}: {len(comparison.rows)} methods side by side", caption(comparison)]
    parts += [f"- {plain_text(name)} failed: {plain_text(reason)}" for name, reason in comparison.failed.items()]
    if comparison.pictures and comparison.rows:
        parts.append(f"![Truth, what methods are given, and what each makes of it]({GRID})")
    if comparison.rows:
        labels = comparison.labels
        heads = ["method", "stands on", *(_head(comparison, label) for label in labels), "time/image", "memory/image"]
        cells = [
            [
                plain_text(row.name),
                row.basis,
                *(mean_text(row, label) for label in labels),
                seconds_text(row.seconds_per_image),
                memory_text(row.memory_per_image),
            ]
            for row in comparison.rows
        ]
        parts += ["## Means", markdown_table(heads, cells, left=2)]
        for label in labels:
            parts += [f"## {_head(comparison, label)}", _metric_table(comparison, label)]
        parts += ["## How to read this", plain_text(explanation(comparison))]
        if affected := [row for row in comparison.rows if row.non_finite]:
            lines = [f"- {plain_text(row.name)}: {len(row.non_finite)} images" for row in affected]
            parts += ["Not a number in the hole, and counted as black there:", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _metric_table(comparison: Comparison, label: str) -> str:
    """One metric: intervals, differences and p-values."""
    rows = []
    for row in comparison.rows:
        if label not in row.metrics:
            continue
        interval = row.metrics[label].interval
        difference = format_interval(row.differences[label], signed=True) if label in row.differences else ("", "")
        cells = [
            mean_text(row, label),
            format_interval(interval)[1],
            *difference,
            p_text(row.p_values.get(label)),
            p_text(row.p_holm.get(label)),
            str(interval.n),
        ]
        rows.append([plain_text(row.name), *(cell or NONE for cell in cells)])
    names = ["method", "mean", "95 % interval", "difference", "95 % interval", "p", "p (Holm)", "images"]
    return markdown_table(names, rows)


def _head(comparison: Comparison, label: str) -> str:
    """A metric's label as code, with the arrow to its better end."""
    code = "`" + label.replace("`", "'").replace("|", "\\|") + "`"
    return f"{code} {direction_arrow(comparison.rows[0].metrics[label])}".strip()


def to_csv(comparison: Comparison) -> str:
    """One line for each row and metric; a failed row is one line."""
    return csv_text(csv_lines(comparison))


def csv_lines(comparison: Comparison) -> Iterator[dict[str, Any]]:
    always = {"protocol": comparison.name, "hash": comparison.hash}
    for row in comparison.rows:
        for label in row.metrics:
            yield always | _csv_line(row, label)
    for name, reason in comparison.failed.items():
        yield always | {"row": name, "error": reason}


def _csv_line(row: ComparisonRow, label: str) -> dict[str, Any]:
    result, difference = row.metrics[label], row.differences.get(label)
    return {
        "row": row.name,
        "method": row.kind,
        "training_seeds": row.training_seeds,
        "seeds": " ".join(map(str, row.seeds)),
        "steps": row.steps,
        "best_of": row.best_of,
        "blend": row.blend,
        "metric": label,
        "higher_is_better": result.higher_is_better,
        "n": result.interval.n,
        "mean": result.interval.mean,
        "low": result.interval.low,
        "high": result.interval.high,
        "spread_over_seeds": row.spread(label),
        "difference": difference and difference.mean,
        "difference_low": difference and difference.low,
        "difference_high": difference and difference.high,
        "p": row.p_values.get(label),
        "p_holm": row.p_holm.get(label),
        "seconds_per_image": row.seconds_per_image,
        "memory_per_image": row.memory_per_image,
        "error": None,
    }
