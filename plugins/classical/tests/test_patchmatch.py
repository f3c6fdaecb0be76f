"""The method: its sources, results on patterns and photographs, sizes, precision and options."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from inpaintkit_classical.patchmatch import PatchMatch
from inpaintkit_classical.patchsearch import Field
from torch import Tensor

from inpaintkit import InpaintkitError, OptionError, load_recipe
from inpaintkit.recipe import build_method

from .toys import centered, holes, photographs, psnr


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


def test_hidden_pixels_are_not_read() -> None:
    image, mask = photographs(32, 2), centered(32, 32, 12, count=2)
    completed = []
    for hidden in (0.0, 0.7, math.nan):
        torch.manual_seed(0)
        completed.append(PatchMatch(levels=2).inpaint(torch.where(mask.bool(), hidden, image), mask))
    assert all(torch.equal(completed[0], other) for other in completed[1:])
    assert completed[0].isfinite().all()
    assert torch.equal(completed[0] * (1 - mask), image * (1 - mask))


def test_other_pictures_of_the_batch_have_no_influence() -> None:
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


def test_random_numbers_are_drawn_with_torch() -> None:
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
