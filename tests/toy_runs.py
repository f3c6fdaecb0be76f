"""A generator, losses and recipes that train in a moment, for tests of whole runs."""

from __future__ import annotations

import math
import os
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from inpaintkit import hookimpl
from inpaintkit.core.interfaces import Generator, Loss, Observer, Sample
from inpaintkit.core.plugins import Plugins, load_plugins
from inpaintkit.pipeline import begin
from inpaintkit.recipe import Recipe
from inpaintkit.runs import checkpoint
from inpaintkit.runs.folder import Run
from inpaintkit.training.loop import train

Write = Callable[..., Path]


class Plain(Generator):
    """One convolution: fast, and no batch norm."""

    def __init__(self, bias: float = 0.0) -> None:
        super().__init__()
        self.layer = nn.Conv2d(4, 3, 3, padding=1)
        nn.init.constant_(self.layer.bias, bias)  # type: ignore[arg-type]

    def forward(self, masked: Tensor, mask: Tensor) -> Tensor:
        return self.layer(torch.cat([masked, mask], 1))  # type: ignore[no-any-return]


class Breaking(Loss):
    """L2 that becomes NaN in the call ``at``; with ``quietly`` its value stays finite and only its gradient is NaN."""

    def __init__(self, at: int, quietly: bool = False) -> None:
        super().__init__()
        self.at, self.quietly, self.calls = at, quietly, 0

    def forward(self, sample: Sample) -> Tensor:
        value = (sample.output - sample.image).square().mean()
        self.calls += 1
        if self.calls - 1 == self.at and not value.is_meta:
            return value + (value - value.detach()).sqrt() if self.quietly else value * math.nan
        return value


class Stopping(Loss):
    """Sends this process a signal in the call ``at``."""

    def __init__(self, at: int, number: int) -> None:
        super().__init__()
        self.at, self.number, self.calls = at, number, 0

    def forward(self, sample: Sample) -> Tensor:
        if self.calls == self.at and not sample.image.is_meta:
            os.kill(os.getpid(), self.number)
        self.calls += 1
        return (sample.output - sample.image).square().mean()


@hookimpl
def register_generators(register: Any) -> None:
    register("plain", Plain)


@hookimpl
def register_losses(register: Any) -> None:
    register("breaking", Breaking)
    register("stopping", Stopping)


def toy_plugins() -> Plugins:
    """What is installed, and the classes of this module."""
    found = load_plugins()
    module = types.ModuleType("toy")
    module.__dict__.update(inpaintkit_api=1, register_generators=register_generators, register_losses=register_losses)
    assert not found.add("toy", module).error
    return found


def plain(steps: int = 6, **changes: Any) -> dict[str, Any]:
    """The small recipe with the plain generator and so many steps; ``changes`` by top-level key."""
    tree: dict[str, Any] = {
        "method": {
            "generator": {"use": "plain", "width": None},
            "stages": [{"name": "only", "steps": steps, "weights": {"reconstruction": 1}}],
        }
    }
    for key, value in changes.items():
        tree[key] = {**tree.get(key, {}), **value} if isinstance(value, dict) else value
    return tree


def run_of(recipe: Recipe, folder: Path) -> Run:
    return begin(recipe, folder, folder.parent, resume=False)


def trained(recipe: Recipe, folder: Path, plugins: Plugins, resume: bool = False) -> Run:
    run = begin(recipe, folder, folder.parent, resume=False) if not resume else Run(folder)
    train(recipe, run, resume=resume, show=False, plugins=plugins)
    return run


def weights(run: Run, step: int) -> dict[str, Tensor]:
    return checkpoint.read_tensors(run.checkpoints / f"step-{step:08d}" / checkpoint.METHOD)


def steps_of(run: Run) -> list[int]:
    return [int(path.name[5:]) for path in checkpoint.checkpoints(run.checkpoints)]


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Listener(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def started(self, run_folder: Path, recipe: Mapping[str, Any]) -> None:
        self.heard.append(("started", run_folder, recipe))

    def logged(self, step: int, values: Mapping[str, float], words: Mapping[str, str]) -> None:
        self.heard.append(("logged", step, dict(values), dict(words)))

    def ended(self, reason: str) -> None:
        self.heard.append(("ended", reason))


def observed(recipe: Recipe, *observers: Observer) -> Recipe:
    return attrs.evolve(recipe, run=attrs.evolve(recipe.run, observers=observers))
