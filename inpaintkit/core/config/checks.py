"""The limits that ``Annotated[int, Ge(1)]`` sets, and ``checked``, which applies them in constructors.

A recipe's values are checked before a constructor is called; ``checked`` holds the same limits in Python code.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import operator
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import annotated_types as at
import attrs

from ..errors import OptionError, Path, did_you_mean, dotted, short_repr

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
        errors = []
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            hint = hints_of(owner).get(name)
            errors += violations(value, hint, (name,))
            for key, (inner, _) in keyword_hints(hint).items():
                errors += violations(value[key], inner, (key,)) if key in value else []
        if errors:
            raise OptionError.join(errors)
        init(*args, **kwargs)

    return wrapper


@functools.cache
def hints_of(factory: Any) -> Mapping[str, Any]:
    """The annotations of a constructor's parameters, by name."""
    if isinstance(factory, functools.partial):
        return hints_of(factory.func)
    if isinstance(factory, type):
        # generated constructors have annotations that are resolved where the class stands
        if attrs.has(factory):
            hints = typing.get_type_hints(factory, include_extras=True)
            return {field.alias or field.name: hints.get(field.name, Any) for field in attrs.fields(factory)}
        source = factory if dataclasses.is_dataclass(factory) else factory.__init__  # type: ignore[misc]
    else:
        source = factory if inspect.isroutine(factory) else type(factory).__call__
    return typing.get_type_hints(source, include_extras=True)


@functools.cache
def keyword_hints(expected: Any) -> Mapping[str, tuple[Any, bool]]:
    """The annotations of ``**options: Unpack[SomeTypedDict]``, and whether each is required; empty for other types."""
    if get_origin(expected) is not typing.Unpack:
        return {}
    [typed_dict] = get_args(expected)
    found = {}
    for name, hint in typing.get_type_hints(typed_dict, include_extras=True).items():
        required = name in typed_dict.__required_keys__
        if get_origin(hint) in (typing.Required, typing.NotRequired):
            required = get_origin(hint) is typing.Required
            [hint] = get_args(hint)
        found[name] = (hint, required)
    return found


def violations(value: Any, expected: Any, path: Path) -> list[OptionError]:
    """What of ``value`` is beyond the limits or choices in the annotation ``expected``; other types have none."""
    origin, args = get_origin(expected), get_args(expected)
    if origin is Annotated:
        if all(satisfies(value, limit) for limit in constraints(expected)):
            return violations(value, args[0], path)
        return [_violation(value, expected, path)]
    if origin is Literal:
        return [] if value in args else [_violation(value, expected, path, did_you_mean(str(value), map(str, args)))]
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


def _violation(value: Any, expected: Any, path: Path, hint: str = "") -> OptionError:
    from .schema import describe  # knows the interfaces, and so imports torch: only where something is wrong

    return OptionError(f"{dotted(path)}: expected {describe(expected)}, not {short_repr(value)}{hint}", path)


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


def constraints(expected: Any) -> list[Any]:
    """The limits that ``Annotated`` sets, groups such as ``Interval`` and ``Len`` taken apart."""
    found: list[Any] = []
    for extra in get_args(expected)[1:]:
        found += list(extra) if isinstance(extra, at.GroupedMetadata) else [extra]
    return found


#: Kinds of limits: the attribute that holds the bound, the test of (value, bound), and words.
_LIMITS: dict[Any, tuple[str, Callable[[Any, Any], Any], str]] = {
    at.Ge: ("ge", operator.ge, ">= {}"),
    at.Gt: ("gt", operator.gt, "> {}"),
    at.Le: ("le", operator.le, "<= {}"),
    at.Lt: ("lt", operator.lt, "< {}"),
    at.MultipleOf: ("multiple_of", lambda value, factor: value % factor == 0, "divisible by {}"),
    at.MinLen: ("min_length", lambda value, length: len(value) >= length, "of at least {}"),
    at.MaxLen: ("max_length", lambda value, length: len(value) <= length, "of at most {}"),
    at.Predicate: ("func", lambda value, test: test(value), "that is {}"),
}


def satisfies(value: Any, limit: Any) -> bool:
    """Whether a value keeps within a limit; a value that cannot be compared does not, what is no limit always holds."""
    if type(limit) not in _LIMITS:
        return True
    attribute, test, _ = _LIMITS[type(limit)]
    try:
        return bool(test(value, getattr(limit, attribute)))
    except TypeError:
        return False


def limit_text(limit: Any) -> str:
    """A limit in words: ``>= 1``, ``divisible by 8``; empty for what is no limit."""
    if type(limit) not in _LIMITS:
        return ""
    if limit == at.MinLen(1):
        return "that is not empty"
    attribute, _, text = _LIMITS[type(limit)]
    bound = getattr(limit, attribute)
    return text.format(getattr(bound, "__name__", "as required") if callable(bound) else bound)
