"""Patches of the known part, copied into the hole: PatchMatch inside the completion by votes of Wexler et al."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Lt
from torch import Tensor
from torch.nn import functional as F

from inpaintkit import InpaintkitError, Method, checked, composite
from inpaintkit.nn import report_progress

from .patchfield import Patches, largest_radius
from .patchsearch import Field
from .patchstart import contrast, enlarged, smooth, worth

Search = Literal["patchmatch", "exhaustive"]
Pyramid = list[tuple[Tensor, Tensor]]  # features (B, C, H, W) and hole (B, 1, H, W), finest first


class PatchMatch(Method):
    """Completion by patches, coarse to fine, for all pictures of a batch in parallel, on any device.

    At every level, in turn: a nearest known patch is searched for each patch that touches the hole
    (Barnes et al. 2009, PatchMatch), and each hidden pixel becomes the weighted mean of what the patches over it found
    (Wexler et al. 2007, Space-Time Completion of Video, eq. 5). This is the coherence half of Simakov et al. 2008,
    Summarizing Visual Data Using Bidirectional Similarity; the other half, that every known patch occurs in the
    result, holds because known pixels do not change. A coarse pixel that touches the hole is hole. Inside the hole a
    pixel counts 1.3 times less for each step away from the known ones. A finer level begins with the coarser one's
    matches; the first one begins with a smooth fill.

    A picture without a known patch of ``radius`` at some level takes the largest that it has; a coarse level that has
    not even one of 3 x 3 pixels is left out for it. At the finest the least is a single pixel.

    Differs from Barnes et al.: all patches compare their neighbors in parallel, not in scan order; and from Wexler et
    al.: the pixels' worth also weighs the distance between patches, and the patches carry features of texture.

    Args:
        radius: patches have 2 ``radius`` + 1 pixels a side; None: 3, and 2 where a side of the picture is below 64.
        levels: of the pyramid, each half of the next; None: as long as the shorter side holds four patches.
        iterations: of search and vote at the finest level; twice, three times ... as many at the coarser ones.
        passes: of propagation and random search in every iteration; the exhaustive search has none.
        texture: weight of the mean contrast around a pixel relative to its color; 0: the color alone. It replaces
            texture that coarse levels lose; a pyramid of one level does not use it.
        search: ``exhaustive`` compares every patch with every known one, the reference for small pictures.

    Raises:
        OptionError: a value is out of its range.
    """

    randomness = "always"

    @checked
    def __init__(
        self,
        radius: Annotated[int, Ge(1)] | None = None,
        levels: Annotated[int, Ge(1)] | None = None,
        iterations: Annotated[int, Ge(1)] = 3,
        passes: Annotated[int, Ge(1)] = 6,
        texture: Annotated[float, Ge(0), Lt(math.inf)] = 5.0,
        search: Search = "patchmatch",
    ) -> None:
        super().__init__()
        self.radius, self.levels, self.iterations = radius, levels, iterations
        self.passes, self.texture, self.search = passes, texture, search

    @torch.no_grad()
    def inpaint(self, masked: Tensor, mask: Tensor, *, rng: torch.Generator | None = None) -> Tensor:
        """``masked`` (B, 3, H, W) and ``mask`` (B, 1, H, W) -> completed (B, 3, H, W) in the dtype of ``masked``.

        Known pixels are returned bit-exact; the values of ``masked`` in the hole are not used.

        Raises:
            InpaintkitError: pictures have no known pixel; names them.
        """
        hole = mask.float()
        if bool((lost := hole.flatten(1).all(1)).any()):
            numbers = ", ".join(str(number) for number in lost.nonzero()[:, 0].tolist())
            raise InpaintkitError(f"picture {numbers} of the batch: no known pixel to copy from; make the hole smaller")
        if not bool(hole.any()):
            return masked
        image = torch.where(mask.bool(), 0, masked.float())
        radius = self.radius or (3 if min(image.shape[2:]) >= 64 else 2)
        return composite(self._complete(self._pyramid(image, hole, radius), radius, rng), masked, mask)

    def _pyramid(self, image: Tensor, hole: Tensor, radius: int) -> Pyramid:
        shorter = min(image.shape[2:])
        levels = self.levels or 1
        while self.levels is None and shorter >> levels >= 4 * (2 * radius + 1):
            levels += 1
        if self.texture and levels > 1:
            image = torch.cat([image, self.texture * contrast(image, hole, 2 ** (levels - 1))], 1)
        pyramid = [(image, hole)]
        while len(pyramid) < levels and max(image.shape[2:]) > 1:
            image, hole = F.avg_pool2d(image, 2, ceil_mode=True), F.max_pool2d(hole, 2, ceil_mode=True)
            pyramid.append((image, hole))
        return pyramid

    def _complete(self, pyramid: Pyramid, radius: int, rng: torch.Generator | None) -> Tensor:
        """The finest level with the hole filled (B, 3, H, W)."""
        image, hole = pyramid[-1]
        filled, coarse = image, image.new_full((len(image), 2, *image.shape[2:]), -1, dtype=torch.long)
        begun = torch.zeros(len(image), dtype=torch.bool, device=image.device)
        # a round takes about as long as its level has hidden pixels
        work = [int(hole.sum()) * self._rounds(level) for level, (_, hole) in enumerate(pyramid)]
        for level in reversed(range(len(pyramid))):
            image, hole = pyramid[level]
            radii = largest_radius(hole, radius)
            active = hole.flatten(1).any(1) & (radii >= min(level, 1))
            guess = enlarged(filled, image) if bool(begun.any()) else image
            if bool((active & ~begun).any()):
                guess = torch.where(begun[:, None, None, None], guess, smooth(image, hole))
            filled = torch.where(hole.bool(), guess, image)
            matches = image.new_full((len(image), 2, *image.shape[2:]), -1, dtype=torch.long)
            for fitting in sorted(set(radii[active].tolist())):  # one for nearly every batch
                some = (active & (radii == fitting)).nonzero()[:, 0]
                patches = Patches.of(hole[some], fitting)
                filled[some], matches[some] = self._level(
                    patches, filled[some], hole[some], coarse[some], level, work, rng
                )
            begun, coarse = begun | active, matches
        report_progress(100, 100)
        return filled[:, :3]

    def _rounds(self, level: int) -> int:
        """Of search and vote."""
        return self.iterations * (level + 1)

    def _level(
        self,
        patches: Patches,
        image: Tensor,
        hole: Tensor,
        coarse: Tensor,
        level: int,
        work: Sequence[int],
        rng: torch.Generator | None,
    ) -> tuple[Tensor, Tensor]:
        """The level's picture with the hole filled, and its matches as rows and columns, -1 where there are none."""
        rounds = self._rounds(level)
        match, carried = patches.carried(coarse)
        match = torch.where(carried, match, patches.anywhere(rng))
        field = Field(patches, patches.flat(image), patches.flat(worth(hole)), match)
        field.vote(field.trust * carried)
        for at in range(rounds):
            if self.search == "exhaustive":
                report_share(work, level, at / rounds)
                field.exhaust()
            else:
                for done in range(self.passes):
                    report_share(work, level, (at + done / self.passes) / rounds)
                    field.propagate()
                    field.search(rng)
            field.vote(field.likeness())
        places = patches.targets.new_full((len(patches.rank), 2), -1)
        places[patches.targets] = torch.stack(patches.position(field.match), 1)
        return patches.planes(field.flat), patches.planes(places)


def report_share(work: Sequence[int], level: int, share: float) -> None:
    """Reports the part of the work that is done when ``share`` of a level is: all coarser levels are done too."""
    report_progress(int(100 * (sum(work[level + 1 :]) + share * work[level]) / sum(work)), 100)
