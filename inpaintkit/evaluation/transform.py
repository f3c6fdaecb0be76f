"""Test pictures that are moved on purpose: turned, shifted, scaled."""

from __future__ import annotations

import math
from typing import Annotated

import attrs
import torch
from annotated_types import Gt, Lt
from torch import Tensor
from torch.nn import functional as F

from ..runtime import to_float, to_uint8


@attrs.frozen
class Transform:
    """A rotation about the middle, then a shift; what comes in from outside is the picture mirrored at its edge.

    Attributes:
        shift: pixels of the prepared picture to the right and down, ``[dx, dy]``; whole pixels, so nothing is blurred.
        rotate: degrees counter-clockwise, with bilinear interpolation.
    """

    shift: tuple[int, int] = (0, 0)
    rotate: Annotated[float, Gt(-180), Lt(180)] = 0.0

    def __call__(self, pixels: Tensor) -> Tensor:
        """uint8 (B, 3, H, W) -> the same shape and type."""
        if self.rotate:
            pixels = rotated(pixels, self.rotate)
        return shifted(pixels, *self.shift)


def shifted(pixels: Tensor, right: int, down: int) -> Tensor:
    """The content moved by whole pixels, exactly; (..., H, W) of any type, mirrored at the edges (edge pixel twice)."""
    for axis, by in ((-1, right), (-2, down)):
        if by:
            length = pixels.shape[axis]
            place = (torch.arange(length, device=pixels.device) - by) % (2 * length)
            pixels = pixels.index_select(axis, torch.minimum(place, 2 * length - 1 - place))
    return pixels


def rotated(pixels: Tensor, degrees: float) -> Tensor:
    """uint8 (B, C, H, W) turned counter-clockwise about its middle: bilinear, mirrored at the edges (edge pixel twice).

    Agrees with ``scipy.ndimage.rotate(..., order=1, mode="reflect", reshape=False)`` up to rounding.
    """
    height, width = pixels.shape[-2:]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    # For each pixel of the result, where in the source it comes from, in coordinates of -1 to 1 across the picture.
    theta = torch.tensor([[cos, -sin * height / width, 0], [sin * width / height, cos, 0]], dtype=torch.float64)
    grid = F.affine_grid(theta.expand(len(pixels), 2, 3).contiguous(), list(pixels.shape), align_corners=False)
    turned = F.grid_sample(pixels.double(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return turned.round().clamp(0, 255).to(torch.uint8)


def scaled(pixels: Tensor, size: int) -> Tensor:
    """uint8 (B, C, S, S) -> (B, C, size, size): bicubic with antialiasing, as Pillow scales."""
    if pixels.shape[-1] == size:
        return pixels
    return to_uint8(F.interpolate(to_float(pixels), (size, size), mode="bicubic", antialias=True, align_corners=False))
