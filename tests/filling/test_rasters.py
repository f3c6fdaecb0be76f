"""Pictures of every kind keep their own representation; known pixels come back bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from inpaintkit.filling.in_memory import fill

from .toys import METHODS, Constant, Conv8, MeanFill, picture_of, square

MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I;16", "I;16B", "I", "F"]


@pytest.mark.parametrize("mode", MODES)
def test_pil_mode_and_everything_around_the_pixels_is_kept(mode):
    image = picture_of(mode)
    before = np.array(image)
    hole = square(30, 41, 8, 10, 9)
    result = fill(MeanFill(), image, hole)
    after = np.array(result)
    assert isinstance(result, Image.Image)
    assert (result.mode, result.size, after.dtype) == (image.mode, image.size, before.dtype)
    assert result.info == image.info
    assert result.getpalette() == image.getpalette()
    assert np.array_equal(after[~hole], before[~hole])
    if mode in ("LA", "RGBA"):
        assert np.array_equal(after[..., -1], before[..., -1])
        assert not np.array_equal(after[hole][:, :-1], before[hole][:, :-1])
    assert not np.array_equal(after[hole], before[hole])
    assert np.array_equal(np.array(image), before)  # the caller's own picture is untouched


@pytest.mark.parametrize("mode", MODES)
def test_pil_colors_are_right(mode):
    """The mean that a mode is filled with is the mean of the picture as Pillow shows it."""
    image = picture_of(mode)
    hole = square(30, 41, 8, 10, 9)
    result = fill(MeanFill(), image, hole)
    if mode in ("I", "F") or mode.startswith("I;16"):
        white = 1 if mode == "F" else 65535
        got = np.asarray(result)[hole] / white
        assert np.allclose(got, (np.asarray(image)[~hole] / white).mean(), atol=1e-4)
        return
    wanted = np.asarray(image.convert("RGB"))[~hole].mean(0)
    got = np.asarray(result.convert("RGB"))[hole].astype(float)
    if mode == "1":
        assert (got == 255 * (wanted.mean() >= 127.5)).all()
    else:
        assert np.ptp(got, axis=0).max() == 0
        assert np.abs(got - wanted).max() < (60 if mode == "P" else 6 if mode in ("HSV", "YCbCr") else 1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "I;16", "F"])
def test_hidden_pixels_never_reach_a_pil_result(method, mode):
    image, hole = picture_of(mode, (83, 70)), square(70, 83, 20, 31, 22)
    pixels = np.asarray(image)
    mixed = np.where(hole if pixels.ndim == 2 else hole[..., None], pixels[::-1, ::-1], pixels)
    other = image.copy()
    other.paste(Image.frombytes(mode, image.size, mixed.tobytes()), (0, 0))
    assert (np.asarray(other)[hole] != pixels[hole]).any()
    one, two = (np.asarray(fill(method(), each, hole)) for each in (image, other))
    if mode == "RGBA":  # alpha is kept, in the hole too
        one, two = one[..., :3], two[..., :3]
    assert np.array_equal(one, two)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64, ">u2", ">f4"])
@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,)])
def test_arrays_of_every_kind(dtype, channels):
    rng = np.random.default_rng(0)
    top = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    image = (rng.random((21, 33, *channels)) * top).astype(dtype)
    hole = rng.random((21, 33)) < 0.3
    result = fill(MeanFill(), image, hole)
    assert result.dtype == image.dtype
    assert result.shape == image.shape
    assert result[~hole].tobytes() == image[~hole].tobytes()
    if channels in [(2,), (4,)]:
        assert np.array_equal(result[..., -1], image[..., -1])
        assert (result[hole][:, :-1] != image[hole][:, :-1]).any()
    if channels == (3,):
        wanted = image[~hole].astype(float).mean(0)
        assert np.allclose(result[hole].astype(float), wanted, atol=top * 2e-3 if dtype == np.float16 else top / 255)


@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.uint16, torch.float16, torch.bfloat16, torch.float32, torch.float64]
)
@pytest.mark.parametrize("shape", [(20, 24), (1, 20, 24), (3, 20, 24), (4, 20, 24)])
def test_tensors_of_every_kind(dtype, shape):
    torch.manual_seed(0)
    image = torch.rand(shape)
    if not dtype.is_floating_point:
        image = (image * torch.iinfo(dtype).max).to(torch.int32)
    image = image.to(dtype)
    hole = torch.rand(20, 24) < 0.3
    result = fill(MeanFill(), image, hole)
    assert result.dtype == dtype
    assert result.shape == image.shape
    plain, known = (each.to(torch.float64) for each in (result, image))
    assert torch.equal(plain[..., ~hole], known[..., ~hole])
    assert not torch.equal(plain[..., hole], known[..., hole])


def test_floats_in_the_hole_may_be_anything():
    image = np.full((6, 6, 3), 0.25)
    hole = square(6, 6, 2, 2, 2)
    for hidden in (np.nan, np.inf, -7.0, 1e300):
        image[hole] = hidden
        assert np.allclose(fill(MeanFill(), image, hole), 0.25)


def test_output_beyond_the_range_is_clamped():
    hole = square(8, 8, 2, 2, 2)
    assert (fill(Constant(1.5), np.zeros((8, 8), np.uint8), hole)[hole] == 255).all()
    assert (fill(Constant(-9.0), np.ones((8, 8)), hole)[hole] == 0).all()


def test_the_palette_s_transparent_color_is_never_drawn_and_stays_where_it_is():
    image = Image.frombytes("P", (8, 8), bytes([0] * 32 + [1] * 32))
    image.putpalette([128, 128, 128, 255, 255, 255, 126, 126, 126])
    image.info["transparency"] = 0  # the gray that the mean would take
    hole = square(8, 8, 3, 3, 2)
    result = np.asarray(fill(Constant(0.0), image, hole))
    assert (result[3, 3:5] == 0).all()
    assert (result[4, 3:5] == 2).all()


@pytest.mark.parametrize(
    ("mode", "key", "gray"), [("L", 128, 128), ("RGB", (128, 128, 128), 128), ("I;16", 32768, 32768)]
)
def test_a_marked_color_is_not_drawn_by_chance(mode, key, gray):
    image = Image.new(mode, (8, 8), 0 if mode != "RGB" else (0, 0, 0))
    image.info["transparency"] = key
    hole = square(8, 8, 2, 2, 2)
    result = np.asarray(fill(Constant(2 * gray / 65535 - 1 if mode == "I;16" else 2 * gray / 255 - 1), image, hole))
    drawn = np.atleast_3d(result)[hole].astype(int)
    assert (drawn[:, 0] == gray ^ 1).all()
    assert (drawn[:, 1:] == gray).all()


def test_the_device_and_type_of_a_method_do_not_leak_into_the_result():
    image = torch.rand(3, 16, 16, dtype=torch.float64)
    result = fill(Conv8(), image, torch.ones(16, 16))
    assert result.dtype == torch.float64
    assert not result.requires_grad
