"""Discovery of plugins by entry point; a broken one is reported and takes nothing else down."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import attrs
import pluggy

from . import hookspecs
from .errors import PluginError, did_you_mean
from .hookspecs import API_VERSION, HOOKS, KINDS
from .registry import BUILTIN, Registry

if TYPE_CHECKING:
    from pathlib import Path

GROUP = "inpaintkit"
BUILTIN_MODULES = ("inpaintkit.components",)

#: Official plugins by entry-point name: they keep their names against other claims, and errors name their package.
PAPERS = ("perceptual-fcn", "neural-features", "classical", "semantic-dcgan", "dual-path")
OFFICIAL: dict[str, str] = {name: f"inpaintkit-{name}" for name in PAPERS}


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

    def add(self, name: str, plugin: Any, version: str = "") -> PluginReport:
        """Registers a plugin module or object; what is wrong with it stands in the report, nothing is raised."""
        report = PluginReport(name, getattr(plugin, "__name__", type(plugin).__name__), version)
        registered = self._manager.is_registered(plugin)
        try:
            self._check_name(report)
            self._check_contract(plugin)
            if registered:
                raise PluginError(f"{report.origin} is registered by another name already")
            self._manager.register(plugin, report.origin if name == BUILTIN else name)
            self._check_hooks(plugin)
            self._collect(report, plugin)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too: a plugin must not end the program
            self._refuse(report, error)
            if not registered and self._manager.is_registered(plugin):
                self._manager.unregister(plugin)
        self.reports.append(report)
        return report

    def add_entry_point(self, entry: EntryPoint) -> PluginReport:
        """Imports and registers what an installed package declares."""
        version = ""
        try:
            version = (entry.dist.version if entry.dist else "") or ""
            plugin = entry.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            report = PluginReport(entry.name, entry.value, version)
            self._refuse(report, error)
            self.reports.append(report)
            return report
        return self.add(entry.name, plugin, version)

    def tell(self, run: Path, step: int, logs: Mapping[str, Any]) -> dict[str, Exception]:
        """Calls every plugin's ``run_reported``; returns what those that failed raised, by plugin."""
        failed: dict[str, Exception] = {}
        everyone = self._manager.get_plugins()
        for listening in self._manager.hook.run_reported.get_hookimpls():
            others = everyone - {listening.plugin}
            try:
                self._manager.subset_hook_caller("run_reported", others)(run=run, step=step, logs=logs)
            except Exception as error:
                failed[listening.plugin_name] = error
        return failed

    def _refuse(self, report: PluginReport, error: BaseException) -> None:
        message = " ".join(str(error).split())
        expected = isinstance(error, PluginError | pluggy.PluginValidationError)
        report.error = message if expected else f"{type(error).__name__}: {message}"
        self.registry.notes.append(f"plugin {report.name!r} is not available ({report.error})")

    def _check_name(self, report: PluginReport) -> None:
        for other in self.reports:
            if other.name == report.name and not other.error and report.origin not in BUILTIN_MODULES:
                raise PluginError(f"the name {other.name!r} is taken by {other.origin}; this is {report.origin}")

    @staticmethod
    def _check_contract(plugin: Any) -> None:
        version = getattr(plugin, "inpaintkit_api", None)
        if version != API_VERSION:
            said = "does not say which contract it is written for" if version is None else f"is written for {version!r}"
            raise PluginError(f"it {said}: this inpaintkit needs inpaintkit_api = {API_VERSION}")

    def _check_hooks(self, plugin: Any) -> None:
        for caller in self._manager.get_hookcallers(plugin) or ():
            if caller.name not in HOOKS:
                raise PluginError(f"there is no hook {caller.name!r}{did_you_mean(caller.name, HOOKS)}")
            for found in caller.get_hookimpls():
                if found.plugin is plugin and caller.name in KINDS.values() and "register" not in found.argnames:
                    raise PluginError(f"hook {caller.name!r} must take the argument 'register'")

    def _collect(self, report: PluginReport, plugin: Any) -> None:
        """Asks one plugin for its components; they enter the registry only when all its hooks succeeded."""
        collected: list[tuple[str, str, Any]] = []
        others = self._manager.get_plugins() - {plugin}
        implemented = {caller.name for caller in self._manager.get_hookcallers(plugin) or ()}
        scratch = Registry()
        for kind, hook in KINDS.items():
            if hook not in implemented and callable(getattr(plugin, hook, None)):
                report.warnings.append(f"{hook} is not called: decorate it with @hookimpl")

            def register(name: str, factory: Any, kind: str = kind) -> None:
                scratch.add(kind, name, report.name, factory)
                collected.append((kind, name, factory))

            self._manager.subset_hook_caller(hook, remove_plugins=others)(register=register)
        for kind, name, factory in collected:
            clash = self.registry.add(kind, name, report.name, factory)
            if clash:
                report.warnings.append(clash)
            report.components.append(f"{kind} {name}")
        if not implemented and not report.warnings:
            report.warnings.append("it implements no hook")


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
