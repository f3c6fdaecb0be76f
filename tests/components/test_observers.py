"""The observer ``csv``: its table grows, survives a crash and a resumed run; and what a whole run tells observers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml

from inpaintkit import OptionError, RecipeError, load_recipe, pipeline
from inpaintkit.components.observers import CSV
from inpaintkit.core.interfaces import Observer
from inpaintkit.runs.folder import Run

Write = Callable[..., Path]


def test_rows_are_appended_and_columns_grow(tmp_path: Path) -> None:
    observer = CSV()
    observer.started(tmp_path, {})
    assert not list(tmp_path.iterdir())
    observer.logged(2, {"loss": 0.5, "lr": 1e-3}, {"stage": "first"})
    observer.logged(4, {"loss": 0.25, "lr": 1e-3}, {"stage": "first"})
    assert (tmp_path / "log.csv").read_text() == "step,loss,lr\n2,0.5,0.001\n4,0.25,0.001\n"
    observer.logged(4, {"psnr": 20.0}, {})
    observer.logged(6, {"loss": 0.125}, {})
    observer.ended("finished")
    rows = ["step,loss,lr,psnr", "2,0.5,0.001,", "4,0.25,0.001,", "4,,,20.0", "6,0.125,,"]
    assert (tmp_path / "log.csv").read_text().splitlines() == rows
    assert [file.name for file in tmp_path.iterdir()] == ["log.csv"]


def test_a_resumed_run_goes_on_in_the_same_file(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("step,loss\n2,0.5\n4,0.25\n6,0.2\n8,0.1")  # killed; the last line is cut short
    observer = CSV("table.csv")
    observer.started(tmp_path, {})
    observer.logged(6, {"loss": 0.3}, {})
    observer.logged(6, {"psnr": 20.0}, {})
    assert table.read_text() == "step,loss,psnr\n2,0.5,\n4,0.25,\n6,0.3,\n6,,20.0\n"
    observer.started(tmp_path, {})  # an evaluation, which logs nothing
    observer.ended("finished")
    assert table.read_text().endswith("6,,20.0\n")


@pytest.mark.parametrize("file", ["", "a/b.csv", "../log.csv"])
def test_the_file_stays_in_the_folder(file: str) -> None:
    with pytest.raises(OptionError, match="expected the name of a file"):
        CSV(file)


class Listener(Observer):
    """Keeps the names of what is called, and the results."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.results: list[Mapping[str, Any]] = []

    def started(self, run_folder: Path, recipe: Mapping[str, Any]) -> None:
        self.calls.append("started")

    def logged(self, step: int, values: Mapping[str, float], words: Mapping[str, str]) -> None:
        self.calls.append("logged")

    def evaluated(self, results: Mapping[str, Any]) -> None:
        self.calls.append("evaluated")
        self.results.append(results)

    def ended(self, reason: str) -> None:
        self.calls.append(f"ended: {reason}")


PROTOCOL = {"name": "tiny", "masks": {"use": "center-square", "side": 6}, "size": 16, "metrics": ["l1"]}


def test_a_recipe_names_observers(
    write_recipe: Write, tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training and evaluation are told apart, in `run` and in `evaluate`; the file is in the run's folder."""
    changes = {"data": {"test": str(pictures)}, "evaluate": [PROTOCOL], "run": {"observers": ["csv"]}}
    recipe = load_recipe(write_recipe(changes))
    [observer] = recipe.run.observers
    assert isinstance(observer, CSV)
    listener = Listener()
    recipe = attrs.evolve(recipe, run=attrs.evolve(recipe.run, observers=(*recipe.run.observers, listener)))
    monkeypatch.setattr(Run, "recipe", lambda self, plugins=None: recipe)
    pipeline.run(recipe, tmp_path / "run", tmp_path, resume=False, show=False)
    assert listener.calls == ["started", *["logged"] * 4, "ended: finished", "started", "evaluated", "ended: finished"]
    assert listener.results[0]["protocol"]["name"] == "tiny"
    assert (tmp_path / "run" / "log.csv").read_text().startswith("step,seconds,")
    listener.calls.clear()
    pipeline.evaluate(tmp_path / "run", device="cpu", show=False)
    assert listener.calls == ["started", "evaluated", "ended: finished"]


def test_a_wrong_observer_is_a_problem_of_the_recipe(write_recipe: Write) -> None:
    for observers, says in (
        ("csv", "expected list of observer"),
        (["cvs"], "unknown observer 'cvs', did you mean 'csv'?"),
        ([{"use": "csv", "file": 3}], "run.observers[0].file: expected string"),
        ([{"use": "csv", "file": "a/b"}], "run.observers[0].file: expected the name of a file"),
    ):
        with pytest.raises(RecipeError) as caught:
            load_recipe(write_recipe({"run": {"observers": observers}}))
        assert says in str(caught.value)


def test_no_observers_by_default(write_recipe: Write) -> None:
    recipe = load_recipe(write_recipe())
    assert recipe.run.observers == ()
    assert "observers" not in yaml.safe_dump(dict(recipe.tree))
