"""Reads a constructor's signature as a list of options, and describes types in words for messages."""

from __future__ import annotations

import collections.abc
import functools
import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from enum import EnumMeta
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import attrs
from torch import Tensor

from ..errors import did_you_mean, short_repr
from ..interfaces import INTERFACES
from .checks import bare, constraints, hints_of, is_union, limit_text
from .nodes import resolve
from .spec import Spec

KIND_OF: dict[Any, str] = {interface: kind for kind, interface in INTERFACES.items()}
SEQUENCES = (list, tuple, collections.abc.Sequence)
MAPPINGS = (dict, collections.abc.Mapping)


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
        SignatureError: an annotation names something that cannot be found.
    """
    try:
        parameters = inspect.signature(factory).parameters
        hints = hints_of(factory)
    except (NameError, AttributeError, TypeError, ValueError) as error:
        raise SignatureError(f"the signature of {label_of(factory)} cannot be read: {error}") from error
    options = []
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            unpacked = [each for each in hints if each not in parameters and each not in ("self", "return")]
            options += [_inherited(factory, each, hints[each]) for each in unpacked]
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            required = parameter.default is parameter.empty
            default = None if required else _default(factory, parameter)
            options.append(Option(name, hints.get(name, Any), default, required))
    return tuple(options)


def _default(factory: Any, parameter: inspect.Parameter) -> Any:
    """A default for display: in attrs classes, what the field's own factory makes."""
    if parameter.default is not attrs.NOTHING:
        return parameter.default
    made = next(field.default for field in attrs.fields(factory) if field.alias == parameter.name)
    return "(from the other options)" if made.takes_self else made.factory()


def _inherited(factory: Any, name: str, hint: Any) -> Option:
    """An option that is passed on to a base class: its default is there, or that it is required."""
    bases = [base for base in getattr(factory, "__mro__", ())[1:] if base is not object]
    found = [option for base in bases for option in signature_of(base) if option.name == name]
    return attrs.evolve(found[0], type=hint) if found else Option(name, hint)


def label_of(factory: Any) -> str:
    return str(getattr(factory, "__qualname__", None) or repr(factory))


_WORDS: dict[Any, str] = {
    **{Any: "anything", object: "anything", None: "null", NoneType: "null"},
    **{bool: "true or false", int: "integer", float: "number", str: "string", Path: "path", Tensor: "numbers"},
    **KIND_OF,
}


def describe(expected: Any) -> str:
    """A type in words: ``integer >= 1``, ``'hole', 'known' or 'full'``, ``list of numbers``, ``loss``."""
    origin, args = get_origin(expected), get_args(expected)
    if origin is Annotated:
        return " ".join([describe(args[0]), " and ".join(map(limit_text, constraints(expected)))]).strip()
    if is_union(expected):
        return _either(describe(member) for member in sorted(without_text(args), key=lambda each: each is NoneType))
    if expected in _WORDS:
        return _WORDS[expected]
    if named := choices(expected):
        return _either(map(repr, named))
    container = origin or expected
    if container in MAPPINGS:
        return f"mapping of names to {describe(args[1])}" if args else "mapping"
    if container is tuple and args and args[-1] is not Ellipsis:
        return f"list [{', '.join(map(describe, args))}]"
    if container in SEQUENCES:
        return f"list of {describe(args[0])}" if args else "list"
    if container is Spec:
        return describe(args[0]) if args else "component"
    return label_of(expected)


def _either(words: Iterable[str]) -> str:
    *others, last = dict.fromkeys(words)
    return f"{', '.join(others)} or {last}" if others else last


def choices(expected: Any) -> dict[Any, Any]:
    """What can be written for a ``Literal`` or an enumeration, and what is meant by it; empty for other types."""
    if isinstance(expected, EnumMeta):
        return {name.lower(): expected.__members__[name] for name in expected.__members__}
    return {choice: choice for choice in get_args(expected)} if get_origin(expected) is Literal else {}


def without_text(members: Sequence[Any]) -> list[Any]:
    """The members of a union; beside an enumeration, a text can only be the name of one of its members."""
    enumerated = any(isinstance(member, EnumMeta) for member in members)
    return [member for member in members if not (enumerated and member is str)]


def refusal(value: Any, expected: Any, words: str = "") -> str:
    """``expected integer, not '1' (without the quotes)``; ``words`` describe the type better than its annotation."""
    return f"expected {words or describe(expected)}, not {short_repr(value)}{_hint(value, expected)}"


def _hint(value: Any, expected: Any) -> str:
    """The nearest fix, if one is near."""
    kind = bare(expected)
    if is_union(kind):
        return next(filter(None, (_hint(value, member) for member in without_text(get_args(kind)))), "")
    if named := choices(kind):
        return did_you_mean(value, (name for name in named if isinstance(name, str)))
    if kind is str and isinstance(value, bool | int | float):
        return " (quote it)"
    if kind is int and isinstance(value, float) and math.isfinite(value) and value == int(value):
        return f" (write {int(value)})"
    if kind in (bool, int, float) and isinstance(value, str):
        unquoted = type(resolve(value))
        if unquoted is kind or (kind is float and unquoted is int):
            return " (without the quotes)"
    if kind is bool and str(value).lower() in ("yes", "on", "y", "1"):
        return " (write true)"
    if kind is bool and str(value).lower() in ("no", "off", "n", "0"):
        return " (write false)"
    return ""
