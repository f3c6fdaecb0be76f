"""Components and checks that the tests of the conformance kit share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from inpaintkit import Loss, OptionError, Sample, hookimpl
from inpaintkit.core.hookspecs import KINDS
from inpaintkit.testing import PROPERTIES, Case, conformance
from inpaintkit.testing.component import NotApplicable


def plugin_of(kind: str, factory: Any, name: str = "tried") -> ModuleType:
    """A plugin that brings one component."""
    module = ModuleType("a_plugin")
    module.inpaintkit_api = 1  # type: ignore[attr-defined]

    def hook(register: Any) -> None:
        register(name, factory)

    setattr(module, KINDS[kind], hookimpl(hook))
    return module


def cases_of(plugin: Any, **arguments: Any) -> dict[str, Case]:
    [mark] = conformance(plugin, **arguments).pytestmark  # type: ignore[attr-defined]
    return {each.id: each.values[0] for each in mark.args[1]}


def cases(kind: str, factory: Any, **arguments: Any) -> dict[str, Case]:
    """The cases of one component, by property."""
    found = cases_of(plugin_of(kind, factory), **{"size": 16, **arguments})
    return {name.partition(": ")[2]: case for name, case in found.items()}


class GoodLoss(Loss):
    """Mean of the absolute difference in the hole."""

    def __init__(self, on: str = "output") -> None:
        super().__init__()
        self.on = on

    def forward(self, sample: Sample) -> Any:
        return ((sample.view(self.on).float() - sample.image).abs() * sample.mask).mean()


def untyped(width=4) -> None:  # type: ignore[no-untyped-def]
    """Its option is not annotated."""


def refuses() -> None:
    """Does not build."""
    raise OptionError("never")


#: What breaks two properties in every kind: (property, factory, what the message says to its author).
EVERY_KIND: list[tuple[str, Any, str]] = [
    ("options typed", untyped, "option 'width' is not annotated"),
    ("builds", refuses, "does not build: never"),
]


def broken_ids(broken: Sequence[tuple[str, Any, str]]) -> list[str]:
    """Names for the cases of ``check_broken``."""
    return [f"{name} {factory.__name__}" for name, factory, _ in broken]


def check_good(kind: str, factory: Any, skipped: set[str], folder: Path) -> None:
    """Every property holds; those in ``skipped``, and no others, do not apply."""
    found = cases(kind, factory)
    assert list(found) == ["registers", *PROPERTIES[kind]]
    inapplicable = set()
    for number, case in enumerate(found.values()):
        (folder / str(number)).mkdir()
        try:
            case.run(folder / str(number))
        except NotApplicable:
            inapplicable.add(case.name.partition(": ")[2])
    assert inapplicable == skipped


def check_broken(kind: str, name: str, factory: Any, message: str, folder: Path) -> None:
    """The property fails with the message, which names the component."""
    with pytest.raises(AssertionError, match=f"(?s){kind} 'tried'.*{message}"):
        cases(kind, factory)[name].run(folder)
