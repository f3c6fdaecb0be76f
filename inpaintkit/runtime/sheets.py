"""Sheets: rows of pictures as one picture, with names for columns and rows."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

from ..core.interfaces import Sample
from .pixels import to_uint8

GAP, VISIBLE = 4, 96  # pixels between the pictures, and about the least width of one
ROW_NAMES = 120  # pixels for the names of rows
HOLE_GRAY = 0.8  # the hole in "masked": light gray, because black could be content of the image

Pixels = NDArray[np.uint8]


def sheet(columns: Mapping[str, Tensor]) -> Image.Image:
    """One picture with a row for each image and named columns, from (B, 3, H, W) in [-1, 1] by column name."""
    return picture_grid([(name, list(to_uint8(column).cpu().numpy())) for name, column in columns.items()])


def picture_grid(columns: Sequence[tuple[str, Sequence[Pixels | None]]], row_names: Sequence[str] = ()) -> Image.Image:
    """Pictures (3, H, W) uint8 of one size by column, with the columns' names on top and the rows' names on the left.

    Small pictures are enlarged by a whole number to a width of about 96 pixels, so that each of their pixels is a
    square. None is a picture that a method failed to give.
    """
    height, width = next(pixels.shape[1:] for _, pictures in columns for pixels in pictures if pixels is not None)
    scale = max(1, round(VISIBLE / width))
    wide, high = width * scale, height * scale
    font = ImageFont.load_default()
    line = sum(font.getmetrics()) if isinstance(font, ImageFont.FreeTypeFont) else 12
    heads = [wrap_text(name, wide, font) for name, _ in columns]
    top = GAP + line * max(map(len, heads)) + GAP
    left = GAP + (ROW_NAMES + GAP if row_names else 0)
    page = Image.new("RGB", (left + len(columns) * (wide + GAP), top + len(columns[0][1]) * (high + GAP)), "white")
    pen = ImageDraw.Draw(page)

    def write(lines: Sequence[str], x: int, y: int) -> None:
        for number, text in enumerate(lines):
            pen.text((x, y + number * line), text, fill="black", font=font)

    for row, name in enumerate(row_names):
        write(wrap_text(name, ROW_NAMES, font), GAP, top + row * (high + GAP))
    for column, ((_, pictures), head) in enumerate(zip(columns, heads, strict=True)):
        x = left + column * (wide + GAP)
        write(head, x, GAP)
        for row, pixels in enumerate(pictures):
            y = top + row * (high + GAP)
            if pixels is None:
                write(["failed"], x, y)
            else:
                picture = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
                page.paste(picture.resize((wide, high), Image.Resampling.NEAREST), (x, y))
    return page


def wrap_text(text: str, width: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> list[str]:
    """Lines of at most ``width`` pixels, broken at spaces and underscores where there are some."""
    if not isinstance(font, ImageFont.FreeTypeFont):  # it has the letters of Latin-1 only
        text = text.encode("latin-1", "replace").decode("latin-1")
    lines: list[str] = []
    rest = " ".join(text.split())
    while rest:
        fits = next((n for n in range(len(rest), 1, -1) if font.getlength(rest[:n].rstrip()) <= width), 1)
        if fits < len(rest):
            at = max(rest.rfind(mark, 1, fits) for mark in " _-/")
            fits = at + 1 if at > 0 else fits
        lines.append(rest[:fits].rstrip())
        rest = rest[fits:].lstrip()
    return lines


def sample_sheet(sample: Sample) -> Image.Image:
    """The masked image, every view that the method returned, and the truth."""
    hidden = torch.where(sample.mask.bool(), torch.full_like(sample.image, HOLE_GRAY), sample.image)
    columns = {"masked": hidden, "output": sample.output, "completed": sample.completed}
    size = sample.image.shape[-2:]
    for name in sample.views:
        if name not in columns:
            view = sample.view(name)
            columns[name] = view if view.shape[-2:] == size else F.interpolate(view, size, mode="nearest")
    return sheet({**columns, "truth": sample.image})


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def evenly_spaced(items: Sequence[int], limit: int) -> list[int]:
    """At most ``limit`` of the items: the first, the last, and others at even distances between them."""
    if len(items) <= limit or limit < 2:
        return list(items[:limit])
    return [items[math.floor(index * (len(items) - 1) / (limit - 1) + 0.5)] for index in range(limit)]
