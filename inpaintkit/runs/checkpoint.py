"""Writes, finds and loads checkpoints: weights, optimizer states and a JSON file with checksums, in a folder each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ..core.errors import CheckpointError
from ..core.interfaces import Method
from ..runtime import key_difference, new_folder, read_tensors

METHOD, OPTIMIZERS, STATE = "method.safetensors", "optimizers.pt", "state.json"


def save(folder: Path, step: int, method: Method, extra: Mapping[str, Any] | None = None, keep: int = 2) -> Path:
    """Writes ``folder/step-00001000`` after ``step`` steps, and keeps the newest ``keep`` in all.

    Checkpoints of later steps are removed too: a resumed run has skipped them as damaged. ``extra`` goes to the JSON.

    Raises:
        CheckpointError: the disk refuses; older checkpoints stay.
    """
    final = folder / f"step-{step:08d}"
    weights = contiguous(method.state_dict())
    optimizers = {name: optimizer.state_dict() for name, optimizer in method.optimizers.items()}
    try:
        with new_folder(final, replace=True) as temporary:
            save_file(weights, temporary / METHOD)
            torch.save(optimizers, temporary / OPTIMIZERS)
            sums = {name: file_sum(temporary / name) for name in (METHOD, OPTIMIZERS)}
            state = {"step": step, **(extra or {}), "sums": sums}
            (temporary / STATE).write_text(json.dumps(state, indent=1))
    except (OSError, SafetensorError, RuntimeError) as error:  # torch.save raises RuntimeErrors
        message = f"the checkpoint {final} cannot be written: {error}; earlier ones are untouched"
        raise CheckpointError(message) from error
    present = checkpoints(folder)
    until = present.index(final) + 1
    for path in [*present[: max(until - keep, 0)], *present[until:]]:
        shutil.rmtree(path, ignore_errors=True)
    return final


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoint folders, oldest first, without those that a killed process left unfinished."""
    finished = [path for path in folder.glob("step-*") if path.name[5:].isdecimal() and (path / STATE).is_file()]
    return sorted(finished, key=lambda path: int(path.name[5:]))


def latest(folder: Path) -> tuple[Path, dict[str, Any], list[str]]:
    """The newest undamaged checkpoint, its state, and what was wrong with newer ones.

    Raises:
        CheckpointError: there is none.
    """
    damaged: list[str] = []
    for path in reversed(checkpoints(folder)):
        try:
            return path, read_state(path), damaged
        except CheckpointError as error:
            damaged.append(str(error))
    raise CheckpointError("; ".join([f"no usable checkpoint in {folder}", *damaged]))


def read_state(path: Path) -> dict[str, Any]:
    """``state.json`` of a checkpoint, after a check of its files against their checksums."""
    try:
        state = json.loads((path / STATE).read_text())
        if not isinstance(state["step"], int):
            raise CheckpointError(f"{path / STATE} is damaged: it does not say its step")
        for name in (METHOD, OPTIMIZERS):
            if file_sum(path / name) != state["sums"][name]:
                raise CheckpointError(f"{path / name} is damaged: its checksum is not the one written")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    return dict(state)


def load_method(path: Path, method: Method, *, partly: bool = False) -> None:
    """Loads the weights of a checkpoint, or of one ``.safetensors`` file, into ``method``.

    ``partly``: keys that only the file has are ignored (the method was built without its critics).

    Raises:
        CheckpointError: keys or shapes differ; names them.
    """
    file = path / METHOD if path.is_dir() else path
    found = read_tensors(file)
    difference = key_difference(method.state_dict(), found, partly)
    if difference:
        raise CheckpointError(f"{file} does not fit this method:\n{difference}")
    method.load_state_dict({key: value for key, value in found.items() if key in method.state_dict()})


def init_method(path: Path, method: Method) -> list[str]:
    """Initializes ``method`` with the weights of a checkpoint or file; returns the parts that the file does not hold.

    A part is the generator, one critic, or another child of the method. A part that is not in the file keeps its fresh
    weights, and one that is only in the file is ignored; so are parts without parameters (measurements of balances).

    Raises:
        CheckpointError: a part fits only partly, with the keys that differ; or no part fits.
    """
    file = path / METHOD if path.is_dir() else path
    found = read_tensors(file)
    parts = {part_of(name, method) for name, _ in method.named_parameters()}
    held = parts & {part_of(key, method) for key in found}

    def only(parts: set[str], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {key: value for key, value in tensors.items() if part_of(key, method) in parts}

    compared = only(held, found) if held else found
    if difference := key_difference(only(held or parts, method.state_dict()), compared):
        raise CheckpointError(f"{file} does not fit this method:\n{difference}")
    missing = method.load_state_dict(only(held, found), strict=False).missing_keys
    return sorted({part_of(key, method) for key in missing} & parts)


def newest(path: Path) -> Path:
    """The newest checkpoint, if ``path`` is a run's folder; otherwise ``path`` itself."""
    is_run = (path / "checkpoints").is_dir()
    return latest(path / "checkpoints")[0] if is_run else path


def part_of(key: str, method: Method) -> str:
    """``critics.image`` of ``critics.image.net.layers.0.weight``, ``generator`` of ``generator.out.bias``."""
    first, _, rest = key.partition(".")
    several = isinstance(getattr(method, first, None), torch.nn.ModuleDict)
    return f"{first}.{rest.partition('.')[0]}" if several else first


def load_optimizers(path: Path, method: Method) -> None:
    """Restores the optimizers' moments.

    Raises:
        CheckpointError: the file is missing or unreadable, or was written for other optimizers.
    """
    file = path / OPTIMIZERS
    try:
        saved = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"{file} is not readable: {error}") from error
    for name, optimizer in method.optimizers.items():
        state = optimizer.state_dict()
        if name not in saved or parameter_names(saved[name]) != parameter_names(state):
            raise CheckpointError(f"{file} does not fit this method: optimizer {name!r} has other parameters")
        optimizer.load_state_dict({**state, "state": saved[name]["state"]})
        # Fused kernels walk parameter and moments in memory order: the moments need the parameter's strides.
        for parameter, values in optimizer.state.items():
            for key, value in values.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    values[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def parameter_names(state: Mapping[str, Any]) -> list[Any]:
    """The parameters of an optimizer's state_dict, by name where it was built from names."""
    return [group.get("param_names", group["params"]) for group in state["param_groups"]]


def contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous copies on the CPU that share no storage, as safetensors requires."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}


def file_sum(path: Path) -> str:
    digest = blake2b(digest_size=16)
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def remove_unfinished(folder: Path) -> None:
    """Removes what killed processes left: temporary files and folders, and checkpoints that were being removed."""
    incomplete = [path for path in folder.glob("step-*") if path.is_dir() and not (path / STATE).is_file()]
    for path in [*folder.glob(".*.part"), *incomplete]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
