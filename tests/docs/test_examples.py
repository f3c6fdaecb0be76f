"""The Python and YAML of the pages works as written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from inpaintkit import load_recipe
from inpaintkit.core.errors import RecipeError
from inpaintkit.evaluation.protocol import load_protocol

from .pages import DOCS, ROOT, blocks, loaded, name_of, read, with_blocks

#: Names that the Python of a page expects.
GIVEN: dict[str, dict[str, Any]] = {
    "README.md": {
        "batches": iter([torch.zeros(2, 3, 64, 64)] * 2),
        "photo": np.zeros((16, 16, 3), np.uint8),
        "hole": np.eye(16) > 0,
    }
}
#: Text of a page that is replaced, so that its example runs quickly.
REPLACED: dict[str, tuple[str, str]] = {"README.md": ('Stage("all", 1000,', 'Stage("all", 2,')}


@pytest.mark.parametrize("page", with_blocks("python"))
def test_python_runs_as_written(page: Path, in_workshop: Path) -> None:
    found = blocks(page, "python")
    plugin = any(block.file.endswith("__init__.py") for block in found) and page.name != "README.md"
    space = {"__name__": "docs", **GIVEN.get(name_of(page), {})}
    if (less := REPLACED.get(name_of(page))) is not None:
        assert any(less[0] in block.text for block in found)
    for block in found:
        if plugin and block.file:
            continue  # a file of the plugin, see test_plugins.py
        text = block.text.replace(*less) if less else block.text
        exec(compile("\n" * (block.line - 1) + text, str(page), "exec"), space)
    if page.name == "README.md" and page.parent == ROOT:
        assert space["picture"].shape == (16, 16, 3)
    if page.name == "tutorial.md":
        assert read("filled.png").shape == (30, 40, 3)


def is_part(tree: dict[str, Any]) -> bool:
    return not {"method", "extends", "metrics"} & set(tree)


@pytest.mark.parametrize("page", with_blocks("yaml"))
def test_yaml_is_valid_as_written(
    page: Path, workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ellipses: Path
) -> None:
    """Recipes and protocols are loaded; parts of recipes extend a bundled one."""
    monkeypatch.chdir(tmp_path)
    files = {}
    for number, block in enumerate(blocks(page, "yaml")):
        file = tmp_path / (block.file or f"part{number}.yaml")
        file.parent.mkdir(exist_ok=True, parents=True)
        tree = yaml.safe_load(block.text)
        file.write_text(("extends: iccv_perceptual\n" if is_part(tree) else "") + block.text, encoding="utf-8")
        files[file] = tree
    for file, tree in files.items():
        if file.stem == "wrong":
            with pytest.raises(RecipeError) as caught:
                load_recipe("wrong.yaml")
            problems = caught.value.problems
            report = f"{caught.value}\n{len(problems)} problems\n"
            assert report in [block.text for block in blocks(page, "text")], report
        elif "metrics" in tree:
            load_protocol(file)
        else:
            load_recipe(file)


def test_the_object_is_removed_and_nothing_else(in_workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = loaded(DOCS / "howto" / "object_removal.py")
    script.main("runs/object-removal", "object-removal")
    before, mask, after = (read(f"object-removal/{name}.png") for name in ("astronaut", "mask", "filled"))
    changed = before != after  # (H, W, 3)
    assert changed[mask > 0].mean() > 0.5
    rows, columns = np.nonzero(mask)
    top, left, bottom, right = rows.min(), columns.min(), rows.max(), columns.max()
    assert not changed[: top - script.GROW].any()
    assert not changed[:, : left - script.GROW].any()
    assert not changed[bottom + script.GROW + 1 :].any()
    assert not changed[:, right + script.GROW + 1 :].any()
    left, top, right, bottom = script.SHOWN
    assert read("object-removal/object-removal.png").shape == (2 * (bottom - top), 6 * (right - left) + 16, 3)
