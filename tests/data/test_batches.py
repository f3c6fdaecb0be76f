"""Training batches as functions of seed and step, and their order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from inpaintkit.data import batches
from inpaintkit.data.batches import TrainingBatches, batch_indices, fixed_batch
from inpaintkit.runtime.seeds import generator, seed_of

Write = Callable[..., Path]


class Pictures:
    """Stands for an image set: remembers what was asked."""

    def __init__(self, count: int = 10, side: int = 12) -> None:
        self.pixels = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator(0))

    def __len__(self) -> int:
        return len(self.pixels)

    def prefetch(self, *args: Any) -> None: ...

    def batch(self, indices: Tensor, device: torch.device, rng: torch.Generator | None = None) -> Tensor:
        shift = torch.rand(len(indices), generator=rng) if rng is not None else None
        self.drawn = shift
        return self.pixels[indices]


def batches_of(pictures: Any, seed: int = 0) -> TrainingBatches:
    from inpaintkit.components.masks import RandomSquare

    def augment(image: Tensor) -> Tensor:
        batches_of.noise = torch.rand(len(image))  # type: ignore[attr-defined]
        return image

    return TrainingBatches(pictures, RandomSquare(3, 6), augment, 4, (12, 12), seed, torch.device("cpu"))


def test_batches_are_functions_of_seed_and_step() -> None:
    one, other = batches_of(Pictures()), batches_of(Pictures())
    forward = {step: one(step) for step in range(6)}
    torch.rand(7)
    for step in reversed(range(6)):
        again = other(step)
        assert torch.equal(again.image, forward[step].image)
        assert torch.equal(again.mask, forward[step].mask)
    assert not torch.equal(forward[0].mask, forward[1].mask)
    assert not torch.equal(batches_of(Pictures(), seed=1)(0).mask, forward[0].mask)
    assert forward[0].image.min() >= -1
    assert forward[0].image.max() <= 1


def test_what_follows_in_a_step_is_fixed_too() -> None:
    made, drawn = batches_of(Pictures()), []
    for step in (3, 4, 3):
        made(step)
        drawn.append(torch.rand(5))
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])


def test_windows_and_augmentation_draw_different_numbers() -> None:
    """From one seed both streams would be the same: pictures cut at the left would be the ones that are flipped."""
    pictures = Pictures()
    batches_of(pictures)(0)
    assert pictures.drawn is not None
    assert not torch.equal(pictures.drawn, batches_of.noise)  # type: ignore[attr-defined]


def test_fixed_batches_begin_alike() -> None:
    """Each picture with the mask of its index, however many are looked at."""
    from inpaintkit.components.masks import RandomSquare

    masks = RandomSquare(3, 6)
    few = fixed_batch(Pictures(), masks, 4, (8, 8), 0, torch.device("cpu"))  # type: ignore[arg-type]
    more = fixed_batch(Pictures(), masks, 40, (8, 8), 0, torch.device("cpu"))  # type: ignore[arg-type]
    assert few.image.shape == (4, 3, 8, 8)
    assert more.image.shape == (10, 3, 8, 8)
    assert torch.equal(few.mask, more.mask[:4])
    expected = [masks(1, (8, 8), generator(seed_of(0, "fixed", index))) for index in range(4)]
    assert torch.equal(few.mask, torch.cat(expected))


# the order


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 5))
def test_every_epoch_holds_every_picture_once(count: int, batch: int, seed: int) -> None:
    steps = 3 * count
    drawn = torch.cat([batch_indices(count, batch, seed, step) for step in range(steps)])
    assert len(drawn) == steps * batch
    for epoch in drawn[: len(drawn) // count * count].view(-1, count)[:20]:
        assert sorted(epoch.tolist()) == list(range(count))


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    batches._epoch.cache_clear()
    late = batch_indices(50, 8, 1, 100)
    batches._epoch.cache_clear()
    batch_indices(50, 8, 1, 99)
    assert torch.equal(late, batch_indices(50, 8, 1, 100))
    in_order = torch.cat([batch_indices(50, 8, 1, step) for step in range(25)])
    assert torch.equal(in_order, torch.cat([batch_indices(50, 4, 1, step) for step in range(50)]))  # whatever the batch
    assert not torch.equal(in_order[:50], in_order[50:100])
    assert not torch.equal(batch_indices(50, 50, 1, 0), batch_indices(50, 50, 2, 0))


def test_a_batch_may_be_written_to() -> None:
    before = batch_indices(10, 4, 0, 0).clone()
    batch_indices(10, 4, 0, 0).zero_()
    assert torch.equal(batch_indices(10, 4, 0, 0), before)
