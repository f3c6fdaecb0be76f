"""What must not move by accident: protocol hashes, resolved recipes, the keys of checkpoints, a tiny run's numbers.

``INPAINTKIT_WRITE_PINS=1 python -m pytest tests/test_pins.py -k write`` writes ``pins.json`` anew; a change to it needs
a line in the changelog that says why.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
import torch

from inpaintkit import RecipeError, evaluate, load, load_recipe, train
from inpaintkit.core.config.bundled import bundled
from inpaintkit.data.image_set import ImageSet
from inpaintkit.evaluation.protocol import load_protocol
from inpaintkit.evaluation.testset import TestSet
from inpaintkit.recipe import build_method
from inpaintkit.runs.folder import Run

PINS = Path(__file__).with_name("pins.json")


def digest(value: Any) -> str:
    return blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=8).hexdigest()


def two_pictures(side: int) -> ImageSet:
    """Two pictures of noise, always the same."""
    pixels = torch.randint(0, 256, (2, 3, side, side), generator=torch.Generator().manual_seed(5), dtype=torch.uint8)
    size = 3 * side * side
    return ImageSet(
        names=("a", "b"),
        unreadable=(),
        digests=("1", "2"),
        sizes=torch.tensor([[side, side]] * 2),
        offsets=torch.tensor([0, size]),
        pixels=pixels.flatten(),
    )


def protocol_hash(name: str) -> str:
    protocol = load_protocol(name)
    side = protocol.prepare.tiles or protocol.prepare.crop or protocol.prepare.short_side or protocol.size or 64
    return TestSet.open(protocol, two_pictures(side)).hash


def recipe_pins(name: str) -> dict[str, Any]:
    """By profile: a digest of the resolved tree, the number of weights, and a digest of their names and shapes.

    A profile of a base that takes out what the recipe is about is an error.
    """
    found: dict[str, Any] = {}
    for profile in (None, *load_recipe(name).profiles):
        try:
            recipe = load_recipe(name, profile)
        except RecipeError:
            found[str(profile)] = "an error"
            continue
        with torch.device("meta"):
            method = build_method(recipe)
        shapes = {key: list(value.shape) for key, value in method.state_dict().items()}
        found[str(profile)] = [digest(recipe.tree), len(shapes), digest(shapes)]
    return found


#: A run with a critic, a perceptual loss, a balance, a ramp, an average and clipping: six steps.
TINY: dict[str, Any] = {
    "method": {
        "generator": {"use": "dilated-fcn", "width": 4},
        "ema": 0.5,
        "clip": 1.0,
        "losses": {"reconstruction": {"use": "smooth-l1", "region": "hole"}, "smooth": {"use": "total-variation"}},
        "critics": {"image": {"net": {"use": "dcgan", "size": 16, "width": 4}, "objective": "non-saturating"}},
        "stages": [
            {
                "name": "coarse",
                "steps": 3,
                "weights": {"reconstruction": 1, "smooth": {"start": 0, "end": 1, "over": 2}},
            },
            {
                "name": "fine",
                "steps": 3,
                "weights": {"reconstruction": 1, "image": {"match": "reconstruction", "scale": 0.5, "hold": 2}},
                "lr": {"start": 1e-3, "end": 1e-4},
            },
        ],
    },
    "run": {"log_every": 1},
}
MEASURED = {
    "name": "tiny",
    "masks": {"use": "center-square", "side": 6},
    "size": 16,
    "metrics": ["psnr", "l1", "l2", "ssim", "gradient-energy"],
}


def tiny_numbers(write_recipe: Callable[..., Path], folder: Path, pictures: Path) -> dict[str, float]:
    """The last line of the log of the tiny run, the sum of its weights, and what an evaluation of it gives."""
    recipe = load_recipe(write_recipe(TINY, "tiny"))
    run = Run(folder)
    folder.mkdir()
    (folder / "recipe.yaml").write_text(json.dumps(dict(recipe.tree)))
    train(recipe, run, show=False)
    lines: dict[str, Any] = {}
    for line in run.log():
        lines |= {key: value for key, value in line.items() if "/" in key}
    method = load(folder)
    lines["weights"] = sum(float(value.double().abs().sum()) for value in method.state_dict().values())
    row = evaluate(method, MEASURED, pictures).row
    return lines | {label: measure.interval.mean for label, measure in row.metrics.items()}


@pytest.fixture(scope="module")
def pins() -> dict[str, Any]:
    return dict(json.loads(PINS.read_text()))


def test_all_recipes_and_protocols_are_pinned(pins: dict[str, Any]) -> None:
    assert set(pins["protocols"]) == set(bundled("protocol"))
    assert set(pins["recipes"]) == set(bundled())


@pytest.mark.parametrize("name", bundled("protocol"))
def test_protocol_hash(name: str, pins: dict[str, Any]) -> None:
    assert protocol_hash(name) == pins["protocols"][name]


@pytest.mark.parametrize("name", bundled())
def test_recipe(name: str, pins: dict[str, Any]) -> None:
    assert recipe_pins(name) == pins["recipes"][name]


def test_tiny_run(write_recipe: Callable[..., Path], tmp_path: Path, pictures: Path, pins: dict[str, Any]) -> None:
    found = tiny_numbers(write_recipe, tmp_path / "run", pictures)
    assert set(found) == set(pins["tiny"])
    for name, value in pins["tiny"].items():
        assert math.isclose(found[name], value, rel_tol=2e-4, abs_tol=1e-7), name


@pytest.mark.skipif("INPAINTKIT_WRITE_PINS" not in os.environ, reason="writes the pins anew, when asked")
def test_write(write_recipe: Callable[..., Path], tmp_path: Path, pictures: Path) -> None:
    PINS.write_text(
        json.dumps(
            {
                "protocols": {name: protocol_hash(name) for name in bundled("protocol")},
                "recipes": {name: recipe_pins(name) for name in bundled()},
                "tiny": tiny_numbers(write_recipe, tmp_path / "run", pictures),
            },
            indent=1,
        )
        + "\n"
    )
