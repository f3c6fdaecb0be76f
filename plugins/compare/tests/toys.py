"""Small metrics and methods for the tests of comparisons."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from inpaintkit_compare.comparison import Comparison, ComparisonRow
from inpaintkit_compare.table import comparison_table
from rich.console import Console
from torch import Tensor
from toy_methods import Trained

from inpaintkit import Method, Metric, Sample, hookimpl

COUNT, SIDE = 13, 12


L1, SET = "toy-l1|comma, bar", "count[set]"


class Error(Metric):
    """The mean absolute error over the hole; its label has what tables trip over."""

    label, higher_is_better = L1, False

    def update(self, sample: Sample) -> Tensor:
        return ((sample.completed - sample.image).abs() * sample.mask).sum((1, 2, 3)) / (3 * sample.mask.sum((1, 2, 3)))


class Bright(Metric):
    """The mean of the completed picture's whole frame: neither end is better; NaN for every third picture."""

    label = "brightness"

    def __init__(self) -> None:
        self.seen = 0

    def update(self, sample: Sample) -> Tensor:
        values = sample.completed.mean((1, 2, 3))
        values[[at for at in range(len(values)) if (self.seen + at) % 3 == 2]] = math.nan
        self.seen += len(values)
        return values


class Undefined(Error):
    label = "undefined"

    def update(self, sample: Sample) -> Tensor:
        return torch.full((len(sample.image),), math.nan)


class Whole(Metric):
    label, higher_is_better = SET, True

    def __init__(self) -> None:
        self.sum = 0.0

    def update(self, sample: Sample) -> None:
        self.sum += float(sample.completed.double().sum())

    def compute(self) -> float:
        return self.sum


class Noise(Method):
    """One random level a picture."""

    randomness = "always"

    def inpaint(self, masked: Tensor, mask: Tensor, *, rng: torch.Generator | None = None) -> Tensor:
        return (torch.rand(len(masked), 1, 1, 1, generator=rng) * 2 - 1).expand_as(masked)


class Broken(Method):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        raise self.error


class Odd(Method):
    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        output = torch.zeros_like(masked)
        output[0] = math.nan
        return output


class Hungry(Method):
    """Takes 16 MB a picture while it works."""

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        extra = torch.ones(len(masked) * 4_000_000)
        return torch.zeros_like(masked) + extra[-1] - 1


class Brings:
    inpaintkit_api = 1

    @hookimpl
    def register_metrics(self, register: Any) -> None:
        for name, metric in (("error", Error), ("bright", Bright), ("undefined", Undefined), ("whole", Whole)):
            register(name, metric)

    @hookimpl
    def register_methods(self, register: Any) -> None:
        register("trained", Trained)


def tree(**changes: Any) -> dict[str, Any]:
    masks = {"use": "random-square", "min": 3, "max": 6}
    return {"name": "toy", "masks": masks, "metrics": ["error", "bright", "whole", "undefined"], **changes}


Compared = Callable[..., Comparison]


def values(row: ComparisonRow, label: str = L1) -> tuple[float, ...]:
    found = row.metrics[label].per_image
    assert found is not None
    return found


def printed(comparison: Comparison, width: int = 100) -> str:
    text = io.StringIO()
    Console(file=text, width=width).print(comparison_table(comparison, width))
    return text.getvalue()


NAMES = ('a|b, [c] "d" <e> *f*', "_under_score\\", "=1+2")


def write_protocol(name: str, side: int, images: Path) -> None:
    """``NAME.yaml`` in the current folder: a square in the middle of the pictures."""
    protocol = {
        "images": str(images),
        "masks": {"use": "center-square", "side": side},
        "metrics": [{"use": "psnr", "region": "hole"}, {"use": "l1", "region": "hole"}],
    }
    Path(f"{name}.yaml").write_text(yaml.safe_dump(protocol))


def sweep_tree(**masks: Any) -> dict[str, Any]:
    """A protocol whose holes can be swept over, by default those of 4 pixels in the middle."""
    metrics: list[Any] = [{"use": "psnr", "region": "hole"}, {"use": "l1"}, {"use": "psnr", "region": "whole"}]
    return {"name": "toy", "size": 12, "masks": masks or {"use": "center-square", "side": 4}, "metrics": metrics}
