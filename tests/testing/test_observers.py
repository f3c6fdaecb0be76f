"""The kit on observers: what keeps the contract passes, and one that breaks it for each property."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from inpaintkit import Observer
from inpaintkit.components.observers import CSV

from .toys import EVERY_KIND, broken_ids, check_broken, check_good


class Silent(Observer):
    """Does nothing."""


class NoDocstring(Observer):
    pass


class HalfAnObserver:
    """Has not all the methods."""

    def started(self, run_folder: Path, recipe: Mapping[str, Any]) -> None: ...


class FixedNames(Observer):
    """Expects the names of the first line in every other."""

    names: tuple[str, ...] = ()

    def logged(self, step: int, values: Mapping[str, float], words: Mapping[str, str]) -> None:
        self.names = self.names or tuple(values)
        print([values[name] for name in self.names])


class AddsToResults(Observer):
    """Expects a log before results."""

    last: Mapping[str, float] | None = None

    def evaluated(self, results: Mapping[str, Any]) -> None:
        assert self.last is not None


class ClosesWhatItOpens(Observer):
    """Expects a log before the end."""

    file: Any = None

    def ended(self, reason: str) -> None:
        self.file.close()


GOOD = [Silent, CSV]

BROKEN: list[tuple[str, Any, str]] = [
    *EVERY_KIND,
    ("options typed", NoDocstring, "it has no docstring of its own"),
    ("builds", HalfAnObserver, "does not define logged and evaluated and ended: an observer needs them"),
    ("training", FixedNames, r"logged\(\) raised KeyError: 'seconds'"),
    ("evaluation", AddsToResults, r"evaluated\(\) raised AssertionError"),
    ("failure", ClosesWhatItOpens, r"ended\(\) raised AttributeError"),
]


@pytest.mark.parametrize("factory", GOOD)
def test_passes_what_keeps_the_contract(factory: Any, tmp_path: Path) -> None:
    check_good("observer", factory, set(), tmp_path)


@pytest.mark.parametrize(("name", "factory", "message"), BROKEN, ids=broken_ids(BROKEN))
def test_fails_what_breaks_it(name: str, factory: Any, message: str, tmp_path: Path) -> None:
    check_broken("observer", name, factory, message, tmp_path)
