"""Total variation against smoothed quasi-Newton descent, duality, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from inpaintkit_classical.known import levels
from inpaintkit_classical.total_variation import TotalVariation, bound, gradient, minimize, transposed, variation
from numpy.typing import NDArray
from scipy.optimize import minimize as descend
from torch import Tensor

from inpaintkit.components.crops import crops_around

Array = NDArray[np.float64]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


def holes(kind: str, height: int, width: int) -> Tensor:
    mask = torch.zeros(1, 1, height, width, dtype=torch.float64)
    if kind == "center":
        mask[..., 3:-3, 2:-3] = 1
    elif kind == "corner":
        mask[..., -4:, -5:] = 1
    elif kind == "several":
        mask[..., :2, 1:3] = mask[..., 4:7, 5:9] = mask[..., -1, 0] = 1
    elif kind == "one known":
        mask[:] = 1
        mask[..., 2, 4] = 0
    return mask


def by_hand(picture: Array) -> float:
    """The color-coupled total variation of one picture (3, H, W), pixel by pixel."""
    _, height, width = picture.shape
    total = 0.0
    for row in range(height):
        for column in range(width):
            here = picture[:, row, column]
            down = picture[:, row + 1, column] - here if row + 1 < height else 0 * here
            right = picture[:, row, column + 1] - here if column + 1 < width else 0 * here
            total += float(np.sqrt((down**2).sum() + (right**2).sum()))
    return total


def descended(picture: Array, hidden: NDArray[np.bool_]) -> Array:
    """The minimizer by quasi-Newton steps on sqrt(|grad u|^2 + e^2), with e ever smaller."""
    u = np.where(hidden, picture[:, ~hidden].mean(1)[:, None, None], picture)
    for epsilon in (1e-1, 1e-2, 1e-3, 1e-4):

        def smoothed(values: Array, epsilon: float = epsilon) -> tuple[float, Array]:
            u[:, hidden] = values.reshape(3, -1)
            down, right = np.zeros_like(u), np.zeros_like(u)
            down[:, :-1], right[..., :-1] = np.diff(u, axis=1), np.diff(u, axis=2)
            length = np.sqrt((down**2 + right**2).sum(0) + epsilon**2)
            down, right = down / length, right / length
            slope = -down - right
            slope[:, 1:] += down[:, :-1]
            slope[..., 1:] += right[..., :-1]
            return float(length.sum()), slope[:, hidden].ravel()

        best = descend(smoothed, u[:, hidden].ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 1000})
        u[:, hidden] = best.x.reshape(3, -1)
    return u


@pytest.mark.parametrize("kind", ["center", "corner", "several", "one known"])
def test_is_as_low_as_an_independent_solver_comes(kind: str) -> None:
    picture, mask = noise(1, 3, 11, 12), holes(kind, 11, 12)
    found = TotalVariation(3000, 1e-5).inpaint(picture * (1 - mask), mask)[0].numpy()
    reference = descended(picture[0].numpy().copy(), mask[0, 0].bool().numpy())
    assert by_hand(found) <= by_hand(reference) + 1e-4
    assert by_hand(found) == pytest.approx(by_hand(reference), rel=2e-3, abs=1e-2)
    assert by_hand(found) < by_hand(np.where(mask[0] > 0, noise(3, 11, 12, seed=1), picture[0])) + 1e-9


def test_the_value_is_the_one_by_hand() -> None:
    picture, mask = noise(2, 3, 7, 9), torch.ones(2, 1, 7, 9).bool()
    torch.testing.assert_close(
        variation(picture, mask), torch.tensor([by_hand(one) for one in picture.numpy()], dtype=torch.float64)
    )


def test_a_strip_between_two_colors_is_monotone_with_the_least_value() -> None:
    strip = torch.zeros(1, 3, 1, 12, dtype=torch.float64)
    strip[..., :3] = torch.tensor([-0.5, 0.8, 0.1], dtype=torch.float64).view(3, 1, 1)
    strip[..., 9:] = torch.tensor([0.5, -0.4, 0.1], dtype=torch.float64).view(3, 1, 1)
    mask = torch.zeros(1, 1, 1, 12, dtype=torch.float64)
    mask[..., 3:9] = 1
    found = TotalVariation(3000, 1e-7).inpaint(strip * (1 - mask), mask)[0]
    assert by_hand(found.numpy()) == pytest.approx(float(torch.tensor([1.0, 1.2]).norm()), rel=1e-5)
    steps = found[:, 0].diff()
    assert (steps[0] >= -1e-4).all()
    assert (steps[1] <= 1e-4).all()
    assert float((found[2] - 0.1).abs().max()) < 1e-6


def test_an_edge_runs_straight_through_the_hole() -> None:
    picture = torch.full((1, 3, 16, 16), -0.6, dtype=torch.float64)
    picture[..., 8:] = 0.4
    mask = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    mask[..., 5:10, 4:13] = 1
    found = TotalVariation(2000, 1e-6).inpaint(picture * (1 - mask), mask)[0].numpy()
    assert by_hand(found) == pytest.approx(16 * np.sqrt(3), rel=1e-5)  # each row climbs by 1 in three channels
    assert not np.allclose(found, found.mean(2, keepdims=True), atol=0.1)


def test_a_constant_comes_back_exactly() -> None:
    picture, mask = torch.full((1, 3, 9, 9), 0.3), holes("center", 9, 9).float()
    assert torch.equal(TotalVariation().inpaint(picture * (1 - mask), mask), picture)


def test_a_large_bump_is_cut_off() -> None:
    """A hole in a flat surrounding is flat, whatever lies farther away."""
    picture = torch.full((1, 3, 20, 20), 0.25, dtype=torch.float64)
    picture[..., :3, :] = 1
    mask = torch.zeros(1, 1, 20, 20, dtype=torch.float64)
    mask[..., 8:16, 5:16] = 1
    found = TotalVariation(1500, 1e-7).inpaint(picture * (1 - mask), mask)
    torch.testing.assert_close(found, picture, atol=1e-4, rtol=0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), height=st.integers(1, 9), width=st.integers(1, 9))
def test_the_transpose_is_the_gradients(seed: int, height: int, width: int) -> None:
    u, p = noise(2, 3, height, width, seed=seed), noise(2, 2, 3, height, width, seed=seed + 1)
    torch.testing.assert_close((gradient(u) * p).flatten(1).sum(1), (u * transposed(p)).flatten(1).sum(1))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), share=st.floats(0.1, 0.9))
def test_no_filling_is_below_the_bound(seed: int, share: float) -> None:
    picture = noise(1, 3, 7, 8, seed=seed)
    hole = noise(1, 1, 7, 8, seed=seed + 1) < 2 * share - 1
    hole[..., 0, 0] = False
    p = noise(1, 2, 3, 7, 8, seed=seed + 2)
    p = p / torch.linalg.vector_norm(p, dim=(1, 2), keepdim=True).clamp(min=1)
    lowest, _, highest = levels(picture, hole)
    below = bound(p, picture, hole, lowest, highest)
    for number in range(5):
        filling = lowest + (highest - lowest) * (noise(1, 3, 7, 8, seed=seed + 3 + number) + 1) / 2
        assert float(below) <= float(variation(torch.where(hole, filling, picture), hole)) + 1e-9


def problem(count: int = 1) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    picture, hole = noise(count, 3, 18, 15), torch.zeros(count, 1, 18, 15).bool()
    hole[..., 3:12, 4:12] = True
    lowest, mean, highest = levels(picture, hole)
    return torch.where(hole, mean, picture), hole, lowest, highest


def test_tolerance_bounds_the_gap() -> None:
    u, hole, lowest, highest = problem()
    least, never = minimize(u, hole, lowest, highest, 1000, 0)
    for tolerance in (1e-1, 1e-2):
        found, gap = minimize(u, hole, lowest, highest, 1000, tolerance)
        value = variation(found, hole)
        assert float(never) < float(gap) <= tolerance * float(value)
        assert float(value - gap) <= float(variation(least, hole)) <= float(value)


def test_iterations_are_the_most() -> None:
    u, hole, lowest, highest = problem()
    gaps = [float(minimize(u, hole, lowest, highest, count, 1e-3)[1]) for count in (1, 20, 250)]
    assert gaps[0] > gaps[1] > gaps[2]


def test_a_picture_that_is_done_leaves_the_others_as_they_are() -> None:
    u, hole, lowest, highest = problem(3)
    hole[1] = False
    hole[1, :, 5, 5] = True  # soon done
    together, gaps = minimize(u, hole, lowest, highest, 2000, 1e-3)
    assert len({round(float(gap), 9) for gap in gaps}) == 3
    for index in range(3):
        alone, gap = minimize(*(each[index : index + 1] for each in (u, hole, lowest, highest)), 2000, 1e-3)
        torch.testing.assert_close(together[index], alone[0], atol=1e-9, rtol=0)
        torch.testing.assert_close(gaps[index], gap[0], atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", ["center", "corner", "several"])
def test_the_window_around_the_hole_changes_nothing(kind: str) -> None:
    picture, mask = noise(1, 3, 17, 21), holes(kind, 17, 21)
    if kind == "center":
        mask[..., :6, :] = 0  # so that the window is a part
    lowest, mean, highest = levels(picture, mask)
    hole = mask.bool()
    whole, _ = minimize(torch.where(hole, mean, picture), hole, lowest, highest, 300, 0)
    found = TotalVariation(300, 0).inpaint(picture * (1 - mask), mask)
    torch.testing.assert_close(found, torch.where(hole, whole.clamp(lowest, highest), picture), atol=1e-10, rtol=0)
    assert kind != "corner" or crops_around(mask, 1).rows.shape[1] < 17
