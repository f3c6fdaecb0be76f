"""A table of neural-features.md: ``python neural_features_tables.py CENTER RANDOM``, two folders of `compare`.

Both must have the same rows, under ``objects_center_24`` and ``objects_random_24``; differences are to the first one.
"""

from __future__ import annotations

import sys

from comparison_cells import difference, largest_p, mean
from inpaintkit_compare import Comparison, read_comparison


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


if __name__ == "__main__":
    compared = [read_comparison(folder) for folder in sys.argv[1:3]]
    print("\n".join(table(*compared)))
    for one in compared:
        p, row = largest_p(one, "psnr[whole")
        print(one.protocol["name"], one.hash[:12], len(one.names), f"images; largest p (Holm): {p:.4f}, {row}")
