"""What sweeps read, and what they refuse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from inpaintkit_compare.sweep_plan import parse, plan, plan_all

from inpaintkit import RecipeError
from inpaintkit.evaluation.protocol import load_protocol
from inpaintkit.evaluation.testset import TestSet

from .toys import sweep_tree


@settings(max_examples=60, deadline=None)
@given(st.integers(-30, 30), st.integers(0, 40), st.integers(1, 9), st.booleans())
def test_ranges_are_what_range_says(first: int, length: int, step: int, tenths: bool) -> None:
    last = first + length
    expected = list(range(first, last + 1, step))
    if tenths:
        text = f"x={first / 10:.1f}..{last / 10:.1f}:{step / 10:.1f}"
        assert parse(text) == ("x", [value / 10 for value in expected])  # exact: no 0.30000000000000004
    else:
        assert parse(f"x={first}..{last}:{step}") == ("x", expected)


def test_ranges_and_single_values_are_mixed_and_sorted() -> None:
    assert parse(" side = 12, 4..6 ,5") == ("side", [4, 5, 6, 12])
    assert all(type(value) is int for value in parse("side=4..6")[1])
    assert parse("ratio=0.5,1") == ("ratio", [0.5, 1.0])
    assert parse("offset=-8..8:8") == ("offset", [-8, 0, 8])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("side", "is written OPTION=FIRST..LAST"),
        ("side=", "is written OPTION=FIRST..LAST"),
        ("=4", "is written OPTION=FIRST..LAST"),
        ("side=4..", "'4..' is neither a number nor"),
        ("side=4,,5", "'' is neither a number nor"),
        ("side=nan", "'nan' is neither a number nor"),
        ("side=9..4", "ends before it begins: write 4..9"),
        ("side=4..9:0", "the step of 4..9:0 is 0"),
        ("ratio=0.1..0.9", "needs a step, as in 0.1..0.9:0.1"),
        ("side=1..999999999", "999,999,999 values: at most 1,000"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, says: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(says)):
        parse(text)


def test_each_value_changes_the_masks_and_nothing_else(test_set: TestSet) -> None:
    planned = plan(test_set, "side=3..5")
    assert (planned.option, planned.sampler, planned.own, planned.unit) == ("side", "center-square", 4, "pixels")
    assert [int(each.mask(0).sum()) for each in planned.test_sets] == [9, 16, 25]
    assert all(each.images is test_set.images for each in planned.test_sets)
    hashes = [each.hash for each in planned.test_sets]
    assert hashes[1] == test_set.hash
    assert len(set(hashes)) == 3


def test_a_pair_is_swept_on_both_axes(test_set: TestSet) -> None:
    planned = plan(test_set, "offset=-4..4:4")
    assert planned.grid
    assert planned.values == tuple((row, column) for row in (-4, 0, 4) for column in (-4, 0, 4))
    for (row, column), each in zip(planned.values, planned.test_sets, strict=True):  # type: ignore[misc]
        assert each.mask(0)[0, 0, 4 + row : 8 + row, 4 + column : 8 + column].sum() == each.mask(0).sum() == 16
    assert planned.own == (0, 0)
    assert planned.test_sets[4].hash == test_set.hash


def test_options_of_any_sampler_are_swept(pictures: Path) -> None:
    squares = TestSet.open(load_protocol(sweep_tree(use="random-square", min=2, max=5)), pictures)
    assert plan(squares, "max=4..6").values == (4, 5, 6)
    pixels = TestSet.open(load_protocol(sweep_tree(use="random-pixels", ratio=0.5)), pictures)
    planned = plan(pixels, "ratio=0.25..0.75:0.25")
    assert [int(each.mask(0).sum()) for each in planned.test_sets] == [36, 72, 108]
    assert planned.unit == "share of the pixels"
    with pytest.raises(RecipeError, match=r"max 1: min \(2\) is larger than max \(1\)"):
        plan(squares, "max=1..3")


def test_everything_wrong_is_told_at_once(test_set: TestSet) -> None:
    texts = ["side=12..14", "offset=-5..5:5", "sdie=4", "side=0", "offset=0.5", "x=.."]
    with pytest.raises(RecipeError) as caught:
        plan_all([test_set], texts, picture=12)
    told = "\n".join(str(problem) for problem in caught.value.problems)
    for words in (
        "side 13: a hole of 13 pixels does not fit", "side 14: ", "offset (-5, -5): ",
        "-4 to 4 rows and -4 to 4 columns",
        "and 3 more values", "no option 'sdie', did you mean 'side'", "side 0: expected integer >= 1, not 0",
        "offset (0.5, 0.5): expected integer", "'..' is neither", "there is no picture 12: the 12 pictures are 0 to 11",
        "side is swept twice", "offset is swept twice",
    ):  # fmt: skip
        assert words in told, words
    assert "side 12" not in told
    with pytest.raises(RecipeError, match="there is no sweep"):
        plan_all([test_set], [], picture=1)


def test_an_option_of_another_sampler_names_who_has_it(pictures: Path) -> None:
    squares = TestSet.open(load_protocol(sweep_tree(use="random-square", min=2, max=5)), pictures)
    with pytest.raises(RecipeError) as caught:
        plan(squares, "side=4..8")
    told = str(caught.value)
    assert "'random-square' of protocol toy has no option 'side'; its numbers are min, max" in told
    assert "side is an option of center-square (as in the protocols " in told
    half = TestSet.open(load_protocol(sweep_tree(use="half", side="left")), pictures)
    with pytest.raises(RecipeError, match=r"takes for side 'left', .* or 'random', and no number; it has no numbers"):
        plan(half, "side=4..8")
