"""The tables of dual-path.md: ``python dual_path_tables.py CENTER RECTANGLES STROKES``, folders of `compare`.

All must have the same rows, under ``places_center_*``, ``places_rectangles_*`` and ``places_strokes_*``; differences
are to the first row, paired over pictures. The first table has the shape of the paper's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from comparison_cells import difference, is_ordinary, label_of, largest_p, mean
from inpaintkit_compare import Comparison, read_comparison

PSNR, SSIM = "psnr[whole", "ssim[gauss11,valid"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows)]


def paper_table(comparison: Comparison) -> list[str]:
    """Method, PSNR and SSIM of the whole picture, as the paper has them, and the distance to the first row."""
    first = comparison.rows[0].name
    rows = [
        [
            row.name,
            mean(comparison, row, PSNR),
            difference(comparison, row, PSNR),
            mean(comparison, row, SSIM, 3),
            difference(comparison, row, SSIM, 3),
            mean(comparison, row, "psnr[hole"),
            mean(comparison, row, "gradient-energy"),
            str(row.training_seeds or ""),
            f"{1000 * row.seconds_per_image:.1f}",
        ]
        for row in comparison.rows
        if is_ordinary(row)
    ]
    head = ["method", "PSNR", f"to {first}", "SSIM", f"to {first}", "PSNR hole", "sharpness", "seeds", "ms / image"]
    return markdown(head, rows)


def other_holes(comparisons: dict[str, Comparison]) -> list[str]:
    """PSNR and SSIM of the whole picture under the other holes, and the distances to the first row."""
    first = next(iter(comparisons.values())).rows
    head, named = ["method"], []
    for hole, comparison in comparisons.items():
        head += [f"{hole}: PSNR", f"to {first[0].name}", "SSIM", f"to {first[0].name}"]
        named.append({row.name: row for row in comparison.rows})
    rows = []
    for row in filter(is_ordinary, first):
        cells = [row.name]
        for comparison, by_name in zip(comparisons.values(), named, strict=True):
            other = by_name[row.name]
            cells += [
                mean(comparison, other, PSNR), difference(comparison, other, PSNR),
                mean(comparison, other, SSIM, 3), difference(comparison, other, SSIM, 3),
            ]  # fmt: skip
        rows.append(cells)
    return markdown(head, rows)


if __name__ == "__main__":
    compared = [read_comparison(folder) for folder in sys.argv[1:4]]
    print("\n".join(paper_table(compared[0])), end="\n\n")
    if len(compared) > 1:
        print("\n".join(other_holes(dict(zip(("rectangles", "strokes"), compared[1:], strict=False)))), end="\n\n")
    for one in compared:
        chances = []
        for start in (PSNR, SSIM):
            p, row = largest_p(one, start)
            chances.append(f"{label_of(one, start)}: largest p (Holm) {p:.4f}, {row}")
        print(f"{one.protocol['name']} {one.hash[:12]}, {len(one.names)} images; {'; '.join(chances)}")
