"""Choice of known pixels that are held out to select an option without the ground truth."""

from __future__ import annotations

import torch
from torch import Tensor

COPIES = 8  # the largest number of copies of a small hole in one trial


def hold_out(hole: Tensor, share: float, trials: int, seed: int) -> Tensor:
    """Known pixels to hide, in the manner of the hole: shifted copies of it, as much of each as falls on known pixels.

    A trial's next copy is among those that hide most, to a tenth, without exceeding ``share`` of the known pixels in
    all: the one with most pixels that no earlier trial has hidden, of these the one of which most lies inside the
    picture, and of equals a random one. Copies of which less than half is inside do not count, nor those that hide less
    than half of the hole's pixels and less than half of what is allowed. Where none counts, as with scattered pixels
    whose copies all hide too much, known pixels are drawn at random, others in each trial. All is a function of
    ``seed`` and the picture's own hole alone; torch's global generator is not touched.

    Args:
        hole: (B, 1, H, W), True in the hole.
        share: of the known pixels, at most, above 0 and below 1.

    Returns:
        (B, trials, 1, H, W), True where a known pixel is held out; all False in a picture with too few known pixels.
    """
    height, width = hole.shape[2:]
    known = ~hole
    size = (2 * height, 2 * width)  # shifts modulo twice the size: nothing comes back in on the other side
    rng = torch.Generator().manual_seed(seed)
    tie_break = torch.rand((trials, size[0] * size[1]), generator=rng, dtype=torch.float64).to(hole.device)
    place = torch.rand((1, height * width), generator=rng, dtype=torch.float64).to(hole.device)
    spectrum = torch.fft.rfft2(hole.double(), size).conj()

    def covers(plane: Tensor) -> Tensor:
        """How many pixels of ``plane`` (B, 1, H, W) a copy covers, for each shift (B, 4 H W)."""
        counts: Tensor = torch.fft.irfft2(torch.fft.rfft2(plane.double(), size) * spectrum, size)
        return counts.round().flatten(1)

    total, pixels = _count(known), _count(hole)  # (B, 1)
    budget = (total * share).long()
    least = ((torch.minimum(budget, pixels) + 1) // 2).clamp(min=1)
    inside = covers(torch.ones_like(hole))
    order = torch.where(known.flatten(1), place, 2).argsort(1).argsort(1)  # of the known pixels, from 0
    fresh, found = known, []
    for trial in range(trials):
        held = torch.zeros_like(hole)
        for _ in range(COPIES):
            hides = covers(known & ~held)
            best = (2 * inside >= pixels) & (hides >= least) & (hides <= budget - _count(held))
            fits = best.any(1)
            if not fits.any():
                break
            best = best & (hides >= 0.9 * torch.where(best, hides, 0).amax(1, keepdim=True))
            for score in (covers(fresh & ~held), inside, tie_break[trial]):
                best = best & (score == torch.where(best, score, -1).amax(1, keepdim=True))
            copy = _shifted(hole, best.byte().argmax(1))
            held = held | (copy & known & fits[:, None, None, None])
        scattered = (order < total) & ((order - trial * budget) % total < budget)
        held = torch.where(_count(held)[..., None, None] > 0, held, scattered.view_as(hole))
        fresh = fresh & ~held
        found.append(held)
    return torch.stack(found, 1)


def _count(plane: Tensor) -> Tensor:
    return plane.flatten(1).sum(1, keepdim=True)


def _shifted(hole: Tensor, shift: Tensor) -> Tensor:
    """``hole`` (B, 1, H, W), moved; ``shift`` (B,) counts row by row in twice the size. What leaves is lost."""
    height, width = hole.shape[2:]
    down, right = shift[:, None] // (2 * width), shift[:, None] % (2 * width)
    rows = (torch.arange(height, device=hole.device) - down) % (2 * height)  # (B, H), from where
    columns = (torch.arange(width, device=hole.device) - right) % (2 * width)
    inside = (rows < height)[:, :, None] & (columns < width)[:, None]
    picture = torch.arange(len(hole), device=hole.device)[:, None, None]
    found = hole[picture, 0, (rows % height)[:, :, None], (columns % width)[:, None]]
    return (found & inside)[:, None]
