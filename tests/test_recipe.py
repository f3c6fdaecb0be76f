"""Recipes from the file to the method: strict, and every mistake told at its line."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs
import pytest
import torch
from annotated_types import Ge
from hypothesis import HealthCheck, given, settings, strategies as st
from torch import nn

from inpaintkit.core.config.bundled import bundled
from inpaintkit.core.config.nodes import Node, dump, parse
from inpaintkit.core.errors import RecipeError
from inpaintkit.core.hookspecs import hookimpl
from inpaintkit.core.interfaces import Discriminator, Generator, Loss
from inpaintkit.core.plugins import Plugins
from inpaintkit.recipe import Recipe, build_method, load_recipe
from inpaintkit.training.adversarial import Adversarial
from inpaintkit.training.stages import Rate
from inpaintkit.training.weights import Balance


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


@pytest.fixture(scope="module")
def plugins() -> Plugins:
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


def told(
    plugins: Plugins, path: Path | str, profile: str | None = None, sets: Sequence[str] = (), built: bool = True
) -> list[str]:
    """Every problem of a recipe, with the place's folder left out."""
    try:
        recipe = load_recipe(path, profile, sets, plugins)
        if built:
            with torch.device("meta"):
                build_method(recipe)
    except RecipeError as error:
        return [str(problem).replace(f"{Path(path).parent}/", "") for problem in error.problems]
    return []


def test_a_recipe_that_holds(plugins: Plugins, tmp_path: Path) -> None:
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


TEN = """\
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


def test_every_mistake_is_told_at_once(plugins: Plugins, tmp_path: Path) -> None:
    assert told(plugins, write(tmp_path, TEN)) == [
        "recipe.yaml:1:7: seed: expected integer >= 0, not -1",
        "recipe.yaml:5:3: data.batch: duplicate key 'batch': first on line 4",
        "recipe.yaml:6:9: data.size: expected integer >= 1 or list [integer >= 1, integer >= 1], not 64.0",
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


def test_places_hold_through_extends_profile_and_set(plugins: Plugins, tmp_path: Path) -> None:
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
    assert told(plugins, path, "tiny", ["run.kep=1", "method.stages.warm.steps=no"]) == [
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
    assert [line.split(": ")[0] for line in told(plugins, tmp_path / "child.yaml")] == [
        "base.yaml:3:7",
        "base.yaml:19:39",  # the profile's generator replaced this one
        "child.yaml:3:10",
        "child.yaml:5:23",
        "child.yaml:6:28",
    ]


def test_what_a_null_took_out_is_told_where_it_is_missing(plugins: Plugins, tmp_path: Path) -> None:
    write(tmp_path, RECIPE, "base.yaml")
    path = write(tmp_path, "extends: base.yaml\ndata: {batch: null}\nmethod: {generator: null}\n", "child.yaml")
    assert told(plugins, path) == [
        "base.yaml:5:1: data: missing 'batch': expected integer >= 1 (removed by the null at child.yaml:2:8)",
        "base.yaml:17:1: method: missing 'generator' of method 'adversarial': expected generator "
        "(removed by the null at child.yaml:3:10)",
    ]
    assert told(plugins, tmp_path / "base.yaml", sets=["data.batch=null"]) == [
        "base.yaml:5:1: data: missing 'batch': expected integer >= 1 (removed by the null at --set data.batch=null)"
    ]


def test_a_missing_base_or_profile_hides_no_other_mistake_and_adds_none(plugins: Plugins, tmp_path: Path) -> None:
    write(tmp_path, RECIPE, "bases.yaml")
    path = write(tmp_path, "extends: base.yaml\ndata: {batc: 3}\nmasks: {max: 3}\n")
    assert told(plugins, path) == [
        "recipe.yaml:1:10: extends: there is no file 'base.yaml', did you mean 'bases.yaml'?",
        "recipe.yaml:2:8: data.batc: unknown key 'batc', did you mean 'batch'?",
    ]
    path = write(tmp_path, RECIPE.replace("seed: 0", "seed: x"))
    assert told(plugins, path, "dmo") == [
        "recipe.yaml:3:7: seed: expected integer >= 0, not 'x'",
        "recipe.yaml:43:1: unknown profile 'dmo', did you mean 'demo'?; known: demo",
    ]


def test_constructors_are_heard_even_where_other_values_are_wrong(plugins: Plugins, tmp_path: Path) -> None:
    text = RECIPE.replace("min: 48", "min: 90").replace("[0.8, 1.0]", "[1.0, 0.8]").replace("seed: 0", "seed: -1")
    found = told(plugins, write(tmp_path, text.replace("hold: 100}\n      lr", "hold: 0}\n      lr")))
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
def test_files_that_are_no_recipes(plugins: Plugins, tmp_path: Path, text: str, message: str) -> None:
    assert told(plugins, write(tmp_path, text))[0].startswith(message)


def test_required_plugins(plugins: Plugins, tmp_path: Path) -> None:
    text = RECIPE.replace("requires: [toy]", "requires: [toy, perceptual-fcn, tyo, whatever, bad]")
    broken = Plugins()
    broken.add("toy", Toy())
    broken.add("bad", object())
    assert told(broken, write(tmp_path, text)) == [
        "recipe.yaml:4:17: requires[1]: plugin 'perceptual-fcn' is not installed: "
        "pip install inpaintkit-perceptual-fcn",
        "recipe.yaml:4:33: requires[2]: plugin 'tyo' is not installed, did you mean 'toy'?",
        "recipe.yaml:4:38: requires[3]: plugin 'whatever' is not installed",
        "recipe.yaml:4:48: requires[4]: plugin 'bad' cannot be used: it does not say which contract it is written for: "
        "this inpaintkit needs inpaintkit_api = 1",
    ]


def test_protocols_that_are_missing(plugins: Plugins, tmp_path: Path) -> None:
    text = RECIPE + "evaluate: [demo, dmo, {name: inline}]\n"
    assert told(plugins, write(tmp_path, text)) == [
        "recipe.yaml:53:18: evaluate[1]: no file and no bundled protocol is named 'dmo', did you mean 'demo'?"
    ]
    assert told(plugins, write(tmp_path, RECIPE + "evaluate: [xyzzy]\n")) == [
        "recipe.yaml:53:12: evaluate[0]: no file and no bundled protocol is named 'xyzzy'; "
        f"bundled: {', '.join(bundled('protocol'))}"
    ]


def test_reading_yaml_imports_no_torch() -> None:
    code = "import inpaintkit.core.config.nodes, inpaintkit.core.config.layers, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["l1", "half"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["use", "name", "net", "steps", "match", "start", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def places_in(node: Node, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    assert isinstance(node.value, dict | list)
    children: Any = node.value.items() if isinstance(node.value, dict) else enumerate(node.value)
    for key, child in children:
        if isinstance(child.value, dict | list):
            yield from places_in(child, (*path, key))
        else:
            yield (*path, key)


def root() -> Node:
    node = parse(RECIPE, "r", [])
    assert node is not None
    return node


PLACES = list(places_in(root()))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PLACES), anything)
def test_whatever_stands_anywhere_is_taken_or_told(
    plugins: Plugins, tmp_path: Path, place: tuple[str | int, ...], value: Any
) -> None:
    tree = inner = root().plain()
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    for message in told(plugins, write(tmp_path, dump(tree)), "demo" if place[0] == "profiles" else None):
        assert message.startswith("recipe.yaml:"), message


@attrs.frozen
class Key:
    """A key of the recipe above, and what can be wrong with it."""

    path: tuple[str | int, ...]
    wrong: Sequence[str]  # values, as they would be written
    needed: bool = False  # a misspelt or missing one leaves a hole
    free: bool = False  # a name of the author's own, which cannot be misspelt


INTEGER = ["'7'", "1.5", "[3]", "{a: 1}", "true", "null", "many", "-3"]
NUMBER = ["'1e-4'", "[3]", "true", "null", "much", "-1", ".nan", ".inf"]
TEXT = ["3", "[x, y]", "{a: 1}", "null", "true"]
SWITCH = ["'true'", "1", "no", "off", "[true]", "null"]
PATHS = ["3", "{a: 1}", "null", "true", "[]x"]
COMPONENT = ["3", "[x]", "{}", "no-such-thing", "{use: no-such-thing}", "{use: 3}", "{usee: x}", "null", "true"]
USE = ["no-such-thing", "3", "[x]", "null", "{a: 1}"]
MAPPING = ["3", "word", "[a, b]", "true"]
LIST = ["3", "{a: 1}", "true", "null"]

FINE = ("method", "stages", 2)
FEATURES = ("method", "losses", "features")
IMAGE = ("method", "critics", "image")
KEYS = [
    Key(("paper",), TEXT),
    Key(("seed",), INTEGER),
    Key(("requires",), [*LIST, "[toyy]", "[perceptual-fnc]", "[3]"]),
    Key(("data",), [*MAPPING, "{}"]),
    Key(("data", "train"), ["3", "{a: 1}", "null", "true", "[3]", "{package: skimage}"], needed=True),
    Key(("data", "test"), ["3", "{a: 1}", "true", "[3]"]),
    Key(("data", "batch"), [*INTEGER, "0"], needed=True),
    Key(("data", "prepare"), [*MAPPING, "null", "{short_sied: 3}", "{crop: 0}", "{short_side: 10, crop: 20}"]),
    Key(("data", "prepare", "short_side"), [value for value in INTEGER if value != "null"]),
    Key(("data", "augment"), ["3", "null", "true", "[RandomCrap]", "[3]", "[Resize: {sise: [2, 2]}]", "[Resize]"]),
    Key(("data", "size"), [*INTEGER, "0", "[1, 2, 3]", "[1, x]"], needed=True),
    Key(("data", "validation"), [*NUMBER, "1", "1.5"]),
    Key(("data", "strict"), SWITCH),
    Key(("masks",), [value for value in COMPONENT if value != "null"]),
    Key(("masks", "use"), USE, needed=True),
    Key(("masks", "min"), [*INTEGER, "81", "0"], needed=True),
    Key(("masks", "max"), [*INTEGER, "47"], needed=True),
    Key(("method",), COMPONENT, needed=True),
    Key(("method", "use"), USE, needed=True),
    Key(("method", "generator"), COMPONENT, needed=True),
    Key(("method", "generator", "use"), USE, needed=True),
    Key(("method", "generator", "width"), [*INTEGER, "0"]),
    Key(("method", "generator", "dilated"), SWITCH),
    Key(("method", "losses"), MAPPING),
    Key(("method", "losses", "reconstruction"), COMPONENT, free=True),
    Key(("method", "losses", "reconstruction", "use"), USE, needed=True),
    Key(("method", "losses", "reconstruction", "region"), [*TEXT, "everywhere", "Hole"]),
    Key(FEATURES, COMPONENT, free=True),
    Key((*FEATURES, "backbone"), TEXT, needed=True),
    Key((*FEATURES, "layers"), ["3", "true", "null", "[3]", "{relu: x}", "word"], needed=True),
    Key((*FEATURES, "pretrained"), ["3", "[hub]", "null", "true", "{a: 1}"], needed=True),
    Key(("method", "critics"), MAPPING),
    Key(IMAGE, ["3", "word", "[a]", "null", "{net: toy-critic}"], free=True),
    Key((*IMAGE, "net"), COMPONENT, needed=True),
    Key((*IMAGE, "net", "width"), [*INTEGER, "0"]),
    Key((*IMAGE, "objective"), COMPONENT, needed=True),
    Key((*IMAGE, "objective", "smooth"), ["3", "[0.8, 1.0]", "{rael: [0, 1]}", "{real: [1.0, 0.8]}", "true"]),
    Key((*IMAGE, "objective", "smooth", "real"), ["3", "[0.8]", "[a, b]", "[0.8, 1.2]", "[1, 0.9]", "null"]),
    Key((*IMAGE, "on"), ["3", "{a: 1}", "null", "true", "[3]"]),
    Key((*IMAGE, "optimizer"), [*MAPPING, "{lr: 0}", "{beta: 1}"]),
    Key((*IMAGE, "optimizer", "lr"), [*NUMBER, "0"]),
    Key((*IMAGE, "optimizer", "betas"), ["3", "[0.5]", "[0.5, 1.0]", "[-0.1, 0.9]", "null", "[a, b]"]),
    Key(("method", "optimizer", "lr"), [*NUMBER, "0"]),
    Key(("method", "stages"), LIST),
    Key(("method", "stages", 0, "name"), TEXT, needed=True),
    Key((*FINE, "name"), ["warm"], free=True),
    Key(("method", "stages", 0, "steps"), [*INTEGER, "0", "1e5"], needed=True),
    Key(("method", "stages", 1, "weights"), [*MAPPING, "null", "{}", "{recon: 1}", "{image: 0}"], needed=True),
    Key(("method", "stages", 1, "weights", "image"), ["-1", "x", "null", "[1]", "{match: features}"], free=True),
    Key((*FINE, "steps"), [*INTEGER, "0", "0.5"], needed=True),
    Key((*FINE, "weights", "features"), ["-0.1", "x", "null", "{match: no}", "{mtach: a}", "{scale: 1}"], free=True),
    Key((*FINE, "weights", "image", "match"), [*TEXT, "image", "nothing"], needed=True),
    Key((*FINE, "weights", "image", "scale"), [*NUMBER, "0"]),
    Key((*FINE, "weights", "image", "hold"), ["'7'", "1.5", "[3]", "true", "many", "0", "1_000_000"]),
    Key((*FINE, "lr"), ["0", "-1", "x", "{start: 1}", "{strat: 1, end: 1}", "[1]", "true"]),
    Key((*FINE, "lr", "start"), [*NUMBER, "0"], needed=True),
    Key((*FINE, "lr", "power"), NUMBER),
    Key(("validate",), [*MAPPING, "null"]),
    Key(("validate", "every"), INTEGER),
    Key(("validate", "images"), [*INTEGER, "0"]),
    Key(("run",), [*MAPPING, "null"]),
    Key(("run", "device"), [*TEXT, "gpuu"]),
    Key(("run", "precision"), [*TEXT, "float16"]),
    Key(("run", "keep"), [*INTEGER, "0"]),
    Key(("run", "compile"), SWITCH),
]


@attrs.frozen
class Damage:
    """The recipe with one thing wrong, and the line that says it."""

    what: str
    text: str
    line: int
    told: str = ""  # stands in the message


class Page:
    """The recipe's text, with the place of every key and value."""

    def __init__(self) -> None:
        self.text = text = RECIPE
        self.root = root()
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def span(self, path: tuple[str | int, ...]) -> tuple[int, int, int, int, bool]:
        """Offsets of the key, the value and its end; the key's line; and whether the value is a block below it."""
        key = self.root.find(path, at_key=True)
        node = self.root
        for part in path:
            node = node.value[part]  # type: ignore[index,call-overload]
        start = self.starts[key.line - 1] + key.column - 1
        value = self.starts[node.mark.line - 1] + node.mark.column - 1
        if node.mark.line > key.line:
            line = node.mark.line
            while line < len(self.starts) - 1:
                following = self.text[self.starts[line] :].split("\n", 1)[0]
                if len(following) - len(following.lstrip()) < key.column:
                    break
                line += 1
            return start, value, self.starts[line], key.line, True
        end, depth = value, 0
        while self.text[end] != "\n" and (depth or self.text[end] not in ",}]") and self.text[end : end + 3] != "  #":
            depth += (self.text[end] in "{[") - (self.text[end] in "}]")
            end += 1
        return start, value, end, key.line, False

    def replaced(self, path: tuple[str | int, ...], value: str) -> tuple[str, int]:
        start, _, end, line, block = self.span(path)
        return f"{self.text[:start]}{path[-1]}: {value}{chr(10) * block}{self.text[end:]}", line

    def renamed(self, path: tuple[str | int, ...], name: str) -> tuple[str, int]:
        start, _, _, line, _ = self.span(path)
        return self.text[:start] + name + self.text[start + len(str(path[-1])) :], line

    def removed(self, path: tuple[str | int, ...]) -> tuple[str, int]:
        """Without the key; the line is that of the mapping that lacks it now."""
        start, _, end, _, block = self.span(path)
        parent = self.root.find(path[:-1])
        rest = self.text[end:]
        if not block and rest.startswith(", "):
            return self.text[:start] + rest[2:], parent.line
        head = self.text[:start].rstrip(" ") if block or rest.startswith("\n") else self.text[:start].rstrip(", ")
        return head + rest.removeprefix("\n") if head.endswith("\n") else head + rest, parent.line

    def doubled(self, path: tuple[str | int, ...]) -> tuple[str, int]:
        """The key a second time; the line is that of the second."""
        start, _, end, line, block = self.span(path)
        entry = self.text[start:end]
        indent = " " * (self.root.find(path, at_key=True).column - 1)
        if block:
            return f"{self.text[:end]}{indent}{entry}{self.text[end:]}", line + entry.count("\n")
        if self.text[end] in ",}":
            return f"{self.text[:end]}, {entry}{self.text[end:]}", line
        end = self.text.index("\n", end)
        return f"{self.text[:end]}\n{indent}{entry}{self.text[end:]}", line + 1

    def extended(self, path: tuple[str | int, ...], name: str) -> tuple[str, int] | None:
        """An option more in the mapping at ``path``; the line is its own."""
        _, value, _, line, block = self.span(path)
        if block:
            column = self.text[:value].rsplit("\n", 1)[1]
            return f"{self.text[:value]}{name}: 1\n{' ' * len(column)}{self.text[value:]}", line + 1
        if self.text[value] != "{":
            return None
        return f"{self.text[: value + 1]}{name}: 1, {self.text[value + 1 :]}", line


def misspelt(name: str) -> Iterator[str]:
    yield name + name[-1]
    yield name[0] * 2 + name[1:]
    if len(name) > 3:
        yield name[:-1]
        yield name[:1] + name[2:]
        if name[1] != name[2]:
            yield name[0] + name[2] + name[1] + name[3:]


def damages() -> Iterator[Damage]:
    page = Page()
    for key in KEYS:
        name = str(key.path[-1])
        for value in key.wrong:
            text, line = page.replaced(key.path, value)
            yield Damage(f"{key.path}: {value}", text, line)
        text, line = page.doubled(key.path)
        yield Damage(f"{key.path} twice", text, line, f"duplicate key {name!r}")
        if not key.free:
            for other in misspelt(name):
                text, line = page.renamed(key.path, other)
                yield Damage(f"{key.path} as {other}", text, line, f"{other!r}, did you mean {name!r}?")
        if key.needed:
            text, line = page.removed(key.path)
            yield Damage(f"{key.path} missing", text, line, f"missing {name!r}")
        if name not in ("losses", "critics", "weights", "augment", "stages") and (
            more := page.extended(key.path, "zzz_unknown")
        ):
            yield Damage(f"{key.path} with zzz_unknown", *more, told="'zzz_unknown'")


def test_the_damaged_keys_are_of_a_recipe_that_holds(plugins: Plugins, tmp_path: Path) -> None:
    assert told(plugins, write(tmp_path, RECIPE)) == []
    assert len(list(damages())) >= 500


def test_each_of_500_damaged_recipes_names_its_line(plugins: Plugins, tmp_path: Path) -> None:
    wrong = []
    for damage in random.Random(0).sample(list(damages()), 500):
        messages = told(plugins, write(tmp_path, damage.text))
        places = {int(message.split(":")[1]) if message.startswith("recipe.yaml:") else 0 for message in messages}
        named = any(damage.told in message for message in messages)
        if places != {damage.line} or not named or any("Error:" in message for message in messages):
            wrong.append((damage.what, damage.line, damage.told, messages))
    assert not wrong, "\n".join(map(str, wrong))
