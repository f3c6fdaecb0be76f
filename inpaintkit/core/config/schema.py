"""A constructor's annotated signature, read as the schema of a component's options."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types as at
import attrs

from ..interfaces import INTERFACES

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
    """The options of a component, in the order of its signature; ``*args`` and ``**kwargs`` are none.

    Raises:
        SignatureError: an annotation names something that cannot be found, or an option can only be passed by position.
    """
    try:
        parameters = inspect.signature(factory).parameters.values()
        hints = _hints(factory)
    except (NameError, AttributeError, TypeError, ValueError) as error:
        raise SignatureError(f"the signature of {label_of(factory)} cannot be read: {error}") from error
    options = []
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise SignatureError(f"{label_of(factory)} takes {parameter.name!r} by position only")
        required = parameter.default is parameter.empty
        default = None if required else _default(factory, parameter)
        options.append(Option(parameter.name, hints.get(parameter.name, Any), default, required))
    return tuple(options)


def _hints(factory: Any) -> Mapping[str, Any]:
    if not isinstance(factory, type):
        if isinstance(factory, functools.partial):
            return _hints(factory.func)
        function = factory if inspect.isroutine(factory) else type(factory).__call__
        return typing.get_type_hints(function, include_extras=True)
    if attrs.has(factory) or dataclasses.is_dataclass(factory):
        # their __init__ is generated, so its annotations are resolved where the class stands
        hints = typing.get_type_hints(factory, include_extras=True)
        if attrs.has(factory):
            return {field.alias or field.name: hints.get(field.name, Any) for field in attrs.fields(factory)}
        return hints
    return typing.get_type_hints(factory.__init__, include_extras=True)  # type: ignore[misc]


def _default(factory: Any, parameter: inspect.Parameter) -> Any:
    """A default for display: in attrs classes, what the field's own factory makes."""
    if parameter.default is not attrs.NOTHING:
        return parameter.default
    made = next(field.default for field in attrs.fields(factory) if field.alias == parameter.name)
    return "(from the other options)" if made.takes_self else made.factory()


def label_of(factory: Any) -> str:
    return str(getattr(factory, "__qualname__", None) or repr(factory))


def is_union(expected: Any) -> bool:
    return get_origin(expected) in (Union, types.UnionType)


def bare(expected: Any) -> Any:
    """The type without what ``Annotated`` adds."""
    return bare(get_args(expected)[0]) if get_origin(expected) is Annotated else expected


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
        limits = [text for text in map(_limit, constraints(expected)) if text]
        return " ".join([describe(args[0]), " and ".join(limits)]).strip()
    if is_union(expected):
        return _either([describe(member) for member in args])
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


def _either(words: list[str]) -> str:
    words = list(dict.fromkeys(words))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def constraints(expected: Any) -> list[Any]:
    """The limits that ``Annotated`` sets, groups such as ``Interval`` and ``Len`` taken apart."""
    found: list[Any] = []
    for extra in get_args(expected)[1:]:
        found += list(extra) if isinstance(extra, at.GroupedMetadata) else [extra]
    return found


def _limit(limit: Any) -> str:
    match limit:
        case at.Ge(ge=bound):
            return f">= {bound}"
        case at.Gt(gt=bound):
            return f"> {bound}"
        case at.Le(le=bound):
            return f"<= {bound}"
        case at.Lt(lt=bound):
            return f"< {bound}"
        case at.MultipleOf(multiple_of=factor):
            return f"divisible by {factor}"
        case at.MinLen(min_length=length):
            return "that is not empty" if length == 1 else f"of at least {length}"
        case at.MaxLen(max_length=length):
            return f"of at most {length}"
        case at.Predicate(func=test):
            return f"that is {getattr(test, '__name__', 'as required')}"
    return ""


def satisfies(value: Any, limit: Any) -> bool:
    """Whether a value of the right type keeps within a limit; what is no limit always holds."""
    match limit:
        case at.Ge(ge=bound):
            return bool(value >= bound)
        case at.Gt(gt=bound):
            return bool(value > bound)
        case at.Le(le=bound):
            return bool(value <= bound)
        case at.Lt(lt=bound):
            return bool(value < bound)
        case at.MultipleOf(multiple_of=factor):
            return bool(value % factor == 0)
        case at.MinLen(min_length=length):
            return len(value) >= length
        case at.MaxLen(max_length=length):
            return len(value) <= length
        case at.Predicate(func=test):
            return bool(test(value))
    return True


def show(value: Any) -> str:
    """A plain value in a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, Mapping):
        return f"a mapping with {', '.join(list(value)[:5])}" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    return repr(value)
