"""Damaged pictures and masks of every format that Pillow writes, filled with the mean color."""

from __future__ import annotations

import io
import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from inpaintkit.components.mean_color import MeanColor
from inpaintkit.filling import Box, Color, FillReport, fill_files

from .harness import Case, run_cases

SUFFIXES = {
    "AVIF": ".avif", "BMP": ".bmp", "DDS": ".dds", "GIF": ".gif", "ICNS": ".icns", "ICO": ".ico", "IM": ".im",
    "JPEG": ".jpg", "JPEG2000": ".jp2", "MPO": ".mpo", "MSP": ".msp", "PCX": ".pcx", "PNG": ".png", "PPM": ".ppm",
    "QOI": ".qoi", "SGI": ".sgi", "SPIDER": ".spider", "TGA": ".tga", "TIFF": ".tif", "WEBP": ".webp", "XBM": ".xbm",
}  # fmt: skip
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F")
LOUD = re.compile(r"^(with its mask \S+: )?\w*(Error|Exception|error): ")


def run(seed: int, seconds: float, only: int | None = None) -> Counter[str]:
    """Counts of outcomes, see :func:`.harness.run_cases`."""
    return run_cases("pictures", picture_case, seed, seconds, only)


def picture_case(rng: random.Random) -> Case:
    """One folder with a good and two damaged pictures, and its masks; one call fills it."""
    files: dict[str, bytes] = {}
    for name in ("a", "b", "good"):
        form, data = encoded(rng)
        files[f"in/{name}{SUFFIXES[form]}"] = data if name == "good" else damaged(rng, data)
    for name in ("a", "b"):
        files[f"masks/{name}.png"] = damaged(rng, mask_file(rng)) if rng.random() < 0.5 else mask_file(rng)
    files["masks/good.png"] = mask_file(rng)
    hole: Any = rng.choice([None, None, None, Box(2, 1, 1, 1), Color(rng.randrange(256), 0, 0, 255)])

    def case() -> bool:
        with tempfile.TemporaryDirectory() as place:
            for name, data in files.items():
                path = Path(place, name)
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)
            report = fill_files(MeanColor(), Path(place, "in"), hole or Path(place, "masks"), Path(place, "out"))
            check(report)
            return not report.failed

    return case


def check(report: FillReport) -> None:
    """Raises an AssertionError where an exception of a decoder is passed on, not translated."""
    for path, reason in report.failed:
        assert not LOUD.match(reason), f"{path}: {reason}"


def encoded(rng: random.Random) -> tuple[str, bytes]:
    """A small picture in a format that can hold its mode, with metadata that may be odd."""
    while True:
        form, mode = rng.choice(list(SUFFIXES)), rng.choice(MODES)
        image, file = small(rng, mode, (rng.randint(1, 40), rng.randint(1, 40))), io.BytesIO()
        options: dict[str, Any] = {}
        if rng.random() < 0.4:
            options["exif"] = exif(rng)
        if rng.random() < 0.2:
            options["dpi"] = (rng.choice([0, 72, 1e9, 0.1]), 72)
        if rng.random() < 0.2:
            options["icc_profile"] = rng.randbytes(rng.choice([1, 200]))
        if form in ("GIF", "PNG", "TIFF", "WEBP", "AVIF") and rng.random() < 0.2:
            options |= {"save_all": True, "append_images": [small(rng, mode, image.size)]}
        try:
            image.save(file, form, **options)
        except Exception:  # the format does not hold the mode or the metadata
            continue
        return form, file.getvalue()


def small(rng: random.Random, mode: str, size: tuple[int, int]) -> Image.Image:
    pixels = np.random.default_rng(rng.getrandbits(32)).integers(0, 256, (size[1], size[0], 3), np.uint8)
    color = Image.fromarray(pixels)
    if mode == "I;16":
        return Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    if mode in ("I", "F"):
        return Image.fromarray(
            pixels[..., 0].astype(np.int32) * 257 if mode == "I" else pixels[..., 0] / np.float32(255)
        )
    if mode == "P":
        return color.quantize(rng.choice([2, 16, 200]))
    image = color.convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(pixels[..., 1] * np.uint8(rng.choice([0, 1]))))
    return image


def exif(rng: random.Random) -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = rng.choice([1, 3, 6, 8, 6, 9, 0])
    for tag in (0x0128, 0x011A, 0x8769, 0x010F):
        if rng.random() < 0.4:
            made[tag] = rng.choice([0, 2, "inch", "x", 70000])
    return made


def mask_file(rng: random.Random) -> bytes:
    """A mask of a random size, polarity and mode, as a PNG."""
    mode, file = rng.choice(["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]), io.BytesIO()
    small(rng, mode, (rng.randint(1, 40), rng.randint(1, 40))).save(file, "PNG")
    return file.getvalue()


def damaged(rng: random.Random, data: bytes) -> bytes:
    """The file after one to three kinds of damage."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data) + 1)
        data = rng.choice(DAMAGES)(rng, data, at)
    return data


def flipped(rng: random.Random, data: bytes, at: int) -> bytes:
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def cut(rng: random.Random, data: bytes, at: int) -> bytes:
    return data[:at]


def without_a_part(rng: random.Random, data: bytes, at: int) -> bytes:
    return data[:at] + data[at + rng.randint(1, 40) :]


def with_a_part_twice(rng: random.Random, data: bytes, at: int) -> bytes:
    return data[:at] + data[max(0, at - rng.randint(1, 40)) :]


def with_another_number(rng: random.Random, data: bytes, at: int) -> bytes:
    """A number of two or four bytes, near the start, where headers hold sizes and offsets, becomes an extreme one."""
    at, length = min(at, rng.randrange(80)), rng.choice([2, 4])
    number = rng.choice([0, 1, 255, 2**15 - 1, 2**16 - 1, 2 ** (8 * length - 1) - 1, 2 ** (8 * length) - 1])
    return data[:at] + number.to_bytes(length, rng.choice(["big", "little"])) + data[at + length :]


def under_another_header(rng: random.Random, data: bytes, at: int) -> bytes:
    return rng.choice([b"%!PS-Adobe-3.0 EPSF-3.0\n", b"GIF89a", b"II*\0", b"\x89PNG\r\n\x1a\n", b"PK\3\4"]) + data[at:]


Damage = Callable[[random.Random, bytes, int], bytes]
DAMAGES: tuple[Damage, ...] = (
    flipped, flipped, cut, without_a_part, with_a_part_twice, with_another_number, with_another_number,
    under_another_header,
)  # fmt: skip
