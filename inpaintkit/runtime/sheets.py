"""Sample sheets: rows of pictures as one PNG."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from ..core.interfaces import Sample
from .pixels import to_uint8

GAP, HEADER = 4, 16
HOLE_GRAY = 0.8  # the hole in "masked": light gray, because black could be content of the image


def sheet(columns: Mapping[str, Tensor], rows: Sequence[str] = ()) -> Image.Image:
    """One picture with a row for each image and named columns, from (B, 3, H, W) in [-1, 1] by column name."""
    pictures = [to_uint8(column).permute(0, 2, 3, 1).cpu().numpy() for column in columns.values()]
    count, height, width = pictures[0].shape[:3]
    scale = max(1, round(96 / width))  # small pictures are enlarged by a whole factor
    wide, high = width * scale, height * scale
    page = Image.new("RGB", (GAP + len(pictures) * (wide + GAP), HEADER + count * (high + GAP)), "white")
    pen = ImageDraw.Draw(page)
    for x, name in enumerate(columns):
        pen.text((GAP + x * (wide + GAP), 2), name, fill="black")
        for y in range(count):
            tile = Image.fromarray(pictures[x][y]).resize((wide, high), Image.Resampling.NEAREST)
            page.paste(tile, (GAP + x * (wide + GAP), HEADER + y * (high + GAP)))
            if x == 0 and rows:
                pen.text((GAP + 2, HEADER + y * (high + GAP) + 1), rows[y], fill="black")
    return page


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
    if len(items) <= limit:
        return list(items)
    return [items[math.floor(index * (len(items) - 1) / (limit - 1) + 0.5)] for index in range(limit)]
