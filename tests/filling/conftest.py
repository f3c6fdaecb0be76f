"""Files for the tests of filling."""

from __future__ import annotations

import pytest
from filling_toys import MASK, bare_picture_of
from PIL import Image


@pytest.fixture
def photo():
    return bare_picture_of("RGB")


@pytest.fixture
def mask(tmp_path):
    path = tmp_path / "mask.png"
    Image.fromarray(MASK).save(path)
    return path
