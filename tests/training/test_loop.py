"""The training loop in one process: what it writes, how it starts and resumes, what stops it."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from toy_runs import Listener, observed, plain, run_of, same, steps_of, trained, weights

from inpaintkit.core.errors import CheckpointError, Interrupted, NonFiniteError
from inpaintkit.core.plugins import Plugins
from inpaintkit.recipe import load_recipe
from inpaintkit.runs import checkpoint
from inpaintkit.runs.folder import Run
from inpaintkit.training.loop import train

Write = Callable[..., Path]


def test_a_run_and_all_that_it_writes(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    stages = [
        {"name": "first", "steps": 3, "weights": {"reconstruction": 1}, "lr": 1e-3},
        {"name": "second", "steps": 4, "weights": {"reconstruction": 1, "image": {"match": "reconstruction"}}},
    ]
    critics = {"image": {"net": {"use": "dcgan", "size": 16, "width": 4}, "objective": "least-squares"}}
    changes = plain(method={"generator": {"use": "plain", "width": None}, "stages": stages, "critics": critics})
    changes |= {"validate": {"every": 3}, "run": {"sample_every": 4}}
    recipe = load_recipe(write_recipe(changes), plugins=plugins)
    listener = Listener()
    recipe = observed(recipe, listener)
    run = trained(recipe, tmp_path / "run", plugins)

    lines = run.log()
    assert [line["step"] for line in lines] == [2, 3, 4, 6, 6, 7, 7]
    reports = [line for line in lines if "stage" in line]
    assert [line["step"] for line in reports] == [2, 4, 6, 7]
    assert [line["stage"] for line in reports] == ["first", "second", "second", "second"]
    assert all(line["images_per_s"] > 0 and line["generator/reconstruction"] > 0 for line in reports)
    assert [line["seconds"] for line in reports] == sorted(line["seconds"] for line in reports)
    assert reports[0]["lr/generator"] == 1e-3
    assert "critic/image/loss" not in reports[0]
    assert {"critic/image/loss", "generator/image", "weight/image", "lr/critic/image"} <= set(reports[-1])
    validations = [line for line in lines if "stage" not in line]
    assert [line["step"] for line in validations] == [3, 6, 7]
    assert all(sum(key.startswith("validation/psnr") for key in line) == 1 for line in validations)
    heard = [(step, {**values, **words}) for _, step, values, words in listener.heard[1:-1]]
    assert heard == [(line.pop("step"), line) for line in run.log()]
    assert [call[3] for call in listener.heard[1:3]] == [{"stage": "first"}, {}]
    assert listener.heard[-1] == ("ended", "finished")

    sheets = sorted(run.samples.iterdir())
    assert [sheet.name for sheet in sheets] == ["step-00000004.png", "step-00000007.png"]
    with Image.open(sheets[0]) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 4 * 90  # masked, output, completed, truth
        assert len(set(sheet.convert("L").tobytes())) > 20
    assert sheets[0].read_bytes() != sheets[1].read_bytes()

    assert steps_of(run) == [6, 7]
    state = checkpoint.read_state(run.checkpoints / "step-00000007")
    assert (state["step"], state["seed"]) == (7, 3)
    assert state["seconds"] > 0
    environment = json.loads((run.folder / "environment.json").read_text())
    assert environment["packages"]["torch"] == torch.__version__.split("+")[0] or torch.__version__
    assert environment["plugins"]["perceptual-fcn"]
    assert run.recipe(plugins).tree == recipe.tree
    assert not list(run.folder.rglob("*.part"))


def test_the_log_holds_means(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    paths = [write_recipe(plain(run={"log_every": every}), name=f"every{every}") for every in (1, 2)]
    every, pairs = (trained(load_recipe(path, plugins=plugins), tmp_path / path.stem, plugins) for path in paths)
    single = [line["generator/reconstruction"] for line in every.log() if "stage" in line]
    means = [line["generator/reconstruction"] for line in pairs.log() if "stage" in line]
    assert means == pytest.approx([(a + b) / 2 for a, b in zip(single[::2], single[1::2], strict=True)])


def test_only_seed_and_recipe_decide(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    """How often is logged, sampled, validated or written changes nothing in the weights; another seed does."""
    quiet = load_recipe(write_recipe(plain(), name="quiet"), plugins=plugins)
    busy = load_recipe(
        write_recipe(
            plain(run={"log_every": 1, "sample_every": 1, "checkpoint_every": 1}, validate={"every": 1}), name="busy"
        ),
        plugins=plugins,
    )
    other = load_recipe(write_recipe(plain(seed=4), name="other"), plugins=plugins)
    made = [weights(trained(recipe, tmp_path / recipe.name, plugins), 6) for recipe in (quiet, busy, other)]
    assert same(made[0], made[1])
    assert not same(made[0], made[2])


# -- starting, resuming -----------------------------------------------------------------------------------------------


def test_resume_takes_over_weights_log_and_time(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    recipe = load_recipe(write_recipe(plain(steps=6)), plugins=plugins)
    whole = trained(recipe, tmp_path / "whole", plugins)
    run = trained(recipe, tmp_path / "again", plugins)
    for path in checkpoint.checkpoints(run.checkpoints)[1:]:  # as if it had died after step 4, lines written
        checkpoint.shutil.rmtree(path)
    assert steps_of(run) == [4]
    before = checkpoint.read_state(run.checkpoints / "step-00000004")["seconds"]
    with open(run.log_file, "a") as file:
        file.write('{"step": 5, "half')
    (run.checkpoints / ".step-00000006.1.part").mkdir()
    trained(recipe, run.folder, plugins, resume=True)
    assert same(weights(run, 6), weights(whole, 6))
    for key in ("step", "stage", "generator/reconstruction"):
        assert [line.get(key) for line in run.log()] == [line.get(key) for line in whole.log()]
    assert run.log()[-2]["seconds"] > before
    assert not list(run.folder.rglob("*.part"))


def test_beginning_again_forgets_the_log(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    """Killed before the first checkpoint: what its log said is said again."""
    recipe = load_recipe(write_recipe(plain()), plugins=plugins)
    run = run_of(recipe, tmp_path / "run")
    run.log_file.write_text('{"step": 1, "stage": "only"}\n{"step"')
    train(recipe, run, show=False, plugins=plugins)
    assert [line["step"] for line in run.log()] == [2, 4, 6, 6]


def test_a_finished_run_has_nothing_left_to_train(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    recipe = load_recipe(write_recipe(plain()), plugins=plugins)
    run = trained(recipe, tmp_path / "run", plugins)
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    trained(recipe, run.folder, plugins, resume=True)
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before


def test_other_pictures_are_not_resumed(write_recipe: Write, tmp_path: Path, plugins: Plugins, pictures: Path) -> None:
    copied = tmp_path / "pictures"
    checkpoint.shutil.copytree(pictures, copied)
    recipe = load_recipe(write_recipe(plain(data={"train": str(copied)})), plugins=plugins)
    run = trained(recipe, tmp_path / "run", plugins)
    Image.new("RGB", (20, 20), "red").save(copied / "wave-00.png")
    with pytest.raises(CheckpointError, match="not the training pictures that the run began with"):
        trained(recipe, run.folder, plugins, resume=True)


@pytest.mark.parametrize("quietly", [False, True], ids=["loss", "gradient"])
def test_nan_is_named_and_the_last_good_checkpoint_stays(
    write_recipe: Write, tmp_path: Path, plugins: Plugins, quietly: bool
) -> None:
    """In step 6 of 9; a gradient that is NaN under a finite loss shows in the weights, before they are kept."""
    losses = {"bad": {"use": "breaking", "at": 5, "quietly": quietly}}
    stages = [{"name": "only", "steps": 9, "weights": {"reconstruction": 1, "bad": 1}}]
    recipe = load_recipe(
        write_recipe(plain(method={"generator": {"use": "plain", "width": None}, "losses": losses, "stages": stages})),
        plugins=plugins,
    )
    with pytest.raises(NonFiniteError) as caught:
        trained(recipe, tmp_path / "run", plugins)
    run = Run(tmp_path / "run")
    gradient = "weights became NaN or infinite by step 6: generator.layer.weight"
    assert (gradient if quietly else "generator/bad became NaN or infinite in step 6") in str(caught.value)
    assert steps_of(run) == [2, 4]
    assert all(torch.isfinite(value).all() for value in weights(run, 4).values())
    assert all(math.isfinite(value) for line in run.log() for value in line.values() if isinstance(value, float))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_after_a_step_with_a_checkpoint(
    write_recipe: Write, tmp_path: Path, plugins: Plugins, number: signal.Signals
) -> None:
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    recipes = []
    for name, at in (("stopped", 2), ("straight", 10**6)):
        losses = {"reconstruction": {"use": "stopping", "region": None, "at": at, "number": int(number)}}
        changes = plain(run={"checkpoint_every": 100, "log_every": 100})
        changes["method"]["losses"] = losses
        recipes.append(load_recipe(write_recipe(changes, name=name), plugins=plugins))
    with pytest.raises(Interrupted, match="stopped after step 3 of 6; the checkpoint is written") as caught:
        trained(recipes[0], tmp_path / "stopped", plugins)
    assert caught.value.exit_code == 128 + number
    run = Run(tmp_path / "stopped")
    assert steps_of(run) == [3]
    assert [line["step"] for line in run.log()] == [3]
    trained(recipes[1], run.folder, plugins, resume=True)
    assert same(weights(run, 6), weights(trained(recipes[1], tmp_path / "straight", plugins), 6))
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers


@pytest.mark.parametrize("options", [{"precision": "bfloat16"}, {"channels_last": False}, {"channels_last": True}])
def test_ways_to_compute(write_recipe: Write, tmp_path: Path, plugins: Plugins, options: dict[str, Any]) -> None:
    """Each learns, in float32 weights, about the same as the default."""
    critics = {"image": {"net": {"use": "dcgan", "size": 16, "width": 4}, "objective": "hinge"}}
    weighed = {"reconstruction": 1, "image": {"match": "reconstruction", "scale": 0.1}}
    method = {"critics": critics, "stages": [{"name": "s", "steps": 3, "weights": weighed}], "ema": 0.9}
    paths = [
        write_recipe({"method": method, "run": changes}, name=name)
        for name, changes in (("default", {}), ("other", options))
    ]
    runs = [trained(load_recipe(path, plugins=plugins), tmp_path / path.stem, plugins) for path in paths]
    one, other = (weights(run, 3) for run in runs)
    assert all(value.dtype == torch.float32 for value in other.values() if value.is_floating_point())
    assert same(one, other) == (options == {"channels_last": True})  # the default on the CPU
    losses = [[line["generator/reconstruction"] for line in run.log() if "stage" in line] for run in runs]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    yield
    torch.set_num_threads(1)
