"""The sheet of a sweep: one picture with holes of several sizes or in several places."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..evaluation import GAP, VISIBLE, Pixels, wrapped
from ..runtime import evenly, png
from .sweep_curves import Sweep
from .sweep_plan import axes_of, spelled

SIZES, PLACES = 6, 3  # columns: values, or places on each axis
NAMES = 120  # pixels for the methods' names


def to_sheet(sweep: Sweep) -> bytes:
    """A PNG of one picture: a column for each of some values, a row for what methods are given, each method, the truth.

    Of more than six values six are spread evenly; of a grid nine places. Small pictures are enlarged by whole pixels.
    """
    shown = sheet_columns(sweep)
    rows: list[tuple[str, list[Pixels | None]]] = [("masked", [sweep.masked[at] for at in shown])]
    rows += [(curve.name, [curve.points[at].tile for at in shown]) for curve in sweep.curves]
    rows.append(("truth", [sweep.truth] * len(shown)))
    side = sweep.truth.shape[-1]
    scale = -(-VISIBLE // side)
    tile = side * scale
    font = ImageFont.load_default()
    line = sum(font.getmetrics()) if isinstance(font, ImageFont.FreeTypeFont) else 12
    top, left = 2 * GAP + line * 2, 2 * GAP + NAMES
    page = Image.new("RGB", (left + len(shown) * (tile + GAP), top + len(rows) * (tile + GAP)), "white")
    pen = ImageDraw.Draw(page)
    for x, at in enumerate(shown):
        for number, text in enumerate((sweep.plan.option, spelled(sweep.plan.values[at]))):
            pen.text((left + x * (tile + GAP), GAP + number * line), text, fill="black", font=font)
    for y, (name, tiles) in enumerate(rows):
        for number, text in enumerate(wrapped(name, NAMES, font)):
            pen.text((GAP, top + y * (tile + GAP) + number * line), text, fill="black", font=font)
        for x, pixels in enumerate(tiles):
            corner = (left + x * (tile + GAP), top + y * (tile + GAP))
            if pixels is None:
                pen.text(corner, "failed", fill="black", font=font)
                continue
            picture = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
            page.paste(picture.resize((tile, tile), Image.Resampling.NEAREST), corner)
    return png(page)


def sheet_columns(sweep: Sweep) -> list[int]:
    """Indices of the values on the sheet."""
    values = sweep.plan.values
    if not sweep.plan.grid:
        return evenly(range(len(values)), SIZES)
    axes = (sorted({axes_of(value)[at] for value in values}) for at in (0, 1))
    rows, columns = ([axis[at] for at in evenly(range(len(axis)), PLACES)] for axis in axes)
    return [values.index((row, column)) for row in rows for column in columns]
