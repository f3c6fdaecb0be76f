"""Takes two towers out of a photograph: ``python docs/howto/object_removal.py [FOLDER]``.

FOLDER, by default ``docs/images``, holds the photograph ``rocket.jpg`` and receives the mask drawn by hand
(``rocket-mask.png``), and the photograph, the mask and what ``inpaintkit fill`` makes of them side by side
(``object-removal.png``). Both are committed; run this again when the weights of ``photo`` change.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

from inpaintkit import fill

IMAGES = Path(__file__).parents[1] / "images"
# fmt: off
TOWERS = (  # polygons around the towers, by eye; they leave the lamps at their feet out
    ((197, 119), (206, 119), (207, 185), (207, 366), (198, 380), (184, 386), (172, 404), (169, 427), (158, 427),
     (166, 386), (184, 190), (194, 188)),
    ((440, 119), (451, 119), (453, 186), (460, 192), (471, 280), (486, 427), (468, 427), (466, 404), (452, 390),
     (442, 380), (437, 372), (437, 280), (439, 186)),
)
# fmt: on
SHOWN = (140, 90, 510, 427)  # the part of the photograph that the picture shows


def draw_mask(size: tuple[int, int]) -> Image.Image:
    """White where the towers are, black elsewhere."""
    mask = Image.new("L", size, 0)
    for tower in TOWERS:
        ImageDraw.Draw(mask).polygon(tower, fill=255)
    return mask


def side_by_side(photograph: Image.Image, mask: Image.Image, filled: Image.Image) -> Image.Image:
    """The photograph, the photograph with the mask in red over it, and the result."""
    red = Image.blend(photograph, Image.new("RGB", photograph.size, (230, 30, 30)), 0.6)
    marked = Image.composite(red, photograph, mask)
    panels = [picture.crop(SHOWN) for picture in (photograph, marked, filled)]
    wide, high = panels[0].size
    sheet = Image.new("RGB", (3 * wide + 16, high), "white")
    for place, panel in enumerate(panels):
        sheet.paste(panel, (place * (wide + 8), 0))
    return sheet


def main(folder: str | Path = IMAGES) -> None:
    out = Path(folder)
    photograph = Image.open(out / "rocket.jpg").convert("RGB")
    mask = draw_mask(photograph.size)
    filled = fill(photograph, mask)
    for name, picture in {"rocket-mask": mask, "object-removal": side_by_side(photograph, mask, filled)}.items():
        picture.save(out / f"{name}.png", optimize=True)
        print(out / f"{name}.png")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
