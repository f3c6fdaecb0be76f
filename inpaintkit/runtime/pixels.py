"""Stored pixels (uint8) to pictures (float in [-1, 1]) and back."""

from __future__ import annotations

import torch
from torch import Tensor


def to_float(pixels: Tensor) -> Tensor:
    """uint8 of any shape -> float32 in [-1, 1]: ``pixels / 127.5 - 1``. ``to_uint8`` takes it back bit by bit.

    Raises:
        TypeError: ``pixels`` is not uint8.
    """
    if pixels.dtype != torch.uint8:
        raise TypeError(f"pixels are uint8, not {pixels.dtype}")
    return pixels.to(torch.float32).div_(127.5).sub_(1)


def to_uint8(image: Tensor) -> Tensor:
    """Float of any shape in [-1, 1] -> uint8: rounded to the nearest level; values outside the range are clamped.

    NaN becomes 0: a picture can always be shown and measured, and the training loop names NaN where it arises.

    Raises:
        TypeError: ``image`` is not of a floating-point type.
    """
    if not image.is_floating_point():
        raise TypeError(f"an image is floating-point in [-1, 1], not {image.dtype}")
    levels = (image.detach().to(torch.float32) + 1) * 127.5
    return levels.nan_to_num(0).round_().clamp_(0, 255).to(torch.uint8)
