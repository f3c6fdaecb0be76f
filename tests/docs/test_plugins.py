"""The plugins that the pages describe."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from inpaintkit import load_recipe
from inpaintkit.cli import main
from inpaintkit.core.plugins import GROUP, installed
from inpaintkit.pipeline import check as check_steps

from .pages import ROOT, blocks, read


def test_the_plugin_of_the_page_conforms(ellipses: Path, tmp_path: Path) -> None:
    [report] = [report for report in installed().reports if report.name == "ellipses"]
    assert (report.error, report.warnings) == ("", [])
    components = ["generator small-fcn", "loss mean-color", "mask sampler ellipse", "augmentation fog", "observer best"]
    others = ["recipe ellipses/photos", "protocol ellipses/ellipse_64", "command draw-ellipses"]
    assert report.provides == [*components, *others]
    test = runpy.run_path(str(ellipses / "tests" / "test_conformance.py"))["test_conformance"]
    [marked] = [mark for mark in test.pytestmark if mark.name == "parametrize"]
    passed = 0
    for number, case in enumerate(marked.args[1]):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            test(*case.values, folder)
            passed += 1
        except pytest.skip.Exception:
            continue
    assert passed > 20


def test_the_recipe_of_the_page_trains(ellipses: Path) -> None:
    loaded = load_recipe("ellipses/photos")
    check_steps(loaded)
    assert loaded.method_on_meta.steps == 2000


def test_the_command_and_the_observer_of_the_page(ellipses: Path, tmp_path: Path) -> None:
    main(["draw-ellipses", "-o", str(tmp_path / "masks.png"), "--size", "32"], standalone_mode=False)
    assert read(str(tmp_path / "masks.png")).shape == (32, 256)
    observer = installed().registry.get("observer", "best").load()()
    observer.started(tmp_path, {})
    for step, value in ((5, 20.0), (10, 19.0)):
        observer.logged(step, {"validation/psnr[rgb]": value}, {})
    assert (tmp_path / "best.txt").read_text() == "20.00 at step 5\n"


def test_the_plugin_of_the_readme() -> None:
    found = blocks(ROOT / "README.md", "toml", "python")
    [project] = [block for block in found if block.language == "toml"]
    [(name, module)] = tomllib.loads(project.text)["project"]["entry-points"][GROUP].items()
    [code] = [block for block in found if block.file == f"{module}/__init__.py"]
    made = ModuleType(module)
    exec(code.text, vars(made))
    plugins = type(installed())()
    report = plugins.add(name, made)
    assert (report.error, report.warnings, report.provides) == ("", [], ["loss mean-color"])
