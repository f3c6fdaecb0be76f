"""The test pictures that a report shows: the best, the median and the worst, as strips."""

from __future__ import annotations

from hashlib import blake2b

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from .pixels import to_uint8
from .results import Picture, Results
from .samples import HIDDEN, png
from .statistics import ranks
from .types import Batch

WORST = 12

Pixels = NDArray[np.uint8]


def choose(results: Results) -> list[Picture]:
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
    return [Picture(rank, index, results.names[index], measure.per_image[index]) for rank, index in chosen]


def named(picture: Picture, content: bytes) -> Picture:
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
