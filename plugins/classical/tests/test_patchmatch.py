"""Patch matching against plain loops: which patches are compared, how near they are, what they vote for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from inpaintkit_classical.patchfield import Patches, largest_radius
from inpaintkit_classical.patchmatch import PatchMatch
from inpaintkit_classical.patchsearch import Field
from inpaintkit_classical.patchstart import contrast, smooth, worth
from scipy.ndimage import distance_transform_cdt
from skimage import data
from torch import Tensor

from inpaintkit import InpaintkitError, OptionError, load_recipe
from inpaintkit.recipe import build_method


def centered(height: int, width: int, side: int, count: int = 1) -> Tensor:
    mask = torch.zeros(count, 1, height, width)
    top, left = (height - side) // 2, (width - side) // 2
    mask[..., top : top + side, left : left + side] = 1
    return mask


def photographs(size: int, count: int) -> Tensor:
    """(count, 3, size, size) in [-1, 1]: pieces of photographs, made four times smaller."""
    pieces = []
    for picture in (data.astronaut(), data.chelsea(), data.coffee()):
        small = torch.tensor(picture).permute(2, 0, 1)[None].float().div(127.5).sub(1)
        small = torch.nn.functional.avg_pool2d(small, 4)
        pieces.append(
            small.unfold(2, size, size // 2).unfold(3, size, size // 2).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
        )
    every = torch.cat(pieces)
    return every[torch.linspace(0, len(every) - 1, count).long()]


def psnr(output: Tensor, image: Tensor) -> float:
    return float((10 * (4 / (output - image).square().mean((1, 2, 3))).log10()).mean())


def centers_by_hand(hole: np.ndarray, radius: int) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """The targets and the sources of one picture, each patch looked at pixel by pixel."""
    targets, sources = set(), set()
    for row in range(radius, hole.shape[0] - radius):
        for column in range(radius, hole.shape[1] - radius):
            patch = hole[row - radius : row + radius + 1, column - radius : column + radius + 1]
            (targets if patch.any() else sources).add((row, column))
    return targets, sources


def made(hole: Tensor, radius: int, seed: int = 0, channels: int = 3) -> Field:
    """A field of random pictures and random matches."""
    torch.manual_seed(seed)
    patches = Patches.of(hole, radius)
    image = torch.rand(len(hole), channels, *hole.shape[2:])
    return Field(patches, patches.flat(image), patches.flat(worth(hole)), patches.anywhere())


holes = st.builds(
    lambda seed, share, height, width, count: (
        torch.rand(count, 1, height, width, generator=torch.Generator().manual_seed(seed)) < share
    ).float(),
    st.integers(0, 2**31),
    st.floats(0.005, 0.3),
    st.integers(3, 14),
    st.integers(3, 14),
    st.integers(1, 3),
)


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


@settings(max_examples=25, deadline=None)
@given(holes, st.sampled_from(["patchmatch", "exhaustive"]), st.integers(1, 3))
def test_no_source_ever_overlaps_the_hole(hole: Tensor, search: str, levels: int) -> None:
    """At every level, in every vote: each match is a whole patch of its own picture, without a hidden pixel."""
    votes = []
    vote = Field.vote

    def watched(field: Field, weight: Tensor) -> None:
        patches = field.patches
        hidden = torch.zeros(len(patches.rank), dtype=torch.bool)
        hidden[patches.holes] = True
        assert patches.source[field.match].all()
        assert not hidden[field.match[:, None] + patches.offsets].any()
        size = patches.shape[1] * patches.shape[2]
        assert torch.equal(field.match // size, patches.targets // size)
        votes.append(len(patches.holes))
        vote(field, weight)

    hole[:, :, 0, 0] = 0  # something is known
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Field, "vote", watched)
        image = torch.rand(len(hole), 3, *hole.shape[2:]) * 2 - 1
        completed = PatchMatch(2, levels, 1, 1, search=search).inpaint(image * (1 - hole), hole)  # type: ignore[arg-type]
    assert completed.isfinite().all()
    assert torch.equal(completed * (1 - hole), image * (1 - hole))
    assert bool(votes) == bool(hole.any())


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_exhaustive_search_finds_the_nearest_patch(radius: int) -> None:
    hole = centered(11, 13, 4, count=3)
    hole[1] = hole[1].roll((2, -3), (1, 2))
    hole[2, :, :3, :2] = 1
    field = made(hole, radius, channels=5)
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
    field, again = (made(centered(12, 12, 4, count=2), 1) for _ in range(2))
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
    fields = [made(centered(16, 16, 6, count=2), 2, seed=1) for _ in range(2)]
    fields[1].picky = False
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
    field = made(hole, 2)
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


def test_votes_that_weigh_nothing_change_nothing() -> None:
    field = made(centered(10, 10, 3), 1)
    before = field.flat.clone()
    field.vote(torch.zeros(len(field.match)))
    assert torch.equal(field.flat, before)


def test_likeness_follows_each_picture_s_own_percentile() -> None:
    hole = centered(14, 14, 3, count=3)
    hole[1] = 0
    hole[2, :, 2:10, 3:9] = 1
    field = made(hole, 1)
    field.distance = field.distance.clone()
    field.distance[field.patches.picture == 2] *= 100
    likeness = field.likeness().numpy()
    for picture in (0, 2):
        mine = (field.patches.picture == picture).numpy()
        distance = field.distance.numpy()[mine]
        square = np.percentile(distance, 75, method="lower")
        expected = field.trust.numpy()[mine] * np.exp(-distance / (2 * square))
        np.testing.assert_allclose(likeness[mine], expected, rtol=1e-5)


def test_worth_falls_with_the_depth_in_the_hole() -> None:
    hole = centered(17, 15, 9, count=2)
    hole[1, :, :, :5] = 1
    for plane, found in zip(hole[:, 0].numpy(), worth(hole)[:, 0], strict=True):
        depth = distance_transform_cdt(plane, metric="chessboard").astype(np.float64)
        np.testing.assert_allclose(found, 1.3**-depth, rtol=1e-5)


def test_smooth_start_is_within_the_known_colors_and_keeps_a_slope() -> None:
    hole = centered(32, 32, 12)
    slope = torch.linspace(-1, 1, 32).expand(1, 3, 32, 32)
    filled = smooth(slope * (1 - hole), hole, rounds=40)
    assert torch.equal(filled * (1 - hole), slope * (1 - hole))
    assert (filled - slope).abs().max() < 0.06  # a slope is what satisfies Laplace's equation
    noise = torch.rand(2, 3, 9, 7)
    most = torch.where(hole[..., 8:17, 8:15].bool(), -1, noise).amax((2, 3), keepdim=True)
    assert (smooth(noise * (1 - hole[..., 8:17, 8:15]), hole[..., 8:17, 8:15].expand(2, -1, -1, -1)) <= most).all()


def test_contrast_is_the_mean_over_known_pairs() -> None:
    hole = centered(9, 8, 3)
    torch.manual_seed(0)
    image = torch.rand(1, 3, 9, 8) * (1 - hole)
    found, gray, hidden = contrast(image, hole, 2)[0].numpy(), image[0].mean(0).numpy(), hole[0, 0].numpy()
    for row in range(9):
        for column in range(8):
            for axis, (down, right) in enumerate([(1, 0), (0, 1)]):
                pairs = [
                    abs(gray[r + down, c + right] - gray[r, c])
                    for r in range(max(0, row - 2), min(9, row + 3))
                    for c in range(max(0, column - 2), min(8, column + 3))
                    if r + down < 9 and c + right < 8 and not hidden[r, c] and not hidden[r + down, c + right]
                ]
                expected = 0 if hidden[row, column] or not pairs else np.mean(pairs)
                assert found[axis, row, column] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("search", ["patchmatch", "exhaustive"])
def test_a_pattern_goes_on(search: str) -> None:
    """Stripes with a period of 4: known patches show what is hidden, and the right ones are found."""
    rows, columns = torch.meshgrid(torch.arange(40), torch.arange(48), indexing="ij")
    image = torch.stack([rows % 4 < 2, columns % 4 < 2, (rows + columns) % 4 < 2]).float()[None] * 2 - 1
    mask = centered(40, 48, 10)
    torch.manual_seed(0)
    completed = PatchMatch(search=search).inpaint(image * (1 - mask), mask)  # type: ignore[arg-type]
    assert (completed - image).abs().mean() * 1920 / 100 < 0.15


def test_close_to_exhaustive_search_on_photographs() -> None:
    image, mask = photographs(24, 32), centered(24, 24, 8, count=32)
    torch.manual_seed(0)
    found, best = (
        PatchMatch(search=search).inpaint(image * (1 - mask), mask)  # type: ignore[arg-type]
        for search in ("patchmatch", "exhaustive")
    )
    assert abs(psnr(found, image) - psnr(best, image)) < 0.3
    mean = torch.where(
        mask.bool(), (image * (1 - mask)).sum((2, 3), keepdim=True) / (1 - mask).sum((2, 3), keepdim=True), image
    )
    assert psnr(found, image) > psnr(mean, image) + 1


def test_hidden_pixels_are_not_looked_at() -> None:
    image, mask = photographs(32, 2), centered(32, 32, 12, count=2)
    completed = []
    for hidden in (0.0, 0.7, math.nan):
        torch.manual_seed(0)
        completed.append(PatchMatch(levels=2).inpaint(torch.where(mask.bool(), hidden, image), mask))
    assert all(torch.equal(completed[0], other) for other in completed[1:])
    assert completed[0].isfinite().all()
    assert torch.equal(completed[0] * (1 - mask), image * (1 - mask))


def test_a_batch_mate_changes_nothing() -> None:
    """Without random numbers each picture is completed as if it were alone, whatever its hole and its patches' size."""
    image = photographs(24, 4)
    mask = centered(24, 24, 6, count=4)
    mask[1] = 0
    mask[2, :, 2:23, 2:23] = 1  # no known patch but single pixels
    mask[3, :, :, 8:] = 1
    method = PatchMatch(levels=2, search="exhaustive")
    together = method.inpaint(image * (1 - mask), mask)
    for number in range(4):
        one = slice(number, number + 1)
        alone = method.inpaint((image * (1 - mask))[one], mask[one])
        torch.testing.assert_close(together[one], alone, rtol=0, atol=1e-6)


def test_random_numbers_are_torch_s() -> None:
    assert PatchMatch.randomness == "always"
    image, mask = photographs(24, 2), centered(24, 24, 8, count=2)
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn.append(PatchMatch().inpaint(image * (1 - mask), mask))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    state = torch.get_rng_state()
    rng = torch.Generator().manual_seed(1)
    assert torch.equal(drawn[2], PatchMatch().inpaint(image * (1 - mask), mask, rng=rng))
    assert torch.equal(state, torch.get_rng_state())


def test_an_empty_mask_changes_nothing() -> None:
    image = photographs(24, 2)
    assert torch.equal(PatchMatch().inpaint(image, torch.zeros(2, 1, 24, 24)), image)


def test_a_picture_without_a_known_pixel_is_refused() -> None:
    mask = torch.zeros(4, 1, 8, 8)
    mask[1], mask[3] = 1, 1
    with pytest.raises(InpaintkitError, match="picture 1, 3 of the batch: no known pixel"):
        PatchMatch().inpaint(torch.zeros(4, 3, 8, 8), mask)


@pytest.mark.parametrize("size", [(1, 2), (1, 9), (2, 2), (3, 30), (5, 4), (33, 70)])
def test_any_size(size: tuple[int, int]) -> None:
    image, mask = torch.rand(2, 3, *size), torch.zeros(2, 1, *size)
    mask[0, :, -1, -1] = 1
    mask[1, :, : (size[0] + 1) // 2, : size[1] // 2] = 1
    for method in (PatchMatch(), PatchMatch(levels=4, iterations=1, passes=1)):
        completed = method.inpaint(image * (1 - mask), mask)
        assert completed.shape == image.shape
        assert torch.equal(completed * (1 - mask), image * (1 - mask))
        assert completed.min() >= 0
        assert completed.max() <= 1


def test_four_fifths_of_the_pixels_missing() -> None:
    image = photographs(24, 2)
    mask = (torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(0)) < 0.8).float()
    completed = PatchMatch().inpaint(image * (1 - mask), mask)
    assert psnr(completed, image) > psnr(image * (1 - mask), image) + 3


def test_precision_is_float32_inside() -> None:
    image, mask = photographs(24, 2).bfloat16(), centered(24, 24, 8, count=2)
    drawn = []
    for dtype in (torch.bfloat16, torch.float32):
        torch.manual_seed(0)
        drawn.append(PatchMatch().inpaint((image * (1 - mask)).to(dtype), mask.to(dtype)))
    assert drawn[0].dtype == torch.bfloat16
    assert torch.equal(drawn[0], drawn[1].bfloat16())


@pytest.mark.parametrize(
    "options",
    [{"radius": 1}, {"levels": 1}, {"iterations": 1}, {"passes": 1}, {"texture": 0.0}, {"search": "exhaustive"}],
)
def test_every_option_has_an_effect(options: dict[str, object]) -> None:
    image, mask = photographs(32, 1), centered(32, 32, 10)
    completed = []
    for method in (PatchMatch(levels=2), PatchMatch(**{"levels": 2, **options})):  # type: ignore[arg-type]
        torch.manual_seed(0)
        completed.append(method.inpaint(image * (1 - mask), mask))
    assert not torch.equal(*completed)


def test_wrong_options_are_all_named() -> None:
    with pytest.raises(OptionError) as caught:
        PatchMatch(radius=0, levels=0, iterations=0, passes=0, texture=-1.0, search="best")  # type: ignore[arg-type]
    assert [error.path for error in caught.value.problems] == [
        ("radius",), ("levels",), ("iterations",), ("passes",), ("texture",), ("search",)
    ]  # fmt: skip


def test_the_recipe_is_the_method() -> None:
    assert isinstance(build_method(load_recipe("classical/patchmatch")), PatchMatch)
