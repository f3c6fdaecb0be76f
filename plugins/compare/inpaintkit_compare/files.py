"""The files of a comparison: Markdown, CSV, JSON and the picture grid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .comparison import FILE, Comparison, ComparisonRow, to_json
from .text import csv_text, render, terms_text, write_files

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
    return render("comparison.md", comparison=comparison, grid=GRID)


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
        "earlier": row.earlier and terms_text(row.earlier),
        "error": None,
    }
