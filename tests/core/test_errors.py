"""Problems, and the texts that messages share."""

from __future__ import annotations

import pickle

import pytest

from inpaintkit.core.errors import OptionError, Problem, RecipeError, dotted, listed, short_repr


def test_one_error_holds_several_problems() -> None:
    one, other = OptionError("a is 0", ("a",)), OptionError("b is 0", ("b", 1))
    joined = OptionError.join([one, OptionError.join([other])])
    assert joined.problems == (Problem("a is 0", ("a",)), Problem("b is 0", ("b", 1)))
    assert joined.path == ("a",)
    assert str(joined) == "a is 0\nb is 0"
    assert isinstance(joined, ValueError)
    assert pickle.loads(pickle.dumps(joined)).problems == joined.problems


def test_a_recipe_error_names_places() -> None:
    error = RecipeError([Problem("is odd", ("width",), "f.yaml:1:2"), Problem("unknown")])
    assert isinstance(error, OptionError)
    assert str(error) == "f.yaml:1:2: width: is odd\nunknown"


def test_paths_are_dotted() -> None:
    assert dotted(("stages", 1, "lr")) == "stages[1].lr"
    assert dotted(()) == ""


@pytest.mark.parametrize(
    ("items", "text"),
    [([], ""), (["a"], "a"), ("ab", "a, b"), ("abc", "a, b and 1 more"), (range(5002), "0, 1 and 5,000 more")],
)
def test_long_lists_are_cut(items: list[object], text: str) -> None:
    assert listed(items, 2) == text
    assert listed(items, 2, separator="; ") == text.replace(", ", "; ", 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ("a", "'a'"),
        ("a" * 80, repr("a" * 57 + "...")),
        ([1, 2], "a list of 2"),
        ((), "an empty list"),
        ({"a": 1, 3: 2}, "a mapping with a, 3"),
        ({}, "an empty mapping"),
    ],
)
def test_values_in_messages(value: object, text: str) -> None:
    assert short_repr(value) == text
