"""Looks up what plugins registered, by kind and name; an unknown name gets the nearest known one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import attrs

from .errors import PluginError, did_you_mean
from .hookspecs import KINDS

BUILTIN = "inpaintkit"  # the name of the plugin that comes with the core
_DASHES = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
_CAMEL_CASE = re.compile(r"[A-Z][A-Za-z0-9]*")  # kornia's names of augmentations
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@attrs.frozen
class Entry:
    """What one plugin registered under one name."""

    kind: str  # one of hookspecs.KINDS, "recipe", "protocol" or "command"
    name: str
    plugin: str
    factory: str | Callable[..., Any] | Path  # a path: the file of a recipe or protocol
    help: str = ""  # one line about a command

    @property
    def target(self) -> str:
        """``package.module:Class`` or the file, for display."""
        if isinstance(self.factory, str | Path):
            return str(self.factory)
        name = getattr(self.factory, "__qualname__", None)  # a partial has none
        return f"{self.factory.__module__}:{name}" if name else repr(self.factory)

    def load(self) -> Callable[..., Any]:
        """The class, function or command itself; imports its module.

        Raises:
            PluginError: the import fails.
        """
        if not isinstance(self.factory, str):
            assert not isinstance(self.factory, Path)
            return self.factory
        try:
            found: Callable[..., Any] = resolve_name(self.factory)
            if not callable(found):
                raise TypeError(f"{found!r} is neither a class nor a function")
        except (Exception, SystemExit) as error:  # an import must not end the program
            raise PluginError(
                f"{self.kind} {self.name!r} of plugin {self.plugin!r} cannot be imported from {self.factory}: "
                f"{type(error).__name__}: {error}"
            ) from error
        return found


class Registry:
    """Every entry of every plugin, by kind and name.

    A bare name that two plugins claim belongs to the one that is inpaintkit's own or official; between two others it is
    ambiguous and refused. ``plugin:name`` always picks one on purpose.
    """

    def __init__(self, precedence: tuple[str, ...] = (BUILTIN,)) -> None:
        self._precedence = precedence
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        self.notes: list[str] = []  # about broken plugins, added to any "unknown component"
        self.absent = ""  # how to install missing official plugins, added where no known name is near

    def add(self, entry: Entry) -> str | None:
        """Registers an entry; returns a warning when another plugin has the same name, and keeps both apart.

        Raises:
            PluginError: it is not of the required form, or the same plugin has registered the name already.
        """
        if not isinstance(entry.factory, Path):  # the name of a recipe is that of its file
            _check(entry)
        claims = self._entries.setdefault((entry.kind, entry.name), [])
        if any(claim.plugin == entry.plugin for claim in claims):
            raise PluginError(f"{entry.kind} {entry.name!r} is registered twice by plugin {entry.plugin!r}")
        claims.append(entry)
        return None if len(claims) == 1 else self._clash(claims)

    def _clash(self, claims: list[Entry]) -> str:
        rivals = " and ".join(f"{claim.plugin!r} ({claim.target})" for claim in claims)
        owner = self._owner(claims)
        others = [f"'{claim.plugin}:{claim.name}'" for claim in claims if claim is not owner]
        if owner:
            outcome = f"the bare name stays with {owner.plugin!r}, write {', '.join(others)} for the other"
        else:
            outcome = f"write {' or '.join(others)} to pick one"
        return f"{claims[0].kind} {claims[0].name!r} is claimed by {rivals}: {outcome}"

    def _owner(self, claims: list[Entry]) -> Entry | None:
        """Who has the bare name: nobody where no plugin takes precedence over the others."""
        ranked = [claim for own in self._precedence for claim in claims if claim.plugin == own]
        return next(iter(ranked), claims[0] if len(claims) == 1 else None)

    def get(self, kind: str, name: str) -> Entry:
        """The entry of that name, or of ``plugin:name``.

        Raises:
            PluginError: no plugin registered it, or more than one; names the nearest and any broken plugin.
        """
        plugin, _, bare = name.rpartition(":")
        claims = [claim for claim in self._entries.get((kind, bare), []) if plugin in ("", claim.plugin)]
        if not claims:
            raise PluginError("; ".join([self._unknown(kind, name), *self.notes]))
        if owner := self._owner(claims):
            return owner
        raise PluginError(self._clash(claims))

    def _unknown(self, kind: str, name: str) -> str:
        names = self.names(kind)
        hint = did_you_mean(name, names)
        if elsewhere := [other for other in KINDS if other != kind and (other, name) in self._entries]:
            hint += f" ({name!r} is {with_article(elsewhere[0])}, not {with_article(kind)})"
        known = f"; known: {', '.join(names) or 'none'}{self.absent}"
        return f"unknown {kind} {name!r}{hint or known}"

    def names(self, kind: str) -> list[str]:
        """The names that can be written bare, and ``plugin:name`` where a name has rivals."""
        return [
            entry.name if entry is self._owner(self._entries[kind, entry.name]) else f"{entry.plugin}:{entry.name}"
            for entry in self.entries(kind)
        ]

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Every entry, of one kind or of all, sorted by name."""
        return [claim for (of, _), claims in sorted(self._entries.items()) if kind in (None, of) for claim in claims]


def with_article(kind: str) -> str:
    """``an objective``, ``a loss``."""
    return f"an {kind}" if kind[0] in "ao" else f"a {kind}"


def _check(entry: Entry) -> None:
    allowed = (_DASHES, _CAMEL_CASE) if entry.kind == "augmentation" else (_DASHES,)
    if not isinstance(entry.name, str) or not any(pattern.fullmatch(entry.name) for pattern in allowed):
        what = with_article(entry.kind)
        raise PluginError(f"{entry.name!r} is no name for {what}: use lower-case letters, digits and dashes")
    label = f"{entry.kind} {entry.name!r}: {entry.factory!r}"
    if isinstance(entry.factory, str) and not _TARGET.fullmatch(entry.factory):
        raise PluginError(f"{label} is not of the form 'package.module:Class'")
    if not isinstance(entry.factory, str) and not callable(entry.factory):
        raise PluginError(f"{label} is neither a class nor 'package.module:Class'")
