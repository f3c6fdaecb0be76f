"""Weights of one method as the start of another that has more parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from inpaintkit import Adversarial, CheckpointError, Generator, Stage
from inpaintkit.components.losses import L1
from inpaintkit.runs.checkpoint import init_method


class Net(Generator):
    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.layer = nn.Conv2d(4, width, 1)

    def forward(self, masked: Tensor, mask: Tensor) -> Tensor:
        return self.layer(torch.cat([masked, mask], 1))  # type: ignore[no-any-return]


def made(**options: float) -> Adversarial:
    return Adversarial(Net(), [Stage("all", 1, {"hole": 1.0})], {"hole": L1()}, **options)  # type: ignore[arg-type]


def test_an_average_that_the_file_lacks_starts_at_its_generator(tmp_path: Path) -> None:
    first, second = made(), made(ema=0.9)
    save_file(first.state_dict(), tmp_path / "first.safetensors")
    assert init_method(tmp_path / "first.safetensors", second) == []
    assert second.averaged is not None
    torch.testing.assert_close(second.generator.state_dict(), first.generator.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(second.averaged.state_dict(), first.generator.state_dict(), rtol=0, atol=0)


def test_a_part_that_fits_only_partly_is_refused(tmp_path: Path) -> None:
    tensors = {key: value for key, value in made().state_dict().items() if not key.endswith("bias")}
    save_file(tensors, tmp_path / "half.safetensors")
    with pytest.raises(CheckpointError, match=r"missing in the file: generator\.layer\.bias"):
        init_method(tmp_path / "half.safetensors", made())
