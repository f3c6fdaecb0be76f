"""Takes the mission patch off a space suit: ``python object_removal.py RUN [FOLDER]``.

RUN is the folder of a trained run. FOLDER, by default ``object-removal``, receives the photograph (``astronaut.png``,
from scikit-image, at half its size), the mask drawn by hand (``mask.png``), what ``fill`` made of it (``filled.png``),
and the three side by side (``object-removal.png``, the picture of object-removal.md).
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw
from skimage import data

from inpaintkit import FillOptions, fill, load

GROW = 2  # pixels: the mask is drawn by eye
PATCH = (66, 173, 105, 212)  # left, top, right, bottom of the round patch
SHOWN = (10, 110, 190, 246)  # the part of the photograph that the picture of the page shows


def draw_mask(size: tuple[int, int]) -> Image.Image:
    """White where the object is, black elsewhere."""
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).ellipse(PATCH, fill=255)
    return mask


def side_by_side(photograph: Image.Image, mask: Image.Image, filled: Image.Image) -> Image.Image:
    """The photograph, the photograph with the mask in red over it, and the result; twice as large."""
    red = Image.blend(photograph, Image.new("RGB", photograph.size, (230, 30, 30)), 0.6)
    marked = Image.composite(red, photograph, mask)
    panels = [picture.crop(SHOWN) for picture in (photograph, marked, filled)]
    wide, high = 2 * panels[0].width, 2 * panels[0].height
    sheet = Image.new("RGB", (3 * wide + 16, high), "white")
    for place, panel in enumerate(panels):
        sheet.paste(panel.resize((wide, high), Image.Resampling.LANCZOS), (place * (wide + 8), 0))
    return sheet


def main(run: str, folder: str = "object-removal") -> None:
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    photograph = Image.fromarray(data.astronaut()).resize((256, 256), Image.Resampling.LANCZOS)
    mask = draw_mask(photograph.size)
    filled = fill(load(run), photograph, mask, FillOptions(grow=GROW))
    pictures = {"astronaut": photograph, "mask": mask, "filled": filled}
    for name, picture in {**pictures, "object-removal": side_by_side(photograph, mask, filled)}.items():
        picture.save(out / f"{name}.png")
        print(out / f"{name}.png")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
