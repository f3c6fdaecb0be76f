"""A contact sheet of repairs and removals by `photo`: ``python photo_sheet.py OUT [--images FOLDER_OR_ZIP]``.

Scikit-image's photographs get scratches, letters, wires and dust, and lose objects; the sheet is ``OUT/sheet.jpg``, and
each repair at full size is a PNG beside it. With ``--images`` other photographs are damaged in turn instead; such a
sheet is for looking at and stays out of the documentation. Damage is what differs from the original, one pixel wider.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs
import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import inpaintkit
from inpaintkit import FillOptions
from inpaintkit.data import find

CELL, GAP, LINE = 200, 4, 16  # pixels: side of a picture on the sheet, between pictures, and for a name
MOST_BYTES = 400_000  # of the sheet
TEXT = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore"

Pen = ImageDraw.ImageDraw
Rng = np.random.Generator
Area = tuple[int, int, int, int]  # left, top, right, bottom
Damage = Callable[[Pen, tuple[int, int], Rng], None]


def scratches(pen: Pen, size: tuple[int, int], rng: Rng) -> None:
    """Six nearly upright lines that waver, 1 to 4 pixels wide, light or dark."""
    width, height = size
    for _ in range(6):
        steps = np.arange(0, height + 20, 20)
        x = rng.uniform(0, width) + rng.normal(0, 1.5, len(steps)).cumsum()
        line = list(zip(x.tolist(), steps.tolist(), strict=True))
        pen.line(line, fill=(245, 245, 240) if rng.random() < 0.7 else (15, 15, 15), width=int(rng.integers(1, 5)))


def letters(pen: Pen, size: tuple[int, int], rng: Rng) -> None:
    """Three lines of text, strokes about 3 pixels wide."""
    font = ImageFont.load_default(size=26)
    color = (255, 255, 255) if rng.random() < 0.5 else (255, 230, 0)
    for number, place in enumerate((0.25, 0.5, 0.75)):
        pen.text((10, place * size[1] - 13), TEXT[30 * number :][: size[0] // 13], fill=color, font=font)


def wires(pen: Pen, size: tuple[int, int], rng: Rng) -> None:
    """Three black wires across the picture, 3 to 5 pixels wide, that sag."""
    width, height = size
    x = np.linspace(0, width, 40)
    for _ in range(3):
        start, end = rng.uniform(0.1, 0.8, 2) * height
        sag = rng.uniform(0.02, 0.12) * height * (1 - (2 * x / width - 1) ** 2)
        y = start + (end - start) * x / width + sag
        pen.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=(20, 20, 22), width=int(rng.integers(3, 6)))


def dust(pen: Pen, size: tuple[int, int], rng: Rng) -> None:
    """120 specks of 2 to 9 pixels, and a dozen hairs."""
    width, height = size
    for _ in range(120):
        x, y, radius = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(1, 4.5)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(235, 235, 230))
    for _ in range(12):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        start = float(rng.uniform(0, 360))
        pen.arc((x, y, x + 40, y + 30), start, start + float(rng.uniform(60, 160)), fill=(30, 30, 30), width=2)


def crease(pen: Pen, size: tuple[int, int], rng: Rng) -> None:
    """Two folds across the picture, 10 pixels wide, where the paper shows."""
    width, height = size
    y, x = rng.uniform(0.35, 0.65) * height, rng.uniform(0.35, 0.65) * width
    for line in ([(0, y), (x, y - 6), (width, y + 8)], [(x, 0), (x + 6, y), (x - 5, height)]):
        pen.line(line, fill=(240, 236, 225), width=10)


def square(side: int) -> Damage:
    """A gray square in the middle."""

    def draw(pen: Pen, size: tuple[int, int], rng: Rng) -> None:
        left, top = ((length - side) // 2 for length in size)
        pen.rectangle((left, top, left + side - 1, top + side - 1), fill=(128, 128, 128))

    return draw


DAMAGES: dict[str, Damage] = {
    "scratches": scratches,
    "letters": letters,
    "wires": wires,
    "dust": dust,
    "crease": crease,
    "square of 96": square(96),
    "square of 300": square(300),
}


@attrs.frozen
class Repair:
    """A photograph with its hole.

    Attributes:
        shown: what there was before: the damaged photograph, or the photograph with the object marked.
        original: of a damaged photograph, what it was.
        area: what the sheet shows; everything where it is None.
    """

    name: str
    picture: Image.Image
    hole: NDArray[np.bool_]
    shown: Image.Image
    original: Image.Image | None = None
    area: Area | None = None


def damaged(name: str, original: Image.Image, damage: Damage, seed: int, area: Area | None = None) -> Repair:
    picture = original.copy()
    damage(ImageDraw.Draw(picture), picture.size, np.random.default_rng(seed))
    hole = (np.asarray(picture) != np.asarray(original)).any(-1)
    return Repair(name, picture, hole, picture, original, area)


def removed(name: str, picture: Image.Image, box: Area, outline: str, area: Area | None = None) -> Repair:
    """``outline``: ``rectangle`` or ``ellipse``, of the hole in the box."""
    marks = Image.new("L", picture.size)
    getattr(ImageDraw.Draw(marks), outline)(box, fill=255)
    hole = np.asarray(marks) > 0
    pixels = np.asarray(picture).copy()
    pixels[hole] = (pixels[hole] * 0.4 + np.array([255, 0, 60]) * 0.6).astype(np.uint8)
    return Repair(name, picture, hole, Image.fromarray(pixels), None, area)


def photograph(file: str) -> Image.Image:
    """One of those inside the package of scikit-image; long sides above 800 pixels are scaled down."""
    picture = Image.open(Path(skimage.__file__).parent / "data" / file).convert("RGB")
    picture.thumbnail((800, 800))
    return picture


DAMAGED: tuple[tuple[str, str, Area], ...] = (  # the damage, and what the sheet shows
    ("scratches", "chelsea.png", (120, 0, 420, 300)),
    ("scratches", "camera.png", (120, 40, 420, 340)),
    ("scratches", "motorcycle_left.png", (300, 100, 650, 450)),
    ("letters", "coffee.png", (150, 0, 550, 400)),
    ("letters", "astronaut.png", (60, 60, 360, 360)),
    ("letters", "brick.png", (0, 60, 300, 360)),
    ("wires", "rocket.jpg", (140, 60, 490, 410)),
    ("wires", "astronaut.png", (100, 150, 400, 450)),
    ("dust", "moon.png", (0, 0, 300, 300)),
    ("dust", "retina.jpg", (250, 250, 550, 550)),
    ("crease", "chelsea.png", (100, 0, 400, 300)),
    ("crease", "motorcycle_left.png", (200, 80, 550, 430)),
)
REMOVED: tuple[tuple[str, str, str, Area, Area], ...] = (  # the object, its outline and box, and what the sheet shows
    ("mission patch", "astronaut.png", "ellipse", (126, 343, 212, 428), (70, 260, 320, 510)),
    ("space shuttle", "astronaut.png", "rectangle", (330, 0, 462, 290), (212, 0, 512, 300)),
    ("tower", "camera.png", "rectangle", (402, 110, 436, 190), (300, 60, 500, 260)),
    ("rocket", "rocket.jpg", "rectangle", (302, 122, 338, 405), (140, 80, 490, 427)),
    ("lamp", "motorcycle_left.png", "rectangle", (452, 168, 486, 202), (350, 60, 600, 310)),
    ("spoon", "coffee.png", "ellipse", (316, 236, 414, 332), (220, 130, 490, 400)),
    ("crater", "moon.png", "ellipse", (80, 47, 158, 128), (0, 0, 260, 260)),
    ("coin", "coins.png", "ellipse", (176, 92, 236, 154), (90, 20, 330, 260)),
)


def documented() -> Iterator[Repair]:
    """The twenty of the documentation."""
    for seed, (name, file, area) in enumerate(DAMAGED):
        yield damaged(f"{name}, {file}", photograph(file), DAMAGES[name], seed, area)
    for name, file, outline, box, area in REMOVED:
        yield removed(f"{name}, {file}", photograph(file), box, outline, area)


def given(source: Path) -> Iterator[Repair]:
    """Photographs of a folder or an archive, each damaged in another way."""
    for number, file in enumerate(find([source])):
        name, damage = list(DAMAGES.items())[number % len(DAMAGES)]
        yield damaged(
            f"{name}, {Path(file.name).name}", Image.open(io.BytesIO(file.read())).convert("RGB"), damage, number
        )


def cell(picture: Image.Image, area: Area | None) -> Image.Image:
    shown = picture.crop(area) if area else picture.copy()
    shown.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
    return shown


def contact_sheet(rows: Sequence[tuple[str, Sequence[Image.Image]]], across: int = 6) -> Image.Image:
    """Groups of pictures, one after another, as many in a line as fit; each group is named."""
    lines: list[list[tuple[int, str, Sequence[Image.Image]]]] = []
    used = across
    for name, pictures in rows:
        if used + len(pictures) > across or len(pictures) != len(lines[-1][-1][2]):
            lines.append([])
            used = 0
        lines[-1].append((used, name, pictures))
        used += len(pictures)
    page = Image.new("RGB", (across * (CELL + GAP) + GAP, len(lines) * (CELL + GAP + LINE) + GAP), "white")
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        top = GAP + number * (CELL + GAP + LINE)
        for place, name, pictures in line:
            left = GAP + place * (CELL + GAP)
            kinds = "damaged, filled, original" if len(pictures) == 3 else "marked, filled"
            pen.text((left, top), f"{name}: {kinds}", fill="black", font=ImageFont.load_default(size=12))
            for column, picture in enumerate(pictures):
                page.paste(picture, (left + column * (CELL + GAP), top + LINE))
    return page


def save(page: Image.Image, file: Path) -> None:
    """As JPEG, as good as the limit allows."""
    for quality in range(92, 20, -4):
        page.save(file, quality=quality, optimize=True)
        if file.stat().st_size <= MOST_BYTES:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="a folder")
    parser.add_argument("--images", type=Path, help="a folder or a .zip of other photographs")
    parser.add_argument("--method", default="photo", help="a recipe with weights, or a run")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    method = inpaintkit.load(options.method)
    rows = []
    for number, repair in enumerate(given(options.images) if options.images else documented(), 1):
        filled = inpaintkit.fill(method, repair.picture, repair.hole, FillOptions(grow=1))
        pictures = [repair.shown, filled, *([repair.original] if repair.original else [])]
        strip = Image.new("RGB", (sum(picture.width for picture in pictures), filled.height))
        for place, picture in enumerate(pictures):
            strip.paste(picture, (place * filled.width, 0))
        strip.save(options.out / f"{number:02d}-{repair.name.replace(', ', '-').replace(' ', '-')}.png")
        rows.append((repair.name, [cell(picture, repair.area) for picture in pictures]))
        print(f"{number:2d} {repair.name}", flush=True)
    save(contact_sheet(rows), options.out / "sheet.jpg")


if __name__ == "__main__":
    main()
