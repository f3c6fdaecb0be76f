"""The wrapper that lets any generator correct a prefill, and fill large holes from coarse to fine."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn import functional as F

from inpaintkit import Generator, OptionError, checked

from .prefill import doubled, halved, harmonic, push_pull

PREFILLS = {"push-pull": push_pull, "harmonic": harmonic}
SMALLEST = 24  # pixels: no level has a shorter side
LEAST_MARGIN, MOST_MARGIN, ALIGNED = 64, 256, 16  # pixels, of the part of a picture that is shown

Box = tuple[tuple[int, int], tuple[int, int]]


class Residual(Generator):
    """Adds what a generator draws to a prefill of the hole, which the generator is shown in the hole's place.

    So a network starts level with the prefill and learns to correct it, where one that is shown an empty hole first
    learns to copy its surroundings. With ``levels`` it also works from coarse to fine: the picture is filled at half
    its size first, and what was drawn there, enlarged, is the prefill inside the hole. The smooth prefill stays near
    the known pixels, which it fits better. One generator serves all levels. In eval mode there are as many levels as
    the thickness of the holes asks for (a scratch is gone at half the size and needs none), and the generator is shown
    the surroundings of each picture's holes instead of all of it.

    Args:
        generator: draws the correction: a picture of the size of what it is shown. In place of ``masked`` it is given
            the prefilled picture. Where it draws several scales, each corrects the prefill averaged down to it; with
            ``levels`` only the finest counts.
        prefill: the smooth prefill.
        levels: in training, how often the size is halved; with 0 the hole is always filled in one pass.
    """

    @checked
    def __init__(
        self,
        generator: Generator,
        prefill: Literal["push-pull", "harmonic"] = "harmonic",
        levels: Annotated[int, Ge(0)] = 0,
    ) -> None:
        super().__init__()
        if getattr(generator, "latent_shape", None) is not None:
            raise OptionError("it draws from a latent and has nothing to correct", ("generator",))
        self.generator = generator
        self.prefill, self.levels = prefill, levels
        self.size = getattr(generator, "size", None)
        if levels and self.size is not None:
            text = (
                f"the generator is tied to pictures of {self.size} pixels, and a level has half of them: set levels: 0"
            )
            raise OptionError(text, ("levels",))

    @property
    def stride(self) -> int:  # type: ignore[override]
        return 1 if self.levels else int(getattr(self.generator, "stride", 1))

    @property
    def coarse_to_fine(self) -> bool:  # type: ignore[override]
        return self.levels > 0

    def forward(self, masked: Tensor, mask: Tensor) -> Tensor | tuple[Tensor, ...]:
        """(B, 3, H, W) and (B, 1, H, W), 1 in the hole -> (B, 3, H, W), or the scales of the picture, coarse to fine.

        There are scales in training with ``levels``, and without where the generator draws several.
        """
        if not self.levels:
            drawn = self._corrected(PREFILLS[self.prefill](masked, mask), mask)
            return drawn if len(drawn) > 1 else drawn[0]
        if self.training:
            return tuple(self._scales(masked, mask))
        output = masked.clone()
        for box, pictures in boxes_around(mask).items():
            rows, columns = (slice(start, stop) for start, stop in box)
            output[pictures, :, rows, columns] = self._scales(
                masked[pictures, :, rows, columns], mask[pictures, :, rows, columns]
            )[-1].to(output.dtype)
        return output

    def _scales(self, masked: Tensor, mask: Tensor) -> list[Tensor]:
        """What is drawn at each level, coarse to fine."""
        pyramid = [(masked, mask)]
        while self._goes_on(len(pyramid) - 1, pyramid[-1][1]):
            pyramid.append(halved(*pyramid[-1]))
        drawn: list[Tensor] = []
        for level, (picture, hole) in reversed(list(enumerate(pyramid))):
            guess = PREFILLS[self.prefill](picture, hole)
            if drawn:
                coarse, coarse_hole = pyramid[level + 1]
                completed = torch.where(coarse_hole.bool(), drawn[-1].detach(), coarse)
                inside = doubled(coarse_hole, hole.shape[-2:])  # 0 beside the known pixels, 1 farther in
                guess = torch.lerp(guess, doubled(completed, hole.shape[-2:]), inside * hole)
            drawn.append(self._corrected(guess, hole)[-1])
        return drawn

    def _goes_on(self, level: int, hole: Tensor) -> bool:
        if self.training:
            return level < self.levels
        return min(hole.shape[-2:]) >= 2 * SMALLEST and bool(hole.any())

    def _corrected(self, guess: Tensor, hole: Tensor) -> tuple[Tensor, ...]:
        """The prefilled picture (B, 3, h, w) with the generator's correction, whatever its stride.

        A generator that draws several scales corrects the prefill averaged down to each. Only the last is cropped to
        the size of ``guess``: a coarser one is never used where padding can be needed.
        """
        stride = int(getattr(self.generator, "stride", 1))
        height, width = guess.shape[-2:]
        extra = (0, -width % stride, 0, -height % stride)
        shown, shown_hole = (F.pad(each, extra, mode="replicate") for each in (guess, hole))
        drawn: Tensor | tuple[Tensor, ...] = self.generator(shown, shown_hole)
        *coarser, correction = drawn if isinstance(drawn, tuple) else (drawn,)
        averaged = (F.interpolate(shown, each.shape[-2:], mode="area") + each for each in coarser)
        return (*averaged, guess + correction[..., :height, :width])


def boxes_around(mask: Tensor) -> dict[Box, list[int]]:
    """The part of each picture that is worth showing, and the pictures (by index) of each part.

    It is the bounding box of the holes with a margin as wide as its longer side, from 64 to 256 pixels, widened to
    multiples of 16 so that the levels of the part are those of the picture. A picture without a hole has none.

    Args:
        mask: (B, 1, H, W), 1 in the hole.

    Returns:
        Pictures by ``((top, bottom), (left, right))``.
    """
    found: dict[Box, list[int]] = {}
    along = [mask.amax((1, axis)).cpu() for axis in (3, 2)]  # of each picture: which rows and columns have a hole
    for picture, lines in enumerate(zip(*along, strict=True)):
        ends = [(int(at[0]), int(at[-1]) + 1) for line in lines if len(at := line.nonzero()[:, 0])]
        if ends:
            margin = min(max(*(stop - start for start, stop in ends), LEAST_MARGIN), MOST_MARGIN)
            sides = [
                (max(start - margin, 0) // ALIGNED * ALIGNED, min(-(-(stop + margin) // ALIGNED) * ALIGNED, length))
                for (start, stop), length in zip(ends, mask.shape[-2:], strict=True)
            ]
            found.setdefault((sides[0], sides[1]), []).append(picture)
    return found
