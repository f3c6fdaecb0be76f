"""Shifts by slicing, rotations against scipy, scaling against Pillow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image
from scipy import ndimage

from inpaintkit.evaluation.transform import Transform, rotated, scaled, shifted


def pictures(count: int = 2, height: int = 24, width: int = 32, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, height, width), generator=rng, dtype=torch.uint8)


def test_a_shift_moves_the_content_right_and_down_exactly() -> None:
    image = pictures()
    moved = shifted(image, 5, 3)
    assert torch.equal(moved[..., 3:, 5:], image[..., :-3, :-5])
    assert torch.equal(moved[..., 3:, 4], image[..., :-3, 0])  # mirrored at the edge, the edge pixel twice
    assert torch.equal(moved[..., 2, 5:], image[..., 0, :-5])
    back = shifted(image, -5, -3)
    assert torch.equal(back[..., :-3, :-5], image[..., 3:, 5:])


@given(st.integers(-40, 40), st.integers(-40, 40))
@settings(max_examples=40, deadline=None)
def test_a_shift_agrees_with_numpy_padding(right: int, down: int) -> None:
    image = pictures(1, 9, 13)
    pad = 50
    wide = np.pad(image.numpy(), ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode="symmetric")
    expected = wide[..., pad - down : pad - down + 9, pad - right : pad - right + 13]
    assert np.array_equal(shifted(image, right, down).numpy(), expected)


@pytest.mark.parametrize("degrees", [20.0, -33.0, 5.5, 90.0, 135.0])
@pytest.mark.parametrize("size", [(40, 40), (24, 32), (31, 17)])
def test_a_rotation_agrees_with_scipy(degrees: float, size: tuple[int, int]) -> None:
    image = pictures(2, *size)
    expected = [
        [ndimage.rotate(plane.astype(np.float64), degrees, reshape=False, order=1, mode="reflect") for plane in one]
        for one in image.numpy()
    ]
    assert np.abs(rotated(image, degrees).numpy() - np.array(expected)).max() <= 0.5 + 1e-6  # rounded to 8 bits


def test_a_rotation_turns_counter_clockwise() -> None:
    image = torch.zeros(1, 3, 41, 41, dtype=torch.uint8)
    image[..., 20, 35] = 255  # right of the middle
    turned = rotated(image, 90)
    assert turned[0, 0, 5, 20] == 255  # above it


def test_the_transform_rotates_before_it_shifts() -> None:
    image = pictures()
    both = Transform(shift=(4, -2), rotate=30)(image)
    assert torch.equal(both, shifted(rotated(image, 30), 4, -2))
    assert not torch.equal(both, rotated(shifted(image, 4, -2), 30))
    assert torch.equal(Transform()(image), image)


def test_scaling_agrees_with_pillow() -> None:
    smooth = torch.from_numpy(ndimage.gaussian_filter(pictures(1, 96, 96).numpy().astype(float), (0, 0, 2, 2)))
    image = ((smooth - smooth.min()) / (smooth.max() - smooth.min()) * 255).round().to(torch.uint8)
    for size in (64, 48, 31):
        expected = Image.fromarray(image[0].permute(1, 2, 0).numpy()).resize((size, size), Image.Resampling.BICUBIC)
        ours = scaled(image, size)[0].permute(1, 2, 0).numpy().astype(int)
        assert np.abs(ours - np.asarray(expected)).max() <= 1  # Pillow rounds between its two passes
    assert scaled(image, 96) is image
