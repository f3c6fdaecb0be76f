"""The files of a comparison: Markdown, CSV, JSON and the picture grid."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.errors import InpaintkitError
from ..evaluation import direction_arrow, format_interval
from ..runtime import write_atomically
from .outcome import FILE, Comparison, ComparisonRow, to_json
from .table import NONE, about, caption, mean_text, memory_text, p_text, seconds_text

MARKDOWN, CSV, GRID = "comparison.md", "comparison.csv", "grid.png"

COLUMNS = (
    "protocol", "hash", "row", "method", "training_seeds", "seeds", "steps", "best_of", "blend", "metric",
    "higher_is_better", "n", "mean", "low", "high", "spread_over_seeds", "difference", "difference_low",
    "difference_high", "p", "p_holm", "seconds_per_image", "memory_per_image", "error",
)  # fmt: skip


def write_comparison(folder: Path, comparison: Comparison, picture: bytes | None = None) -> None:
    """Markdown, CSV, JSON and, if given, ``grid.png``: of each file the whole or nothing.

    Raises:
        InpaintkitError: the folder cannot be written to.
    """
    write_json(folder, comparison)
    files: dict[str, bytes | str] = {MARKDOWN: to_markdown(comparison), CSV: to_csv(comparison)}
    if picture is not None:
        files[GRID] = picture
    for name, content in files.items():
        _write(folder / name, content)


def write_json(folder: Path, comparison: Comparison) -> None:
    """``comparison.json``, whose ``complete`` is false until every row was tried."""
    _write(folder / FILE, json.dumps(to_json(comparison), indent=1, allow_nan=False))


def _write(path: Path, content: bytes | str) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise InpaintkitError(f"{path} cannot be written: {error}") from error


# --- Markdown -------------------------------------------------------------------------------------------------------


def to_markdown(comparison: Comparison) -> str:
    """GitHub's Markdown: the means of all metrics, then a table for each metric with differences to the first row."""
    parts = [f"# {plain_text(comparison.name)}: {len(comparison.rows)} methods side by side", caption(comparison)]
    parts += [f"- {plain_text(name)} failed: {plain_text(reason)}" for name, reason in comparison.failed.items()]
    if comparison.pictures and comparison.rows:
        parts.append(f"![Truth, what methods are given, and what each makes of it]({GRID})")
    if comparison.rows:
        labels = comparison.labels
        heads = ["method", "stands on", *(head(comparison, label) for label in labels), "time/image", "memory/image"]
        cells = [
            [
                plain_text(row.name),
                row.basis,
                *(mean_text(row, label) if label in row.metrics else NONE for label in labels),
                seconds_text(row.seconds_per_image),
                memory_text(row.memory_per_image),
            ]
            for row in comparison.rows
        ]
        parts += ["## Means", markdown_table(heads, cells, left=2)]
        for label in labels:
            parts += [f"## {head(comparison, label)}", metric_table(comparison, label)]
        parts += ["## How to read this", plain_text(about(comparison))]
        odd = [f"- {plain_text(row.name)}: {len(row.non_finite)} images" for row in comparison.rows if row.non_finite]
        if odd:
            parts += ["Not a number in the hole, and counted as black there:", "\n".join(odd)]
    return "\n\n".join(parts) + "\n"


def metric_table(comparison: Comparison, label: str) -> str:
    """One metric: intervals, differences and p-values."""
    rows = []
    for row in comparison.rows:
        measure = row.metrics.get(label)
        if measure is None:
            continue
        difference = row.differences.get(label)
        rows.append(
            [
                plain_text(row.name),
                mean_text(row, label),
                format_interval(measure.interval)[1] or NONE,
                *((cell or NONE for cell in format_interval(difference, signed=True)) if difference else (NONE, NONE)),
                p_text(row.p_values.get(label)),
                p_text(row.p_holm.get(label)),
                str(measure.interval.n),
            ]
        )
    names = ["method", "mean", "95 % interval", "difference", "95 % interval", "p", "p (Holm)", "images"]
    return markdown_table(names, rows)


def head(comparison: Comparison, label: str) -> str:
    """A metric's label as code, with the arrow to its better end."""
    code = "`" + label.replace("`", "'").replace("|", "\\|") + "`"
    return f"{code} {direction_arrow(comparison.rows[0].metrics[label])}".strip()


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A table whose first ``left`` columns are words and the others numbers."""
    lines = [heads, [":--" if at < left else "--:" for at in range(len(heads))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plain_text(text: str) -> str:
    """Words that Markdown takes for nothing else, on one line."""
    return " ".join(re.sub(r"([\\|`*<>\[\]#~]|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", text).split())


# --- CSV ------------------------------------------------------------------------------------------------------------


def to_csv(comparison: Comparison) -> str:
    """One line for each row and metric, numbers in full; what is undefined is empty. A failed row is one line."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    always = {"protocol": comparison.name, "hash": comparison.hash}
    for row in comparison.rows:
        for label in row.metrics:
            line = always | csv_line(row, label)
            writer.writerow({key: csv_cell(value) for key, value in line.items()})
    for name, reason in comparison.failed.items():
        writer.writerow(always | {"row": name, "error": reason})
    return file.getvalue()


def csv_line(row: ComparisonRow, label: str) -> dict[str, Any]:
    measure, difference = row.metrics[label], row.differences.get(label)
    return {
        "row": row.name,
        "method": row.kind,
        "training_seeds": row.training_seeds,
        "seeds": " ".join(map(str, row.seeds)),
        "steps": row.steps,
        "best_of": row.best_of,
        "blend": row.blend,
        "metric": label,
        "higher_is_better": measure.higher_is_better,
        "n": measure.interval.n,
        "mean": measure.interval.mean,
        "low": measure.interval.low,
        "high": measure.interval.high,
        "spread_over_seeds": row.spread(label),
        "difference": difference and difference.mean,
        "difference_low": difference and difference.low,
        "difference_high": difference and difference.high,
        "p": row.p_values.get(label),
        "p_holm": row.p_holm.get(label),
        "seconds_per_image": row.seconds_per_image,
        "memory_per_image": row.memory_per_image,
    }


def csv_cell(value: Any) -> Any:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value
