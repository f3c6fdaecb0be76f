"""The Python and YAML of the pages works as written."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from inpaintkit import load_recipe
from inpaintkit.cli import main
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


def test_the_picture_of_the_readme_is_what_its_command_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mask is the one that the script draws; the picture is the script's, and only the hole differs."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first = next(block.text for block in blocks(ROOT / "README.md", "bash"))
    assert readme.index("(docs/images/object-removal.png)") < readme.index(first)
    program, *arguments = shlex.split(first)
    assert program == "inpaintkit"
    monkeypatch.chdir(ROOT)
    assert arguments[-1] == "filled.png"
    with pytest.raises(SystemExit) as ended:
        main([*arguments[:-1], str(tmp_path / "filled.png")])
    assert ended.value.code == 0
    shutil.copy(DOCS / "images" / "rocket.jpg", tmp_path)
    script = loaded(DOCS / "howto" / "object_removal.py")
    script.main(tmp_path)
    mask = read(str(tmp_path / "rocket-mask.png"))
    assert np.array_equal(mask, read(str(DOCS / "images" / "rocket-mask.png")))
    before, after = read(str(tmp_path / "rocket.jpg")), read(str(tmp_path / "filled.png"))
    changed = before != after  # (H, W, 3)
    assert changed[mask > 0].mean() > 0.5
    assert not changed[mask == 0].any()
    left, top, right, bottom = script.SHOWN
    picture = read(str(tmp_path / "object-removal.png"))
    wide = right - left
    assert picture.shape == read(str(DOCS / "images" / "object-removal.png")).shape == (bottom - top, 3 * wide + 16, 3)
    assert np.array_equal(picture[:, :wide], before[top:bottom, left:right])
    assert np.array_equal(picture[:, -wide:], after[top:bottom, left:right])
