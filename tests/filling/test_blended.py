"""Filling with a method whose output is blended."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from inpaintkit.components.blending import PoissonBlended, poisson_blend
from inpaintkit.core.errors import NonFiniteError
from inpaintkit.core.interfaces import Method
from inpaintkit.filling.in_memory import fill
from inpaintkit.filling.windows import windows

from .toys import MASK, METHODS, Constant, Fixed64, MeanFill, Ramp, picture_of, square


class Cast(Method):
    """The picture ``truth`` (3, H, W) in another light: blending brings it back."""

    def __init__(self, truth):
        super().__init__()
        self.truth = truth

    def inpaint(self, masked, mask):
        return (self.truth + torch.tensor([0.3, -0.2, 0.1]).view(3, 1, 1)).expand_as(masked)


@pytest.mark.parametrize("kind", ["pil", "array", "tensor"])
def test_blending_leaves_no_seam_and_keeps_known_pixels(kind):
    pixels = np.array(picture_of("RGB", (83, 70)))
    hole = square(70, 83, 20, 31, 22) | square(70, 83, 0, 70, 13)
    method = Cast(torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1)
    image = {"pil": Image.fromarray(pixels), "array": pixels, "tensor": torch.from_numpy(pixels).permute(2, 0, 1)}[kind]
    plain, blended = (np.asarray(fill(each, image, hole)) for each in (method, PoissonBlended(method)))
    if kind == "tensor":
        plain, blended = plain.transpose(1, 2, 0), blended.transpose(1, 2, 0)
    assert np.abs(plain[hole].astype(int) - pixels[hole]).mean() > 15
    assert np.abs(blended[hole].astype(int) - pixels[hole]).max() <= 1
    assert np.array_equal(blended[~hole], pixels[~hole])


@pytest.mark.parametrize("method", METHODS)
def test_blending_never_reads_a_hidden_pixel(method):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (75, 90, 3), np.uint8)
    hole = square(75, 90, 30, 40, 31) | square(75, 90, 0, 0, 9)
    other = image.copy()
    other[hole] = rng.integers(0, 256, (int(hole.sum()), 3))
    one, two = (fill(PoissonBlended(method()), each, hole) for each in (image, other))
    assert np.array_equal(one, two)
    assert np.array_equal(one[~hole], image[~hole])
    assert not np.array_equal(one, fill(method(), image, hole))


def test_blending_is_that_of_the_windows_that_the_method_was_shown():
    """A method tied to a size is shown a scaled part: what it drew there is blended, then scaled back."""
    image, hole = np.asarray(picture_of("RGB", (200, 150))), square(150, 200, 40, 60, 70)
    method = Fixed64()
    blended = fill(PoissonBlended(method), image, hole)
    [(masked, mask)] = method.shown
    [window] = windows(hole, 1, 64)
    drawn = poisson_blend(MeanFill().inpaint(masked, mask), masked, mask)[..., : window.shape[0], : window.shape[1]]
    size = tuple(side.stop - side.start for side in window.context)
    scaled = nn.functional.interpolate(drawn, size, mode="bicubic", antialias=True)[0]
    expected = image.copy()
    inside = np.zeros_like(hole)
    inside[window.context] = True
    full = np.zeros((150, 200, 3))
    full[inside] = ((scaled + 1) * 127.5).permute(1, 2, 0).reshape(-1, 3).numpy()
    expected[hole] = full[hole].clip(0, 255).round()
    assert np.abs(blended.astype(int) - expected).max() <= 1
    assert np.array_equal(blended[~hole], image[~hole])


def test_blending_of_pictures_without_known_pixels_and_of_nan():
    image = np.asarray(picture_of("RGB"))
    everything = np.ones(image.shape[:2], bool)
    assert np.array_equal(fill(PoissonBlended(Ramp()), image, everything), fill(Ramp(), image, everything))
    with pytest.raises(NonFiniteError, match="the output of the method is NaN"):
        fill(PoissonBlended(Constant(float("nan"))), image, MASK)
