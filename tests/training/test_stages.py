"""Stages, learning rates and optimizers against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, strategies as st
from torch import nn

from inpaintkit.core.errors import OptionError
from inpaintkit.training.stages import Adam, Rate, Stage, generator_updates, locate, rate

UNIT = st.floats(0, 1)


def stages(*lengths: int) -> list[Stage]:
    return [Stage(f"s{number}", steps, {"l1": 1.0}) for number, steps in enumerate(lengths)]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_locate_is_a_walk_through_the_stages(lengths: list[int]) -> None:
    walked = [(f"s{number}", at) for number, steps in enumerate(lengths) for at in range(steps)]
    made = stages(*lengths)
    assert [(stage.name, at) for stage, at in (locate(made, step) for step in range(sum(lengths)))] == walked
    for beyond in (0, 1, 1000):  # past the end: the last step stands
        stage, at = locate(made, sum(lengths) + beyond)
        assert (stage.name, at) == walked[-1]


@given(st.floats(1e-6, 1.0), UNIT, st.floats(0.1, 4), UNIT)
def test_polynomial(start: float, end: float, power: float, t: float) -> None:
    found = Rate(start, end, "polynomial", power).at(t)
    assert found == pytest.approx(start * (1 - t) ** power + end * (1 - (1 - t) ** power), rel=1e-9, abs=1e-12)


@given(st.floats(1e-6, 1.0), UNIT, UNIT)
def test_cosine(start: float, end: float, t: float) -> None:
    expected = start * math.cos(math.pi * t / 2) ** 2 + end * math.sin(math.pi * t / 2) ** 2
    assert Rate(start, end, "cosine").at(t) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("shape", ["polynomial", "cosine"])
@pytest.mark.parametrize("power", [0.9, 1.0, 2.0])
def test_a_rate_runs_from_start_to_end_within_its_steps(shape: str, power: float) -> None:
    lr = Rate(1e-3, 1e-5, shape, power)  # type: ignore[arg-type]
    values = [rate(lr, 9.0, at, 11) for at in range(11)]
    assert values[0] == pytest.approx(1e-3)
    assert values[-1] == pytest.approx(1e-5)
    assert values == sorted(values, reverse=True)


def test_rate_defaults_constants_and_one_step() -> None:
    assert rate(None, 0.5, 3, 10) == 0.5
    assert rate(0.25, 0.5, 3, 10) == 0.25
    assert rate(Rate(0.1, 0.0), 0.5, 0, 1) == 0.1


@pytest.mark.parametrize(("every", "expected"), [(1, [0, 1, 2, 3, 4, 5]), (2, [1, 3, 5]), (5, [4]), (6, [5])])
def test_critics_come_before_the_generator(every: int, expected: list[int]) -> None:
    stage = Stage("s", 6, {"l1": 1.0}, generator_every=every)
    assert [at for at in range(6) if stage.updates_generator(at)] == expected
    assert not any(
        Stage("s", 6, {"c": 0.0}, train=["critics"], generator_every=every).updates_generator(at) for at in range(6)
    )


def test_an_empty_stage_is_refused_in_full() -> None:
    with pytest.raises(OptionError) as caught:
        Stage("s", 1, {}, train=[])
    assert [error.path for error in caught.value.problems] == [("weights",), ("train",)]


def test_adam_takes_its_options_and_leaves_frozen_parameters_alone() -> None:
    net = nn.Linear(2, 2)
    net.bias.requires_grad_(False)
    optimizer = Adam(lr=0.1, betas=(0.1, 0.2), eps=1e-3, weight_decay=0.5).build(net.named_parameters())
    [group] = optimizer.param_groups
    assert group["param_names"] == ["weight"]
    assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (0.1, (0.1, 0.2), 1e-3, 0.5)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_one_step_of_adam_by_hand(decay: float) -> None:
    """Kingma and Ba 2015, algorithm 1, with Loshchilov and Hutter's decoupled decay (2019, algorithm 2)."""
    lr, (b1, b2), eps = 0.1, (0.5, 0.9), 1e-8
    parameter = nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = Adam(lr, (b1, b2), eps, decay).build([("p", parameter)])
    expected, m, v = parameter.detach().double(), torch.zeros(2).double(), torch.zeros(2).double()
    for t, gradient in enumerate((torch.tensor([0.5, 3.0]), torch.tensor([-1.0, 2.0])), start=1):
        parameter.grad = gradient.clone()
        optimizer.step()
        expected *= 1 - lr * decay
        m = b1 * m + (1 - b1) * gradient.double()
        v = b2 * v + (1 - b2) * gradient.double() ** 2
        expected -= lr * (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + eps)
    torch.testing.assert_close(parameter.detach().double(), expected, rtol=1e-6, atol=1e-7)


def test_adam_on_the_meta_device() -> None:
    parameter = nn.Parameter(torch.zeros(2, device="meta"))
    optimizer = Adam().build([("p", parameter)])
    parameter.grad = torch.zeros(2, device="meta")
    optimizer.step()


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 4), st.booleans()), min_size=1, max_size=4))
def test_generator_updates_are_a_count(kinds: list[tuple[int, int, bool]]) -> None:
    made = [
        Stage(str(at), steps, {"l1": 1.0}, train=("generator",) if trained else ("critics",), generator_every=every)
        for at, (steps, every, trained) in enumerate(kinds)
    ]
    count = 0
    for step in range(sum(steps for steps, _, _ in kinds)):
        assert generator_updates(made, step) == count
        stage, at = locate(made, step)
        count += stage.updates_generator(at)
