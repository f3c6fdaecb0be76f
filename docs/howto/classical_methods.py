"""Fills holes in four photographs of scikit-image without training: ``python classical_methods.py [FILE]``.

FILE, by default ``classical-methods.png``, is the picture of classical-methods.md: a row for each photograph, with the
hole, and what each method makes of it.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage import data

from inpaintkit import fill, load

SIDE = 128
METHODS = ("biharmonic", "harmonic", "telea", "total_variation", "low_rank", "patchmatch")
Bytes = NDArray[np.uint8]


def scratches(rng: np.random.Generator) -> Image.Image:
    """Thin lines across the picture."""
    mask = Image.new("L", (SIDE, SIDE), 0)
    for _ in range(7):
        ends = [tuple(map(float, rng.integers(0, SIDE, 2))) for _ in range(2)]
        ImageDraw.Draw(mask).line([*ends[0], *ends[1]], fill=255, width=3)
    return mask


def disk(left: int, top: int, width: int) -> Image.Image:
    mask = Image.new("L", (SIDE, SIDE), 0)
    ImageDraw.Draw(mask).ellipse((left, top, left + width, top + width), fill=255)
    return mask


def scattered(rng: np.random.Generator) -> Image.Image:
    """Half of all pixels."""
    return Image.fromarray((rng.random((SIDE, SIDE)) < 0.5).astype(np.uint8) * 255)


def rows() -> list[tuple[Bytes, Image.Image]]:
    rng = np.random.default_rng(0)
    gray = data.brick()[:SIDE, :SIDE]
    return [
        (data.chelsea()[50 : 50 + SIDE, 100 : 100 + SIDE], scratches(rng)),
        (data.coffee()[160 : 160 + SIDE, 380 : 380 + SIDE], disk(40, 40, 44)),
        (np.stack([data.grass()[:SIDE, :SIDE]] * 3, 2), disk(44, 44, 40)),
        (np.stack([gray] * 3, 2), scattered(rng)),
    ]


def main(target: str) -> None:
    names = ["photograph", "hole", *(name.replace("_", " ") for name in METHODS)]
    gap, head = 4, 16
    sheet = Image.new("RGB", (len(names) * (SIDE + gap) - gap, 4 * (SIDE + gap) - gap + head), "white")
    for column, name in enumerate(names):
        ImageDraw.Draw(sheet).text((column * (SIDE + gap), 2), name, fill="black")
    methods = [load(f"classical/{name}") for name in METHODS]
    for row, (photograph, mask) in enumerate(rows()):
        picture = Image.fromarray(photograph)
        shown = [picture, Image.composite(Image.new("RGB", picture.size, "white"), picture, mask)]
        shown += [fill(method, picture, mask) for method in methods]
        for column, one in enumerate(shown):
            sheet.paste(one, (column * (SIDE + gap), head + row * (SIDE + gap)))
    sheet.save(target)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "classical-methods.png")
