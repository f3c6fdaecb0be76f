"""Damaged pictures and masks of every format that Pillow writes, filled with the mean color."""

from __future__ import annotations

import io
import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from inpaintkit.components.mean_color import MeanColor
from inpaintkit.filling import Box, Color, FillOptions, FillReport, fill_files
from inpaintkit.filling.masked_image import MaskedImage
from inpaintkit.filling.picture_files import open_upright
from inpaintkit.filling.rasters import read_raster

from .harness import Case, run_cases

SUFFIXES = {
    "AVIF": ".avif", "BMP": ".bmp", "DDS": ".dds", "GIF": ".gif", "ICNS": ".icns", "ICO": ".ico", "IM": ".im",
    "JPEG": ".jpg", "JPEG2000": ".jp2", "MPO": ".mpo", "MSP": ".msp", "PCX": ".pcx", "PNG": ".png", "PPM": ".ppm",
    "QOI": ".qoi", "SGI": ".sgi", "SPIDER": ".spider", "TGA": ".tga", "TIFF": ".tif", "WEBP": ".webp", "XBM": ".xbm",
}  # fmt: skip
SLOW = ("AVIF", "ICNS", "ICO")
POOL = 400  # pictures that are damaged in many ways
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F")
LOUD = re.compile(r"^(with its mask \S+: )?\w*(Error|Exception|error): ")


def run(seed: int, seconds: float, only: int | None = None) -> Counter[str]:
    """Counts of outcomes, see :func:`.harness.run_cases`."""
    return run_cases("pictures", picture_case, seed, seconds, only)


def picture_case(rng: random.Random) -> Case:
    """A folder with a good and two damaged pictures, and its masks; one call fills it."""
    files: dict[str, bytes] = {}
    for name in ("a", "b", "good"):
        form, size, data = encoded(rng.randrange(POOL))
        mask = mask_file(rng, size if rng.random() < 0.9 else size[::-1])
        if name != "good":
            data, mask = damaged(rng, data), damaged(rng, mask) if rng.random() < 0.3 else mask
        files |= {f"in/{name}{SUFFIXES[form]}": data, f"masks/{name}.png": mask}
    hole: Any = rng.choice([None, None, None, Box(0, 0, 1, 1), Color(rng.randrange(256), 0, 0, 255)])

    def case() -> bool:
        with tempfile.TemporaryDirectory() as place:
            for name, data in files.items():
                path = Path(place, name)
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)
            report = fill_files(MeanColor(), Path(place, "in"), hole or Path(place, "masks"), Path(place, "out"))
            check(report, hole or Path(place, "masks"))
            return not report.failed

    return case


def check(report: FillReport, masks: Any) -> None:
    """Raises an AssertionError where an exception is passed on as it is, or known pixels changed without a word."""
    for path, reason in report.failed:
        assert not LOUD.match(reason), f"{path}: {reason}"
    changed = "\n".join(warning for warning in report.warnings if "changes the pixels" in warning)
    for source, target in report.filled:
        if str(target) in changed:
            continue
        before, after = (open_upright(path)[0] for path in (source, target))
        mask = open_upright(masks / f"{source.stem}.png", before.size)[0] if isinstance(masks, Path) else masks
        masked = MaskedImage.read(before, mask, FillOptions())
        one, two = masked.raster, read_raster(after)
        known = ~masked.hole
        assert np.array_equal(one.decode(one.values)[known], two.decode(two.values)[known]), f"{source}: colors"
        assert np.array_equal(one.alpha(one.values)[known], two.alpha(two.values)[known]), f"{source}: alpha"


@cache
def encoded(number: int) -> tuple[str, tuple[int, int], bytes]:
    """A small picture in a format that can hold its mode, with metadata that may be odd; encoding takes most time."""
    rng = random.Random(number)
    while True:
        form, mode = rng.choice(list(SUFFIXES)), rng.choice(MODES)
        if form in SLOW and rng.random() < 0.8:
            continue
        size = (rng.randint(1, 40), rng.randint(1, 40))
        image, file = small(rng, mode, size), io.BytesIO()
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
        return form, size, file.getvalue()


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


def mask_file(rng: random.Random, size: tuple[int, int]) -> bytes:
    """A mask of a random mode, as a PNG."""
    mode, file = rng.choice(["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]), io.BytesIO()
    small(rng, mode, size).save(file, "PNG")
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
