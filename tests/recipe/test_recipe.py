"""Recipes from the file to the method: every mistake is reported at its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import torch
from toy_recipe import RECIPE, Toy, problems_in, toy_plugins, write

from inpaintkit.core.config.bundled import bundled
from inpaintkit.core.config.nodes import dump
from inpaintkit.core.errors import RecipeError
from inpaintkit.core.plugins import Plugins
from inpaintkit.recipe import Recipe, build_method, load_recipe
from inpaintkit.training.adversarial import Adversarial
from inpaintkit.training.loss_weights import Balance
from inpaintkit.training.stages import Rate


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return toy_plugins()


def test_a_valid_recipe(plugins: Plugins, tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, RECIPE, "faces.yaml"), plugins=plugins)
    assert recipe.name == "faces"
    assert recipe.paper == "Somebody et al. 2017"
    assert recipe.profiles == ("demo",)
    assert recipe.data is not None
    assert recipe.data.train == Path("data/celeba/train")
    assert (recipe.data.batch, recipe.data.size, recipe.data.validation) == (32, 128, 0.05)
    assert recipe.data.prepare.short_side == 178
    assert [step.name for step in recipe.data.augment] == ["RandomCrop", "Resize"]
    assert recipe.masks is not None
    masks = recipe.masks.build()(2, (128, 128), torch.Generator().manual_seed(0))
    assert masks.shape == (2, 1, 128, 128)
    assert (recipe.validate.every, recipe.run.device, recipe.run.keep) == (5000, "cpu", 2)
    method = build_method(recipe)
    assert isinstance(method, Adversarial)
    assert method.steps == 300_500
    assert method.stages[2].weights["image"] == Balance("reconstruction", 0.1, 100)
    assert method.stages[2].lr == Rate(2e-4, 1e-5, power=0.9)
    assert method.adam.lr == 1e-3
    bare = build_method(recipe, without=method.training_only)
    assert isinstance(bare, Adversarial)
    assert bare.steps == 0
    assert not bare.critics
    assert not bare.losses


def test_a_profile_and_sets(plugins: Plugins, tmp_path: Path) -> None:
    path = write(tmp_path, RECIPE)
    recipe = load_recipe(path, "demo", ["method.stages.fine.steps=300", "seed=7"], plugins)
    assert recipe.name == "recipe-demo"
    assert recipe.seed == 7
    method = build_method(recipe)
    assert isinstance(method, Adversarial)
    assert [(stage.name, stage.steps, list(stage.weights)) for stage in method.stages] == [
        ("coarse", 10, ["reconstruction"]),
        ("fine", 300, ["reconstruction", "features"]),
    ]
    assert not method.critics


@pytest.mark.parametrize("profile", [None, "demo"])
def test_the_resolved_tree_is_a_recipe_by_itself(plugins: Plugins, tmp_path: Path, profile: str | None) -> None:
    first = load_recipe(write(tmp_path, RECIPE), profile, ["seed=3"], plugins)
    again = load_recipe(write(tmp_path, dump(first.tree), "other.yaml"), plugins=plugins)
    assert again.tree == first.tree
    same = [field.name for field in attrs.fields(Recipe) if field.name not in ("method", "masks", "source", "profiles")]
    assert [getattr(again, name) for name in same] == [getattr(first, name) for name in same]
    assert again.method.options.keys() == first.method.options.keys()


MISTAKES = """\
seed: -1
data:
  train: data
  batch: 16
  batch: 32
  size: 64.0
  prepare: {short_sid: 80}
  shuffle: yes
masks: {use: random-sqare, min: 4, max: 8}
method:
  use: adversarial
  generator: {use: toy-fcn, width: '8'}
  losses:
    reconstruction: [smooth-l1]
    features: {use: toy-features, backbone: vgg16, layers: 3, pretrained: hub}
    sharp: {use: l1, regoin: hole}
  stages:
    - {name: coarse, steps: 0, weights: {reconstruction: 1}}
"""


def test_every_mistake_is_reported_at_once(plugins: Plugins, tmp_path: Path) -> None:
    assert problems_in(plugins, write(tmp_path, MISTAKES)) == [
        "recipe.yaml:1:7: seed: expected integer >= 0, not -1",
        "recipe.yaml:5:3: data.batch: duplicate key 'batch': first on line 4",
        "recipe.yaml:6:9: data.size: expected integer >= 1 or list [integer >= 1, integer >= 1], not 64.0 (write 64)",
        "recipe.yaml:7:13: data.prepare.short_sid: unknown key 'short_sid', did you mean 'short_side'?",
        "recipe.yaml:8:3: data.shuffle: unknown key 'shuffle'; known: train, batch, size, test, prepare, augment, "
        "validation, strict, cache",
        "recipe.yaml:9:14: masks.use: unknown mask sampler 'random-sqare', did you mean 'random-square'?",
        "recipe.yaml:12:36: method.generator.width: expected integer >= 1, not '8' (without the quotes)",
        "recipe.yaml:14:21: method.losses.reconstruction: expected loss (a name or a mapping with 'use'), "
        "not a list of 1",
        "recipe.yaml:15:60: method.losses.features.layers: expected list of string or mapping of names to number, "
        "not 3",
        "recipe.yaml:16:22: method.losses.sharp.regoin: unknown option 'regoin', did you mean 'region'?",
        "recipe.yaml:18:29: method.stages[0].steps: expected integer >= 1, not 0",
    ]


def test_places_survive_extends_profile_and_set(plugins: Plugins, tmp_path: Path) -> None:
    write(tmp_path, RECIPE.replace("seed: 0", "seed: -1").replace("dilated: true", "dilatd: true"), "base.yaml")
    child = """\
extends: base.yaml
data:
  batch: many
method:
  losses: {features: {layrs: [a]}}
  stages: {coarse: {steps: 0}}
profiles:
  tiny:
    masks: {max: tiny}
    method:
      generator: {use: toy-fnc}
      stages: {fine: {weights: {image: {scale: 0}}}}
"""
    path = write(tmp_path, child, "child.yaml")
    assert problems_in(plugins, path, "tiny", ["run.kep=1", "method.stages.warm.steps=no"]) == [
        "--set method.stages.warm.steps=no: method.stages[1].steps: expected integer >= 1, not 'no'",
        "--set run.kep=1: run.kep: unknown key 'kep', did you mean 'keep'?",
        "base.yaml:3:7: seed: expected integer >= 0, not -1",
        "child.yaml:3:10: data.batch: expected integer >= 1, not 'many'",
        "child.yaml:5:23: method.losses.features.layrs: unknown option 'layrs', did you mean 'layers'?",
        "child.yaml:6:28: method.stages[0].steps: expected integer >= 1, not 0",
        "child.yaml:9:18: masks.max: expected integer >= 1, not 'tiny'",
        "child.yaml:11:24: method.generator.use: unknown generator 'toy-fnc', did you mean 'toy-fcn'?",
        "child.yaml:12:48: method.stages[2].weights.image.scale: expected number > 0, not 0",
    ]
    assert [line.split(": ")[0] for line in problems_in(plugins, tmp_path / "child.yaml")] == [
        "base.yaml:3:7",
        "base.yaml:19:39",  # the profile's generator replaced this one
        "child.yaml:3:10",
        "child.yaml:5:23",
        "child.yaml:6:28",
    ]


def test_a_key_removed_by_null_is_reported_where_it_is_missing(plugins: Plugins, tmp_path: Path) -> None:
    write(tmp_path, RECIPE, "base.yaml")
    path = write(tmp_path, "extends: base.yaml\ndata: {batch: null}\nmethod: {generator: null}\n", "child.yaml")
    assert problems_in(plugins, path) == [
        "base.yaml:5:1: data: missing 'batch': expected integer >= 1 (removed by the null at child.yaml:2:8)",
        "base.yaml:17:1: method: missing 'generator' of method 'adversarial': expected generator "
        "(removed by the null at child.yaml:3:10)",
    ]
    assert problems_in(plugins, tmp_path / "base.yaml", sets=["data.batch=null"]) == [
        "base.yaml:5:1: data: missing 'batch': expected integer >= 1 (removed by the null at --set data.batch=null)"
    ]


def test_a_missing_base_or_profile_hides_no_other_mistake_and_adds_none(plugins: Plugins, tmp_path: Path) -> None:
    write(tmp_path, RECIPE, "bases.yaml")
    path = write(tmp_path, "extends: base.yaml\ndata: {batc: 3}\nmasks: {max: 3}\n")
    assert problems_in(plugins, path) == [
        "recipe.yaml:1:10: extends: there is no file 'base.yaml', did you mean 'bases.yaml'?",
        "recipe.yaml:2:8: data.batc: unknown key 'batc', did you mean 'batch'?",
    ]
    path = write(tmp_path, RECIPE.replace("seed: 0", "seed: x"))
    assert problems_in(plugins, path, "dmo") == [
        "recipe.yaml:3:7: seed: expected integer >= 0, not 'x'",
        "recipe.yaml:43:1: unknown profile 'dmo', did you mean 'demo'?; known: demo",
    ]


def test_errors_of_constructors_are_reported_beside_other_mistakes(plugins: Plugins, tmp_path: Path) -> None:
    text = RECIPE.replace("min: 48", "min: 90").replace("[0.8, 1.0]", "[1.0, 0.8]").replace("seed: 0", "seed: -1")
    found = problems_in(plugins, write(tmp_path, text.replace("hold: 100}\n      lr", "hold: 0}\n      lr")))
    assert [line.split(": ")[1] for line in found] == [
        "seed",
        "masks.min",
        "method.critics.image.objective.smooth.real",
        "method.stages[2].weights.features.hold",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "recipe.yaml: expected a mapping of keys to values"),
        ("- a\n", "recipe.yaml:1:1: expected a mapping of keys to values"),
        ("seed: 1\n", "recipe.yaml:1:1: missing 'method': expected method"),
        ("method: [", "recipe.yaml:1:10: not YAML"),
        ("method: !!python/name:os.system", "recipe.yaml:1:9: method: tags such as !!python/name:os.system"),
        ("name: ../x\nmethod: adversarial", "recipe.yaml:1:7: name: '../x' cannot be the name of a folder"),
    ],
)
def test_files_that_are_not_recipes(plugins: Plugins, tmp_path: Path, text: str, message: str) -> None:
    assert problems_in(plugins, write(tmp_path, text))[0].startswith(message)


def test_required_plugins(plugins: Plugins, tmp_path: Path) -> None:
    text = RECIPE.replace("requires: [toy]", "requires: [toy, perceptual-fcn, tyo, whatever, bad]")
    broken = Plugins()
    broken.add("toy", Toy())
    broken.add("bad", object())
    assert problems_in(broken, write(tmp_path, text)) == [
        "recipe.yaml:4:17: requires[1]: plugin 'perceptual-fcn' is not installed: "
        "pip install inpaintkit-perceptual-fcn",
        "recipe.yaml:4:33: requires[2]: plugin 'tyo' is not installed, did you mean 'toy'?",
        "recipe.yaml:4:38: requires[3]: plugin 'whatever' is not installed",
        "recipe.yaml:4:48: requires[4]: plugin 'bad' cannot be used: it does not say which contract it is written for: "
        "this inpaintkit needs inpaintkit_api = 1",
    ]


def test_protocols_that_are_missing(plugins: Plugins, tmp_path: Path) -> None:
    text = RECIPE + "evaluate: [demo, dmo, {name: inline}]\n"
    assert problems_in(plugins, write(tmp_path, text)) == [
        "recipe.yaml:53:18: evaluate[1]: no file and no bundled protocol is named 'dmo', did you mean 'demo'?"
    ]
    assert problems_in(plugins, write(tmp_path, RECIPE + "evaluate: [xyzzy]\n")) == [
        "recipe.yaml:53:12: evaluate[0]: no file and no bundled protocol is named 'xyzzy'; "
        f"bundled: {', '.join(bundled('protocol'))}"
    ]


def test_what_the_constructors_of_validation_metrics_refuse_is_reported(write_recipe: Callable[..., Path]) -> None:
    path = write_recipe({"validate": {"metrics": ["psnr", {"use": "kid", "pretrained": "weights.pth"}]}})
    with pytest.raises(RecipeError, match=r"validate\.metrics\[1\]\.pretrained: .*safetensors"):
        load_recipe(path)
