"""Fill pictures in memory: one, several, or one in several ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..core.errors import NonFiniteError, OptionError
from ..core.interfaces import Method
from ..runtime import Execution
from .holes import Box, Color
from .masked_image import MaskedImage, fill_images
from .options import DEFAULT_METHOD, DEFAULTS, FillOptions, as_method, check_kinds, check_samples, default_execution

Mask = Image.Image | NDArray[Any] | Tensor | Box | Color
Kind = TypeVar("Kind", Image.Image, NDArray[Any], Tensor)


@overload
def fill(
    image: Kind, mask: Mask, /, *, options: FillOptions = DEFAULTS, execution: Execution | None = None
) -> Kind: ...
@overload
def fill(
    method: Method | str | Path,
    image: Kind,
    mask: Mask,
    options: FillOptions = DEFAULTS,
    execution: Execution | None = None,
) -> Kind: ...
def fill(
    method: Any,
    image: Any,
    mask: Any = None,
    options: FillOptions = DEFAULTS,
    execution: Execution | None = None,
) -> Any:
    """Fill the hole of one picture; the result is of the kind that was given.

    Known pixels come back bit by bit, in the picture's own representation; so do mode, depth, alpha, palette and color
    profile. The method is shown the picture with the hole blanked, padded to its ``stride``. When the method is tied to
    a ``size``, or the picture is larger than a megapixel, it is shown the parts around the holes instead; a part that
    has to be scaled is blanked before, every resized pixel that touches the hole is hole, and what was drawn is scaled
    back inside the hole only. An empty mask gives the picture back; in an all-hole one the method sees blanks alone,
    which methods that copy or continue known pixels refuse.

    The colors of fully transparent pixels are unknown to the method and come back as they were; pixels with partial
    alpha are known. Alpha stays as it is, in the hole too. Where all known pixels of a picture with color channels are
    gray, what is drawn is made gray.

    Args:
        method: a method, as :func:`inpaintkit.load` returns it; or what ``load`` takes: the name of a recipe such as
            ``"classical/harmonic"``, or the folder of a run. Without one, in ``fill(image, mask)``, it is ``"photo"``.
        image: a PIL image (1, L, LA, P, RGB, RGBA, RGBX, CMYK, YCbCr, HSV, I;16, I, F); an array (H, W) or (H, W, C);
            a tensor (H, W) or (C, H, W). C is 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGB and alpha). uint8 and
            uint16 hold their full range, floats are in [0, 1] but for rounding. The EXIF orientation of a PIL image is
            not applied; ``fill_files`` applies it.
        mask: of the same height and width, white (True, 1, 255) in the hole; any PIL mode, array or tensor
            (:func:`inpaintkit.filling.masks.read_mask`). Or a :class:`Box` or a :class:`Color`.
        options: how the mask is read, and the seed of a method that draws at random.
        execution: where to work, the method is moved there, and how many windows of one size the method is given at
            once (and no more than 4 megapixels). By default the device of the method's parameters, and 8 windows.

    Raises:
        OptionError: the picture or its mask cannot be used.
        NonFiniteError: the method drew NaN or infinity.

    >>> class White(Method):
    ...     def inpaint(self, masked, mask):
    ...         return mask.expand_as(masked)
    >>> fill(White(), np.array([[10, 20, 30]], np.uint8), np.array([[False, True, False]]))
    array([[ 10, 255,  30]], dtype=uint8)
    >>> picture = fill(White(), Image.new("RGBA", (3, 1), (9, 8, 7, 6)), Image.new("1", (3, 1), 1))
    >>> picture.mode, picture.getpixel((0, 0))
    ('RGBA', (255, 255, 255, 6))
    """
    check_kinds(options, execution)
    if mask is None:
        if isinstance(method, Method | str | Path):
            raise OptionError(
                "the mask is missing: fill(method, image, mask); fill(image, mask) takes no names of files"
            )
        method, image, mask = DEFAULT_METHOD, method, image
    [[result]] = _fill(as_method(method, execution), {"image": (image, mask)}, options, execution)
    return result


def fill_many(
    method: Method | str | Path,
    images: Iterable[Kind],
    masks: Mask | Sequence[Mask],
    options: FillOptions = DEFAULTS,
    execution: Execution | None = None,
) -> list[Kind]:
    """Fill several pictures together, each as :func:`fill` does.

    Args:
        images: a list of pictures, or an array or tensor with a leading axis.
        masks: one for each picture, in a list or along a leading axis; or one for all, a PIL image or (H, W).

    Raises:
        OptionError: every picture or mask that cannot be used.
        NonFiniteError: the method drew NaN or infinity; nothing is returned.
    """
    pictures = list(images)
    single = isinstance(masks, Image.Image | Box | Color) or (
        isinstance(masks, np.ndarray | Tensor) and masks.ndim == 2
    )
    each_mask: list[Any] = [masks] if single else list(masks)  # type: ignore[arg-type]
    if len(each_mask) == 1:
        each_mask *= len(pictures)
    if len(pictures) != len(each_mask):
        text = f"there are {len(pictures)} pictures and {len(each_mask)} masks: give one mask, or one for each"
        raise OptionError(text)
    pairs = zip(pictures, each_mask, strict=True)
    named = {f"image {number}": pair for number, pair in enumerate(pairs)}
    return [result for [result] in _fill(as_method(method, execution), named, options, execution)]


def fill_samples(
    method: Method | str | Path,
    image: Kind,
    mask: Mask,
    samples: int,
    options: FillOptions = DEFAULTS,
    execution: Execution | None = None,
) -> list[Kind]:
    """Several answers to the hole of one picture, see :func:`fill`.

    Args:
        method: one that draws at random, always or on request.
        samples: how many. The first is drawn from the seed of the options, the next from that plus 1 and so on; what a
            method draws when it is not asked for samples is not among them.

    Raises:
        OptionError: the picture or its mask cannot be used, or the method has one answer only.
        NonFiniteError: the method drew NaN or infinity; nothing is returned.
    """
    method = as_method(method, execution)
    check_samples(method, samples)
    [results] = _fill(method, {"image": (image, mask)}, options, execution, samples)
    return results


def _fill(
    method: Method,
    images: Mapping[str, tuple[Kind, Mask]],
    options: FillOptions,
    execution: Execution | None,
    samples: int | None = None,
) -> list[list[Kind]]:
    """All answers to each picture with its mask, by the picture's name."""
    read: list[MaskedImage] = []
    problems: list[OptionError] = []
    for name, (image, mask) in images.items():
        try:
            read.append(MaskedImage.read(image, mask, options))
        except OptionError as error:
            problems.append(OptionError(f"{name}: {error}"))
    if problems:
        raise OptionError.join(problems)
    answers = fill_images(method, read, options, execution or default_execution(method), samples)
    failed = {name: answer.error for name, some in zip(images, answers, strict=True) for answer in some if answer.error}
    if failed:
        raise NonFiniteError("\n".join(f"{name}: {error}" for name, error in failed.items()))
    return [[each.result() for each in some] for some in answers]
