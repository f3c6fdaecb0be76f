"""Holes without a mask file: a box, or all pixels of one color."""

from __future__ import annotations

import math
import re
from typing import Annotated

import attrs
import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from ..core.config.checks import checked
from ..core.errors import OptionError
from ..runtime import whole_number
from .rasters import Raster

Level = Annotated[int, Ge(0), Le(255)]


@checked
@attrs.frozen
class Box:
    """The hole is a rectangle, in pixels from the top left corner."""

    left: Annotated[int, Ge(0)] = attrs.field(validator=whole_number)
    top: Annotated[int, Ge(0)] = attrs.field(validator=whole_number)
    width: Annotated[int, Ge(1)] = attrs.field(validator=whole_number)
    height: Annotated[int, Ge(1)] = attrs.field(validator=whole_number)

    @classmethod
    def parse(cls, text: str) -> Box:
        """The box of ``x,y,width,height``.

        Raises:
            OptionError: it is written in another way.

        >>> Box.parse("10,20,300,40")
        Box(left=10, top=20, width=300, height=40)
        """
        numbers = re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*", text)
        if numbers is None:
            raise OptionError(f"{text!r} is no box: write x,y,width,height in pixels, as in 10,20,300,40")
        return cls(*map(int, numbers.groups()))

    def __str__(self) -> str:
        return f"box {self.left},{self.top},{self.width},{self.height}"

    def hole(self, raster: Raster) -> NDArray[np.bool_]:
        """(H, W), True in the hole.

        Raises:
            OptionError: the box reaches beyond the picture.
        """
        height, width = raster.values.shape[:2]
        right, bottom = self.left + self.width, self.top + self.height
        if right > width or bottom > height:
            raise OptionError(
                f"the {self} reaches to column {right} and row {bottom}, and the picture is {width} x {height} "
                "(width x height)"
            )
        hole = np.zeros((height, width), np.bool_)
        hole[self.top : bottom, self.left : right] = True
        return hole


@checked
@attrs.frozen
class Color:
    """The hole is every pixel of one color, as where damage was painted over with it.

    Args:
        red, green, blue: in 8 bits.
        tolerance: how far each channel of a pixel may be from it, in levels of 8 bits. In a JPEG colors are not exact.
    """

    red: Level = attrs.field(validator=whole_number)
    green: Level = attrs.field(validator=whole_number)
    blue: Level = attrs.field(validator=whole_number)
    tolerance: Level = attrs.field(default=0, validator=whole_number)

    @classmethod
    def parse(cls, text: str, tolerance: int = 0) -> Color:
        """The color of ``#rrggbb``, in hexadecimal digits; ``#`` may be left out.

        Raises:
            OptionError: it is written in another way.

        >>> Color.parse("#ff00ff")
        Color(red=255, green=0, blue=255, tolerance=0)
        """
        digits = re.fullmatch(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})", text.strip())
        if digits is None:
            raise OptionError(f"{text!r} is no color: write six hexadecimal digits, as in #ff00ff")
        red, green, blue = (int(pair, 16) for pair in digits.groups())
        return cls(red, green, blue, tolerance)

    def __str__(self) -> str:
        return f"color #{self.red:02x}{self.green:02x}{self.blue:02x}"

    def hole(self, raster: Raster) -> NDArray[np.bool_]:
        """(H, W), True in the hole.

        Raises:
            OptionError: no pixel has the color.
        """
        away = np.abs(raster.decode(raster.values) * 255 - np.array([self.red, self.green, self.blue], np.float32)).max(
            -1
        )
        hole: NDArray[np.bool_] = away <= self.tolerance + 0.5
        if not hole.any():
            levels = math.ceil(np.nanmin(away) - 0.5)
            distance = f"{levels} level{'s' if levels > 1 else ''}"
            text = f"no pixel has the {self}; the nearest is {distance} away"
            raise OptionError(f"{text}: raise the tolerance to fill it")
        return hole
