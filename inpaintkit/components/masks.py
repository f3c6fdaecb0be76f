"""Mask samplers: a plain function for each kind of hole, and the component that recipes name.

Every function is ``(count, (height, width), rng, *, options) -> masks`` (count, 1, H, W) float32 on ``rng.device``, 1
in the hole and 0 elsewhere. Each mask is drawn independently, and all operations run on the whole batch. A hole that
does not fit into the picture raises :class:`~inpaintkit.core.errors.OptionError`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, ClassVar, Literal, get_args

import attrs
import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor

from ..core.config.checks import checked
from ..core.errors import OptionError
from ..core.interfaces import MaskSampler
from .shapes import axes, below, between, boxes, cubic, near_segment, require_fit, size_text

Size = tuple[int, int]
Side = Annotated[int, Ge(1)]
Count = Annotated[int, Ge(1)]
Share = Annotated[float, Gt(0), Le(1)]  # of the picture's short side
Ratio = Annotated[float, Gt(0), Lt(1)]  # of the picture's pixels
Where = Literal["left", "right", "top", "bottom", "random"]


def center_squares(
    count: int, size: Size, rng: torch.Generator, *, side: int, offset: tuple[int, int] = (0, 0)
) -> Tensor:
    """One square of ``side`` pixels in the middle; where that is not exact, half a pixel toward the top left.

    ``offset`` moves it by whole (rows, columns) from there, down and to the right where positive.
    """
    require_fit("side", side, size)
    corner = [(length - side) // 2 + by for length, by in zip(size, offset, strict=True)]
    if any(not 0 <= at <= length - side for at, length in zip(corner, size, strict=True)):
        fits = [(-((length - side) // 2), (length - side + 1) // 2) for length in size]
        rows, columns = (f"{low} to {high}" for low, high in fits)
        hole = f"a hole of {side} pixels at offset ({offset[0]}, {offset[1]})"
        message = f"{hole} leaves a picture of {size_text(size)} pixels (height x width)"
        raise OptionError(f"{message}: {rows} rows and {columns} columns are possible", ("offset",))
    top, left = (torch.full((count, 1), at, device=rng.device) for at in corner)
    return boxes(top, left, torch.full_like(top, side), torch.full_like(top, side), size)


def random_squares(count: int, size: Size, rng: torch.Generator, *, min: int, max: int) -> Tensor:
    """One square a picture, its side uniform on ``min`` to ``max`` (inclusive), anywhere inside the picture."""
    require_fit("max", max, size)
    side = torch.randint(min, max + 1, (count, 1), generator=rng, device=rng.device)
    top, left = below(size[0] - side + 1, rng), below(size[1] - side + 1, rng)
    return boxes(top, left, side, side, size)


def random_rectangles(
    count: int, size: Size, rng: torch.Generator, *, min: int, max: int, fewest: int = 1, most: int = 1
) -> Tensor:
    """``fewest`` to ``most`` rectangles a picture, which may overlap; height and width independent.

    Each side is uniform on ``min`` to ``max`` (inclusive), each rectangle anywhere inside the picture. One to five of
    them are the "random regular" holes of Zheng et al. 2019, Pluralistic Image Completion.
    """
    require_fit("max", max, size)
    height, width = torch.randint(min, max + 1, (2, count, most), generator=rng, device=rng.device)
    top, left = below(size[0] - height + 1, rng), below(size[1] - width + 1, rng)
    drawn = torch.randint(fewest, most + 1, (count, 1), generator=rng, device=rng.device)
    height = height * (torch.arange(most, device=rng.device) < drawn)  # a rectangle of no height covers nothing
    return boxes(top, left, height, width, size)


def strokes(
    count: int,
    size: Size,
    rng: torch.Generator,
    *,
    min_width: float = 0.05,
    max_width: float = 0.15,
    max_length: float = 0.4,
    fewest: int = 1,
    most: int = 4,
    min_vertices: int = 4,
    max_vertices: int = 12,
) -> Tensor:
    """``fewest`` to ``most`` free-form brush strokes a picture, after Yu et al. 2019 (Free-Form Image Inpainting with
    Gated Convolution), algorithm 1.

    A stroke starts anywhere, has ``min_vertices`` to ``max_vertices`` straight pieces up to ``max_length`` long and one
    width between ``min_width`` and ``max_width`` (shares of the short side), with round joints. Consecutive pieces turn
    to alternating sides. Differs: where a piece would leave the picture, it ends at the border.
    """
    device, extent = rng.device, torch.tensor(size, device=rng.device, dtype=torch.float32)
    short = float(min(size))
    shape = (count, most)
    tip = torch.rand((*shape, 2), generator=rng, device=device) * (extent - 1)
    radius = short / 2 * between(min_width, max_width, shape, rng)
    pieces = torch.randint(min_vertices, max_vertices + 1, shape, generator=rng, device=device)
    painted = torch.arange(most, device=device) < torch.randint(
        fewest, most + 1, (count, 1), generator=rng, device=device
    )
    lean = 2 * math.pi * torch.rand(shape, generator=rng, device=device)
    rows, columns = axes(size, device)
    hole = torch.zeros((count, *size), dtype=torch.bool, device=device)
    for piece in range(max_vertices):
        turn = (-1) ** piece * between(0.0, 2.0, shape, rng)
        length = short * max_length * torch.rand(shape, generator=rng, device=device)
        heading = torch.stack([(lean + turn).sin(), (lean + turn).cos()], dim=-1)
        end = torch.minimum((tip + length[..., None] * heading).clamp_min(0), extent - 1)
        active = painted & (pieces > piece)
        reach = torch.where(active, radius.clamp_min(0.5), -1.0)  # half a pixel: the thinnest stroke hides its own path
        for stroke in range(most):
            # Fewer than half of all pieces are drawn: the CPU skips the rest; a GPU would have to synchronize for it.
            mine = active[:, stroke].nonzero()[:, 0] if device.type == "cpu" else slice(None)
            hole[mine] |= near_segment(rows, columns, tip[mine, stroke], end[mine, stroke], reach[mine, stroke])
        tip = end
    return hole[:, None].float()


def random_pixels(count: int, size: Size, rng: torch.Generator, *, ratio: float) -> Tensor:
    """Single pixels everywhere: exactly ``round(ratio * H * W)`` of them, at least 1 (Yeh et al. 2017 hide 80 %)."""
    total = size[0] * size[1]
    ranks = torch.rand((count, total), generator=rng, device=rng.device).argsort(dim=1)
    return (ranks < _hidden(ratio, total)).float().view(count, 1, *size)


def random_pattern(
    count: int, size: Size, rng: torch.Generator, *, ratio: float = 0.25, resolution: float = 0.06
) -> Tensor:
    """Random blobs that hide ``ratio`` of each picture, after the "random region" of Pathak et al. 2016 (Context
    Encoders): uniform noise at ``resolution`` samples a pixel, enlarged by bicubic interpolation, cropped at random and
    thresholded.

    Differs: instead of a fixed threshold and drawing again until the share is near, the threshold is each picture's own
    quantile, so that exactly ``round(ratio * H * W)`` pixels are hidden.
    """
    weights, cells = [], []
    for length in size:
        cells.append(math.ceil((length - 1) * resolution) + 5)  # one more for the phase, three for the kernel's reach
        phase = torch.rand((count, 1), generator=rng, device=rng.device)
        at = 1 + phase + resolution * torch.arange(length, device=rng.device)
        weights.append(cubic(at[..., None] - torch.arange(cells[-1], device=rng.device)))
    noise = torch.rand((count, *cells), generator=rng, device=rng.device)
    field = (weights[0] @ noise @ weights[1].mT).flatten(1)
    lowest = field.topk(_hidden(ratio, field.shape[1]), dim=1, largest=False).indices
    return torch.zeros_like(field).scatter_(1, lowest, 1.0).view(count, 1, *size)


def halves(count: int, size: Size, rng: torch.Generator, *, side: Where = "random") -> Tensor:
    """One half of the picture: the ``left``, ``right``, ``top`` or ``bottom``, or one of the four at random for each.

    Of an odd number of rows or columns the hole takes the smaller half.
    """
    height, width = size
    require_fit("side", 2, size, what="two halves")
    rows, columns = axes(size, rng.device)
    left, top = (columns < width // 2).expand(size), (rows < height // 2).expand(size)
    four = torch.stack([left, left.flip(1), top, top.flip(0)])
    if side == "random":
        which = torch.randint(4, (count,), generator=rng, device=rng.device)
    else:
        which = torch.full((count,), get_args(Where).index(side), device=rng.device)
    return four[which][:, None].float()


def outpainting_frames(count: int, size: Size, rng: torch.Generator, *, border: float = 0.25) -> Tensor:
    """A frame along all four edges, ``border`` of the height above and below and of the width left and right."""
    thick = [max(1, round(border * length)) for length in size]
    if any(2 * frame >= length for frame, length in zip(thick, size, strict=True)):
        frame = f"a frame of {thick[0]} rows and {thick[1]} columns"
        raise OptionError(f"{frame} leaves nothing of a picture of {size_text(size)} pixels", ("border",))
    hole = torch.ones((count, 1, *size), device=rng.device)
    hole[..., thick[0] : size[0] - thick[0], thick[1] : size[1] - thick[1]] = 0
    return hole


@attrs.frozen
class Drawn(MaskSampler):
    """Base of the samplers that pass their options to a function."""

    draw: ClassVar[Callable[..., Tensor]]
    ordered: ClassVar[tuple[tuple[str, str], ...]] = ()  # pairs of options: the first must not be larger

    def __attrs_post_init__(self) -> None:
        pairs = [(low, getattr(self, low), high, getattr(self, high)) for low, high in self.ordered]
        wrong = [OptionError(f"{low} ({a}) is larger than {high} ({b})", (low,)) for low, a, high, b in pairs if a > b]
        if wrong:
            raise OptionError.join(wrong)

    def __call__(self, count: int, size: Size, rng: torch.Generator) -> Tensor:
        return self.draw(count, size, rng, **attrs.asdict(self))


@checked
@attrs.frozen
class CenterSquare(Drawn):
    """:func:`center_squares` of ``side`` pixels, moved by ``offset``: [rows, columns], down and right are positive."""

    draw = staticmethod(center_squares)
    added: ClassVar[tuple[str, ...]] = ("offset",)

    side: Side
    offset: tuple[int, int] = (0, 0)


@checked
@attrs.frozen
class RandomSquare(Drawn):
    """:func:`random_squares` of ``min`` to ``max`` pixels."""

    draw = staticmethod(random_squares)
    ordered = (("min", "max"),)

    min: Side
    max: Side


@checked
@attrs.frozen
class RandomRectangles(Drawn):
    """:func:`random_rectangles`: ``fewest`` to ``most`` of them, sides of ``min`` to ``max`` pixels."""

    draw = staticmethod(random_rectangles)
    ordered = (("min", "max"), ("fewest", "most"))

    min: Side
    max: Side
    fewest: Count = 1
    most: Count = 1


@checked
@attrs.frozen
class Strokes(Drawn):
    """Free-form :func:`strokes`; widths and lengths are shares of the picture's short side."""

    draw = staticmethod(strokes)
    ordered = (("min_width", "max_width"), ("fewest", "most"), ("min_vertices", "max_vertices"))

    min_width: Share = 0.05
    max_width: Share = 0.15
    max_length: Share = 0.4
    fewest: Count = 1
    most: Count = 4
    min_vertices: Count = 4
    max_vertices: Count = 12


@checked
@attrs.frozen
class RandomPixels(Drawn):
    """:func:`random_pixels`, ``ratio`` of the picture."""

    draw = staticmethod(random_pixels)

    ratio: Ratio


@checked
@attrs.frozen
class RandomPattern(Drawn):
    """:func:`random_pattern`: blobs that hide ``ratio`` of the picture; a finer ``resolution`` makes smaller ones."""

    draw = staticmethod(random_pattern)

    ratio: Ratio = 0.25
    resolution: Annotated[float, Gt(0), Le(1)] = 0.06


@checked
@attrs.frozen
class Half(Drawn):
    """:func:`halves`: the ``left``, ``right``, ``top`` or ``bottom`` half, or one at ``random`` for each picture."""

    draw = staticmethod(halves)

    side: Where = "random"


@checked
@attrs.frozen
class Outpainting(Drawn):
    """:func:`outpainting_frames`: everything is hidden but the middle; ``border`` is the share of each side."""

    draw = staticmethod(outpainting_frames)

    border: Annotated[float, Gt(0), Lt(0.5)] = 0.25


def _hidden(ratio: float, total: int) -> int:
    return max(1, round(ratio * total))
