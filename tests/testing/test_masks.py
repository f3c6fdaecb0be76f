"""The kit on mask samplers: what keeps the contract passes, and one that breaks it for each property."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Annotated, Any

import attrs
import pytest
import torch
from annotated_types import Ge

from inpaintkit import MaskSampler

from .toys import EVERY_KIND, broken_ids, check_broken, check_good


@attrs.frozen
class GoodMasks(MaskSampler):
    """The columns from a random one on."""

    least: Annotated[int, Ge(0)] = 1

    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        start = torch.randint(self.least, size[1], (count, 1, 1, 1), generator=rng, device=rng.device)
        return (torch.arange(size[1], device=rng.device) >= start).float().expand(count, 1, *size)


@attrs.frozen
class SameMasks(MaskSampler):
    """The left column, always."""

    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        mask = torch.zeros(count, 1, *size, device=rng.device)
        mask[..., 0] = 1
        return mask


@attrs.frozen
class Soft(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return super().__call__(count, size, rng) * 0.5


@attrs.frozen
class Booleans(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return super().__call__(count, size, rng).bool()


@attrs.frozen
class NoChannel(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return super().__call__(count, size, rng)[:, 0]


@attrs.frozen
class Inverted(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return torch.zeros_like(super().__call__(count, size, rng))


class Remembers(MaskSampler):
    """Its holes wander."""

    calls = 0

    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        self.calls += 1
        return GoodMasks()(count, size, rng).roll(self.calls, -1)


@attrs.frozen
class OneForBatch(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return super().__call__(1, size, rng).expand(count, 1, *size)


@attrs.frozen
class IgnoresSeed(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        torch.rand(3, generator=rng)
        return super().__call__(count, size, torch.Generator().manual_seed(0))


@attrs.frozen
class GlobalTorch(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return super().__call__(count, size, rng) * (torch.rand(count, 1, 1, 1) < 2)


@attrs.frozen
class GlobalPython(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        random.random()
        return super().__call__(count, size, rng)


@attrs.frozen
class GlobalSeeds(GoodMasks):
    """Leaves the global generator alone, but starts from it."""

    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return super().__call__(count, size, torch.Generator().manual_seed(torch.initial_seed() % 997))


@attrs.frozen
class ForgetsDevice(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return super().__call__(count, size, rng) * (torch.arange(size[1]) > 0)


@attrs.frozen
class LeavesDevice(SameMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        mask = torch.zeros(count, 1, *size)
        mask[..., 0] = 1
        return mask


GOOD: list[tuple[Any, set[str]]] = [
    (GoodMasks, set()),
    (SameMasks, set()),
]

BROKEN: list[tuple[str, Any, str]] = [
    *EVERY_KIND,
    ("binary", Soft, "masks contain 0.5: only 1 .hole. and 0"),
    ("binary", Booleans, "returned torch.bool, expected float32"),
    ("binary", NoChannel, r"returned \(1, 16, 32\), expected \(1, 1, 16, 32\)"),
    ("binary", Inverted, "all 8 masks are empty"),
    ("seeded", Remembers, "the same seed gave different masks the second time"),
    ("one mask per image", OneForBatch, "all 8 masks of a batch are the same"),
    ("one mask per image", IgnoresSeed, "two seeds give the same masks"),
    ("global generators untouched", GlobalTorch, "draws from the global generator of torch"),
    ("global generators untouched", GlobalPython, "draws from the global generator of random"),
    ("global generators untouched", GlobalSeeds, "masks depend on the global generator of torch"),
    ("on the generator's device", ForgetsDevice, "create every tensor with device=rng.device"),
    ("on the generator's device", LeavesDevice, "masks are not on rng.device"),
]  # fmt: skip


@pytest.mark.parametrize(("factory", "skipped"), GOOD, ids=[each[0].__name__ for each in GOOD])
def test_passes_what_keeps_the_contract(factory: Any, skipped: set[str], tmp_path: Path) -> None:
    check_good("mask sampler", factory, skipped, tmp_path)


@pytest.mark.parametrize(("name", "factory", "message"), BROKEN, ids=broken_ids(BROKEN))
def test_fails_what_breaks_it(name: str, factory: Any, message: str, tmp_path: Path) -> None:
    check_broken("mask sampler", name, factory, message, tmp_path)
