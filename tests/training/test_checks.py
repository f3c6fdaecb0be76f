"""Stages that do not fit to losses and critics."""

from __future__ import annotations

from typing import Any

import pytest
from toy_adversarial import method

from inpaintkit.components.losses import L1, L2
from inpaintkit.core.errors import OptionError
from inpaintkit.training.loss_weights import Balance, Ramp
from inpaintkit.training.stages import Stage


def refused(*stages: Stage, **options: Any) -> dict[tuple[str | int, ...], str]:
    with pytest.raises(OptionError) as caught:
        method(*stages, **options)
    return {error.path: error.message for error in caught.value.problems}


def test_everything_that_is_wrong_at_once() -> None:
    found = refused(
        Stage("a", 5, {"imag": 1.0, "image": Balance("image")}),
        Stage("a", 5, {"l2": 1.0, "image": Balance("l1")}),
        Stage("c", 5, {"l2": 1.0, "image": Balance("l2", hold=6)}),
        Stage("d", 5, {"image": 0.0}),
        Stage("e", 5, {"l2": 1.0, "image": 1.0}, generator_every=6),
        Stage("f", 9, {"l2": 1.0, "image": Balance("l2", hold=5)}, generator_every=2),
        Stage("g", 5, {"l2": 1.0}, train=["critics"]),
        losses={"l2": L2(), "image": L1(), "multi.scale": L1(), "keys": L1(), "": L1()},
    )
    expected = {
        ("critics", "image"): "'image' is a loss and a critic",
        ("losses", "multi.scale"): "without dots",
        ("losses", "keys"): "cannot name a term",
        ("losses", ""): "cannot name a term",
        ("stages", 0, "weights", "imag"): "no loss or critic is named 'imag', did you mean 'image'?",
        ("stages", 0, "weights", "image", "match"): "match names another term of this stage (imag), not 'image'",
        ("stages", 1, "name"): "a second stage is named 'a'",
        ("stages", 1, "weights", "image", "match"): "match names another term of this stage (l2), not 'l1'",
        ("stages", 2, "weights", "image", "hold"): "hold: 6 steps do not fit into a stage in which",
        ("stages", 3, "weights"): "every weight is 0",
        ("stages", 4, "generator_every"): "never be updated in a stage of 5 steps",
        ("stages", 5, "weights", "image", "hold"): "the generator is updated 4 times",
        ("stages", 6, "weights"): "only critics are trained in this stage, and none has a weight",
    }
    assert {path: words in found.get(path, "") for path, words in expected.items()} == dict.fromkeys(expected, True)
    assert set(found) == set(expected)


def test_what_is_right_is_not_refused() -> None:
    method(
        Stage("a", 1, {"l2": 1.0}),
        Stage("b", 5, {"image": 0.0}, train=["critics"]),
        Stage("c", 5, {"l2": 1.0, "image": Balance("l2", hold=5)}),
        Stage("d", 5, {"l2": Ramp(0.0, 1.0, 5)}),
        Stage("e", 6, {"l2": 1.0}, generator_every=6),
    )
    assert method().steps == 0  # `load` leaves the stages out
