"""Writes, finds and loads checkpoints: weights, optimizer states and a JSON file with checksums, in a folder each."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ..core.errors import CheckpointError
from ..core.interfaces import Method
from ..runtime import key_difference, new_folder, read_sealed, read_tensors, require_regular, sealed

METHOD, OPTIMIZERS, STATE = "method.safetensors", "optimizers.pt", "state.json"
#: The types of what a state holds; those of `save`'s ``extra`` may be absent.
KINDS: dict[str, type] = {"step": int, "seconds": float, "seed": int, "images": str, "sums": dict}


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
            (temporary / STATE).write_text(sealed({"step": step, **(extra or {}), "sums": sums}))
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


def newest(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The newest undamaged checkpoint and its state; a warning names damaged ones that were passed over."""
    path, state, damaged = latest(folder)
    if damaged:
        warnings.warn(f"{'; '.join(damaged)}; {path.name} is taken instead", UserWarning, stacklevel=3)
    return path, state


def read_state(path: Path, files: Sequence[str] = (METHOD, OPTIMIZERS)) -> dict[str, Any]:
    """``state.json`` of a checkpoint, after a check of it and of ``files`` against their checksums.

    Raises:
        CheckpointError: one of them is missing or was changed, or the state is not that of such a checkpoint.
    """
    try:
        state = read_sealed(path / STATE)
        if wrong := [key for key, kind in KINDS.items() if type(state.get(key, kind())) is not kind]:
            raise ValueError(f"{', '.join(wrong)} in {STATE} cannot be {state[wrong[0]]!r}")
        if path.name[5:].isdecimal() and path.name != f"step-{state['step']:08d}":
            raise ValueError(f"{STATE} is that of step {state['step']}")
        for name in files:
            if file_sum(path / name) != state["sums"].get(name):
                raise ValueError(f"the checksum of {name} is not the one written")
    except (OSError, ValueError, KeyError) as error:
        reason = f"{STATE} lacks {error}" if isinstance(error, KeyError) else error
        raise CheckpointError(f"{path} is damaged: {reason}") from error
    return state


def tensors_of(path: Path) -> tuple[Path, dict[str, Tensor]]:
    """The file of the weights of a checkpoint, or ``path`` itself, and what it holds.

    Raises:
        CheckpointError: the file is missing or damaged; that of a checkpoint is checked against its checksum.
    """
    file = path / METHOD if path.is_dir() else path
    if path.is_dir() or (file.name == METHOD and (file.parent / STATE).exists()):
        read_state(file.parent, [METHOD])
    return file, read_tensors(file)


def load_method(path: Path, method: Method, *, partly: bool = False) -> None:
    """Loads the weights of a checkpoint, or of one ``.safetensors`` file, into ``method``.

    ``partly``: keys that only the file has are ignored (the method was built without its critics).

    Raises:
        CheckpointError: keys or shapes differ; names them.
    """
    file, found = tensors_of(path)
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
    file, found = tensors_of(path)
    parts = {part_of(name, method) for name, _ in method.named_parameters()}
    held = parts & {part_of(key, method) for key in found}

    def only(parts: set[str], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {key: value for key, value in tensors.items() if part_of(key, method) in parts}

    compared = only(held, found) if held else found
    if difference := key_difference(only(held or parts, method.state_dict()), compared):
        raise CheckpointError(f"{file} does not fit this method:\n{difference}")
    missing = method.load_state_dict(only(held, found), strict=False).missing_keys
    return sorted({part_of(key, method) for key in missing} & parts)


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
    require_regular(path)
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
