"""Helpers for networks and methods: initial weights, windows around holes, eval mode, random numbers per image."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .runtime import evaluating as evaluating, per_image as per_image, report_progress as report_progress


def normal_init(module: nn.Module, std: float = 0.02) -> None:
    """Weights of convolutions and linear layers N(0, std), of batch norms N(1, std), biases 0 (DCGAN, section 3)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, std)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, std)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def autocast_off(device: torch.device) -> AbstractContextManager[object]:
    """A context without autocast: tensors and parameters keep their own precision."""
    if not torch.amp.autocast_mode.is_autocast_available(device.type):  # the meta device has no autocast
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def hole_windows(mask: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """A ``side`` x ``side`` window at the hole of each image: its top row and its left column, (B,) each.

    A hole that fits is centered in its window, as far as the picture's border allows. If the hole is larger than the
    window, or several holes do not fit together, a hash of the mask picks one of the windows of which at least a
    quarter is hole: the same for the real picture and the fake, and others for other masks. If there is none (scattered
    pixels), it is the window with the most of the hole; without a hole, the middle of the picture. The result depends
    on the mask alone and is computed on its device, without synchronization.

    Args:
        mask: (B, 1, H, W), 1 in the hole.
        side: at most H and W.
    """
    count, _, height, width = mask.shape
    hole = mask[:, 0].bool()
    total = hole.sum((1, 2))  # (B,)
    covered = windows_sum(hole, side)  # (B, places down, places right): hole pixels in each window
    across = covered.shape[2]
    flat = covered.flatten(1)
    most, best = flat.max(1)
    # Larger than one window: the n-th of the windows that are a quarter hole, n being a hash of the hole's pixels.
    enough = flat * 4 >= side * side
    weights = torch.arange(1, height * width + 1, device=mask.device) * 2654435761 % 4294967291
    nth = (hole.flatten(1) * weights).sum(1) % enough.sum(1).clamp(min=1)
    picked = (enough.cumsum(1) == nth[:, None] + 1).int().argmax(1)
    place = torch.where((most < total) & enough.any(1), picked, best)
    top, left = place // across, place % across
    # Center the part of the hole that is in this window.
    rows = torch.arange(height, device=mask.device).expand(count, height)
    columns = torch.arange(width, device=mask.device).expand(count, width)
    inside = ((rows >= top[:, None]) & (rows < top[:, None] + side))[:, :, None] & (
        (columns >= left[:, None]) & (columns < left[:, None] + side)
    )[:, None]
    seen = hole & inside
    fits = most == total
    top = torch.where(fits, middle(seen.any(2), side), top)
    left = torch.where(fits, middle(seen.any(1), side), left)
    return top, left


def windows_sum(hole: Tensor, side: int) -> Tensor:
    """The number of pixels of ``hole`` (B, H, W) in each window: int64 (B, H - side + 1, W - side + 1)."""
    sums = F.pad(hole.long().cumsum(1).cumsum(2), (1, 0, 1, 0))
    return sums[:, side:, side:] - sums[:, :-side, side:] - sums[:, side:, :-side] + sums[:, :-side, :-side]


def middle(taken: Tensor, side: int) -> Tensor:
    """The start of a window of ``side`` around the middle of the ``taken`` (B, L) positions, within 0 to L - side."""
    length = taken.shape[1]
    first, last = taken.int().argmax(1), length - 1 - taken.flip(1).int().argmax(1)  # of nothing: 0 and L - 1
    return ((first + last + 1 - side) // 2).clamp(0, length - side)


def cropped(picture: Tensor, top: Tensor, left: Tensor, side: int) -> Tensor:
    """``picture`` (B, C, H, W), each cropped to its own window: (B, C, side, side)."""
    count, channels, _, width = picture.shape
    steps = torch.arange(side, device=picture.device)
    rows, columns = top[:, None] + steps, left[:, None] + steps  # (B, side)
    picture = picture.gather(2, rows[:, None, :, None].expand(count, channels, side, width))
    return picture.gather(3, columns[:, None, None, :].expand(count, channels, side, side))
