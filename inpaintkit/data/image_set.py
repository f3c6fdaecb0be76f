"""ImageSet: cached pictures by index, split into training and validation, and square crops of them as batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import attrs
import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from ..core.errors import DataError, listed
from ..runtime import seed_of
from .cache import cached, default_folder
from .decoding import Prepare
from .sources import Source, find

Indices = tuple[int, ...]


def load_images(
    sources: str | Source | Sequence[str | Source],
    prepare: Prepare | None = None,
    *,
    cache: Path | None = None,
    strict: bool = False,
    progress: bool = True,
) -> ImageSet:
    """The pictures of folders, .zip archives, single files and installed packages, prepared and decoded once.

    Args:
        cache: the folder of the uint8 cache; by default :func:`~inpaintkit.data.cache.default_folder`.
        strict: any picture that cannot be read is an error; otherwise it is listed in ``unreadable`` and left out.
        progress: a progress bar, and the list of what cannot be read, on stderr.

    Raises:
        DataError: a source is missing or holds no pictures, none can be read (``strict``: not all can), or the cache
            cannot be written.
    """
    several = [sources] if isinstance(sources, str | Source) else sources
    files = find([Path(source) if isinstance(source, str) else source for source in several])
    path, index = cached(files, prepare or Prepare(), cache or default_folder(), progress=progress)
    if index.unreadable:
        outcome = "no picture is left" if not index.names else "strict is set" if strict else "left out"
        count = len(index.unreadable)
        reasons = [f"{name}: {reason}" for name, reason in index.unreadable.items()]
        message = f"{count} picture{'s' if count > 1 else ''} cannot be read ({outcome}):\n  "
        message += listed(reasons, 20, separator="\n  ")
        if strict or not index.names:
            raise DataError(message)
        if progress:
            Console(stderr=True).print(message, markup=False, highlight=False)
    sizes = torch.tensor(index.sizes, dtype=torch.int64)
    lengths = 3 * sizes.prod(1)
    return ImageSet(
        names=tuple(index.names),
        unreadable=tuple(index.unreadable.items()),
        digests=tuple(index.digests),
        sizes=sizes,
        offsets=lengths.cumsum(0) - lengths,
        # copy-on-write, because torch wants writable memory; nothing writes to it
        pixels=torch.from_numpy(np.memmap(path, np.uint8, mode="c")),
    )


class Prefetcher:
    """Computes tensors in another thread before they are needed; the oldest that are not used are dropped."""

    def __init__(self, most: int = 4) -> None:
        self.most = most
        self.waiting: dict[Indices, Future[Tensor]] = {}
        self._pool = ThreadPoolExecutor(1, "inpaintkit-prefetch")

    def start(self, read: Callable[[Indices], Tensor], indices: Indices) -> None:
        if indices not in self.waiting:
            self.waiting[indices] = self._pool.submit(read, indices)
        while len(self.waiting) > self.most:
            self.waiting.pop(next(iter(self.waiting))).cancel()

    def get(self, read: Callable[[Indices], Tensor], indices: Indices) -> Tensor:
        """``read(indices)``, from the other thread where it was started."""
        future = self.waiting.pop(indices, None)
        return future.result() if future else read(indices)


@attrs.frozen(eq=False)
class ImageSet:
    """uint8 RGB pictures by index, of any sizes; :meth:`batch` needs pictures whose short sides are equal.

    Attributes:
        names: the path inside the source; tiles of one picture as ``name#row,column``.
        unreadable: (name, reason) of the files that were left out.
        sizes: (N, 2) height and width, on the CPU.
    """

    names: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]
    digests: tuple[str, ...] = attrs.field(repr=False)
    sizes: Tensor = attrs.field(repr=False)
    offsets: Tensor = attrs.field(repr=False)  # (N,), of each picture's first byte in `pixels`
    pixels: Tensor = attrs.field(repr=False)  # flat, each picture (3, H, W); a file on the CPU, or on the device
    _prefetcher: Prefetcher = attrs.field(factory=Prefetcher, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def digest(self) -> str:
        """Of names and pixels, in order: equal digests are equal image sets, whatever their source."""
        total = blake2b(digest_size=16)
        for name, (height, width), digest in zip(self.names, self.sizes.tolist(), self.digests, strict=True):
            total.update(f"{name}\0{height}x{width}\0{digest}\n".encode())
        return total.hexdigest()

    @cached_property
    def side(self) -> int:
        """The short side that all pictures share: batches are windows of this side.

        Raises:
            DataError: they differ, or there is no picture.
        """
        if not self.names:
            raise DataError("there is no picture in this set")
        short = self.sizes.amin(1)
        low, high = int(short.argmin()), int(short.argmax())
        if short[low] != short[high]:
            raise DataError(
                f"the pictures' short sides differ, from {short[low]} ({self.names[low]}) to {short[high]} "
                f"({self.names[high]}): say `prepare: {{short_side: {short[low]}}}` to resize them"
            )
        return int(short[low])

    @cached_property
    def size(self) -> tuple[int, int]:
        """The height and width that all pictures share.

        Raises:
            DataError: they differ, or there is no picture.
        """
        if not self.names:
            raise DataError("there is no picture in this set")
        other = (self.sizes != self.sizes[0]).any(1).nonzero()[:, 0]
        if len(other):
            first, second = (f"{tuple(self.sizes[at].tolist())} ({self.names[at]})" for at in (0, int(other[0])))
            raise DataError(f"the pictures' heights and widths differ: {first}, {second}")
        height, width = self.sizes[0].tolist()
        return height, width

    def picture(self, index: int) -> Tensor:
        """The uncropped picture, uint8 (3, H, W), on the device of ``pixels``."""
        height, width = self.sizes[index].tolist()
        start = int(self.offsets[index])
        return self.pixels[start : start + 3 * height * width].view(3, height, width)

    def subset(self, indices: Sequence[int]) -> ImageSet:
        """The pictures of these indices, in this order; shares the pixels."""
        at = torch.tensor(indices, dtype=torch.int64)
        return attrs.evolve(
            self,
            names=tuple(self.names[index] for index in indices),
            digests=tuple(self.digests[index] for index in indices),
            sizes=self.sizes[at],
            offsets=self.offsets[at],
        )

    def split(self, fraction: float) -> tuple[ImageSet, ImageSet]:
        """(training, validation): about ``fraction`` of the pictures, chosen by a hash of the name.

        A picture stays on its side when others are added; tiles of one picture stay together. With a fraction above 0
        and at least two pictures neither side is empty, which alone may move a picture of a very small set.

        Raises:
            ValueError: ``fraction`` is not in [0, 1).
        """
        if not 0 <= fraction < 1:
            raise ValueError(f"the validation fraction is {fraction}: at least 0 and less than 1 is needed")
        if fraction == 0 or len(self) < 2:
            return self, self.subset([])
        groups = [name.rpartition("#")[0] or name for name in self.names]
        if len(set(groups)) == 1:
            groups = list(self.names)
        places = {group: seed_of("validation", group) / 2**63 for group in groups}
        lowest, highest = min(places, key=places.__getitem__), max(places, key=places.__getitem__)
        held = {group for group, place in places.items() if place < fraction} - {highest} | {lowest}
        return (
            self.subset([index for index, group in enumerate(groups) if group not in held]),
            self.subset([index for index, group in enumerate(groups) if group in held]),
        )

    def to(self, device: torch.device | str, budget: int | None = None) -> ImageSet:
        """Moves the pixels onto the device where they fit into ``budget`` bytes (by default half of what is free).

        Where they do not fit they stay in the cache file, and :meth:`batch` streams them through pinned memory.
        """
        device = torch.device(device)
        if device.type == "cpu" or self.pixels.device == device:
            return self
        if budget is None:
            budget = torch.cuda.mem_get_info(device)[0] // 2 if device.type == "cuda" else 2**30
        fits = self.pixels.numel() <= budget
        return attrs.evolve(self, pixels=self.pixels.to(device)) if fits else self

    def prefetch(self, indices: Tensor, device: torch.device | str) -> None:
        """Starts to read the pixels of a later :meth:`batch` of these indices, if they are streamed from the disk."""
        if torch.device(device).type != "cpu" and self.pixels.device.type == "cpu":
            self._prefetcher.start(self._read, tuple(indices.tolist()))

    def batch(self, indices: Tensor, device: torch.device | str, rng: torch.Generator | None = None) -> Tensor:
        """uint8 (B, 3, S, S) on ``device``: a square crop of each picture, S the short side.

        With ``rng`` crops lie at random along the long side (drawn on its own device), without in the center.
        ``indices`` (B,) are on the CPU.

        Raises:
            DataError: the short sides differ.
        """
        device, side = torch.device(device), self.side
        sizes = self.sizes[indices]
        spare = sizes - side
        if rng is None:
            corner = spare // 2
        else:
            drawn = torch.rand((len(indices), 2), generator=rng, device=rng.device)
            spare = spare.to(rng.device, non_blocking=True)
            corner = torch.minimum((drawn * (spare + 1)).long(), spare)
        if device.type == "cpu" and self.pixels.device.type == "cpu":
            return self._cut(indices, corner.cpu(), side)
        if self.pixels.device.type == "cpu":
            pixels, starts = self._streamed(indices, device)
        else:
            pixels, starts = self.pixels, self.offsets[indices]
        return _windows(pixels, starts.to(device), sizes.to(device), corner.to(device), side)

    def whole(self, indices: Sequence[int]) -> Tensor:
        """uint8 (B, 3, H, W): uncropped pictures of one height and width, on the device of ``pixels``."""
        return torch.stack([self.picture(index) for index in indices])

    def _cut(self, indices: Tensor, corner: Tensor, side: int) -> Tensor:
        """Crops by copying rows, which on the CPU is faster than a gather by index."""
        out = torch.empty((len(indices), 3, side, side), dtype=torch.uint8)
        for place, (index, (top, left)) in enumerate(zip(indices.tolist(), corner.tolist(), strict=True)):
            out[place] = self.picture(index)[:, top : top + side, left : left + side]
        return out

    def _streamed(self, indices: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        """The uncropped pictures, one after another, on the device; and the first byte of each."""
        pixels = self._prefetcher.get(self._read, tuple(indices.tolist()))
        lengths = 3 * self.sizes[indices].prod(1)
        return pixels.to(device, non_blocking=True), lengths.cumsum(0) - lengths

    def _read(self, indices: Indices) -> Tensor:
        """The uncropped pictures, one after another, in pinned memory."""
        parts = [self.picture(index).reshape(-1) for index in indices]
        out = torch.empty(sum(map(len, parts)), dtype=torch.uint8, pin_memory=torch.cuda.is_available())
        torch.cat(parts, out=out)
        return out


def _windows(pixels: Tensor, starts: Tensor, sizes: Tensor, corner: Tensor, side: int) -> Tensor:
    """Square crops of flat pictures: ``starts`` (B,), ``sizes`` and ``corner`` (B, 2) -> (B, 3, side, side)."""
    along = torch.arange(side, device=pixels.device)
    height, width = sizes[:, 0, None, None], sizes[:, 1, None, None]
    rows, columns = corner[:, 0, None, None] + along[:, None], corner[:, 1, None, None] + along
    inside = starts[:, None, None] + rows * width + columns  # (B, side, side)
    planes = torch.arange(3, device=pixels.device)[:, None, None] * (height * width)[:, None]
    return pixels[inside[:, None] + planes]
