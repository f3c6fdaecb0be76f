"""Takes the rocket off its launch pad: ``python docs/howto/object_removal.py RUN [FOLDER]``.

RUN is the folder of a trained run. FOLDER, by default ``object-removal``, receives the photograph (``rocket.png``, from
scikit-image), the mask drawn by hand (``mask.png``), what ``fill`` made of it (``filled.png``), and the three side by
side (``object-removal.png``, the picture of object-removal.md).
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw
from skimage import data

from inpaintkit import fill, load

GROW = 3  # pixels: an outline drawn by hand cuts corners, and a bright edge that stays would be continued
PANEL = (480, 320)  # of the picture of all three

#: The outline (x, y) of the rocket with its cradle, clockwise from the nose.
ROCKET = [
    (321, 124), (330, 134), (334, 152), (334, 174), (337, 180), (336, 340), (357, 362), (357, 405), (284, 405),
    (284, 397), (288, 360), (307, 339), (308, 176), (310, 152), (314, 134),
]  # fmt: skip
#: What stands out of it: short platforms on both sides, and a rod at its foot.
ARMS = [(302, 318, 342, 324), (318, 400, 324, 414)]


def draw_mask(size: tuple[int, int]) -> Image.Image:
    """White where the object is, black elsewhere."""
    mask = Image.new("L", size, 0)
    pen = ImageDraw.Draw(mask)
    pen.polygon(ROCKET, fill=255)
    for box in ARMS:
        pen.rectangle(box, fill=255)
    return mask


def side_by_side(photograph: Image.Image, mask: Image.Image, filled: Image.Image) -> Image.Image:
    """The photograph, the photograph with the mask in red over it, and the result."""
    red = Image.blend(photograph, Image.new("RGB", photograph.size, (230, 30, 30)), 0.6)
    marked = Image.composite(red, photograph, mask)
    sheet = Image.new("RGB", (3 * PANEL[0] + 16, PANEL[1]), "white")
    for place, panel in enumerate((photograph, marked, filled)):
        sheet.paste(panel.resize(PANEL, Image.Resampling.LANCZOS), (place * (PANEL[0] + 8), 0))
    return sheet


def main(run: str, folder: str = "object-removal") -> None:
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    photograph = Image.fromarray(data.rocket())
    mask = draw_mask(photograph.size)
    filled = fill(load(run), photograph, mask, grow=GROW)
    pictures = {"rocket": photograph, "mask": mask, "filled": filled}
    for name, picture in {**pictures, "object-removal": side_by_side(photograph, mask, filled)}.items():
        picture.save(out / f"{name}.png")
        print(out / f"{name}.png")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
