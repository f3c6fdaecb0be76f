"""Cells of the papers' tables, from folders of `compare`: what the scripts beside this one share.

A metric is named by the beginning of its label, as in ``psnr[whole``.
"""

from __future__ import annotations

from inpaintkit_compare import Comparison, ComparisonRow


def label_of(comparison: Comparison, start: str) -> str:
    (found,) = [label for label in comparison.rows[0].metrics if label.startswith(start)]
    return found


def mean(comparison: Comparison, row: ComparisonRow, start: str, places: int = 2) -> str:
    """The mean over pictures, ± the spread over training seeds where there are several."""
    label = label_of(comparison, start)
    spread = row.spread(label)
    return f"{row.metrics[label].interval.mean:.{places}f}" + ("" if spread is None else f" ± {spread:.{places}f}")


def difference(comparison: Comparison, row: ComparisonRow, start: str, places: int = 2) -> str:
    """To the first row, with its interval; empty in that row itself."""
    label = label_of(comparison, start)
    if label not in row.differences:
        return ""
    found = row.differences[label]
    return f"{found.mean:+.{places}f} [{found.low:+.{places}f}, {found.high:+.{places}f}]"


def largest_p(comparison: Comparison, start: str) -> tuple[float, str]:
    """The largest Holm-corrected p-value of a metric among the ordinary rows, and the name of its row."""
    label = label_of(comparison, start)
    named = {row.name: row.p_holm[label] for row in comparison.rows if label in row.p_holm and is_ordinary(row)}
    worst = max(named, key=lambda name: named[name])
    return named[worst], worst


def is_ordinary(row: ComparisonRow) -> bool:
    """Not the blended twin of a method without training: such methods keep the known pixels, so nothing changes."""
    return not row.blend or bool(row.training_seeds)
