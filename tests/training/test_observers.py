"""Observers during a training."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from toy_runs import Listener, observed, plain, steps_of, trained

from inpaintkit.core.errors import Interrupted, NonFiniteError
from inpaintkit.core.plugins import Plugins
from inpaintkit.pipeline import begin
from inpaintkit.recipe import load_recipe
from inpaintkit.training.loop import train

Write = Callable[..., Path]


class Failing(Listener):
    """Fails at every line of the log."""

    def logged(self, step: int, values: Mapping[str, float], words: Mapping[str, str]) -> None:
        raise ConnectionError("the tracker is away")


def test_an_observer_that_fails_is_reported_once(
    write_recipe: Write, tmp_path: Path, plugins: Plugins, capsys: pytest.CaptureFixture[str]
) -> None:
    before, failing, after = Listener(), Failing(), Listener()
    recipe = observed(load_recipe(write_recipe(plain()), plugins=plugins), before, failing, after)
    run = begin(recipe, tmp_path / "run", tmp_path, resume=False)
    train(recipe, run, show=True, plugins=plugins)
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("observer Failing: logged() failed: ConnectionError: the tracker is away (reported once)") == 1
    assert failing.heard == [("started", run.folder, recipe.tree), ("ended", "finished")]
    assert before.heard == after.heard
    assert [call[0] for call in before.heard] == ["started", *["logged"] * 4, "ended"]
    assert [call[1] for call in before.heard[1:-1]] == [2, 4, 6, 6]
    assert steps_of(run) == [4, 6]


def test_observers_follow_a_run_that_stops_and_goes_on(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    changes = plain()
    stopping = {"use": "stopping", "region": None, "at": 3, "number": int(signal.SIGTERM)}
    changes["method"]["losses"] = {"reconstruction": stopping}
    listener = Listener()
    recipe = observed(load_recipe(write_recipe(changes), plugins=plugins), listener)
    with pytest.raises(Interrupted):
        trained(recipe, tmp_path / "run", plugins)
    assert [call[:2] for call in listener.heard[1:]] == [("logged", 2), ("logged", 4), ("ended", "stopped")]
    listener.heard.clear()
    run = trained(recipe, tmp_path / "run", plugins, resume=True)
    assert listener.heard[0] == ("started", run.folder, recipe.tree)
    assert [call[:2] for call in listener.heard[1:]] == [("logged", 6), ("logged", 6), ("ended", "finished")]


def test_observers_are_told_why_a_run_failed(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    changes = plain()
    changes["method"]["losses"] = {"reconstruction": {"use": "breaking", "region": None, "at": 2}}
    listener = Listener()
    with pytest.raises(NonFiniteError):
        trained(observed(load_recipe(write_recipe(changes), plugins=plugins), listener), tmp_path / "run", plugins)
    assert listener.heard[-1][1].startswith("failed: NonFiniteError: ")
