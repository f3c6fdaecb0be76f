"""fill: any kind of picture in, the same kind out; known pixels bit by bit, hidden pixels never read."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from scipy import ndimage
from torch import nn

from inpaintkit.components.blending import poisson_blend
from inpaintkit.core.errors import InpaintkitError, NonFiniteError, OptionError
from inpaintkit.core.interfaces import Method
from inpaintkit.filling.in_memory import fill
from inpaintkit.filling.masks import grown, holds_square, read_mask
from inpaintkit.filling.windows import LARGEST, windows
from inpaintkit.runtime.apply import inpaint_padded, reflect_to


class MeanFill(Method):
    """The mean of the known pixels; it keeps what it was shown."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def inpaint(self, masked, mask):
        self.shown.append((masked.clone(), mask.clone()))
        known = (1 - mask).sum((-2, -1), keepdim=True).clamp(min=1)
        return (masked.sum((-2, -1), keepdim=True) / known).expand_as(masked)


class Conv8(Method):
    """A small encoder and decoder with stride 8 and a receptive field of a few dozen pixels."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(
            nn.Conv2d(4, 8, 4, 4), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.Dropout(0.5), nn.ReLU(), nn.ConvTranspose2d(8, 3, 4, 4), nn.Tanh(),
        )  # fmt: skip
        self.shapes = []

    @property
    def stride(self):
        return 8

    def inpaint(self, masked, mask):
        assert not self.training
        assert masked.shape[-1] % 8 == 0
        assert masked.shape[-2] % 8 == 0
        self.shapes.append(tuple(masked.shape))
        return self.net(torch.cat([masked, mask], 1))


class Fixed64(MeanFill):
    @property
    def size(self):
        return 64

    def inpaint(self, masked, mask):
        assert masked.shape[1:] == (3, 64, 64)
        return super().inpaint(masked, mask)


class Ramp(Method):
    """Draws something that differs at every pixel, so that a wrong place is seen."""

    def inpaint(self, masked, mask):
        down = torch.linspace(-1, 1, masked.shape[-2])[:, None]
        right = torch.linspace(-1, 1, masked.shape[-1])
        return torch.stack([down.expand(masked.shape[-2:]), right.expand(masked.shape[-2:]), down * right]).expand_as(
            masked
        )


class Search(Method):
    """Descends inside inpaint, as methods do that search a latent."""

    def inpaint(self, masked, mask):
        with torch.enable_grad():
            color = torch.zeros(len(masked), 3, 1, 1, requires_grad=True)
            for _ in range(25):
                loss = ((color - masked) ** 2 * (1 - mask)).sum() / (1 - mask).sum().clamp(min=1)
                (gradient,) = torch.autograd.grad(loss, color)
                color = (color - 0.3 * gradient).detach().requires_grad_()
        return color.expand_as(masked)


class Constant(Method):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def inpaint(self, masked, mask):
        return torch.full_like(masked, self.value)


METHODS = [MeanFill, Conv8, Fixed64, Search]


def square(height, width, top, left, side):
    hole = np.zeros((height, width), bool)
    hole[top : top + side, left : left + side] = True
    return hole


def picture_of(mode, size=(41, 30)):
    """A photograph in a Pillow mode, with everything around it that has to survive."""
    color = Image.fromarray(skimage.data.astronaut()).resize(size)
    gray = np.asarray(color.convert("L")).astype(np.float32)
    alpha = Image.fromarray((np.arange(size[0] * size[1]).reshape(size[::-1]) % 256).astype(np.uint8))
    if mode.startswith("I;16"):
        image = Image.frombytes(mode, size, (gray * 257).astype(">u2" if mode.endswith("B") else "<u2").tobytes())
    elif mode == "I":
        image = Image.fromarray((gray * 257).astype(np.int32))
    elif mode == "F":
        image = Image.fromarray(gray / 255)
    elif mode == "P":
        image = color.quantize(17)
    else:
        image = color.convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(alpha)
    assert image.mode == mode
    image.info["icc_profile"] = b"a profile"
    image.info["dpi"] = (72, 72)
    return image


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
@pytest.mark.parametrize("shape", [(20, 24), (1, 20, 24), (3, 20, 24), (4, 20, 24), (2, 3, 20, 24)])
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


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    method=st.sampled_from(METHODS),
)
def test_any_size_any_hole_known_pixels_exact_and_hidden_ones_unread(data, height, width, method):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    hole = square(height, width, top, left, data.draw(st.integers(1, 60)))
    if data.draw(st.booleans()):
        hole |= rng.random((height, width)) < 0.02
    other = image.copy()
    other[hole] = rng.integers(0, 256, (int(hole.sum()), 3))
    model = method()
    one, two = fill(model, image, hole), fill(model, other, hole)
    assert np.array_equal(one[~hole], image[~hole])
    assert np.array_equal(one, two)


@settings(max_examples=60, deadline=None)
@given(hole=arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))), by=st.integers(0, 14))
def test_grow_is_a_dilation_by_a_square(hole, by):
    side = 2 * by + 1
    assert np.array_equal(grown(hole, by), ndimage.binary_dilation(hole, np.ones((side, side), bool)))


@pytest.mark.parametrize("seed", range(4))
def test_the_largest_square_of_a_hole(seed):
    hole = ndimage.binary_dilation(np.random.default_rng(seed).random((23, 31)) > 0.97, np.ones((5, 4)), iterations=2)
    for side in (1, 2, 5, 9, 13, 23, 24):
        eroded = ndimage.binary_erosion(np.pad(hole, 24), np.ones((side, side)))  # what is left can hold a square
        assert holds_square(hole, side) == bool(eroded.any()), side
    assert not holds_square(np.zeros((3, 3), bool), 1)


def test_grow_hides_what_is_near_the_hole():
    image = np.full((16, 16, 3), 100, np.uint8)
    image[5:8, 5:8] = 255  # an object, larger than the mask that was drawn for it
    hole = square(16, 16, 6, 6, 1)
    assert (fill(MeanFill(), image, hole)[hole] > 100).all()
    assert (fill(MeanFill(), image, hole, grow=1) == 100).all()


def test_an_empty_mask_gives_the_picture_back_and_calls_nothing():
    image = picture_of("RGB")
    method = MeanFill()
    result = fill(method, image, np.zeros((30, 41), bool))
    assert result is not image
    assert np.array_equal(np.asarray(result), np.asarray(image))
    assert method.shown == []


@pytest.mark.parametrize("method", METHODS[:3])
def test_an_all_hole_mask_shows_the_method_blanks_alone(method):
    one = fill(method(), np.full((70, 50, 3), 9, np.uint8), np.ones((70, 50), bool))
    two = fill(method(), np.full((70, 50, 3), 99, np.uint8), np.ones((70, 50), bool))
    assert np.array_equal(one, two)
    if method is MeanFill:
        assert (one == 128).all()  # rounded from 127.5: the middle of the range


def test_lists_and_batches():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (12, 10 + i % 2, 3), np.uint8) for i in range(5)]
    holes = [rng.random(image.shape[:2]) < 0.4 for image in images]
    method = MeanFill()
    together = fill(method, images, holes, batch=2)
    assert sorted(len(masked) for masked, _ in method.shown) == [1, 2, 2]  # three of one size, two of the other
    assert isinstance(together, list)
    for image, hole, result in zip(images, holes, together, strict=True):
        assert np.array_equal(result, fill(MeanFill(), image, hole))
    stack, masks = np.stack(images[::2]), np.stack(holes[::2])
    for mask in (masks, masks[..., None], torch.from_numpy(masks), list(masks)):
        assert np.array_equal(fill(MeanFill(), stack, mask), np.stack(together[::2]))
    tensor = torch.from_numpy(stack).permute(0, 3, 1, 2)
    for mask in (masks, masks[:, None], torch.from_numpy(masks), torch.from_numpy(masks)[:, None]):
        assert np.array_equal(fill(MeanFill(), tensor, mask).permute(0, 2, 3, 1), np.stack(together[::2]))
    same = fill(MeanFill(), [Image.fromarray(image) for image in images[::2]], Image.fromarray(holes[0]))
    assert np.array_equal(np.asarray(same[0]), together[0])
    assert fill(MeanFill(), [], []) == []


def test_a_result_does_not_depend_on_the_batch():
    images = [np.asarray(picture_of("RGB", (40, 32))), np.zeros((32, 40, 3), np.uint8)]
    holes = [square(32, 40, 5, 5, 12), square(32, 40, 15, 15, 12)]
    together = fill(Conv8(), images, holes)
    alone = [fill(Conv8(), image, hole) for image, hole in zip(images, holes, strict=True)]
    assert all(np.abs(a.astype(int) - b).max() <= 1 for a, b in zip(together, alone, strict=True))


MASK = square(30, 41, 8, 10, 9)


@pytest.mark.parametrize(
    "mask",
    [
        MASK, MASK[..., None], MASK[None], MASK.astype(np.uint8), MASK.astype(np.uint8) * 255, MASK.astype(np.int64),
        MASK.astype(np.uint16) * 65535, MASK.astype(np.float64), np.repeat(MASK[..., None] * np.uint8(255), 3, -1),
        torch.from_numpy(MASK), torch.from_numpy(MASK)[None].float(), torch.from_numpy(MASK)[None, None],
        *(Image.fromarray(MASK).convert("L").convert(mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I")),
        Image.fromarray(MASK).convert("RGB").convert("CMYK"),
        Image.fromarray(MASK.astype(np.float32)), Image.fromarray(MASK.astype(np.uint16) * 65535),
        Image.fromarray(MASK.astype(np.uint8)), Image.fromarray(MASK[..., None] * np.array([255, 0, 0], np.uint8)),
    ],
    ids=lambda mask: getattr(mask, "mode", None) or f"{type(mask).__name__}-{mask.dtype}-{mask.ndim}",
)  # fmt: skip
def test_masks_of_every_kind(mask):
    image = picture_of("RGB")
    wanted = fill(MeanFill(), image, MASK)
    assert np.array_equal(np.asarray(fill(MeanFill(), image, mask)), np.asarray(wanted))


def test_a_transparent_part_of_a_mask_is_known():
    rgba = np.full((4, 4, 4), 255, np.uint8)
    rgba[:2, :, 3] = 0
    assert np.array_equal(read_mask(Image.fromarray(rgba)), np.arange(4)[:, None].repeat(4, 1) >= 2)


def test_the_threshold_of_a_soft_mask():
    soft = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(read_mask(soft), soft >= 128)
    assert np.array_equal(read_mask(Image.fromarray(soft), 0), soft >= 1)
    assert np.array_equal(read_mask(soft / 255, 0.9), soft >= 230)


def test_sizes_that_differ_are_named_together():
    images = [np.zeros((20, 30, 3), np.uint8)] * 3
    holes = [np.zeros((20, 30), bool), np.zeros((30, 20), bool), np.zeros((7, 8), bool)]
    with pytest.raises(OptionError) as caught:
        fill(MeanFill(), images, holes)
    text = str(caught.value)
    assert "image 1: the picture is 30 x 20 (width x height) and its mask 20 x 30" in text
    assert "image 2" in text
    assert "8 x 7" in text
    assert "image 0" not in text


@pytest.mark.parametrize(
    ("image", "mask", "said"),
    [
        (np.full((4, 4, 3), 200.0), np.eye(4), "divide by 255"),
        (np.full((4, 4, 3), -0.5), np.eye(4), r"\(x \+ 1\) / 2"),
        (np.full((4, 4, 3), 1.01), np.eye(4), "clip"),
        (np.full((4, 4, 3), np.nan), np.eye(4), "NaN outside the hole"),
        (torch.full((3, 4, 4), -1.0), np.eye(4), r"\[0, 1\]"),
        (np.zeros((4, 4, 3), np.int64), np.eye(4), "int64"),
        (np.zeros((4, 4), bool), np.eye(4), "bool"),
        (np.zeros((4, 4, 5), np.uint8), np.eye(4), "1 to 4 channels"),
        (np.zeros((3, 4, 9), np.uint8), np.zeros((4, 9)), r"\(3, 4, 9\)"),
        (np.zeros((0, 4), np.uint8), np.zeros((0, 4)), "at least one pixel"),
        (torch.zeros(5, 4, 4), np.eye(4), r"\(channels, H, W\)"),
        ("picture.png", np.eye(4), "not str"),
        (np.zeros((4, 4, 3)), "mask.png", "not str"),
        (np.zeros((4, 4, 3)), np.eye(4) * 255.0, "floats are 0"),
        (np.zeros((4, 4, 3)), -np.eye(4, dtype=int), "-1 to 0"),
        (np.zeros((4, 4, 3)), np.eye(4) * 1j, "complex"),
        (Image.new("LAB", (4, 4)), np.eye(4), "LAB"),
        (Image.new("RGBa", (4, 4)), np.eye(4), "RGBa"),
        (Image.fromarray(np.full((4, 4), 70000, np.int32)), np.eye(4), "0 to 65535"),
        ([np.zeros((4, 4, 3))] * 3, [np.eye(4)] * 2, "3 pictures and 2 masks"),
    ],
)
def test_what_cannot_be_used_is_said(image, mask, said):
    with pytest.raises(InpaintkitError, match=said):
        fill(MeanFill(), image, mask)


def test_floats_in_the_hole_may_be_anything():
    image = np.full((6, 6, 3), 0.25)
    hole = square(6, 6, 2, 2, 2)
    for hidden in (np.nan, np.inf, -7.0, 1e300):
        image[hole] = hidden
        assert np.allclose(fill(MeanFill(), image, hole), 0.25)


def test_wrong_options_are_named_together():
    with pytest.raises(OptionError) as caught:
        fill(MeanFill(), np.zeros((4, 4)), np.eye(4), grow=-1, batch=0, threshold=1.0)
    assert [error.path for error in caught.value.problems] == [("grow",), ("batch",), ("threshold",)]
    with pytest.raises(OptionError, match=r"grow is 1\.5"):
        fill(MeanFill(), np.zeros((4, 4)), np.eye(4), grow=1.5)


def test_a_mask_of_the_stored_size_of_a_turned_photograph_is_explained():
    image = picture_of("RGB")
    image.getexif()[0x0112] = 6
    with pytest.raises(OptionError, match="exif_transpose"):
        fill(MeanFill(), image, MASK.T)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_from_a_method_is_an_error_that_names_the_picture(value):
    images = [np.zeros((8, 8, 3), np.uint8)] * 2
    with pytest.raises(NonFiniteError, match="image 1: what the method drew is NaN or infinite in 4 of its pixels"):
        fill(Constant(value), images, [np.zeros((8, 8), bool), square(8, 8, 2, 2, 2)])


def test_a_method_may_take_gradients_inside():
    image = np.full((20, 20, 3), 40, np.uint8)
    result = fill(Search(), image, square(20, 20, 4, 4, 8))
    assert (result == 40).all()


def test_modes_of_modules_are_put_back():
    method = Conv8().train()
    method.net[1].eval()
    fill(method, np.zeros((16, 16, 3), np.uint8), square(16, 16, 4, 4, 4))
    assert method.training
    assert method.net[0].training
    assert not method.net[1].training


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


# --- inpaint_padded ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(129, 131), (128, 128), (3, 5), (1, 1)])
def test_padding_to_the_stride(size):
    torch.manual_seed(0)
    image, mask = torch.rand(2, 3, *size) * 2 - 1, (torch.rand(2, 1, *size) < 0.2).float()
    method = Conv8()
    result = inpaint_padded(method, image * (1 - mask), mask)
    assert method.shapes[0][2:] == tuple(-(-side // 8) * 8 for side in size)
    assert result.shape == image.shape
    assert torch.equal(result * (1 - mask), image * (1 - mask))
    assert not result.requires_grad


@given(length=st.integers(1, 9), to=st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_reflection_is_numpy_s(length, to):
    row = torch.arange(float(length))[None, None, None]
    to = max(length, to)
    wanted = np.pad(row.numpy(), [(0, 0)] * 3 + [(0, to - length)], mode="reflect" if length > 1 else "edge")
    assert np.array_equal(reflect_to(row, 1, to), wanted)


def test_the_padding_is_known_except_where_it_mirrors_the_hole():
    method = MeanFill()
    type(method).stride = property(lambda self: 8)
    try:
        mask = torch.zeros(1, 1, 8, 10)
        mask[..., 2, 2] = 1
        inpaint_padded(method, torch.ones(1, 3, 8, 10), mask)
        assert method.shown[0][1].sum() == 1
        mask[..., 5, 9] = 1  # at the border
        mask[..., 5, 8] = 1
        inpaint_padded(method, torch.ones(1, 3, 8, 10), mask)
    finally:
        del type(method).stride
    masked, shown = method.shown[1]
    assert torch.equal(shown[0, 0, 5, 8:12], torch.tensor([1.0, 1, 1, 0]))
    assert torch.equal(masked, 1 - shown.expand_as(masked))  # nothing blank is called known


def test_inpaint_padded_blanks_once_more_and_keeps_nan_in_the_hole():
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 1, 1] = 1
    image = torch.full((1, 3, 4, 4), 0.5)
    method = MeanFill()
    assert torch.equal(inpaint_padded(method, image.masked_fill(mask.bool(), torch.nan), mask), image)
    result = inpaint_padded(Constant(torch.nan), image, mask)
    assert torch.equal(result.isnan(), mask.bool().expand(1, 3, 4, 4))


@pytest.mark.parametrize(
    ("method", "image", "mask", "said"),
    [
        (MeanFill(), torch.zeros(3, 4, 4), torch.zeros(1, 1, 4, 4), r"\(B, 3, H, W\)"),
        (MeanFill(), torch.zeros(1, 3, 4, 4, dtype=torch.uint8), torch.zeros(1, 1, 4, 4), "uint8"),
        (MeanFill(), torch.zeros(2, 3, 4, 4), torch.zeros(1, 1, 4, 4), r"\(2, 1, 4, 4\)"),
        (
            Fixed64(),
            torch.zeros(1, 3, 32, 64),
            torch.zeros(1, 1, 32, 64),
            "tied to 64 x 64 and the pictures are 32 x 64",
        ),
    ],
)
def test_inpaint_padded_refuses_what_does_not_fit(method, image, mask, said):
    with pytest.raises(OptionError, match=said):
        inpaint_padded(method, image, mask)


def test_a_method_that_returns_another_shape_is_named():
    class Wrong(Method):
        def inpaint(self, masked, mask):
            return masked[..., :-1]

    with pytest.raises(OptionError, match=r"Wrong\.inpaint returned \(1, 3, 4, 3\) where \(1, 3, 4, 4\)"):
        inpaint_padded(Wrong(), torch.zeros(1, 3, 4, 4), torch.ones(1, 1, 4, 4))


# --- windows ----------------------------------------------------------------------------------------------------------


def covered(hole, found):
    count = np.zeros(hole.shape, int)
    for window in found:
        count[window.core] += window.hole
        for core, context, length in zip(window.core, window.context, hole.shape, strict=True):
            assert 0 <= context.start <= core.start < core.stop <= context.stop <= length
    return np.array_equal(count, hole)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), size=st.sampled_from([None, 16, 64]), stride=st.sampled_from([1, 8]))
def test_every_hole_pixel_belongs_to_exactly_one_window(data, size, stride):
    height, width = (data.draw(st.integers(1, 200)) for _ in range(2))
    if size is None:
        height, width = height * 10, width * 10
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    hole = rng.random((height, width)) < data.draw(st.sampled_from([0, 1e-4, 0.01, 0.5]))
    for _ in range(data.draw(st.integers(0, 3))):
        side = data.draw(st.integers(1, max(height, width)))
        hole |= square(height, width, rng.integers(height), rng.integers(width), side)
    found = windows(hole, stride, size)
    assert covered(hole, found)
    for window in found:
        if size is not None:
            assert max(window.shape) <= size
        else:
            assert max(window.shape) <= max(LARGEST, 1000)


def test_near_holes_share_a_window_and_far_ones_do_not():
    hole = square(2000, 3000, 500, 500, 60) | square(2000, 3000, 520, 700, 60) | square(2000, 3000, 1500, 2500, 60)
    found = windows(hole, 8)
    assert len(found) == 2
    assert covered(hole, found)
    assert [window.hole.sum() for window in found] == [7200, 3600]
    assert all(side.start % 8 == 0 for window in found for side in window.context)


def test_a_wire_across_a_large_picture_is_filled_at_full_resolution():
    hole = np.zeros((3000, 4000), bool)
    for offset in range(12):
        hole[np.arange(3000), np.arange(3000) + offset] = True
    found = windows(hole)
    assert covered(hole, found)
    assert len(found) > 3
    for window in found:
        assert max(window.shape) <= 1536
        assert window.shape == tuple(side.stop - side.start for side in window.context)


def test_a_large_thick_hole_is_scaled_down():
    hole = square(4000, 4000, 500, 500, 2500)
    (window,) = windows(hole)
    assert max(window.shape) == LARGEST
    assert window.context == (slice(0, 3512), slice(0, 3512))


def test_windows_of_a_large_picture_give_what_the_whole_gives():
    """A convolution whose receptive field ends inside the context cannot tell a window from the picture."""
    image = np.asarray(Image.fromarray(skimage.data.astronaut()).resize((1300, 1100)))
    hole = square(1100, 1300, 140, 150, 40) | square(1100, 1300, 900, 1213, 77)
    method = Conv8()
    result = fill(method, image, hole)
    assert max(shape[2] * shape[3] for shape in method.shapes) < 700 * 700
    masked = (torch.from_numpy(image.copy()).permute(2, 0, 1)[None] / 127.5 - 1) * torch.from_numpy(~hole)
    whole = inpaint_padded(Conv8(), masked, torch.from_numpy(hole)[None, None].float())
    wanted = ((whole[0] + 1) * 127.5).round().permute(1, 2, 0).numpy()
    assert np.abs(result - wanted).max() <= 1
    assert np.array_equal(result[~hole], image[~hole])


def test_a_method_tied_to_a_size_sees_the_hole_with_its_context_at_full_resolution():
    image = np.asarray(picture_of("RGB", (200, 150)))
    method = Fixed64()
    result = fill(method, image, square(150, 200, 100, 20, 16))
    masked, mask = method.shown[0]
    assert mask.sum() == 256
    crop = image[76:140, 0:64] / 127.5 - 1
    assert np.allclose(masked[0].permute(1, 2, 0).numpy(), crop * (1 - mask[0, 0].numpy()[..., None]), atol=1e-6)
    assert np.array_equal(result[:100], image[:100])


@pytest.mark.parametrize("size", [(64, 64), (30, 41), (41, 30), (64, 20), (200, 150), (1, 1), (300, 64)])
def test_a_method_tied_to_a_size_takes_every_picture(size):
    image = np.asarray(picture_of("RGB", size))
    hole = square(size[1], size[0], size[1] // 4, size[0] // 4, max(1, min(size) // 2))
    result = fill(Fixed64(), image, hole)
    assert np.array_equal(result[~hole], image[~hole])


@pytest.mark.parametrize("size", [(150, 150), (33, 40)])
def test_a_scaled_fill_lands_in_its_place(size):
    """Shrunk (150) or grown (40) to 64: what is drawn as a ramp comes back as the ramp, scaled."""

    class Ramp64(Ramp):
        @property
        def size(self):
            return 64

    height, width = size
    hole = square(height, width, height // 4, width // 4, height // 2)
    result = fill(Ramp64(), np.zeros((height, width, 3)), hole)
    side = max(size)
    down = ((np.arange(height) + 0.5) / side * 64 - 0.5) / 63
    right = ((np.arange(width) + 0.5) / side * 64 - 0.5) / 63
    inside = ndimage.binary_erosion(hole, iterations=4)  # the scaled rim blends into the known pixels, here black
    assert np.abs(result[..., 0] - down[:, None])[inside].max() < 0.02
    assert np.abs(result[..., 1] - right)[inside].max() < 0.02


def test_a_scaled_pixel_that_touches_the_hole_is_hole():
    image = np.ones((150, 150, 3))
    hole = square(150, 150, 37, 37, 75)  # no edge of it falls on an edge of the scaled pixels
    method = Fixed64()
    fill(method, image, hole)
    masked, mask = method.shown[0]
    assert torch.equal(masked, 1 - mask.expand_as(masked))  # known pixels are pure white: no blank bled into them
    edges = np.arange(65) * 150 / 64
    touched = np.array([hole[74, int(start) : int(np.ceil(end))].any() for start, end in pairwise(edges)])
    assert np.array_equal(mask[0, 0, 32].numpy() > 0, touched)


@pytest.mark.parametrize("side", [40, 63, 65, 100])
def test_no_blank_is_called_known_whatever_the_scale(side):
    method = Fixed64()
    fill(method, np.ones((side, side, 3)), square(side, side, side // 3, side // 4, side // 2 - 1))
    masked, mask = method.shown[0]
    assert mask.sum() > 0
    assert torch.allclose(masked, 1 - mask.expand_as(masked), atol=1e-6)


def test_methods_run_without_gradients():
    class Watch(MeanFill):
        def inpaint(self, masked, mask):
            assert not torch.is_grad_enabled()
            assert not torch.is_inference_mode_enabled()
            return super().inpaint(masked, mask)

    fill(Watch(), np.zeros((8, 8)), np.eye(8))


@pytest.mark.gpu
def test_a_method_on_an_accelerator_fills_pictures_of_the_cpu():
    image, hole = np.asarray(picture_of("RGB")), square(30, 41, 8, 10, 9)
    there = fill(Conv8().to("cuda"), image, hole)
    assert np.abs(there.astype(int) - fill(Conv8(), image, hole)).max() <= 1
    tensor = torch.from_numpy(image.copy()).permute(2, 0, 1).to("cuda")
    result = fill(Conv8(), tensor, hole)
    assert result.device == tensor.device
    assert torch.equal(result.cpu()[:, ~hole], tensor.cpu()[:, ~hole])


def test_the_device_and_type_of_a_method_do_not_leak_into_the_result():
    image = torch.rand(3, 16, 16, dtype=torch.float64)
    result = fill(Conv8(), image, torch.ones(16, 16))
    assert result.dtype == torch.float64
    assert not result.requires_grad


class Noise(Method):
    """Draws at random, and has no parameters."""

    randomness = "always"

    def inpaint(self, masked, mask, *, rng=None):
        self.seen = masked.device.type
        return torch.rand(masked.shape, generator=rng) * 2 - 1


def test_a_random_method_is_seeded_and_the_callers_numbers_stay():
    photo = np.full((8, 9, 3), 128, np.uint8)
    hole = square(8, 9, 2, 2, 4)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    once, again, other = fill(Noise(), photo, hole), fill(Noise(), photo, hole), fill(Noise(), photo, hole, seed=1)
    assert torch.equal(torch.rand(3), expected)
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_a_method_without_parameters_works_where_it_is_told():
    class Keeps(MeanFill):
        def inpaint(self, masked, mask):
            self.seen = masked.device.type
            return super().inpaint(masked, mask)

    method = Keeps()
    with pytest.raises(NotImplementedError, match="meta"):  # a device without numbers: it got there
        fill(method, np.full((8, 9, 3), 128, np.uint8), square(8, 9, 2, 2, 4), device="meta")
    assert method.seen == "meta"


# --- blending -------------------------------------------------------------------------------------------------------


class Cast(Method):
    """The picture ``truth`` (3, H, W) in another light: blending brings it back."""

    def __init__(self, truth):
        super().__init__()
        self.truth = truth

    def inpaint(self, masked, mask):
        return (self.truth + torch.tensor([0.3, -0.2, 0.1]).view(3, 1, 1)).expand_as(masked)


@pytest.mark.parametrize("kind", ["pil", "array", "tensor"])
def test_blending_leaves_no_seam_and_keeps_known_pixels(kind):
    pixels = np.array(picture_of("RGB", (83, 70)))
    hole = square(70, 83, 20, 31, 22) | square(70, 83, 0, 70, 13)
    method = Cast(torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1)
    image = {"pil": Image.fromarray(pixels), "array": pixels, "tensor": torch.from_numpy(pixels).permute(2, 0, 1)}[kind]
    plain, blended = (np.asarray(fill(method, image, hole, blend=blend)) for blend in (None, "poisson"))
    if kind == "tensor":
        plain, blended = plain.transpose(1, 2, 0), blended.transpose(1, 2, 0)
    assert np.abs(plain[hole].astype(int) - pixels[hole]).mean() > 15
    assert np.abs(blended[hole].astype(int) - pixels[hole]).max() <= 1
    assert np.array_equal(blended[~hole], pixels[~hole])


@pytest.mark.parametrize("method", METHODS)
def test_blending_never_reads_a_hidden_pixel(method):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (75, 90, 3), np.uint8)
    hole = square(75, 90, 30, 40, 31) | square(75, 90, 0, 0, 9)
    other = image.copy()
    other[hole] = rng.integers(0, 256, (int(hole.sum()), 3))
    one, two = (fill(method(), each, hole, blend="poisson") for each in (image, other))
    assert np.array_equal(one, two)
    assert np.array_equal(one[~hole], image[~hole])
    assert not np.array_equal(one, fill(method(), image, hole))


def test_blending_is_that_of_the_windows_that_the_method_was_shown():
    """A method tied to a size is shown a scaled part: what it drew there is blended, then scaled back."""
    image, hole = np.asarray(picture_of("RGB", (200, 150))), square(150, 200, 40, 60, 70)
    method = Fixed64()
    blended = fill(method, image, hole, blend="poisson")
    [(masked, mask)] = method.shown
    [window] = windows(hole, 1, 64)
    drawn = poisson_blend(MeanFill().inpaint(masked, mask), masked, mask)[..., : window.shape[0], : window.shape[1]]
    size = tuple(side.stop - side.start for side in window.context)
    scaled = nn.functional.interpolate(drawn, size, mode="bicubic", antialias=True)[0]
    expected = image.copy()
    inside = np.zeros_like(hole)
    inside[window.context] = True
    full = np.zeros((150, 200, 3))
    full[inside] = ((scaled + 1) * 127.5).permute(1, 2, 0).reshape(-1, 3).numpy()
    expected[hole] = full[hole].clip(0, 255).round()
    assert np.abs(blended.astype(int) - expected).max() <= 1
    assert np.array_equal(blended[~hole], image[~hole])


def test_blending_of_pictures_without_known_pixels_and_of_nan():
    image = np.asarray(picture_of("RGB"))
    everything = np.ones(image.shape[:2], bool)
    assert np.array_equal(fill(Ramp(), image, everything, blend="poisson"), fill(Ramp(), image, everything))
    with pytest.raises(NonFiniteError, match="what the method drew is NaN"):
        fill(Constant(float("nan")), image, MASK, blend="poisson")


def test_blendings_that_are_not_there_are_told():
    with pytest.raises(OptionError, match="there is no blending 'poison', did you mean 'poisson'"):
        fill(MeanFill(), picture_of("RGB"), MASK, blend="poison")


# --- several answers ------------------------------------------------------------------------------------------------


class Asked(Method):
    """Draws at random when asked, else always gray."""

    randomness = "on request"

    def inpaint(self, masked, mask, *, rng=None):
        if rng is None:
            return torch.zeros_like(masked)
        return torch.rand(len(masked), 3, 1, 1, generator=rng).expand_as(masked)


def test_samples_are_those_of_the_seeds_one_by_one():
    image = picture_of("RGB")
    answers = fill(Noise(), image, MASK, samples=3, seed=5)
    assert isinstance(answers, list)
    assert [type(each) for each in answers] == [type(image.copy())] * 3
    for number, answer in enumerate(answers):
        assert np.array_equal(np.asarray(answer), np.asarray(fill(Noise(), image, MASK, seed=5 + number)))
        assert np.array_equal(np.asarray(answer)[~MASK], np.asarray(image)[~MASK])
    assert len({np.asarray(answer).tobytes() for answer in answers}) == 3


def test_samples_of_several_pictures_are_lists_of_lists():
    images = [np.asarray(picture_of("RGB")), np.asarray(picture_of("RGB"))[::-1].copy()]
    answers = fill(Noise(), images, MASK, samples=2)
    assert [len(each) for each in answers] == [2, 2]
    batch = fill(Noise(), np.stack(images), MASK, samples=2)
    assert all(np.array_equal(a, b) for one, two in zip(answers, batch, strict=True) for a, b in pairs(one, two))
    plain = fill(Noise(), images, MASK)
    assert all(np.array_equal(each[0], one) for each, one in zip(answers, plain, strict=True))
    assert fill(Noise(), [], [], samples=2) == []
    assert [len(each) for each in fill(Noise(), images, MASK, samples=1)] == [1, 1]


def pairs(one, two):
    return zip(one, two, strict=True)


def test_a_method_that_draws_at_random_on_request_is_asked_for_several_answers_only():
    image, method = np.asarray(picture_of("RGB")), Asked()
    answers = fill(method, image, MASK, samples=3)
    assert len({answer.tobytes() for answer in answers}) == 3
    assert (fill(method, image, MASK)[MASK] == 128).all()
    assert not any((answer[MASK] == 128).all() for answer in answers)


def test_samples_are_blended_too():
    image = np.asarray(picture_of("RGB"))
    answers = fill(Asked(), image, MASK, samples=3, blend="poisson")  # of one color each: the gradients are all 0
    assert all(np.abs(answer.astype(int) - answers[0]).max() <= 1 for answer in answers)


def test_a_method_with_one_answer_is_not_asked_for_more():
    with pytest.raises(OptionError, match="MeanFill draws only one answer to each hole: leave samples out"):
        fill(MeanFill(), picture_of("RGB"), MASK, samples=2)
    for samples in (0, True, 1.5):
        with pytest.raises(OptionError, match=r"samples is .+: a whole number, at least 1"):
            fill(Noise(), picture_of("RGB"), MASK, samples=samples)
