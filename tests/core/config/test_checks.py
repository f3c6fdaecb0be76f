"""``checked``: the limits of annotations hold in Python code, too."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypedDict, Unpack

import attrs
import pytest
from annotated_types import Ge, Gt, Interval, Le, Lt, MinLen, Predicate
from torch import nn

import inpaintkit
from inpaintkit import OptionError, checked
from inpaintkit.core.config.schema import signature_of

Side = Annotated[int, Ge(1)]


class Square:
    @checked
    def __init__(self, side: Side, share: Annotated[float, Gt(0), Le(1)] = 0.5) -> None:
        """A square."""
        self.side, self.share = side, share


class Extra(TypedDict, total=False):
    steps: Annotated[int, Ge(0)]
    name: str


class Trained(nn.Module):
    @checked
    def __init__(self, width: Side = 8, **training: Unpack[Extra]) -> None:
        super().__init__()
        self.training_options = training


@checked
@attrs.frozen
class Frozen:
    side: Side
    _hidden: Annotated[int, Lt(3)] = 2


@checked
@dataclasses.dataclass
class Data:
    side: Side = 1


class Many:
    @checked
    def __init__(
        self,
        maybe: Side | None = None,
        either: Side | Literal["all"] | tuple[Side, int] = "all",
        pair: tuple[Side, float] = (1, 0.0),
        sides: Sequence[Side] = (),
        names: Annotated[list[str], MinLen(1)] = ["a"],  # noqa: B006
        weights: Mapping[str, Annotated[float, Ge(0)]] = {},
        ratio: Annotated[float, Interval(gt=0, lt=1)] = 0.5,
        odd: Annotated[int, Predicate(lambda number: number % 2 == 1)] = 1,
        anything: object = None,
    ) -> None:
        pass


def refused(make: object, **options: object) -> dict[tuple[str | int, ...], str]:
    with pytest.raises(OptionError) as caught:
        make(**options)  # type: ignore[operator]
    return {problem.path: problem.message for problem in caught.value.problems}


def test_values_within_their_limits_pass() -> None:
    assert Square(1).side == 1
    assert Square(share=1.0, side=3).share == 1.0
    assert Frozen(1, hidden=1) == Frozen(side=1, hidden=1)
    assert Data().side == 1
    assert Trained(steps=3, name="x").training_options == {"steps": 3, "name": "x"}
    Many(maybe=2, either=(1, 2), pair=(3, 0.5), sides=[1, 2], weights={"a": 0.0}, odd=3, anything=-1)


def test_all_that_is_out_of_its_limits_is_named_at_once() -> None:
    assert refused(Square, side=0, share=1.5) == {
        ("side",): "side: expected integer >= 1, not 0",
        ("share",): "share: expected number > 0 and <= 1, not 1.5",
    }
    with pytest.raises(OptionError, match=r"side: .* not 0\nshare: .* not nan"):
        Square(0, float("nan"))


def test_attrs_classes_and_dataclasses() -> None:
    assert refused(Frozen, side=-1, hidden=3) == {
        ("side",): "side: expected integer >= 1, not -1",
        ("hidden",): "hidden: expected integer < 3, not 3",
    }
    assert refused(Data, side=0) == {("side",): "side: expected integer >= 1, not 0"}


def test_options_of_a_typed_dict() -> None:
    assert set(refused(Trained, width=0, steps=-1)) == {("width",), ("steps",)}


@pytest.mark.parametrize(
    ("options", "path", "message"),
    [
        ({"maybe": 0}, ("maybe",), "maybe: expected integer >= 1 or null, not 0"),
        (
            {"either": 0},
            ("either",),
            "either: expected integer >= 1, 'all' or list [integer >= 1, integer], not 0",
        ),
        ({"either": (0, 1)}, ("either", 0), "either[0]: expected integer >= 1, not 0"),
        ({"pair": (0, 1.0)}, ("pair", 0), "pair[0]: expected integer >= 1, not 0"),
        ({"sides": (1, 2, 0)}, ("sides", 2), "sides[2]: expected integer >= 1, not 0"),
        ({"names": []}, ("names",), "names: expected list of string that is not empty, not an empty list"),
        ({"weights": {"a": -1.0}}, ("weights", "a"), "weights.a: expected number >= 0, not -1.0"),
        ({"ratio": 1}, ("ratio",), "ratio: expected number > 0 and < 1, not 1"),
        ({"odd": 2}, ("odd",), "odd: expected integer that is <lambda>, not 2"),
        ({"ratio": "much"}, ("ratio",), "ratio: expected number > 0 and < 1, not 'much'"),
    ],
)
def test_limits_inside_other_types(options: dict[str, object], path: tuple[str | int, ...], message: str) -> None:
    assert refused(Many, **options) == {path: message}


def test_the_signature_stays_what_it_was() -> None:
    assert [(option.name, option.annotation) for option in signature_of(Square)] == [
        ("side", "integer >= 1"),
        ("share", "number > 0 and <= 1"),
    ]
    assert [option.name for option in signature_of(Frozen)] == ["side", "hidden"]
    assert Square.__init__.__doc__ == "A square."
    with pytest.raises(TypeError, match="side"):
        Square()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="wide"):
        Square(1, wide=2)  # type: ignore[call-arg]


def test_it_imports_no_torch() -> None:
    code = "import sys, inpaintkit; inpaintkit.checked; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert "checked" in inpaintkit.__all__


def test_a_value_must_be_one_of_the_choices() -> None:
    class Chosen:
        @checked
        def __init__(self, side: Literal["left", "right"] = "left", size: Side | Literal["all"] = "all") -> None:
            pass

    Chosen("right", 3)
    assert refused(Chosen, side="lfet") == {
        ("side",): "side: expected 'left' or 'right', not 'lfet', did you mean 'left'?"
    }
