"""Windows around holes, against counting by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings, strategies as st

from inpaintkit.nn import cropped, hole_windows


@pytest.mark.parametrize(
    ("hole", "expected"),
    [
        ((28, 36, 28, 36), (16, 16)),  # in the middle
        ((0, 8, 56, 64), (0, 32)),  # in a corner
        ((10, 30, 20, 41), (4, 15)),  # of an odd rest, the pixel before
        ((0, 0, 0, 0), (16, 16)),  # no hole
    ],
)
def test_a_hole_that_fits_is_in_the_middle_of_its_window(
    hole: tuple[int, int, int, int], expected: tuple[int, int]
) -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., hole[0] : hole[1], hole[2] : hole[3]] = 1
    top, left = hole_windows(mask, 32)
    assert (int(top), int(left)) == pytest.approx(expected, abs=1)
    window = cropped(mask, top, left, 32)
    assert window.sum() == mask.sum()


@settings(deadline=None, max_examples=60)
@given(
    boxes=st.lists(
        st.tuples(st.integers(0, 23), st.integers(0, 19), st.integers(1, 24), st.integers(1, 20)),
        min_size=1,
        max_size=3,
    ),
    side=st.sampled_from([8, 12, 16]),
)
def test_windows_against_counting_by_hand(boxes: list[tuple[int, int, int, int]], side: int) -> None:
    mask = torch.zeros(1, 1, 24, 20)
    for top, left, height, width in boxes:
        mask[..., top : top + height, left : left + width] = 1
    top, left = (int(one) for one in hole_windows(mask, side))
    assert 0 <= top <= 24 - side
    assert 0 <= left <= 20 - side
    counts = {
        (y, x): int(mask[0, 0, y : y + side, x : x + side].sum())
        for y in range(24 - side + 1)
        for x in range(20 - side + 1)
    }
    most, total = max(counts.values()), int(mask.sum())
    if most == total:
        assert counts[top, left] == total  # the whole hole is seen
        rows, columns = mask[0, 0].any(1).nonzero().flatten(), mask[0, 0].any(0).nonzero().flatten()
        for at, length, taken in ((top, 24, rows), (left, 20, columns)):
            before, behind = int(taken.min()) - at, at + side - 1 - int(taken.max())
            assert abs(before - behind) <= 1 or at in (0, length - side)
    elif any(4 * count >= side * side for count in counts.values()):
        assert 4 * counts[top, left] >= side * side
    else:
        assert counts[top, left] == most


def test_windows_of_a_batch_are_those_of_its_pictures_and_differ_between_large_holes() -> None:
    masks = torch.zeros(40, 1, 32, 32)
    for number in range(40):
        masks[number, 0, number // 8 :, number % 8 :] = 1
    tops, lefts = hole_windows(masks, 8)
    for number in range(0, 40, 7):
        alone = hole_windows(masks[number : number + 1], 8)
        assert (int(tops[number]), int(lefts[number])) == (int(alone[0]), int(alone[1]))
    assert len(set(zip(tops.tolist(), lefts.tolist(), strict=True))) > 20


def test_crops_are_the_slices() -> None:
    picture = torch.rand(3, 2, 9, 7)
    tops, lefts = torch.tensor([0, 3, 5]), torch.tensor([3, 0, 1])
    by_hand = [picture[b, :, t : t + 4, x : x + 4] for b, (t, x) in enumerate(zip(tops, lefts, strict=True))]
    assert torch.equal(cropped(picture, tops, lefts, 4), torch.stack(by_hand))
