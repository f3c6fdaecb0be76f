"""Evaluations of methods and runs, against brute force on small pictures."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from toy_methods import Trained

from inpaintkit import DataError, InpaintkitError, RecipeError, Sample, hookimpl
from inpaintkit.components.mean_color import MeanColor
from inpaintkit.core.plugins import Plugins, load_plugins
from inpaintkit.evaluation.evaluator import evaluate, evaluate_protocols, evaluate_run
from inpaintkit.evaluation.protocol import Protocol, load_protocol
from inpaintkit.evaluation.results import Row, read_results
from inpaintkit.evaluation.statistics import bootstrap
from inpaintkit.evaluation.testset import TestSet
from inpaintkit.runs import checkpoint
from inpaintkit.runtime import Execution

from .toys import COUNT, PSNR, SIDE, Brings, Drawn, by_hand, read, tree


def test_values_agree_with_brute_force_whatever_the_batch(
    plugins: Plugins, protocol: Protocol, test_set: TestSet, folder: Path
) -> None:
    # 0.003 lies between two levels: (1.003) * 127.5 = 127.88, which is 128 when rounded
    found = [
        evaluate(Drawn(0.003), protocol, folder, execution=Execution(batch=batch), plugins=plugins)
        for batch in (1, 7, 32)
    ]
    for results in found:
        measure = results.row.metrics["psnr[hole,toy]"]
        assert measure.per_image == pytest.approx(by_hand(test_set, folder, 128), abs=1e-4)
        assert measure.interval == bootstrap(measure.per_image or ())
        assert results.row.metrics["count[set]"].interval.mean == COUNT
        assert results.row.metrics["count[set]"].per_image is None
        assert results.hash == test_set.hash
        assert results.ranked_by == "psnr[hole,toy]"
        assert results.row.training_seeds is None  # nobody said how it came about
        assert results.baselines[0].training_seeds == 0


def test_the_baseline_fills_with_the_mean_of_the_known_pixels(
    plugins: Plugins, protocol: Protocol, test_set: TestSet, folder: Path
) -> None:
    results = evaluate(Drawn(), protocol, folder, plugins=plugins)
    values = []
    for index in range(COUNT):
        truth = read(folder / f"{index:02d}.png").astype(float)
        hole = test_set.mask(index)[0, 0].numpy().astype(bool)
        values.append(10 * np.log10(255**2 / ((truth[hole] - truth[~hole].mean(0).round()) ** 2).mean()))
    assert results.baselines[0].metrics["psnr[hole,toy]"].per_image == pytest.approx(values, abs=0.05)
    difference = results.differences(results.baselines[0])
    assert set(difference) == {"psnr[hole,toy]"}  # the set's own measure has no pairs
    ours = np.array(results.row.metrics["psnr[hole,toy]"].per_image)
    assert difference["psnr[hole,toy]"].mean == pytest.approx(float((ours - values).mean()), abs=0.05)
    everything = torch.ones(2, 1, 8, 8)
    assert torch.equal(MeanColor().inpaint(torch.zeros(2, 3, 8, 8), everything), torch.zeros(2, 3, 8, 8))


def test_a_metric_that_is_never_defined_does_not_end_the_evaluation(folder: Path) -> None:
    class Undefined(PSNR):
        label = "undefined"

        def update(self, sample: Sample) -> Tensor:
            return torch.full((len(sample.image),), math.nan)

    class Also(Brings):
        @hookimpl
        def register_metrics(self, register: Any) -> None:
            register("undefined", Undefined)

    found = load_plugins([])
    found.add("also", Also())
    results = evaluate(Drawn(), load_protocol(tree(metrics=["undefined"]), found), folder, plugins=found)
    assert results.row.metrics["undefined"].interval.n == 0
    assert math.isnan(results.row.metrics["undefined"].interval.mean)
    assert results.differences(results.baselines[0]) == {}


def test_a_distance_between_sets_is_refused_before_the_work(plugins: Plugins, folder: Path) -> None:
    metrics = [{"use": "fid", "backbone": "squeezenet1_0", "layer": "fire2", "pretrained": "random", "size": 32}]
    method = Drawn()
    with pytest.raises(InpaintkitError, match="2,000 images, not 17"):
        evaluate(method, load_protocol(tree(metrics=metrics), plugins), folder, plugins=plugins)
    assert method.shapes == []


def test_a_torchmetrics_metric_serves_as_it_is(plugins: Plugins, folder: Path) -> None:
    results = evaluate(Drawn(), load_protocol(tree(metrics=["foreign", "toy-psnr"]), plugins), folder, plugins=plugins)
    measure = results.row.metrics["peak-signal-noise-ratio[0..1]"]
    assert measure.per_image is None
    assert measure.higher_is_better
    assert 15 < measure.interval.mean < 60
    assert results.ranked_by == "psnr[hole,toy]"  # the first with a value per image


def make_run(folder: Path, test: Path | None, method: str = "{use: drawn, level: 0.1}", **changes: Any) -> Path:
    folder.mkdir()
    recipe: dict[str, Any] = {"method": method, "evaluate": json.dumps([tree(**changes)])}
    if test is not None:
        recipe["data"] = json.dumps({"train": str(test), "test": str(test), "batch": 2, "size": SIDE})
    (folder / "recipe.yaml").write_text("".join(f"{key}: {value}\n" for key, value in recipe.items()))
    return folder


def test_a_run_is_measured_and_its_pictures_kept(plugins: Plugins, folder: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "myrun", folder)
    (results,) = evaluate_run(run, plugins=plugins)
    assert repr(read_results(run / "results" / "toy").row) == repr(results.row)  # NaN is not equal to itself
    assert (results.row.name, results.row.method, results.row.training_seeds) == ("myrun", "drawn", 0)
    measured = results.row.metrics["psnr[hole,toy]"].per_image or ()
    order = sorted(range(COUNT), key=measured.__getitem__)
    assert [picture.rank for picture in results.pictures] == ["best", "median", *(f"worst {n}" for n in range(1, 13))]
    assert [picture.index for picture in results.pictures] == [order[-1], order[COUNT // 2], *order[:12]]
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    for picture in results.pictures:
        assert (picture.name, picture.value) == (f"{picture.index:02d}.png", measured[picture.index])
        tiles = read(run / "results" / "toy" / picture.file)
        hole, truth = test_set.mask(picture.index)[0, 0].numpy().astype(bool), tiles[:, -SIDE:, :3]
        masked, output, completed = (tiles[:, (SIDE + 1) * at : (SIDE + 1) * at + SIDE, :3] for at in range(3))
        assert np.array_equal(truth, read(folder / picture.name))
        assert (output == 140).all()  # round(1.1 * 127.5)
        assert np.array_equal(completed, np.where(hole[..., None], output, truth))
        assert np.array_equal(masked[~hole], truth[~hole])
        assert len(np.unique(masked[hole])) == 1
        assert (tiles[:, SIDE, 3] == 0).all()  # the gap


def test_a_trained_run_is_measured_at_its_newest_checkpoint(plugins: Plugins, folder: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", folder, "{use: trained}")
    for step, level in ((2, -0.5), (5, 0.5)):
        checkpoint.save(run / "checkpoints", step, Trained(level), {"seconds": 10.0 * step})
    (results,) = evaluate_run(run, plugins=plugins)
    assert (results.row.steps, results.row.training_seconds, results.row.training_seeds) == (5, 50.0, 1)
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    assert results.row.metrics["psnr[hole,toy]"].per_image == pytest.approx(by_hand(test_set, folder, 191), abs=1e-3)


def test_other_protocols_and_pictures_can_be_asked_for(plugins: Plugins, folder: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for index in (1, 2, 3):
        shutil.copy(folder / f"{index:02d}.png", few)
    run = make_run(tmp_path / "run", folder)
    found = evaluate_run(run, [tree(name="a"), tree(name="b", seed=3)], few, plugins=plugins)
    assert [(results.name, results.names) for results in found] == [(n, ("01.png", "02.png", "03.png")) for n in "ab"]
    assert found[0].hash != found[1].hash
    assert [picture.rank for picture in found[0].pictures] == ["best", "median", "worst 1", "worst 2", "worst 3"]


def test_damaged_runs_and_missing_pictures_are_said_plainly(plugins: Plugins, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InpaintkitError, match="is no run"):
        evaluate_run(tmp_path / "nowhere", plugins=plugins)
    without = make_run(tmp_path / "without", None)
    with pytest.raises(DataError, match="names no pictures"):
        evaluate_run(without, plugins=plugins)
    gone = make_run(tmp_path / "gone", tmp_path / "gone-pictures")
    with pytest.raises(DataError, match="gone-pictures"):
        evaluate_run(gone, plugins=plugins)
    untrained = make_run(tmp_path / "untrained", folder, "{use: trained}")
    with pytest.raises(InpaintkitError, match="no usable checkpoint"):
        evaluate_run(untrained, plugins=plugins)
    silent = make_run(tmp_path / "silent", folder)
    (silent / "recipe.yaml").write_text("method: drawn\n")
    with pytest.raises(InpaintkitError, match="which protocol"):
        evaluate_run(silent, plugins=plugins)
    with pytest.raises(RecipeError, match="faces_center_64"):
        evaluate_run(silent, ["faces_center_46"], plugins=plugins)
    (silent / "recipe.yaml").write_text("method: [\n")
    with pytest.raises(RecipeError, match=r"recipe\.yaml:"):
        evaluate_run(silent, plugins=plugins)
    assert not (untrained / "results").exists()


def test_a_method_in_memory_is_evaluated_under_protocols_that_are_open(
    test_set: TestSet, plugins: Plugins, folder: Path, tmp_path: Path
) -> None:
    other = TestSet.open(load_protocol(tree(name="other", seed=3), plugins), folder)
    row = Row("ours", "drawn", seed=7, steps=5, training_seeds=1)
    found = list(evaluate_protocols(Drawn(0.1), [test_set, other], row, tmp_path, Execution(), plugins))
    assert [results.name for results in found] == ["toy", "other"]
    for results, opened in zip(found, (test_set, other), strict=True):
        kept = read_results(tmp_path / results.name)
        assert repr(kept.row) == repr(results.row)
        assert (kept.row.name, kept.row.seed, kept.row.steps, kept.hash) == ("ours", 7, 5, opened.hash)
        assert results.row.metrics["psnr[hole,toy]"].per_image == pytest.approx(by_hand(opened, folder, 140), abs=1e-4)
        assert len(list((tmp_path / results.name).glob("*.png"))) == 14
