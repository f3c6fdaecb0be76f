"""Pixels that nobody sees are unknown; a gray picture stays gray; and what a user may not have meant is said."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from inpaintkit.filling.holes import Box
from inpaintkit.filling.in_memory import fill
from inpaintkit.filling.on_disk import fill_files
from inpaintkit.filling.options import FillOptions

from .toys import MASK, Conv8, Fixed64, MeanFill, Ramp, bare_picture_of, square

CLEAR = square(30, 41, 0, 0, 16)  # beside and under MASK


def cut_out(mode, hidden):
    """A photograph that is transparent in CLEAR, with some color beneath that it has nowhere else."""
    color = bare_picture_of("RGB").point(lambda level: min(max(level, 10), 240))
    pixels = np.asarray(color).copy()
    pixels[CLEAR] = hidden
    image = Image.fromarray(pixels)
    if mode == "P":
        index = np.where(CLEAR, 0, 1 + np.asarray(color.convert("L")) // 8).astype(np.uint8)
        image = Image.frombytes("P", color.size, index.tobytes())
        image.putpalette([*[hidden] * 3, *(each for level in range(32) for each in [level * 8] * 3)])
        image.info["transparency"] = 0
        return image
    if mode.endswith("A"):
        image = image.convert(mode)
        image.putalpha(Image.fromarray(np.where(CLEAR, 0, 255).astype(np.uint8)))
        return image
    image = image.convert(mode)
    image.info["transparency"] = hidden if mode == "L" else (hidden,) * 3
    return image


@pytest.mark.parametrize("method", [MeanFill, Conv8, Fixed64])
@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "L", "RGB"])
def test_colors_that_nobody_sees_do_not_bleed_into_the_fill(mode, method):
    """The same picture over black and over white, where it is transparent: the fill is the same."""
    black, white = cut_out(mode, 1), cut_out(mode, 254)
    seen = ~CLEAR
    one, two = (np.asarray(fill(method(), each, MASK).convert("RGBA")) for each in (black, white))
    assert np.array_equal(one[MASK & seen], two[MASK & seen])
    for image, filled in ((black, one), (white, two)):
        assert np.array_equal(filled[~MASK], np.asarray(image.convert("RGBA"))[~MASK])
        assert np.array_equal(filled[..., 3], np.asarray(image.convert("RGBA"))[..., 3])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_arrays_and_tensors_have_pixels_that_nobody_sees(dtype, as_tensor):
    top = 1 if dtype is np.float32 else np.iinfo(dtype).max
    image = np.full((30, 41, 4), top, dtype)
    image[..., :3] = (np.random.default_rng(0).random((30, 41, 3)) * top).astype(dtype)
    image[CLEAR] = 0
    if dtype is np.float32:
        image[CLEAR, :3] = np.nan  # what a division by alpha leaves
    given = torch.from_numpy(image).permute(2, 0, 1) if as_tensor else image
    result = fill(MeanFill(), given, MASK)
    result = result.permute(1, 2, 0).numpy() if as_tensor else result
    wanted = image[~MASK & ~CLEAR, :3].mean(0, dtype=np.float64)
    assert np.allclose(result[MASK & ~CLEAR, :3], wanted, atol=top / 200)
    assert result[~MASK].tobytes() == image[~MASK].tobytes()


def test_partly_transparent_pixels_are_known():
    image = cut_out("RGBA", 200)
    image.putalpha(Image.fromarray(np.where(CLEAR, 1, 255).astype(np.uint8)))
    wanted = np.asarray(image)[~MASK, :3].mean(0)
    assert np.abs(np.asarray(fill(MeanFill(), image, MASK))[MASK, :3] - wanted).max() <= 1


def test_where_nothing_is_seen_the_colors_beneath_are_used():
    image = bare_picture_of("RGB")
    image.putalpha(0)
    wanted = fill(MeanFill(), bare_picture_of("RGB"), MASK)
    assert np.array_equal(np.asarray(fill(MeanFill(), image, MASK))[..., :3], np.asarray(wanted))


def test_a_fill_that_stays_invisible_is_said(tmp_path):
    cut_out("RGBA", 0).save(tmp_path / "photo.png")
    report = fill_files(MeanFill(), tmp_path / "photo.png", Box(2, 2, 9, 9), tmp_path / "out.png")
    assert "100% of the hole is transparent and stays so: make it opaque" in report.warnings[0]
    assert not fill_files(MeanFill(), tmp_path / "photo.png", Box(20, 2, 9, 9), tmp_path / "b.png").warnings


class Red(MeanFill):
    """Brighter in red than in the other colors."""

    def inpaint(self, masked, mask):
        return super().inpaint(masked, mask) + torch.tensor([0.3, 0, -0.1])[None, :, None, None]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "YCbCr"])
def test_a_gray_picture_stays_gray(mode):
    image = Image.fromarray(skimage.data.camera()[:300:10, :410:10]).convert("RGB")
    image = image.quantize(64) if mode == "P" else image.convert(mode)
    filled = np.asarray(fill(Red(), image, MASK).convert("RGB")).astype(int)
    assert np.ptp(filled[MASK], axis=-1).max() <= (1 if mode == "YCbCr" else 0)
    colored = np.asarray(fill(Red(), bare_picture_of("RGB"), MASK)).astype(int)
    assert np.ptp(colored[MASK], axis=-1).min() > 20


def test_a_gray_array_stays_gray_and_one_color_says_nothing():
    gray = np.random.default_rng(0).random((30, 41, 1)).repeat(3, axis=-1)
    assert np.ptp(fill(Red(), gray, MASK), axis=-1).max() == 0
    flat = np.full((30, 41, 3), 0.5)
    assert np.ptp(fill(Red(), flat, MASK)[MASK], axis=-1).min() > 0.1
    gray[2, 2, 0] = 0.123
    assert np.ptp(fill(Red(), gray, MASK)[MASK], axis=-1).min() > 0.1


@pytest.mark.parametrize("value", [0, 127])
def test_a_mask_that_marks_nothing_is_said(tmp_path, photo, value):
    photo.save(tmp_path / "photo.png")
    Image.new("L", photo.size, value).save(tmp_path / "mask.png")
    report = fill_files(Ramp(), tmp_path / "photo.png", tmp_path / "mask.png", tmp_path / "out.png")
    [warning] = report.warnings
    assert warning.startswith(f"{tmp_path / 'mask.png'}: it marks no pixel")
    lower = FillOptions(threshold=0.4)
    report = fill_files(Ramp(), tmp_path / "photo.png", tmp_path / "mask.png", tmp_path / "lower.png", lower)
    assert ("100% is hole" if value else "marks no pixel") in report.warnings[0]
