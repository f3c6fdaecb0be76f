"""Prefills: against loops, the exact solution of Laplace's equation, and what holds for any picture."""

from __future__ import annotations

import torch
from hypothesis import given, strategies as st
from inpaintkit_photo.prefill import doubled, halved, harmonic, push_pull
from torch import Tensor

from inpaintkit.components.masks import random_rectangles, strokes
from inpaintkit.components.multigrid import harmonic_extension

SIDES = st.integers(1, 19)


def picture(height: int, width: int, seed: int = 0, count: int = 2) -> Tensor:
    return torch.rand((count, 3, height, width), generator=torch.Generator().manual_seed(seed)) * 2 - 1


def holes(height: int, width: int, seed: int = 0, count: int = 2) -> Tensor:
    return (torch.rand((count, 1, height, width), generator=torch.Generator().manual_seed(seed)) < 0.6).float()


@given(SIDES, SIDES, st.integers(0, 99))
def test_halved_is_the_mean_of_known_pixels(height: int, width: int, seed: int) -> None:
    image, mask = picture(height, width, seed), holes(height, width, seed + 1)
    smaller, hole = halved(image * (1 - mask), mask)
    assert smaller.shape[-2:] == hole.shape[-2:] == ((height + 1) // 2, (width + 1) // 2)
    for row in range(smaller.shape[-2]):
        for column in range(smaller.shape[-1]):
            block = image[0, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            known = mask[0, 0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] == 0
            assert hole[0, 0, row, column] == float(not known.any())
            expected = block[:, known].mean(1) if known.any() else torch.zeros(3)
            torch.testing.assert_close(smaller[0, :, row, column], expected)


@given(SIDES, SIDES, st.integers(0, 99), st.sampled_from([push_pull, harmonic]))
def test_prefills(height: int, width: int, seed: int, prefill: object) -> None:
    """Known pixels stay, no value leaves their range, hidden ones do not matter, and each picture is on its own."""
    assert callable(prefill)
    image, mask = picture(height, width, seed), holes(height, width, seed + 1)
    mask[0, 0, 0, 0] = mask[1, 0, -1, -1] = 0
    filled = prefill(image * (1 - mask), mask)
    known = mask.expand_as(image) == 0
    assert torch.equal(filled[known], image[known])
    for each, value, hidden in zip(filled, image, mask, strict=True):
        seen = value[hidden.expand_as(value) == 0].view(3, -1)
        assert (each.flatten(1).amin(1) >= seen.amin(1) - 1e-5).all()
        assert (each.flatten(1).amax(1) <= seen.amax(1) + 1e-5).all()
    torch.testing.assert_close(prefill(image[1:] * (1 - mask[1:]), mask[1:]), filled[1:])


def test_push_pull_in_closed_form() -> None:
    """Four pixels in a row, of which the last three are unknown: at half the size the second of two is unknown."""
    mask = torch.tensor([[[[0.0, 1.0, 1.0, 1.0]]]])
    masked = torch.tensor([0.8, 0.0, 0.0, 0.0]).expand(1, 3, 1, 4)
    torch.testing.assert_close(push_pull(masked, mask), torch.full((1, 3, 1, 4), 0.8))
    mask = torch.tensor([[[[0.0, 1.0, 0.0, 0.0]]]])
    masked = torch.tensor([0.8, 0.0, 0.2, 0.4]).expand(1, 3, 1, 4)
    # at half the size 0.8 and 0.3; bilinear at the second pixel: 3/4 and 1/4 of them
    torch.testing.assert_close(push_pull(masked, mask)[0, 0, 0, 1], torch.tensor(0.75 * 0.8 + 0.25 * 0.3))


def test_harmonic_is_near_the_solution() -> None:
    """Waves with strokes and rectangles: the error of the exact solution, to a few hundredths; push-pull has more."""
    rng = torch.Generator().manual_seed(3)
    rows, columns = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    angles = torch.rand((16, 3, 1, 1), generator=rng) * 6.28
    image = torch.sin(rows * angles.sin() / 6 + columns * angles.cos() / 6 + angles)
    for mask in (strokes(16, (96, 96), rng), random_rectangles(16, (96, 96), rng, min=8, max=32)):
        masked = image * (1 - mask)
        exact = harmonic_extension(masked, mask.bool(), 1e-4)
        near, far = (
            ((each - exact) * mask).abs().sum() / mask.sum() / 3
            for each in (harmonic(masked, mask), push_pull(masked, mask))
        )
        assert near < far / 2
        assert near < 0.05
    sweeps = [float((harmonic(masked, mask, count) - exact).abs().mean()) for count in (0, 4, 16, 64)]
    assert sweeps == sorted(sweeps, reverse=True)


def test_without_known_pixels_there_is_nothing_to_go_by() -> None:
    mask = torch.ones(1, 1, 5, 7)
    assert torch.equal(harmonic(torch.zeros(1, 3, 5, 7), mask), torch.zeros(1, 3, 5, 7))


def test_doubled_undoes_the_size_of_halved() -> None:
    for height, width in ((1, 1), (5, 8), (7, 2)):
        smaller, _ = halved(picture(height, width), holes(height, width))
        assert doubled(smaller, (height, width)).shape == (2, 3, height, width)
