"""A table of neural-features.md: ``python neural_features_tables.py CENTER RANDOM``, two folders of `compare`.

Both must have the same rows, under ``objects_center_24`` and ``objects_random_24``; differences are to the first one.
"""

from __future__ import annotations

import sys

from inpaintkit.comparison import Comparison, ComparisonRow, read_comparison
from inpaintkit.statistics import Interval


def label_of(comparison: Comparison, start: str) -> str:
    (found,) = [label for label in comparison.rows[0].metrics if label.startswith(start)]
    return found


def mean(comparison: Comparison, row: ComparisonRow, start: str, places: int = 2) -> str:
    label = label_of(comparison, start)
    spread = row.spread(label)
    return f"{row.metrics[label].interval.mean:.{places}f}" + ("" if spread is None else f" ± {spread:.{places}f}")


def difference(comparison: Comparison, row: ComparisonRow, start: str) -> str:
    label = label_of(comparison, start)
    if label not in row.differences:
        return ""
    interval: Interval = row.differences[label]
    return f"{interval.mean:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}]"


def table(center: Comparison, random: Comparison) -> list[str]:
    first = center.rows[0].name
    lines = [
        f"| row | PSNR | to {first} | PSNR hole | SSIM | sharpness "
        f"| random squares: PSNR | to {first} | SSIM | seeds | ms / image |",
        "|" + "---|" * 11,
    ]
    by_name = {row.name: row for row in random.rows}
    for row in center.rows:
        other = by_name[row.name]
        cells = [
            row.name,
            mean(center, row, "psnr[whole"),
            difference(center, row, "psnr[whole"),
            mean(center, row, "psnr[hole"),
            mean(center, row, "ssim[gauss11,valid", 4),
            mean(center, row, "gradient-energy"),
            mean(random, other, "psnr[whole"),
            difference(random, other, "psnr[whole"),
            mean(random, other, "ssim[gauss11,valid", 4),
            str(row.training_seeds or ""),
            f"{1000 * row.seconds_per_image:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def largest_p(comparison: Comparison) -> str:
    """The largest Holm-corrected p-value of whole-frame PSNR, and whose it is."""
    label = label_of(comparison, "psnr[whole")
    named = {row.name: row.p_holm[label] for row in comparison.rows if label in row.p_holm}
    worst = max(named, key=lambda name: named[name])
    return f"largest p (Holm): {named[worst]:.4f}, {worst}"


if __name__ == "__main__":
    compared = [read_comparison(folder) for folder in sys.argv[1:3]]
    print("\n".join(table(*compared)))
    for one in compared:
        print(one.protocol["name"], one.hash[:12], len(one.names), "images;", largest_p(one))
