"""Folders of runs, and the methods that are loaded from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from toy_runs import plain, trained, weights

from inpaintkit.core.errors import CheckpointError, InpaintkitError
from inpaintkit.core.interfaces import Batch
from inpaintkit.core.plugins import Plugins
from inpaintkit.pipeline import begin
from inpaintkit.recipe import load_recipe
from inpaintkit.runs.folder import Run, initial_weights, latest_run, load, new_run, open_run
from inpaintkit.training.loop import Training

Write = Callable[..., Path]


def test_initial_weights_of_a_file_and_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").touch()
    assert initial_weights(tmp_path / "w.safetensors") == tmp_path / "w.safetensors"
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        initial_weights(tmp_path)


def test_folders_are_numbered(write_recipe: Write, tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe())
    root = tmp_path / "runs"
    made = [begin(recipe, None, root, resume=False).folder.name for _ in range(3)]
    assert made == ["small", "small-2", "small-3"]
    (root / "small-large").mkdir()
    (root / "small-10").mkdir()
    assert latest_run(root, "small").folder.name == "small-3"  # small-10 holds no recipe
    assert begin(recipe, None, root, resume=True).folder.name == "small-3"
    assert new_run(root, "small").folder.name == "small-4"
    with pytest.raises(InpaintkitError, match="holds no run named other"):
        latest_run(root, "other")


def test_load_gives_the_average_without_what_only_training_needs(
    write_recipe: Write, tmp_path: Path, plugins: Plugins
) -> None:
    critics = {"image": {"net": {"use": "dcgan", "size": 16, "width": 4}, "objective": "hinge"}}
    weighed = {"reconstruction": 1, "image": {"match": "reconstruction", "hold": 2}}
    stages = [{"name": "s", "steps": 4, "weights": weighed}]
    changes = {"method": {"critics": critics, "stages": stages, "ema": 0.5}}
    recipe = load_recipe(write_recipe(changes), plugins=plugins)
    run = trained(recipe, tmp_path / "run", plugins)
    made: Any
    made, trained_by = open_run(run.folder, plugins=plugins)
    assert trained_by is not None
    assert trained_by.data == recipe.data
    assert not made.training
    assert not any(parameter.requires_grad for parameter in made.parameters())
    assert len(made.critics) == len(made.losses) == 0
    saved = weights(run, 4)
    for name, value in made.averaged.state_dict().items():
        assert torch.equal(value, saved[f"averaged.{name}"])
    given = Batch(torch.rand(1, 3, 16, 16) * 2 - 1, torch.zeros(1, 1, 16, 16))
    given.mask[..., 4:8, 4:8] = 1
    drawn = made.inpaint(given.masked, given.mask)
    assert torch.equal(drawn, made.averaged(given.masked, given.mask))
    older: Any = load(run.checkpoints / "step-00000002", plugins=plugins)
    assert not torch.equal(older.averaged.out.weight, made.averaged.out.weight)


def test_load_of_what_was_never_trained(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    path = write_recipe(plain())
    with pytest.raises(InpaintkitError, match="is the recipe of a method that is trained: run it first"):
        load(path, plugins=plugins)
    run = begin(load_recipe(path, plugins=plugins), tmp_path / "run", tmp_path, resume=False)
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        load(run.folder, plugins=plugins)
    with pytest.raises(InpaintkitError, match="is no run"):
        load(tmp_path, plugins=plugins)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    yield
    torch.set_num_threads(1)


def test_a_recipe_with_weights_serves_like_a_run(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    """They are loaded in float32 from half precision, and start a training that names the recipe in ``init_from``."""
    run = trained(load_recipe(write_recipe(plain()), plugins=plugins), tmp_path / "run", plugins)
    made: Any = load(run.folder, plugins=plugins)
    half = {f"generator.{key}": value.half() for key, value in made.generator.state_dict().items()}
    save_file(half, tmp_path / "published.safetensors")
    published = write_recipe(plain() | {"weights": str(tmp_path / "published.safetensors")}, name="published")
    again, trained_by = open_run(published, plugins=plugins)
    assert trained_by is not None
    for key, value in again.generator.state_dict().items():  # type: ignore[union-attr,operator]
        assert value.dtype == torch.float32
        assert torch.equal(value, half[f"generator.{key}"].float())
    assert initial_weights(published, plugins) == tmp_path / "published.safetensors"
    assert initial_weights(run.folder, plugins) == run.checkpoints / "step-00000006"
    start = load_recipe(write_recipe(plain() | {"init_from": str(published)}), plugins=plugins)
    training = Training(start, Run(tmp_path / "next"), torch.device("cpu"), plugins, show=False)
    training.initialize()
    assert torch.equal(training.method.generator.layer.weight, half["generator.layer.weight"].float())  # type: ignore[union-attr]


def test_weights_that_are_not_there(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    for value, message in (
        (str(tmp_path / "no.safetensors"), "the weights of recipe 'small' are one file, not .*no.safetensors"),
        ({"package": "skimage", "files": ["data/no.bin"]}, "package 'skimage' has no file data/no.bin"),
        ({"package": "nowhere", "files": ["x"]}, "package 'nowhere' holds the files, but cannot be imported"),
    ):
        with pytest.raises(CheckpointError, match=message):
            load(write_recipe(plain() | {"weights": value}), plugins=plugins)
    with pytest.raises(CheckpointError, match="comes without weights: run it, and name its run"):
        initial_weights(write_recipe(plain()), plugins)
    with pytest.raises(CheckpointError, match="no run or checkpoint is 'nowhere', and no recipe"):
        initial_weights(Path("nowhere"), plugins)
