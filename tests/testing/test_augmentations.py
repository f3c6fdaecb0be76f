"""The kit on augmentations: what keeps the contract passes, and one that breaks it for each property."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
import torch
from annotated_types import Ge
from torch import Tensor, nn

from inpaintkit import Augmentation
from inpaintkit.testing import PROPERTIES, Case

Cases = Callable[..., dict[str, Case]]


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


@pytest.mark.parametrize("factory", [Fog, Halve])
def test_passes_what_keeps_the_contract(factory: Any, cases: Cases, tmp_path: Path) -> None:
    found = cases("augmentation", factory)
    assert list(found) == ["registers", *PROPERTIES["augmentation"]]
    for case in found.values():
        case.run(tmp_path)


BROKEN = [
    ("options typed", Untyped, "option 'most' is not annotated"),
    ("builds", NoModule, "it is a NoModule, not a torch.nn.Module"),
    ("shape", Gray, r"pictures \(1, 3, 16, 32\) became \(1, 1, 16, 32\): \(1, 3, height, width\) is due"),
    ("shape", AnySize, "the size depends on chance: "),
    ("range and dtype", Brighter, r"pictures in \[0, 1\] became values from .*: clamp them"),
    ("range and dtype", Single, "pictures of torch.float64 became torch.float32"),
    ("range and dtype", Broken, "NaN or infinite"),
    ("input unchanged", InPlace, r"forward\(\) changes its input in place: pictures"),
    ("seeded", PythonRandom, "the same state of torch's global generator gave another result"),
    ("seeded", Remembers, "keep no state between calls"),
    ("each picture on its own", Mixes, "depends on the other pictures of the batch"),
]


@pytest.mark.parametrize(("name", "factory", "message"), BROKEN, ids=[each[1].__name__ for each in BROKEN])
def test_fails_what_breaks_it(name: str, factory: Any, message: str, cases: Cases, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=f"(?s)augmentation 'tried'.*{message}"):
        cases("augmentation", factory)[name].run(tmp_path)


def test_every_property_has_something_that_breaks_it() -> None:
    assert {each[0] for each in BROKEN} == set(PROPERTIES["augmentation"])
