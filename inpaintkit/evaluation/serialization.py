"""attrs classes as JSON and back, with one function for each direction."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import attrs

from ..core.errors import InpaintkitError

#: Metadata of a field whose value gives its own fields to the JSON object that it stands in.
INLINE = {"inline": True}

T = TypeVar("T")


def to_tree(value: Any) -> Any:
    """JSON's types: an attrs class becomes a mapping of its fields. NaN and infinity become words: JSON has neither."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {str(key): to_tree(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_tree(item) for item in value]
    if not attrs.has(type(value)):
        return value
    tree: dict[str, Any] = {}
    for field in attrs.fields(type(value)):
        item = to_tree(getattr(value, field.name))
        tree |= item if field.metadata.get("inline") else {field.name: item}
    return tree


def from_tree(tree: Any, expected: Any) -> Any:
    """The inverse of :func:`to_tree` for a value of the type ``expected``.

    Raises:
        KeyError, TypeError, ValueError: something is missing, or of another type.
    """
    origin, args = get_origin(expected), get_args(expected)
    if attrs.has(expected):
        hints = get_type_hints(expected)
        fields = attrs.fields(expected)
        return expected(**{
            field.name: from_tree(tree if field.metadata.get("inline") else tree[field.name], hints[field.name])
            for field in fields
        })  # fmt: skip
    if origin is tuple:
        return tuple(from_tree(item, args[0]) for item in tree)
    if origin is not None and issubclass(origin, Mapping):
        return {key: from_tree(item, args[1]) for key, item in tree.items()}
    if NoneType in args:
        return None if tree is None else from_tree(tree, args[0])
    return float(tree) if expected is float else tree


def read_json(path: Path, file_name: str, parse: Callable[[Any], T], what: str, command: str) -> T:
    """A file, or the one of that name in a folder, as what ``parse`` makes of it.

    Args:
        what: is in the file, for messages.
        command: of inpaintkit, that writes the file.

    Raises:
        InpaintkitError: the file is missing or damaged.
    """
    file = path / file_name if path.is_dir() else path
    try:
        return parse(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        hint = f"`inpaintkit {command}` writes this file"
        raise InpaintkitError(f"no {what} at {file}: {hint} ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InpaintkitError(f"{file} is damaged ({reason}): {command} again") from error
