"""Discovery of plugins by entry point; a broken one is reported and takes nothing else down."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Iterator
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
def official(extra: str = "") -> dict[str, str]:
    """The official plugins, entry point -> distribution: those that inpaintkit's own extras require, or one of them.

    They keep their names against the claims of others, and errors name their distribution. The extra ``tools`` has
    those that are named after the command that they add.
    """
    try:
        lines = requires(BUILTIN) or []
    except PackageNotFoundError:  # a copy of the sources that is not installed
        return {}
    found = [re.fullmatch(rf"({BUILTIN}-([\w-]+)).*extra == .([\w-]+).", line) for line in lines]
    return {match[2]: match[1] for match in found if match and extra in ("", match[3])}


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
        self._used: list[Any] = []
        for module in BUILTIN_MODULES:
            self.add(BUILTIN, importlib.import_module(module))

    def add(self, name: str, plugin: Any) -> PluginReport:
        """Registers a module, an object or what an entry point leads to; raises nothing, the report has the errors."""
        report = PluginReport(name, _origin(plugin))
        try:
            if isinstance(plugin, EntryPoint):
                report.version = (plugin.dist.version if plugin.dist else "") or ""
                plugin = plugin.load()
                report.origin = _origin(plugin)
            self._register(report, plugin)
        except (Exception, SystemExit) as error:  # a plugin must not end the program
            message = " ".join(str(error).split())
            expected = isinstance(error, PluginError | pluggy.PluginValidationError)
            report.error = message if expected else f"{type(error).__name__}: {message}"
            self.registry.notes.append(f"plugin {name!r} is not available ({report.error})")
        self.reports.append(report)
        return report

    def _register(self, report: PluginReport, plugin: Any) -> None:
        for other in self.reports:
            if other.name == report.name and not other.error and report.origin not in BUILTIN_MODULES:
                raise PluginError(f"the name {other.name!r} is taken by {other.origin}; this is {report.origin}")
        version = getattr(plugin, "inpaintkit_api", None)
        if version != API_VERSION:
            said = "does not say which contract it is written for" if version is None else f"is written for {version!r}"
            raise PluginError(f"it {said}: this inpaintkit needs inpaintkit_api = {API_VERSION}")
        if any(other is plugin for other in self._used):
            raise PluginError(f"{report.origin} is registered by another name already")
        for entry in _collect(report, plugin):
            if clash := self.registry.add(entry):
                report.warnings.append(clash)
            report.provides.append(f"{entry.kind} {entry.name}")
        self._used.append(plugin)


def _origin(plugin: Any) -> str:
    return plugin.value if isinstance(plugin, EntryPoint) else getattr(plugin, "__name__", type(plugin).__name__)


def _collect(report: PluginReport, plugin: Any) -> list[Entry]:
    """What all the hooks of a plugin register, checked before any of it enters the registry."""
    manager = pluggy.PluginManager("inpaintkit")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, report.name)
    implemented = manager.get_hookcallers(plugin) or []
    for caller in implemented:
        if caller.name not in HOOKS:
            raise PluginError(f"there is no hook {caller.name!r}{did_you_mean(caller.name, HOOKS)}")
        if not all("register" in found.argnames for found in caller.get_hookimpls()):
            raise PluginError(f"hook {caller.name!r} must take the argument 'register'")
    entries: list[Entry] = []
    own = Registry()

    def add(*new: Entry) -> None:
        for entry in new:
            own.add(entry)
            entries.append(entry)

    def components(kind: str) -> Callable[..., None]:
        return lambda name, factory: add(Entry(kind, name, report.name, factory))

    registers = {hook: components(kind) for kind, hook in KINDS.items()} | {
        "register_recipes": lambda folder: add(*_recipes(folder, report.name)),
        "register_commands": lambda name, command, help="": add(Entry("command", name, report.name, command, help)),
    }
    for hook, register in registers.items():
        caller = getattr(manager.hook, hook)
        caller(register=register)
        if caller not in implemented and callable(getattr(plugin, hook, None)):
            report.warnings.append(f"{hook} is not called: decorate it with @hookimpl")
    if not implemented and not report.warnings:
        report.warnings.append("it implements no hook")
    return entries


def _recipes(folder: Path, plugin: str) -> Iterator[Entry]:
    """The recipes in a folder, and the protocols in its subfolder ``protocols``."""
    if not (isinstance(folder, Path) and folder.is_absolute() and folder.is_dir()):
        raise PluginError(f"register_recipes: {str(folder)!r} is not the absolute path of a folder")
    prefix = "" if plugin == BUILTIN else f"{plugin}/"
    for file in sorted(folder.rglob("*.yaml")):
        path = file.relative_to(folder).with_suffix("").as_posix()
        name = path.removeprefix("protocols/")
        yield Entry("recipe" if name == path else "protocol", prefix + name, plugin, file)


def load_plugins(entries: Iterable[EntryPoint] | None = None) -> Plugins:
    """The builtins and ``entries``, by default everything installed under the entry-point group ``inpaintkit``."""
    plugins = Plugins()
    found = entry_points(group=GROUP) if entries is None else entries
    for entry in sorted(found, key=lambda entry: (entry.name not in official(), entry.name, entry.value)):
        plugins.add(entry.name, entry)
    names = {report.name for report in plugins.reports}
    if missing := [distribution for name, distribution in official("papers").items() if name not in names]:
        plugins.registry.absent = f"; a plugin that is not installed may have it: pip install {' '.join(missing)}"
    return plugins


@cache
def installed() -> Plugins:
    """The plugins of this environment, discovered once."""
    return load_plugins()
