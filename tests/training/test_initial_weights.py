"""A run that starts from the weights of another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_runs import plain, run_of, same, steps_of, trained, weights

from inpaintkit.core.errors import CheckpointError
from inpaintkit.core.plugins import Plugins
from inpaintkit.recipe import load_recipe
from inpaintkit.runs import checkpoint
from inpaintkit.runs.folder import Run
from inpaintkit.training.loop import Training, train

Write = Callable[..., Path]


def test_init_from_takes_weights_only(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    first = trained(load_recipe(write_recipe(plain(), name="first"), plugins=plugins), tmp_path / "first", plugins)
    chosen = first.checkpoints / "step-00000004"
    for number, source in enumerate((first.folder, chosen, chosen / checkpoint.METHOD)):
        recipe = load_recipe(write_recipe(plain(seed=9, init_from=str(source)), name=f"next{number}"), plugins=plugins)
        run = run_of(recipe, tmp_path / f"next{number}")
        training = Training(recipe, run, torch.device("cpu"), plugins, show=False)
        training.initialize()
        expected = weights(first, 6 if number == 0 else 4)
        assert same(checkpoint.contiguous(training.method.state_dict()), expected)
        assert training.step == 0
        assert not any(optimizer.state for optimizer in training.method.optimizers.values())
    train(recipe, run, show=False, plugins=plugins)
    assert steps_of(run) == [4, 6]
    assert not same(weights(run, 6), weights(first, 6))


def test_init_from_a_misfit_names_the_keys(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    first = trained(load_recipe(write_recipe(plain(), name="first"), plugins=plugins), tmp_path / "first", plugins)
    recipe = load_recipe(write_recipe({"init_from": str(first.folder)}, name="wide"), plugins=plugins)
    with pytest.raises(CheckpointError, match=r"(?s)missing in the file: generator\.e0.*only in the file: generator"):
        trained(recipe, tmp_path / "wide", plugins)
    recipe = load_recipe(write_recipe(plain(init_from=str(tmp_path / "nowhere")), name="none"), plugins=plugins)
    with pytest.raises(CheckpointError, match=r"no run or checkpoint is '.*nowhere'"):
        trained(recipe, tmp_path / "none", plugins)


def test_init_from_a_run_with_fewer_parts(
    write_recipe: Write, tmp_path: Path, plugins: Plugins, capsys: pytest.CaptureFixture[str]
) -> None:
    """A critic that the first run had not begins fresh, the average at the generator, and balances at nothing."""
    first = trained(load_recipe(write_recipe(plain(), name="first"), plugins=plugins), tmp_path / "first", plugins)
    critics = {"image": {"net": {"use": "dcgan", "size": 16, "width": 4}, "objective": "hinge"}}

    def after(source: Path, stage: str, **options: Any) -> Training:
        weighed = {"reconstruction": 1, "image": {"match": "reconstruction", "hold": 2}}
        method = {
            "generator": {"use": "plain", "width": None},
            "critics": critics,
            "stages": [{"name": stage, "steps": 3, "weights": weighed}],
            **options,
        }
        recipe = load_recipe(write_recipe(plain(method=method, init_from=str(source)), name=stage), plugins=plugins)
        run = run_of(recipe, tmp_path / stage)
        training = Training(recipe, run, torch.device("cpu"), plugins, show=True)
        training.initialize()
        return training

    second = after(first.folder, "second", ema=0.5)
    state, saved = checkpoint.contiguous(second.method.state_dict()), weights(first, 6)
    for name, value in saved.items():
        assert torch.equal(state[name], value)
        assert torch.equal(state[name.replace("generator", "averaged")], value)
    assert "holds no critics.image: fresh weights there" in capsys.readouterr().err
    second.loop(lambda: 0)
    third = after(tmp_path / "second", "third")  # other stages, so other balances; no average
    state, saved = checkpoint.contiguous(third.method.state_dict()), weights(Run(tmp_path / "second"), 3)
    assert all(torch.equal(state[name], saved[name]) for name in state if not name.startswith("weigher"))
    assert state["weigher.third/image"].tolist() == [0, 0]
    assert "fresh" not in capsys.readouterr().err
