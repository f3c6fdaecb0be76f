"""``compare`` on a protocol of small metrics and small pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import inpaintkit_features
import numpy as np
import pytest
from inpaintkit_compare import ComparisonOptions, compare
from inpaintkit_compare.comparison import Comparison
from PIL import Image
from toy_methods import Level

from inpaintkit.core.plugins import Plugins, load_plugins
from inpaintkit.evaluation import TestSet, load_protocol
from inpaintkit.runtime import Execution

from .toys import (
    COUNT,
    NAMES,
    SIDE,
    Brings,
    Compared,
    sweep_tree,
    tree,
)


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    found = load_plugins([])
    assert not found.add("features", inpaintkit_features).error
    assert not found.add("brings", Brings()).error
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("test-set")
    rng = np.random.default_rng(0)
    for index in range(COUNT):
        pixels = rng.integers(10 * index, 10 * index + 40 + 8 * (index % 4), (SIDE, SIDE, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index:02d}.png")
    return folder


@pytest.fixture
def compared(plugins: Plugins, folder: Path) -> Compared:
    """``compare`` of methods by name, or of sources, on the toy protocol."""

    def run(
        *sources: Any,
        protocol: Any = None,
        images: Any = folder,
        out: Path | None = None,
        batch: int = 32,
        progress: bool = False,
        **options: Any,
    ) -> Comparison:
        execution = Execution(batch=batch, progress=progress)
        chosen = ComparisonOptions(**options)
        return compare(sources, protocol or tree(), images, chosen, out=out, execution=execution, plugins=plugins)

    return run


@pytest.fixture(scope="module")
def odd_names(plugins: Plugins, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, Path]:
    out = tmp_path_factory.mktemp("odd")
    methods = {name: Level(0.1 * at) for at, name in enumerate(NAMES)}
    return compare(methods, tree(), folder, ComparisonOptions(pictures=3), out=out, plugins=plugins), out


@pytest.fixture(scope="module")
def test_set(pictures: Path) -> TestSet:
    """The pictures under a protocol whose holes can be swept over."""
    return TestSet.open(load_protocol(sweep_tree()), pictures)
