"""Fill the holes of any picture with any method, and keep every known pixel as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypedDict, TypeVar, Unpack, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..components.blending import find_blend
from ..core.errors import NonFiniteError, OptionError
from ..core.interfaces import Method
from .job import Job, answers, require_random

Mask = Image.Image | NDArray[Any] | Tensor
Kind = TypeVar("Kind", Image.Image, NDArray[Any], Tensor)


class FillOptions(TypedDict, total=False):
    """The options of :func:`fill` that do not change what kind of thing comes back."""

    grow: int
    batch: int
    threshold: float
    seed: int
    blend: Literal["poisson"] | None
    device: torch.device | str | None


@overload
def fill(
    method: Method, image: Kind, mask: Mask | Sequence[Mask], *, samples: None = None, **options: Unpack[FillOptions]
) -> Kind: ...
@overload
def fill(
    method: Method, image: Kind, mask: Mask | Sequence[Mask], *, samples: int, **options: Unpack[FillOptions]
) -> list[Kind]: ...
@overload
def fill(
    method: Method,
    image: Sequence[Kind],
    mask: Mask | Sequence[Mask],
    *,
    samples: None = None,
    **options: Unpack[FillOptions],
) -> list[Kind]: ...
@overload
def fill(
    method: Method, image: Sequence[Kind], mask: Mask | Sequence[Mask], *, samples: int, **options: Unpack[FillOptions]
) -> list[list[Kind]]: ...
def fill(
    method: Method,
    image: Any,
    mask: Mask | Sequence[Mask],
    *,
    grow: int = 0,
    batch: int = 8,
    threshold: float = 0.5,
    seed: int = 0,
    blend: Literal["poisson"] | None = None,
    samples: int | None = None,
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
            (:func:`inpaintkit.filling.masks.read_mask`). One for all pictures, or one for each.
        grow: dilate the mask by so many pixels first, in every direction.
        batch: how many windows of one size the method is given at once, at most (and no more than 4 megapixels).
        threshold: the part of white above which a mask is hole.
        seed: of a method that draws at random: the same call gives the same picture, another seed another one.
        blend: ``"poisson"`` fits what the method drew to the known pixels beside the hole, by its gradients; see
            :func:`~inpaintkit.components.blending.poisson_blend`. A part that was scaled is blended at the size that
            the method was shown, before it is scaled back.
        samples: of a method that draws at random, or can when asked: so many answers to each hole, as a list for one
            picture and as a list of lists for several or a batch. The first is drawn from ``seed``, the next from
            ``seed + 1`` and so on; what a method draws when it is not asked is not among them.
        device: where to work, the method is moved there; by default where its parameters are, or on the CPU if it has
            none.

    Raises:
        OptionError: what is wrong with the pictures, masks and options, all together.
            A method that has one answer only cannot be asked for samples.
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
    check_options(grow, batch, threshold, samples)
    fit = find_blend(blend)
    if samples is not None:
        require_random(method)
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
        raise OptionError.join(problems)
    found = answers(method, jobs, samples, batch, seed, device, fit)
    if failed := dict.fromkeys(job.error for each in found for job in each if job.error):
        raise NonFiniteError("\n".join(failed))
    results = [[job.picture.result() for job in each] for each in found]
    if samples is not None:
        return results if pictures is not None else results[0]
    single = [each[0] for each in results]
    if pictures is None:
        return single[0]
    if isinstance(image, Tensor):
        return torch.stack(single) if single else image.clone()
    if isinstance(image, np.ndarray):
        return np.stack(single) if single else image.copy()
    return single


def check_options(grow: int, batch: int, threshold: float, samples: int | None = None) -> None:
    """Raises an OptionError that names every option out of its range."""
    problems = [
        OptionError(f"{name} is {value!r}: a whole number, at least {least}, is needed", (name,))
        for name, value, least in (("grow", grow, 0), ("batch", batch, 1), ("samples", samples, 1))
        if not (name == "samples" and value is None)
        and (isinstance(value, bool) or not isinstance(value, int) or value < least)
    ]
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold < 1:
        problems.append(OptionError(f"threshold is {threshold!r}: a number from 0 to below 1 is due", ("threshold",)))
    if problems:
        raise OptionError.join(problems)


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
