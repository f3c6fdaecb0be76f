"""Opens picture files as a viewer shows them, and writes results in the same format with the same metadata."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, JpegImagePlugin, UnidentifiedImageError

from ..core.errors import DataError
from ..runtime import write_atomically

LOSSY = ("JPEG", "AVIF")  # formats that Pillow cannot write without loss
# TIFF tags that describe how the pixels are stored, orientation included: the result is stored differently.
STORAGE_TAGS = (*range(254, 260), 262, 266, 273, 274, *range(277, 285), 296, 317, *range(320, 326), 338, 339, 347)
STORAGE_TAGS += (*range(529, 533), 34675)


@attrs.frozen(eq=False)
class Metadata:
    """What a file holds beside its pixels, and its result keeps."""

    exif: Image.Exif
    jpeg: dict[str, Any]  # how a JPEG was compressed, as options of Pillow
    frames: int = 1


def open_upright(path: Path, any_depth: bool = False) -> tuple[Image.Image, Metadata]:
    """The picture with its EXIF orientation applied, and its metadata.

    Args:
        any_depth: also read pictures with 16 bits a color channel, of which Pillow keeps 8.

    Raises:
        DataError: the file is no picture, damaged, or would lose depth.
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
    return image, Metadata(exif, jpeg, frames)


def _is_deep(stored: Image.Image) -> bool:
    """Whether Pillow keeps only 8 of 16 bits a channel when it decodes the file; gray pictures keep all."""
    if not isinstance(stored, ImageFile.ImageFile) or stored.mode.startswith(("I", "F")) or not stored.tile:
        return False
    codec, arguments = stored.tile[0][0], stored.tile[0][3]
    arguments = arguments if isinstance(arguments, tuple) else (arguments,)
    if codec.startswith("ppm"):
        return isinstance(arguments[-1], int) and arguments[-1] > 255
    return any(isinstance(each, str) and each.endswith((";16B", ";16L", ";16N")) for each in arguments)


def write_picture(image: Image.Image, metadata: Metadata, target: Path) -> bool:
    """Writes a picture; returns False if its pixels will not read back exactly as they are.

    Raises:
        DataError: the format cannot hold the mode.
        OSError: the disk is full, or the folder may not be written to; an older file is left as it was.
    """
    form = Image.registered_extensions().get(target.suffix.lower(), "")
    encoded = io.BytesIO()
    try:
        image.save(encoded, form, **_save_options(image, form, metadata))
    except (OSError, KeyError, ValueError) as error:
        png = target.with_suffix(".png").name
        kind = form or target.suffix
        raise DataError(f"mode {image.mode} cannot be written as {kind}: fill it into a file such as {png}") from error
    exact = form not in LOSSY and _reads_back(encoded, image)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, encoded.getvalue())
    return exact


def _save_options(image: Image.Image, form: str, metadata: Metadata) -> dict[str, Any]:
    options: dict[str, Any] = {key: image.info[key] for key in ("icc_profile", "dpi") if image.info.get(key)}
    if metadata.exif:
        options["exif"] = metadata.exif
    if form == "JPEG":
        options |= metadata.jpeg
    if form == "WEBP":
        options |= {"lossless": True, "exact": True}
    return options


def _reads_back(encoded: io.BytesIO, image: Image.Image) -> bool:
    """Whether decoding gives the pixels that were encoded."""
    with Image.open(encoded) as back:
        either = "P" in (back.mode, image.mode)
        read, written = (np.asarray(each.convert("RGBA") if either else each) for each in (back, image))
        return np.array_equal(read, written)
