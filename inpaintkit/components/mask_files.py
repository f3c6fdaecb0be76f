"""Masks from files: a folder or a .zip of pictures, of either polarity."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Literal, get_args

import attrs
import numpy as np
import torch
from annotated_types import Gt, Lt
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..core.errors import DataError, OptionError, did_you_mean
from ..core.interfaces import MaskSampler
from ..data import Entry, Prepare, Unreadable, decode, find
from .ranges import check, within

Color = Literal["white", "black"]
RESIDENT = 2**30  # bytes of resized masks that stay on the device, so that a draw needs no word from the host


@attrs.frozen
class _Stored:
    """One mask at its own size, eight pixels a byte."""

    name: str
    shape: tuple[int, int]
    bits: NDArray[np.uint8] = attrs.field(repr=False, eq=False)

    @classmethod
    def of(cls, name: str, hole: NDArray[np.bool_]) -> _Stored:
        return cls(name, (hole.shape[0], hole.shape[1]), np.packbits(hole))

    def resized(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Nearest, so that it stays binary; (H, W) of 0 and 1."""
        hole = np.unpackbits(self.bits, count=self.shape[0] * self.shape[1]).reshape(self.shape)
        if self.shape == size:
            return hole
        return np.asarray(Image.fromarray(hole).resize((size[1], size[0]), Image.Resampling.NEAREST))


@attrs.define(eq=False)
class MaskFiles(MaskSampler):
    """Masks drawn with replacement from the pictures of a folder (recursive) or a .zip, resized by nearest neighbor.

    Files are read at the first call, not before. One that hides nothing, more than half of the picture, or cannot be
    read is named in a warning (the last is left out).

    Attributes:
        path: a folder, a .zip or a single picture.
        hole: which color the hole has in the files: data sets disagree, so it has to be said.
        threshold: gray values from this one on are white; black is 0, white is 1.

    Raises:
        DataError: at the first call, where ``path`` holds no picture that can be read.
    """

    path: Path
    hole: Color
    threshold: Annotated[float, Gt(0), Lt(1)] = 0.5
    _masks: list[_Stored] = attrs.field(factory=list, init=False, repr=False)
    _ready: dict[tuple[tuple[int, int], torch.device], Tensor] = attrs.field(factory=dict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.path = Path(self.path)
        if self.hole not in get_args(Color):
            near = did_you_mean(self.hole, get_args(Color))
            raise OptionError(f"hole is {self.hole!r}{near}: white or black is needed", ("hole",))
        check(within(0, 1, open_end=True, threshold=self.threshold))

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
    def _stack(masks: list[_Stored], size: tuple[int, int]) -> Tensor:
        return torch.from_numpy(np.stack([mask.resized(size) for mask in masks]))[:, None]

    def _read(self) -> list[_Stored]:
        with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
            warnings.simplefilter("ignore")  # decoders warn about odd metadata
            results = list(pool.map(self._read_one, find([self.path])))
        masks = [result for result in results if isinstance(result, _Stored)]
        failed = [result for result in results if isinstance(result, str)]
        if not masks:
            raise DataError(f"no mask in {self.path} can be read: {_some(failed)}")
        share = {mask.name: float(np.unpackbits(mask.bits).sum()) / (mask.shape[0] * mask.shape[1]) for mask in masks}
        other = "black" if self.hole == "white" else "white"
        for found, told in (
            (failed, "cannot be read and are left out"),
            ([f"{name} ({part:.0%})" for name, part in share.items() if part > 0.5], "hide more than half"),
            ([name for name, part in share.items() if part == 0], "hide nothing"),
        ):
            if found:
                hint = "" if found is failed else f"; if their hole is {other}, say `hole: {other}`"
                message = f"{len(found)} of {len(results)} masks in {self.path} {told}: {_some(found)}{hint}"
                warnings.warn(message, UserWarning, stacklevel=3)
        return masks

    def _read_one(self, entry: Entry) -> _Stored | str:
        try:
            [(name, pixels)] = decode(entry, Prepare())
        except Unreadable as error:
            return f"{entry.name} ({error})"
        white = pixels.mean(axis=0, dtype=np.float32) >= self.threshold * 255
        return _Stored.of(name, white if self.hole == "white" else ~white)


def _some(names: list[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
