"""A protocol of small metrics on small pictures."""

from __future__ import annotations

from pathlib import Path

import inpaintkit_features
import numpy as np
import pytest
from PIL import Image

from inpaintkit.core.plugins import Plugins, load_plugins
from inpaintkit.evaluation.evaluator import evaluate
from inpaintkit.evaluation.protocol import Protocol, load_protocol
from inpaintkit.evaluation.results import Results
from inpaintkit.evaluation.testset import TestSet

from .toys import COUNT, SIDE, Brings, Drawn, tree


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    found = load_plugins([])
    assert not found.add("features", inpaintkit_features).error
    assert not found.add("brings", Brings()).error
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures whose names are sorted and whose content gets harder to guess."""
    folder = tmp_path_factory.mktemp("test-set")
    rng = np.random.default_rng(0)
    for index in range(COUNT):
        noise = rng.integers(-6 * index - 2, 6 * index + 3, (SIDE, SIDE, 3))
        Image.fromarray(np.clip(127 + noise, 0, 255).astype(np.uint8)).save(folder / f"{index:02d}.png")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPAINTKIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def protocol(plugins: Plugins) -> Protocol:
    return load_protocol(tree(), plugins)


@pytest.fixture
def test_set(protocol: Protocol, folder: Path) -> TestSet:
    return TestSet.open(protocol, folder)


@pytest.fixture
def results(plugins: Plugins, protocol: Protocol, folder: Path) -> Results:
    return evaluate(Drawn(), protocol, folder, name="ours", plugins=plugins)
