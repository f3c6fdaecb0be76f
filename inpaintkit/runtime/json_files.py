"""JSON files that may be damaged, foreign or hostile; those that inpaintkit reads again end with their own checksum."""

from __future__ import annotations

import errno
import json
import re
import stat
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

MAX_BYTES = 128 * 2**20  # of one file
MAX_DEPTH = 50

_SEALED = re.compile(rb'(.*),\n"checksum": "([0-9a-f]{32})"}\n', re.DOTALL)


def require_regular(file: Path) -> None:
    """Raises an OSError where ``file`` is missing or is a folder, a pipe or a device: reading one may never end."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(file))


def read_limited(file: Path, most: int = MAX_BYTES) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger than ``most`` bytes.
    """
    require_regular(file)
    with open(file, "rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise ValueError(f"larger than {most // 2**20} MiB")
    return data


def parse_json(text: bytes) -> Any:
    """What a JSON text says; raises a ValueError where it is none, or nested deeper than ``MAX_DEPTH``."""
    try:
        value = json.loads(text.decode("utf-8"))
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from None
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        "".join(each for each in level if isinstance(each, str)).encode()  # half of a surrogate pair cannot be written
        mappings = [each for each in level if isinstance(each, dict)]
        inside = [*mappings, *(each.values() for each in mappings), *(each for each in level if isinstance(each, list))]
        level = [child for children in inside for child in children]
        if not level:
            return value
    raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def sealed(tree: Mapping[str, Any]) -> str:
    """A mapping as JSON that ends with a checksum of the text before it."""
    text = json.dumps(tree, indent=1, allow_nan=False).removesuffix("\n}")
    return f'{text},\n"checksum": "{_checksum(text.encode())}"}}\n'


def read_sealed(file: Path, most: int = MAX_BYTES) -> dict[str, Any]:
    """The mapping that was written as :func:`sealed`.

    Raises:
        OSError: it cannot be read.
        ValueError: it was changed since, or is something else.
    """
    match = _SEALED.fullmatch(read_limited(file, most))
    if match is None:
        raise ValueError("it does not end with its checksum")
    if _checksum(match[1]) != match[2].decode():
        raise ValueError("its checksum is not the one written")
    tree = parse_json(match[1] + b"}")
    if not isinstance(tree, dict):
        raise ValueError("it holds no mapping")
    return tree


def _checksum(text: bytes) -> str:
    return blake2b(text, digest_size=16).hexdigest()
