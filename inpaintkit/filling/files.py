"""Picture files, opened as they are seen and written whole or not at all."""

from __future__ import annotations

import io
import os
import uuid
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, JpegImagePlugin, UnidentifiedImageError

from ..core.errors import DataError

LOSSY = ("JPEG", "AVIF")  # formats that Pillow cannot write without loss
# TIFF tags that describe how the source was stored, orientation included: the result is stored otherwise.
STORAGE_TAGS = (*range(254, 260), 262, 266, 273, 274, *range(277, 285), 296, 317, *range(320, 326), 338, 339, 347)
STORAGE_TAGS += (*range(529, 533), 34675)


@attrs.frozen(eq=False)
class Stored:
    """What a file says beside its pixels: the result is to keep it."""

    exif: Image.Exif
    jpeg: dict[str, Any]  # how it was compressed
    frames: int = 1


def open_upright(path: Path, any_depth: bool = False) -> tuple[Image.Image, Stored]:
    """The picture as it is seen, its EXIF orientation applied, and what its file says beside it.

    Args:
        any_depth: take a picture of which Pillow reads only a part of its depth, too.

    Raises:
        DataError: it is no picture, damaged, or would lose depth by being decoded.
    """
    try:
        with Image.open(path) as stored:
            if _is_deep(stored) and not any_depth:
                raise DataError("it has 16 bits a color channel, of which Pillow reads 8: convert it to 8 bits first")
            frames = 1 if stored.format == "MPO" else getattr(stored, "n_frames", 1)  # MPO: a JPEG and its previews
            upright = stored.getexif().get(ExifTags.Base.Orientation, 1) == 1
            jpeg: dict[str, Any] = {"quality": 95, "subsampling": 0}
            if isinstance(stored, JpegImagePlugin.JpegImageFile) and upright:  # the same blocks, the same rounding
                sampling = JpegImagePlugin.get_sampling(stored)
                jpeg = {"qtables": stored.quantization} | ({"subsampling": sampling} if sampling >= 0 else {})
            stored.load()
            image = ImageOps.exif_transpose(stored)
            exif = stored.getexif()
            for tag in STORAGE_TAGS:
                exif.pop(tag, None)
    except UnidentifiedImageError as error:
        raise DataError("it is not a picture, or damaged") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"it cannot be read ({' '.join(str(error).split())})") from error
    return image, Stored(exif, jpeg, frames)


def _is_deep(stored: Image.Image) -> bool:
    """Whether Pillow drops half of each channel's 16 bits while it decodes; gray pictures keep theirs."""
    if not isinstance(stored, ImageFile.ImageFile) or stored.mode.startswith(("I", "F")) or not stored.tile:
        return False
    codec, arguments = stored.tile[0][0], stored.tile[0][3]
    arguments = arguments if isinstance(arguments, tuple) else (arguments,)
    if codec.startswith("ppm"):
        return isinstance(arguments[-1], int) and arguments[-1] > 255
    return any(isinstance(each, str) and each.endswith((";16B", ";16L", ";16N")) for each in arguments)


def write(image: Image.Image, stored: Stored, target: Path) -> bool:
    """Writes a picture aside and renames it; False when its pixels will not read back as they are.

    Raises:
        DataError: the format cannot hold the mode.
        OSError: the disk is full, or nothing may be written there; what was there is untouched.
    """
    form = Image.registered_extensions().get(target.suffix.lower(), "")
    encoded = io.BytesIO()
    try:
        image.save(encoded, form, **_save_options(image, form, stored))
    except (OSError, KeyError, ValueError) as error:
        png = target.with_suffix(".png").name
        kind = form or target.suffix
        raise DataError(f"mode {image.mode} cannot be written as {kind}: fill it into a file such as {png}") from error
    exact = form not in LOSSY and _reads_back(encoded, image)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with aside.open("xb") as stream:
            stream.write(encoded.getbuffer())
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return exact


def _save_options(image: Image.Image, form: str, stored: Stored) -> dict[str, Any]:
    options: dict[str, Any] = {key: image.info[key] for key in ("icc_profile", "dpi") if image.info.get(key)}
    if stored.exif:
        options["exif"] = stored.exif
    if form == "JPEG":
        options |= stored.jpeg
    if form == "WEBP":
        options |= {"lossless": True, "exact": True}
    return options


def _reads_back(encoded: io.BytesIO, image: Image.Image) -> bool:
    """Whether the pixels, as they are seen, are those that were written."""
    with Image.open(encoded) as back:
        either = "P" in (back.mode, image.mode)
        read, written = (np.asarray(each.convert("RGBA") if either else each) for each in (back, image))
        return np.array_equal(read, written)
