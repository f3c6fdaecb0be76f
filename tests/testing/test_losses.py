"""The kit on losses: what keeps the contract passes, and one that breaks it for each property."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from inpaintkit import Sample

from .toys import EVERY_KIND, GoodLoss, broken_ids, check_broken, check_good


class PerImage(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return (sample.output - sample.image).abs().mean((1, 2, 3))


class LowPrecision(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        flat = sample.output.flatten(1)
        return (flat @ flat.T).mean()


class OtherView(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return sample.view("attention").mean()


class FirstScale(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return (sample.views["output"] - sample.image).abs().mean()  # type: ignore[operator]


class DividesByHole(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return super().forward(sample) / sample.mask.mean()


class SteepAtZero(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return (sample.output - sample.image).square().sum((1, 2, 3)).sqrt().mean()


class Rounds(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return (sample.output.round() - sample.image).abs().mean()


class FirstImage(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return (sample.output[0] - sample.image[0]).abs().mean()


class WantsTruth(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        sample.image.requires_grad_()
        return super().forward(sample)


class WritesTruth(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        sample.image.clamp_(-0.5, 0.5)
        return super().forward(sample)


class OtherInTraining(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return super().forward(sample) * (2 if sample.output.requires_grad else 1)


class SumsBatch(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return super().forward(sample) * len(sample.image)


class Learns(GoodLoss):
    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Conv2d(3, 3, 1)

    def forward(self, sample: Sample) -> Any:
        return self.network(sample.output).square().mean()


class LossAsks(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return super().forward(sample) / max(sample.mask.mean().item(), 0.1)


GOOD: list[tuple[Any, set[str]]] = [
    (GoodLoss, set()),
]

BROKEN: list[tuple[str, Any, str]] = [
    *EVERY_KIND,
    ("scalar in float32", PerImage, r"returned \(2\): reduce it to a scalar"),
    ("scalar in float32", LowPrecision, "torch.bfloat16 under bfloat16 autocast: compute losses in float32"),
    ("scalar in float32", OtherView, "no view 'attention' here.*options={'tried': {'on': 'output'}}"),
    ("scalar in float32", FirstScale, "raised TypeError"),
    ("finite", DividesByHole, "it is nan for pictures with empty masks: guard divisions"),
    ("finite", SteepAtZero, "gradient where the output equals the image has .* NaN"),
    ("gradient flows", Rounds, "its gradient reaches no view"),
    ("gradient flows", FirstImage, "reaches only some images of a batch"),
    ("sample unchanged", WantsTruth, "turns on gradients of image"),
    ("sample unchanged", WritesTruth, "forward modifies its input in place: image"),
    ("sample unchanged", OtherInTraining, "for the same sample detached"),
    ("mean over the batch", SumsBatch, "take the mean over the batch"),
    ("nothing to train", Learns, "trainable parameters, which no optimizer updates: network.weight"),
    ("meta device", LossAsks, "raised RuntimeError"),
]  # fmt: skip


@pytest.mark.parametrize(("factory", "skipped"), GOOD, ids=[each[0].__name__ for each in GOOD])
def test_passes_what_keeps_the_contract(factory: Any, skipped: set[str], tmp_path: Path) -> None:
    check_good("loss", factory, skipped, tmp_path)


@pytest.mark.parametrize(("name", "factory", "message"), BROKEN, ids=broken_ids(BROKEN))
def test_fails_what_breaks_it(name: str, factory: Any, message: str, tmp_path: Path) -> None:
    check_broken("loss", name, factory, message, tmp_path)
