"""The search for the nearest patch and the vote, compared with plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from inpaintkit_classical.patchfield import Patches
from inpaintkit_classical.patchsearch import Field
from inpaintkit_classical.patchstart import smooth, worth

from .toys import centered, centers_by_hand, photographs, random_field


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_exhaustive_search_finds_the_nearest_patch(radius: int) -> None:
    hole = centered(11, 13, 4, count=3)
    hole[1] = hole[1].roll((2, -3), (1, 2))
    hole[2, :, :3, :2] = 1
    field = random_field(hole, radius, channels=5)
    field.exhaust()
    worths = worth(hole).numpy()
    width, size = 14, 12 * 14
    pictures = field.patches.planes(field.flat).numpy().astype(np.float64)

    def cut(planes: np.ndarray, center: tuple[int, int]) -> np.ndarray:
        row, column = center
        return planes[:, row - radius : row + radius + 1, column - radius : column + radius + 1]

    for target, match, distance in zip(field.patches.targets, field.match, field.distance, strict=True):
        picture, place = int(target) // size, divmod(int(target) % size, width)
        weights = cut(worths[picture], place)
        every = {
            source: (weights * (cut(pictures[picture], place) - cut(pictures[picture], source)) ** 2).sum()
            for source in centers_by_hand(hole[picture, 0].numpy(), radius)[1]
        }
        best = min(every, key=lambda source: every[source])
        assert divmod(int(match) % size, width) == best
        assert distance.item() == pytest.approx(every[best] / (3 * weights.sum()), rel=1e-5)


def test_exhaustive_search_in_blocks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    field, again = (random_field(centered(12, 12, 4, count=2), 1) for _ in range(2))
    field.exhaust()
    monkeypatch.setattr("inpaintkit_classical.patchsearch.BUDGET", 500)
    again.exhaust()
    assert torch.equal(field.match, again.match)


def test_search_comes_near_the_exhaustive_one() -> None:
    hole = centered(24, 24, 8, count=8)
    patches = Patches.of(hole, 2)
    image = smooth(photographs(24, 8) * (1 - hole), hole)
    torch.manual_seed(0)
    field, best = (Field(patches, patches.flat(image), patches.flat(worth(hole)), patches.anywhere()) for _ in range(2))
    best.exhaust()
    before = field.distance.clone()
    for _ in range(8):
        field.propagate()
        field.search()
        assert (field.distance <= before).all()
        before = field.distance.clone()
    assert (field.distance >= best.distance * (1 - 1e-5)).all()
    assert field.distance.mean() < 1.1 * best.distance.mean()


def test_a_device_finds_the_same_matches() -> None:
    """A device computes all distances, a CPU only those that matter; the matches are equal."""
    fields = [random_field(centered(16, 16, 6, count=2), 2, seed=1) for _ in range(2)]
    fields[1].sparse = False
    for field in fields:
        torch.manual_seed(2)
        for _ in range(3):
            field.propagate()
            field.search()
    assert torch.equal(fields[0].match, fields[1].match)
    assert torch.equal(fields[0].distance, fields[1].distance)


def test_vote_is_the_weighted_mean_of_what_the_patches_show() -> None:
    hole = centered(10, 12, 3, count=2)
    hole[1, :, 7:, 9:] = 1  # a corner: fewer patches are over it
    field = random_field(hole, 2)
    weight = torch.rand(len(field.match))
    flat, radius, width = field.flat.double().numpy(), 2, 13
    expected = flat.copy()
    for pixel in field.patches.holes.tolist():
        total, share = np.zeros(3), 0.0
        for target, match, part in zip(
            field.patches.targets.tolist(), field.match.tolist(), weight.tolist(), strict=True
        ):
            for row in range(-radius, radius + 1):
                for column in range(-radius, radius + 1):
                    if target + row * width + column == pixel:
                        total += part * flat[match + row * width + column]
                        share += part
        expected[pixel] = total / share
    field.vote(weight)
    np.testing.assert_allclose(field.flat.numpy(), expected, atol=1e-6)


def test_votes_of_weight_zero_change_nothing() -> None:
    field = random_field(centered(10, 10, 3), 1)
    before = field.flat.clone()
    field.vote(torch.zeros(len(field.match)))
    assert torch.equal(field.flat, before)


def test_likeness_uses_the_percentile_of_each_picture() -> None:
    hole = centered(14, 14, 3, count=3)
    hole[1] = 0
    hole[2, :, 2:10, 3:9] = 1
    field = random_field(hole, 1)
    field.distance = field.distance.clone()
    field.distance[field.patches.picture == 2] *= 100
    likeness = field.likeness().numpy()
    for picture in (0, 2):
        mine = (field.patches.picture == picture).numpy()
        distance = field.distance.numpy()[mine]
        square = np.percentile(distance, 75, method="lower")
        expected = field.trust.numpy()[mine] * np.exp(-distance / (2 * square))
        np.testing.assert_allclose(likeness[mine], expected, rtol=1e-5)
