"""Which parts of a picture a method is shown: the whole, or each hole with its context."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import attrs
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Cell = tuple[int, int]

WHOLE = 2**20  # pixels: pictures up to this size are shown whole to a method that takes any
SPAN = 512  # pixels: in larger ones, holes that together are no longer than this share a window
LARGEST = 2048  # pixels: the longer side of a window that is not scaled down


@attrs.frozen(eq=False)
class Window:
    """A part of a picture: what the method sees, and which pixels it fills there."""

    context: tuple[slice, slice]
    core: tuple[slice, slice]  # within the context, in the picture's own rows and columns
    hole: Mask  # over the core: the pixels that this window fills
    shape: tuple[int, int]  # what the context is resized to; a method tied to a size pads it to the square


def windows(hole: Mask, stride: int = 1, size: int | None = None) -> list[Window]:
    """The windows that together fill every pixel of ``hole`` exactly once; none for an empty hole.

    A picture that the method takes as it is, and one of no more than a megapixel where it takes any, is one window.
    Else holes that lie near one another share a window, with context on each side: 256 to 512 pixels, or half of the
    hole's length for a method tied to a ``size``. A long hole without a thick part, as a wire or scattered dust, is
    filled piece by piece at full resolution; a large thick one is scaled down.
    """
    height, width = hole.shape
    if not hole.any():
        return []
    everything = (slice(0, height), slice(0, width))
    if (height * width <= WHOLE) if size is None else (height == width == size):
        return [Window(everything, everything, hole, hole.shape)]
    span = SPAN if size is None else max(size // 2, 4)
    cell = span // 4
    found = []
    for cells, thin in _groups(hole, span, cell, tile=4 if size else 8):
        core, owned = _owned(hole, cells, cell)
        context, shape = _tied(core, hole.shape, size) if size else _free(core, hole.shape, stride, thin)
        found.append(Window(context, core, owned, shape))
    return found


def up(length: int, stride: int) -> int:
    """The smallest multiple of ``stride`` that is not less than ``length``."""
    return -(-length // stride) * stride


def _groups(hole: Mask, span: int, cell: int, tile: int) -> Iterator[tuple[Collection[Cell], bool]]:
    """Cells of a grid, and whether they are a piece of a thin hole; each cell with hole in it is in one group."""
    occupied = set(_cells(hole, cell))
    solid = set(_cells(~hole, cell, empty=True))
    for component in _components(occupied, reach=2):
        core, _ = _owned(hole, component, cell)
        if _longer(core) <= span:
            yield component, False
            continue
        thick = _near(solid.intersection(component), component)
        yield from ((part, False) for part in _components(thick, reach=1))
        for thin in _components(component - thick, reach=2):
            tiles: dict[Cell, list[Cell]] = {}
            top, left = min(row for row, _ in thin), min(column for _, column in thin)
            for row, column in sorted(thin):
                tiles.setdefault(((row - top) // tile, (column - left) // tile), []).append((row, column))
            yield from ((part, True) for part in tiles.values())


def _cells(mask: Mask, cell: int, empty: bool = False) -> Iterable[Cell]:
    """The cells of the grid that hold a True pixel; with ``empty``, those that hold none."""
    rows, columns = (np.arange(0, length, cell) for length in mask.shape)
    found = np.logical_or.reduceat(np.logical_or.reduceat(mask, rows, axis=0), columns, axis=1)
    return ((int(row), int(column)) for row, column in np.argwhere(found != empty))


def _components(cells: Collection[Cell], reach: int) -> Iterator[set[Cell]]:
    """Cells that are connected by steps of at most ``reach`` in each direction."""
    steps = range(-reach, reach + 1)
    left = set(cells)
    for seed in sorted(left):
        if seed not in left:
            continue
        left.remove(seed)
        component, front = {seed}, [seed]
        while front:
            row, column = front.pop()
            reached = {(row + down, column + right) for down in steps for right in steps} & left
            left -= reached
            component |= reached
            front.extend(reached)
        yield component


def _near(solid: Collection[Cell], component: set[Cell]) -> set[Cell]:
    """The cells of the component within two of a solid one: the thick part with its ragged rim."""
    steps = range(-2, 3)
    return {(row + down, column + right) for row, column in solid for down in steps for right in steps} & component


def _owned(hole: Mask, cells: Collection[Cell], cell: int) -> tuple[tuple[slice, slice], Mask]:
    """The box around the hole's pixels in these cells, and which pixels in that box they are."""
    top, left = min(row for row, _ in cells), min(column for _, column in cells)
    bottom, right = max(row for row, _ in cells) + 1, max(column for _, column in cells) + 1
    grid = np.zeros((bottom - top, right - left), np.bool_)
    for row, column in cells:
        grid[row - top, column - left] = True
    part = hole[top * cell : bottom * cell, left * cell : right * cell]
    part = part & grid.repeat(cell, 0).repeat(cell, 1)[: part.shape[0], : part.shape[1]]
    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    inside = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    core = tuple(
        slice(corner * cell + side.start, corner * cell + side.stop)
        for corner, side in zip((top, left), inside, strict=True)
    )
    return (core[0], core[1]), part[inside]


def _longer(box: tuple[slice, slice]) -> int:
    return int(max(side.stop - side.start for side in box))


def _free(
    core: tuple[slice, slice], picture: tuple[int, ...], stride: int, thin: bool
) -> tuple[tuple[slice, slice], tuple[int, int]]:
    """The context for a method that takes any size. It begins at a multiple of the stride, as the picture does."""
    margin = SPAN // 2 if thin else min(max(_longer(core), SPAN // 2), SPAN)
    sides = []
    for side, length in zip(core, picture, strict=True):
        start = max(side.start - margin, 0) // stride * stride
        sides.append(slice(start, min(start + up(side.stop + margin - start, stride), length)))
    context = (sides[0], sides[1])
    scale = min(1.0, LARGEST / _longer(context))
    return context, _scaled(context, scale)


def _tied(
    core: tuple[slice, slice], picture: tuple[int, ...], size: int
) -> tuple[tuple[slice, slice], tuple[int, int]]:
    """The context for a method that takes one size: a square around the hole, as far as the picture has one."""
    side = min(max(size, 2 * _longer(core)), max(picture))
    sides = []
    for along, length in zip(core, picture, strict=True):
        start = min(max((along.start + along.stop - side) // 2, 0), max(length - side, 0))
        sides.append(slice(start, min(start + side, length)))
    context = (sides[0], sides[1])
    return context, _scaled(context, size / side)


def _scaled(context: tuple[slice, slice], scale: float) -> tuple[int, int]:
    height, width = (max(1, round((side.stop - side.start) * scale)) for side in context)
    return height, width
