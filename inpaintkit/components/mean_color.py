"""The least that any method must beat: the mean color of what is known."""

from __future__ import annotations

from torch import Tensor

from ..core.interfaces import Method


class MeanColor(Method):
    """Fills each hole with the mean color of the picture's known pixels: what any method must beat."""

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        known = (1 - mask).sum((2, 3), keepdim=True).clamp(min=1)
        return (masked.sum((2, 3), keepdim=True) / known).expand_as(masked)
