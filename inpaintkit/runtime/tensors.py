"""Files of tensors: reading safetensors, and saying where their keys and shapes differ from what is expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from ..core.errors import CheckpointError, listed
from .json_files import require_regular


def read_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name.

    Raises:
        CheckpointError: the file is missing or is not one.
    """
    try:
        require_regular(file)
        return load_file(file)
    except FileNotFoundError as error:
        raise CheckpointError(f"{file} is missing") from error
    except Exception as error:
        raise CheckpointError(f"{file} is not a readable safetensors file: {error}") from error


def key_difference(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], partly: bool = False) -> str:
    """Where two state dicts differ, a few names of each kind; empty when they fit.

    ``partly``: ``found`` may have more than what is expected.
    """
    shapes = [
        f"{key}: {list(found[key].shape)} in the file, {list(value.shape)} here"
        for key, value in expected.items()
        if key in found and found[key].shape != value.shape
    ]
    lines = [
        _some("missing in the file", [key for key in expected if key not in found]),
        "" if partly else _some("only in the file", [key for key in found if key not in expected]),
        _some("of another shape", shapes),
    ]
    return "\n".join(line for line in lines if line)


def _some(label: str, names: Sequence[str]) -> str:
    return f"  {len(names)} {label}: {listed(names, 6)}" if names else ""
