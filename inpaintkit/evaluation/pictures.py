"""The test pictures that a report shows: the best, the median and the worst, as strips."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..core.interfaces import Batch
from ..runtime import HIDDEN, png, to_uint8
from .results import Example, Results
from .statistics import ranks
from .test_set import TestSet

WORST = 12
GAP, VISIBLE = 4, 96  # pixels between the pictures of a grid, and their least width

Pixels = NDArray[np.uint8]


def choose(results: Results) -> list[Example]:
    """The best, the median and the twelve worst pictures by ``results.ranked_by``, without files yet.

    Of fewer than fourteen pictures some stand there twice. Without a metric to rank by there are none.
    """
    measure = results.row.metrics.get(results.ranked_by)
    if measure is None or measure.per_image is None:
        return []
    order = ranks(measure.per_image, bool(measure.higher_is_better))
    if not order:
        return []
    chosen = [("best", order[-1]), ("median", order[(len(order) - 1) // 2])]
    chosen += [(f"worst {place}", index) for place, index in enumerate(order[:WORST], 1)]
    return [Example(rank, index, results.names[index], measure.per_image[index]) for rank, index in chosen]


def named(picture: Example, content: bytes) -> Example:
    """The picture with the name of its file: one name, one content."""
    file = f"{picture.rank.replace(' ', '-')}-{blake2b(content, digest_size=4).hexdigest()}.png"
    return attrs.evolve(picture, file=file)


def strip(given: Batch, output: Pixels) -> bytes:
    """Masked, output, completed and truth of one picture, side by side, as a PNG with transparent gaps.

    Args:
        given: one picture (1, 3, H, W) and its mask.
        output: (3, H, W) what the method drew, uint8.
    """
    truth, hole = to_uint8(given.image[0]).numpy(), given.mask[0].bool().numpy()
    gray = to_uint8(torch.tensor(HIDDEN)).numpy()
    tiles = (np.where(hole, gray, truth), output, np.where(hole, output, truth), truth)
    _, height, width = truth.shape
    gap = max(1, width // 32)
    page = np.zeros((height, 4 * width + 3 * gap, 4), np.uint8)
    for place, tile in enumerate(tiles):
        left = place * (width + gap)
        page[:, left : left + width, :3] = tile.transpose(1, 2, 0)
        page[:, left : left + width, 3] = 255
    return png(Image.fromarray(page))


def given_columns(test_set: TestSet, indices: Sequence[int]) -> list[tuple[str, list[Pixels]]]:
    """What methods are to reach and what they are given: the first two columns of a grid."""
    truth, masked = [], []
    for index in indices:
        given = test_set.batch([index])
        pixels, hole = to_uint8(given.image[0]).numpy(), given.mask[0].bool().numpy()
        truth.append(pixels)
        masked.append(np.where(hole, to_uint8(torch.tensor(HIDDEN)).numpy(), pixels))
    return [("truth", truth), ("masked", masked)]


def grid(columns: Sequence[tuple[str, Sequence[Pixels]]]) -> bytes:
    """Pictures (3, S, S) uint8 by column, one row each, as a PNG with the columns' names on top.

    Pictures narrower than 96 pixels are enlarged by a whole number, so that each of their pixels is a square.
    """
    side = columns[0][1][0].shape[-1]
    scale = -(-VISIBLE // side)
    wide = side * scale
    font = ImageFont.load_default()
    heads = [wrapped(name, wide, font) for name, _ in columns]
    line = sum(font.getmetrics()) if isinstance(font, ImageFont.FreeTypeFont) else 12
    top = GAP + line * max(map(len, heads)) + GAP
    page = Image.new("RGB", (GAP + len(columns) * (wide + GAP), top + len(columns[0][1]) * (wide + GAP)), "white")
    pen = ImageDraw.Draw(page)
    for x, ((_, pictures), head) in enumerate(zip(columns, heads, strict=True)):
        left = GAP + x * (wide + GAP)
        for number, words in enumerate(head):
            pen.text((left, GAP + number * line), words, fill="black", font=font)
        for y, pixels in enumerate(pictures):
            tile = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
            page.paste(tile.resize((wide, wide), Image.Resampling.NEAREST), (left, top + y * (wide + GAP)))
    return png(page)


def wrapped(text: str, width: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> list[str]:
    """Lines of at most ``width`` pixels, broken at spaces and underscores where there are some."""
    if not isinstance(font, ImageFont.FreeTypeFont):  # its letters are those of Latin-1
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
