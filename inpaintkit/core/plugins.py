"""Discovery of plugins by entry point; a broken one is reported and takes nothing else down."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, requires
from pathlib import Path
from typing import Any

import attrs
import pluggy

from . import hookspecs
from .errors import PluginError, did_you_mean
from .hookspecs import API_VERSION, HOOKS, KINDS
from .registry import BUILTIN, Entry, Registry

GROUP = "inpaintkit"
BUILTIN_MODULES = ("inpaintkit.components", "inpaintkit.cli")


@cache
def official() -> dict[str, str]:
    """The official plugins, entry point -> distribution: those that inpaintkit's own extra ``papers`` requires.

    They keep their names against the claims of others, and errors name their distribution.
    """
    try:
        lines = requires(BUILTIN) or []
    except PackageNotFoundError:  # a copy of the sources that is not installed
        return {}
    found = [re.match(rf"{BUILTIN}-([\w-]+)", line) for line in lines if re.search(r"extra == .papers.", line)]
    return {match[1]: match[0] for match in found if match}


@attrs.define
class PluginReport:
    """What became of one plugin."""

    name: str
    origin: str  # the module, or what the entry point says
    version: str = ""
    error: str = ""  # why none of it can be used
    warnings: list[str] = attrs.field(factory=list)  # single names refused
    provides: list[str] = attrs.field(factory=list)  # "kind name"

    @property
    def complaints(self) -> list[str]:
        return [line for line in (self.error, *self.warnings) if line]


class Plugins:
    """The builtin plugins, those that are added, and the registry that they fill."""

    def __init__(self) -> None:
        self.registry = Registry(precedence=(BUILTIN, *official()))
        self.reports: list[PluginReport] = []
        self._manager = pluggy.PluginManager("inpaintkit")
        self._manager.add_hookspecs(hookspecs)
        for module in BUILTIN_MODULES:
            self.add(BUILTIN, importlib.import_module(module))

    def add(self, name: str, plugin: Any, version: str = "") -> PluginReport:
        """Registers a plugin module or object; what is wrong with it stands in the report, nothing is raised."""
        report = PluginReport(name, getattr(plugin, "__name__", type(plugin).__name__), version)
        registered = self._manager.is_registered(plugin)
        with self._refusing(report):
            self._check(report, plugin)
            self._manager.register(plugin, report.origin if name == BUILTIN else name)
            self._check_hooks(plugin)
            self._collect(report, plugin)
        if report.error and not registered and self._manager.is_registered(plugin):
            self._manager.unregister(plugin)
        self.reports.append(report)
        return report

    def add_entry_point(self, entry: EntryPoint) -> PluginReport:
        """Imports and registers what an installed package declares."""
        report = PluginReport(entry.name, entry.value)
        with self._refusing(report):
            report.version = (entry.dist.version if entry.dist else "") or ""
            return self.add(entry.name, entry.load(), report.version)
        self.reports.append(report)
        return report

    @contextmanager
    def _refusing(self, report: PluginReport) -> Iterator[None]:
        """Whatever a plugin raises goes to its report: SystemExit too, since a plugin must not end the program."""
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            message = " ".join(str(error).split())
            expected = isinstance(error, PluginError | pluggy.PluginValidationError)
            report.error = message if expected else f"{type(error).__name__}: {message}"
            self.registry.notes.append(f"plugin {report.name!r} is not available ({report.error})")

    def _check(self, report: PluginReport, plugin: Any) -> None:
        """Checks the plugin's name and the contract that it is written for."""
        for other in self.reports:
            if other.name == report.name and not other.error and report.origin not in BUILTIN_MODULES:
                raise PluginError(f"the name {other.name!r} is taken by {other.origin}; this is {report.origin}")
        version = getattr(plugin, "inpaintkit_api", None)
        if version != API_VERSION:
            said = "does not say which contract it is written for" if version is None else f"is written for {version!r}"
            raise PluginError(f"it {said}: this inpaintkit needs inpaintkit_api = {API_VERSION}")
        if self._manager.is_registered(plugin):
            raise PluginError(f"{report.origin} is registered by another name already")

    def _check_hooks(self, plugin: Any) -> None:
        for caller in self._manager.get_hookcallers(plugin) or ():
            if caller.name not in HOOKS:
                raise PluginError(f"there is no hook {caller.name!r}{did_you_mean(caller.name, HOOKS)}")
            for found in caller.get_hookimpls():
                if found.plugin is plugin and "register" not in found.argnames:
                    raise PluginError(f"hook {caller.name!r} must take the argument 'register'")

    def _collect(self, report: PluginReport, plugin: Any) -> None:
        """Calls all the hooks of one plugin; what they register enters the registry only when all have succeeded."""
        collected: list[Entry] = []
        others = self._manager.get_plugins() - {plugin}
        implemented = {caller.name for caller in self._manager.get_hookcallers(plugin) or ()}
        for hook, register in _registering(report.name, collected).items():
            if hook not in implemented and callable(getattr(plugin, hook, None)):
                report.warnings.append(f"{hook} is not called: decorate it with @hookimpl")
            self._manager.subset_hook_caller(hook, remove_plugins=others)(register=register)
        for entry in collected:
            if clash := self.registry.add(entry):
                report.warnings.append(clash)
            report.provides.append(f"{entry.kind} {entry.name}")
        if not implemented and not report.warnings:
            report.warnings.append("it implements no hook")


def _registering(plugin: str, collected: list[Entry]) -> dict[str, Callable[..., None]]:
    """The function ``register`` of each hook; what is registered is checked and goes to ``collected``."""
    scratch = Registry()

    def add(kind: str, name: str, factory: Any, help: str = "") -> None:
        entry = Entry(kind, name, plugin, factory, help)
        scratch.add(entry)
        collected.append(entry)

    def components(kind: str) -> Callable[..., None]:
        return lambda name, factory: add(kind, name, factory)

    def recipes(folder: Path) -> None:
        for kind, name, file in recipes_in(folder):
            add(kind, name if plugin == BUILTIN else f"{plugin}/{name}", file)

    def commands(name: str, command: Any, help: str = "") -> None:
        add("command", name, command, help)

    hooks = {hook: components(kind) for kind, hook in KINDS.items()}
    return {**hooks, "register_recipes": recipes, "register_commands": commands}


def recipes_in(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """(kind, name, file) of each recipe in a folder and each protocol in its subfolder ``protocols``.

    Raises:
        PluginError: there is no such folder.
    """
    if not (isinstance(folder, Path) and folder.is_absolute() and folder.is_dir()):
        raise PluginError(f"register_recipes: {str(folder)!r} is not the absolute path of a folder")
    for file in sorted(folder.rglob("*.yaml")):
        name = file.relative_to(folder).with_suffix("").as_posix()
        protocol = name.removeprefix("protocols/")
        yield ("recipe", name, file) if protocol == name else ("protocol", protocol, file)


def load_plugins(entries: Iterable[EntryPoint] | None = None) -> Plugins:
    """The builtins and ``entries``, by default everything installed under the entry-point group ``inpaintkit``."""
    plugins = Plugins()
    found = entry_points(group=GROUP) if entries is None else entries
    for entry in sorted(found, key=lambda entry: (entry.name not in official(), entry.name, entry.value)):
        plugins.add_entry_point(entry)
    return plugins


@cache
def installed() -> Plugins:
    """The plugins of this environment, discovered once."""
    return load_plugins()
