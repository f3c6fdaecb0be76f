"""A protocol with its pictures, and their completion by a method: the same pictures, masks and rounding for each."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import cached_property
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import ClassVar

import attrs
import numpy as np
import torch
from torch import Tensor

from ..core.errors import DataError, listed
from ..core.interfaces import Batch, MaskSampler, Method, Sample, composite
from ..data import ImageSet, PackageFiles, Source, load_images
from ..runtime import (
    Execution,
    PeakMemory,
    draw_padded,
    generator,
    progress_bar,
    random_numbers,
    seed_of,
    to_float,
    to_uint8,
)
from .protocol import Protocol

RULES = 1  # of compositing, rounding and seeding below: part of every protocol's hash


@attrs.define(eq=False, slots=False)
class TestSet:
    """A protocol together with its pictures: the input of every method, the same for any batch size or device.

    ``source`` says where the pictures come from, for people.
    """

    __test__: ClassVar[bool] = False  # pytest takes classes with this name for tests
    protocol: Protocol
    images: ImageSet
    sampler: MaskSampler
    frame: tuple[int, int]  # height and width of what is measured
    source: str = ""

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
            DataError: there are none, they cannot be read, they are smaller than the protocol's size, or a protocol
                of rectangles is given pictures of several sizes.
        """
        source = images if images is not None else protocol.images
        if source is None:
            raise DataError(
                f"protocol {protocol.name} names no pictures: give it `images:`, or the recipe `data: {{test: ...}}`"
            )
        described = describe_source(source)
        if not isinstance(source, ImageSet):
            source = load_images(source, protocol.prepare, cache=cache, strict=strict, progress=progress)
        count = len(source)
        if protocol.limit is not None and protocol.limit < count:
            source = source.subset([index * count // protocol.limit for index in range(protocol.limit)])
        if not len(source):
            raise DataError(f"protocol {protocol.name}: there is no picture to evaluate on")
        if protocol.size is not None and source.side < protocol.size:
            raise DataError(
                f"protocol {protocol.name} measures at {protocol.size} pixels and the pictures have {source.side}: "
                "nothing is enlarged; lower `size:`"
            )
        side = protocol.size or (0 if protocol.prepare.rectangle else source.side)
        return cls(protocol, source, protocol.masks.build(), (side, side) if side else source.size, described)

    def __len__(self) -> int:
        return len(self.images)

    def mask(self, index: int) -> Tensor:
        """The mask (1, 1, H, W) of one picture: drawn on the CPU from the protocol's seed and the index alone."""
        return self.sampler(1, self.frame, generator(seed_of(self.protocol.seed, index)))

    def batch(self, indices: Sequence[int]) -> Batch:
        """Pictures, moved and scaled as the protocol says, with their masks; on the CPU."""
        if self.protocol.prepare.rectangle:
            prepared = self.images.whole(indices).cpu()
        else:
            prepared = self.images.batch(torch.tensor(indices), "cpu")
        return Batch(to_float(self.protocol.view(prepared)), torch.cat([self.mask(index) for index in indices]))

    @cached_property
    def hash(self) -> str:
        """Of all that the numbers depend on: settings, pictures, masks and metrics, but no paths or batch size."""
        settings = self.protocol.settings()
        for name in ("name", "description", "images", "limit"):  # the digest stands for the pictures
            del settings[name]
        digest = blake2b(digest_size=16)
        height, width = self.frame
        frame = height if height == width else self.frame
        digest.update(json.dumps([RULES, settings, self.images.digest, frame], sort_keys=True).encode())
        for index in range(len(self)):
            digest.update(np.packbits(self.mask(index).bool().numpy()).tobytes())
        return digest.hexdigest()


def describe_source(images: str | Source | Sequence[str | Source] | ImageSet) -> str:
    """Where pictures come from: a path, a package with the names of its files, or several of these.

    >>> describe_source([Path("photos"), PackageFiles("skimage", ["data/coffee.png"])])
    'photos, skimage (coffee.png)'
    """
    if isinstance(images, ImageSet):
        return ""
    if isinstance(images, PackageFiles):
        return f"{images.package} ({listed([PurePosixPath(name).name for name in images.files], 4)})"
    if isinstance(images, str | Path):
        return str(images)
    return listed(map(describe_source, images), 4)


@attrs.frozen(eq=False)
class Completion:
    """The pictures of one batch, completed by a method.

    Attributes:
        sample: image, mask, ``output`` and ``completed``, all of them at 8-bit levels, on the method's device.
        finite: (B,), False where the method drew NaN or infinity inside the hole (shown and measured as black).
        seconds: the time of ``inpaint``.
        memory: bytes that ``inpaint`` needed at its peak; None where it was not measured or cannot be.
    """

    indices: tuple[int, ...]
    names: tuple[str, ...]
    sample: Sample
    finite: Tensor
    seconds: float
    memory: int | None = None


def completions(
    method: Method,
    test_set: TestSet,
    execution: Execution | None = None,
    *,
    sample: int = 0,
    measure_memory: bool = False,
    title: str = "",
) -> Iterator[Completion]:
    """Every picture of the test set in order, completed by a method in batches.

    A method that draws at random is seeded by (the protocol's seed, the first index of the batch, ``sample``).

    Args:
        sample: the number of the answer of a method that draws at random; changes nothing for others.
        measure_memory: also measure the peak of memory in the second batch, which is warm and full, or in the only one.
        title: of the progress bar, if ``execution`` shows one.
    """
    execution = execution or Execution()
    device, size = execution.device, execution.batch
    method = method.to(device)
    starts = range(0, len(test_set), size)
    measured = starts[min(1, len(starts) - 1)] if measure_memory else None
    title = (title or f"{type(method).__name__} under {test_set.protocol.name}") if execution.progress else ""
    with progress_bar(title, len(test_set)) as show:
        for start in starts:
            indices = tuple(range(start, min(start + size, len(test_set))))
            batch = test_set.batch(indices)
            batch = Batch(batch.image.to(device), batch.mask.to(device))
            masked, mask = batch.masked, batch.mask
            seed = seed_of(test_set.protocol.seed, "draw", start, *([sample] if sample else []))
            rng = random_numbers(method, seed, device)
            peak = PeakMemory(device)
            with peak if start == measured else nullcontext():
                _synchronize(device)
                began = time.perf_counter()
                drawn = draw_padded(method, masked, mask, rng)
                _synchronize(device)
                seconds = time.perf_counter() - began
            yield Completion(
                indices,
                tuple(test_set.images.names[index] for index in indices),
                _rounded(batch, drawn),
                (drawn.isfinite() | ~mask.bool()).flatten(1).all(1),
                seconds,
                peak.extra,
            )
            show(indices[-1] + 1)


def _rounded(batch: Batch, drawn: Tensor) -> Sample:
    """Output and completed pictures at 8-bit levels."""
    output = to_float(to_uint8(drawn))
    return Sample(batch.image, batch.mask, {"output": output, "completed": composite(output, batch.image, batch.mask)})


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
