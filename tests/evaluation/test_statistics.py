"""Intervals against closed forms, scipy, and coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings, strategies as st

from inpaintkit.evaluation.statistics import Interval, bootstrap, holm, paired_difference, paired_p_value, ranks


def normals(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(20.0, 3.0, count)


def test_bootstrap_agrees_with_scipy() -> None:
    values = normals(80)
    ours = bootstrap(values, resamples=20_000)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours.mean == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.low, abs=0.03)
    assert ours.high == pytest.approx(theirs.high, abs=0.03)


def test_bootstrap_of_many_images_agrees_with_the_normal_interval() -> None:
    values = normals(5_000)  # several parts of random numbers
    half = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
    mean, low, high = bootstrap(values)
    assert low == pytest.approx(mean - half, abs=half / 8)
    assert high == pytest.approx(mean + half, abs=half / 8)


def test_intervals_cover_the_true_mean_about_as_often_as_they_say() -> None:
    intervals = [bootstrap(normals(60, i), i, resamples=400) for i in range(300)]
    covered = [low <= 20.0 <= high for _, low, high in intervals]
    assert 0.90 <= np.mean(covered) <= 0.98  # 0.95 less the small-sample narrowness, plus three standard errors


def test_level_and_seed_have_their_effect() -> None:
    values = normals(50)
    assert bootstrap(values, 3) == bootstrap(values, 3) != bootstrap(values, 4)
    narrow, wide = bootstrap(values, level=0.5), bootstrap(values, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=30), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_the_interval_lies_within_the_values_and_around_the_mean(values: list[float], seed: int) -> None:
    interval = bootstrap(values, seed, resamples=200)
    assert interval.n == len(values)
    if len(values) == 1:
        assert interval.mean == values[0]
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)
        return
    slack = 1e-9
    assert min(values) - slack <= interval.low <= interval.high <= max(values) + slack


def test_undefined_images_are_left_out_and_not_counted() -> None:
    assert bootstrap([1.0, math.nan, 3.0, math.nan]) == bootstrap([1.0, 3.0])
    assert bootstrap([1.0, math.nan, 3.0]).n == 2
    with pytest.raises(ValueError, match="no image"):
        bootstrap([math.nan, math.nan])
    with pytest.raises(ValueError, match="no image"):
        bootstrap([])


def test_a_perfect_image_makes_the_mean_infinite_but_not_undefined() -> None:
    mean, low, high = bootstrap([math.inf, *normals(40)])
    assert mean == high == math.inf
    assert low < 25  # about a third of the samples drawn again lack the perfect image
    assert tuple(bootstrap([math.inf, math.inf])) == (math.inf, math.inf, math.inf)


def test_paired_difference_cancels_what_the_images_share() -> None:
    hard = np.random.default_rng(0).normal(0, 10, 200)
    a, b = hard + normals(200, 1) / 30, hard
    paired, alone = paired_difference(a, b), bootstrap(a)
    assert paired.mean == pytest.approx(np.mean(a - b))
    assert paired.high - paired.low < (alone.high - alone.low) / 20
    assert paired.excludes_zero
    assert not paired_difference(b, b + (hard > 0) - (hard <= 0)).excludes_zero


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=12))
@settings(max_examples=40, deadline=None)
def test_paired_difference_is_antisymmetric_in_its_mean(pairs: list[tuple[float, float]]) -> None:
    a, b = zip(*pairs, strict=True)
    assert paired_difference(a, b, resamples=50).mean == pytest.approx(-paired_difference(b, a, resamples=50).mean)


def test_paired_difference_leaves_out_pairs_that_have_none() -> None:
    a, b = [1.0, math.nan, math.inf, 4.0], [0.5, 1.0, math.inf, 3.0]
    assert paired_difference(a, b) == bootstrap([0.5, 1.0])
    with pytest.raises(ValueError, match="2 and 3"):
        paired_difference([1, 2], [1, 2, 3])


def test_p_value_agrees_with_every_assignment_of_signs() -> None:
    a, b = normals(10, 5), normals(10, 6)
    exact = scipy.stats.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert paired_p_value(a, b, resamples=40_000) == pytest.approx(exact, abs=0.01)


def test_p_value_at_its_extremes() -> None:
    values = normals(60)
    assert paired_p_value(values, values) == 1.0
    assert paired_p_value(values + 1, values) == pytest.approx(1 / 10_001)
    assert paired_p_value([1.0, 1.0], [0.0, 0.0]) == pytest.approx(0.5, abs=0.02)  # all plus or all minus: 2 of 4
    with pytest.raises(ValueError, match="finite"):
        paired_p_value([math.inf, 1.0], [1.0, 2.0])


def test_p_values_are_uniform_when_nothing_differs() -> None:
    values = [paired_p_value(normals(25, i), normals(25, 1000 + i), i, resamples=400) for i in range(200)]
    assert scipy.stats.kstest(values, "uniform").pvalue > 0.01


def test_holm_by_hand() -> None:
    # sorted: 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, then made monotone
    adjusted = holm({"p1": 0.01, "p2": 0.04, "p3": 0.03, "p4": 0.005})
    assert adjusted == pytest.approx({"p1": 0.03, "p2": 0.06, "p3": 0.06, "p4": 0.02})
    assert list(adjusted) == ["p1", "p2", "p3", "p4"]
    assert holm({}) == {}
    assert holm({"only": 0.2}) == {"only": 0.2}
    with pytest.raises(ValueError, match="no p-value"):
        holm({"x": 1.5})


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_raw_value_and_bonferroni(values: list[float]) -> None:
    raw = {str(i): value for i, value in enumerate(values)}
    adjusted = holm(raw)
    for name, value in raw.items():
        assert value <= adjusted[name] <= min(1.0, len(values) * value) + 1e-15
    order = sorted(raw, key=raw.__getitem__)
    assert [adjusted[name] for name in order] == sorted(adjusted.values())


def test_ranks_go_from_the_worst_to_the_best() -> None:
    values = [3.0, math.nan, 1.0, math.inf, 2.0]
    assert ranks(values, higher_is_better=True) == [2, 4, 0, 3]
    assert ranks(values, higher_is_better=False) == [3, 0, 4, 2]


def test_interval_unpacks() -> None:
    mean, low, high = Interval(1.0, 0.5, 1.5, 9)
    assert (mean, low, high) == (1.0, 0.5, 1.5)
