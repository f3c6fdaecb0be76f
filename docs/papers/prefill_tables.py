"""The table of photo.md: ``python prefill_tables.py "NAME:IMAGES=FOLDER" ...``, one folder of `compare` for each paper.

The rows of each are the paper's generator, the same within ``residual``, and the prefill alone. Differences are to the
first one, paired over pictures. IMAGES is how many each of the trained rows has seen.
"""

from __future__ import annotations

import sys

from comparison_cells import difference, label_of, mean
from inpaintkit_compare import Comparison, read_comparison

PSNR, SSIM = "psnr[hole", "ssim[hole"


def rows(paper: str, images: str, comparison: Comparison) -> list[str]:
    """The rows of a paper."""
    lines = []
    for row in comparison.rows:
        cells = [
            paper,
            row.name,
            images if row.training_seeds else "",
            mean(comparison, row, PSNR),
            difference(comparison, row, PSNR),
            mean(comparison, row, SSIM, 3),
            difference(comparison, row, SSIM, 3),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def chances(comparison: Comparison) -> str:
    """The p-values of the rows after the first one, corrected by Holm."""
    labels = [label_of(comparison, start) for start in (PSNR, SSIM)]
    found = [f"{row.name} {', '.join(f'{row.p_holm[label]:.4f}' for label in labels)}" for row in comparison.rows[1:]]
    head = f"{comparison.protocol['name']} {comparison.hash[:12]}, {len(comparison.names)} images"
    return f"{head}; p (Holm) of PSNR, SSIM: {'; '.join(found)}"


if __name__ == "__main__":
    compared = []
    for argument in sys.argv[1:]:
        named, _, folder = argument.rpartition("=")
        title, _, seen = named.rpartition(":")
        compared.append((title, seen, read_comparison(folder)))
    head = ["paper", "generator", "images seen", "PSNR hole", "difference", "SSIM hole", "difference"]
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for title, seen, one in compared:
        print("\n".join(rows(title, seen, one)))
    print()
    for _, _, one in compared:
        print(chances(one))
