"""Crops of the pictures of a batch around their holes, all of one size, so that solvers work on what matters only."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor


@attrs.frozen(eq=False)
class Crops:
    """One crop of each picture of a batch, all of one size, each at its own place."""

    rows: Tensor  # (B, h)
    columns: Tensor  # (B, w)

    def take(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, h, w), a copy."""
        return pictures[self._index(pictures)]

    def put(self, pictures: Tensor, parts: Tensor) -> Tensor:
        """A copy of ``pictures`` (B, C, H, W) with ``parts`` (B, C, h, w) in place of the crops."""
        return pictures.index_put(self._index(pictures), parts)

    def _index(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        picture, channel = (torch.arange(count, device=pictures.device) for count in pictures.shape[:2])
        rows, columns = self.rows[:, None, :, None], self.columns[:, None, None, :]
        return picture.view(-1, 1, 1, 1), channel.view(1, -1, 1, 1), rows, columns


def crops_around(mask: Tensor, margin: int) -> Crops:
    """Crops that contain each picture's hole and ``margin`` pixels around it, as far as the picture has them.

    All are as large as the largest hole needs and lie inside their pictures: each side of a crop is the picture's
    border or at least ``margin`` pixels away from the hole.

    Args:
        mask: (B, 1, H, W), 1 in the hole.
    """
    hole = mask.bool().squeeze(1)
    rows, columns = (_span(hole.any(axis), margin) for axis in (2, 1))
    return Crops(rows, columns)


def _span(inside: Tensor, margin: int) -> Tensor:
    """(B, length) -> (B, n): consecutive indices that hold each row's True places and ``margin`` on each side."""
    length = inside.shape[1]
    first = inside.int().argmax(1)  # 0 where there is no hole
    last = length - 1 - inside.flip(1).int().argmax(1)
    need = torch.where(inside.any(1), last - first + 1 + 2 * margin, 1)
    size = min(int(need.max()), length)
    return (first - margin).clamp(0, length - size)[:, None] + torch.arange(size, device=inside.device)
