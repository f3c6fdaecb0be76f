"""Raster: a picture in its own mode and bit depth; read as RGB in [0, 1], and written inside the hole only."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..core.errors import OptionError
from .arrays import Array, channels_last

# Pillow mode -> the value of white
PLAIN = {"1": 1, "L": 255, "LA": 255, "RGB": 255, "RGBA": 255, "F": 1, "I": 65535}
SIXTEEN = dict.fromkeys(("I;16", "I;16L", "I;16B", "I;16N"), 65535)
CONVERTED = ("CMYK", "YCbCr", "HSV", "RGBX")  # 8 bits a band; Pillow's own conversion to RGB and back
SLACK = 1 / 510  # half a level of 8 bits, by which floats may leave [0, 1], as they do where they were computed
CHECKED = 2**20  # values that are looked at together


class Raster:
    """One picture, and a copy of its values that is filled; here black is 0 and the channels are the colors.

    Attributes:
        image: what was given.
        values: (H, W, C), as given; never changed.
        white: the value of white.
        key: the color that means transparent; pixels of it are kept, and no filled pixel is given it.
        filled: the copy.
        gray: what is drawn is made gray.
    """

    def __init__(self, image: Any, values: Array, white: float, key: Array | None = None) -> None:
        self.image, self.values, self.white, self.key = image, values, white, key
        self.filled = values.copy()
        self.gray = False

    @property
    def colors(self) -> int:
        """How many channels are colors; the next one is alpha."""
        return 3 if self.values.shape[-1] >= 3 else 1

    def decode(self, values: Array) -> Array:
        """(h, w, C) -> (h, w, 3) float32 in [0, 1]."""
        with np.errstate(over="ignore", invalid="ignore"):  # hidden pixels may have any value: they are blanked
            rgb = (values[..., : self.colors].astype(np.float32) / np.float32(self.white)).clip(0, 1)
        return rgb if self.colors == 3 else np.repeat(rgb, 3, axis=-1)

    def encode(self, rgb: Array) -> Array:
        """(n, 3) float32 in [0, 1] -> values of the first channels (n, up to C)."""
        pixels = rgb if self.colors == 3 else luma(rgb)
        kind = self.values.dtype.kind
        if kind == "b":
            return pixels >= 0.5
        new = (pixels.clip(0, 1) if kind == "f" else np.rint(pixels * np.float32(self.white))).astype(self.values.dtype)
        if self.key is not None:
            new[(new == self.key).all(-1), 0] ^= 1
        return new

    def alpha(self, values: Array) -> Array:
        """(h, w, C) -> (h, w): 0 where a pixel is transparent, 1 where it is opaque."""
        if self.values.shape[-1] in (2, 4):
            return values[..., -1].astype(np.float32) / np.float32(self.white)
        return (~self.marked(values)).astype(np.float32)

    def transparent(self) -> Array:
        """(H, W) bool: fully transparent pixels, whose colors nobody sees."""
        return np.asarray(self.alpha(self.values) == 0)

    def marked(self, values: Array) -> Array:
        """(h, w, C) -> (h, w) bool: pixels whose very color means transparent; they are kept, in the hole too."""
        return np.zeros(values.shape[:2], bool) if self.key is None else (values == self.key).all(-1)

    def is_gray(self, unknown: Array) -> bool:
        """Whether the known pixels are gray, of more than one level: a single one says nothing."""
        height, width = unknown.shape
        rows = CHECKED // width + 1
        low, high = 1.0, 0.0
        for part in (slice(top, top + rows) for top in range(0, height, rows)):
            rgb = self.decode(self.values[part])[~unknown[part]]
            if (rgb != rgb[:, :1]).any():
                return False
            low, high = min(low, rgb.min(initial=low)), max(high, rgb.max(initial=high))
        return low < high

    def check_range(self, unknown: Array) -> str:
        """What is wrong with the known pixels' values, or ``""``; the others may have any value."""
        if self.values.dtype.kind not in "fi" or unknown.all():  # other types have no values beyond white
            return ""
        known = self.values[..., : self.colors][~unknown]
        low, high = known.min(), known.max()
        slack = SLACK if self.white == 1 else 0
        if low >= -slack and high <= self.white + slack:  # False for NaN too
            return ""
        if np.isnan(low):
            return "it holds NaN outside the hole"
        found = f"its values are {low:g} to {high:g}"
        if self.white != 1:
            return f"{found}: integers of this kind are read as 16 bits, 0 to 65535"
        fix = "clip"
        if low >= 0 and 2 < high <= 255:
            fix = "divide by 255"
        elif low >= -1 and high <= 1:
            fix = "use (x + 1) / 2"
        return f"{found}: floating-point pictures are in [0, 1] ({fix})"

    def paste(self, box: tuple[slice, slice], rgb: Array, hole: Array) -> None:
        """Writes ``rgb`` (h, w, 3) where ``hole`` (h, w) is True; alpha stays as it is."""
        hole = hole & ~self.marked(self.values[box])
        new = np.clip(rgb[hole], 0, 1)
        new = self.encode(luma(new).repeat(3, axis=1) if self.gray else new)
        self.filled[box][..., : new.shape[-1]][hole] = new

    def result(self) -> Any:
        """The filled picture, of the kind that was given."""
        filled, image = self.filled, self.image
        if isinstance(image, np.ndarray):
            return filled.reshape(image.shape)
        if isinstance(image, Tensor):
            moved = np.ascontiguousarray(np.moveaxis(filled, -1, 0)).reshape(image.shape)
            return torch.from_numpy(moved).to(image.device, image.dtype)
        drawn = filled[..., 0] if filled.shape[-1] == 1 else filled
        bits = image.mode == "1"  # eight of them would be one byte
        pixels = Image.fromarray(drawn) if bits else Image.frombytes(image.mode, image.size, drawn.tobytes())
        result = image.copy()  # with its palette, profile, and everything else in `info`
        result.paste(pixels, (0, 0))
        return result


class Converted(Raster):
    """A PIL image that Pillow converts to RGB and back."""

    def decode(self, values: Array) -> Array:
        part = Image.frombytes(self.image.mode, (values.shape[1], values.shape[0]), values.tobytes())
        return np.asarray(part.convert("RGB")).astype(np.float32) / 255

    def encode(self, rgb: Array) -> Array:
        if len(rgb) == 0:
            return np.empty((0, self.values.shape[-1]), np.uint8)
        pixels = np.rint(rgb * 255).astype(np.uint8)
        return np.asarray(Image.frombytes("RGB", (1, len(rgb)), pixels.tobytes()).convert(self.image.mode))[:, 0]

    def alpha(self, values: Array) -> Array:
        return np.ones(values.shape[:2], np.float32)


class Paletted(Raster):
    """A PIL image with a palette, which is not changed: filled pixels are given its nearest opaque color."""

    def __init__(self, image: Image.Image, values: Array) -> None:
        super().__init__(image, values, 255)
        copy = image.copy()
        copy.apply_transparency()
        table = np.array(copy.getpalette("RGBA"), np.float32).reshape(-1, 4)
        self.table = np.zeros((256, 4), np.float32)  # an index past the palette's end is black, as Pillow shows it
        self.table[:, 3] = 255
        self.table[: len(table)] = table
        opaque = np.flatnonzero(table[:, 3] == 255)
        self.usable = opaque if len(opaque) else np.arange(len(table))

    def decode(self, values: Array) -> Array:
        return self.table[values[..., 0], :3] / np.float32(255)

    def encode(self, rgb: Array) -> Array:
        colors, back = np.unique(np.rint(rgb * 255).astype(np.uint8), axis=0, return_inverse=True)
        nearest = np.empty(len(colors), np.uint8)
        for start in range(0, len(colors), 4096):
            part = colors[start : start + 4096, None].astype(np.float32)
            distances = ((part - self.table[None, self.usable, :3]) ** 2).sum(-1)
            nearest[start : start + 4096] = self.usable[distances.argmin(1)]
        return nearest[back.reshape(-1)][:, None]

    def alpha(self, values: Array) -> Array:
        return np.asarray(self.table[values[..., 0], 3] / np.float32(255))

    def marked(self, values: Array) -> Array:
        return self.alpha(values) < 1


def read_raster(image: object) -> Raster:
    """A picture of any kind that :func:`inpaintkit.fill` takes; two channels are gray and alpha, four RGB and alpha.

    Raises:
        OptionError: it is of a kind, type or mode that is not understood.
    """
    values = channels_last(image, "the picture")
    if not isinstance(image, Image.Image):
        kind, bytes_ = values.dtype.kind, values.dtype.itemsize
        if kind != "f" and (kind != "u" or bytes_ > 2):
            raise OptionError(f"its type is {values.dtype}: uint8, uint16 and floats in [0, 1] are understood")
        return Raster(image, values, 1 if kind == "f" else np.iinfo(values.dtype).max)
    mode = image.mode
    if mode == "P":
        return Paletted(image, values)
    if mode in CONVERTED:
        return Converted(image, values, 255)
    if (white := (PLAIN | SIXTEEN).get(mode)) is None:
        known = ", ".join([*PLAIN, "I;16", "P", *CONVERTED])
        raise OptionError(f"its mode is {mode}: {known} are understood; convert it to one of them")
    key = np.atleast_1d(image.info.get("transparency", [])) if mode in ("L", "RGB", *SIXTEEN) else None
    usable = key is not None and key.dtype.kind in "iu" and key.shape == values.shape[-1:]
    return Raster(image, values, white, key if usable else None)


def luma(rgb: Array) -> Array:
    """(n, 3) -> (n, 1) by BT.601, as Pillow's ``convert("L")``; exact where the channels are equal."""
    green = rgb[:, 1:2]
    return np.asarray(green + np.float32(0.299) * (rgb[:, :1] - green) + np.float32(0.114) * (rgb[:, 2:] - green))
