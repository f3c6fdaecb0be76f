"""Masks of every kind, and what is done with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings, strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from scipy import ndimage

from inpaintkit.core.errors import OptionError
from inpaintkit.filling.in_memory import fill
from inpaintkit.filling.masks import grown, holds_square, read_mask
from inpaintkit.filling.options import FillOptions

from .toys import MASK, MeanFill, picture_of, square


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


@settings(max_examples=60, deadline=None)
@given(hole=arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))), by=st.integers(0, 14))
def test_grow_is_a_dilation_by_a_square(hole, by):
    side = 2 * by + 1
    assert np.array_equal(grown(hole, by), ndimage.binary_dilation(hole, np.ones((side, side), bool)))


def test_grow_hides_what_is_near_the_hole():
    image = np.full((16, 16, 3), 100, np.uint8)
    image[5:8, 5:8] = 255  # an object, larger than the mask that was drawn for it
    hole = square(16, 16, 6, 6, 1)
    assert (fill(MeanFill(), image, hole)[hole] > 100).all()
    assert (fill(MeanFill(), image, hole, FillOptions(grow=1)) == 100).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_largest_square_of_a_hole(seed):
    hole = ndimage.binary_dilation(np.random.default_rng(seed).random((23, 31)) > 0.97, np.ones((5, 4)), iterations=2)
    for side in (1, 2, 5, 9, 13, 23, 24):
        eroded = ndimage.binary_erosion(np.pad(hole, 24), np.ones((side, side)))  # what is left can hold a square
        assert holds_square(hole, side) == bool(eroded.any()), side
    assert not holds_square(np.zeros((3, 3), bool), 1)


def test_colors_of_0_and_1_are_a_mask_and_the_alpha_of_a_pil_mask_has_8_bits():
    assert read_mask(Image.new("RGB", (3, 2), (1, 1, 0))).all()
    assert not read_mask(Image.new("RGB", (3, 2), (2, 2, 0))).any()
    assert not read_mask(Image.new("RGBA", (3, 2), (1, 1, 1, 1))).any()
    assert read_mask(np.ones((2, 3, 3), np.uint8)).all()


def rgba(color, alpha):
    return np.dstack([np.broadcast_to(np.uint8(color), (*alpha.shape, 3)), alpha])


@pytest.mark.parametrize("color", [(0, 0, 0), (40, 0, 90), (255, 255, 255), (255, 0, 0), (1, 1, 1)])
@pytest.mark.parametrize("of", ["PIL", "LA", "array", "tensor"])
def test_strokes_on_a_transparent_layer_are_the_hole(color, of):
    pixels = rgba(color, MASK * np.uint8(255))
    mask = {
        "PIL": Image.fromarray(pixels),
        "LA": Image.fromarray(pixels).convert("LA"),
        "array": pixels,
        "tensor": torch.from_numpy(pixels).permute(2, 0, 1),
    }[of]
    assert np.array_equal(read_mask(mask), MASK)


def test_a_hole_that_may_be_either_part_of_the_alpha_is_not_guessed():
    """Transparent where the picture is to be filled, as some programs make it: the opposite of strokes."""
    with pytest.raises(OptionError, match=r"no bright pixel, and 9.% of it is opaque: paint the hole white on black"):
        read_mask(Image.fromarray(rgba((0, 0, 0), ~MASK * np.uint8(255))))


def test_an_opaque_mask_with_alpha_is_read_by_its_colors():
    assert not read_mask(Image.new("RGBA", (4, 4), (0, 0, 0, 255))).any()
    assert not read_mask(Image.new("RGBA", (4, 4), (255, 255, 255, 0))).any()
    assert read_mask(Image.new("LA", (4, 4), (255, 255))).all()


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P", "I", "I;16", "F"])
def test_0_and_1_are_a_mask_in_every_mode(mode):
    if mode == "P":
        mask = Image.fromarray(MASK.astype(np.uint8))
        mask.putpalette([0, 0, 0, 1, 1, 1])
    elif mode in ("RGB", "RGBA"):
        mask = Image.fromarray(np.repeat(MASK[..., None].astype(np.uint8), 3, -1)).convert(mode)
    else:
        mask = Image.fromarray(
            MASK.astype({"1": bool, "L": np.uint8, "I": np.int32, "I;16": np.uint16, "F": np.float32}[mode])
        )
    assert np.array_equal(read_mask(mask), MASK)


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F"]),
    hole=arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))),
)
def test_a_white_hole_is_read_from_every_mode(mode, hole):
    assume(hole.any())
    if mode == "F":
        mask = Image.fromarray(hole.astype(np.float32))
    elif mode.startswith("I"):
        mask = Image.fromarray(hole * (np.uint16 if ";" in mode else np.int32)(65535))
    else:
        mask = Image.fromarray(hole * np.uint8(255)).convert(mode)
    assert np.array_equal(read_mask(mask), hole)


def test_floats_that_miss_0_and_1_by_rounding_are_a_mask():
    assert np.array_equal(read_mask(MASK * 1.0000001 - 1e-7), MASK)
