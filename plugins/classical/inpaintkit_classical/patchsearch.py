"""The nearest-neighbor field of a level: PatchMatch's search and the exhaustive one, and the vote of its patches."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .patchfield import Patches

BUDGET = 2**24  # the most numbers in one step of a search: 64 MiB in float32
CACHED = 2**17  # the same on a CPU, where it should fit in the cache


def parts(tensor: Tensor, rows: int) -> tuple[Tensor, ...]:
    """``tensor`` in parts of ``rows`` rows, the last one of fewer; an empty one is one part."""
    return tuple(tensor[begin : begin + rows] for begin in range(0, max(1, len(tensor)), rows))


class Field:
    """Each target's best source so far: ``match`` (T,), its center, and ``distance`` (T,) to it.

    The distance is the mean squared difference over the patch's P pixels and three colors, each pixel weighted by its
    ``worth``; what ``flat`` has beside the colors adds to it.

    Args:
        patches: the patches that are matched.
        flat: (B (H + 1) (W + 1), C) the pixels; the votes change the hidden ones, in place.
        worth: (B (H + 1) (W + 1), 1) positive, the weight of a pixel.
        match: (T,) sources to begin with.
    """

    def __init__(self, patches: Patches, flat: Tensor, worth: Tensor, match: Tensor) -> None:
        self.patches, self.flat, self.match = patches, flat, match
        first = max(1, patches.radius)
        self.starts = patches.starts[:first], patches.starts[first:]
        worths = patches.at(worth, patches.targets)  # (T, P, 1)
        self.trust = worths.mean((1, 2))
        weights = worths / (3 * worths.sum(1, keepdim=True))
        self.weights = self._halves(weights.expand(-1, -1, flat.shape[1]).flatten(1))
        self.over = patches.over()
        self.strips = patches.strips(flat)  # those of sources stay as they are: no vote changes a known pixel
        # Only the distances that are needed are computed on a CPU; on an accelerator the selection would wait for it.
        self.sparse = match.device.type == "cpu"
        self.block = CACHED if self.sparse else BUDGET
        self._refresh()

    def _halves(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Patches (T, P C) as the rows around their middle and the others: most sources differ enough in the first."""
        first = self.starts[0].numel() * rows.shape[1] // (2 * self.patches.radius + 1)
        return rows[:, :first].contiguous(), rows[:, first:].contiguous()

    def _refresh(self) -> None:
        """Reads the targets and their distances again, after the hidden pixels have changed."""
        patches = self.patches
        self.wanted = self._halves(patches.at(self.flat, patches.targets).flatten(1))
        self.distance = self._distances(self.match)
        self.refused = [torch.full_like(self.match, -1) for _ in self.patches.steps]

    def _partial(self, half: int, targets: Tensor, centers: Tensor) -> Tensor:
        """What one half of the patch adds to the distances of ``targets`` (n,), positions, to sources ``centers``."""
        wanted, weights, starts = self.wanted[half], self.weights[half], self.starts[half]
        rows = max(1, self.block // max(1, wanted.shape[1]))
        return torch.cat(
            [
                # index_select copies row by row, brackets number by number
                F.embedding(center[:, None] + starts, self.strips)
                .flatten(1)
                .sub_(wanted.index_select(0, target))
                .square_()
                .mul_(weights.index_select(0, target))
                .sum(1)
                for target, center in zip(parts(targets, rows), parts(centers, rows), strict=True)
            ]
        )

    def _distances(self, centers: Tensor) -> Tensor:
        every = torch.arange(len(centers), device=centers.device)
        return self._partial(0, every, centers) + self._partial(1, every, centers)

    def offer(self, candidate: Tensor, worthwhile: Tensor) -> None:
        """Takes ``candidate`` (T,) where it is ``worthwhile`` (T,), a source and nearer than the match."""
        worthwhile = worthwhile & self.patches.source.index_select(0, candidate)
        if self.sparse:
            which = worthwhile.nonzero()[:, 0]
            distance = self._partial(0, which, candidate[which])
            hopeful = (distance < self.distance[which]).nonzero()[:, 0]
            which = which[hopeful]
            distance = distance[hopeful] + self._partial(1, which, candidate[which])
            nearer = (distance < self.distance[which]).nonzero()[:, 0]
            which = which[nearer]
            self.match[which], self.distance[which] = candidate[which], distance[nearer]
        else:
            candidate = torch.where(worthwhile, candidate, self.match)
            distance = self._distances(candidate)
            self.match = torch.where(distance < self.distance, candidate, self.match)
            self.distance = torch.minimum(distance, self.distance)

    def propagate(self) -> None:
        """Offers each target the sources beside its neighbors' (Barnes et al. 2009, section 3.2, propagation).

        Differs: all targets try the same one of the four neighbors in parallel, then the next, instead of in scan
        order.
        """
        for direction, step in enumerate(self.patches.steps):
            candidate = (self.match.index_select(0, self.patches.near[direction]) - step) % len(self.flat)
            self.offer(candidate, (candidate != self.match) & (candidate != self.refused[direction]))
            self.refused[direction] = candidate  # or accepted: not compared again before the hole has changed

    def search(self, rng: torch.Generator | None = None) -> None:
        """Offers sources at random from squares of decreasing size around the match (section 3.2, random search).

        The first is drawn from the whole picture; then the radius is halved, from the longer side down to one pixel.
        """
        self._draw(self.patches.anywhere(rng))
        radius = (max(self.patches.shape[1:]) - 1) // 2
        while radius >= 1:
            self._draw(self.patches.around(self.match, radius, rng))
            radius //= 2

    def _draw(self, candidate: Tensor) -> None:
        self.offer(candidate, candidate != self.match)

    def exhaust(self) -> None:
        """Takes the nearest of all sources; in float64, so that rounding does not decide between two near ones.

        The weighted square is multiplied out, which makes it a product of matrices: those of the targets, picture by
        picture, with a block of sources after the other.
        """
        patches, pictures = self.patches, self.patches.shape[0]
        among = patches.picture == torch.arange(pictures, device=patches.picture.device)[:, None]  # (B, T)
        place = (among.long().cumsum(1) - 1).gather(0, patches.picture[None])[0]  # a target's number in its picture
        terms = torch.cat(
            [*self.weights, *(-2 * w * t for w, t in zip(self.weights, self.wanted, strict=True))], 1
        ).double()
        wanted = terms.new_zeros((pictures, int(among.sum(1).max()), terms.shape[1]))
        wanted[patches.picture, place] = terms
        best = wanted.new_full(wanted.shape[:2], torch.inf)
        match = torch.zeros(best.shape, dtype=torch.long, device=best.device)
        most, block = int(patches.count.max()), max(1, BUDGET // 2 // (pictures * max(wanted.shape[1:])))
        for begin in range(0, most, block):
            number = torch.arange(begin, min(begin + block, most), device=best.device)
            absent = number >= patches.count[:, None]  # (B, block): pictures have different numbers of sources
            centers = patches.sources[torch.where(absent, 0, patches.first[:, None] + number)]
            known = patches.at(self.flat, centers.flatten()).flatten(1).double().view(*centers.shape, -1)
            distance = wanted @ torch.cat([known.square(), known], 2).mT  # less a number of the target's own
            nearest = distance.masked_fill_(absent[:, None], torch.inf).min(2)
            match = torch.where(nearest.values < best, centers.gather(1, nearest.indices), match)
            best = torch.minimum(best, nearest.values)
        self.match = match[patches.picture, place]
        self.distance = self._distances(self.match)

    def vote(self, weight: Tensor) -> None:
        """Each hidden pixel becomes the mean of what the matches of the targets over it show in its place.

        ``weight`` (T,) is what each target's vote weighs; a pixel of which all votes weigh nothing is left as it is.
        """
        rows = max(1, BUDGET // (self.flat.shape[1] * len(self.patches.offsets)))
        means = []
        for pixels, over in zip(parts(self.patches.holes, rows), parts(self.over, rows), strict=True):
            weights = weight[over].masked_fill_(over < 0, 0)[..., None]  # (n, P, 1)
            total = weights.sum(1)
            shown = F.embedding(self.match[over] + self.patches.offsets, self.flat)  # (n, P, C)
            mean = (weights * shown).sum(1) / total.clamp_min(torch.finfo(total.dtype).tiny)
            means.append(torch.where(total > 0, mean, self.flat[pixels]))
        self.flat[self.patches.holes] = torch.cat(means)
        self._refresh()

    def likeness(self) -> Tensor:
        """(T,) the weights of Wexler et al. 2007, eq. 5: a target's trust times exp(-distance / (2 sigma^2)).

        sigma^2 is the 75th percentile of the picture's distances (section 3.2), by rank, without interpolation.
        """
        picture = self.patches.picture
        order = self.distance.argsort()
        order = order[picture[order].argsort(stable=True)]
        first = torch.searchsorted(picture, picture)
        last = torch.searchsorted(picture, picture, right=True) - 1
        square = self.distance[order[first + 3 * (last - first) // 4]].clamp_min(1e-8)
        return self.trust * torch.exp(-self.distance / (2 * square))
