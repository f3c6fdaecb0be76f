"""What networks and methods of several papers share: initial weights, windows around holes, modes, random rows."""

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
    """Inside, nothing is computed in lower precision than that of the tensors and parameters themselves."""
    if not torch.amp.autocast_mode.is_autocast_available(device.type):  # the meta device has none to switch off
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def hole_windows(mask: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Where to look at the hole: the top row and the left column of a ``side`` x ``side`` window, (B,) each.

    A hole that fits is in the middle of its window, as far as the picture's border lets it. Of several holes that do
    not fit together, and of one that is larger, the window shows a part: any that is at least a quarter hole, picked by
    a hash of the mask, so that the real picture and the fake are seen through the same window and other masks show
    other parts; where there is none (scattered pixels), the one with the most of it. Without a hole it is the picture's
    middle. A function of the mask alone; on its device, without synchronization.

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
    # Larger than one window: any with a quarter of hole; the n-th of them, n a hash of where the hole is.
    enough = flat * 4 >= side * side
    weights = torch.arange(1, height * width + 1, device=mask.device) * 2654435761 % 4294967291
    nth = (hole.flatten(1) * weights).sum(1) % enough.sum(1).clamp(min=1)
    picked = (enough.cumsum(1) == nth[:, None] + 1).int().argmax(1)
    place = torch.where((most < total) & enough.any(1), picked, best)
    top, left = place // across, place % across
    # What of the hole is in that window is brought to its middle.
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
    """How many pixels of ``hole`` (B, H, W) each window holds: int64 (B, H - side + 1, W - side + 1)."""
    sums = F.pad(hole.long().cumsum(1).cumsum(2), (1, 0, 1, 0))
    return sums[:, side:, side:] - sums[:, :-side, side:] - sums[:, side:, :-side] + sums[:, :-side, :-side]


def middle(taken: Tensor, side: int) -> Tensor:
    """Where a window of ``side`` begins whose middle is that of the ``taken`` (B, L) places, within 0 to L - side."""
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
