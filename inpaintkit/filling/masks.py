"""Reads masks of any kind as one boolean array, True inside the hole; dilates them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..core.errors import OptionError

Array = NDArray[Any]


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
    return levels(mask) > threshold


def levels(mask: object) -> Array:
    """(H, W) in [0, 1], 1 where a mask is white."""
    if isinstance(mask, Image.Image):
        array = _pil_array(mask)
    elif isinstance(mask, Tensor):
        array = (mask.detach().float() if mask.is_floating_point() else mask.detach()).cpu().numpy()
        array = np.moveaxis(array, -3, -1) if array.ndim >= 3 else array
    elif isinstance(mask, np.ndarray):
        array = mask[..., None] if mask.ndim == 3 and mask.shape[0] == 1 and mask.shape[-1] > 4 else mask
    else:
        raise OptionError(f"a mask is a PIL image, a numpy array or a tensor, not {type(mask).__name__}")
    array = array[0] if array.ndim == 4 and len(array) == 1 else array
    if array.ndim == 2:
        return _normalized(array)
    if array.ndim != 3 or not 1 <= array.shape[-1] <= 4:
        raise OptionError(f"the mask's shape {array.shape} does not fit: one picture's mask is (H, W)")
    scaled = _normalized(array)
    brightest: Array = scaled[..., : 3 if array.shape[-1] >= 3 else 1].max(-1)
    return brightest * scaled[..., -1] if array.shape[-1] in (2, 4) else brightest


def _normalized(array: Array) -> Array:
    if array.dtype == np.bool_ or array.size == 0:
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
    for axis in (0, 1) if by > 0 else ():
        length = hole.shape[axis]
        count = np.cumsum(hole, axis=axis, dtype=np.int32)
        count = np.concatenate([np.zeros_like(count.take([0], axis)), count], axis)
        at = np.arange(length)
        hole = count.take(np.minimum(at + by + 1, length), axis) > count.take(np.maximum(at - by, 0), axis)
    return hole


def holds_square(hole: NDArray[np.bool_], side: int) -> bool:
    """Whether some ``side`` x ``side`` pixels are all hole.

    >>> holds_square(np.ones((2, 3), bool), 2), holds_square(np.ones((2, 3), bool), 3)
    (True, False)
    """
    if min(hole.shape) < side:
        return False
    sums = np.pad(hole, ((1, 0), (1, 0))).cumsum(0, np.int64).cumsum(1)
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return bool((inside == side * side).any())
