"""The limits that ``Annotated[int, Ge(1)]`` sets, and ``checked``, which applies them in constructors.

A recipe's values are checked before a constructor is called; ``checked`` holds the same limits in Python code.
"""

from __future__ import annotations

import functools
import inspect
import operator
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import annotated_types as at
import attrs

from ..errors import KeyPath, OptionError, dotted

Target = TypeVar("Target", bound=Callable[..., Any])


def checked(target: Target) -> Target:
    """Decorates an ``__init__``, or a whole attrs class or dataclass: values beyond their limits raise an OptionError.

    The error names every option that is out of its limits or none of its choices. Types are not checked.

    >>> @checked
    ... @attrs.frozen
    ... class Square:
    ...     side: Annotated[int, at.Ge(1)]
    >>> Square(0)
    Traceback (most recent call last):
    inpaintkit.core.errors.OptionError: side: expected integer >= 1, not 0
    """
    if isinstance(target, type):
        target.__init__ = _checked(target.__init__, target)  # type: ignore[misc]
        return target
    return typing.cast(Target, _checked(target, target))


def _checked(init: Callable[..., None], owner: Any) -> Callable[..., None]:
    signature = inspect.signature(init)

    @functools.wraps(init)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        hints = hints_of(owner)
        given = {**signature.bind_partial(*args).arguments, **kwargs}
        errors = [error for name in given for error in violations(given[name], hints.get(name), (name,))]
        if errors:
            raise OptionError.join(errors)
        init(*args, **kwargs)

    return wrapper


@functools.cache
def hints_of(factory: Any) -> Mapping[str, Any]:
    """The annotations of a constructor's parameters, by name; also of those in ``**options: Unpack[SomeTypedDict]``."""
    if isinstance(factory, functools.partial):
        return hints_of(factory.func)
    if isinstance(factory, type) and attrs.has(factory):
        # the constructor is generated: annotations are resolved where the class stands
        hints = typing.get_type_hints(factory, include_extras=True)
        return {field.alias or field.name: hints.get(field.name, Any) for field in attrs.fields(factory)}
    if isinstance(factory, type):
        factory = factory.__init__  # type: ignore[misc]
    elif not inspect.isroutine(factory):
        factory = type(factory).__call__
    hints = typing.get_type_hints(factory, include_extras=True)
    for hint in list(hints.values()):
        if get_origin(hint) is typing.Unpack:
            hints |= typing.get_type_hints(get_args(hint)[0], include_extras=True)
    marked = (typing.Required, typing.NotRequired)
    return {name: get_args(hint)[0] if get_origin(hint) in marked else hint for name, hint in hints.items()}


def violations(value: Any, expected: Any, path: KeyPath) -> list[OptionError]:
    """What of ``value`` is beyond the limits or choices in the annotation ``expected``; other types have none."""
    origin, args = get_origin(expected), get_args(expected)
    if origin is Annotated and all(satisfies(value, limit) for limit in constraints(expected)):
        return violations(value, args[0], path)
    if origin is Annotated or (origin is Literal and value not in args):
        return [_violation(value, expected, path)]
    if is_union(expected):
        found = [violations(value, member, path) for member in args if accepts(value, member)]
        if not found or not all(found):
            return []
        return [_violation(value, expected, path)] if found[0][0].path == path else found[0]
    if isinstance(value, list | tuple) and args:
        kinds = args if origin is tuple and args[-1] is not Ellipsis else args[:1] * len(value)
        items = enumerate(zip(value, kinds, strict=False))
        return [error for index, (item, kind) in items for error in violations(item, kind, (*path, index))]
    if isinstance(value, Mapping) and len(args) == 2:
        return [error for key, item in value.items() for error in violations(item, args[1], (*path, key))]
    return []


def _violation(value: Any, expected: Any, path: KeyPath) -> OptionError:
    from .schema import refusal  # knows the interfaces, and so imports torch: only where something is wrong

    return OptionError(f"{dotted(path)}: {refusal(value, expected)}", path)


def accepts(value: Any, expected: Any) -> bool:
    """Whether ``value`` has the type of a union's member; limits do not matter."""
    member = bare(expected)
    if member in (Any, object):
        return True
    if get_origin(member) is Literal:
        return value in get_args(member)
    kind = get_origin(member) or member
    return isinstance(kind, type) and isinstance(value, (int, float) if kind is float else kind)


def is_union(expected: Any) -> bool:
    return get_origin(expected) in (Union, types.UnionType)


def bare(expected: Any) -> Any:
    """The type without what ``Annotated`` adds."""
    return bare(get_args(expected)[0]) if get_origin(expected) is Annotated else expected


#: Kinds of limits: the test of (value, bound), and words.
_LIMITS: dict[Any, tuple[Callable[[Any, Any], Any], str]] = {
    at.Ge: (operator.ge, ">= {}"),
    at.Gt: (operator.gt, "> {}"),
    at.Le: (operator.le, "<= {}"),
    at.Lt: (operator.lt, "< {}"),
    at.MultipleOf: (lambda value, factor: value % factor == 0, "divisible by {}"),
    at.MinLen: (lambda value, length: len(value) >= length, "of at least {}"),
    at.MaxLen: (lambda value, length: len(value) <= length, "of at most {}"),
    at.Predicate: (lambda value, test: test(value), "that is {}"),
}


def constraints(expected: Any) -> list[Any]:
    """The limits that ``Annotated`` sets, groups such as ``Interval`` and ``Len`` taken apart."""
    found: list[Any] = []
    for extra in get_args(expected)[1:]:
        found += list(extra) if isinstance(extra, at.GroupedMetadata) else [extra]
    return [limit for limit in found if type(limit) in _LIMITS]


def satisfies(value: Any, limit: Any) -> bool:
    """Whether a value keeps within a limit; one that cannot be compared does not."""
    try:
        return bool(_LIMITS[type(limit)][0](value, _bound(limit)))
    except TypeError:
        return False


def limit_text(limit: Any) -> str:
    """A limit in words: ``>= 1``, ``divisible by 8``."""
    if limit == at.MinLen(1):
        return "that is not empty"
    bound = _bound(limit)
    return _LIMITS[type(limit)][1].format(getattr(bound, "__name__", "as required") if callable(bound) else bound)


def _bound(limit: Any) -> Any:
    return getattr(limit, limit.__match_args__[0])  # these are dataclasses of one field
