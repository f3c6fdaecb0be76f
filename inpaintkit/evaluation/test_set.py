"""A protocol with its pictures, and what methods make of them: the same pictures, masks and rounding for each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path

import attrs
import numpy as np
import torch
from torch import Tensor

from ..components.blending import Blend
from ..core.errors import DataError
from ..core.interfaces import Batch, MaskSampler, Method, Sample, composite
from ..data import ImageSet, Source, load_images
from ..runtime import PeakMemory, draw_padded, generator, progress_bar, random_numbers, seed_of, to_float, to_uint8
from .protocol import Protocol

RULES = 1  # of compositing, rounding and seeding below: part of every protocol's hash


@attrs.define(eq=False, slots=False)
class TestSet:
    """A protocol together with its pictures: what every method under it is given, whatever the batch size or device."""

    protocol: Protocol
    images: ImageSet
    sampler: MaskSampler
    side: int

    @classmethod
    def open(
        cls,
        protocol: Protocol,
        images: Source | Sequence[Source] | ImageSet | None = None,
        *,
        cache: Path | None = None,
        strict: bool = False,
        progress: bool = False,
    ) -> TestSet:
        """Loads the pictures: ``images`` if given, else the protocol's own.

        Raises:
            DataError: there are none, they cannot be read, or they are smaller than the protocol's size.
        """
        source = images if images is not None else protocol.images
        if source is None:
            raise DataError(
                f"protocol {protocol.name} names no pictures: give it `images:`, or the recipe `data: {{test: ...}}`"
            )
        if not isinstance(source, ImageSet):
            source = load_images(source, protocol.prepare, cache=cache, strict=strict, progress=progress)
        count = len(source)
        if protocol.limit is not None and protocol.limit < count:
            source = source.subset([index * count // protocol.limit for index in range(protocol.limit)])
        if not len(source):
            raise DataError(f"protocol {protocol.name}: there is no picture to measure on")
        if protocol.size is not None and source.side < protocol.size:
            raise DataError(
                f"protocol {protocol.name} measures at {protocol.size} pixels and the pictures have {source.side}: "
                "nothing is enlarged; lower `size:`"
            )
        return cls(protocol, source, protocol.masks.build(), protocol.size or source.side)

    def __len__(self) -> int:
        return len(self.images)

    def mask(self, index: int) -> Tensor:
        """The mask (1, 1, S, S) of one picture: drawn on the CPU from the protocol's seed and the index alone."""
        return self.sampler(1, (self.side, self.side), generator(seed_of(self.protocol.seed, index)))

    def batch(self, indices: Sequence[int]) -> Batch:
        """Pictures, moved and scaled as the protocol says, with their masks; on the CPU."""
        pixels = self.protocol.view(self.images.batch(torch.tensor(indices), "cpu"))
        return Batch(to_float(pixels), torch.cat([self.mask(index) for index in indices]))

    @cached_property
    def hash(self) -> str:
        """Of all that the numbers depend on: settings, pictures, every mask, metrics; not of paths or batch size."""
        settings = self.protocol.settings()
        for name in ("name", "description", "images", "limit"):  # the digest speaks for the pictures
            del settings[name]
        whole = blake2b(digest_size=16)
        whole.update(json.dumps([RULES, settings, self.images.digest, self.side], sort_keys=True).encode())
        for index in range(len(self)):
            whole.update(np.packbits(self.mask(index).bool().numpy()).tobytes())
        return whole.hexdigest()


@attrs.frozen(eq=False)
class Completion:
    """What a method made of some pictures of a test set.

    Attributes:
        sample: image, mask, ``output`` and ``completed``, all of them at 8-bit levels, on the method's device.
        finite: (B,), False where the method drew NaN or infinity inside the hole (shown and measured as black).
        seconds: what ``inpaint`` took; where the method's output was blended, with the blending.
        memory: bytes that ``inpaint`` needed at its peak, if that was asked for and the platform tells.
        blended: the same drawing, blended, if that was asked for.
    """

    indices: tuple[int, ...]
    names: tuple[str, ...]
    sample: Sample
    finite: Tensor
    seconds: float
    memory: int | None = None
    blended: Completion | None = None


def completions(
    method: Method,
    test_set: TestSet,
    *,
    device: torch.device | str = "cpu",
    batch: int = 32,
    progress: str = "",
    draw: int = 0,
    memory: bool = False,
    blend: Blend | None = None,
) -> Iterator[Completion]:
    """Every picture of the test set in order, completed by a method, ``batch`` at a time.

    A method that draws at random is seeded by (the protocol's seed, the first index of the batch, ``draw``).

    Args:
        progress: the title of a bar; what a method reports of a long search is a second one.
        draw: which sample of a method that draws at random; changes nothing for others.
        memory: also measure the peak of memory in the second batch, which is warm and whole, or in the only one.
        blend: also blend each drawing before it is rounded; nothing is drawn twice for it.
    """
    device = torch.device(device)
    method = method.to(device)
    starts = range(0, len(test_set), batch)
    weighed = starts[min(1, len(starts) - 1)] if memory else None
    with progress_bar(progress, len(test_set)) as show:
        for start in starts:
            indices = tuple(range(start, min(start + batch, len(test_set))))
            given = test_set.batch(indices)
            given = Batch(given.image.to(device), given.mask.to(device))
            masked, mask, peak = given.masked, given.mask, start == weighed
            seed = seed_of(test_set.protocol.seed, "draw", start, *([draw] if draw else []))
            rng = random_numbers(method, seed, device)
            drawn, seconds, needed = _cost(partial(draw_padded, method, masked, mask, rng), device, peak)
            output = to_float(to_uint8(drawn))
            whole = _completion(test_set, indices, given, output, drawn, seconds, needed)
            if blend is not None:
                fitted, more, extra = _cost(partial(blend, drawn, masked, mask), device, peak)
                needed = None if needed is None or extra is None else max(needed, extra)
                blended = _completion(test_set, indices, given, output, fitted, seconds + more, needed)
                whole = attrs.evolve(whole, blended=blended)
            yield whole
            show(indices[-1] + 1)


def _completion(
    test_set: TestSet,
    indices: tuple[int, ...],
    given: Batch,
    output: Tensor,
    completed: Tensor,
    seconds: float,
    memory: int | None,
) -> Completion:
    """``output`` is at 8-bit levels; of ``completed`` the hole counts, whatever stands in known pixels."""
    finite = (completed.isfinite() | ~given.mask.bool()).flatten(1).all(1)
    completed = composite(to_float(to_uint8(completed)), given.image, given.mask)
    sample = Sample(given.image, given.mask, {"output": output, "completed": completed})
    names = tuple(test_set.images.names[index] for index in indices)
    return Completion(indices, names, sample, finite, seconds, memory)


def _cost(work: Callable[[], Tensor], device: torch.device, memory: bool) -> tuple[Tensor, float, int | None]:
    """What some work gives, the seconds that it takes and, if asked for, the bytes."""
    peak = PeakMemory(device)
    with peak if memory else nullcontext():
        _wait(device)
        began = time.perf_counter()
        found = work()
        _wait(device)
        seconds = time.perf_counter() - began
    return found, seconds, peak.extra


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
