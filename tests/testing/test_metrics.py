"""The kit on metrics: what keeps the contract passes, and one that breaks it for each property."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from inpaintkit import Metric, Sample
from inpaintkit.testing.component import NotApplicable

from .toys import EVERY_KIND, broken_ids, cases, check_broken, check_good


class GoodMetric(Metric):
    """Mean difference, image by image."""

    higher_is_better = False

    def __init__(self, region: Literal["hole", "whole"] = "hole") -> None:
        self.region, self.label = region, f"distance[{region},-1..1]"
        self.found: list[Tensor] = []

    def values(self, sample: Sample) -> Tensor:
        weight = sample.mask if self.region == "hole" else torch.ones_like(sample.mask)
        return ((sample.output - sample.image).abs() * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3))

    def update(self, sample: Sample) -> Any:
        self.found.append(self.values(sample))
        return self.found[-1]

    def compute(self) -> Any:
        return float(torch.cat(self.found).mean())


class SetMetric(Metric):
    """Of the set as a whole; needs its setup."""

    label = "spread[all]"
    higher_is_better = None

    def __init__(self) -> None:
        self.count = 0

    def setup(self, device: torch.device) -> None:
        self.sums = torch.zeros(2, device=device, dtype=torch.float64)

    def update(self, sample: Sample) -> None:
        flat = sample.output.double().flatten()
        self.sums += torch.stack([flat.sum(), flat.square().sum()])
        self.count += len(flat)

    def compute(self) -> float:
        mean, square = self.sums / self.count
        return float(square - mean**2)


class WrongDirection(GoodMetric):
    higher_is_better = True


class Infinite(GoodMetric):
    def compute(self) -> Any:
        return float("inf")


class NotOneNumber(GoodMetric):
    def compute(self) -> Any:
        return torch.cat(self.found)


class MeanOfMeans(GoodMetric):
    def update(self, sample: Sample) -> Any:
        self.found.append(self.values(sample).mean()[None])


class OtherMean(GoodMetric):
    def compute(self) -> Any:
        return float(torch.cat(self.found).median())


class ReturnsMean(GoodMetric):
    def update(self, sample: Sample) -> Any:
        return super().update(sample).mean()


class RelativeToBatch(GoodMetric):
    """Sorted values have the same mean."""

    def values(self, sample: Sample) -> Tensor:
        return super().values(sample).sort(descending=True).values


class ClampsSample(GoodMetric):
    def values(self, sample: Sample) -> Tensor:
        sample.output.clamp_(-0.5, 0.5)
        return super().values(sample)


class Unnamed(GoodMetric):
    def __init__(self, region: Literal["hole", "whole"] = "hole") -> None:
        super().__init__(region)
        self.label = "distance"


class OneNameForTwo(GoodMetric):
    def __init__(self, region: Literal["hole", "whole"] = "hole") -> None:
        super().__init__(region)
        self.label = "distance[-1..1]"


class OneNameForTwoViews(GoodMetric):
    def __init__(self, region: Literal["hole", "whole"] = "hole", on: str = "output") -> None:
        super().__init__(region)


GOOD: list[tuple[Any, set[str]]] = [
    (GoodMetric, set()),
    (SetMetric, {"a value for each image"}),
]

BROKEN: list[tuple[str, Any, str]] = [
    *EVERY_KIND,
    ("a number", WrongDirection, "declares higher_is_better = True"),
    ("a number", Infinite, "is inf for ordinary pictures"),
    ("a number", NotOneNumber, r"compute\(\) returned a Tensor, expected a float"),
    ("any split into batches", MeanOfMeans, "not a mean of batches' means"),
    ("any split into batches", OtherMean, "return None from update if the metric is not the mean over images"),
    ("any split into batches", ReturnsMean, r"update returned \(\), expected one value per image \(6,\)"),
    ("a value for each image", RelativeToBatch, "depends on the other images of its batch"),
    ("inputs unchanged", ClampsSample, "update modifies its input in place: output"),
    ("label states the variant", Unnamed, r"label 'distance': write name\[variant,range\]"),
    ("label states the variant", OneNameForTwo, "region='whole' and region='hole' have the same label"),
    ("label states the variant", OneNameForTwoViews, "on='completed' and on='output' have the same label"),
]  # fmt: skip


@pytest.mark.parametrize(("factory", "skipped"), GOOD, ids=[each[0].__name__ for each in GOOD])
def test_passes_what_keeps_the_contract(factory: Any, skipped: set[str], tmp_path: Path) -> None:
    check_good("metric", factory, skipped, tmp_path)


@pytest.mark.parametrize(("name", "factory", "message"), BROKEN, ids=broken_ids(BROKEN))
def test_fails_what_breaks_it(name: str, factory: Any, message: str, tmp_path: Path) -> None:
    check_broken("metric", name, factory, message, tmp_path)


def test_metrics_of_torchmetrics(tmp_path: Path) -> None:
    found = cases("metric", "torchmetrics.image:PeakSignalNoiseRatio", options={"tried": {"data_range": 1.0}})
    skipped = []
    for name, case in found.items():
        try:
            case.run(tmp_path)
        except NotApplicable:
            skipped.append(name)
    assert skipped == ["a value for each image"]


@pytest.mark.parametrize(("least", "runs"), [(9, True), (2000, False)])
def test_metrics_that_need_many_images(least: int, runs: bool, tmp_path: Path) -> None:
    class Many(SetMetric):
        """Refuses fewer."""

        min_images = least

        def compute(self) -> float:
            assert self.count >= least * 3 * 16 * 16
            return super().compute()

    case = cases("metric", Many)["any split into batches"]
    if runs:
        case.run(tmp_path)
    else:
        with pytest.raises(NotApplicable, match="needs at least 2000 images"):
            case.run(tmp_path)
