"""Harmonic and biharmonic filling: the smoothest continuation of the known pixels."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt, Lt
from torch import Tensor

from inpaintkit import Method, checked
from inpaintkit.components.multigrid import harmonic_extension

from .known import levels, require_known

Tolerance = Annotated[float, Gt(0), Lt(1)]


class Harmonic(Method):
    """Solves Laplace's equation in the hole: each hidden pixel is the mean of its 4 neighbors.

    It minimizes the sum of squared differences between neighbors. Known pixels beside the hole are Dirichlet boundary
    values. The border of the picture has a Neumann boundary condition: the mean skips neighbors outside the picture.
    All values lie within the range of the known pixels beside the hole.

    All pictures and channels are solved together in float64, by conjugate gradients with a multigrid preconditioner;
    each picture converges by its own residual.

    Args:
        tolerance: how small the residual becomes, in the preconditioner's norm and relative to that of a hole filled
            with the mean color. At 1e-8 the values lie within 1e-6 of the exact solution, also of 128x128 holes.

    Raises:
        InpaintkitError: a picture has no known pixel.
    """

    order = 1  # the power of the Laplacian

    @checked
    def __init__(self, tolerance: Tolerance = 1e-8) -> None:
        super().__init__()
        self.tolerance = tolerance

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        """``masked`` (B, 3, H, W) and ``mask`` (B, 1, H, W) -> the picture with its hole filled, of the same type."""
        require_known(mask)
        lowest, mean, highest = levels(masked, mask)
        hole = mask.bool()
        found = harmonic_extension(torch.where(hole, mean, masked.double()), hole, self.tolerance, self.order)
        return torch.where(hole, found.clamp(lowest, highest).to(masked.dtype), masked)


class Biharmonic(Harmonic):
    """Solves the bi-Laplace equation in the hole: the smooth continuation of values and of slopes.

    It minimizes the sum of squared Laplacians over all pixels that involve a hidden pixel, so values and slopes
    of the known pixels continue into the hole (Chui and Mhaskar 2010, MRA contextual-recovery extension of smooth
    functions on manifolds; Damelin and Hoang 2018, On surface completion and image inpainting by biharmonic functions:
    numerical aspects). The operator is the five-point Laplacian applied twice, 13 points inside the picture; each of
    the two leaves out neighbors beyond the picture's border, as `skimage.restoration.inpaint_biharmonic` does. As
    there, values are clamped to the range of the known pixels of each channel.

    Solved as the harmonic equation is; the preconditioner is two V-cycles of the Laplacian.

    Args:
        tolerance: how small the residual becomes, in the preconditioner's norm and relative to that of a hole filled
            with the mean color. At 1e-8 the values lie within 1e-5 of the exact solution, also of 128x128 holes.

    Raises:
        InpaintkitError: a picture has no known pixel.
    """

    order = 2
