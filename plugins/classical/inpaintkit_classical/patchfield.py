"""The patches of one pyramid level: targets, which touch the hole, and sources, which are fully known.

All pictures of a batch lie in one flat array of pixels, row by row, and the patches at all their holes in one flat
list: no work is done picture by picture, and a small hole costs little, however large its picture.
"""

from __future__ import annotations

import attrs
import torch
from torch import Tensor
from torch.nn import functional as F


def grown(hole: Tensor, radius: int) -> Tensor:
    """``hole`` (B, 1, H, W), floating point, grown by ``radius`` pixels in all eight directions."""
    return F.max_pool2d(hole, 2 * radius + 1, 1, radius) if radius else hole


def whole(hole: Tensor, radius: int) -> Tensor:
    """(B, 1, H, W) bool: the centers of the patches that lie inside the picture as a whole."""
    inside = torch.zeros_like(hole, dtype=torch.bool)
    inside[..., radius : hole.shape[2] - radius, radius : hole.shape[3] - radius] = True
    return inside


def largest_radius(hole: Tensor, radius: int) -> Tensor:
    """(B,) the largest radius up to ``radius`` of which a picture has a known patch; -1 where it has no known pixel."""
    found = torch.full((len(hole),), -1, device=hole.device)
    for smaller in range(min(radius, (min(hole.shape[2:]) - 1) // 2) + 1):
        known = whole(hole, smaller) & (grown(hole, smaller) == 0)
        found = torch.where(known.flatten(1).any(1), smaller, found)
    return found


@attrs.frozen(eq=False)
class Patches:
    """The patches of one ``radius`` at one level of B pictures with H x W pixels; P = (2 radius + 1)^2.

    A *target* is a whole patch that touches the hole, a *source* a whole patch without a hidden pixel. Pixels, and
    patches by their centers, are named by their place in the flat array. Each picture there has one more column and row
    than it has pixels, so that a step across its border leads to no patch, and never to one of another picture.
    """

    radius: int
    shape: tuple[int, int, int]  # B, H + 1, W + 1
    holes: Tensor  # (N,) the hidden pixels
    targets: Tensor  # (T,) the centers of the targets, picture by picture
    picture: Tensor  # (T,) the picture that a target belongs to
    rank: Tensor  # (B (H + 1) (W + 1),) a center's position among the targets, -1 for every other pixel
    source: Tensor  # (B (H + 1) (W + 1),) bool, the centers of the sources
    sources: Tensor  # (S,) the same as a list, picture by picture
    first: Tensor  # (B,) a picture's first position in that list
    count: Tensor  # (B,) how many sources a picture has
    starts: Tensor  # (2 radius + 1,) from a center to those in the middle of its patch's rows, the nearest rows first
    offsets: Tensor  # (P,) from a center to the pixels of its patch, row by row in that order
    steps: tuple[int, int, int, int]  # up, down, left, right
    near: Tensor  # (4, T) the target one step away; a target itself where there is none

    @classmethod
    def of(cls, hole: Tensor, radius: int) -> Patches:
        """Of ``hole`` (B, 1, H, W), floating point and binary; every picture with a hole has a source."""
        inside, touching = whole(hole, radius), grown(hole, radius) > 0
        hidden, target, source = (
            F.pad(plane[:, 0], (0, 1, 0, 1)) for plane in (hole.bool(), inside & touching, inside & ~touching)
        )
        pictures, height, width = source.shape
        side = torch.arange(-radius, radius + 1, device=hole.device)
        starts = width * side[side.abs().argsort(stable=True)]
        targets = target.flatten().nonzero()[:, 0]
        itself = torch.arange(len(targets), device=hole.device)
        rank = torch.full((source.numel(),), -1, device=hole.device)
        rank[targets] = itself
        steps = (-width, width, -1, 1)
        near = torch.stack([rank[(targets + step) % len(rank)] for step in steps])
        count = source.flatten(1).sum(1)
        return cls(
            radius=radius,
            shape=(pictures, height, width),
            holes=hidden.flatten().nonzero()[:, 0],
            targets=targets,
            picture=targets // (height * width),
            rank=rank,
            source=source.flatten(),
            sources=source.flatten().nonzero()[:, 0],
            first=count.cumsum(0) - count,
            count=count,
            starts=starts,
            offsets=(starts[:, None] + side).flatten(),
            steps=steps,
            near=torch.where(near < 0, itself, near),
        )

    def flat(self, planes: Tensor) -> Tensor:
        """``planes`` (B, C, H, W) as a new flat array (B (H + 1) (W + 1), C)."""
        return F.pad(planes, (0, 1, 0, 1)).permute(0, 2, 3, 1).flatten(0, 2).contiguous()

    def planes(self, flat: Tensor) -> Tensor:
        """What :meth:`flat` has made flat, as (B, C, H, W)."""
        return flat.view(*self.shape, -1)[:, :-1, :-1].permute(0, 3, 1, 2)

    def at(self, flat: Tensor, centers: Tensor) -> Tensor:
        """The patches (n, P, C) of ``flat`` (B (H + 1) (W + 1), C) around ``centers`` (n,)."""
        return F.embedding(centers[:, None] + self.offsets, flat)

    def strips(self, flat: Tensor) -> Tensor:
        """(B (H + 1) (W + 1), (2 radius + 1) C): each pixel of ``flat`` between its neighbors, left to right."""
        padded = F.pad(flat, (0, 0, self.radius, self.radius))
        return padded.unfold(0, 2 * self.radius + 1, 1).mT.flatten(1)

    def over(self) -> Tensor:
        """(N, P): the positions of the targets of which a hidden pixel is the first, second ... pixel; -1 for none."""
        return self.rank[(self.holes[:, None] - self.offsets) % len(self.rank)]

    def position(self, centers: Tensor) -> tuple[Tensor, Tensor]:
        """Rows and columns of ``centers`` inside their pictures."""
        _, height, width = self.shape
        inside = centers % (height * width)
        return inside // width, inside % width

    def center(self, rows: Tensor, columns: Tensor) -> Tensor:
        """(T,) the centers at ``rows`` and ``columns`` (T,) of each target's own picture."""
        _, height, width = self.shape
        return (self.picture * height + rows) * width + columns

    def anywhere(self, rng: torch.Generator | None = None) -> Tensor:
        """(T,) a source of its own picture for each target, all of them equally likely."""
        count = self.count[self.picture]
        drawn = (torch.rand(len(self.targets), generator=rng, device=self.targets.device) * count).long()
        return self.sources[self.first[self.picture] + torch.minimum(drawn, count - 1)]

    def around(self, centers: Tensor, radius: int, rng: torch.Generator | None = None) -> Tensor:
        """(T,) a whole patch's center up to ``radius`` rows and columns from ``centers`` (T,); not always a source."""
        drawn = torch.rand((2, len(centers)), generator=rng, device=centers.device)
        places = []
        for at, length, share in zip(self.position(centers), self.shape[1:], drawn, strict=True):
            least = (at - radius).clamp_min(self.radius)
            most = (at + radius).clamp_max(length - 2 - self.radius)
            places.append(torch.minimum(least + (share * (most - least + 1)).long(), most))
        return self.center(*places)

    def carried(self, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """Where the matches of the next coarser level lead at this one, and whether that is a source; (T,) each.

        ``coarse`` (B, 2, ceil(H / 2), ceil(W / 2)) holds rows and columns, -1 where there is no match.
        """
        places, found = [], []
        for at, length in zip(self.position(self.targets), coarse.shape[2:], strict=True):
            # patches this close to the border leave the picture: use the nearest one inside
            places.append(
                (at // 2).clamp(self.radius, max(self.radius, length - 1 - self.radius)).clamp_max(length - 1)
            )
        match = coarse[self.picture, :, places[0], places[1]]
        valid = match[:, 0] >= 0
        for axis, at in enumerate(self.position(self.targets)):
            found.append(2 * match[:, axis] + at - 2 * places[axis])
            valid = valid & (found[axis] >= 0) & (found[axis] < self.shape[1 + axis])
        centers = self.center(*found)
        valid = valid & self.source[torch.where(valid, centers, 0)]
        return torch.where(valid, centers, self.targets), valid
