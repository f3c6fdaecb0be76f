"""Discovery of plugins by entry point; a broken one is reported and takes nothing else down."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import attrs
import pluggy

from . import hookspecs
from .errors import PluginError
from .hookspecs import API_VERSION, KINDS
from .registry import BUILTIN, Registry

GROUP = "inpaintkit"
BUILTIN_MODULES = ("inpaintkit.builtin", "inpaintkit.methods")

#: Official plugins by entry-point name: they keep their names against other claims, and errors name their package.
OFFICIAL: dict[str, str] = {"perceptual-fcn": "inpaintkit-perceptual-fcn"}


@attrs.define
class PluginReport:
    """What became of one plugin."""

    name: str
    origin: str  # the module, or what the entry point says
    version: str = ""
    error: str = ""  # why none of it can be used
    warnings: list[str] = attrs.field(factory=list)  # single names refused
    components: list[str] = attrs.field(factory=list)  # "kind name"


class Plugins:
    """The registry that some plugins fill, and their observers."""

    def __init__(self) -> None:
        self.registry = Registry(precedence=(BUILTIN, *OFFICIAL))
        self.reports: list[PluginReport] = []
        self._manager = pluggy.PluginManager("inpaintkit")
        self._manager.add_hookspecs(hookspecs)
        for module in BUILTIN_MODULES:
            self.add(BUILTIN, importlib.import_module(module))

    @property
    def hook(self) -> Any:
        """Calls every plugin's implementation: ``plugins.hook.run_reported(...)``."""
        return self._manager.hook

    def add(self, name: str, plugin: Any, version: str = "") -> PluginReport:
        """Registers a plugin module or object; what is wrong with it stands in the report, nothing is raised."""
        report = PluginReport(name, getattr(plugin, "__name__", repr(plugin)), version)
        self.reports.append(report)
        try:
            self._check_contract(plugin)
            self._manager.register(plugin)
            self._manager.check_pending()  # a hook of ours by a name we do not have
            self._collect(report, plugin)
        except Exception as error:
            self._refuse(report, error)
            if self._manager.is_registered(plugin):
                self._manager.unregister(plugin)
        return report

    def add_entry_point(self, entry: EntryPoint) -> PluginReport:
        """Imports and registers what an installed package declares."""
        version = entry.dist.version if entry.dist else ""
        try:
            plugin = entry.load()
        except BaseException as error:  # SystemExit too: an import must not end the program
            if isinstance(error, KeyboardInterrupt):
                raise
            report = PluginReport(entry.name, entry.value, version)
            self.reports.append(report)
            self._refuse(report, error)
            return report
        return self.add(entry.name, plugin, version)

    def _refuse(self, report: PluginReport, error: BaseException) -> None:
        message = " ".join(str(error).split())
        expected = isinstance(error, PluginError | pluggy.PluginValidationError)
        report.error = message if expected else f"{type(error).__name__}: {message}"
        self.registry.notes.append(f"plugin {report.name!r} is not available ({report.error})")

    @staticmethod
    def _check_contract(plugin: Any) -> None:
        version = getattr(plugin, "inpaintkit_api", None)
        if version != API_VERSION:
            said = "does not say which contract it is written for" if version is None else f"has {version!r}"
            raise PluginError(f"it {said}: this inpaintkit needs inpaintkit_api = {API_VERSION}")

    def _collect(self, report: PluginReport, plugin: Any) -> None:
        """Asks one plugin for its components; they enter the registry only when all its hooks succeeded."""
        collected: list[tuple[str, str, Any]] = []
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        scratch = Registry()
        for kind, hook in KINDS.items():

            def register(name: str, factory: Any, kind: str = kind) -> None:
                scratch.add(kind, name, report.name, factory)
                collected.append((kind, name, factory))

            self._manager.subset_hook_caller(hook, remove_plugins=others)(register=register)
        for kind, name, factory in collected:
            clash = self.registry.add(kind, name, report.name, factory)
            if clash:
                report.warnings.append(clash)
            report.components.append(f"{kind} {name}")
        if not collected and not self._manager.get_hookcallers(plugin):
            report.warnings.append("implements no hook: are its functions decorated with @hookimpl?")


def load_plugins(entries: Iterable[EntryPoint] | None = None) -> Plugins:
    """The builtins and ``entries``, by default everything installed under the entry-point group ``inpaintkit``."""
    plugins = Plugins()
    found = entry_points(group=GROUP) if entries is None else entries
    for entry in sorted(found, key=lambda entry: (entry.name not in OFFICIAL, entry.name, entry.value)):
        plugins.add_entry_point(entry)
    return plugins


@cache
def installed() -> Plugins:
    """The plugins of this environment, discovered once."""
    return load_plugins()
