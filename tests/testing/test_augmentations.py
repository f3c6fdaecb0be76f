"""The kit on augmentations: what keeps the contract passes, and one that breaks it for each property."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Annotated, Any

import pytest
import torch
from annotated_types import Ge
from torch import Tensor, nn

from inpaintkit import Augmentation

from .toys import EVERY_KIND, broken_ids, check_broken, check_good


class Fog(Augmentation):
    """Each picture is mixed with white, by a random share.

    Args:
        most: the largest share.
    """

    def __init__(self, most: Annotated[float, Ge(0)] = 0.5) -> None:
        super().__init__()
        self.most = most

    def share(self, pictures: Tensor) -> Tensor:
        return torch.rand(len(pictures), 1, 1, 1, dtype=pictures.dtype) * self.most

    def forward(self, pictures: Tensor) -> Tensor:
        share = self.share(pictures)
        return pictures * (1 - share) + share


class Halve(Augmentation):
    """Half the size, and nothing random."""

    def forward(self, pictures: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(pictures, 2)


class Untyped(Fog):
    """An option without a type."""

    def __init__(self, most=0.5) -> None:  # type: ignore[no-untyped-def]
        super().__init__(most)


class NoModule:
    """Something else."""


class Gray(Fog):
    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.mean(1, keepdim=True)


class AnySize(Fog):
    def forward(self, pictures: Tensor) -> Tensor:
        return pictures[..., int(torch.randint(8, ())) :]


class Brighter(Fog):
    def forward(self, pictures: Tensor) -> Tensor:
        return pictures * (1 + self.share(pictures))


class Single(Fog):
    def forward(self, pictures: Tensor) -> Tensor:
        return super().forward(pictures).float()


class Broken(Fog):
    def forward(self, pictures: Tensor) -> Tensor:
        return pictures / 0 * 0


class InPlace(Fog):
    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.mul_(1 - self.share(pictures))


class PythonRandom(Fog):
    def share(self, pictures: Tensor) -> Tensor:
        return torch.full((len(pictures), 1, 1, 1), random.random(), dtype=pictures.dtype)


class Remembers(Fog):
    calls = 0

    def share(self, pictures: Tensor) -> Tensor:
        self.calls += 1
        return super().share(pictures) / self.calls


class Mixes(Fog):
    def forward(self, pictures: Tensor) -> Tensor:
        return (pictures + pictures.mean(0, keepdim=True)) / 2


GOOD = [Fog, Halve]

BROKEN: list[tuple[str, Any, str]] = [
    *EVERY_KIND,
    ("options typed", Untyped, "option 'most' is not annotated"),
    ("builds", NoModule, "it is a NoModule, not a torch.nn.Module"),
    ("shape", Gray, r"pictures \(1, 3, 16, 32\) became \(1, 1, 16, 32\), expected \(1, 3, height, width\)"),
    ("shape", AnySize, "the size of the result is random: "),
    ("range and dtype", Brighter, r"pictures in \[0, 1\] became values from .*: clamp them"),
    ("range and dtype", Single, "pictures of torch.float64 became torch.float32"),
    ("range and dtype", Broken, "NaN or infinite"),
    ("input unchanged", InPlace, r"forward\(\) modifies its input in place: pictures"),
    ("seeded", PythonRandom, "the same state of torch's global generator gave a different result"),
    ("seeded", Remembers, "keep no state between calls"),
    ("independent of the batch", Mixes, "depends on the other pictures of the batch"),
]


@pytest.mark.parametrize("factory", GOOD)
def test_passes_what_keeps_the_contract(factory: Any, tmp_path: Path) -> None:
    check_good("augmentation", factory, set(), tmp_path)


@pytest.mark.parametrize(("name", "factory", "message"), BROKEN, ids=broken_ids(BROKEN))
def test_fails_what_breaks_it(name: str, factory: Any, message: str, tmp_path: Path) -> None:
    check_broken("augmentation", name, factory, message, tmp_path)
