"""Weights of terms: after a balance the ratio of the gradients at the output is the one that was asked for."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from inpaintkit.core.errors import InpaintkitError
from inpaintkit.training.loss_weights import Balance, Ramp, Weigher, Weight, gradient_norm


def picture(seed: int = 0) -> Tensor:
    return torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def terms_of(output: Tensor, factors: tuple[float, float] = (1.0, 1.0)) -> dict[str, Tensor]:
    """Gradients in closed form: of ``linear`` the factor times sqrt(n), of ``square`` the factor times |output|."""
    return {"linear": factors[0] * output.sum(), "square": factors[1] * output.square().sum() / 2}


def weigher(weights: Mapping[str, Weight], stage: str = "s") -> Weigher:
    return Weigher([(stage, weights)])


@given(st.integers(0, 50), st.integers(1, 30), st.floats(0, 5), st.floats(0, 5))
def test_ramp(step: int, over: int, start: float, end: float) -> None:
    value = Ramp(start, end, over).at(step)
    t = step / over
    assert value == pytest.approx(end if t >= 1 else (1 - t) * start + t * end, abs=1e-12)


def test_numbers_and_ramps_pass_through() -> None:
    output = picture()
    weights: dict[str, Weight] = {"linear": 2.5, "square": Ramp(0, 1, 4)}
    for step, expected in ((0, 0.0), (1, 0.25), (4, 1.0), (9, 1.0)):
        assert weigher(weights)("s", weights, terms_of(output), output, step) == {"linear": 2.5, "square": expected}


def test_gradient_norm_in_closed_form() -> None:
    output = picture()
    terms = terms_of(output, (3.0, 2.0))
    torch.testing.assert_close(gradient_norm(terms["linear"], output), torch.tensor(3.0 * output.numel() ** 0.5))
    torch.testing.assert_close(gradient_norm(terms["square"], output), 2.0 * output.detach().norm())
    assert gradient_norm(torch.tensor(1.0), output) == 0  # a constant
    assert gradient_norm(picture(1).sum(), output) == 0  # of something else
    assert not gradient_norm(terms["linear"], output).requires_grad


@settings(deadline=None, max_examples=30)
@given(st.floats(0.01, 100), st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.one_of(st.none(), st.just(3)))
def test_after_weighting_the_ratio_is_the_scale(scale: float, one: float, other: float, hold: int | None) -> None:
    output = picture()
    terms = terms_of(output, (one, other))
    weights: dict[str, Weight] = {"linear": 1.0, "square": Balance("linear", scale, hold)}
    number = weigher(weights)("s", weights, terms, output, 0)["square"]
    assert isinstance(number, Tensor)
    assert not number.requires_grad
    ratio = gradient_norm(number * terms["square"], output) / gradient_norm(terms["linear"], output)
    assert float(ratio) == pytest.approx(scale, rel=1e-4)
    closed = scale * one * output.numel() ** 0.5 / (other * float(output.detach().norm()))
    assert float(number) == pytest.approx(closed, rel=1e-4)


def test_the_match_counts_before_its_own_weight() -> None:
    output = picture()
    numbers = []
    for own in (1.0, 10.0):
        weights: dict[str, Weight] = {"linear": own, "square": Balance("linear", 0.5)}
        numbers.append(weigher(weights)("s", weights, terms_of(output), output, 0)["square"])
    assert numbers[0] == numbers[1]


def test_without_hold_every_step_is_measured_anew() -> None:
    weights: dict[str, Weight] = {"linear": 1.0, "square": Balance("linear")}
    made = weigher(weights)
    for step, factor in enumerate((1.0, 4.0, 0.5)):
        output = picture(step)
        number = made("s", weights, terms_of(output, (1.0, factor)), output, step)["square"]
        expected = output.numel() ** 0.5 / (factor * output.detach().norm())
        torch.testing.assert_close(number, expected)
    assert not made.state_dict()


def test_hold_averages_then_stands_still() -> None:
    weights: dict[str, Weight] = {"linear": 1.0, "square": Balance("linear", 2.0, hold=3)}
    made = weigher(weights)
    norms: list[tuple[float, float]] = []
    numbers = []
    for step, factors in enumerate(((1.0, 1.0), (2.0, 8.0), (6.0, 0.5), (100.0, 1.0), (1e-3, 1.0))):
        output = picture(step)
        terms = terms_of(output, factors)
        norms.append(tuple(float(gradient_norm(terms[name], output)) for name in ("linear", "square")))  # type: ignore[arg-type]
        numbers.append(float(made("s", weights, terms, output, step)["square"]))
        seen = norms[: min(step + 1, 3)]
        expected = 2.0 * sum(one for one, _ in seen) / sum(other for _, other in seen)
        assert numbers[-1] == pytest.approx(expected, rel=1e-5)
    assert numbers[2] == numbers[3] == numbers[4]


def test_held_weights_need_no_gradient() -> None:
    """After the hold nothing is measured: the terms may be anything."""
    weights: dict[str, Weight] = {"linear": 1.0, "square": Balance("linear", hold=1)}
    made = weigher(weights)
    output = picture()
    first = made("s", weights, terms_of(output), output, 0)["square"]
    constants = {"linear": torch.tensor(1.0), "square": torch.tensor(1.0)}
    assert made("s", weights, constants, output, 1)["square"] == first


def test_turns_count_where_the_generator_rests() -> None:
    """With ``generator_every: 5`` the first measurement comes in step 4, and each counts the same in the mean."""
    weights: dict[str, Weight] = {"linear": 1.0, "square": Balance("linear", hold=2)}
    made = weigher(weights)
    norms = []
    for turn, factors in enumerate(((1.0, 1.0), (2.0, 8.0), (5.0, 5.0))):
        output = picture(turn)
        terms = terms_of(output, factors)
        norms.append([float(gradient_norm(terms[name], output)) for name in ("linear", "square")])
        number = made("s", weights, terms, output, 5 * turn + 4, turn)["square"]
    expected = (norms[0][0] + norms[1][0]) / (norms[0][1] + norms[1][1])
    assert float(number) == pytest.approx(expected, rel=1e-5)  # type: ignore[arg-type]


def test_what_was_measured_is_state() -> None:
    weights: dict[str, Weight] = {"linear": 1.0, "square": Balance("linear", hold=4)}
    one, other = weigher(weights, "fine.1"), weigher(weights, "fine.1")
    for step in range(2):
        output = picture(step)
        one("fine.1", weights, terms_of(output), output, step)
    assert list(one.state_dict()) == ["fine_1/square"]
    other.load_state_dict(one.state_dict())
    for step in range(2, 6):
        output = picture(step)
        numbers = [made("fine.1", weights, terms_of(output), output, step)["square"] for made in (one, other)]
        assert numbers[0] == numbers[1]


def test_two_stages_hold_apart() -> None:
    weights: dict[str, Weight] = {"linear": 1.0, "square": Balance("linear", hold=1)}
    made = Weigher([("a", weights), ("b", weights)])
    output = picture()
    first = made("a", weights, terms_of(output, (1.0, 1.0)), output, 0)["square"]
    second = made("b", weights, terms_of(output, (3.0, 1.0)), output, 0)["square"]
    torch.testing.assert_close(second, 3 * first)  # type: ignore[operator]
    assert made("a", weights, terms_of(output), output, 1)["square"] == first


@pytest.mark.parametrize("lost", ["linear", "square"])
@pytest.mark.parametrize("how", ["constant", "elsewhere"])
def test_a_term_that_does_not_reach_the_output_is_named(lost: str, how: str) -> None:
    """Elsewhere: it has a gradient, but of another picture; a weight of 1e19 would come of dividing by nothing."""
    weights: dict[str, Weight] = {"linear": 1.0, "square": Balance("linear")}
    output = picture()
    terms = terms_of(output) | {lost: torch.tensor(1.0) if how == "constant" else picture(1).sum()}
    with pytest.raises(InpaintkitError, match=f"'square' is balanced against 'linear', but '{lost}' has no gradient"):
        weigher(weights)("s", weights, terms, output, 0)


def test_a_vanishing_gradient_gives_a_finite_weight() -> None:
    weights: dict[str, Weight] = {"linear": 1.0, "square": Balance("linear")}
    output = torch.zeros(1, 3, 2, 2, requires_grad=True)
    number = weigher(weights)("s", weights, terms_of(output), output, 0)["square"]
    assert torch.isfinite(torch.as_tensor(number))


def test_meta_device() -> None:
    weights: dict[str, Weight] = {"linear": 1.0, "square": Balance("linear", hold=2)}
    with torch.device("meta"):
        made = weigher(weights)
    output = torch.empty(1, 3, 2, 2, device="meta", requires_grad=True)
    number = made("s", weights, terms_of(output), output, 0)["square"]
    assert isinstance(number, Tensor)
    assert number.is_meta
