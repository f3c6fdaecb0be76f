"""Low-rank completion: fills the hole so that the matrix of each channel has few large singular values."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from inpaintkit import Method, checked
from inpaintkit.nn import report_progress

from .heldout import hold_out
from .known import require_known

ZERO = 1e-10  # singular values below this part of the largest one are rounding errors


class LowRank(Method):
    """Minimizes the double weighted truncated nuclear norm of each channel: the sum of all its singular values but the
    ``rank`` largest, with longer steps for rows and columns of which less is known (Xue, Qiu, Liu and Jin 2019, Double
    weighted truncated nuclear norm regularization for low-rank matrix completion).

    A channel is a matrix X on the scale 0 to 255, with the singular value decomposition U S V'. A step is

        X <- X - W_r U_{>R} V_{>R}' W_c / alpha,    alpha <- growth alpha,

    after which known pixels are put back and values cut to 0 to 255. The diagonals of W_r and W_c are 2 minus the known
    part of each row and column, scaled so that the largest is ``theta``. The first steps are so long that hidden pixels
    become black or white; they converge as the steps shrink. At higher ranks rounding errors choose one of many
    similar results: another machine may fill such a hole differently.

    Differs from the paper and its authors' program: the rank is not the one with the best result against the truth, but
    for each picture the one that best predicts known pixels which are hidden on purpose, in the manner of its hole
    (:func:`~inpaintkit_classical.heldout.hold_out`). Hidden pixels start at the mean of the known ones, not at 0. The
    change of a step is compared with the norm of the known pixels, not of the whole truth. The vectors of a singular
    value that is 0 to rounding are arbitrary, and left out.

    Rank says nothing about rows and columns that are hidden entirely: any mix of others would do. The matrix is
    completed without them, and they become the mean of all the others. The method cannot fill half a picture.

    Works in float64, on all pictures, channels and candidate ranks together; a channel that has converged does not
    change. A step decomposes each channel, so the time grows with the cube of the side; choosing among ranks takes
    ``max_rank`` times ``trials`` as long as one given rank.

    Args:
        rank: how many singular values are free; None chooses it for each picture among 1 to ``max_rank``. If it is as
            large as the picture's smaller side, nothing is minimized: the hole keeps the mean of the known pixels.
        max_rank: the largest rank tried when ``rank`` is None.
        held_out: the part of the known pixels, at most, that each trial hides on purpose to choose the rank.
        trials: how often that is done, each time with other pixels; their errors are added.
        seed: of the places of those pixels.
        theta: the largest weight of a row and of a column.
        alpha: of the first step, whose length is 1 / alpha.
        growth: of alpha from step to step.
        iterations: the most of them.
        tolerance: a channel is done when a step changes it by at most this part of the norm of its known pixels.

    Raises:
        InpaintkitError: a picture has no known pixel.
    """

    @checked
    def __init__(
        self,
        rank: Annotated[int, Ge(1)] | None = None,
        max_rank: Annotated[int, Ge(1)] = 5,
        held_out: Annotated[float, Gt(0), Lt(1)] = 0.25,
        trials: Annotated[int, Ge(1)] = 4,
        seed: Annotated[int, Ge(0)] = 0,
        theta: Annotated[float, Gt(0)] = 1.2,
        alpha: Annotated[float, Gt(0)] = 1e-4,
        growth: Annotated[float, Gt(1)] = 1.2,
        iterations: Annotated[int, Ge(1)] = 200,
        tolerance: Annotated[float, Ge(0), Lt(1)] = 1e-4,
    ) -> None:
        super().__init__()
        self.rank, self.max_rank = rank, max_rank
        self.held_out, self.trials, self.seed = held_out, trials, seed
        self.theta, self.alpha, self.growth = theta, alpha, growth
        self.iterations, self.tolerance = iterations, tolerance

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        """``masked`` (B, 3, H, W) and ``mask`` (B, 1, H, W) -> the picture with its hole filled, of the same type."""
        require_known(mask)
        hole = mask.bool()
        worked = hole.flatten(1).any(1)
        if not worked.any():
            return masked.clone()
        levels = (masked[worked].double() + 1) * 127.5
        filled = self.complete(levels, hole[worked], self.ranks(levels, hole[worked])[:, None])[:, 0]
        output = masked.clone()
        output[worked] = (filled / 127.5 - 1).to(masked.dtype)
        return torch.where(hole, output, masked)

    def ranks(self, levels: Tensor, hole: Tensor) -> Tensor:
        """The rank (B,) for each picture: ``rank``, or the one with the least squared error on held-out pixels.

        Of equals it is the least; so where nothing can be held out it is 1.

        Args:
            levels: (B, C, H, W) in 0 to 255; values in the hole are not used.
            hole: (B, 1, H, W), True in the hole.
        """
        if self.rank is not None:
            return torch.full((len(levels),), self.rank, device=levels.device)
        most = max(1, min(self.max_rank, min(levels.shape[2:]) - 1))
        candidates = torch.arange(1, most + 1, device=levels.device).expand(len(levels), most)
        wrong = torch.zeros(candidates.shape).to(levels)  # (B, K)
        for trial, held in enumerate(hold_out(hole, self.held_out, self.trials, self.seed).unbind(1)):
            filled = self.complete(levels, hole | held, candidates, trial)  # (B, K, C, H, W)
            wrong += torch.where(held[:, None], filled - levels[:, None], 0).square().flatten(2).sum(2)
        least = wrong <= wrong.amin(1, keepdim=True)
        return torch.where(least, candidates, most).amin(1)

    def complete(self, levels: Tensor, hole: Tensor, ranks: Tensor, trial: int | None = None) -> Tensor:
        """Fills each hole with each of its picture's ``ranks`` (B, K), from 1 up.

        Args:
            levels: (B, C, H, W) in 0 to 255; values in the hole are not used.
            hole: (B, 1, H, W), True in the hole.
            trial: which one it is of those that choose the rank; None for what follows them.

        Returns:
            (B, K, C, H, W) in 0 to 255.
        """
        known = torch.where(hole, 0, levels)
        share = (~hole).to(levels)
        rows, columns = share.amax(3, keepdim=True), share.amax(2, keepdim=True)  # 0 where a line is hidden entirely
        height, width = rows.sum(2, keepdim=True), columns.sum(3, keepdim=True)  # of the matrix without such lines
        mean = rows * columns * known.sum((2, 3), keepdim=True) / share.sum((2, 3), keepdim=True)
        down = rows * (2 - share.sum(3, keepdim=True) / width)  # (B, 1, H, 1)
        across = columns * (2 - share.sum(2, keepdim=True) / height)  # (B, 1, 1, W)
        weights = self.theta**2 * (down / down.amax(2, keepdim=True)) * (across / across.amax(3, keepdim=True))
        enough = self.tolerance * torch.linalg.matrix_norm(known)  # (B, C)
        shape = (*ranks.shape, *levels.shape[1:])

        def matrices(each: Tensor, *trailing: int) -> Tensor:
            """(B, ...) -> one for each picture, rank and channel: (B K C, ...)."""
            return each.expand(*shape[:3], *trailing).reshape(-1, *trailing)

        x = matrices(torch.where(hole, mean, levels)[:, None], *shape[3:])
        given, free = x, matrices(hole[:, None], *shape[3:])
        pull = torch.where(free, matrices(weights[:, None], *shape[3:]), 0)
        limit, rank = matrices(enough[:, None]), matrices(ranks[..., None])
        filled, left = x.clone(), torch.arange(len(x), device=x.device)  # those that are not done
        alpha = self.alpha
        trials = self.trials if self.rank is None else 0
        begun, total = self.iterations * (trials if trial is None else trial), self.iterations * (trials + 1)
        for iteration in range(self.iterations):
            report_progress(begun + iteration, total)
            after = torch.addcmul(x, pull, tail(x, rank), value=-1 / alpha).clamp(0, 255)
            after = torch.where(free, after, given)
            going = torch.linalg.matrix_norm(after - x) > limit
            filled[left] = x = after
            alpha *= self.growth
            if not going.all():
                x, given, free, pull, limit, rank, left = (
                    each[going] for each in (x, given, free, pull, limit, rank, left)
                )
                if not len(left):
                    break
        if trial is None:
            report_progress(total, total)
        filled = filled.reshape(shape)  # 0 in lines that are hidden entirely
        filled = torch.where(columns[:, None] > 0, filled, filled.sum(4, keepdim=True) / width[:, None])
        return torch.where(rows[:, None] > 0, filled, filled.sum(3, keepdim=True) / height[:, None])


def tail(x: Tensor, rank: Tensor) -> Tensor:
    """U_{>R} V_{>R}' of each matrix (N, H, W), float64, with its own R (N,): where the sum of the singular values after
    the R largest grows fastest. Values that are 0 to rounding, below ``ZERO`` of the largest, do not count."""
    u, s, v = torch.linalg.svd(x, full_matrices=False)
    counts = (torch.arange(s.shape[1], device=x.device) >= rank[:, None]) & (s > ZERO * s[:, :1])
    product: Tensor = (u * counts[:, None]) @ v
    return product
