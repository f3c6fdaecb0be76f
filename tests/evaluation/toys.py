"""Small metrics and methods for the tests of evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from toy_methods import Trained

from inpaintkit import Method, Metric, Sample, hookimpl
from inpaintkit.evaluation.testset import TestSet

COUNT, SIDE = 17, 24


class PSNR(Metric):
    label, higher_is_better = "psnr[hole,toy]", True

    def update(self, sample: Sample) -> Tensor:
        levels = ((sample.completed - sample.image) * 127.5 * sample.mask) ** 2
        return 10 * torch.log10(255**2 * 3 * sample.mask.sum((1, 2, 3)) / levels.sum((1, 2, 3)))


class Counted(Metric):
    """A property of the whole set: how many pictures there were, and how many outputs were at 8-bit levels."""

    label = "count[set]"

    def __init__(self) -> None:
        self.count = 0

    def setup(self, device: torch.device) -> None:
        self.count = 0

    def update(self, sample: Sample) -> None:
        for view in (sample.image, sample.output, sample.completed):
            levels = (view + 1) * 127.5
            assert torch.allclose(levels, levels.round(), atol=1e-3)
        self.count += len(sample.image)

    def compute(self) -> float:
        return self.count


def foreign() -> Any:
    """What a plugin may register as it is: any torchmetrics.Metric that compares two pictures."""
    from torchmetrics.image import PeakSignalNoiseRatio

    return PeakSignalNoiseRatio(data_range=1.0)


class Drawn(Method):
    """Draws one color everywhere, after looking at what it was given."""

    def __init__(self, level: float = 0.0) -> None:
        super().__init__()
        self.level = level
        self.shapes: list[tuple[int, ...]] = []

    @property
    def stride(self) -> int:
        return 16

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        assert not self.training
        assert not torch.is_grad_enabled()
        assert (masked * mask).abs().max() == 0
        self.shapes.append(tuple(masked.shape))
        return torch.full_like(masked, self.level)


class Brings:
    inpaintkit_api = 1

    @hookimpl
    def register_metrics(self, register: Any) -> None:
        register("toy-psnr", PSNR)
        register("counted", Counted)
        register("foreign", foreign)

    @hookimpl
    def register_methods(self, register: Any) -> None:
        register("drawn", Drawn)
        register("trained", Trained)


def tree(**changes: Any) -> dict[str, Any]:
    masks = {"use": "random-square", "min": 4, "max": 9}
    return {"name": "toy", "masks": masks, "metrics": ["toy-psnr", "counted"], **changes}


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def by_hand(test_set: TestSet, folder: Path, level: int) -> list[float]:
    values = []
    for index in range(COUNT):
        truth = read(folder / f"{index:02d}.png").astype(float)
        hole = test_set.mask(index)[0, 0].numpy().astype(bool)
        values.append(10 * np.log10(255**2 / ((truth[hole] - level) ** 2).mean()))
    return values
