"""Seeds: every random draw is a function of stated numbers, never of what ran before."""

from __future__ import annotations

from hashlib import blake2b

import torch


def seed_of(*parts: int | str) -> int:
    """A stable 63-bit seed of its parts: ``seed_of(recipe.seed, "step", 12)``."""
    digest = blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on ``device`` that starts from ``seed``."""
    return torch.Generator(device).manual_seed(seed)
