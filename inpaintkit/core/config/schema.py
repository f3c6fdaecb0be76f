"""A constructor's annotated signature, read as the schema of a component's options."""

from __future__ import annotations

import collections.abc
import functools
import inspect
import re
from collections.abc import Callable, Sequence
from enum import EnumMeta
from pathlib import Path as FilePath
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import attrs
from torch import Tensor

from ..interfaces import INTERFACES
from .checks import constraints, hints_of, is_union, keyword_hints, limit_text

KIND_OF: dict[Any, str] = {interface: kind for kind, interface in INTERFACES.items()}
SEQUENCES = (list, tuple, collections.abc.Sequence, collections.abc.Collection, collections.abc.Iterable)
MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


@attrs.frozen
class Option:
    """One option of a component: ``type`` is the annotation, ``annotation`` the same in words."""

    name: str
    type: Any
    default: Any = None
    required: bool = False

    @property
    def annotation(self) -> str:
        return describe(self.type)


class SignatureError(TypeError):
    """A signature that cannot be read as a schema: a mistake of the component's author."""


@functools.cache
def signature_of(factory: Callable[..., Any]) -> tuple[Option, ...]:
    """The options of a component, in the order of its signature, ``**kwargs: Unpack[SomeTypedDict]`` expanded.

    Raises:
        SignatureError: an annotation names something that cannot be found, or an option can only be passed by position.
    """
    try:
        parameters = inspect.signature(factory).parameters.values()
        hints = hints_of(factory)
    except (NameError, AttributeError, TypeError, ValueError) as error:
        raise SignatureError(f"the signature of {label_of(factory)} cannot be read: {error}") from error
    options = []
    for parameter in parameters:
        hint = hints.get(parameter.name, Any)
        if parameter.kind is parameter.VAR_KEYWORD:
            options += [
                Option(name, inner, None if required else _inherited(factory, name), required)
                for name, (inner, required) in keyword_hints(hint).items()
            ]
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            raise SignatureError(f"{label_of(factory)} takes {parameter.name!r} by position only")
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            required = parameter.default is parameter.empty
            default = None if required else _default(factory, parameter)
            options.append(Option(parameter.name, hint, default, required))
    return tuple(options)


def _default(factory: Any, parameter: inspect.Parameter) -> Any:
    """A default for display: in attrs classes, what the field's own factory makes."""
    if parameter.default is not attrs.NOTHING:
        return parameter.default
    made = next(field.default for field in attrs.fields(factory) if field.alias == parameter.name)
    return "(from the other options)" if made.takes_self else made.factory()


def _inherited(factory: Any, name: str) -> Any:
    """The default of an option that is passed on to a base class."""
    bases = [base for base in getattr(factory, "__mro__", ())[1:] if base is not object]
    return next((option.default for base in bases for option in signature_of(base) if option.name == name), None)


def documentation_of(factory: Callable[..., Any]) -> str:
    """The docstring of a component, with the ``Args:`` of the options that only its base classes describe."""
    text = inspect.getdoc(factory) or ""
    entries: dict[str, str] = {}
    for described in (text, *(inspect.getdoc(base) or "" for base in getattr(factory, "__mro__", ())[1:])):
        for entry in re.finditer(r"^    (\w+): .*(?:\n {8}.*)*", described, re.MULTILINE):
            entries.setdefault(entry[1], entry[0])
    found = [entries[option.name] for option in signature_of(factory) if option.name in entries]
    inherited = [entry for entry in found if entry not in text]
    if not inherited:
        return text
    before, _, after = text.partition("\nArgs:\n")
    return "\n".join([f"{before.rstrip()}\n\nArgs:", *inherited, after]).rstrip()


def label_of(factory: Any) -> str:
    return str(getattr(factory, "__qualname__", None) or repr(factory))


_WORDS = {bool: "true or false", int: "integer", float: "number", str: "string", FilePath: "path", type(None): "null"}


def describe(expected: Any) -> str:
    """A type in words: ``integer >= 1``, ``'hole', 'known' or 'whole'``, ``list of numbers``, ``loss``."""
    origin, args = get_origin(expected), get_args(expected)
    if expected is None:
        return "null"
    if expected in (Any, object):
        return "anything"
    if isinstance(expected, type) and expected in _WORDS:
        return _WORDS[expected]
    if origin is Annotated:
        limits = [text for text in map(limit_text, constraints(expected)) if text]
        return " ".join([describe(args[0]), " and ".join(limits)]).strip()
    if is_union(expected):
        return _either([describe(member) for member in sorted(without_text(args), key=lambda each: each is NoneType)])
    if isinstance(expected, EnumMeta):
        return _either([repr(name.lower()) for name in expected.__members__])
    if expected is Tensor:
        return "numbers"
    if origin is Literal:
        return _either([repr(arg) for arg in args])
    container = origin or expected
    if container in MAPPINGS:
        return f"mapping of names to {describe(args[1])}" if args else "mapping"
    if container is tuple and args and args[-1] is not Ellipsis:
        return f"list [{', '.join(describe(arg) for arg in args)}]"
    if container in SEQUENCES:
        return f"list of {describe(args[0])}" if args else "list"
    if getattr(container, "__structures_as_argument__", False):
        return describe(args[0]) if args else "component"
    return KIND_OF.get(expected) or label_of(expected)


def without_text(members: Sequence[Any]) -> list[Any]:
    """The members of a union; beside an enumeration, a text can only be the name of one of its members."""
    enumerated = any(isinstance(member, EnumMeta) for member in members)
    return [member for member in members if not (enumerated and member is str)]


def _either(words: list[str]) -> str:
    words = list(dict.fromkeys(words))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
