"""Small pictures in a folder, and a loader with a cache of its own."""

import io

import numpy as np
import pytest
from PIL import Image

from inpaintkit.data.image_set import load_images

RNG = np.random.default_rng(0)


def encode(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def picture(height=8, width=8):
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def photos(tmp_path):
    """Six pictures of short side 8, of different lengths, and what they hold."""
    folder, held = tmp_path / "photos", {}
    folder.mkdir()
    for at, size in enumerate([(8, 8), (8, 11), (14, 8), (8, 9), (8, 30), (9, 8)]):
        held[f"{at}.png"] = picture(*size)
        (folder / f"{at}.png").write_bytes(encode(held[f"{at}.png"]))
    return folder, held


@pytest.fixture
def load(tmp_path):
    def call(source, prepare=None, **options):
        return load_images(source, prepare, **{"cache": tmp_path / "cache", "progress": False, **options})

    return call
