"""The part of each picture that matters to its hole: a window of one size for all pictures of a batch."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor


@attrs.frozen(eq=False)
class Region:
    """A window into each picture of a batch, all of one size, each at its own place."""

    rows: Tensor  # (B, h)
    columns: Tensor  # (B, w)

    def take(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, h, w), a copy."""
        return pictures[self._index(pictures)]

    def put(self, pictures: Tensor, parts: Tensor) -> Tensor:
        """``pictures`` (B, C, H, W) with ``parts`` (B, C, h, w) in the windows, a copy."""
        return pictures.index_put(self._index(pictures), parts)

    def _index(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        picture, channel = (torch.arange(count, device=pictures.device) for count in pictures.shape[:2])
        rows, columns = self.rows[:, None, :, None], self.columns[:, None, None, :]
        return picture.view(-1, 1, 1, 1), channel.view(1, -1, 1, 1), rows, columns


def around(mask: Tensor, margin: int) -> Region:
    """The windows that hold each picture's hole with ``margin`` pixels around it, where the picture has them.

    All are as large as the largest hole needs and lie inside their pictures, so that each side of a window is the
    picture's own border or at least ``margin`` pixels away from the hole.

    Args:
        mask: (B, 1, H, W), 1 in the hole.
    """
    hole = mask.bool().squeeze(1)
    rows, columns = (_span(hole.any(axis), margin) for axis in (2, 1))
    return Region(rows, columns)


def _span(inside: Tensor, margin: int) -> Tensor:
    """(B, length) -> (B, n), consecutive numbers in each row: those of its True places, of ``margin`` more, and on."""
    length = inside.shape[1]
    first = inside.int().argmax(1)  # 0 where there is no hole
    last = length - 1 - inside.flip(1).int().argmax(1)
    need = torch.where(inside.any(1), last - first + 1 + 2 * margin, 1)
    most = min(int(need.max()), length)
    return (first - margin).clamp(0, length - most)[:, None] + torch.arange(most, device=inside.device)
