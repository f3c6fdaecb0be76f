"""Targets and sources compared with plain loops over patches."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st
from inpaintkit_classical.patchfield import Patches, largest_radius
from torch import Tensor

from .toys import centers_by_hand, holes


@settings(max_examples=40, deadline=None)
@given(holes, st.integers(0, 2))
def test_patches_are_those_found_by_hand(hole: Tensor, radius: int) -> None:
    found = Patches.of(hole, radius)
    height, width = hole.shape[2] + 1, hole.shape[3] + 1
    names = {"targets": found.targets, "sources": found.sources, "holes": found.holes}
    places = {
        name: {(n // (height * width), n // width % height, n % width) for n in centers.tolist()}
        for name, centers in names.items()
    }
    for picture, plane in enumerate(hole[:, 0].numpy()):
        targets, sources = centers_by_hand(plane, radius)
        assert {place[1:] for place in places["targets"] if place[0] == picture} == targets
        assert {place[1:] for place in places["sources"] if place[0] == picture} == sources
        assert {place[1:] for place in places["holes"] if place[0] == picture} == set(
            zip(*plane.nonzero(), strict=True)
        )
        assert found.count[picture] == len(sources)
    # a target is over a hidden pixel exactly where their distance says so
    for pixel, over in zip(found.holes.tolist(), found.over().tolist(), strict=True):
        expected = {
            number
            for number, center in enumerate(found.targets.tolist())
            if center // (height * width) == pixel // (height * width)
            and abs(center // width % height - pixel // width % height) <= radius
            and abs(center % width - pixel % width) <= radius
        }
        assert {number for number in over if number >= 0} == expected
        assert expected or min(hole.shape[2:]) <= 2 * radius  # every hidden pixel is covered, also in a corner
        for number, offset in zip(over, found.offsets.tolist(), strict=True):
            assert number < 0 or found.targets[number] + offset == pixel


@settings(max_examples=30, deadline=None)
@given(holes, st.integers(1, 3))
def test_largest_radius_is_that_of_the_largest_known_square(hole: Tensor, radius: int) -> None:
    for plane, found in zip(hole[:, 0].numpy(), largest_radius(hole, radius).tolist(), strict=True):
        assert found == max((r for r in range(radius + 1) if centers_by_hand(plane, r)[1]), default=-1)
