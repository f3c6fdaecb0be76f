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
from .results import Example, Row
from .statistics import ranks
from .testset import TestSet

WORST = 12


def choose_examples(row: Row, ranked_by: str, names: Sequence[str]) -> list[Example]:
    """The best, the median and the twelve worst pictures of a row by the metric ``ranked_by``, still without files.

    Of fewer than fourteen pictures some are chosen twice. Without a metric to rank by there are none.
    """
    result = row.metrics.get(ranked_by)
    values = (result and result.per_image) or ()
    order = ranks(values, bool(result and result.higher_is_better))
    chosen = [("best", order[-1]), ("median", order[(len(order) - 1) // 2])] if order else []
    chosen += [(f"worst {place}", index) for place, index in enumerate(order[:WORST], 1)]
    return [Example(rank, index, names[index], values[index]) for rank, index in chosen]


def draw_examples(
    examples: Sequence[Example], test_set: TestSet, outputs: Sequence[Pixels]
) -> tuple[tuple[Example, ...], dict[str, bytes]]:
    """The examples with their files, and the content of these. The name of a file changes with its content.

    Args:
        outputs: for each method (len(examples), 3, H, W), as it drew them; the baselines follow the method.
    """
    drawn, files = [], {}
    for at, example in enumerate(examples):
        content = strip(test_set.batch([example.index]), [output[at] for output in outputs])
        file = f"{example.rank.replace(' ', '-')}-{blake2b(content, digest_size=4).hexdigest()}.png"
        files[file] = content
        drawn.append(attrs.evolve(example, file=file))
    return tuple(drawn), files


def strip(given: Batch, outputs: Sequence[Pixels]) -> bytes:
    """One picture side by side, as a PNG with transparent gaps: :meth:`Results.columns` names what is shown.

    Args:
        given: one picture (1, 3, H, W) and its mask.
        outputs: (3, H, W) what each method drew, uint8. The first is also shown as it is; of all the others only the
            part in the hole is.
    """
    truth, masked, hole = _shown(given)
    tiles = (masked, outputs[0], *(np.where(hole, output, truth) for output in outputs), truth)
    _, height, width = truth.shape
    gap = max(1, width // 32)
    page = np.zeros((height, len(tiles) * width + (len(tiles) - 1) * gap, 4), np.uint8)
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
