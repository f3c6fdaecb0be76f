"""One picture and its hole, or many: windows of one shape go through a method together, and back into the holes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image
from torch import Tensor
from torch.nn import functional

from ..components.blending import Blend
from ..core.errors import OptionError
from ..core.interfaces import Method, composite
from ..runtime import HIDDEN, draw_padded, random_numbers, reflect_to, sheet
from .masks import grown, read_mask
from .rasters import Raster, read_raster
from .windows import Window, windows

AT_ONCE = 2**22  # pixels: a batch is no larger than this, unless a single window is
SHOWN = 512  # pixels: the sides of pictures on a sheet, at most


@attrs.define(eq=False)
class Job:
    """One picture, its hole, and what went wrong with it."""

    name: str
    picture: Raster
    hole: NDArray[np.bool_]
    error: str = ""

    @classmethod
    def of(cls, name: str, image: Any, mask: Any, grow: int = 0, threshold: float = 0.5) -> Job:
        """Raises an OptionError that names the picture (unless ``name`` is empty) when it, or its mask, is no use."""
        head = f"{name}: " if name else ""
        try:
            picture = read_raster(image)
            hole = read_mask(mask, threshold)
        except OptionError as error:
            raise OptionError(f"{head}{error}") from error
        (height, width), (rows, columns) = picture.size, hole.shape
        if picture.size != hole.shape:
            message = f"{head}the picture is {width} x {height} (width x height) and its mask {columns} x {rows}"
            if isinstance(image, Image.Image) and image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
                message += ": its EXIF orientation is not applied, see PIL.ImageOps.exif_transpose"
            raise OptionError(message)
        hole = grown(hole, grow)
        if wrong := picture.check_range(hole):
            raise OptionError(f"{head}{wrong}")
        return cls(name, picture, hole)

    def again(self) -> Job:
        """The same picture and hole, to be filled another time."""
        return attrs.evolve(self, picture=attrs.evolve(self.picture, filled=self.picture.values.copy()), error="")


def complete(
    method: Method,
    jobs: Sequence[Job],
    batch: int,
    seed: int = 0,
    device: torch.device | str | None = None,
    blend: Blend | None = None,
    several: bool = False,
) -> None:
    """Fills the pictures of all jobs, windows of one shape together; a job that fails says so in its ``error``.

    What a method draws at random begins at ``seed``.
    """
    by_shape: dict[tuple[int, int], list[tuple[Job, Window]]] = {}
    for job in jobs:
        for window in windows(job.hole, method.stride, method.size):
            by_shape.setdefault(window.shape, []).append((job, window))
    if device is None:
        place = next(chain(method.parameters(), method.buffers()), torch.zeros(0)).device
    else:
        place = torch.device(device)
        method.to(place)
    rng = random_numbers(method, seed, place, several)
    for (height, width), work in by_shape.items():
        count = max(1, min(batch, AT_ONCE // (height * width)))
        for start in range(0, len(work), count):
            part = work[start : start + count]
            shown = [show(job, window, method.size) for job, window in part]
            masked, mask = (torch.stack(each).to(place) for each in zip(*shown, strict=True))
            output = draw_padded(method, masked, mask, rng)
            output, masked, mask = (each[..., :height, :width] for each in (output, masked, mask))
            drawn = (blend or composite)(output, masked, mask).cpu()
            for (job, window), picture in zip(part, drawn, strict=True):
                paste(job, window, picture)


def answers(
    method: Method,
    jobs: Sequence[Job],
    samples: int | None,
    batch: int,
    seed: int = 0,
    device: torch.device | str | None = None,
    blend: Blend | None = None,
) -> list[list[Job]]:
    """The answer to each job; or several, of which the k-th, counted from 0, is drawn at random from ``seed + k``."""
    if samples is None:
        complete(method, jobs, batch, seed, device, blend)
        return [[job] for job in jobs]
    found = [[job, *(job.again() for _ in range(samples - 1))] for job in jobs]
    for at in range(samples):
        complete(method, [each[at] for each in found], batch, seed + at, device, blend, several=True)
    return found


def require_random(method: Method) -> None:
    """Raises an OptionError for a method that has one answer to each hole, and no more."""
    if method.randomness == "none":
        name = type(method).__name__
        raise OptionError(f"{name} draws only one answer to each hole: leave samples out", ("samples",))


def show(job: Job, window: Window, size: int | None) -> tuple[Tensor, Tensor]:
    """What the method sees of a window: ``masked`` (3, h, w) and ``mask`` (1, h, w)."""
    mask = torch.from_numpy(job.hole[window.context].astype(np.float32))[None, None]
    rgb = torch.from_numpy(job.picture.rgb(window.context)).permute(2, 0, 1)[None]
    masked = (rgb * 2 - 1).masked_fill_(mask.bool(), 0)  # before any resize: nothing hidden can bleed out
    height, width = window.shape
    if height < masked.shape[-2] or width < masked.shape[-1]:
        masked = functional.adaptive_avg_pool2d(masked, window.shape)  # the mean of a pixel's footprint, and its
        mask = functional.adaptive_max_pool2d(mask, window.shape)  # maximum: the two look at exactly the same pixels
    elif window.shape != masked.shape[-2:]:
        masked = functional.interpolate(masked, window.shape, mode="bilinear")
        mask = (functional.interpolate(mask, window.shape, mode="bilinear") > 0).float()
    masked = masked.masked_fill(mask.bool(), 0)
    if size is not None:
        masked, mask = reflect_to(masked, size, size), reflect_to(mask, size, size)
    return masked[0], mask[0]


def paste(job: Job, window: Window, drawn: Tensor) -> None:
    """Writes the completed window (3, h, w), scaled back if it was scaled, into the hole's pixels that are its own."""
    if bad := int((~drawn.isfinite()).any(0).sum()):
        head = f"{job.name}: " if job.name else ""
        job.error = f"{head}what the method drew is NaN or infinite in {bad} of its pixels, so it is not filled"
        return
    top, left = (side.start for side in window.context)
    bottom, right = (side.stop for side in window.context)
    if drawn.shape[-2:] != (bottom - top, right - left):
        size = (bottom - top, right - left)
        drawn = functional.interpolate(drawn[None], size, mode="bicubic", antialias=True)[0]
    rows, columns = window.core
    core = drawn[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    job.picture.paste(window.core, ((core + 1) / 2).permute(1, 2, 0).numpy(), window.hole)


def answer_sheet(jobs: Sequence[Job], largest: int = SHOWN) -> Image.Image:
    """The masked picture and the answers to its hole, side by side; each made smaller to at most ``largest`` pixels."""
    first = jobs[0]
    rgb = first.picture.rgb((slice(None), slice(None)))
    columns = {"masked": np.where(first.hole[..., None], np.float32((HIDDEN + 1) / 2), rgb)}
    columns |= {str(number): job.picture.decode(job.picture.filled) for number, job in enumerate(jobs, 1)}
    tiles = {name: torch.from_numpy(column).permute(2, 0, 1)[None] * 2 - 1 for name, column in columns.items()}
    height, width = first.picture.size
    if (scale := largest / max(height, width)) < 1:
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        tiles = {
            name: functional.interpolate(tile, size, mode="bilinear", antialias=True) for name, tile in tiles.items()
        }
    return sheet(tiles)
