"""The tables of perceptual-fcn.md, from the results of runs: ``python perceptual_fcn_tables.py FOLDER``.

FOLDER holds a run's folder for each row, named ``<row>-<seed>``: rows of ``HEADLINE`` (the long runs) and of
``ABLATIONS`` (the short ones, ``short-<row>-<seed>``). Rows that are not there are left out. Means are over images and
then over seeds; intervals are paired bootstraps over images, of values averaged over seeds.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inpaintkit.evaluation.results import Results, read_results
from inpaintkit.evaluation.statistics import Interval, bootstrap

HEADLINE = {"rec": "reconstruction only", "all": "all losses"}
ABLATIONS = {
    "short-rec": "reconstruction only",
    "short-adv": "+ adversarial",
    "short-perc": "+ perceptual",
    "short-all": "all: fire4, fire8, fire9",
    "short-nodil": "all, no dilation",
    "short-noint": "all, no intermediate layers",
    "short-raw": "all, critic on the raw output",
    "short-layer1": "all, relu1 (as relu1_2)",
    "short-layer2": "all, fire2 (as relu2_2)",
    "short-layer3": "all, fire4 (as relu3_3)",
    "short-layer4": "all, fire8 (as relu4_3)",
    "short-layer5": "all, fire9 (as relu5_3)",
}
COLUMNS = {"psnr[hole": "PSNR hole", "psnr[whole": "PSNR whole", "ssim[hole": "SSIM hole", "l1[hole": "L1 hole"}
SHARP = "gradient-energy"


def runs_of(folder: Path, row: str, protocol: str) -> list[Results]:
    found = sorted(path for path in folder.glob(f"{row}-*") if path.name.removeprefix(f"{row}-").isdigit())
    return [read_results(path / "results" / protocol) for path in found if (path / "results" / protocol).is_dir()]


def values(results: Sequence[Results], label: str) -> np.ndarray:
    """Per image, averaged over seeds; the label is given by its beginning."""
    rows = []
    for each in results:
        (full,) = [name for name in each.row.metrics if name.startswith(label)]
        rows.append(each.row.metrics[full].per_image)
    return np.asarray(rows, dtype=float).mean(0)


def text(interval: Interval, places: int = 2, sign: bool = False) -> str:
    form = f"{'+' if sign else ''}.{places}f"
    return f"{interval.mean:{form}} [{interval.low:{form}}, {interval.high:{form}}]"


def table(folder: Path, rows: dict[str, str], first: str, protocol: str) -> list[str]:
    """A row a method: means, and paired differences to ``first`` in PSNR and in the distance of sharpness from 1."""
    base = runs_of(folder, first, protocol)
    if not base:
        return []
    head = [
        *COLUMNS.values(),
        "gradient energy",
        "PSNR to first",
        "distance of gradient energy from 1, to first",
        "seeds",
    ]
    lines = ["| row | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for row, name in rows.items():
        found = runs_of(folder, row, protocol)
        if not found:
            continue
        cells = [f"{np.nanmean(values(found, label)):.{2 if 'psnr' in label else 4}f}" for label in COLUMNS]
        sharp, before = values(found, SHARP), values(base, SHARP)
        cells.append(f"{np.nanmean(sharp):.3f}")
        if row == first:
            cells += ["", ""]
        else:
            gained = bootstrap(values(found, "psnr[hole") - values(base, "psnr[hole"))
            nearer = bootstrap(np.abs(sharp - 1) - np.abs(before - 1))
            cells += [text(gained, sign=True), text(nearer, 3, sign=True)]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {len(found)} |")
    return lines


def places(folder: Path, rows: dict[str, str]) -> list[str]:
    """Hole PSNR where the hole or the face is elsewhere, and its paired difference to the center."""
    protocols = {"faces_random_64": "random squares", "faces_shifted_64": "shifted", "faces_rotated_64": "rotated"}
    lines = ["| row | center | " + " | ".join(f"{name} | difference" for name in protocols.values()) + " |"]
    lines.append("|---" * (2 + 2 * len(protocols)) + "|")
    for row, name in rows.items():
        center = runs_of(folder, row, "faces_center_64")
        if not center:
            continue
        middle = values(center, "psnr[hole")
        cells = [f"{middle.mean():.2f}"]
        for protocol in protocols:
            other = values(runs_of(folder, row, protocol), "psnr[hole")
            cells += [f"{other.mean():.2f}", text(bootstrap(other - middle), sign=True)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    folder = Path(sys.argv[1])
    for title, lines in {
        "headline": table(folder, HEADLINE, "rec", "faces_center_64"),
        "places": places(folder, HEADLINE),
        "ablations": table(folder, ABLATIONS, "short-rec", "faces_center_64"),
    }.items():
        print(f"\n<!-- {title} -->\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
