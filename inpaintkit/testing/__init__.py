"""The conformance kit for plugin authors: one line in a test file gives one pytest case per property.

>>> from inpaintkit.testing import conformance
>>> test_conformance = conformance("inpaintkit", without={"fid": "needs a backbone's weights"})  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

try:
    import pytest
except ModuleNotFoundError as error:  # pragma: no cover
    raise ModuleNotFoundError("inpaintkit.testing needs pytest: pip install 'inpaintkit[testing]'") from error

from ..core.errors import OptionError, did_you_mean
from ..core.hookspecs import KINDS
from ..core.plugins import PluginReport, Plugins, installed, load_plugins
from ..core.registry import Entry
from .augmentations import AUGMENTATION
from .component import Check, Component, NotApplicable, Violation, one_thread, require, seeded
from .discriminators import DISCRIMINATOR
from .generators import GENERATOR
from .losses import LOSS
from .masks import MASK_SAMPLER
from .methods import METHOD
from .metrics import METRIC
from .objectives import OBJECTIVE
from .observers import OBSERVER

__all__ = ["conformance"]

Options = Mapping[str, Any]
OptionsFrom = Callable[[Path], Options]

#: The check of every property, by kind of component and name of the property.
PROPERTIES: dict[str, dict[str, Check]] = {
    "generator": GENERATOR,
    "discriminator": DISCRIMINATOR,
    "loss": LOSS,
    "objective": OBJECTIVE,
    "mask sampler": MASK_SAMPLER,
    "metric": METRIC,
    "method": METHOD,
    "augmentation": AUGMENTATION,
    "observer": OBSERVER,
}


def conformance(
    plugin: str | ModuleType | object,
    *,
    options: Mapping[str, Options | OptionsFrom] | Callable[[Path], Mapping[str, Options]] | None = None,
    without: Mapping[str, str] | None = None,
    size: int = 64,
) -> Callable[..., None]:
    """A pytest test for every component that a plugin registers, with one case per property.

    The cases have names such as ``generator/dilated-fcn: odd sizes``; ``pytest -k dilated-fcn`` selects those of one
    component. A property that does not apply to a component is skipped with the reason. Write::

        from inpaintkit.testing import conformance

        test_conformance = conformance("my-plugin", options={"my-generator": {"width": 16}})

    Args:
        plugin: a module or object with hooks, the entry-point name of an installed plugin, or ``inpaintkit`` for the
            built-in components.
        options: the options for the tests, written as in a recipe, by component name (``l1``, or ``metric/l1`` where
            two kinds share a name); components that are not listed use their defaults. Small networks keep the tests
            fast. If a component needs files, give a function that takes an empty folder, creates the files there and
            returns the options: for one component, or for all of them.
        without: components to skip, with the reason.
        size: the side of the test pictures and masks, at least 16; components with an attribute ``size`` get pictures
            of that size.

    Raises:
        OptionError: ``options`` or ``without`` name a component that the plugin does not register, or a reason is
            missing.
    """
    if type(size) is not int or size < 16:
        raise OptionError(f"size is {size!r}: an integer of at least 16 is expected", ("size",))
    plugins, name, reports = find(plugin)
    broken = not reports or any(report.error for report in reports)
    entries = (
        [] if broken else [entry for kind in KINDS for entry in plugins.registry.entries(kind) if entry.plugin == name]
    )
    without = without or {}
    if not broken:
        check_names(entries, {} if callable(options) else options or {}, without)
    cases = [Case(f"plugin/{name}: registers", lambda folder: registers(name, reports))]
    for entry in entries:
        title, reason = f"{entry.kind}/{entry.name}", chosen(without, entry)
        if reason is not None:
            cases.append(Case(f"{title}: not tested", skipping(reason)))
            continue
        for text, check in PROPERTIES[entry.kind].items():
            cases.append(Case(f"{title}: {text}", testing(check, entry, plugins, options or {}, size)))

    @pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in cases])
    def test_conformance(case: Case, tmp_path: Path) -> None:
        __tracebackhide__ = True
        try:
            with seeded(case.name), one_thread():
                case.run(tmp_path)
        except NotApplicable as reason:
            pytest.skip(str(reason))

    return test_conformance


@attrs.frozen
class Case:
    """One property of one component: the name of the pytest case and its function."""

    name: str
    run: Callable[[Path], None]


def find(plugin: str | ModuleType | object) -> tuple[Plugins, str, list[PluginReport]]:
    """The loaded plugins, the name of this plugin among them, and the reports on loading it."""
    if isinstance(plugin, str):
        plugins, name = installed(), plugin
    else:
        origin = getattr(plugin, "__name__", repr(plugin))
        plugins = installed()
        names = [report.name for report in plugins.reports if report.origin == origin]
        if names:
            name = names[0]
        else:
            plugins, name = load_plugins(), str(getattr(plugin, "__name__", type(plugin).__name__))
            plugins.add(name, plugin)
    return plugins, name, [report for report in plugins.reports if report.name == name]


def registers(name: str, reports: list[PluginReport]) -> None:
    """The plugin loads and registers its components without errors or warnings."""
    known = sorted({report.name for report in installed().reports})
    require(
        bool(reports),
        f"no plugin {name!r} is installed{did_you_mean(name, known)}; installed: {', '.join(known)}. Install it "
        "(`pip install -e .`), or give conformance() the module itself",
    )
    for report in reports:
        require(not report.error, f"plugin {name!r} ({report.origin}) cannot be used: {report.error}")
        require(not report.warnings, f"plugin {name!r} ({report.origin}): " + "; ".join(report.warnings))


def chosen(by_name: Mapping[str, Any], entry: Entry) -> Any:
    """The value for a component, under ``kind/name`` or its name alone."""
    return by_name.get(f"{entry.kind}/{entry.name}", by_name.get(entry.name))


def check_names(entries: list[Entry], options: Mapping[str, Any], without: Mapping[str, str]) -> None:
    """Raises an OptionError if ``options`` or ``without`` name an unknown component, or a reason is missing."""
    names = [name for entry in entries for name in (entry.name, f"{entry.kind}/{entry.name}")]
    wrong = [
        OptionError(
            f"{what} names {name!r}, which the plugin does not register{did_you_mean(name, names)}", (what, name)
        )
        for what, given in (("options", options), ("without", without))
        for name in given
        if name not in names
    ]
    wrong += [
        OptionError(f"without[{name!r}]: give the reason for skipping it", ("without", name))
        for name, reason in without.items()
        if not isinstance(reason, str) or not reason.strip()
    ]
    if wrong:
        raise OptionError.join(wrong)


def skipping(reason: str) -> Callable[[Path], None]:
    """The function of a case that is always skipped."""

    def run(folder: Path) -> None:
        raise NotApplicable(reason)

    return run


def testing(check: Check, entry: Entry, plugins: Plugins, options: Any, size: int) -> Callable[[Path], None]:
    """The function of a case: resolves the component's options and checks the property."""

    def run(folder: Path) -> None:
        __tracebackhide__ = True
        given = chosen(options(folder) if callable(options) else options, entry)
        if callable(given):
            given = given(folder)
        component = Component(entry, plugins, given or {}, size, folder)
        try:
            check(component)
        except Violation as error:
            raise Violation(f"{component.name}: {error}") from error.__cause__

    return run
