"""Test pictures to show: strips of the best, the median and the worst for the report, and columns of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ..core.interfaces import Batch
from ..runtime import HOLE_GRAY, Pixels, png, to_uint8
from .results import Example, Results
from .statistics import ranks
from .testset import TestSet

WORST = 12


def with_examples(results: Results, test_set: TestSet, outputs: Pixels) -> tuple[Results, dict[str, bytes]]:
    """The results with the best, the median and the twelve worst pictures by ``ranked_by``, and the files of these.

    The name of a file changes with its content. Of fewer than fourteen pictures some are chosen twice. Without a metric
    to rank by there are none.

    Args:
        outputs: (N, 3, H, W), as the method drew them.
    """
    result = results.row.metrics.get(results.ranked_by)
    values = (result and result.per_image) or ()
    order = ranks(values, bool(result and result.higher_is_better))
    chosen = [("best", order[-1]), ("median", order[(len(order) - 1) // 2])] if order else []
    chosen += [(f"worst {place}", index) for place, index in enumerate(order[:WORST], 1)]
    examples, files = [], {}
    for rank, index in chosen:
        content = strip(test_set.batch([index]), outputs[index])
        file = f"{rank.replace(' ', '-')}-{blake2b(content, digest_size=4).hexdigest()}.png"
        files[file] = content
        examples.append(Example(rank, index, results.names[index], values[index], file))
    return attrs.evolve(results, pictures=tuple(examples)), files


def strip(given: Batch, output: Pixels) -> bytes:
    """Masked, output, completed and truth of one picture, side by side, as a PNG with transparent gaps.

    Args:
        given: one picture (1, 3, H, W) and its mask.
        output: (3, H, W) what the method drew, uint8.
    """
    truth, masked, hole = _shown(given)
    tiles = (masked, output, np.where(hole, output, truth), truth)
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
    pairs = [_shown(test_set.batch([index]))[:2] for index in indices]
    return [("truth", [truth for truth, _ in pairs]), ("masked", [masked for _, masked in pairs])]


def _shown(given: Batch) -> tuple[Pixels, Pixels, NDArray[np.bool_]]:
    """The truth, the picture with a gray hole, and the hole, of a batch of one picture."""
    truth, hole = to_uint8(given.image[0]).numpy(), given.mask[0].bool().numpy()
    return truth, np.where(hole, to_uint8(torch.tensor(HOLE_GRAY)).numpy(), truth), hole
