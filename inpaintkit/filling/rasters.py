"""Pictures in their own representation: read as RGB in [0, 1], and written inside the hole only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..core.errors import OptionError

Array = NDArray[Any]
Box = tuple[slice, slice]

PLAIN = {"L": 255, "LA": 255, "RGB": 255, "RGBA": 255, "F": 1, "I": 65535}  # Pillow mode -> the value of white
SIXTEEN = ("I;16", "I;16L", "I;16B", "I;16N")
CONVERTED = ("CMYK", "YCbCr", "HSV", "RGBX")  # 8 bits a band; Pillow's own conversion to RGB and back
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601, as Pillow's convert("L")


@attrs.frozen(eq=False)
class Raster:
    """One picture, and a copy of its values that is filled.

    Attributes:
        values: (H, W, C), as given; never changed.
        decode: values (h, w, C) -> (h, w, 3) float32 in [0, 1].
        encode: (n, 3) float32 in [0, 1] -> values of the first channels (n, up to C); the others are alpha.
        finish: (H, W, C) -> a picture of the kind that was given.
        colors: how many channels are colors.
        white: the largest color; None if the type cannot have others.
        transparent: values (h, w, C) -> (h, w) bool, where one color or some entries of a palette are transparent.
        filled: the copy.
    """

    values: Array
    decode: Callable[[Array], Array]
    encode: Callable[[Array], Array]
    finish: Callable[[Array], Any]
    colors: int = 3
    white: float | None = None
    transparent: Callable[[Array], Array] | None = None
    filled: Array = attrs.field(default=attrs.Factory(lambda self: self.values.copy(), takes_self=True))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.values.shape[0], self.values.shape[1]

    def check_range(self, hole: Array) -> str:
        """What is wrong with the known pixels' values, or ``""``; hidden pixels may have any value."""
        if self.white is None or hole.all():
            return ""
        known = self.values[..., : self.colors][~hole]
        low, high = known.min(), known.max()
        if low >= 0 and high <= self.white:  # False for NaN too
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

    def rgb(self, box: Box) -> Array:
        """A part of the picture, (h, w, 3) float32 in [0, 1]."""
        return self.decode(self.values[box])

    def paste(self, box: Box, rgb: Array, hole: Array) -> None:
        """Writes ``rgb`` (h, w, 3) where ``hole`` (h, w) is True; alpha stays as it is."""
        if self.transparent is not None:
            hole = hole & ~self.transparent(self.values[box])
        new = self.encode(np.clip(rgb[hole], 0, 1))
        self.filled[box][..., : new.shape[-1]][hole] = new

    def result(self) -> Any:
        return self.finish(self.filled)


def read_raster(image: object) -> Raster:
    """A PIL image, an array (H, W) or (H, W, 1 to 4), or a tensor (H, W) or (1 to 4, H, W).

    Two channels are gray and alpha, four RGB and alpha.

    Raises:
        OptionError: it is none of these, or of a type or mode that is not understood.
    """
    if isinstance(image, Image.Image):
        return _from_pil(image)
    if isinstance(image, np.ndarray):
        return _from_array(image, image.shape, "(H, W) or (H, W, channels)", lambda filled: filled.reshape(image.shape))
    if isinstance(image, Tensor):
        return _from_tensor(image)
    raise OptionError(f"a picture is a PIL image, a numpy array or a tensor, not {type(image).__name__}")


def _from_tensor(tensor: Tensor) -> Raster:
    dtype, device, shape = tensor.dtype, tensor.device, tuple(tensor.shape)
    # numpy has no bfloat16; float32 holds each of its values exactly
    array = (tensor.detach().float() if dtype == torch.bfloat16 else tensor.detach()).cpu().numpy()

    def finish(filled: Array) -> Tensor:
        back = filled[..., 0] if len(shape) == 2 else np.moveaxis(filled, -1, 0)
        return torch.from_numpy(np.ascontiguousarray(back)).to(device, dtype)

    channels_last = np.moveaxis(array, 0, -1) if tensor.ndim == 3 else array
    return _from_array(channels_last, shape, "(H, W) or (channels, H, W)", finish)


def _from_array(array: Array, given: tuple[int, ...], wanted: str, finish: Callable[[Array], Any]) -> Raster:
    array = array[..., None] if array.ndim == 2 else array
    if array.ndim != 3 or not 1 <= array.shape[-1] <= 4 or 0 in array.shape:
        raise OptionError(f"its shape is {given}: {wanted} is needed, with 1 to 4 channels and at least one pixel")
    if array.dtype.kind == "f":
        return _plain(array, 1, finish, 1)
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        return _plain(array, np.iinfo(array.dtype).max, finish)
    raise OptionError(f"its type is {array.dtype}: uint8, uint16 and floats in [0, 1] are understood")


def _plain(array: Array, top: float, finish: Callable[[Array], Any], white: float | None = None) -> Raster:
    colors = 3 if array.shape[-1] >= 3 else 1
    integers = array.dtype.kind != "f"

    def decode(values: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):  # hidden pixels may have any value: they are blanked
            rgb = values[..., :colors].astype(np.float32) / np.float32(top)
        return rgb if colors == 3 else np.repeat(rgb, 3, axis=-1)

    def encode(rgb: Array) -> Array:
        pixels = rgb if colors == 3 else (rgb @ LUMA)[:, None]
        pixels = np.rint(pixels * np.float32(top)) if integers else pixels.clip(0, 1)  # the weights may sum to 1 + 1e-7
        return pixels.astype(array.dtype)

    return Raster(array, decode, encode, finish, colors, white)


def _from_pil(image: Image.Image) -> Raster:
    mode = image.mode

    def finish(filled: Array) -> Image.Image:
        drawn = filled[..., 0] if filled.shape[-1] == 1 else filled
        pixels = Image.fromarray(drawn) if mode == "1" else Image.frombytes(mode, image.size, drawn.tobytes())
        result = image.copy()  # with its palette, profile, and everything else in `info`
        result.paste(pixels, (0, 0))
        return result

    array = np.asarray(image)
    array = array[..., None] if array.ndim == 2 else array
    if 0 in array.shape:
        raise OptionError("it has no pixels")
    if mode in PLAIN or mode in SIXTEEN:
        top = PLAIN.get(mode, 65535)
        plain = _plain(array, top, finish, top if mode in "IF" else None)
        key = image.info.get("transparency")
        return plain if key is None or mode not in ("L", "RGB", *SIXTEEN) else _with_key(plain, np.atleast_1d(key))
    if mode == "1":

        def from_bits(values: Array) -> Array:
            return values.repeat(3, axis=-1).astype(np.float32)

        return Raster(array, from_bits, lambda rgb: (rgb @ LUMA >= 0.5)[:, None], finish)
    if mode == "P":
        return _with_palette(image, array, finish)
    if mode in CONVERTED:
        return _converted(mode, array, finish)
    known = ", ".join([*PLAIN, "I;16", "1", "P", *CONVERTED])
    raise OptionError(f"its mode is {mode}: {known} are understood; convert it to one of them")


def _with_key(raster: Raster, key: Array) -> Raster:
    """With one color that means transparent: pixels of it are kept, and no filled pixel is given that color."""

    def encode(rgb: Array) -> Array:
        new = raster.encode(rgb)
        new[(new == key).all(-1), 0] ^= 1
        return new

    return attrs.evolve(raster, encode=encode, transparent=lambda values: (values == key).all(-1))


def _converted(mode: str, array: Array, finish: Callable[[Array], Any]) -> Raster:
    def decode(values: Array) -> Array:
        part = Image.frombytes(mode, (values.shape[1], values.shape[0]), values.tobytes())
        return np.asarray(part.convert("RGB")).astype(np.float32) / 255

    def encode(rgb: Array) -> Array:
        if len(rgb) == 0:
            return np.empty((0, array.shape[-1]), np.uint8)
        pixels = np.rint(rgb * 255).astype(np.uint8)
        return np.asarray(Image.frombytes("RGB", (1, len(rgb)), pixels.tobytes()).convert(mode))[:, 0]

    return Raster(array, decode, encode, finish)


def _with_palette(image: Image.Image, array: Array, finish: Callable[[Array], Any]) -> Raster:
    """Filled pixels are given the nearest opaque color of the palette, which is not changed."""
    copy = image.copy()
    copy.apply_transparency()
    table = np.array(copy.getpalette("RGBA"), np.float32).reshape(-1, 4)
    opaque = np.flatnonzero(table[:, 3] == 255) if (table[:, 3] == 255).any() else np.arange(len(table))
    full = np.zeros((256, 4), np.float32)  # an index past the palette's end is black, as Pillow shows it
    full[:, 3] = 255
    full[: len(table)] = table

    def decode(values: Array) -> Array:
        return full[values[..., 0], :3] / np.float32(255)

    def encode(rgb: Array) -> Array:
        colors, back = np.unique(np.rint(rgb * 255).astype(np.uint8), axis=0, return_inverse=True)
        nearest = np.empty(len(colors), np.uint8)
        for start in range(0, len(colors), 4096):
            part = colors[start : start + 4096, None].astype(np.float32)
            nearest[start : start + 4096] = opaque[((part - table[None, opaque, :3]) ** 2).sum(-1).argmin(1)]
        return nearest[back.reshape(-1)][:, None]

    transparent = full[:, 3] < 255
    return Raster(array, decode, encode, finish, transparent=lambda values: np.asarray(transparent[values[..., 0]]))
