"""Splits a large picture into windows around its holes; a small picture is one window."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..runtime import round_up
from .masks import grown

Mask = NDArray[np.bool_]
Box = tuple[slice, slice]
Cells = NDArray[np.int64]  # (n, 2): rows and columns of a coarse grid

FULL_FRAME = 2**20  # pixels: pictures up to this size are shown in full to a method that takes any size
SPAN = 512  # pixels: in larger pictures, neighboring holes share a window if it need not be larger than this
LARGEST = 2048  # pixels: windows with a longer side are scaled down


@attrs.frozen(eq=False)
class Window:
    """A part of a picture: what the method sees, and which pixels it fills there."""

    context: Box
    core: Box  # within the context, in the picture's own rows and columns
    hole: Mask  # over the core: the pixels that this window fills
    shape: tuple[int, int]  # what the context is resized to; a method tied to a size pads it to the square


def windows(hole: Mask, stride: int = 1, size: int | None = None) -> list[Window]:
    """The windows that together fill every pixel of ``hole`` exactly once; none for an empty hole.

    A picture of the method's ``size``, or of up to a megapixel if the method takes any size, is one window. In other
    pictures holes that are near one another share a window, with context on each side: 256 to 512 pixels, or half of
    the hole's length for a method tied to a ``size``. A long thin hole, such as a wire or scattered dust, is filled
    piece by piece at full resolution; a large thick one is scaled down.
    """
    height, width = hole.shape
    if not hole.any():
        return []
    everything = (slice(0, height), slice(0, width))
    if (height * width <= FULL_FRAME) if size is None else (height == width == size):
        return [Window(everything, everything, hole, hole.shape)]
    span = SPAN if size is None else max(size // 2, 4)
    cell = span // 4
    found = []
    for cells, thin in _groups(hole, span, cell, tile=4 if size else 8):
        core, owned = _owned(hole, cells, cell)
        context, shape = _context(core, hole.shape, stride, size, thin)
        found.append(Window(context, core, owned, shape))
    return found


def _groups(hole: Mask, span: int, cell: int, tile: int) -> Iterator[tuple[Cells, bool]]:
    """Groups of grid cells, and whether each is a piece of a thin hole; each cell with hole is in one group."""
    solid = ~_any(~hole, cell)
    for component in _components(_any(hole, cell), reach=2):
        core, _ = _owned(hole, component, cell)
        if _longer(core) <= span:
            yield component, False
            continue
        corner, inside = _grid(component)
        rows, columns = inside.shape
        thick = grown(inside & solid[corner[0] : corner[0] + rows, corner[1] : corner[1] + columns], 2) & inside
        yield from ((part + corner, False) for part in _components(thick, reach=1))
        for thin in _components(inside & ~thick, reach=2):
            tiles = (thin - thin.min(0)) // tile
            number = tiles[:, 0] * (tiles[:, 1].max() + 1) + tiles[:, 1]
            yield from ((thin[number == which] + corner, True) for which in np.unique(number))


def _any(mask: Mask, cell: int) -> Mask:
    """For each cell of a grid, whether the mask has a True pixel in it."""
    rows, columns = (np.arange(0, length, cell) for length in mask.shape)
    found: Mask = np.logical_or.reduceat(np.logical_or.reduceat(mask, rows, axis=0), columns, axis=1)
    return found


def _components(grid: Mask, reach: int) -> Iterator[Cells]:
    """Groups of True cells that are connected by steps of at most ``reach``, 1 or 2, in each direction."""
    # cells of 2 x 2 touch where single ones have a gap of one between them
    labels, _ = ndimage.label(ndimage.maximum_filter(grid, reach, mode="constant"), np.ones((3, 3)))
    labels *= grid
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        yield np.argwhere(labels[box] == number) + [side.start for side in box]


def _grid(cells: Cells) -> tuple[Cells, Mask]:
    """The first row and column of the cells, and a boolean grid of the cells from there."""
    corner = cells.min(0)
    rows, columns = (cells - corner).T
    grid = np.zeros((rows.max() + 1, columns.max() + 1), np.bool_)
    grid[rows, columns] = True
    return corner, grid


def _owned(hole: Mask, cells: Cells, cell: int) -> tuple[Box, Mask]:
    """The bounding box of the hole's pixels in these cells, and which pixels of the box they are."""
    corner, grid = _grid(cells)
    top, left = (int(each) * cell for each in corner)
    inside = grid.repeat(cell, 0).repeat(cell, 1)
    part = hole[top : top + inside.shape[0], left : left + inside.shape[1]]
    part = part & inside[: part.shape[0], : part.shape[1]]
    rows, columns = (np.flatnonzero(part.any(axis)) for axis in (1, 0))
    first, last, start, end = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return (slice(top + first, top + last), slice(left + start, left + end)), part[first:last, start:end]


def _longer(box: Box) -> int:
    return int(max(side.stop - side.start for side in box))


def _context(
    core: Box, picture: tuple[int, ...], stride: int, size: int | None, thin: bool
) -> tuple[Box, tuple[int, int]]:
    """What is shown of a picture around the hole, and the height and width that it is resized to.

    To a method tied to a size a square around the hole, cut off at the picture's border; to others a part with a margin
    that begins at a multiple of the stride.
    """
    sides = []
    if size is not None:
        square = min(max(size, 2 * _longer(core)), max(picture))
        scale = size / square
        for along, length in zip(core, picture, strict=True):
            start = min(max((along.start + along.stop - square) // 2, 0), max(length - square, 0))
            sides.append(slice(start, min(start + square, length)))
    else:
        margin = SPAN // 2 if thin else min(max(_longer(core), SPAN // 2), SPAN)
        for along, length in zip(core, picture, strict=True):
            start = max(along.start - margin, 0) // stride * stride
            sides.append(slice(start, min(start + round_up(along.stop + margin - start, stride), length)))
        scale = min(1.0, LARGEST / _longer((sides[0], sides[1])))
    height, width = (max(1, round((side.stop - side.start) * scale)) for side in sides)
    return (sides[0], sides[1]), (height, width)
