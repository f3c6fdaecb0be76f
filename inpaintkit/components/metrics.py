"""Metrics of a completed picture, image by image: L1, L2, PSNR, SSIM and the sharpness of the hole.

Pictures are first rounded to 256 levels, as they would be saved. An image without a pixel of the region has no value:
it is NaN among the values of the images, and the mean leaves it out.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.errors import InpaintkitError
from ..core.interfaces import Metric, Sample
from ..runtime import to_uint8

Region = Literal["hole", "whole", "ring"]
RING = 4  # pixels: the width of the ring inside the hole
PSNR_CAP = 100.0  # dB: the value of two equal pictures


class PerImage(Metric):
    """Base of the metrics that are the mean of one value per image; subclasses add :meth:`values`.

    Args:
        on: the view that is measured.
    """

    higher_is_better: bool | None = False

    def __init__(self, on: str = "completed") -> None:
        self.on = on
        self._values: list[Tensor] = []

    def name(self, kind: str, *variant: str) -> str:
        """``kind[variant]``, and the view where it is not the completed picture."""
        return f"{kind}[{','.join((*variant, *((self.on,) if self.on != 'completed' else ())))}]"

    def values(self, drawn: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """``drawn`` and ``truth`` (B, 3, H, W) uint8, ``mask`` (B, 1, H, W) -> (B,); NaN where there is no value."""
        raise TypeError(f"{type(self).__name__} does not define values(drawn, truth, mask)")

    def update(self, sample: Sample) -> Tensor:
        drawn, truth = to_uint8(sample.view(self.on)), to_uint8(sample.image)
        if drawn.shape != truth.shape:
            raise InpaintkitError(f"{self.label}: {tuple(drawn.shape)} cannot be compared with {tuple(truth.shape)}")
        values = self.values(drawn, truth, sample.mask)
        self._values.append(values)
        return values

    def compute(self) -> float:
        """The mean over the images that have a value; NaN when none has."""
        if not self._values:
            return float("nan")
        return float(torch.cat(self._values).cpu().double().nanmean())


class Difference(PerImage):
    """Base of the mean differences over a region, each raised to a ``power``.

    Args:
        region: ``hole``; ``whole``; or ``ring``, the pixels of the hole within 4 of a known one (its boundary).
        range: the values of a picture: ``signed`` is [-1, 1], ``unit`` [0, 1], ``byte`` 0 to 255.
    """

    kind: ClassVar[str]
    power: ClassVar[int]

    def __init__(
        self,
        region: Region = "hole",
        range: Literal["signed", "unit", "byte"] = "signed",
        on: str = "completed",
    ) -> None:
        super().__init__(on)
        self.region = region
        values, level = _RANGES[range]
        self.scale = level**self.power
        self.label = self.name(self.kind, region, values)

    def values(self, drawn: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        return _mean((drawn.long() - truth.long()).abs() ** self.power, mask, self.region) * self.scale


class L1(Difference):
    """Mean absolute difference."""

    kind, power = "l1", 1


class L2(Difference):
    """Mean squared difference."""

    kind, power = "l2", 2


class PSNR(PerImage):
    """Peak signal-to-noise ratio in dB, 10 log10(255^2 / mean squared difference), averaged over the images.

    Values are capped at 100 dB: two pictures that are equal after rounding would have an infinite one.

    Args:
        region: ``hole``; ``whole``; or ``ring``, the pixels of the hole within 4 of a known one (its boundary).
    """

    higher_is_better = True

    def __init__(self, region: Region = "hole", on: str = "completed") -> None:
        super().__init__(on)
        self.region = region
        self.label = self.name("psnr", region, "255")

    def values(self, drawn: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        error = _mean((drawn.long() - truth.long()).square(), mask, self.region)
        return (10 * torch.log10(255**2 / error)).clamp(max=PSNR_CAP)  # clamp keeps NaN


class SSIM(PerImage):
    """Structural similarity.

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004, section III: a
    Gaussian window of 11 x 11 with sigma 1.5, K1 = 0.01, K2 = 0.03, range 255; R, G and B separately.

    Args:
        region: ``whole``: the mean over the windows that lie within the picture; ``hole``: the mean over the windows
            that are centered at a pixel of the hole, in the picture mirrored at its borders.
    """

    higher_is_better = True

    def __init__(self, region: Literal["hole", "whole"] = "whole", on: str = "completed") -> None:
        super().__init__(on)
        self.region = region
        variant = ("gauss11", "valid", "rgb") if region == "whole" else ("hole", "gauss11", "same", "rgb")
        self.label = self.name("ssim", *variant)

    def values(self, drawn: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        if min(drawn.shape[-2:]) < 11:
            raise InpaintkitError(f"ssim needs pictures of 11 x 11 at least, not {drawn.shape[-2]} x {drawn.shape[-1]}")
        dtype = torch.float32 if drawn.device.type == "mps" else torch.float64  # E[x^2] - E[x]^2 cancels
        drawn, truth = drawn.to(dtype), truth.to(dtype)
        if self.region == "whole":
            return ssim_map(drawn, truth).mean((1, 2, 3))
        return _mean(ssim_map(_mirrored(drawn, 5), _mirrored(truth, 5)), mask, "hole")


class GradientEnergy(PerImage):
    """Sharpness of the hole: its gradient energy over that of the truth; 1 is as sharp, 0 is flat.

    The energy is the sum of the squared differences of horizontal and vertical neighbors that are both in the hole, so
    that its boundary does not count. It shows blur, which pixel distances reward. An image whose truth is flat in the
    hole has no value.
    """

    higher_is_better = None

    def __init__(self, on: str = "completed") -> None:
        super().__init__(on)
        self.label = self.name("gradient-energy", "hole")

    def values(self, drawn: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        energy, expected = gradient_energy(drawn, mask), gradient_energy(truth, mask)
        return torch.where(expected > 0, _real(energy) / _real(expected), torch.nan)


#: For each range: its values, and the size of one of the 256 levels.
_RANGES = {"signed": ("-1..1", 1 / 127.5), "unit": ("0..1", 1 / 255), "byte": ("0..255", 1.0)}


def ssim_map(one: Tensor, other: Tensor, c1: float = (0.01 * 255) ** 2, c2: float = (0.03 * 255) ** 2) -> Tensor:
    """Structural similarity of each 11 x 11 window: (B, C, H, W) in 0 to 255 -> (B, C, H - 10, W - 10)."""
    offsets = torch.arange(-5, 6, dtype=one.dtype, device=one.device)
    window = torch.exp(-offsets.square() / (2 * 1.5**2))
    window = window / window.sum()

    def blur(picture: Tensor) -> Tensor:
        single = picture.flatten(0, 1).unsqueeze(1)  # (B * C, 1, H, W)
        single = F.conv2d(F.conv2d(single, window.view(1, 1, 11, 1)), window.view(1, 1, 1, 11))
        return single.view(*picture.shape[:2], *single.shape[-2:])

    mean, other_mean = blur(one), blur(other)
    variance, other_variance = blur(one * one) - mean**2, blur(other * other) - other_mean**2
    covariance = blur(one * other) - mean * other_mean
    return ((2 * mean * other_mean + c1) * (2 * covariance + c2)) / (
        (mean**2 + other_mean**2 + c1) * (variance + other_variance + c2)
    )


def gradient_energy(pixels: Tensor, mask: Tensor) -> Tensor:
    """Squared differences of neighbors within the hole, summed: (B, C, H, W) uint8, (B, 1, H, W) -> (B,) int64."""
    levels, hole = pixels.long(), mask.bool()
    down = (levels[..., 1:, :] - levels[..., :-1, :]).square() * (hole[..., 1:, :] & hole[..., :-1, :])
    right = (levels[..., 1:] - levels[..., :-1]).square() * (hole[..., 1:] & hole[..., :-1])
    return down.sum((1, 2, 3)) + right.sum((1, 2, 3))


def region_of(mask: Tensor, region: Region) -> Tensor:
    """The pixels of a region, (B, 1, H, W), boolean."""
    hole = mask.bool()
    if region == "whole":
        return torch.ones_like(hole)
    if region == "ring":
        near = F.max_pool2d((~hole).float(), 2 * RING + 1, stride=1, padding=RING).bool()
        return hole & near
    return hole


def _mean(values: Tensor, mask: Tensor, region: Region) -> Tensor:
    """The mean over the region of each image, (B,); NaN where it is empty. Sums of integers are exact."""
    chosen = region_of(mask, region)
    total = (values * chosen).sum((1, 2, 3))
    count = chosen.sum((1, 2, 3)) * values.shape[1]
    return _real(total) / _real(count)  # 0 / 0 is NaN


def _real(values: Tensor) -> Tensor:
    return values.to(torch.float32 if values.device.type == "mps" else torch.float64)


def _mirrored(picture: Tensor, border: int) -> Tensor:
    """Extends a picture beyond its borders by reflection that repeats the outermost pixels (c b a | a b c)."""
    for axis in (2, 3):  # torch's "reflect" does not repeat them
        before = picture.narrow(axis, 0, border).flip(axis)
        after = picture.narrow(axis, picture.shape[axis] - border, border).flip(axis)
        picture = torch.cat([before, picture, after], axis)
    return picture
