"""Rows over seeds, differences, best of several samples, and methods that fail."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from inpaintkit_compare.candidates import Candidate
from inpaintkit_compare.comparison import FILE, ComparisonRow, read_comparison
from inpaintkit_compare.files import CSV, MARKDOWN, to_markdown
from PIL import Image
from torch import Tensor
from toy_methods import Level, Trained

from inpaintkit import InpaintkitError, RecipeError, Sample
from inpaintkit.core.plugins import Plugins
from inpaintkit.evaluation.protocol import load_protocol
from inpaintkit.evaluation.results import MetricResult, Row
from inpaintkit.evaluation.statistics import holm, paired_difference, paired_p_value
from inpaintkit.evaluation.testset import TestSet, completions
from inpaintkit.runs import checkpoint
from inpaintkit.runtime import Execution

from .toys import (
    COUNT,
    L1,
    SET,
    Broken,
    Compared,
    Error,
    Noise,
    Odd,
    printed,
    tree,
    values,
)


def test_rows_agree_with_brute_force(compared: Compared, plugins: Plugins, folder: Path) -> None:
    found = compared({"dark": Level(-0.5)}, {"gray": Level()}, "classical/mean_color", batch=5)
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    assert (found.hash, found.names, found.complete, found.failed) == (test_set.hash, test_set.images.names, True, {})
    for row, level in zip(found.rows, (64, 128), strict=False):  # (1 - 0.5) * 127.5 = 63.75
        expected = []
        for index in range(COUNT):
            hole = test_set.mask(index)[0, 0].bool().numpy()
            with Image.open(folder / f"{index:02d}.png") as image:
                expected.append(np.abs(np.asarray(image, float)[hole] - level).mean() / 127.5)
        assert values(row) == pytest.approx(expected, abs=1e-5)
    first = found.rows[0]
    assert found.reference == first.name == "dark"
    assert (first.differences, first.p_values, first.p_holm) == ({}, {}, {})
    for label in (L1, "brightness"):
        p_values = {}
        for row in found.rows[1:]:
            pair = values(row, label), values(first, label)
            assert row.differences[label] == paired_difference(*pair)
            p_values[row.name] = paired_p_value(*pair)
            assert row.p_values[label] == p_values[row.name]
        assert {row.name: row.p_holm[label] for row in found.rows[1:]} == holm(p_values)
    assert {row.differences["brightness"].n for row in found.rows[1:]} == {COUNT - COUNT // 3}
    for row in found.rows:  # what has no value per image, and what is defined for none
        assert set(row.differences) <= {L1, "brightness"}
        assert row.metrics["undefined"].interval.n == 0
        assert row.metrics[SET].per_image is None


def save_run(folder: Path, seed: int, level: float) -> Path:
    folder.mkdir(parents=True)
    recipe = {"name": "ours", "seed": seed, "method": "trained"}
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    checkpoint.save(folder / "checkpoints", 4, Trained(level), {"seconds": 30.0 + seed})
    return folder


def test_a_row_over_seeds_has_their_mean_and_spread(compared: Compared, tmp_path: Path) -> None:
    levels = (-0.6, -0.4, 0.1)
    runs = [save_run(tmp_path / f"run-{seed}", seed, level) for seed, level in enumerate(levels)]
    apart = compared(*(f"{level}={run}" for level, run in zip(levels, runs, strict=True)))
    together = compared({"gray": Level()}, *runs).row("ours")
    assert (together.seeds, together.training_seeds, together.steps) == ((0, 1, 2), 3, 4)
    assert together.training_seconds == pytest.approx(31)
    each = np.array([values(row) for row in apart.rows])
    assert values(together) == pytest.approx(each.mean(0))
    means = each.mean(1)
    assert together.by_seed[L1] == pytest.approx(means)
    assert together.spread(L1) == pytest.approx(math.sqrt(((means - means.mean()) ** 2).sum() / 2))
    assert together.metrics[L1].interval.mean == pytest.approx(means.mean())
    assert together.metrics[SET].interval.mean == pytest.approx(np.mean([row.by_seed[SET][0] for row in apart.rows]))
    assert apart.rows[0].spread(L1) is None
    assert together.basis == "3 training seeds"


def test_the_spread_of_infinite_means_is_undefined() -> None:
    infinite = MetricResult.from_values((math.inf, math.inf), True)
    rows = [
        Row("a", "b", {"psnr": infinite}, 0.1),
        Row("a", "b", {"psnr": MetricResult.from_values((1.0, -math.inf), True)}, 0.1),
    ]
    row = ComparisonRow.over(Candidate("a", "b", ("x", "y"), (0, 1), trained=True), rows)
    assert math.isnan(row.spread("psnr") or 0)
    assert row.metrics["psnr"].interval.n == 1  # the mean of both infinities is none
    one = attrs.evolve(row, metrics={"psnr": MetricResult.from_values((1.0, 2.0), True)})
    other = attrs.evolve(row, metrics={"psnr": infinite})
    assert other.against(one).differences["psnr"].mean == math.inf
    assert other.against(one).p_values == {}


def test_one_picture_has_no_interval_and_no_p(compared: Compared) -> None:
    found = compared({"a": Level(), "b": Level(0.3)}, limit=1)
    assert len(found.names) == 1
    row = found.rows[1]
    assert row.differences[L1].mean == pytest.approx(values(row)[0] - values(found.rows[0])[0])
    assert math.isnan(row.differences[L1].low)
    assert (row.p_values, row.p_holm) == ({}, {})
    assert "nan" not in to_markdown(found)


def test_one_row_has_no_differences(compared: Compared, tmp_path: Path) -> None:
    found = compared({"only": Level()}, out=tmp_path / "out")
    assert found.rows[0].differences == {}
    assert " only " in printed(found)


def test_limit_takes_the_smaller_number(compared: Compared) -> None:
    assert len(compared({"a": Level()}, limit=5).names) == 5
    assert len(compared({"a": Level()}, limit=5, protocol=tree(limit=3)).names) == 3
    assert len(compared({"a": Level()}, limit=99).names) == COUNT


def test_best_of_is_a_row_of_its_own(compared: Compared, plugins: Plugins, folder: Path) -> None:
    found = compared({"gray": Level(), "noise": Noise()}, best_of=3, batch=5)
    gray, noise, best = found.rows
    assert [row.name for row in found.rows] == ["gray", "noise", "noise, best of 3 (chosen by the truth)"]
    assert (gray.sampling, noise.sampling, best.sampling) == ("", "one sample", f"best of 3 samples by {L1}")
    assert noise.basis == "not trained, one sample"
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    draws = []
    for draw in range(3):
        parts = list(completions(Noise(), test_set, Execution(batch=5), sample=draw))
        draws.append(torch.cat([part.sample.completed for part in parts]))
    assert not any(torch.equal(draws[a], draws[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    truth = test_set.batch(range(COUNT))
    errors = torch.stack([Error().update(Sample(truth.image, truth.mask, {"completed": draw})) for draw in draws])
    assert values(noise) == pytest.approx(errors[0].tolist())
    assert values(best) == pytest.approx(errors.min(0).values.tolist())
    brightness = torch.stack([draw.mean((1, 2, 3)) for draw in draws])[errors.argmin(0), torch.arange(COUNT)]
    defined = [index for index in range(COUNT) if index % 3 != 2]
    assert [values(best, "brightness")[index] for index in defined] == pytest.approx(brightness[defined].tolist())
    assert set(best.differences) == {L1, "brightness"}
    assert best.p_values == {}
    assert best.seconds_per_image > 0
    again = compared({"gray": Level(), "noise": Noise()}, best_of=3, batch=5)
    assert values(again.rows[2]) == values(best)


def test_best_of_needs_somebody_who_draws(compared: Compared) -> None:
    method = Level()
    with pytest.raises(RecipeError, match="none of these methods is random"):
        compared({"a": method}, best_of=4)
    with pytest.raises(RecipeError, match="at least 2"):
        compared({"a": Noise()}, best_of=1)
    assert method.batches == []
    told = "no metric says which picture is better"
    with pytest.raises(InpaintkitError, match=told):
        compared({"a": Noise()}, best_of=2, protocol=tree(metrics=["bright", "whole"]))


def test_a_failing_method_takes_no_other_down(compared: Compared, tmp_path: Path) -> None:
    found = compared(
        {"a": Level(), "b": Broken(ValueError("cannot\ndraw | this")), "c": Level(0.2), "d": Broken(OSError("no"))},
        out=tmp_path,
    )
    assert [row.name for row in found.rows] == ["a", "c"]
    assert found.complete
    assert found.failed["b"].startswith("ValueError: cannot draw | this (toys.py:")
    assert found.rows[1].differences
    assert "- b failed: ValueError: cannot draw \\| this" in (tmp_path / MARKDOWN).read_text()
    lines = list(csv.DictReader(io.StringIO((tmp_path / CSV).read_text())))
    assert {line["row"]: line["error"] for line in lines if line["error"]} == dict(found.failed)
    assert read_comparison(tmp_path).failed == found.failed


def test_without_the_first_row_there_are_no_differences(compared: Compared) -> None:
    found = compared({"a": Broken(ValueError("no")), "b": Level(), "c": Level(0.2)})
    assert [row.differences for row in found.rows] == [{}, {}]
    assert found.reference == "a"
    assert "The first row, a, failed: there are no differences." in to_markdown(found)
    printed(found)


def test_when_all_fail_so_does_the_comparison(compared: Compared, tmp_path: Path) -> None:
    with pytest.raises(InpaintkitError, match="no row could be measured: a: ValueError: no"):
        compared({"a": Broken(ValueError("no"))}, out=tmp_path)
    assert "a" in read_comparison(tmp_path).failed
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([FILE, MARKDOWN, CSV])


def test_an_interruption_loses_nothing(compared: Compared, tmp_path: Path) -> None:
    whole = compared({"a": Level(), "b": Level(0.2)})
    with pytest.raises(KeyboardInterrupt):
        compared({"a": Level(), "b": Level(0.2), "c": Broken(KeyboardInterrupt()), "d": Level()}, out=tmp_path)
    kept = read_comparison(tmp_path)
    assert (kept.complete, dict(kept.failed), [row.name for row in kept.rows]) == (
        False,
        {"c": "interrupted"},
        ["a", "b"],
    )
    assert values(kept.rows[1]) == values(whole.rows[1])
    assert "INCOMPLETE" in (tmp_path / MARKDOWN).read_text()


def test_each_row_is_on_disk_before_the_next_begins(compared: Compared, tmp_path: Path) -> None:
    seen: list[list[str]] = []

    class Looks(Level):
        def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
            if (tmp_path / FILE).is_file():
                kept = read_comparison(tmp_path)
                assert not kept.complete
                seen.append([row.name for row in kept.rows])
            return super().inpaint(masked, mask)

    compared({"a": Looks(), "b": Looks(), "c": Looks()}, out=tmp_path, batch=COUNT)
    assert seen == [["a"], ["a", "b"]]
    assert read_comparison(tmp_path).complete


def test_outputs_that_are_no_numbers_are_named(compared: Compared) -> None:
    found = compared({"odd": Odd()}, batch=COUNT)
    assert found.rows[0].non_finite == ("00.png",)
    assert "- odd: 1 image" in to_markdown(found)
