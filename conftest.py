"""What many tests share: one thread, a cache of their own, and tiny pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import settings
from PIL import Image

settings.register_profile("untimed", settings(), deadline=None)  # no test fails because the machine is busy
settings.load_profile("untimed")
torch.set_num_threads(1)  # small tensors: threads cost more than they bring


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Decoded pictures go to a folder of the session's, never to the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INPAINTKIT_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of twelve smooth 20x20 pictures, each another."""
    folder = tmp_path_factory.mktemp("pictures")
    y, x = np.mgrid[0:20, 0:20] / 19
    for number in range(12):
        waves = [np.sin((1 + number % 3) * x * 3 + shift) * np.cos((1 + number // 3) * y * 2) for shift in (0, 1, 2)]
        pixels = np.stack(waves, -1) * 100 + 128
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"wave-{number:02}.png")
    return folder


@pytest.fixture
def write_recipe(pictures: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes a small adversarial recipe, ``changes`` laid over it: mappings merge, None removes a key."""

    def write(changes: dict[str, Any] | None = None, name: str = "small") -> Path:
        tree: dict[str, Any] = {
            "seed": 3,
            "data": {
                "train": str(pictures),
                "batch": 4,
                "size": 16,
                "validation": 0.25,
                "augment": [{"RandomCrop": {"size": [16, 16]}}, {"RandomHorizontalFlip": {"p": 0.5}}],
            },
            "masks": {"use": "random-square", "min": 4, "max": 8},
            "method": {
                "use": "adversarial",
                "generator": {"use": "dilated-fcn", "width": 4},
                "losses": {"reconstruction": {"use": "l1", "region": "hole"}},
                "stages": [{"name": "only", "steps": 6, "weights": {"reconstruction": 1}}],
            },
            "validate": {"images": 4},
            "run": {
                "device": "cpu", "threads": 1, "log_every": 2, "sample_every": 100, "checkpoint_every": 2, "keep": 2
            },
        }  # fmt: skip
        merge(tree, changes or {})
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(tree, sort_keys=False))
        return path

    return write


def merge(tree: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if value is None:
            tree.pop(key, None)
        elif isinstance(value, dict) and isinstance(tree.get(key), dict):
            merge(tree[key], value)
        else:
            tree[key] = value
