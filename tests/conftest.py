"""What many tests share: one thread, a cache of their own, and tiny pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

torch.set_num_threads(1)  # small tensors: threads cost more than they bring


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Decoded pictures go to a folder of the session's, never to the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INPAINTKIT_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of twelve smooth 20x20 pictures, each another."""
    folder = tmp_path_factory.mktemp("pictures")
    y, x = np.mgrid[0:20, 0:20] / 19
    for number in range(12):
        waves = [np.sin((1 + number % 3) * x * 3 + shift) * np.cos((1 + number // 3) * y * 2) for shift in (0, 1, 2)]
        pixels = np.stack(waves, -1) * 100 + 128
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"wave-{number:02}.png")
    return folder
