"""Chooses the device and the precision from ``auto`` or a name."""

from __future__ import annotations

import os

import torch

from ..core.errors import InpaintkitError


def pick_device(name: str) -> torch.device:
    """``auto`` is the first accelerator, or the CPU; under torchrun each process has its own.

    Raises:
        InpaintkitError: there is no such device here.
    """
    if name == "auto":
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        name = found.type if found else "cpu"
    try:
        device = torch.device(name)
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InpaintkitError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from error
    return device


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """``auto``: bfloat16 on GPUs that have it, float32 elsewhere."""
    if name == "auto":
        low = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if low else torch.float32
    return torch.bfloat16 if name == "bfloat16" else torch.float32
