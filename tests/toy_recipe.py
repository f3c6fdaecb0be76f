"""A recipe that uses every key, its toy components, and the problems that a recipe has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge
from torch import nn

from inpaintkit.core.errors import RecipeError
from inpaintkit.core.hookspecs import hookimpl
from inpaintkit.core.interfaces import Discriminator, Generator, Loss
from inpaintkit.core.plugins import Plugins
from inpaintkit.recipe import build_method, load_recipe


class ToyFCN(Generator):
    def __init__(self, width: Annotated[int, Ge(1)] = 4, dilated: bool = True) -> None:
        super().__init__()
        self.net = nn.Conv2d(4, 3, 3, padding=1 + dilated)
        self.width = width


class ToyCritic(Discriminator):
    def __init__(self, width: Annotated[int, Ge(1)] = 4) -> None:
        super().__init__()
        self.net = nn.Conv2d(3, width, 3)


class ToyFeatures(Loss):
    def __init__(
        self,
        backbone: str,
        layers: Sequence[str] | Mapping[str, float],
        pretrained: Literal["hub", "random"] | Path,
    ) -> None:
        super().__init__()
        self.backbone = backbone


class Toy:
    inpaintkit_api = 1

    @hookimpl
    def register_generators(self, register: Any) -> None:
        register("toy-fcn", ToyFCN)

    @hookimpl
    def register_discriminators(self, register: Any) -> None:
        register("toy-critic", ToyCritic)

    @hookimpl
    def register_losses(self, register: Any) -> None:
        register("toy-features", ToyFeatures)


def toy_plugins() -> Plugins:
    """The plugins of the recipe below."""
    found = Plugins()
    assert not found.add("toy", Toy()).error
    return found


RECIPE = """\
# A recipe with everything in it.
paper: Somebody et al. 2017
seed: 0
requires: [toy]
data:
  train: data/celeba/train          # a folder
  test: data/celeba/test
  batch: 32
  prepare: {short_side: 178, crop: 160}
  augment:
    - RandomCrop: {size: [140, 140]}
    - Resize: {size: [128, 128]}
  size: 128
  validation: 0.05
  strict: false
masks: {use: random-square, min: 48, max: 80}
method:
  use: adversarial
  generator: {use: toy-fcn, width: 8, dilated: true}
  losses:
    reconstruction: {use: smooth-l1, region: hole}
    features: {use: toy-features, backbone: vgg16, layers: [relu3_3, relu4_3], pretrained: hub}
  critics:
    image:
      net: {use: toy-critic, width: 4}
      objective: {use: non-saturating, smooth: {real: [0.8, 1.0], fake: [0.0, 0.2]}}
      on: completed
      optimizer: {lr: 2e-4, betas: [0.5, 0.999]}
  optimizer:
    lr: 1e-3
  stages:
    - {name: coarse, steps: 100_000, weights: {reconstruction: 1}}
    - {name: warm, steps: 500, weights: {reconstruction: 1, image: 0}}
    - name: fine
      steps: 200_000
      weights:
        reconstruction: 1
        image: {match: reconstruction, scale: 0.1, hold: 100}
        features: {match: reconstruction, scale: 1.0, hold: 100}
      lr: {start: 2e-4, end: 1e-5, power: 0.9}
validate: {every: 5_000, images: 64}
run: {device: cpu, precision: float32, log_every: 50, keep: 2, compile: false}
profiles:
  demo:
    data: {batch: 4}
    masks: {min: 20, max: 40}
    method:
      critics: null
      stages:
        coarse: {steps: 10}
        warm: null
        fine: {weights: {image: null}}
"""


def write(folder: Path, text: str, name: str = "recipe.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def problems_in(
    plugins: Plugins, path: Path | str, profile: str | None = None, sets: Sequence[str] = (), built: bool = True
) -> list[str]:
    """Every problem of a recipe, without the folder in its place."""
    try:
        recipe = load_recipe(path, profile, sets, plugins)
        if built:
            with torch.device("meta"):
                build_method(recipe)
    except RecipeError as error:
        return [str(problem).replace(f"{Path(path).parent}/", "") for problem in error.problems]
    return []
