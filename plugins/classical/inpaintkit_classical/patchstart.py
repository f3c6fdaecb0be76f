"""The start of patch matching: a smooth fill of the hole, weights of pixels, and texture features."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def smooth(image: Tensor, hole: Tensor, rounds: int = 8) -> Tensor:
    """``image`` (B, C, H, W) with the hole filled smoothly; ``hole`` (B, 1, H, W), floating point and binary.

    Coarse to fine: each level takes over the coarser one's fill, then each hidden pixel becomes the mean of its four
    neighbors, ``rounds`` times. A picture without a known pixel becomes 0.
    """
    known = 1 - hole
    share = F.avg_pool2d(known, 2, ceil_mode=True)
    coarse = F.avg_pool2d(image * known, 2, ceil_mode=True) / share.clamp_min(1e-6)
    if max(coarse.shape[2:]) > 1:
        coarse = smooth(coarse, (share == 0).to(hole.dtype), rounds)
    filled = torch.where(hole.bool(), enlarged(coarse, image), image)
    for _ in range(rounds):
        around = F.pad(filled, (1, 1, 1, 1), mode="replicate")
        sides = around[..., 2:, 1:-1] + around[..., :-2, 1:-1] + around[..., 1:-1, 2:] + around[..., 1:-1, :-2]
        filled = torch.where(hole.bool(), sides / 4, filled)
    return filled


def enlarged(coarse: Tensor, fine: Tensor) -> Tensor:
    """``coarse`` (B, C, ceil(H / 2), ceil(W / 2)) at the height and width of ``fine`` (B, C, H, W), bilinear."""
    return F.interpolate(coarse, scale_factor=2.0, mode="bilinear")[..., : fine.shape[2], : fine.shape[3]]


def worth(hole: Tensor, base: float = 1.3) -> Tensor:
    """(B, 1, H, W) ``base`` to the power of minus a pixel's depth in the hole; 1 where it is known.

    The depth is the distance to the known pixels, in steps to any of eight neighbors. Wexler et al. 2007, section 3.2.
    Every picture has a known pixel.
    """
    depth, left = hole, hole
    while bool((left := -F.max_pool2d(-left, 3, 1, 1)).any()):  # what is hidden beyond the border is as deep
        depth = depth + left
    return base**-depth


def contrast(image: Tensor, hole: Tensor, reach: int) -> Tensor:
    """(B, 2, H, W) the mean vertical and horizontal contrast of gray within ``reach`` pixels; 0 in the hole.

    The mean is over the known pairs of neighbors. After Newson et al. 2014, Video Inpainting of Complex Scenes,
    section 3.3: without it smooth patches, which are never far off, take over what was texture.
    """
    gray = image.mean(1, keepdim=True)
    contrasts = []
    for axis in (2, 3):
        pairs = gray.shape[axis] - 1
        before, after = gray.narrow(axis, 0, pairs), gray.narrow(axis, 1, pairs)
        known = 1 - torch.maximum(hole.narrow(axis, 0, pairs), hole.narrow(axis, 1, pairs))
        padding = (0, 0, 0, 1) if axis == 2 else (0, 1, 0, 0)
        difference, count = F.pad((after - before).abs() * known, padding), F.pad(known, padding)
        total, count = (F.avg_pool2d(plane, 2 * reach + 1, 1, reach) for plane in (difference, count))
        contrasts.append(total / count.clamp_min(1e-6))
    return torch.cat(contrasts, 1) * (1 - hole)
