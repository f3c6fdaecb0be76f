"""The baselines of an evaluation: what recipes may name, what is measured, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inpaintkit.core.plugins import Plugins, load_plugins
from inpaintkit.evaluation.baselines import baseline_problems, load_baselines
from inpaintkit.evaluation.evaluator import evaluate, evaluate_run
from inpaintkit.evaluation.protocol import Protocol
from inpaintkit.evaluation.results import read_results
from inpaintkit.evaluation.testset import TestSet
from inpaintkit.recipe import load_recipe

from .toys import SIDE, Drawn, by_hand, read, tree


@pytest.fixture
def dark(tmp_path: Path) -> Path:
    """A recipe that fills with one color."""
    path = tmp_path / "dark.yaml"
    path.write_text("method: {use: drawn, level: -0.5}\n")
    return path


def test_without_sources_it_is_the_mean_color(plugins: Plugins) -> None:
    found = load_baselines((), plugins=plugins)
    assert [(row.name, row.method, row.training_seeds) for row, _ in found.loaded] == [("mean color", "mean-color", 0)]
    assert not found.missing


def test_each_is_measured_on_the_same_pictures(
    plugins: Plugins, protocol: Protocol, test_set: TestSet, folder: Path, dark: Path
) -> None:
    results = evaluate(
        Drawn(0.1), protocol, folder, name="ours", baselines=[str(dark), "classical/mean_color"], plugins=plugins
    )
    assert [row.name for row in results.baselines] == ["dark", "classical/mean_color"]
    first, second = results.baselines
    assert first.metrics["psnr[hole,toy]"].per_image == pytest.approx(by_hand(test_set, folder, 64), abs=1e-3)
    (alone,) = evaluate(Drawn(0.1), protocol, folder, plugins=plugins).baselines
    assert second.metrics["psnr[hole,toy]"] == alone.metrics["psnr[hole,toy]"]
    ours, theirs = (np.array(row.metrics["psnr[hole,toy]"].per_image) for row in (results.row, first))
    assert results.differences(first)["psnr[hole,toy]"].mean == pytest.approx((ours - theirs).mean())


def test_one_that_is_missing_is_named_and_the_evaluation_goes_on(
    plugins: Plugins, folder: Path, tmp_path: Path, dark: Path
) -> None:
    foreign, trained = tmp_path / "foreign.yaml", tmp_path / "trained.yaml"
    foreign.write_text("requires: [nowhere]\nmethod: drawn\n")
    trained.write_text("method: trained\n")
    run = tmp_path / "run"
    run.mkdir()
    named = [str(foreign), str(trained), str(dark), "classical/harmonc"]
    (run / "recipe.yaml").write_text(
        f"method: {{use: drawn, level: 0.1}}\nbaselines: {named}\nevaluate: [{tree()}]\n"
        f"data: {{train: {folder}, test: {folder}, batch: 2, size: {SIDE}}}\n"
    )
    (results,) = evaluate_run(run, plugins=plugins)
    assert [row.name for row in results.baselines] == ["dark"]
    assert list(results.missing) == [named[0], named[1], named[3]]
    assert "plugin 'nowhere' is not installed" in results.missing[named[0]]
    assert "is the recipe of a method that is trained" in results.missing[named[1]]
    assert "did you mean 'classical/harmonic'?" in results.missing[named[3]]
    kept = read_results(run / "results" / "toy")
    assert kept.missing == results.missing
    assert kept.columns() == ["masked", "output", "completed by run", "dark", "truth"]
    shown = read(run / "results" / "toy" / kept.pictures[0].file)
    assert shown.shape[1] == 5 * SIDE + 4
    problems = baseline_problems(load_recipe(run / "recipe.yaml", plugins=plugins), plugins)
    assert [problem.path for problem in problems] == [("baselines", 0), ("baselines", 1), ("baselines", 3)]
    (other,) = evaluate_run(run, baselines=["classical/mean_color"], plugins=plugins)
    assert [row.name for row in other.baselines] == ["classical/mean_color"]


def test_one_that_is_given_twice_is_a_problem(dark: Path, tmp_path: Path, plugins: Plugins) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text(f"method: drawn\nbaselines: [{dark}, {dark}]\n")
    (problem,) = baseline_problems(load_recipe(path, plugins=plugins), plugins)
    assert str(problem) == f"baselines[1]: {dark} is given twice"


def test_a_recipe_with_weights_may_be_one() -> None:
    found = load_baselines(["photo"], plugins=load_plugins())
    ((row, _),) = found.loaded
    assert (row.name, row.training_seeds) == ("photo", None)
