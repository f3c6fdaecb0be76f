"""Total variation inpainting: fills the hole with the smallest sum of gradient norms."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Ge, Lt
from torch import Tensor
from torch.nn import functional as F

from inpaintkit import Method, checked
from inpaintkit.components.crops import crops_around
from inpaintkit.nn import report_progress

from .known import levels, require_known

STEP = 0.99 / math.sqrt(8)  # primal and dual step; their product times 8, a bound of |grad|^2, must be below 1
CHECK_EVERY = 100  # iterations between tests of the duality gap, which wait for the device
REPORT_EVERY = 10  # iterations between reports of how far it is


class TotalVariation(Method):
    """Minimizes the color-coupled isotropic total variation: the sum over pixels of |grad u|, the norm of the six
    forward differences (two directions, three channels), subject to u being the picture where it is known.

    At the picture's border a difference across it is 0 (Neumann). Edges run straight through small holes; large ones
    become a few flat areas. For inpainting: Chan and Shen 2001, Mathematical models for local nontexture inpaintings.
    The solver is the primal-dual algorithm of Chambolle and Pock (2011, A first-order primal-dual algorithm for convex
    problems with applications to imaging, algorithm 1 with theta = 1) with both steps 0.99 / sqrt(8), in [-1, 1],
    from the mean color of the known pixels. All pictures are solved together, in float32 (float64 if they are).

    Args:
        iterations: the maximum number. A 32x32 hole needs about 1000 until its value is within a thousandth of the
            least; larger holes need more.
        tolerance: a picture has converged if its duality gap, a bound of the distance to the minimum, is at
            most this part of it; computed every 100 iterations. 0 always takes all iterations.

    Raises:
        InpaintkitError: a picture has no known pixel.
    """

    @checked
    def __init__(
        self, iterations: Annotated[int, Ge(1)] = 1000, tolerance: Annotated[float, Ge(0), Lt(1)] = 1e-3
    ) -> None:
        super().__init__()
        self.iterations, self.tolerance = iterations, tolerance

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        """``masked`` (B, 3, H, W) and ``mask`` (B, 1, H, W) -> the picture with its hole filled, of the same type."""
        require_known(mask)
        dtype = torch.promote_types(masked.dtype, torch.float32)
        crops = crops_around(mask, margin=1)  # a hidden pixel takes part in differences with its neighbors
        hole = crops.take(mask.bool())
        known = crops.take(masked)
        lowest, mean, highest = (level.to(dtype) for level in levels(masked, mask))
        found, _ = minimize(
            torch.where(hole, mean, known.to(dtype)), hole, lowest, highest, self.iterations, self.tolerance
        )
        return crops.put(masked, torch.where(hole, found.clamp(lowest, highest).to(masked.dtype), known))


def gradient(u: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, 2, C, H, W): forward differences down and to the right, 0 across the border."""
    return torch.stack([F.pad(u.diff(dim=-2), (0, 0, 0, 1)), F.pad(u.diff(dim=-1), (0, 1))], 1)


def transposed(p: Tensor) -> Tensor:
    """The transpose of :func:`gradient`, minus the divergence: (B, 2, C, H, W) -> (B, C, H, W)."""
    down, right = p[:, 0, ..., :-1, :], p[:, 1, ..., :-1]
    return F.pad(down, (0, 0, 1, 0)) - F.pad(down, (0, 0, 0, 1)) + F.pad(right, (1, 0)) - F.pad(right, (0, 1))


def variation(u: Tensor, hole: Tensor) -> Tensor:
    """The total variation of each picture (B,), over the differences in which a pixel of the hole takes part."""
    return (_length(gradient(u)) * _concerned(hole)).flatten(1).sum(1)


def bound(p: Tensor, u: Tensor, hole: Tensor, lowest: Tensor, highest: Tensor) -> Tensor:
    """A lower bound (B,) of :func:`variation` over all fillings of the hole, from a dual variable with |p| <= 1.

    The least of <p, grad u> over the fillings between ``lowest`` and ``highest``: among these is the best one, since
    cutting values off never raises a difference. ``u`` counts where it is known.
    """
    slope = transposed(p * _concerned(hole))
    return torch.where(hole, torch.minimum(slope * lowest, slope * highest), slope * u).flatten(1).sum(1)


def minimize(
    u: Tensor, hole: Tensor, lowest: Tensor, highest: Tensor, iterations: int, tolerance: float
) -> tuple[Tensor, Tensor]:
    """The primal-dual iterations.

    Args:
        u: (B, C, h, w), the known pixels and where to start in the hole.
        hole: (B, 1, h, w), True in the hole.
        lowest, highest: (B, C, 1, 1), of the known pixels.

    Returns:
        The filled pictures (B, C, h, w), and for each the duality gap (B,) when it was done.
    """
    filled, gaps = u.clone(), torch.full((len(u),), torch.inf).to(u)
    left = torch.arange(len(u), device=u.device)  # those that are not done
    step = STEP * hole.to(u)  # known pixels stay
    leading, p = u, torch.zeros_like(gradient(u))
    for iteration in range(1, iterations + 1):
        p = p.add_(gradient(leading), alpha=STEP)
        p = p.div_(_length(p).clamp(min=1))
        after = torch.addcmul(u, step, transposed(p), value=-1)
        leading, u = torch.lerp(u, after, 2), after
        if iteration % REPORT_EVERY == 0:
            report_progress(iteration, iterations)
        if iteration % CHECK_EVERY and iteration < iterations:
            continue
        value = variation(u, hole)
        gap = value - bound(p, u, hole, lowest, highest)
        filled, gaps = filled.index_copy(0, left, u), gaps.index_copy(0, left, gap)
        open_ = torch.nonzero(gap > tolerance * value).flatten()
        if not len(open_):
            break
        if len(open_) < len(left):
            left, u, leading, p, step = (each[open_] for each in (left, u, leading, p, step))
            hole, lowest, highest = (each[open_] for each in (hole, lowest, highest))
    report_progress(iterations, iterations)
    return filled, gaps


def _length(p: Tensor) -> Tensor:
    """(B, 2, C, H, W) -> (B, 1, 1, H, W): over directions and channels together."""
    return p.square().sum((1, 2), keepdim=True).sqrt()  # vector_norm takes fifty times as long over inner axes


def _concerned(hole: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B, 1, 1, H, W), of 0 and 1: where a forward difference has to do with a pixel of the hole."""
    below, beside = F.pad(hole[..., 1:, :], (0, 0, 0, 1)), F.pad(hole[..., 1:], (0, 1))
    return (hole | below | beside).unsqueeze(1).float()
