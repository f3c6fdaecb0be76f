"""MaskedImage: crops windows of a picture for the method, and pastes the method's output into the hole."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image
from torch import Tensor
from torch.nn import functional

from ..core.errors import OptionError
from ..core.interfaces import Method
from ..runtime import HOLE_GRAY, Execution, inpaint_padded, pad_by_reflection, random_numbers, sheet
from .holes import Box, Color
from .masks import grown, read_mask
from .options import FillOptions
from .picture_files import sizes_differ
from .rasters import Raster, read_raster
from .windows import Window, windows

MAX_BATCH_PIXELS = 2**22  # a batch has no more pixels than this, unless a single window has
SHEET_SIDE = 512  # pixels: pictures on a sheet are scaled down to this


@attrs.define(eq=False)
class MaskedImage:
    """One picture, its hole, and why it could not be filled.

    Attributes:
        hole: (H, W), True in the hole.
        unknown: (H, W), True where the method is shown nothing: the hole, and what is fully transparent.
        error: empty unless the method drew something that cannot be used.
    """

    raster: Raster
    hole: NDArray[np.bool_]
    unknown: NDArray[np.bool_]
    error: str = ""

    @classmethod
    def read(cls, image: Any, mask: Any, options: FillOptions) -> MaskedImage:
        """Reads a picture and its mask.

        Raises:
            OptionError: the picture or the mask cannot be used.
        """
        raster = read_raster(image)
        hole = mask.hole(raster) if isinstance(mask, Box | Color) else read_mask(mask, options.threshold)
        (height, width, _), (rows, columns) = raster.values.shape, hole.shape
        if (height, width) != (rows, columns):
            message = sizes_differ((width, height), (columns, rows))
            if isinstance(image, Image.Image) and image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
                message += ": its EXIF orientation is not applied, see PIL.ImageOps.exif_transpose"
            raise OptionError(message)
        hole = grown(hole, options.grow)
        unknown = hole | raster.transparent()
        if unknown.all():  # colors that nobody sees are better than none
            unknown = hole
        if wrong := raster.check_range(unknown):
            raise OptionError(wrong)
        raster.gray = raster.is_gray(unknown)
        return cls(raster, hole, unknown)

    def copy(self) -> MaskedImage:
        """The same picture and hole, not yet filled."""
        raster = copy(self.raster)
        raster.filled = raster.values.copy()
        return MaskedImage(raster, self.hole, self.unknown)

    def crop(self, window: Window, size: int | None) -> tuple[Tensor, Tensor]:
        """What the method sees of a window: ``masked`` (3, h, w) and ``mask`` (1, h, w)."""
        mask = torch.from_numpy(self.unknown[window.context].astype(np.float32))[None, None]
        rgb = torch.from_numpy(self.raster.decode(self.raster.values[window.context])).permute(2, 0, 1)[None]
        masked = (rgb * 2 - 1).masked_fill_(mask.bool(), 0)  # before resizing, so that no hidden pixel leaks out
        height, width = window.shape
        if height < masked.shape[-2] or width < masked.shape[-1]:
            # mean and maximum over the same pixels: a scaled pixel is hole if any of its pixels is
            masked = functional.adaptive_avg_pool2d(masked, window.shape)
            mask = functional.adaptive_max_pool2d(mask, window.shape)
        elif window.shape != masked.shape[-2:]:
            masked = functional.interpolate(masked, window.shape, mode="bilinear")
            mask = (functional.interpolate(mask, window.shape, mode="bilinear") > 0).float()
        masked = masked.masked_fill(mask.bool(), 0)
        if size is not None:
            masked, mask = pad_by_reflection(masked, size, size), pad_by_reflection(mask, size, size)
        return masked[0], mask[0]

    def paste(self, window: Window, completed: Tensor) -> None:
        """Writes a completed window (3, h, w), scaled back if it was scaled, into the pixels that the window fills."""
        if bad := int((~completed.isfinite()).any(0).sum()):
            self.error = f"the output of the method is NaN or infinite in {bad} of its pixels, so it is not filled"
            return
        top, left = (side.start for side in window.context)
        bottom, right = (side.stop for side in window.context)
        size = (bottom - top, right - left)
        if completed.shape[-2:] != size:
            completed = functional.interpolate(completed[None], size, mode="bicubic", antialias=True)[0]
        rows, columns = window.core
        core = completed[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        self.raster.paste(window.core, ((core + 1) / 2).permute(1, 2, 0).numpy(), window.hole)

    def result(self) -> Any:
        """The filled picture, of the kind that was read."""
        return self.raster.result()


def fill_images(
    method: Method, images: Sequence[MaskedImage], options: FillOptions, execution: Execution, samples: int | None
) -> list[list[MaskedImage]]:
    """The answers to each picture; one that failed has an ``error``.

    With ``samples`` None there is one answer, drawn from ``options.seed``. Else there are so many, the k-th (from 0)
    drawn from ``options.seed + k``, and methods that draw at random on request do so.
    """
    method.to(execution.device)
    answers = [[image, *(image.copy() for _ in range((samples or 1) - 1))] for image in images]
    for number in range(samples or 1):
        rng = random_numbers(method, options.seed + number, execution.device, several=samples is not None)
        _fill_windows(method, [each[number] for each in answers], execution, rng)
    return answers


def _fill_windows(
    method: Method, images: Sequence[MaskedImage], execution: Execution, rng: torch.Generator | None
) -> None:
    """Fills all pictures, windows of one shape together."""
    by_shape: dict[tuple[int, int], list[tuple[MaskedImage, Window]]] = {}
    for image in images:
        for window in windows(image.hole, method.stride, method.size):
            by_shape.setdefault(window.shape, []).append((image, window))
    for (height, width), work in by_shape.items():
        count = max(1, min(execution.batch, MAX_BATCH_PIXELS // (height * width)))
        for start in range(0, len(work), count):
            part = work[start : start + count]
            crops = [image.crop(window, method.size) for image, window in part]
            masked, mask = (torch.stack(each).to(execution.device) for each in zip(*crops, strict=True))
            completed = inpaint_padded(method, masked, mask, rng)[..., :height, :width].cpu()
            for (image, window), each in zip(part, completed, strict=True):
                image.paste(window, each)


def answer_sheet(answers: Sequence[MaskedImage]) -> Image.Image:
    """The masked picture and the answers to its hole, side by side, scaled down to at most 512 pixels."""
    raster, hole = answers[0].raster, answers[0].hole
    columns = {"masked": np.where(hole[..., None], np.float32((HOLE_GRAY + 1) / 2), raster.decode(raster.values))}
    columns |= {str(number): each.raster.decode(each.raster.filled) for number, each in enumerate(answers, 1)}
    tiles = {name: torch.from_numpy(column).permute(2, 0, 1)[None] * 2 - 1 for name, column in columns.items()}
    scale = SHEET_SIDE / max(hole.shape)
    if scale < 1:
        size = [max(1, round(side * scale)) for side in hole.shape]
        tiles = {
            name: functional.interpolate(tile, size, mode="bilinear", antialias=True) for name, tile in tiles.items()
        }
    return sheet(tiles)
