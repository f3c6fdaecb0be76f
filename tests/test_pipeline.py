"""A whole run: what it reads and builds, and that its evaluation is that of the method on the disk."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from inpaintkit import pipeline
from inpaintkit.core.config import layers
from inpaintkit.core.interfaces import Method
from inpaintkit.recipe import load_recipe
from inpaintkit.runs import Run, load
from inpaintkit.training import train

Write = Callable[..., Path]
PROTOCOL = {"masks": {"use": "center-square", "side": 6}, "metrics": ["psnr", "l1"]}


@pytest.fixture
def recipe_file(write_recipe: Write, pictures: Path, tmp_path: Path) -> Path:
    """A recipe of two stages that extends another, with a critic, an average, and two protocols in files."""
    for name in ("one", "two"):
        tree = {**PROTOCOL, "name": name, "prepare": {"crop": 16}, "seed": len(name)}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(tree))
    write_recipe({"data": {"test": str(pictures)}}, name="base")
    method = {
        "ema": 0.9,
        "critics": {"image": {"net": {"use": "dcgan", "size": 16, "width": 4}, "objective": "hinge"}},
        "stages": [
            {"name": "first", "steps": 2, "weights": {"reconstruction": 1}},
            {"name": "second", "steps": 2, "weights": {"reconstruction": 1, "image": 0.1}},
        ],
    }
    tree = {
        "extends": "base.yaml",
        "method": method,
        "evaluate": [str(tmp_path / "one.yaml"), str(tmp_path / "two.yaml")],
    }
    path = tmp_path / "counted.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def numbers(run: Run) -> dict[str, Any]:
    """Values of all metrics, picture by picture, and the names of the files, which are hashes of their pixels."""
    found = {}
    for path in sorted(run.results.glob("*/results.json")):
        results = json.loads(path.read_text())
        found[path.parent.name] = (results["metrics"], results["baseline"]["metrics"], results["pictures"])
    assert list(found) == ["one", "two"]
    return found


def test_one_run_reads_each_file_once_and_builds_the_method_twice(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[str] = Counter()
    built: list[str] = []
    read_file, construct = layers.read, Method.__init__

    def counting(path: Path, *arguments: Any) -> Any:
        read[path.name] += 1
        return read_file(path, *arguments)

    def constructed(method: Method, *arguments: Any, **options: Any) -> None:
        construct(method, *arguments, **options)
        if type(method).__name__ == "Adversarial":
            built.append(str(torch.empty(0).device))

    monkeypatch.setattr(layers, "read", counting)
    monkeypatch.setattr(Method, "__init__", constructed)
    pipeline.run(load_recipe(recipe_file), tmp_path / "run", tmp_path, show=False)
    assert read == {"counted.yaml": 1, "base.yaml": 1, "one.yaml": 1, "two.yaml": 1}
    assert built == ["meta", "cpu"]


def test_the_evaluation_after_training_is_that_of_the_checkpoint(recipe_file: Path, tmp_path: Path) -> None:
    """Bit by bit, though training ran in channels_last; also after a resumption with nothing left to train."""
    recipe = load_recipe(recipe_file)
    run = pipeline.run(recipe, tmp_path / "run", tmp_path, show=False)
    after_training = numbers(run)
    pipeline.evaluate(run.folder, device="cpu", show=False)
    assert numbers(run) == after_training
    pipeline.run(recipe, run.folder, tmp_path, resume=True, show=False)
    assert numbers(run) == after_training


def test_train_returns_the_method_as_load_does(recipe_file: Path, tmp_path: Path) -> None:
    recipe = load_recipe(recipe_file)
    run = pipeline.begin(recipe, tmp_path / "run", tmp_path, resume=False)
    method = train(recipe, run, show=False)
    loaded = load(run.folder)
    state = method.state_dict()
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(state[name], tensor)
        assert state[name].stride() == tensor.stride()
    assert not method.training
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in method.parameters())
    assert not any(optimizer.state for optimizer in method.optimizers.values())
