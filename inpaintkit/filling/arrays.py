"""Pictures and masks of any kind as arrays with their channels last."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..core.errors import OptionError

Array = NDArray[Any]


def channels_last(picture: object, name: str) -> Array:
    """(H, W, 1 to 4) from a PIL image, an array (H, W) or (H, W, 1 to 4), or a tensor (H, W) or (1 to 4, H, W).

    Values and their type stay as they are, except that bfloat16, which numpy lacks, becomes float32.

    Raises:
        OptionError: it is of another type or shape, or has no pixels; the message begins with ``name``.
    """
    layout = "(H, W) or (H, W, channels)"
    if isinstance(picture, Tensor):
        tensor = picture.detach().float() if picture.dtype == torch.bfloat16 else picture.detach()
        array = tensor.cpu().numpy()
        array = np.moveaxis(array, 0, -1) if array.ndim == 3 else array
        layout = "(H, W) or (channels, H, W)"
    elif isinstance(picture, np.ndarray | Image.Image):
        array = np.asarray(picture)
    else:
        fix = ": open it with PIL.Image.open, or use fill_files" if isinstance(picture, str | PathLike) else ""
        raise OptionError(f"{name} is a PIL image, a numpy array or a tensor, not {type(picture).__name__}{fix}")
    shape = tuple(picture.shape) if isinstance(picture, Tensor) else array.shape
    array = array[..., None] if array.ndim == 2 else array
    if array.ndim != 3 or not 1 <= array.shape[-1] <= 4 or 0 in array.shape:
        wanted = f"{layout} is needed, with 1 to 4 channels and at least one pixel"
        raise OptionError(f"{name} has the shape {shape}: {wanted}")
    return array
