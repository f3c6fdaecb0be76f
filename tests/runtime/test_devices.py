"""Devices by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from inpaintkit.core.errors import InpaintkitError
from inpaintkit.runtime.devices import pick_device

Write = Callable[..., Path]


def test_devices() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(InpaintkitError, match="device 'cuda:99' cannot be used here"):
        pick_device("cuda:99")
