"""The nearest-neighbor field of a level: PatchMatch's search and the exhaustive one, and the vote of its patches."""

from __future__ import annotations

import torch
from torch import Tensor

from .patchfield import Patches

BUDGET = 2**24  # numbers that one step of a search may hold at once: 64 MiB in float32


class Field:
    """Each target's best source so far: ``match`` (T,), its center, and ``distance`` (T,) to it.

    The distance is the mean squared difference over the patch's P pixels and three colors, each pixel weighted by its
    ``worth``; what ``flat`` has beside the colors adds to it.

    Args:
        patches: the patches that are matched.
        flat: (B (H + 1) (W + 1), C) the pixels; the votes change the hidden ones, in place.
        worth: (B (H + 1) (W + 1), 1) positive, how far a pixel counts.
        match: (T,) sources to begin with.
    """

    def __init__(self, patches: Patches, flat: Tensor, worth: Tensor, match: Tensor) -> None:
        self.patches, self.flat, self.match = patches, flat, match
        worths = patches.at(worth, patches.targets)  # (T, P, 1)
        self.trust = worths.mean((1, 2))
        weights = worths / (3 * worths.sum(1, keepdim=True))
        self.weights = weights.expand(-1, -1, flat.shape[1]).flatten(1)  # (T, P C)
        self.over = patches.over()
        self._look()

    def _look(self) -> None:
        """Takes the targets and their distances anew, after the hidden pixels have changed."""
        self.wanted = self._patches(self.patches.targets)
        self.distance = self._distances(slice(None), self.match)

    def _patches(self, centers: Tensor) -> Tensor:
        return self.patches.at(self.flat, centers).flatten(1)

    def _distances(self, targets: Tensor | slice, centers: Tensor) -> Tensor:
        """Of some ``targets`` to the patches around ``centers``, one for each."""
        wanted, weights = self.wanted[targets], self.weights[targets]
        rows = max(1, BUDGET // weights.shape[1])
        return torch.cat(
            [
                self._patches(some).sub_(patch).square_().mul_(weight).sum(1)
                for some, patch, weight in zip(
                    centers.split(rows), wanted.split(rows), weights.split(rows), strict=True
                )
            ]
        )

    def offer(self, candidate: Tensor) -> None:
        """Takes ``candidate`` (T,) wherever it is a source and nearer than the match."""
        new = self.patches.source[candidate] & (candidate != self.match)
        # most candidates are no news; a device is not asked which, the host is free to look
        which = new.nonzero()[:, 0] if new.device.type == "cpu" else slice(None)
        candidate = torch.where(new, candidate, self.match)[which]
        distance = self._distances(which, candidate)
        nearer = distance < self.distance[which]
        self.match[which] = torch.where(nearer, candidate, self.match[which])
        self.distance[which] = torch.where(nearer, distance, self.distance[which])

    def propagate(self) -> None:
        """Offers each target the sources beside its neighbors' (Barnes et al. 2009, section 3.2, propagation).

        Differs: all targets look at one neighbor at the same time, then at the next of the four, instead of in scan
        order, as nothing else can be done for all at once.
        """
        for near, step in zip(self.patches.near, self.patches.steps, strict=True):
            self.offer(self.match[near] - step)

    def search(self) -> None:
        """Offers sources at random from ever smaller squares around the match (section 3.2, random search).

        The first is drawn from the whole picture; then the radius is halved, from the longer side down to one pixel.
        """
        self.offer(self.patches.anywhere())
        radius = (max(self.patches.shape[1:]) - 1) // 2
        while radius >= 1:
            self.offer(self.patches.around(self.match, radius))
            radius //= 2

    def exhaust(self) -> None:
        """Takes the nearest of all sources; in float64, so that rounding does not decide between two near ones.

        The weighted square is multiplied out, which makes it a product of matrices: those of the targets, picture by
        picture, with a block of sources after the other.
        """
        patches, pictures = self.patches, self.patches.shape[0]
        among = patches.picture == torch.arange(pictures, device=patches.picture.device)[:, None]  # (B, T)
        place = (among.long().cumsum(1) - 1).gather(0, patches.picture[None])[0]  # a target's number in its picture
        terms = torch.cat([self.weights, -2 * self.weights * self.wanted], 1).double()
        wanted = terms.new_zeros((pictures, int(among.sum(1).max()), terms.shape[1]))
        wanted[patches.picture, place] = terms
        best = wanted.new_full(wanted.shape[:2], torch.inf)
        match = torch.zeros(best.shape, dtype=torch.long, device=best.device)
        most, block = int(patches.count.max()), max(1, BUDGET // 2 // (pictures * max(wanted.shape[1:])))
        for begin in range(0, most, block):
            number = torch.arange(begin, min(begin + block, most), device=best.device)
            absent = number >= patches.count[:, None]  # (B, block): pictures have different numbers of sources
            centers = patches.sources[torch.where(absent, 0, patches.first[:, None] + number)]
            known = self._patches(centers.flatten()).double().unflatten(0, centers.shape)
            distance = wanted @ torch.cat([known.square(), known], 2).mT  # less a number of the target's own
            nearest = distance.masked_fill_(absent[:, None], torch.inf).min(2)
            match = torch.where(nearest.values < best, centers.gather(1, nearest.indices), match)
            best = torch.minimum(best, nearest.values)
        self.match = match[patches.picture, place]
        self.distance = self._distances(slice(None), self.match)

    def vote(self, weight: Tensor) -> None:
        """Each hidden pixel becomes the mean of what the matches of the targets over it show in its place.

        ``weight`` (T,) is what each target's vote weighs; a pixel of which all votes weigh nothing is left as it is.
        """
        weights = weight[self.over].masked_fill_(self.over < 0, 0)[..., None]  # (N, P, 1)
        total = weights.sum(1)
        shown = self.flat[self.match[self.over] + self.patches.offsets]  # (N, P, C)
        mean = (weights * shown).sum(1) / total.clamp_min(torch.finfo(total.dtype).tiny)
        self.flat[self.patches.holes] = torch.where(total > 0, mean, self.flat[self.patches.holes])
        self._look()

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
