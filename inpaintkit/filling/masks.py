"""Converts a mask (PIL image, array, tensor) to booleans, True in the hole; dilates holes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from ..core.errors import OptionError
from .arrays import Array, channels_last
from .rasters import SLACK


def read_mask(mask: object, threshold: float = 0.5) -> NDArray[np.bool_]:
    """(H, W), True in the hole: where the mask is brighter than ``threshold`` of white.

    White is True, 1 in floats and in integers that never exceed 1, else 255, or 65535 where there are larger values. Of
    colors the brightest channel counts, so that red strokes on black are hole; transparent pixels are known. A mask
    that has no bright pixel and some transparent ones, such as black strokes on a transparent layer, is read by its
    alpha: what is opaque is hole.

    Args:
        mask: a PIL image of any mode; an array (H, W) or (H, W, 1 to 4); a tensor (H, W) or (1 to 4, H, W); with a
            leading axis of 1, too.
        threshold: from 0 to just below 1.

    Raises:
        OptionError: it is of another type or shape, its values are in no range that masks have, or only its alpha says
            something and most of it is opaque, so that either part may be meant.
    """
    if isinstance(mask, np.ndarray | Tensor) and mask.ndim in (3, 4) and len(mask) == 1:
        mask = mask[0] if mask.ndim == 4 or mask.shape[-1] > 4 else mask
    if isinstance(mask, Image.Image):
        mask = _plain(mask)
    array = channels_last(mask, "the mask")
    channels = array.shape[-1]
    marked = _normalized(array[..., : 3 if channels >= 3 else 1]).max(-1)
    if channels in (2, 4):
        alpha = _normalized(array[..., -1], deep=isinstance(mask, Image.Image))
        marked = alpha if _says_nothing(marked * alpha, alpha, threshold) else marked * alpha
    hole: NDArray[np.bool_] = marked > threshold
    return hole


def _says_nothing(visible: Array, alpha: Array, threshold: float) -> bool:
    """Whether no visible pixel is bright, and only the alpha tells the parts of a mask apart.

    Raises:
        OptionError: most of it is opaque, so that either part may be meant.
    """
    opaque = alpha > threshold
    if (visible > threshold).any() or opaque.all():
        return False
    if opaque.mean() > 0.5:
        text = f"the mask has no bright pixel, and {opaque.mean():.0%} of it is opaque"
        raise OptionError(f"{text}: paint the hole white on black, so that it is clear which part is meant")
    return True


def _normalized(array: Array, deep: bool = False) -> Array:
    """In [0, 1], 1 where a mask is white.

    Args:
        deep: 1 is the darkest of 255 levels, and not white.
    """
    if array.dtype == np.bool_:
        return array.astype(np.float32)
    low, high = array.min(), array.max()
    if array.dtype.kind == "f":
        if not (low >= -SLACK and high <= 1 + SLACK):  # NaN fails too
            raise OptionError(f"the mask's values are {low:g} to {high:g}: floats are 0 (known) to 1 (hole)")
        return array
    if array.dtype.kind not in "ui":
        raise OptionError(f"the mask's type is {array.dtype}: booleans, integers and floats are understood")
    if low < 0 or high > 65535:
        raise OptionError(f"the mask's values are {low} to {high}: 0 (known) to 1, 255 or 65535 (hole) are understood")
    white = 1 if high <= 1 and not deep else 255 if high <= 255 else 65535
    return array.astype(np.float32) / np.float32(white)


def _plain(mask: Image.Image) -> Image.Image:
    """In a mode of one channel, RGB or RGBA."""
    if mask.mode in ("1", "L", "I", "F") or mask.mode.startswith("I;16"):
        return mask
    transparent = mask.mode in ("LA", "PA", "RGBA") or "transparency" in mask.info
    try:
        return mask.convert("RGBA" if transparent else "RGB")
    except ValueError as error:  # LAB, premultiplied alpha
        raise OptionError(f"the mask's mode {mask.mode} is not understood: convert it to L") from error


def grown(hole: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """Dilated by ``by`` pixels in every direction, diagonals included (a square of side ``2 * by + 1``).

    >>> grown(np.array([[False, False, False, True]]), 2)
    array([[False,  True,  True,  True]])
    """
    return hole if by <= 0 else ndimage.maximum_filter(hole, 2 * by + 1, mode="constant")


def holds_square(hole: NDArray[np.bool_], side: int) -> bool:
    """Whether some ``side`` x ``side`` pixels are all hole.

    >>> holds_square(np.ones((2, 3), bool), 2), holds_square(np.ones((2, 3), bool), 3)
    (True, False)
    """
    return bool(ndimage.minimum_filter(hole, side, mode="constant").any())
