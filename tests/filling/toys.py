"""Methods and pictures for the tests of filling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import skimage.data
import torch
from PIL import Image
from torch import nn

from inpaintkit.core.interfaces import Method


class MeanFill(Method):
    """The mean of the known pixels; it keeps what it was shown."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def inpaint(self, masked, mask):
        self.shown.append((masked.clone(), mask.clone()))
        known = (1 - mask).sum((-2, -1), keepdim=True).clamp(min=1)
        return (masked.sum((-2, -1), keepdim=True) / known).expand_as(masked)


class Conv8(Method):
    """A small encoder and decoder with stride 8 and a receptive field of a few dozen pixels."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(
            nn.Conv2d(4, 8, 4, 4), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.Dropout(0.5), nn.ReLU(), nn.ConvTranspose2d(8, 3, 4, 4), nn.Tanh(),
        )  # fmt: skip
        self.shapes = []

    @property
    def stride(self):
        return 8

    def inpaint(self, masked, mask):
        assert not self.training
        assert masked.shape[-1] % 8 == 0
        assert masked.shape[-2] % 8 == 0
        self.shapes.append(tuple(masked.shape))
        return self.net(torch.cat([masked, mask], 1))


class Fixed64(MeanFill):
    @property
    def size(self):
        return 64

    def inpaint(self, masked, mask):
        assert masked.shape[1:] == (3, 64, 64)
        return super().inpaint(masked, mask)


class Ramp(Method):
    """Draws something that differs at every pixel, so that a wrong place is seen."""

    def inpaint(self, masked, mask):
        down = torch.linspace(-1, 1, masked.shape[-2])[:, None]
        right = torch.linspace(-1, 1, masked.shape[-1])
        return torch.stack([down.expand(masked.shape[-2:]), right.expand(masked.shape[-2:]), down * right]).expand_as(
            masked
        )


class Search(Method):
    """Descends inside inpaint, as methods do that search a latent."""

    def inpaint(self, masked, mask):
        with torch.enable_grad():
            color = torch.zeros(len(masked), 3, 1, 1, requires_grad=True)
            for _ in range(25):
                loss = ((color - masked) ** 2 * (1 - mask)).sum() / (1 - mask).sum().clamp(min=1)
                (gradient,) = torch.autograd.grad(loss, color)
                color = (color - 0.3 * gradient).detach().requires_grad_()
        return color.expand_as(masked)


class Constant(Method):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def inpaint(self, masked, mask):
        return torch.full_like(masked, self.value)


class Asked(Method):
    """Draws at random when asked, else always gray."""

    randomness = "on request"

    def inpaint(self, masked, mask, *, rng=None):
        if rng is None:
            return torch.zeros_like(masked)
        return torch.rand(len(masked), 3, 1, 1, generator=rng).expand_as(masked)


METHODS = [MeanFill, Conv8, Fixed64, Search]


def square(height, width, top, left, side):
    hole = np.zeros((height, width), bool)
    hole[top : top + side, left : left + side] = True
    return hole


def picture_of(mode, size=(41, 30)):
    """A photograph in a Pillow mode, with everything around it that has to survive."""
    color = Image.fromarray(skimage.data.astronaut()).resize(size)
    gray = np.asarray(color.convert("L")).astype(np.float32)
    alpha = Image.fromarray((np.arange(size[0] * size[1]).reshape(size[::-1]) % 256).astype(np.uint8))
    if mode.startswith("I;16"):
        image = Image.frombytes(mode, size, (gray * 257).astype(">u2" if mode.endswith("B") else "<u2").tobytes())
    elif mode == "I":
        image = Image.fromarray((gray * 257).astype(np.int32))
    elif mode == "F":
        image = Image.fromarray(gray / 255)
    elif mode == "P":
        image = color.quantize(17)
    else:
        image = color.convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(alpha)
    assert image.mode == mode
    image.info["icc_profile"] = b"a profile"
    image.info["dpi"] = (72, 72)
    return image


MASK = square(30, 41, 8, 10, 9)


def bare_picture_of(mode):
    """A photograph of 41 x 30 in a Pillow mode, without metadata."""
    color = Image.fromarray(skimage.data.astronaut()).resize((41, 30))
    gray = np.asarray(color.convert("L"))
    if mode.startswith("I;16"):
        deep = (gray.astype(np.uint32) * 257 + 3).clip(0, 65535)
        return Image.frombytes(mode, color.size, deep.astype(">u2" if mode.endswith("B") else "<u2").tobytes())
    if mode in "IF":
        return Image.fromarray(gray.astype(np.int32) * 257 if mode == "I" else gray.astype(np.float32) / 255)
    image = color.quantize(17) if mode == "P" else color.convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(gray))
    return image


def folders(tmp_path, names):
    """A folder of pictures, one of their masks, and one that is not there yet."""
    (tmp_path / "in").mkdir()
    (tmp_path / "masks").mkdir()
    for name in names:
        for folder, image in (("in", bare_picture_of("RGB")), ("masks", Image.fromarray(MASK))):
            path = (tmp_path / folder / name).with_suffix(".png")
            path.parent.mkdir(parents=True, exist_ok=True)
            image.info.clear()
            image.save(path)
    return tmp_path / "in", tmp_path / "masks", tmp_path / "out"


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())
