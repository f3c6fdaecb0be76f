"""Fill the holes of any picture with any method, and keep every known pixel as it is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeVar, overload

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image
from torch import Tensor
from torch.nn import functional

from .errors import NonFiniteError, OptionError, OptionErrors
from .holes import grown, read_mask
from .padding import inpaint_padded as inpaint_padded
from .padding import reflect_to
from .rasters import Raster, read_raster
from .types import Method
from .windows import Window, windows

Mask = Image.Image | NDArray[Any] | Tensor
Kind = TypeVar("Kind", Image.Image, NDArray[Any], Tensor)

AT_ONCE = 2**22  # pixels: a batch is no larger than this, unless a single window is


@overload
def fill(
    method: Method,
    image: Kind,
    mask: Mask | Sequence[Mask],
    *,
    grow: int = 0,
    batch: int = 8,
    threshold: float = 0.5,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> Kind: ...
@overload
def fill(
    method: Method,
    image: Sequence[Kind],
    mask: Mask | Sequence[Mask],
    *,
    grow: int = 0,
    batch: int = 8,
    threshold: float = 0.5,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> list[Kind]: ...
def fill(
    method: Method,
    image: Any,
    mask: Mask | Sequence[Mask],
    *,
    grow: int = 0,
    batch: int = 8,
    threshold: float = 0.5,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> Any:
    """Fill the hole of one picture, or of several; what comes back is of the kind that came.

    Known pixels come back bit by bit, in the picture's own representation; so do mode, depth, alpha, palette and color
    profile. The method is shown the picture with the hole blanked, padded to its ``stride``. When the method is tied to
    a ``size``, or the picture is larger than a megapixel, it is shown the parts around the holes instead; a part that
    has to be scaled is blanked before, every resized pixel that touches the hole is hole, and what was drawn is scaled
    back inside the hole only. An empty mask gives the picture back; in an all-hole one the method sees blanks alone.

    Args:
        method: a method, as :func:`inpaintkit.load` returns it.
        image: a PIL image (1, L, LA, P, RGB, RGBA, RGBX, CMYK, YCbCr, HSV, I;16, I, F); an array (H, W) or (H, W, C);
            a tensor (H, W) or (C, H, W); with a leading axis, a batch of these; or a list. C is 1 (gray), 2 (gray and
            alpha), 3 (RGB) or 4 (RGB and alpha). uint8 and uint16 hold their full range, floats are in [0, 1].
            A PIL image is taken as its pixels lie, whatever its EXIF orientation says; ``fill_files`` turns it upright.
        mask: of the same height and width, white (True, 1, 255) in the hole; any PIL mode, array or tensor
            (:func:`inpaintkit.holes.read_mask`). One for all pictures, or one for each.
        grow: dilate the mask by so many pixels first, in every direction.
        batch: how many windows of one size the method is given at once, at most (and no more than 4 megapixels).
        threshold: the part of white above which a mask is hole.
        seed: of a method that draws at random: the same call gives the same picture, another seed another one.
        device: where to work, the method is moved there; by default where its parameters are, or on the CPU if it has
            none.

    Raises:
        OptionError, OptionErrors: what is wrong with the pictures, masks and options, all together.
        NonFiniteError: the method drew NaN or infinity; nothing is returned.

    >>> class White(Method):
    ...     def inpaint(self, masked, mask):
    ...         return torch.ones_like(masked)
    >>> fill(White(), np.array([[10, 20, 30]], np.uint8), np.array([[False, True, False]]))
    array([[ 10, 255,  30]], dtype=uint8)
    >>> picture = fill(White(), Image.new("RGBA", (3, 1), (9, 8, 7, 6)), Image.new("1", (3, 1), 1))
    >>> picture.mode, picture.getpixel((0, 0))
    ('RGBA', (255, 255, 255, 6))
    """
    check_options(grow, batch, threshold)
    pictures = several(image)
    named = [("image", image)] if pictures is None else [(f"image {at}", each) for at, each in enumerate(pictures)]
    masks = several(mask, pictures) or [mask]
    masks = masks * len(named) if len(masks) == 1 else masks
    if len(named) != len(masks):
        raise OptionError(f"there are {len(named)} pictures and {len(masks)} masks: give one mask, or one for each")
    jobs: list[Job] = []
    problems: list[OptionError] = []
    for (name, each), its_mask in zip(named, masks, strict=True):
        try:
            jobs.append(Job.of(name, each, its_mask, grow, threshold))
        except OptionError as error:
            problems.append(error)
    if problems:
        raise problems[0] if len(problems) == 1 else OptionErrors(problems)
    complete(method, jobs, batch, seed, device)
    if failed := [job.error for job in jobs if job.error]:
        raise NonFiniteError("\n".join(failed))
    results = [job.picture.result() for job in jobs]
    if pictures is None:
        return results[0]
    if isinstance(image, Tensor):
        return torch.stack(results) if results else image.clone()
    if isinstance(image, np.ndarray):
        return np.stack(results) if results else image.copy()
    return results


def check_options(grow: int, batch: int, threshold: float) -> None:
    """Raises an OptionErrors that names every option out of its range."""
    problems = [
        OptionError(f"{name} is {value!r}: a whole number, at least {least}, is needed", (name,))
        for name, value, least in (("grow", grow, 0), ("batch", batch, 1))
        if isinstance(value, bool) or not isinstance(value, int) or value < least
    ]
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold < 1:
        problems.append(OptionError(f"threshold is {threshold!r}: a number from 0 to below 1 is due", ("threshold",)))
    if problems:
        raise OptionErrors(problems)


def several(given: Any, pictures: Sequence[Any] | None = None) -> list[Any] | None:
    """The members of a list or a batch; None for a single picture, or for a single mask of all ``pictures``."""
    if isinstance(given, list | tuple):
        return list(given)
    if not isinstance(given, np.ndarray | Tensor):
        return None
    if given.ndim == 4:
        return list(given)
    if given.ndim == 3 and pictures and len(given) == len(pictures) and hasattr(pictures[0], "shape"):
        shape = tuple(pictures[0].shape)
        size = shape[:2] if isinstance(pictures[0], np.ndarray) else shape[-2:]
        return list(given) if tuple(given.shape[1:]) == size else None
    return None


@attrs.define(eq=False)
class Job:
    """One picture, its hole, and what went wrong with it."""

    name: str
    picture: Raster
    hole: NDArray[np.bool_]
    error: str = ""

    @classmethod
    def of(cls, name: str, image: Any, mask: Any, grow: int = 0, threshold: float = 0.5) -> Job:
        """Raises an OptionError that names the picture when it, or its mask, cannot be used."""
        try:
            picture = read_raster(image)
            hole = read_mask(mask, threshold)
        except OptionError as error:
            raise OptionError(f"{name}: {error}") from error
        (height, width), (rows, columns) = picture.size, hole.shape
        if picture.size != hole.shape:
            message = f"{name}: the picture is {width} x {height} (width x height) and its mask {columns} x {rows}"
            if isinstance(image, Image.Image) and image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
                message += ": its EXIF orientation is not applied, see PIL.ImageOps.exif_transpose"
            raise OptionError(message)
        hole = grown(hole, grow)
        if wrong := picture.check_range(hole):
            raise OptionError(f"{name}: {wrong}")
        return cls(name, picture, hole)


def complete(
    method: Method, jobs: Sequence[Job], batch: int, seed: int = 0, device: torch.device | str | None = None
) -> None:
    """Fills the pictures of all jobs, windows of one shape together; a job that fails says so in its ``error``.

    What a method draws at random begins at ``seed``; the caller's own random numbers stay where they are.
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
    with torch.random.fork_rng([place] if place.type == "cuda" else []):
        torch.manual_seed(seed)
        for (height, width), work in by_shape.items():
            count = max(1, min(batch, AT_ONCE // (height * width)))
            for start in range(0, len(work), count):
                part = work[start : start + count]
                shown = [show(job, window, method.size) for job, window in part]
                masked, mask = (torch.stack(each).to(place) for each in zip(*shown, strict=True))
                drawn = inpaint_padded(method, masked, mask).cpu()
                for (job, window), picture in zip(part, drawn, strict=True):
                    paste(job, window, picture[:, :height, :width])


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
        job.error = f"{job.name}: what the method drew is NaN or infinite in {bad} of its pixels, so it is not filled"
        return
    top, left = (side.start for side in window.context)
    bottom, right = (side.stop for side in window.context)
    if drawn.shape[-2:] != (bottom - top, right - left):
        size = (bottom - top, right - left)
        drawn = functional.interpolate(drawn[None], size, mode="bicubic", antialias=True)[0]
    rows, columns = window.core
    core = drawn[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    job.picture.paste(window.core, ((core + 1) / 2).permute(1, 2, 0).numpy(), window.hole)
