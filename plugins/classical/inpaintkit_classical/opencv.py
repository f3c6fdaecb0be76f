"""The two inpainting methods of OpenCV."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import torch
from annotated_types import Ge, Le
from torch import Tensor

from inpaintkit import InpaintkitError, Method, checked

from .known import require_known


class OpenCV(Method):
    """Base of the two: calls ``cv2.inpaint`` for each picture, on the CPU, in 8 bits.

    Args:
        radius: of the neighborhood that a hidden pixel is computed from, in pixels.
    """

    flag = ""  # the name of cv2's constant

    @checked
    def __init__(self, radius: Annotated[int, Ge(1), Le(100)] = 3) -> None:
        super().__init__()
        self.radius = radius

    def setup(self) -> None:
        """Imports OpenCV.

        Raises:
            InpaintkitError: it is not installed, or cannot be imported.
        """
        _cv2()

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        """``masked`` (B, 3, H, W) and ``mask`` (B, 1, H, W) -> the picture with its hole filled, of the same type.

        The hole has the 256 levels of 8 bits; known pixels do not change.
        """
        cv2 = _cv2()
        require_known(mask)
        height, width = mask.shape[-2:]
        if min(height, width) == 1:  # OpenCV reads beyond a picture of one row: what it draws would change by the call
            masked, mask = (each.expand(-1, -1, max(height, 3), -1) if height == 1 else each for each in (masked, mask))
            masked, mask = (each.expand(-1, -1, -1, max(width, 3)) if width == 1 else each for each in (masked, mask))
            return self.inpaint(masked, mask)[..., :height, :width]
        hole = mask.bool()
        pixels = ((masked.float().masked_fill(hole, 0) + 1) * 127.5).round().clamp(0, 255).byte()
        pictures = pixels.permute(0, 2, 3, 1).contiguous().cpu()  # RGB: OpenCV treats the channels alike
        holes = (hole.byte() * 255).squeeze(1).contiguous().cpu()
        drawn = [
            torch.from_numpy(cv2.inpaint(picture.numpy(), where.numpy(), self.radius, getattr(cv2, self.flag)))
            for picture, where in zip(pictures, holes, strict=True)
        ]
        output = torch.stack(drawn).permute(0, 3, 1, 2).to(masked.device, torch.float32) / 127.5 - 1
        return torch.where(hole, output.to(masked.dtype), masked)


class Telea(OpenCV):
    """Fills from the rim inward, each pixel with a weighted mean of first-order extrapolations of its known neighbors
    (Telea 2004, An image inpainting technique based on the fast marching method), by OpenCV, in 8 bits on the CPU.

    Needs the extra: ``pip install "inpaintkit-classical[opencv]"``.

    Args:
        radius: of the neighborhood that a hidden pixel is computed from, in pixels.

    Raises:
        InpaintkitError: OpenCV is not installed, or a picture has no known pixel.
    """

    flag = "INPAINT_TELEA"


class NavierStokes(OpenCV):
    """Continues lines of equal brightness into the hole, after the transport of vorticity in a fluid (Bertalmio,
    Bertozzi and Sapiro 2001, Navier-Stokes, fluid dynamics, and image and video inpainting), OpenCV's
    variant: one pass from the rim inward, in 8 bits on the CPU.

    Needs the extra: ``pip install "inpaintkit-classical[opencv]"``.

    Args:
        radius: of the neighborhood that a hidden pixel is computed from, in pixels.

    Raises:
        InpaintkitError: OpenCV is not installed, or a picture has no known pixel.
    """

    flag = "INPAINT_NS"


def _cv2() -> Any:
    """The module, imported when it is first used."""
    try:
        return import_module("cv2")
    except ImportError as error:
        raise InpaintkitError(
            f'OpenCV cannot be imported ({error}): pip install "inpaintkit-classical[opencv]"'
        ) from error
