"""The mask sampler ``files``: masks drawn from a folder or a .zip of pictures, of either polarity."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Literal

import attrs
import numpy as np
import torch
from annotated_types import Gt, Lt
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..core.config.checks import checked
from ..core.errors import DataError, listed
from ..core.interfaces import MaskSampler
from ..data import ImageFile, Prepare, Unreadable, decode, find

Color = Literal["white", "black"]
RESIDENT = 2**30  # bytes of resized masks that are kept on the device, so that a draw copies nothing to it


@attrs.frozen
class PackedMask:
    """One mask at its own size, eight pixels a byte."""

    name: str
    shape: tuple[int, int]
    bits: NDArray[np.uint8] = attrs.field(repr=False, eq=False)

    @property
    def hole(self) -> NDArray[np.uint8]:
        """(H, W), 1 in the hole and 0 elsewhere."""
        return np.unpackbits(self.bits, count=self.shape[0] * self.shape[1]).reshape(self.shape)

    def resized(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The hole at another size, by nearest neighbor so that it stays binary."""
        if self.shape == size:
            return self.hole
        return np.asarray(Image.fromarray(self.hole).resize((size[1], size[0]), Image.Resampling.NEAREST))


@checked
@attrs.define(eq=False)
class MaskFiles(MaskSampler):
    """Masks drawn with replacement from the pictures of a folder (recursive) or a .zip, resized by nearest neighbor.

    Files are read at the first call, not before. One that hides nothing, more than half of the picture, or cannot be
    read is named in a warning (the last is left out).

    Attributes:
        path: a folder, a .zip or a single picture.
        hole: the color of the hole in the files; it has no default, because data sets disagree.
        threshold: gray values from this one on are white; black is 0, white is 1.

    Raises:
        DataError: at the first call, where ``path`` holds no picture that can be read.
    """

    path: Path = attrs.field(converter=Path)
    hole: Color
    threshold: Annotated[float, Gt(0), Lt(1)] = 0.5
    _masks: list[PackedMask] = attrs.field(factory=list, init=False, repr=False)
    _ready: dict[tuple[tuple[int, int], torch.device], Tensor] = attrs.field(factory=dict, init=False, repr=False)

    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Tensor:
        if not self._masks:
            self._masks = self._read()
        chosen = torch.randint(len(self._masks), (count,), generator=rng, device=rng.device)
        size = (size[0], size[1])
        if len(self._masks) * size[0] * size[1] > RESIDENT:
            return self._stack([self._masks[index] for index in chosen.tolist()], size).to(rng.device).float()
        if (size, rng.device) not in self._ready:
            self._ready.clear()  # one size at a time
            self._ready[size, rng.device] = self._stack(self._masks, size).to(rng.device)
        return self._ready[size, rng.device][chosen].float()

    @staticmethod
    def _stack(masks: list[PackedMask], size: tuple[int, int]) -> Tensor:
        return torch.from_numpy(np.stack([mask.resized(size) for mask in masks]))[:, None]

    def _read(self) -> list[PackedMask]:
        with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
            warnings.simplefilter("ignore")  # decoders warn about odd metadata
            results = list(pool.map(self._read_one, find(self.path)))
        masks = [result for result in results if isinstance(result, PackedMask)]
        unreadable = [result for result in results if isinstance(result, str)]
        if not masks:
            raise DataError(f"no mask in {self.path} can be read: {listed(unreadable, 10)}")
        shares = {mask.name: float(mask.hole.mean()) for mask in masks}
        large = [f"{name} ({share:.0%})" for name, share in shares.items() if share > 0.5]
        empty = [name for name, share in shares.items() if share == 0]
        other = "black" if self.hole == "white" else "white"
        hint = f"; if their hole is {other}, say `hole: {other}`"
        self._warn(unreadable, "cannot be read and are left out", len(results))
        self._warn(large, "hide more than half", len(results), hint)
        self._warn(empty, "hide nothing", len(results), hint)
        return masks

    def _warn(self, names: list[str], problem: str, total: int, hint: str = "") -> None:
        if names:
            message = f"{len(names)} of {total} masks in {self.path} {problem}: {listed(names, 10)}{hint}"
            warnings.warn(message, UserWarning, stacklevel=4)

    def _read_one(self, file: ImageFile) -> PackedMask | str:
        try:
            [(name, pixels)] = decode(file, Prepare())
        except Unreadable as error:
            return f"{file.name} ({error})"
        white = pixels.mean(axis=0, dtype=np.float32) >= self.threshold * 255
        hole = white if self.hole == "white" else ~white
        return PackedMask(name, (hole.shape[0], hole.shape[1]), np.packbits(hole))
