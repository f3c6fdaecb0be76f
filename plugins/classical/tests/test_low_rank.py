"""Low rank against loops over pictures, channels and singular values; ranks that are known; what is held out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from inpaintkit_classical.heldout import hold_out
from inpaintkit_classical.low_rank import LowRank, tail
from numpy.typing import NDArray
from torch import Tensor

from inpaintkit import InpaintkitError, load_recipe
from inpaintkit.recipe import build_method

Matrix = NDArray[np.float64]
LEVELS = 127.5  # gray levels to 1 of a picture


def completed(
    known: Matrix,
    hole: NDArray[np.bool_],
    rank: int,
    theta: float = 1.2,
    alpha: float = 1e-4,
    growth: float = 1.2,
    iterations: int = 200,
    tolerance: float = 1e-4,
) -> Matrix:
    """One channel in 0 to 255, by dense matrices and a sum over singular vectors."""
    rows, columns = (~hole).any(1), (~hole).any(0)
    if not (rows.all() and columns.all()):  # complete what is left, then draw the means
        x = np.zeros_like(known)
        lines = np.ix_(rows, columns)
        x[lines] = completed(known[lines], hole[lines], rank, theta, alpha, growth, iterations, tolerance)
        x[:, ~columns] = x[:, columns].mean(1, keepdims=True)
        x[~rows] = x[rows].mean(0, keepdims=True)
        return x
    height, width = known.shape
    w_r, w_c = np.zeros((height, height)), np.zeros((width, width))
    for i in range(height):
        w_r[i, i] = 2 - (~hole[i]).sum() / width
    for j in range(width):
        w_c[j, j] = 2 - (~hole[:, j]).sum() / height
    w_r, w_c = theta * w_r / w_r.max(), theta * w_c / w_c.max()
    x = np.where(hole, known[~hole].mean(), known)
    norm = np.sqrt((known[~hole] ** 2).sum())
    for _ in range(iterations):
        u, s, vt = np.linalg.svd(x)
        after = x.copy()
        for k in range(rank, len(s)):
            if s[k] > 1e-10 * s[0]:
                after -= w_r @ np.outer(u[:, k], vt[k]) @ w_c / alpha
        after = np.where(hole, np.clip(after, 0, 255), known)
        change, x = np.sqrt(((after - x) ** 2).sum()), after
        alpha *= growth
        if change <= tolerance * norm:
            break
    return x


def pictures(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Noise in 8-bit levels: no singular value is near 0."""
    drawn = torch.randint(0, 256, (count, 3, height, width), generator=torch.Generator().manual_seed(seed))
    return drawn.double() / LEVELS - 1


def scattered(count: int, height: int, width: int, part: float, seed: int = 0) -> Tensor:
    return (torch.rand(count, 1, height, width, generator=torch.Generator().manual_seed(seed)) < part).double()


def block(count: int, height: int, width: int, *corners: int) -> Tensor:
    mask = torch.zeros(count, 1, height, width, dtype=torch.float64)
    mask[..., corners[0] : corners[1], corners[2] : corners[3]] = 1
    return mask


def of_rank(rank: int, height: int, width: int, seed: int = 1) -> Tensor:
    """A picture whose channels, in 0 to 255, have this rank: a constant, and products of random signs and sizes."""
    rng = torch.Generator().manual_seed(seed)
    if rank == 1:
        product = torch.rand(3, height, 1, generator=rng).double() @ torch.rand(3, 1, width, generator=rng).double()
        return product[None] * 2 - 1
    left, right = torch.randn(3, height, rank - 1, generator=rng), torch.randn(3, rank - 1, width, generator=rng)
    product = left.double() @ right.double()
    return 0.9 * (product / product.abs().amax((1, 2), keepdim=True))[None]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(12, 17), (20, 11)])
@pytest.mark.parametrize("kind", ["block", "scattered", "half", "frame"])
def test_equal_to_loops_over_channels(rank: int, height: int, width: int, kind: str) -> None:
    image = pictures(2, height, width, seed=1)
    mask = {
        "block": block(2, height, width, 3, 8, 4, 9),
        "scattered": scattered(2, height, width, 0.25),
        "half": block(2, height, width, 0, height, width // 2, width),
        "frame": 1 - block(2, height, width, 2, 10, 3, 9) + block(2, height, width, 4, 7, 5, 7),
    }[kind]
    found = LowRank(rank).inpaint(image * (1 - mask), mask)
    for at in range(2):
        for channel in range(3):
            known = (image[at, channel].numpy() + 1) * LEVELS
            expected = completed(known, mask[at, 0].numpy() > 0, rank)
            # hidden pixels take steps of up to 1e4 before they settle: each magnifies rounding
            np.testing.assert_allclose((found[at, channel].numpy() + 1) * LEVELS, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "options",
    [
        {"theta": 0.7},
        {"alpha": 1e-3},
        {"growth": 1.4},
        {"iterations": 7},
        {"tolerance": 1e-2},
        {"theta": 2.0, "tolerance": 0.0},
    ],
    ids=str,
)
def test_options_mean_what_they_mean_in_the_loops(options: dict[str, Any]) -> None:
    image, mask = pictures(1, 9, 13, seed=2), block(1, 9, 13, 3, 6, 4, 9)
    found = (LowRank(1, **options).inpaint(image * (1 - mask), mask) + 1) * LEVELS
    assert (found - (LowRank(1).inpaint(image * (1 - mask), mask) + 1) * LEVELS).abs().max() > 1e-3
    for channel in range(3):
        known = (image[0, channel].numpy() + 1) * LEVELS
        expected = completed(known, mask[0, 0].numpy() > 0, 1, **options)
        np.testing.assert_allclose(found[0, channel].numpy(), expected, atol=1e-5, rtol=0)


def test_rank_is_that_with_the_least_error_on_known_pixels_in_loops() -> None:
    image = torch.cat([of_rank(2, 14, 18), of_rank(3, 14, 18), pictures(1, 14, 18)])
    mask = torch.cat([scattered(1, 14, 18, 0.1, seed=1)] * 2 + [block(1, 14, 18, 4, 7, 6, 10)])
    method = LowRank(max_rank=3, trials=2, held_out=0.1)
    levels, hole = (image + 1) * LEVELS, mask.bool()
    held = hold_out(hole, 0.1, 2, 0)
    best = []
    for at in range(3):
        errors = []
        for rank in (1, 2, 3):
            error = 0.0
            for trial in range(2):
                more = held[at, trial, 0].numpy()
                for channel in levels[at].numpy():
                    drawn = completed(channel, hole[at, 0].numpy() | more, rank)
                    error += ((drawn - channel)[more] ** 2).sum()
            errors.append(error)
        best.append(1 + int(np.argmin(errors)))
    assert method.ranks(levels, hole).tolist() == best
    assert best == [2, 3, 1]
    chosen = method.inpaint(image * (1 - mask), mask)
    for at, rank in enumerate(best):
        alone = LowRank(rank).inpaint((image * (1 - mask))[at : at + 1], mask[at : at + 1])
        torch.testing.assert_close(chosen[at : at + 1], alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(24, 30), (30, 24)])
def test_what_has_a_low_rank_comes_back(rank: int, height: int, width: int) -> None:
    image, mask = of_rank(rank, height, width), scattered(1, height, width, 0.15)
    masked = image * (1 - mask)
    method = LowRank(max_rank=rank + 1, trials=2, held_out=0.1)
    assert (method.inpaint(masked, mask) - image).abs().max() * LEVELS < 0.2
    exact = LowRank(rank, tolerance=0).inpaint(masked, mask)
    assert (exact - image).abs().max() * LEVELS < 1e-5


def test_a_block_of_a_picture_of_rank_one_comes_back() -> None:
    image, mask = of_rank(1, 20, 26), block(1, 20, 26, 6, 14, 8, 18)
    assert (LowRank().inpaint(image * (1 - mask), mask) - image).abs().max() * LEVELS < 0.1


def test_a_rank_without_a_tail_keeps_the_mean() -> None:
    image, mask = pictures(1, 6, 9), block(1, 6, 9, 2, 4, 3, 6)
    found = LowRank(6).inpaint(image * (1 - mask), mask)
    mean = (image * (1 - mask)).sum((2, 3)) / (1 - mask).sum()
    torch.testing.assert_close(found[..., 2:4, 3:6], mean[..., None, None].expand(1, 3, 2, 3))


def test_hidden_rows_and_columns_become_the_mean_of_the_others() -> None:
    image = pictures(1, 10, 14)
    mask = block(1, 10, 14, 0, 10, 7, 14)
    found = LowRank().inpaint(image * (1 - mask), mask)
    torch.testing.assert_close(found[..., 7:], image[..., :7].mean(3, keepdim=True).expand(1, 3, 10, 7))
    mask[..., 3, :] = 1
    found = LowRank().inpaint(image * (1 - mask), mask)
    torch.testing.assert_close(found[..., 3, :], found[..., [0, 1, 2, 4, 5, 6, 7, 8, 9], :].mean(2))
    torch.testing.assert_close(
        found[..., 3, 7:], image[..., [0, 1, 2, 4, 5, 6, 7, 8, 9], :7].mean((2, 3))[..., None].expand(1, 3, 7)
    )


def test_flat_pictures_stay_flat() -> None:
    image = torch.tensor([-1.0, -0.2, 1.0]).view(3, 1, 1, 1).expand(3, 3, 12, 16)
    mask = block(3, 12, 16, 3, 9, 4, 10).float()
    for method in (LowRank(), LowRank(1), LowRank(3)):
        torch.testing.assert_close(method.inpaint(image * (1 - mask), mask), image)


def test_nothing_under_the_hole_counts() -> None:
    image, mask = pictures(2, 13, 11).float(), scattered(2, 13, 11, 0.3).float()
    method = LowRank(max_rank=3, trials=2)
    blank = method.inpaint(image * (1 - mask), mask)
    for other in (pictures(2, 13, 11, seed=9).float(), torch.full_like(image, torch.nan)):
        assert torch.equal(method.inpaint(torch.where(mask.bool(), other, image), mask), blank)


def test_known_pixels_come_back_and_so_do_pictures_without_a_hole() -> None:
    image, mask = pictures(3, 12, 9).float(), block(3, 12, 9, 2, 6, 3, 7).float()
    mask[1] = 0
    found = LowRank().inpaint(image * (1 - mask), mask)
    known = mask.expand_as(found) == 0
    assert torch.equal(found[known], image[known])
    assert not torch.equal(found[0], (image * (1 - mask))[0])
    assert torch.equal(LowRank().inpaint(image, torch.zeros_like(mask)), image)


def test_batch_mates_change_nothing_but_rounding() -> None:
    """Pictures converge after different numbers of steps: those that are done wait."""
    image = torch.cat([pictures(2, 12, 16), of_rank(1, 12, 16), pictures(1, 12, 16) * 0.01])
    mask = torch.cat([block(2, 12, 16, 3, 8, 4, 9), scattered(2, 12, 16, 0.3)])
    mask[1, :, :, 12:] = 1
    method = LowRank(max_rank=2, trials=2)
    together = method.inpaint(image * (1 - mask), mask)
    for at in range(4):
        alone = method.inpaint((image * (1 - mask))[at : at + 1], mask[at : at + 1])
        torch.testing.assert_close(alone[0], together[at], atol=1e-6, rtol=0)


def test_the_global_generator_is_neither_used_nor_moved() -> None:
    image, mask = pictures(1, 12, 12), scattered(1, 12, 12, 0.4)
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        results.append(LowRank(max_rank=2).inpaint(image * (1 - mask), mask))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*results)
    assert LowRank.randomness == "none"


def test_a_picture_without_known_pixels_is_refused_by_its_index() -> None:
    mask = torch.zeros(3, 1, 5, 5)
    mask[1] = 1
    with pytest.raises(InpaintkitError, match="nothing is known of picture 1 "):
        LowRank().inpaint(torch.zeros(3, 3, 5, 5), mask)


def test_so_little_is_known_that_nothing_is_held_out() -> None:
    mask = torch.ones(1, 1, 6, 8)
    mask[..., 2, 5] = 0
    image = pictures(1, 6, 8).float()
    method = LowRank()
    assert method.ranks((image.double() + 1) * LEVELS, mask.bool()).tolist() == [1]
    found = method.inpaint(image * (1 - mask), mask)
    torch.testing.assert_close(found, image[..., 2:3, 5:6].expand_as(image))


def test_tails_of_a_batch_have_their_own_ranks() -> None:
    x = pictures(3, 7, 5)[:, 0]
    u, _, v = torch.linalg.svd(x, full_matrices=False)
    found = tail(x, torch.tensor([0, 2, 5]))
    torch.testing.assert_close(found[0], u[0] @ v[0])
    torch.testing.assert_close(found[1], u[1, :, 2:] @ v[1, 2:])
    assert not found[2].any()
    assert not tail(torch.zeros(1, 4, 4).double(), torch.tensor([0])).any()


def test_the_recipe_chooses_the_rank() -> None:
    method = build_method(load_recipe("classical/low_rank"))
    assert isinstance(method, LowRank)
    assert method.rank is None


# What is held out -----------------------------------------------------------------------------------------------------


def test_a_small_hole_is_copied_as_it_is() -> None:
    hole = torch.zeros(1, 1, 20, 20, dtype=torch.bool)
    hole[..., 4:8, 5:8] = hole[..., 7, 8] = True  # 13 of 400, not symmetrical
    shape = {(y - 4, x - 5) for y, x in hole[0, 0].nonzero().tolist()}
    seen = torch.zeros(20, 20, dtype=torch.int64)
    for held in hold_out(hole, 13 / 387, 5, 0)[0, :, 0]:
        place = held.nonzero()
        top, left = place.amin(0).tolist()
        assert {(y - top, x - left) for y, x in place.tolist()} == shape
        assert not (held & hole[0, 0]).any()
        seen += held
    assert seen.max() == 1  # each trial hides other pixels
    several = hold_out(hole, 0.25, 1, 0)
    assert several.sum() == 7 * 13  # as many copies as a quarter of 387 pixels has room for


def test_a_large_hole_is_copied_in_part() -> None:
    """A square of half the side fits nowhere else: what is beside it moves into each corner in turn."""
    hole = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    hole[..., 4:12, 4:12] = True
    corners = torch.zeros(16, 16, dtype=torch.int64)
    for held in hold_out(hole, 0.25, 4, 0)[0, :, 0]:
        assert held.sum() == 48  # three quarters of it
        corners += held
    assert corners[[0, 0, 15, 15], [0, 15, 0, 15]].tolist() == [1, 1, 1, 1]


def test_a_half_grows_into_the_other() -> None:
    hole = torch.zeros(1, 1, 12, 16, dtype=torch.bool)
    hole[..., 8:] = True
    held = hold_out(hole, 0.25, 1, 0)[0, 0, 0]
    expected = torch.zeros(12, 16, dtype=torch.bool)
    expected[:, 6:8] = True
    assert torch.equal(held, expected)


def test_of_scattered_pixels_others_are_drawn_in_each_trial() -> None:
    hole = scattered(1, 20, 20, 0.8).bool()
    held = hold_out(hole, 0.25, 4, 0)[0]
    known = int((~hole).sum())
    assert held.flatten(1).sum(1).tolist() == [known // 4] * 4
    assert held.sum(0).max() == 1


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    part=st.floats(0.02, 0.98),
    share=st.floats(0.01, 0.9),
    seed=st.integers(0, 9),
)
def test_held_pixels_are_known_few_and_their_own_pictures(
    height: int, width: int, part: float, share: float, seed: int
) -> None:
    hole = scattered(3, height, width, part, seed).bool()
    hole[:, :, 0, 0] = False
    hole[2] = hole[0]
    held = hold_out(hole, share, 3, seed)
    assert held.shape == (3, 3, 1, height, width)
    assert not (held & hole[:, None]).any()
    known = (~hole).flatten(1).sum(1)
    assert (held.flatten(2).sum(2) <= (known * share).long()[:, None]).all()
    assert torch.equal(held, hold_out(hole, share, 3, seed))
    assert torch.equal(held[0], held[2])
    assert torch.equal(held[1:2], hold_out(hole[1:2], share, 3, seed))
