"""A table of semantic-dcgan.md: ``python semantic_dcgan_tables.py CENTER PATTERN PIXELS``, three folders of `compare`.

They must have the same rows and pictures. The final score is the paper's: the mean of center and random (pattern).
Of methods without training the blended rows are left out: they keep the known pixels, and so nothing changes.
"""

from __future__ import annotations

import sys

import comparison_cells
from comparison_cells import is_ordinary, label_of, mean
from inpaintkit_compare import Comparison, ComparisonRow, mean_over, read_comparison


def difference(comparison: Comparison, row: ComparisonRow, start: str, places: int) -> str:
    """As everywhere, and marked where chance explains it."""
    found = comparison_cells.difference(comparison, row, start, places)
    return f"{found} (n.s.)" if found and row.p_holm[label_of(comparison, start)] >= 0.05 else found


def table(center: Comparison, pattern: Comparison, pixels: Comparison) -> list[str]:
    final = mean_over([center, pattern])
    first = final.rows[0].name
    lines = [
        "| row | center: PSNR | SSIM | sharpness | pattern: PSNR | SSIM | pixels: PSNR | SSIM "
        f"| final: PSNR | to {first} | final: SSIM | to {first} | s / image |",
        "|" + "---|" * 13,
    ]
    rows = [{row.name: row for row in one.rows} for one in (center, pattern, pixels)]
    for row in filter(is_ordinary, final.rows):
        cells = [row.name]
        for one, named in zip((center, pattern, pixels), rows, strict=True):
            cells += [mean(one, named[row.name], "psnr[whole", 2), mean(one, named[row.name], "ssim[gauss11,valid", 3)]
            if one is center:
                cells.append(mean(one, named[row.name], "gradient-energy", 2))
        cells += [
            mean(final, row, "psnr[whole", 2),
            difference(final, row, "psnr[whole", 2),
            mean(final, row, "ssim[gauss11,valid", 3),
            difference(final, row, "ssim[gauss11,valid", 3),
            f"{rows[0][row.name].seconds_per_image:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    compared = [read_comparison(folder) for folder in sys.argv[1:4]]
    print("\n".join(table(*compared)))
    for one in compared:
        print(one.protocol["name"], one.hash[:12], len(one.names), "images")
