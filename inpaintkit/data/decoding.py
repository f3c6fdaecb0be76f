"""Decoding a picture file of any mode to RGB pixels, and the steps that are done to each picture once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Annotated, BinaryIO, ClassVar

import attrs
import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray
from PIL import Image, ImageFile as PillowFile, ImageOps, UnidentifiedImageError

from ..core.config.checks import checked
from ..core.errors import InpaintkitError, OptionError
from .sources import ImageFile, Unreadable

Pixels = NDArray[np.uint8]
Side = Annotated[int, Ge(1)]

# fmt: off
#: Decoders that are tried, whatever the extension: none of them runs another program (the one for EPS would).
FORMATS = (
    "JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM", "TGA", "AVIF", "JPEG2000", "HEIF", "ICO", "ICNS",
    "PCX", "DCX", "SGI", "QOI", "DDS", "PSD", "IM", "MSP", "XBM", "XPM", "SPIDER", "SUN", "CUR", "BLP", "FITS", "FLI",
    "FTEX", "GBR",
)
# fmt: on
MAX_PIXELS = 178_956_970  # of one picture: Pillow's own limit against decompression bombs


@checked
@attrs.frozen
class Prepare:
    """Deterministic steps done once to every picture, in this order; None leaves a step out.

    Attributes:
        short_side: resize, keeping the proportions, so that the short side has this many pixels.
        landscape: turn upright pictures by 90 degrees counter-clockwise, so that every picture lies on its long side.
        crop: cut out the center square of this side; smaller pictures are refused by name.
        rectangle: cut out the center ``[height, width]``; smaller pictures are refused. Evaluations measure all of it,
            where they otherwise take the center square of the short side.
        tiles: cut into as many squares of this side as fit without overlap, centered; smaller pictures are refused.
    """

    added: ClassVar[tuple[str, ...]] = ("landscape", "rectangle")  # later: not in a protocol's hash at their defaults

    short_side: Side | None = None
    landscape: bool = False
    crop: Side | None = None
    rectangle: tuple[Side, Side] | None = None
    tiles: Side | None = None

    @property
    def side(self) -> int | None:
        """The short side of prepared pictures, where it does not depend on the files."""
        return self.tiles or self.crop or (min(self.rectangle) if self.rectangle else self.short_side)

    def __attrs_post_init__(self) -> None:
        squares = {"short_side": self.short_side, "crop": self.crop, "tiles": self.tiles}
        sides = {name: side for name, side in squares.items() if side is not None}
        problems = [
            OptionError(f"{name} is {side!r}: a whole number of pixels is needed", (name,))
            for name, side in sides.items()
            if type(side) is not int
        ]
        if not problems:
            problems = [
                OptionError(f"{inner} ({sides[inner]}) is larger than {outer} ({sides[outer]}) before it", (inner,))
                for outer, inner in (("short_side", "crop"), ("short_side", "tiles"), ("crop", "tiles"))
                if outer in sides and inner in sides and sides[inner] > sides[outer]
            ]
        if self.rectangle:
            problems += self._problems_of_rectangle(self.rectangle)
        if problems:
            raise OptionError.join(problems)

    def _problems_of_rectangle(self, rectangle: tuple[int, int]) -> list[OptionError]:
        faults = [f"{name} cuts squares, so leave it out" for name in ("crop", "tiles") if getattr(self, name)]
        if self.short_side and min(rectangle) > self.short_side:
            faults.append(f"{list(rectangle)} is larger than short_side ({self.short_side}) before it")
        height, width = rectangle
        if self.landscape and height > width:
            faults.append(f"{list(rectangle)} is upright, and landscape turns every picture on its side")
        return [OptionError(fault, ("rectangle",)) for fault in faults]


@cache
def formats() -> tuple[str, ...]:
    """Those of ``FORMATS`` that this Pillow decodes."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def decode(file: ImageFile, prepare: Prepare) -> list[tuple[str, Pixels]]:
    """One file -> its prepared pictures, ``(name, (3, H, W))``; several where it is cut into tiles.

    Raises:
        Unreadable: says why in a few words; every error of a decoder ends here.
    """
    with errors_named():
        return prepared(file.name, open_rgb(file.read(), draft=prepare.short_side), prepare)


@contextmanager
def errors_named() -> Iterator[None]:
    """Turns every exception of a decoder in the block into ``Unreadable``, with the reason in a few words."""
    try:
        yield
    except (Unreadable, InpaintkitError):
        raise
    except UnidentifiedImageError:
        raise Unreadable("no picture of a known format, or damaged") from None
    except Image.DecompressionBombError:
        raise Unreadable(f"more than {MAX_PIXELS:,} pixels, the limit for one picture") from None
    except MemoryError:
        raise Unreadable("not enough memory to decode it") from None
    except Exception as error:  # decoders fail in many ways: OSError, SyntaxError, struct.error, ValueError, zlib.error
        text = " ".join(str(getattr(error, "strerror", None) or error).split()) or "cannot be decoded"
        raise Unreadable(f"{text} ({type(error).__name__})") from None


def open_picture(file: BinaryIO) -> PillowFile.ImageFile:
    """A picture of one of ``FORMATS``, of which only the header is read."""
    image = Image.open(file, formats=formats())
    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError
    return image


def upright(image: Image.Image) -> Image.Image:
    """A copy of a decoded picture, turned by its EXIF orientation, whatever else is in its EXIF data."""
    with suppress(Exception):  # damaged EXIF data has no orientation; the pixels are usable
        image.getexif()  # is read once, and kept
        for name in ("exif", "Raw profile type exif"):  # what Pillow would write anew, and fail
            image.info.pop(name, None)
        return ImageOps.exif_transpose(image)
    return image.copy()


def open_rgb(data: bytes, draft: int | None = None) -> Image.Image:
    """The bytes of a picture file of any mode -> RGB, upright by its EXIF orientation.

    16 bits become 8 by rounding, transparent parts are composited over white, and the first of several frames is taken;
    color profiles are not applied. ``draft``: the short side that is needed (a larger JPEG is decoded at a fraction of
    its size).
    """
    image = open_picture(io.BytesIO(data))
    if draft and min(image.size) > 2 * draft:  # at twice the size needed: the rest is left to the better filter
        scale = 2 * draft / min(image.size)
        image.draft(None, (round(image.width * scale), round(image.height * scale)))
    image.load()
    return to_rgb(upright(image))


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB.

    Raises:
        Unreadable: floating-point pixels outside [0, 255], or a mode that cannot be converted to RGB.
    """
    if image.mode.startswith("I"):  # Pillow's integer modes hold 16-bit gray, in either byte order
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise Unreadable(f"integer pixels from {values.min()} to {values.max()} do not fit in 16 bits")
        return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        floats = np.asarray(image)
        low, high = float(floats.min()), float(floats.max())
        if not (low >= 0 and high <= 255):  # NaN fails both
            raise Unreadable(f"floating-point pixels from {low:g} to {high:g} have no known range")
        return Image.fromarray(np.rint(floats * (255 if high <= 1 else 1)).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        overlaid = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", overlaid.size, "white"), overlaid).convert("RGB")
    return image.convert("RGB")


def prepared(name: str, image: Image.Image, prepare: Prepare) -> list[tuple[str, Pixels]]:
    """One RGB picture after the steps of ``prepare``; tiles are named ``name#row,column``.

    Raises:
        Unreadable: the picture is smaller than ``crop``, ``rectangle`` or ``tiles``, or so long that resizing would
            exceed the limit.
    """
    if prepare.landscape and image.height > image.width:
        image = image.transpose(Image.Transpose.ROTATE_90)
    if prepare.short_side and min(image.size) != prepare.short_side:
        scale = prepare.short_side / min(image.size)
        width, height = (max(prepare.short_side, round(side * scale)) for side in image.size)
        if width * height > MAX_PIXELS:
            raise Unreadable(f"{image.width}x{image.height} is too long: resized it has {width * height:,} pixels")
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    for step, side in (("crop", prepare.crop), ("tiles", prepare.tiles)):
        if side and min(image.size) < side:
            raise Unreadable(f"{image.width}x{image.height} is smaller than {step} ({side})")
    cut = (prepare.crop, prepare.crop) if prepare.crop else prepare.rectangle
    if cut:
        height, width = cut
        if image.height < height or image.width < width:
            text = f"{image.width}x{image.height} is smaller than rectangle ({width}x{height}, width x height)"
            raise Unreadable(text)
        left, top = (image.width - width) // 2, (image.height - height) // 2
        image = image.crop((left, top, left + width, top + height))
    pixels = np.asarray(image).transpose(2, 0, 1)
    side = prepare.tiles
    if not side:
        return [(name, pixels)]
    top, left = image.height % side // 2, image.width % side // 2
    return [
        (f"{name}#{row},{column}", pixels[:, y : y + side, x : x + side])
        for row, y in enumerate(range(top, image.height - side + 1, side))
        for column, x in enumerate(range(left, image.width - side + 1, side))
    ]
