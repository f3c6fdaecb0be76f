"""Plain trees against constructors' signatures: nothing coerced, every problem at once, and then built."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import torch
from annotated_types import Ge, Gt, Interval, Len, Lt, MinLen, MultipleOf, Predicate
from hypothesis import given, strategies as st
from torch import Tensor

from inpaintkit.core.config.nodes import parse
from inpaintkit.core.config.schema import describe, signature_of
from inpaintkit.core.config.structure import INVALID, Spec, Structurer
from inpaintkit.core.errors import OptionError, Problem, RecipeError
from inpaintkit.core.hookspecs import hookimpl
from inpaintkit.core.interfaces import Generator, Loss, MaskSampler
from inpaintkit.core.plugins import Plugins
from inpaintkit.training.loss_weights import Weight
from inpaintkit.training.stages import Adam, Stage

from .toys import Hidden, Hue, Keywords, Late, Picky, Raises, Width, Wrapper, half


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    class Toy:
        inpaintkit_api = 1

        @hookimpl
        def register_generators(self, register: Any) -> None:
            register("width", Width)

        @hookimpl
        def register_losses(self, register: Any) -> None:
            register("picky", Picky)
            register("wrapper", Wrapper)
            register("raises", Raises)
            register("late", Late)
            register("hidden", Hidden)
            register("lost", "no_such_module:Loss")

        @hookimpl
        def register_mask_samplers(self, register: Any) -> None:
            register("toy-half", half)

    found = Plugins()
    assert not found.add("toy", Toy()).error
    broken = types.SimpleNamespace(inpaintkit_api=99)
    assert found.add("broken", broken).error
    return found


def problems_in(plugins: Plugins, value: Any, expected: Any) -> list[str]:
    structurer = Structurer(plugins)
    structurer.structure(value, expected)
    return [str(problem) for problem in structurer.problems]


def good(plugins: Plugins, value: Any, expected: Any) -> Any:
    structurer = Structurer(plugins)
    result = structurer.structure(value, expected)
    assert structurer.problems == []
    return result


@pytest.mark.parametrize(
    ("value", "expected", "result"),
    [
        (1, int, 1),
        (1, float, 1.0),
        (1.5, float, 1.5),
        (True, bool, True),
        ("a", str, "a"),
        ("a/b", Path, Path("a/b")),
        (None, int | None, None),
        (None, None, None),
        (5, float | int, 5),
        (5, int | float, 5),
        (5, float | str, 5.0),
        ([1, 2], list[int], [1, 2]),
        ([1, 2], Sequence[float], (1.0, 2.0)),
        ([1, "a"], tuple[int, str], (1, "a")),
        ([1, 2, 3], tuple[int, ...], (1, 2, 3)),
        ([], list[int], []),
        ([1, 2], list, [1, 2]),
        ({"a": 1}, dict[str, float], {"a": 1.0}),
        ("red", Hue, Hue.RED),
        ("Blue", Hue | str | int, Hue.BLUE),
        (2, Hue | str | int, 2),
        (1.5, Tensor | float, 1.5),
        ([1, 2], Tensor | tuple[float, float], (1.0, 2.0)),
        ({"a": {"b": 1}}, Mapping[str, Any], {"a": {"b": 1}}),
        ({"a": 1}, dict, {"a": 1}),
        ({"a": 1}, dict[Literal["a", "b"], int], {"a": 1}),
        ("x", Literal["x", 1], "x"),
        (1, Literal["x", 1], 1),
        ("x", str | list[str], "x"),
        (["x"], str | list[str], ["x"]),
        (3, Annotated[int, Ge(3), MultipleOf(3)], 3),
        ({"z": [1, None]}, Any, {"z": [1, None]}),
        ([0.5], Annotated[list[Annotated[float, Gt(0), Lt(1)]], MinLen(1)], [0.5]),
    ],
)
def test_valid_values_are_kept(plugins: Plugins, value: Any, expected: Any, result: Any) -> None:
    found = good(plugins, value, expected)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("value", "expected", "message"),
    [
        (64.0, int, "expected integer, not 64.0 (write 64)"),
        (64.5, int, "expected integer, not 64.5"),
        (True, int, "expected integer, not true"),
        (True, float, "expected number, not true"),
        ("1", int, "expected integer, not '1' (without the quotes)"),
        ("1e-4", float, "expected number, not '1e-4' (without the quotes)"),
        (float("nan"), float, "expected a finite number, not nan"),
        (float("inf"), float, "expected a finite number, not inf"),
        (10**400, float, "is too large"),
        ("false", bool, "expected true or false, not 'false' (without the quotes)"),
        ("no", bool, "expected true or false, not 'no' (write false)"),
        (1, bool, "expected true or false, not 1 (write true)"),
        (5, str, "expected string, not 5 (quote it)"),
        (None, str, "expected string, not null"),
        (5, Path, "expected path, not 5"),
        ("", Path, "expected path, not ''"),
        (0, Annotated[int, Ge(1)], "expected integer >= 1, not 0"),
        ("x", Annotated[int, Ge(1)], "expected integer >= 1, not 'x'"),
        (2, Annotated[float, Interval(gt=0, le=1)], "expected number > 0 and <= 1, not 2"),
        (5, Annotated[int, MultipleOf(2)], "expected integer divisible by 2, not 5"),
        ([], Annotated[list[int], Len(1)], "expected list of integer that is not empty, not an empty list"),
        ("A", Annotated[str, Predicate(str.islower)], "expected string that is islower, not 'A'"),
        ("ho", Literal["hole", "known"], "expected 'hole' or 'known', not 'ho', did you mean 'hole'?"),
        (True, Literal[1], "expected 1, not true"),
        ({"a": 1}, list[int], "expected list of integer, not a mapping with a"),
        ([1], dict[str, int], "expected mapping of names to integer, not a list of 1"),
        ([1, 2, 3], tuple[int, int], "expected list [integer, integer], not a list of 3"),
        (["a"], list[int], "[0]: expected integer, not 'a'"),
        ({"c": 1}, dict[Literal["a", "b"], int], "c: expected 'a' or 'b', not 'c'"),
        ("x", int | None, "expected integer or null, not 'x'"),
        ("atuo", Literal["auto"] | int, "expected 'auto' or integer, not 'atuo', did you mean 'auto'?"),
        (0, Annotated[int, Ge(1)] | Adam, "expected integer >= 1, not 0"),
        ("x", Annotated[float, Ge(0)] | Adam, "expected number >= 0 or Adam, not 'x'"),
        ("x", Adam, "expected Adam, not 'x': write a mapping of lr, betas, eps, weight_decay"),
        ("x", complex, "has the annotation <class 'complex'>, which no recipe can fill"),
        ("x", Mapping, "expected mapping, not 'x'"),
        ([], Loss, "expected loss (a name or a mapping with 'use'), not an empty list"),
        (None, Loss, "expected loss (a name or a mapping with 'use'), not null"),
        ({"use": 3}, Loss, "use: expected the name of a loss, not 3 (quote it)"),
        ({"usr": "l1"}, Loss, "usr: unknown key 'usr', did you mean 'use'?"),
        ({"region": "hole"}, Loss, "missing 'use', the name of the loss"),
    ],
)
def test_invalid_values_are_reported(plugins: Plugins, value: Any, expected: Any, message: str) -> None:
    assert problems_in(plugins, value, expected) == [message]


def test_unknown_components_name_the_nearest_and_the_broken_plugins(plugins: Plugins) -> None:
    (message,) = problems_in(plugins, {"use": "widht"}, Generator)
    assert message.startswith("use: unknown generator 'widht', did you mean 'width'?; plugin 'broken' is not available")
    (message,) = problems_in(plugins, "width", Loss)
    assert "unknown loss 'width' ('width' is a generator, not a loss)" in message
    (message,) = problems_in(plugins, "lost", Loss)
    assert "loss 'lost' of plugin 'toy' cannot be imported" in message
    (message,) = problems_in(plugins, "hidden", Loss)
    assert "the signature of Hidden cannot be read: name 'NotThere' is not defined" in message


def test_options_unknown_missing_and_misspelt_all_at_once(plugins: Plugins) -> None:
    value = {"use": "wrapper", "loss": {"use": "picky", "lwo": 1, "extra_thing": 2}, "others": {"a": {"use": "picky"}}}
    assert problems_in(plugins, value, Loss) == [
        "loss.lwo: unknown option 'lwo', did you mean 'low'?",  # and not that `low` is missing
        "loss.extra_thing: unknown option 'extra_thing'; picky takes low, high",
        "loss: missing 'high' of loss 'picky': expected number",
        "others.a: missing 'low' of loss 'picky': expected number",
        "others.a: missing 'high' of loss 'picky': expected number",
    ]
    assert problems_in(plugins, {"use": "toy-half", "sied": "left"}, MaskSampler) == [
        "sied: unknown option 'sied', did you mean 'side'?"
    ]


def test_members_of_unions_are_chosen_by_their_keys(plugins: Plugins) -> None:
    assert problems_in(plugins, {"match": "a", "scael": 1}, Weight) == [
        "scael: unknown key 'scael', did you mean 'scale'?"
    ]
    assert problems_in(plugins, {"start": 0, "end": "x", "over": 10}, Weight) == ["end: expected number >= 0, not 'x'"]
    assert problems_in(plugins, -1, Weight) == ["expected number >= 0, not -1"]
    assert problems_in(plugins, {"macth": "a"}, Weight) == ["macth: unknown key 'macth', did you mean 'match'?"]
    stage = good(plugins, {"name": "a", "steps": 2, "weights": {"x": 1, "y": {"match": "x"}}}, Stage).build()
    assert stage == Stage("a", 2, {"x": 1.0, "y": good(plugins, {"match": "x"}, Weight).build()})


def test_a_class_may_read_its_value_itself(plugins: Plugins) -> None:
    class Own:
        @classmethod
        def __structure__(cls, value: Any, at: tuple[str | int, ...], structurer: Structurer) -> Any:
            if value == "raise":
                raise OptionError("raised", ("below",))
            if value == "report":
                return structurer.problem("reported", (*at, "here"))
            return structurer.structure(value, int, at)

    assert good(plugins, [3], list[Own]) == [3]
    assert problems_in(plugins, ["raise", "report", "x"], list[Own]) == [
        "[0].below: raised",
        "[1].here: reported",
        "[2]: expected integer, not 'x'",
    ]


def test_build_makes_the_components_with_their_own_defaults(plugins: Plugins) -> None:
    spec = good(plugins, {"use": "wrapper", "loss": {"use": "picky", "low": 0, "high": 1}}, Loss)
    assert (spec.kind, spec.name) == ("loss", "wrapper")
    assert set(spec.options) == {"loss"}
    built = spec.build()
    assert isinstance(built, Wrapper)
    assert isinstance(built.loss, Picky)
    assert built.others is None
    assert good(plugins, "width", Generator).build().width == 8
    assert good(plugins, {"use": "width", "width": 4}, Generator).build().width == 4
    assert good(plugins, {"use": "width", "width": 4}, Generator).build(without=("width",)).width == 8
    assert spec.build() is not spec.build()


def test_build_locates_all_errors_of_constructors(plugins: Plugins) -> None:
    text = """\
use: wrapper
loss: {use: picky, low: 2, high: 1}
others:
  a: {use: raises, how: value}
  b: {use: raises, how: type}
  c: {use: raises, how: runtime}
  d:
    use: wrapper
    loss: {use: raises, how: key}
  fine: {use: picky, low: 0, high: 1}
"""
    source = parse(text, "f.yaml", [])
    assert source is not None
    structurer = Structurer(plugins, source)
    spec = structurer.structure(source.plain(), Loss)
    assert structurer.problems == []
    with pytest.raises(RecipeError) as caught:
        spec.build()
    assert [str(problem) for problem in caught.value.problems] == [
        "f.yaml:2:25: loss.low: low is above high",
        "f.yaml:2:34: loss.high: high is below",
        "f.yaml:4:6: others.a: as asked",
        "f.yaml:5:6: others.b: TypeError: as asked",
        "f.yaml:6:6: others.c: RuntimeError: as asked",
        "f.yaml:9:11: others.d.loss: KeyError: 'as asked'",
    ]
    problems: list[Problem] = []
    assert spec.attempt(problems, trial=True) is INVALID
    assert [problem.message for problem in problems] == ["low is above high", "high is below", "as asked"]


def test_invalid_values_are_skipped_and_the_rest_is_built(plugins: Plugins) -> None:
    value = {
        "use": "wrapper",
        "loss": {"use": "picky", "low": "x", "high": 1},
        "others": {"a": {"use": "picky", "low": 2, "high": 1}, "b": 3},
    }
    structurer = Structurer(plugins)
    spec = structurer.structure(value, Loss)
    assert len(structurer.problems) == 2
    problems: list[Problem] = []
    assert spec.attempt(problems) is INVALID
    assert [problem.path for problem in problems] == [("others", "a", "low"), ("others", "a", "high")]


def test_an_option_annotated_spec_is_built_later(plugins: Plugins) -> None:
    built = good(plugins, {"use": "late", "loss": {"use": "picky", "low": 2, "high": 1}}, Loss).build()
    assert isinstance(built.spec, Spec)
    with pytest.raises(RecipeError, match="low is above high") as caught:
        built.spec.build()
    assert isinstance(caught.value.__cause__, OptionError)  # for whoever mends the component
    assert problems_in(plugins, {"use": "late", "loss": "pcky"}, Loss)[0].startswith("loss: unknown loss 'pcky'")


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["l1", "picky"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from(["use", "loss", "name", "low"]), inner, max_size=4)
    ),
    max_leaves=10,
)
schemas = st.recursive(
    st.sampled_from([int, float, bool, str, Path, None, Any, Literal["a", 1], Adam, Stage, Weight, Loss, Generator])
    | st.sampled_from([Annotated[int, Ge(0)], Annotated[str, MinLen(1)]]),
    lambda inner: (
        inner.map(lambda kind: list[kind])  # type: ignore[valid-type]
        | inner.map(lambda kind: dict[str, kind])  # type: ignore[valid-type]
        | inner.map(lambda kind: kind | None if kind is not None else None)
        | st.tuples(inner, inner).map(lambda kinds: tuple[kinds[0], kinds[1]])
    ),  # type: ignore[valid-type]
    max_leaves=4,
)


@given(plain, schemas)
def test_any_value_is_structured_or_reported(plugins: Plugins, value: Any, expected: Any) -> None:
    structurer = Structurer(plugins)
    result = structurer.structure(value, expected)
    for problem in structurer.problems:
        assert problem.message
    if not structurer.problems:
        assert "INVALID" not in repr(result)
        again = Structurer(plugins)
        again.structure(value, expected | None if expected is not None else None)
        assert not again.problems
    assert describe(expected)


def test_numbers_become_a_tensor(plugins: Plugins) -> None:
    found = good(plugins, [[1, 2], [3, 4.5]], Tensor)
    assert found.dtype == torch.float32
    assert found.tolist() == [[1, 2], [3, 4.5]]
    assert good(plugins, 2, Tensor | str).item() == 2
    for value in ([[1], [2, 3]], ["a"], True, "1", {"a": 1}):
        assert problems_in(plugins, value, Tensor)[0].startswith("expected numbers, not ")


def test_members_of_an_enumeration_are_written_by_name(plugins: Plugins) -> None:
    assert problems_in(plugins, "rad", Hue) == ["expected 'red' or 'blue', not 'rad', did you mean 'red'?"]
    assert problems_in(plugins, 1.5, Hue | str | None) == ["expected 'red' or 'blue' or null, not 1.5"]
    assert problems_in(plugins, "blu", Hue | str) == ["expected 'red' or 'blue', not 'blu', did you mean 'blue'?"]


def test_options_of_a_typed_dict_are_options(plugins: Plugins) -> None:
    scale, steps, rate = signature_of(Keywords)
    assert (scale.name, scale.default) == ("scale", 1.0)
    assert (steps.name, steps.annotation, steps.default, steps.required) == ("steps", "integer >= 0", 7, False)
    assert (rate.name, rate.annotation, rate.required) == ("rate", "number", True)
    assert problems_in(plugins, {"steps": -1}, Keywords) == [
        "missing 'rate': expected number",
        "steps: expected integer >= 0, not -1",
    ]
    assert good(plugins, {"rate": 1, "scale": 2}, Keywords).build().rate == 1.0
    assert "did you mean 'steps'?" in problems_in(plugins, {"rate": 1, "step": 2}, Keywords)[0]
