"""A folder in which the examples run, and the plugin of the page on plugins."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from inpaintkit import load_recipe, train
from inpaintkit.core.plugins import GROUP, installed
from inpaintkit.pipeline import begin

from .pages import DOCS, blocks

PLUGIN = DOCS / "howto" / "write-a-plugin.md"
RUN = "runs/iccv_perceptual-demo"
SMALL = [
    "data.train.files=[data/chelsea.png]",
    "data.prepare.short_side=64",
    "data.batch=2",
    "method.generator.width=4",
    "method.critics.image.net.width=2",
    "method.stages.coarse.steps=1",
    "method.stages.warm=null",
    "method.stages.fine=null",
    "validate.images=1",
]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a run of one step, photographs and a mask."""
    folder = tmp_path_factory.mktemp("workshop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INPAINTKIT_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        recipe = load_recipe("iccv_perceptual", "demo", SMALL)
        train(recipe, begin(recipe, Path(RUN), Path("runs"), resume=False), show=False)
        for place in ("train", "test"):
            (folder / "photos" / place).mkdir(parents=True)
            Image.new("RGB", (64, 64), "gray").save(folder / "photos" / place / "one.png")
        yield folder


@pytest.fixture
def in_workshop(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(workshop)
    Image.new("RGB", (40, 30), (200, 90, 30)).save("photo.png")
    mask = Image.new("L", (40, 30))
    mask.paste(255, (10, 10, 20, 20))
    mask.save("mask.png")
    return workshop


@pytest.fixture
def ellipses(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The plugin that the page makes, as if it were installed."""
    folder = tmp_path_factory.mktemp("ellipses")
    for block in blocks(PLUGIN, "python", "toml", "yaml"):
        if block.file:
            (folder / block.file).parent.mkdir(exist_ok=True, parents=True)
            (folder / block.file).write_text(block.text, encoding="utf-8")
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    info = folder / "inpaintkit_ellipses-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['project']['name']}\nVersion: 0.1.0\n")
    points = project["project"]["entry-points"][GROUP]
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()))
    monkeypatch.syspath_prepend(folder)
    installed.cache_clear()
    yield folder
    installed.cache_clear()
    for module in [name for name in sys.modules if name.partition(".")[0] == "inpaintkit_ellipses"]:
        del sys.modules[module]
