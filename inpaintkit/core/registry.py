"""Names of components: name -> factory and its origin."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any

import attrs

from .errors import PluginError, did_you_mean
from .hookspecs import KINDS

BUILTIN = "inpaintkit"  # the plugin name under which the core's own components stand
_NAME = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
_CAMEL_CASE = re.compile(r"[A-Z][A-Za-z0-9]*")  # of augmentations: kornia's own names


@attrs.frozen
class Entry:
    """One registered component."""

    kind: str
    name: str
    plugin: str
    factory: str | Callable[..., Any]

    @property
    def target(self) -> str:
        """``package.module:Class``, for display."""
        if isinstance(self.factory, str):
            return self.factory
        name = getattr(self.factory, "__qualname__", None)  # a partial has none
        return f"{self.factory.__module__}:{name}" if name else repr(self.factory)

    def load(self) -> Callable[..., Any]:
        """The class or function itself; imports its module."""
        if not isinstance(self.factory, str):
            return self.factory
        module, _, attribute = self.factory.partition(":")
        try:
            found: Any = importlib.import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
            if not callable(found):
                raise TypeError(f"{found!r} is neither a class nor a function")
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too: an import must not end the program
            raise PluginError(
                f"{self.kind} {self.name!r} of plugin {self.plugin!r} cannot be imported from {self.factory}: "
                f"{type(error).__name__}: {error}"
            ) from error
        return found  # type: ignore[no-any-return]


class Registry:
    """Every component of every plugin, by kind and name.

    A bare name that two plugins claim belongs to the one that is inpaintkit's own or official; between two others it is
    ambiguous and refused. ``plugin:name`` always picks one on purpose.
    """

    def __init__(self, precedence: tuple[str, ...] = (BUILTIN,)) -> None:
        self._precedence = precedence
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        self.notes: list[str] = []  # broken plugins, told beside any "unknown component"

    def add(self, kind: str, name: str, plugin: str, factory: str | Callable[..., Any]) -> str | None:
        """Registers a component; returns what is wrong when the name is taken already, and keeps both apart.

        Raises:
            PluginError: the name or the factory is not of the required form.
        """
        allowed = isinstance(name, str) and (
            _NAME.fullmatch(name) or (kind == "augmentation" and _CAMEL_CASE.fullmatch(name))
        )
        if not allowed:
            raise PluginError(f"{name!r} is no name for a {kind}: use lower-case letters, digits and single dashes")
        if isinstance(factory, str):
            if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", factory):
                raise PluginError(f"{kind} {name!r}: {factory!r} is not of the form 'package.module:Class'")
        elif not callable(factory):
            raise PluginError(f"{kind} {name!r}: {factory!r} is neither a class nor 'package.module:Class'")
        entry = Entry(kind, name, plugin, factory)
        claims = self._entries.setdefault((kind, name), [])
        if any(claim.plugin == plugin for claim in claims):
            raise PluginError(f"{kind} {name!r} is registered twice by plugin {plugin!r}")
        claims.append(entry)
        if len(claims) == 1:
            return None
        rivals = " and ".join(f"{claim.plugin!r} ({claim.target})" for claim in claims)
        return f"{kind} {name!r} is claimed by {rivals}: {self._outcome(claims)}"

    def _outcome(self, claims: list[Entry]) -> str:
        owner = self._owner(claims)
        picks = ", ".join(f"'{claim.plugin}:{claim.name}'" for claim in claims if claim is not owner)
        if owner:
            return f"the bare name stays with {owner.plugin!r}, write {picks} for the other"
        return f"write {picks.replace(', ', ' or ')} to pick one"

    def _owner(self, claims: list[Entry]) -> Entry | None:
        if len(claims) == 1:
            return claims[0]
        ranked = [claim for own in self._precedence for claim in claims if claim.plugin == own]
        return ranked[0] if ranked else None

    def get(self, kind: str, name: str) -> Entry:
        """The component of that name, or of ``plugin:name``.

        Raises:
            PluginError: nobody has it, or two plugins do; names the nearest and any broken plugin.
        """
        plugin, _, bare = str(name).rpartition(":")
        claims = self._entries.get((kind, bare), [])
        if plugin:
            claims = [claim for claim in claims if claim.plugin == plugin]
        if not claims:
            raise PluginError(self._unknown(kind, name))
        owner = self._owner(claims)
        if owner is None:
            rivals = " and ".join(f"{claim.plugin!r} ({claim.target})" for claim in claims)
            raise PluginError(f"{kind} {name!r} is claimed by {rivals}: {self._outcome(claims)}")
        return owner

    def _unknown(self, kind: str, name: str) -> str:
        text = f"unknown {kind} {name!r}{did_you_mean(name, self.names(kind))}"
        elsewhere = [other for other in KINDS if other != kind and (other, name) in self._entries]
        if elsewhere:
            one, other = (f"an {of}" if of[0] in "ao" else f"a {of}" for of in (elsewhere[0], kind))
            text += f" ({name!r} is {one}, not {other})"
        elif not did_you_mean(name, self.names(kind)):
            text += f"; known: {', '.join(self.names(kind)) or 'none'}"
        return "; ".join([text, *self.notes])

    def names(self, kind: str) -> list[str]:
        """The names that can be written bare, and ``plugin:name`` where a name has rivals."""
        names = []
        for (of, name), claims in sorted(self._entries.items()):
            if of == kind:
                owner = self._owner(claims)
                names += [name if claim is owner else f"{claim.plugin}:{name}" for claim in claims]
        return names

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Every entry, of one kind or of all, sorted by name."""
        return [claim for (of, _), claims in sorted(self._entries.items()) if kind in (None, of) for claim in claims]
