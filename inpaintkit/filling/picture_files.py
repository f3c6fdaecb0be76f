"""Opens picture files as a viewer shows them, and writes results in the same format with the same metadata."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Mapping
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from PIL import ExifTags, Image, ImageFile, JpegImagePlugin

from ..core.errors import DataError, OptionError, did_you_mean
from ..data import Unreadable, errors_named, formats, open_picture, upright
from ..runtime import open_regular, write_atomically
from .rasters import read_raster

# TIFF tags that describe how the pixels are stored, orientation included: the result is stored differently.
STORAGE_TAGS = (*range(254, 260), 262, 266, 273, 274, *range(277, 285), 296, 317, *range(320, 326), 338, 339, 347)
STORAGE_TAGS += (*range(529, 533), 34675)
BARE_EXIF = 20  # bytes of EXIF data without any tag
RUINED = 32  # levels of 8 bits by which pixels differ on average: a format that does this cannot hold the picture
LITTLE = 8
LARGE = 2**24  # pixels: beyond this a file that says nothing about nearly all of them is not decoded
DENSEST = 10_000  # pixels a byte; the most that PNG reaches is 8,256, with one bit a pixel
COMPARED = 2**20  # pixels that are compared at once


@attrs.frozen(eq=False)
class Metadata:
    """What a file holds beside its pixels, and its result keeps."""

    exif: Image.Exif
    jpeg: dict[str, Any] = attrs.Factory(dict)  # how a JPEG was compressed, as options of Pillow
    frames: int = 1
    damaged: str = ""  # what is left out, since it cannot be read


def open_upright(path: Path, mask_of: tuple[int, int] | None = None) -> tuple[Image.Image, Metadata]:
    """The picture with its EXIF orientation applied, and its metadata; damaged metadata does not cost the picture.

    Args:
        mask_of: it is a mask of a picture of this size. It may lose depth.

    Raises:
        DataError: the file is no picture, damaged, of another size than its picture, or would lose depth.
    """
    jpeg: dict[str, Any] = {"quality": 95, "subsampling": 0}
    frames = 1
    try:
        with (
            errors_named(), warnings.catch_warnings(action="ignore"), open_regular(path) as file,
            open_picture(file) as stored,
        ):  # fmt: skip
            _check_header(stored, os.fstat(file.fileno()).st_size, mask_of)
            stored.load()
            raw = stored.info.get("exif", b"")
            image = upright(stored)
            with suppress(Exception):  # damaged tables, which decoding did not need
                if (
                    isinstance(stored, JpegImagePlugin.JpegImageFile)
                    and stored.getexif().get(ExifTags.Base.Orientation, 1) == 1
                ):
                    sampling = JpegImagePlugin.get_sampling(stored)
                    jpeg = {"qtables": stored.quantization, "subsampling": sampling}  # the same blocks and rounding
            with suppress(Exception):  # damaged frames after the first
                frames = 1 if stored.format == "MPO" else getattr(stored, "n_frames", 1)  # MPO: a JPEG and its previews
            exif, damaged = _exif(stored, raw)
    except Unreadable as error:
        raise DataError(f"it cannot be read: {error}") from error
    return image, Metadata(exif, jpeg, frames, damaged)


def _check_header(stored: ImageFile.ImageFile, length: int, mask_of: tuple[int, int] | None) -> None:
    """Raises a DataError where the pixels need not be decoded to know that they are of no use."""
    width, height = stored.size
    if mask_of is not None:
        if sorted(stored.size) != sorted(mask_of):  # it may be turned
            raise DataError(sizes_differ(mask_of, stored.size))
    elif _is_deep(stored):
        raise DataError("it has 16 bits a color channel, of which Pillow reads 8: convert it to 8 bits first")
    elif width * height > max(LARGE, DENSEST * length):
        raise DataError(f"{length:,} bytes cannot be a picture of {width} x {height} pixels: the file is damaged")


def sizes_differ(picture: tuple[int, int], mask: tuple[int, int]) -> str:
    """What is wrong with a mask of another width or height than its picture."""
    return f"the picture is {picture[0]} x {picture[1]} (width x height) and its mask {mask[0]} x {mask[1]}"


def _is_deep(stored: ImageFile.ImageFile) -> bool:
    """Whether Pillow keeps only 8 of 16 bits a channel when it decodes the file; gray pictures keep all."""
    if stored.mode.startswith(("I", "F")) or not stored.tile:
        return False
    codec, arguments = stored.tile[0][0], stored.tile[0][3]
    arguments = arguments if isinstance(arguments, tuple) else (arguments,)
    if codec.startswith("ppm"):
        return isinstance(arguments[-1], int) and arguments[-1] > 255
    return any(isinstance(each, str) and each.endswith((";16B", ";16L", ";16N")) for each in arguments)


def _exif(stored: ImageFile.ImageFile, raw: bytes) -> tuple[Image.Exif, str]:
    """The EXIF data that a result keeps, and what is wrong with it."""
    with suppress(Exception):
        exif = stored.getexif()
        if exif or len(raw) <= BARE_EXIF:
            for tag in STORAGE_TAGS:
                exif.pop(tag, None)
            exif.tobytes()
            return exif, ""
    return Image.Exif(), "its EXIF data is damaged and left out"


def format_of(target: Path) -> str:
    """The format that the suffix of a file names.

    Raises:
        DataError: it names none, or one that Pillow does not both read and write without help.
    """
    form = Image.registered_extensions().get(target.suffix.lower(), "")
    if form not in Image.SAVE or form not in (*formats(), "MPO"):
        near = did_you_mean(target.suffix, (".png", ".tif", ".webp", ".jpg")) or ": .png is one"
        what = f"names {form}, a format that is not written" if form else "names no picture format"
        raise DataError(f"{target}: the suffix {target.suffix!r} {what}{near}")
    return form


def write_picture(image: Image.Image, metadata: Metadata, target: Path) -> list[str]:
    """Writes a picture; returns what its file does not hold as it was, in words.

    Raises:
        DataError: the format cannot hold the picture.
        OSError: the disk is full, or the folder may not be written to; an older file is left as it was.
    """
    form = format_of(target)
    encoded, lost = _encode(image, form, metadata, target)
    with warnings.catch_warnings(action="ignore"), open_picture(io.BytesIO(encoded)) as back:
        back.load()
        lost |= {"EXIF data"} if metadata.exif and not back.getexif() else set()
        lost |= {"color profile"} if image.info.get("icc_profile") and not back.info.get("icc_profile") else set()
        if back.size != image.size or (change := _change(image, back)) > RUINED:
            raise DataError(_refusal(image, form, target, back.size != image.size))
    told = [f"{form} does not keep its {name}" for name in sorted(lost)]
    if change:
        much = "a little" if change < LITTLE else "much"
        told.append(f"this format changes the pixels {much}, known ones too; {_exact(target).suffix} does not")
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, encoded)
    return told


def _encode(image: Image.Image, form: str, metadata: Metadata, target: Path) -> tuple[bytes, set[str]]:
    """The file with as much of the metadata as the format takes, and the names of the rest."""
    options: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True, "exact": True}, "ICO": {"sizes": [image.size]}}
    beside: dict[str, dict[str, Any]] = {
        "EXIF data": {"exif": metadata.exif} if metadata.exif else {},
        "compression": metadata.jpeg if form == "JPEG" else {},
        "resolution": {key: image.info[key] for key in ("dpi",) if image.info.get(key)},
        "color profile": {key: image.info[key] for key in ("icc_profile",) if image.info.get(key)},
    }
    names = [name for name in beside if beside[name]]
    for lost in (lost for count in range(len(names) + 1) for lost in combinations(names, count)):
        with suppress(Exception):  # encoders fail in as many ways as decoders do
            return _saved(
                image, form, options.get(form, {}), *(beside[name] for name in names if name not in lost)
            ), set(lost)
    try:
        is_too_large = bool(_saved(image.crop((0, 0, 1, 1)), form))  # one pixel of the mode can be written
    except Exception:
        is_too_large = False
    raise DataError(_refusal(image, form, target, is_too_large))


def _saved(image: Image.Image, form: str, *options: Mapping[str, Any]) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **{key: value for some in options for key, value in some.items()})
    return file.getvalue()


def _refusal(image: Image.Image, form: str, target: Path, is_too_large: bool) -> str:
    what = f"a picture of {image.width} x {image.height} pixels" if is_too_large else f"mode {image.mode}"
    return f"{what} cannot be written as {form}: fill it into a file such as {_exact(target).name}"


def _exact(target: Path) -> Path:
    """A name for the same result in a format that keeps every pixel, which no file has yet."""
    other = target.with_suffix(".tif" if target.suffix.lower() in (".png", ".apng") else ".png")
    return other.with_stem(f"{other.stem}-filled") if other.exists() else other


def _change(image: Image.Image, back: Image.Image) -> float:
    """How far two pictures are apart, as they are seen: the mean over pixels, in levels of 8 bits."""
    written = read_raster(image)
    try:
        read = read_raster(back)
    except OptionError:  # another mode than any that is filled
        read = read_raster(back.convert("RGBA"))
    rows, total = COMPARED // image.width + 1, 0.0
    for part in (slice(top, top + rows) for top in range(0, image.height, rows)):
        one, two = (
            np.dstack([each.decode(each.values[part]), each.alpha(each.values[part])]) for each in (written, read)
        )
        total += float(np.abs(one - two).max(-1).sum(dtype=np.float64))
    return total * 255 / (image.width * image.height)
