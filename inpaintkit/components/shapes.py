"""Building blocks of the mask samplers: boxes, brush strokes, a cubic kernel, and the checks of their options."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.errors import OptionError


def axes(size: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Row numbers (H, 1) and column numbers (1, W)."""
    return torch.arange(size[0], device=device)[:, None], torch.arange(size[1], device=device)[None]


def below(limit: Tensor, rng: torch.Generator) -> Tensor:
    """Integers uniform on 0 to ``limit - 1``, each with its own limit."""
    drawn = torch.rand(limit.shape, generator=rng, device=rng.device) * limit
    return torch.minimum(drawn.long(), limit - 1)


def between(low: float, high: float, shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Numbers uniform on ``low`` to ``high``."""
    return low + (high - low) * torch.rand(shape, generator=rng, device=rng.device)


def boxes(top: Tensor, left: Tensor, height: Tensor, width: Tensor, size: tuple[int, int]) -> Tensor:
    """The union of each picture's boxes; all arguments (B, K) -> masks (B, 1, H, W)."""
    rows, columns = (torch.arange(length, device=top.device) for length in size)
    down = (rows >= top[..., None]) & (rows < (top + height)[..., None])  # (B, K, H)
    across = (columns >= left[..., None]) & (columns < (left + width)[..., None])  # (B, K, W)
    return (down.float().mT @ across.float()).clamp_max_(1)[:, None]


def near_segment(rows: Tensor, columns: Tensor, start: Tensor, end: Tensor, reach: Tensor) -> Tensor:
    """Pixels no farther than ``reach`` (B,) from the segment ``start`` to ``end`` (B, 2) -> (B, H, W).

    A negative ``reach`` covers nothing. Only four operations run at full size: the rest is separable.
    """
    y, x = rows - start[:, 0, None, None], columns - start[:, 1, None, None]  # (B, H, 1), (B, 1, W)
    length = torch.linalg.vector_norm(end - start, dim=1)
    dy, dx = ((end - start) / length.clamp_min(1e-6)[:, None])[..., None, None].unbind(1)
    along = y * dy + x * dx  # in pixels from the start
    foot = along.clamp_min(0).minimum(length[:, None, None])
    squared = foot.sub(along, alpha=2).mul_(foot).add_(y**2 + x**2)
    limit = torch.where(reach >= 0, reach**2, -1.0)  # rounding leaves `squared` a little below 0 at most
    near: Tensor = squared <= limit[:, None, None]
    return near


def cubic(distance: Tensor) -> Tensor:
    """The cubic convolution kernel with a = -0.5 (Keys 1981)."""
    near, d = distance.abs() <= 1, distance.abs()
    inner, outer = (1.5 * d - 2.5) * d**2 + 1, ((-0.5 * d + 2.5) * d - 4) * d + 2
    return torch.where(near, inner, torch.where(d < 2, outer, 0.0))


def size_text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def require_fit(option: str, side: int, size: tuple[int, int], what: str = "") -> None:
    """Refuses a hole that is larger than the picture."""
    if side > min(size):
        hole = what or f"a hole of {side} pixels"
        raise OptionError(f"{hole} does not fit into a picture of {size_text(size)} pixels (height x width)", (option,))
