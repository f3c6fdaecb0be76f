"""One step of every stage on the meta device: what does not fit is located, without data."""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inpaintkit import hookimpl
from inpaintkit.core.errors import RecipeError
from inpaintkit.core.interfaces import Generator, Loss, Sample
from inpaintkit.core.plugins import Plugins, load_plugins
from inpaintkit.pipeline import check as check_steps
from inpaintkit.recipe import load_recipe

Write = Callable[..., Path]

CRITIC = {"net": {"use": "dcgan", "size": 16, "width": 4}, "objective": "hinge"}
NO_DATA = {"data": {"train": "nowhere/at/all"}}  # never read


class Misfit(Generator):
    """Its second layer takes other channels than the first gives."""

    def __init__(self, channels: int = 7) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 5, 3, padding=1)
        self.deep = nn.Sequential(nn.ReLU(), nn.Conv2d(channels, 3, 3, padding=1))

    def forward(self, masked: Tensor, mask: Tensor) -> Tensor:
        return self.deep(self.first(torch.cat([masked, mask], 1)))  # type: ignore[no-any-return]


class Fragile(Loss):
    """Fails as it is asked to."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, sample: Sample) -> Tensor:
        if self.how == "constant":
            return sample.image.mean()
        if self.how == "view":
            return sample.view("coarse").mean()
        return sample.output @ sample.image[:, :, 1:] if self.how == "shape" else sample.output


@hookimpl
def register_generators(register: Any) -> None:
    register("misfit", Misfit)


@hookimpl
def register_losses(register: Any) -> None:
    register("fragile", Fragile)


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    found = load_plugins()
    module = types.ModuleType("fitting")
    module.__dict__.update(inpaintkit_api=1, register_generators=register_generators, register_losses=register_losses)
    assert not found.add("fitting", module).error
    return found


def problems(path: Path, plugins: Plugins) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        check_steps(load_recipe(path, plugins=plugins))
    return [str(problem) for problem in caught.value.problems]


def stage(name: str, weights: dict[str, Any], steps: int = 5, **options: Any) -> dict[str, Any]:
    return {"name": name, "steps": steps, "weights": weights, **options}


def test_a_good_recipe_needs_no_data(write_recipe: Write, plugins: Plugins) -> None:
    stages = [
        stage("coarse", {"reconstruction": 1}, 100_000),
        stage("fine", {"reconstruction": 1, "image": {"match": "reconstruction", "hold": 9}}, 10**6, generator_every=5),
    ]
    changes = {**NO_DATA, "method": {"critics": {"image": CRITIC}, "stages": stages, "ema": 0.99, "clip": 1.0}}
    recipe = load_recipe(write_recipe(changes), plugins=plugins)
    check_steps(recipe)
    method = recipe.method_on_meta
    assert method.steps == 1_100_000
    assert all(parameter.is_meta for parameter in method.parameters())


def test_a_critic_of_another_size(write_recipe: Write, plugins: Plugins) -> None:
    """Located: recipe line, the stages in which it shows, the module, what it was given."""
    critic = {**CRITIC, "net": {"use": "dcgan", "size": 64, "width": 4}}
    stages = [stage("coarse", {"reconstruction": 1}), stage("warm", {"reconstruction": 1, "image": 0}),
              stage("fine", {"reconstruction": 1, "image": 1})]  # fmt: skip
    path = write_recipe({**NO_DATA, "method": {"critics": {"image": critic}, "stages": stages}})
    [told] = problems(path, plugins)
    line = 1 + path.read_text().splitlines().index("method:")
    assert re.match(rf"{re.escape(str(path))}:{line}:\d+: method: stage 'warm' and 'fine': ", told)
    assert re.search(r"critics\.image\.net\.layers\.\d+ \(Conv2d\(.*\)\), given \[4, \d+, \d, \d\]: ", told)
    assert "Kernel size can't be greater than actual input size" in told


def test_channels_that_do_not_fit(write_recipe: Write, plugins: Plugins) -> None:
    path = write_recipe({**NO_DATA, "method": {"generator": {"use": "misfit", "width": None}}})
    [told] = problems(path, plugins)
    assert "stage 'only': generator.deep.1 (Conv2d(7, 3, " in told  # what it takes
    assert "), given [4, 5, 16, 16]: " in told
    good = write_recipe({**NO_DATA, "method": {"generator": {"use": "misfit", "width": None, "channels": 5}}})
    check_steps(load_recipe(good, plugins=plugins))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("view", r"losses\.odd \(Fragile\(\)\), given Sample: no view 'coarse' here: this method draws completed, out"),
        ("shape", r"losses\.odd \(Fragile\(\)\), given Sample: .*(size|shape|batch)"),
        ("map", r"term 'odd' must be a scalar, and is a tensor of shape \[4, 3, 16, 16\]"),
    ],
)
def test_losses_that_do_not_fit(write_recipe: Write, plugins: Plugins, how: str, says: str) -> None:
    losses = {"odd": {"use": "fragile", "how": how}}
    stages = [stage("first", {"reconstruction": 1}), stage("second", {"odd": 1})]
    path = write_recipe({**NO_DATA, "method": {"losses": losses, "stages": stages}})
    [told] = problems(path, plugins)
    assert re.search(rf"stage 'second': {says}", told), told


def test_views_that_nothing_draws_are_told_together(write_recipe: Write, plugins: Plugins) -> None:
    losses = {"near": {"use": "l1", "on": "outputs"}, "far": {"use": "l1", "against": "coarse"}}
    stages = [stage("only", {"reconstruction": 1, "near": 1, "far": 1})]
    told = problems(write_recipe({**NO_DATA, "method": {"losses": losses, "stages": stages}}), plugins)
    assert len(told) == 2
    assert (
        "method.losses.near.on: no view 'outputs', did you mean 'output'?: there are completed, image, mask" in told[0]
    )
    assert "method.losses.far.against: no view 'coarse': there are" in told[1]


def test_a_balance_without_gradient(write_recipe: Write, plugins: Plugins) -> None:
    losses = {"flat": {"use": "fragile", "how": "constant"}}
    stages = [stage("only", {"reconstruction": 1, "flat": {"match": "reconstruction"}})]
    [told] = problems(write_recipe({**NO_DATA, "method": {"losses": losses, "stages": stages}}), plugins)
    assert "stage 'only': term 'flat' is balanced against 'reconstruction', but 'flat' has no gradient" in told


def test_sides_that_the_stride_does_not_divide(write_recipe: Write, plugins: Plugins) -> None:
    path = write_recipe({"data": {"train": "nowhere", "size": 20, "augment": [{"Resize": {"size": [20, 20]}}]}})
    [told] = problems(path, plugins)
    assert "stage 'only': generator" in told
    assert "20" in told


def test_batches_that_cannot_be_accumulated(write_recipe: Write, plugins: Plugins) -> None:
    [told] = problems(write_recipe({**NO_DATA, "method": {"accumulate": 3}}), plugins)
    assert "a batch of 4 has no 3 equal parts" in told


def test_masks_larger_than_pictures(write_recipe: Write, plugins: Plugins) -> None:
    path = write_recipe({**NO_DATA, "masks": {"use": "random-square", "min": 4, "max": 48}})
    [told] = problems(path, plugins)
    assert "masks" in told.split(": ")[1]
    assert "48" in told


def test_everything_at_once(write_recipe: Write, plugins: Plugins) -> None:
    """Pictures, masks and networks each have their say in one reading."""
    changes = {
        "data": {"train": "nowhere", "prepare": {"short_side": 12}},
        "masks": {"use": "random-square", "min": 4, "max": 48},
    }
    told = problems(write_recipe(changes), plugins)
    assert [line.split(": ")[1].split("[")[0].split(".")[0] for line in told] == ["data", "masks"]


@pytest.mark.parametrize("lacking", ["data", "masks"])
def test_what_is_trained_needs_pictures_and_holes(write_recipe: Write, plugins: Plugins, lacking: str) -> None:
    [told] = problems(write_recipe({**NO_DATA, lacking: None}), plugins)
    assert f"missing {lacking!r}: this method is trained" in told


def test_networks_without_stages(write_recipe: Write, plugins: Plugins) -> None:
    path = write_recipe({**NO_DATA, "method": {"stages": None}})
    [told] = problems(path, plugins)
    assert "has networks to train, but no training steps: give it stages" in told


def test_hooks_are_taken_off_again(write_recipe: Write, plugins: Plugins) -> None:
    before = len(nn.modules.module._global_forward_pre_hooks), len(nn.modules.module._global_forward_hooks)
    problems(write_recipe({**NO_DATA, "method": {"generator": {"use": "misfit", "width": None}}}), plugins)
    assert (len(nn.modules.module._global_forward_pre_hooks), len(nn.modules.module._global_forward_hooks)) == before
