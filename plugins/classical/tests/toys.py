"""Masks, photographs and patches for the tests of patch matching."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st
from inpaintkit_classical.patchfield import Patches
from inpaintkit_classical.patchsearch import Field
from inpaintkit_classical.patchstart import worth
from skimage import data
from torch import Tensor


def centered(height: int, width: int, side: int, count: int = 1) -> Tensor:
    mask = torch.zeros(count, 1, height, width)
    top, left = (height - side) // 2, (width - side) // 2
    mask[..., top : top + side, left : left + side] = 1
    return mask


def photographs(size: int, count: int) -> Tensor:
    """(count, 3, size, size) in [-1, 1]: pieces of photographs, made four times smaller."""
    pieces = []
    for picture in (data.astronaut(), data.chelsea(), data.coffee()):
        small = torch.tensor(picture).permute(2, 0, 1)[None].float().div(127.5).sub(1)
        small = torch.nn.functional.avg_pool2d(small, 4)
        pieces.append(
            small.unfold(2, size, size // 2).unfold(3, size, size // 2).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
        )
    every = torch.cat(pieces)
    return every[torch.linspace(0, len(every) - 1, count).long()]


def psnr(output: Tensor, image: Tensor) -> float:
    return float((10 * (4 / (output - image).square().mean((1, 2, 3))).log10()).mean())


def centers_by_hand(hole: np.ndarray, radius: int) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """The targets and the sources of one picture, found pixel by pixel."""
    targets, sources = set(), set()
    for row in range(radius, hole.shape[0] - radius):
        for column in range(radius, hole.shape[1] - radius):
            patch = hole[row - radius : row + radius + 1, column - radius : column + radius + 1]
            (targets if patch.any() else sources).add((row, column))
    return targets, sources


def random_field(hole: Tensor, radius: int, seed: int = 0, channels: int = 3) -> Field:
    """A field of random pictures and random matches."""
    torch.manual_seed(seed)
    patches = Patches.of(hole, radius)
    image = torch.rand(len(hole), channels, *hole.shape[2:])
    return Field(patches, patches.flat(image), patches.flat(worth(hole)), patches.anywhere())


holes = st.builds(
    lambda seed, share, height, width, count: (
        torch.rand(count, 1, height, width, generator=torch.Generator().manual_seed(seed)) < share
    ).float(),
    st.integers(0, 2**31),
    st.floats(0.005, 0.3),
    st.integers(3, 14),
    st.integers(3, 14),
    st.integers(1, 3),
)
