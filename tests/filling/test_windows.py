"""The parts of a picture that a method is shown."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image
from scipy import ndimage

from inpaintkit.filling.in_memory import fill
from inpaintkit.filling.windows import LARGEST, windows
from inpaintkit.runtime.apply import inpaint_padded

from .toys import Conv8, Fixed64, Ramp, picture_of, square


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
