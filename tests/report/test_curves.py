"""The log of a run as curves: what shares a chart, stages, smoothing and downsampling."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from inpaintkit import InpaintkitError
from inpaintkit.report.curves import Series, curves, read_log, smooth, stages, thin, title
from inpaintkit.runs.folder import Run


def test_the_log_survives_a_kill_and_a_resume(tmp_path: Path) -> None:
    lines = [
        '{"step": 2, "generator": {"l1": 1.0}}',
        '{"step": 1, "generator/l1": 2.0}',
        '{"step": 2, "validation/psnr": 20.0}',
        '{"step": 2, "generator/l1": 0.5}',
        '{"step": 3, "gener',
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    assert read_log(Run(tmp_path)) == [
        {"step": 1, "generator/l1": 2.0},
        {"step": 2, "generator/l1": 0.5, "validation/psnr": 20.0},
    ]
    assert read_log(Run(tmp_path / "none")) == []
    (tmp_path / "log.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InpaintkitError, match="cannot be read"):
        read_log(Run(tmp_path))


def test_curves_that_belong_together_share_a_chart() -> None:
    log = [
        {"step": 10, "seconds": 3.0, "images_per_s": 50.0, "stage": "coarse", "lr/generator": 1e-3},
        {"step": 20, "generator/reconstruction": 0.1},
        {"step": 30, "stage": "fine", "critic/image/loss": 0.7, "generator/image": 1.0},
        {"step": 40, "critic/image/loss": 0.6, "generator/image": 1.0},
        {"step": 40, "validation/psnr[hole,255]": 21.0, "validation/psnr[ring,255]": 25.0},
    ]
    found = dict(curves([*log, {"step": 41, "note": "text", "flag": True, "generator/image": math.nan}]))
    assert {chart: [line.name for line in lines] for chart, lines in found.items()} == {
        "validation/psnr": ["psnr[hole,255]", "psnr[ring,255]"],
        "generator": ["reconstruction"],
        "generator/critics": ["image"],
        "critic/image": ["loss"],
        "images_per_s": ["images_per_s"],
        "lr": ["generator"],
    }
    assert next(iter(found)) == "validation/psnr"  # what matters comes first
    (image,) = found["generator/critics"]
    assert list(image.steps) == [30, 40]  # NaN leaves a gap


def test_gap_and_slope_of_all_critics_share_a_chart() -> None:
    entry = {f"critic/{name}/{what}": 1.0 for name in ("d1", "d2") for what in ("loss", "real", "gap", "gradient_norm")}
    found = curves([{"step": step, **entry, "critic/d1/penalty": 0.1, "gradient/l1": 2.0} for step in (1, 2)])
    assert [(chart, [line.name for line in lines]) for chart, lines in found] == [
        ("critics/gap", ["d1", "d2"]),
        ("critics/gradient_norm", ["d1", "d2"]),
        ("critics/penalty", ["d1"]),
        ("critic/d1", ["loss", "real"]),
        ("critic/d2", ["loss", "real"]),
        ("gradient", ["l1"]),
    ]
    assert title("critics/gap") == "Critics: gap between real and fake scores"
    assert title("critics/gradient_norm") == "Critics: gradient norm at the penalized points"


def test_all_rates_share_a_chart() -> None:
    (found,) = curves([{"step": step, "lr/generator": 1e-3, "lr/critic/d1": 1e-4} for step in (1, 2)])
    assert (found[0], [line.name for line in found[1]]) == ("lr", ["generator", "critic/d1"])


def test_stages_begin_after_the_entry_before() -> None:
    log = [{"step": s, "stage": n} for s, n in ((10, "a"), (20, "a"), (30, "b"), (40, ""), (50, "b"), (60, "a"))]
    assert stages(log) == [(0, "a"), (20, "b"), (50, "a")]


def test_smoothing_keeps_to_its_stage_and_leaves_smooth_lines_alone() -> None:
    rng = np.random.default_rng(0)
    steps = np.arange(800.0)
    noisy = Series("a", steps, np.where(steps < 400, 0.0, 10.0) + rng.normal(0, 1, 800))
    smoothed = smooth(noisy, [400])
    assert np.abs(smoothed.values[:400]).max() < 1.2
    assert np.abs(smoothed.values[400:] - 10).max() < 1.2
    assert smooth(noisy).values[399] > 3  # without the boundary, the step is blurred
    assert smooth(Series("a", steps, steps**2)).values is not None
    decay = Series("a", steps, 1e-3 * (1 - steps / 801) ** 0.9)
    assert smooth(decay) is decay
    spiked = Series("a", steps, np.where(steps == 300, 1e6, noisy.values))
    assert smooth(spiked) is not spiked


@given(st.integers(1, 3000))
@settings(max_examples=30, deadline=None)
def test_thinning_keeps_ends_and_extremes(count: int) -> None:
    rng = np.random.default_rng(count)
    line = Series("a", np.arange(float(count)), rng.normal(0, 1, count))
    thinned = thin(line, 100)
    assert len(thinned.steps) <= 100
    assert set(thinned.steps) <= set(line.steps)
    assert thinned.steps[[0, -1]].tolist() == [0, count - 1]
    assert thinned.values.max() == line.values.max()
    assert thinned.values.min() == line.values.min()
