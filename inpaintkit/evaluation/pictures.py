"""Test pictures as PNG files: strips of the best, the median and the worst for the report, and grids of methods."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..core.interfaces import Batch
from ..runtime import HOLE_GRAY, png, to_uint8
from .results import Example, Results
from .statistics import ranks
from .test_set import TestSet

WORST = 12
GAP, VISIBLE = 4, 96  # pixels between the pictures of a grid, and their least width
ROW_NAMES = 120  # pixels for the names of rows

Pixels = NDArray[np.uint8]


def choose_examples(results: Results) -> list[Example]:
    """The best, the median and the twelve worst pictures by ``results.ranked_by``, without files yet.

    Of fewer than fourteen pictures some are chosen twice. Without a metric to rank by there are none.
    """
    result = results.row.metrics.get(results.ranked_by)
    if result is None or result.per_image is None:
        return []
    order = ranks(result.per_image, bool(result.higher_is_better))
    if not order:
        return []
    chosen = [("best", order[-1]), ("median", order[(len(order) - 1) // 2])]
    chosen += [(f"worst {place}", index) for place, index in enumerate(order[:WORST], 1)]
    return [Example(rank, index, results.names[index], result.per_image[index]) for rank, index in chosen]


def with_examples(results: Results, test_set: TestSet, outputs: Pixels) -> tuple[Results, dict[str, bytes]]:
    """The results with their examples, and the files of these: the name of a file changes with its content.

    Args:
        outputs: (N, 3, S, S), as the method drew them.
    """
    examples = []
    files: dict[str, bytes] = {}
    for example in choose_examples(results):
        content = strip(test_set.batch([example.index]), outputs[example.index])
        file = f"{example.rank.replace(' ', '-')}-{blake2b(content, digest_size=4).hexdigest()}.png"
        files[file] = content
        examples.append(attrs.evolve(example, file=file))
    return attrs.evolve(results, pictures=tuple(examples)), files


def strip(given: Batch, output: Pixels) -> bytes:
    """Masked, output, completed and truth of one picture, side by side, as a PNG with transparent gaps.

    Args:
        given: one picture (1, 3, H, W) and its mask.
        output: (3, H, W) what the method drew, uint8.
    """
    truth, hole = to_uint8(given.image[0]).numpy(), given.mask[0].bool().numpy()
    gray = to_uint8(torch.tensor(HOLE_GRAY)).numpy()
    tiles = (np.where(hole, gray, truth), output, np.where(hole, output, truth), truth)
    _, height, width = truth.shape
    gap = max(1, width // 32)
    page = np.zeros((height, 4 * width + 3 * gap, 4), np.uint8)
    for place, tile in enumerate(tiles):
        left = place * (width + gap)
        page[:, left : left + width, :3] = tile.transpose(1, 2, 0)
        page[:, left : left + width, 3] = 255
    return png(Image.fromarray(page))


def input_columns(test_set: TestSet, indices: Sequence[int]) -> list[tuple[str, list[Pixels]]]:
    """The true pictures and the masked ones that methods are given: the first two columns of a grid."""
    truth, masked = [], []
    for index in indices:
        batch = test_set.batch([index])
        pixels, hole = to_uint8(batch.image[0]).numpy(), batch.mask[0].bool().numpy()
        truth.append(pixels)
        masked.append(np.where(hole, to_uint8(torch.tensor(HOLE_GRAY)).numpy(), pixels))
    return [("truth", truth), ("masked", masked)]


def picture_grid(columns: Sequence[tuple[str, Sequence[Pixels | None]]], row_names: Sequence[str] = ()) -> bytes:
    """Pictures (3, S, S) uint8 by column as a PNG, with the columns' names on top and the rows' names on the left.

    Pictures narrower than 96 pixels are enlarged by a whole number, so that each of their pixels is a square. None is a
    picture that a method failed to give.
    """
    side = next(pixels.shape[-1] for _, pictures in columns for pixels in pictures if pixels is not None)
    scale = -(-VISIBLE // side)
    tile = side * scale
    font = ImageFont.load_default()
    line = sum(font.getmetrics()) if isinstance(font, ImageFont.FreeTypeFont) else 12
    heads = [wrap_text(name, tile, font) for name, _ in columns]
    top = GAP + line * max(map(len, heads)) + GAP
    left = GAP + (ROW_NAMES + GAP if row_names else 0)
    page = Image.new("RGB", (left + len(columns) * (tile + GAP), top + len(columns[0][1]) * (tile + GAP)), "white")
    pen = ImageDraw.Draw(page)

    def write(lines: Sequence[str], x: int, y: int) -> None:
        for number, text in enumerate(lines):
            pen.text((x, y + number * line), text, fill="black", font=font)

    for row, name in enumerate(row_names):
        write(wrap_text(name, ROW_NAMES, font), GAP, top + row * (tile + GAP))
    for column, ((_, pictures), head) in enumerate(zip(columns, heads, strict=True)):
        x = left + column * (tile + GAP)
        write(head, x, GAP)
        for row, pixels in enumerate(pictures):
            y = top + row * (tile + GAP)
            if pixels is None:
                write(["failed"], x, y)
            else:
                picture = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
                page.paste(picture.resize((tile, tile), Image.Resampling.NEAREST), (x, y))
    return png(page)


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
