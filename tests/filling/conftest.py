"""Files for the tests of filling."""

from __future__ import annotations

import pytest
from PIL import Image

from .toys import MASK, bare_picture_of


@pytest.fixture
def photo():
    return bare_picture_of("RGB")


@pytest.fixture
def mask(tmp_path):
    path = tmp_path / "mask.png"
    Image.fromarray(MASK).save(path)
    return path
