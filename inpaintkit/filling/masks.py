"""Converts a mask (PIL image, array, tensor) to booleans, True in the hole; dilates holes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from ..core.errors import OptionError
from .arrays import Array, channels_last


def read_mask(mask: object, threshold: float = 0.5) -> NDArray[np.bool_]:
    """(H, W), True in the hole: where the mask is brighter than ``threshold`` of white.

    White is True, 1 in floats and in integers that never exceed 1, else 255, or 65535 where there are larger values. Of
    colors the brightest channel counts, so that red strokes on black are hole; transparent pixels are known.

    Args:
        mask: a PIL image of any mode; an array (H, W) or (H, W, 1 to 4); a tensor (H, W) or (1 to 4, H, W); with a
            leading axis of 1, too.
        threshold: from 0 to just below 1.

    Raises:
        OptionError: it is of another type or shape, or its values are in no range that masks have.
    """
    if isinstance(mask, np.ndarray | Tensor) and mask.ndim in (3, 4) and len(mask) == 1:
        mask = mask[0] if mask.ndim == 4 or mask.shape[-1] > 4 else mask
    if isinstance(mask, Image.Image):
        mask = _pil_array(mask)
    levels = _normalized(channels_last(mask, "the mask"))
    channels = levels.shape[-1]
    brightest = levels[..., : 3 if channels >= 3 else 1].max(-1)
    if channels in (2, 4):
        brightest = brightest * levels[..., -1]
    hole: NDArray[np.bool_] = brightest > threshold
    return hole


def _normalized(array: Array) -> Array:
    """In [0, 1], 1 where a mask is white."""
    if array.dtype == np.bool_:
        return array.astype(np.float32)
    low, high = array.min(), array.max()
    if array.dtype.kind == "f":
        if not (low >= 0 and high <= 1):  # NaN fails too
            raise OptionError(f"the mask's values are {low:g} to {high:g}: floats are 0 (known) to 1 (hole)")
        return array
    if array.dtype.kind not in "ui":
        raise OptionError(f"the mask's type is {array.dtype}: booleans, integers and floats are understood")
    if low < 0 or high > 65535:
        raise OptionError(f"the mask's values are {low} to {high}: 0 (known) to 1, 255 or 65535 (hole) are understood")
    white = 1 if high <= 1 else 255 if high <= 255 else 65535
    return array.astype(np.float32) / np.float32(white)


def _pil_array(mask: Image.Image) -> Array:
    """Colors become floats, since they always have 8 bits, however dark they are."""
    if mask.mode in ("1", "L", "I", "F") or mask.mode.startswith("I;16"):
        return np.asarray(mask)
    transparent = mask.mode in ("LA", "PA", "RGBA") or "transparency" in mask.info
    try:
        return np.asarray(mask.convert("RGBA" if transparent else "RGB")).astype(np.float32) / np.float32(255)
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
