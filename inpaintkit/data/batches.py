"""The batches of a training: each a pure function of (seed, step)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import attrs
import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.interfaces import Batch, MaskSampler
from ..runtime import distributed, generator, seed_of, to_float
from .image_set import ImageSet


@attrs.frozen(eq=False)
class TrainingBatches:
    """Draws images, crops, augmentation and masks for the global batch; each process keeps its share."""

    images: ImageSet
    masks: MaskSampler
    augment: Callable[[Tensor], Tensor]  # (B, 3, S, S) in [0, 1] -> (B, 3, size, size) in [0, 1]
    batch: int
    size: tuple[int, int]
    seed: int
    device: torch.device

    def __call__(self, step: int) -> Batch:
        """The batch of a step. Also seeds the global generators, which fixes what the step draws later."""
        torch.manual_seed(seed_of(self.seed, "step", step))
        # A second seed: with the same one, crops and holes would repeat the numbers that augmentation draws.
        rng = generator(seed_of(self.seed, "windows and masks", step), self.device)
        indices = batch_indices(len(self.images), self.batch, self.seed, step)
        pixels = self.images.batch(indices, self.device, rng)
        following = batch_indices(len(self.images), self.batch, self.seed, step + 1)
        self.images.prefetch(following, self.device)  # read from the disk while this step computes
        image = self.augment(pixels.float() / 255) * 2 - 1
        mask = self.masks(self.batch, self.size, rng)
        mine = distributed.share(self.batch)
        return Batch(image[mine], mask[mine])


def fixed_batch(
    images: ImageSet, masks: MaskSampler, count: int, size: tuple[int, int], seed: int, device: torch.device
) -> Batch:
    """``count`` images spread over the set, their center windows scaled to ``size``; each with its index's mask.

    Masks are drawn on the CPU, one at a time: they are the same on every device and for every ``count``.
    """
    count = min(count, len(images))
    image = to_float(images.batch(torch.arange(count) * len(images) // count, device))
    if image.shape[-2:] != size:
        image = F.interpolate(image, size, mode="bilinear", antialias=True).clamp(-1, 1)
    drawn = [masks(1, size, generator(seed_of(seed, "fixed", index))) for index in range(count)]
    return Batch(image, torch.cat(drawn).to(device))


def batch_indices(count: int, batch: int, seed: int, step: int) -> Tensor:
    """The indices (batch,) of a training step: a pure function of its arguments.

    Every epoch is a permutation of all ``count`` pictures that depends on seed and epoch alone; batches run on across
    the end of an epoch, so that every step is full.
    """
    position, end, parts = step * batch, (step + 1) * batch, []
    while position < end:
        epoch, start = divmod(position, count)
        part = _epoch(count, seed, epoch)[start : start + end - position]
        parts.append(part)
        position += len(part)
    return torch.cat(parts)


@lru_cache(maxsize=4)
def _epoch(count: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(count, generator=generator(seed_of(seed, "epoch", epoch)))
