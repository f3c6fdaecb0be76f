"""Solves Laplace's and the bi-Laplace equation in holes: conjugate gradients with a multigrid preconditioner.

All pictures of a batch and their channels are solved at once; a matrix is formed on the coarsest grid only.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.errors import InpaintkitError
from .crops import crops_around

COARSEST = 10  # pixels: the longer side of a grid that is solved directly
DAMPING = 0.8  # of Jacobi's smoothing steps: 4/5 damps a five-point stencil's oscillations best
ITERATIONS = 5000  # a bi-Laplacian needs about as many as its hole is wide, a Laplacian twenty
CHECK_EVERY = 4  # iterations between tests of the residual, which wait for the device

Operator = Callable[[Tensor], Tensor]


def laplacian(u: Tensor) -> Tensor:
    """Minus the discrete Laplacian: the sum, over the 4-neighbors, of the pixel's value minus the neighbor's.

    Neumann's condition at the border: neighbors outside the picture are left out.

    >>> laplacian(torch.tensor([[0.0, 1.0, 2.0, 4.0]]))
    tensor([[-1.,  0., -1.,  2.]])
    """
    down, right = u.diff(dim=-2), u.diff(dim=-1)
    return F.pad(down, (0, 0, 1, 0)) - F.pad(down, (0, 0, 0, 1)) + F.pad(right, (1, 0)) - F.pad(right, (0, 1))


@attrs.frozen(eq=False)
class Grid:
    """Weighted five-point equations on one grid, ``(diagonal - neighbors) u = b``, in the hole.

    Attributes:
        inside: (B, 1, h, w), 1 where a cell contains a pixel of the hole.
        diagonal: (B, 1, h, w), at least the sum of the weights around the cell; 1 where there is no hole.
        right, down: (B, 1, h, w), the weight between a cell and its neighbor to the right or below; 0 to no hole.
    """

    inside: Tensor
    diagonal: Tensor
    right: Tensor
    down: Tensor

    @classmethod
    def finest(cls, hole: Tensor) -> Grid:
        """The equations of :func:`laplacian` in the hole (B, 1, h, w); known pixels are 0."""
        height, width = hole.shape[-2:]
        rows, columns = (torch.full((length,), 2.0).to(hole) for length in (height, width))
        for side in (rows, columns):
            side[0] -= 1  # one neighbor is outside the picture; both are where it is one pixel wide
            side[-1] -= 1
        right = F.pad(hole[..., 1:] * hole[..., :-1], (0, 1))
        down = F.pad(hole[..., 1:, :] * hole[..., :-1, :], (0, 0, 0, 1))
        return cls(hole, torch.where(hole > 0, rows[:, None] + columns, 1), right, down)

    def coarser(self) -> Grid:
        """The equations on cells of 2x2: sums of the weights between two cells, halved since the spacing is doubled.

        This is half of the Galerkin operator of piecewise constant interpolation, and so it is positive definite, too.
        """
        count, _, height, width = self.inside.shape
        right, down, diagonal = (
            F.pad(each, (0, width % 2, 0, height % 2)).view(count, 1, (height + 1) // 2, 2, (width + 1) // 2, 2)
            for each in (self.right, self.down, self.diagonal * self.inside)
        )
        within = right[..., 0].sum(-2) + down[..., 0, :, :].sum(-1)
        diagonal = diagonal.sum((-3, -1)) / 2 - within
        inside = (diagonal > 0).to(diagonal)
        return Grid(
            inside, torch.where(diagonal > 0, diagonal, 1), right[..., 1].sum(-2) / 2, down[..., 1, :, :].sum(-1) / 2
        )

    def __call__(self, u: Tensor) -> Tensor:
        """Applies the operator to ``u``, which is 0 outside the hole."""
        around = self.diagonal * u
        around[..., :-1].addcmul_(self.right[..., :-1], u[..., 1:], value=-1)
        around[..., 1:].addcmul_(self.right[..., :-1], u[..., :-1], value=-1)
        around[..., :-1, :].addcmul_(self.down[..., :-1, :], u[..., 1:, :], value=-1)
        around[..., 1:, :].addcmul_(self.down[..., :-1, :], u[..., :-1, :], value=-1)
        return around

    def inverse(self) -> Tensor:
        """The dense inverse (B, h*w, h*w), for a small grid."""
        height, width = self.inside.shape[-2:]
        unit = torch.eye(height * width).to(self.inside).view(1, -1, height, width)
        return torch.cholesky_inverse(torch.linalg.cholesky(self(unit.expand(len(self.inside), -1, -1, -1)).flatten(2)))


class Multigrid:
    """One V-cycle for :func:`laplacian` in a hole: a linear, symmetric, positive definite approximate inverse.

    Cell-centered (Trottenberg, Oosterlee and Schueller 2001, Multigrid, section 2.8.4): bilinear interpolation, its
    transpose to restrict, one damped Jacobi step before and one after each correction.
    """

    def __init__(self, hole: Tensor) -> None:
        """``hole`` (B, 1, h, w) of 0 and 1, in the type to compute in; each picture has a known pixel."""
        self.grids = [Grid.finest(hole)]
        while max(self.grids[-1].inside.shape[-2:]) > COARSEST:
            self.grids.append(self.grids[-1].coarser())
        self.weights = [DAMPING * grid.inside / grid.diagonal for grid in self.grids]
        self.direct = self.grids[-1].inverse()

    def __call__(self, b: Tensor, level: int = 0) -> Tensor:
        """``b`` (B, C, h, w), 0 outside the hole -> approximate solution (B, C, h, w), 0 outside the hole."""
        if level == len(self.grids) - 1:
            return (b.flatten(2) @ self.direct).view_as(b)
        grid, weight = self.grids[level], self.weights[level]
        u = weight * b
        residual = (b - grid(u)) * grid.inside
        coarse = _restrict(residual) * self.grids[level + 1].inside
        u = u.addcmul_(_interpolate(self(coarse, level + 1), b.shape[-2], b.shape[-1]), grid.inside)
        return u.addcmul_(weight, b - grid(u))


def _interpolate(coarse: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)[..., :height, :width]


def _restrict(fine: Tensor) -> Tensor:
    """The transpose of :func:`_interpolate`."""
    for axis in (-1, -2):
        fine = fine.transpose(-1, axis)
        fine = F.pad(fine, (0, fine.shape[-1] % 2))
        first, second = fine[..., ::2], fine[..., 1::2]
        both = 0.75 * (first + second)
        both[..., :-1] += 0.25 * first[..., 1:]
        both[..., 1:] += 0.25 * second[..., :-1]
        both[..., 0] += 0.25 * first[..., 0]
        both[..., -1] += 0.25 * second[..., -1]
        fine = both.transpose(-1, axis)
    return fine


def conjugate_gradients(operator: Operator, preconditioner: Operator, b: Tensor, tolerance: float) -> Tensor:
    """Solves ``operator(x) = b`` for each channel of each picture; both maps are symmetric and positive definite.

    A channel is done, and no longer changed, when its residual r has r'Mr <= tolerance^2 b'Mb, where M is the
    preconditioner; since M is near the inverse, that bounds the energy norm of the relative error.

    Args:
        b: (B, C, h, w), 0 outside the hole.

    Raises:
        InpaintkitError: no solution after 5000 iterations.
    """
    x, r = torch.zeros_like(b), b.clone()
    z = preconditioner(r)
    p = z.clone()
    rz = _dot(r, z)
    target = (tolerance**2 * rz).clamp(min=torch.finfo(b.dtype).tiny)  # smaller squares are rounded to 0
    active = rz > target  # False also where a channel is not finite, so that it does not delay the others
    for iteration in range(ITERATIONS):
        if iteration % CHECK_EVERY == 0 and not active.any():
            return torch.where(target.isfinite(), x, torch.nan)
        applied = operator(p)
        step = torch.where(active, rz / _dot(p, applied), 0)
        x.addcmul_(step, p)
        r.addcmul_(step, applied, value=-1)
        z = preconditioner(r)
        after = _dot(r, z)
        p = torch.where(active, torch.addcmul(z, after / rz, p), 0)
        rz, active = after, active & (after > target)
    raise InpaintkitError(
        f"the equations of the hole are not solved to a tolerance of {tolerance:g} after {ITERATIONS} iterations: "
        "raise tolerance"
    )


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum((2, 3), keepdim=True)


def harmonic_extension(values: Tensor, hole: Tensor, tolerance: float, order: int = 1) -> Tensor:
    """Extends known pixels into the hole by solving Laplace's equation there.

    Known pixels beside the hole are Dirichlet data; Neumann's condition holds at the picture's border. The values in
    the hole are the start of the iterations; how little of them is left depends on ``tolerance``.

    Args:
        values: (B, C, H, W) in float32 or float64, in which it is computed; in the hole, where to start.
        hole: (B, 1, H, W) bool; each picture has a known pixel.
        tolerance: see :func:`conjugate_gradients`.
        order: how often the Laplacian is applied; 2 gives the biharmonic extension.

    Returns:
        (B, C, H, W), unchanged outside the hole. A channel that is not finite near its hole is NaN in it.

    Raises:
        InpaintkitError: no solution after 5000 iterations.
    """
    crops = crops_around(hole, margin=order)  # the equations of hidden pixels reach no farther
    within, start = crops.take(hole), crops.take(values)
    multigrid = Multigrid(within.to(values.dtype))

    def operator(u: Tensor) -> Tensor:
        for _ in range(order):
            u = laplacian(u)
        return u.where(within, 0)  # not a product, which would spread NaN

    def preconditioner(r: Tensor) -> Tensor:
        for _ in range(order):
            r = multigrid(r)
        return r

    found = start + conjugate_gradients(operator, preconditioner, -operator(start), tolerance)
    return crops.put(values, torch.where(within, found, start))
