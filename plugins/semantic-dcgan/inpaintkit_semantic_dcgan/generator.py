"""The generator of DCGAN: a latent vector becomes a picture."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from annotated_types import Ge
from torch import Tensor, nn

from inpaintkit import Generator, OptionError
from inpaintkit.nn import normal_init


class LatentGenerator(Generator):
    """Radford et al. 2016, "Unsupervised Representation Learning with Deep Convolutional GANs", figure 1.

    A transposed convolution makes a 4x4 map of the latent, others double it up to ``size``; batch norm and ReLU follow
    each but the last, which ends in tanh. 12,658,435 parameters at the defaults.
    Differs: 4x4 kernels with stride 2, which overlap evenly, in place of 5x5.

    Args:
        size: the side of the pictures, a power of two; 64 has maps of 8, 4, 2 and 1 times ``width``.
        width: channels before the last layer.
        latent: numbers in the latent, each uniform on [-1, 1].
        upsample: ``resize`` doubles by repeating pixels and convolves 3x3: no checkerboards (Odena et al. 2016,
            "Deconvolution and Checkerboard Artifacts").
    """

    def __init__(
        self,
        size: Annotated[int, Ge(8)] = 64,
        width: Annotated[int, Ge(1)] = 128,
        latent: Annotated[int, Ge(1)] = 100,
        upsample: Literal["deconvolution", "resize"] = "deconvolution",
    ) -> None:
        super().__init__()
        if size & (size - 1):
            raise OptionError(f"size is {size}: a power of two is needed, each layer doubles the side", ("size",))
        self.size, self.latent_shape = size, (latent,)
        doublings = size.bit_length() - 3  # from 4x4
        widths = [width << at for at in reversed(range(doublings))]  # of the maps before the last
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent, widths[0], 4, bias=False), *_normed(widths[0])]
        for before, after in pairwise(widths):
            layers += [*_doubled(before, after, upsample, bias=False), *_normed(after)]
        self.layers = nn.Sequential(*layers, *_doubled(widths[-1], 3, upsample, bias=True), nn.Tanh())
        normal_init(self)

    def forward(self, z: Tensor) -> Tensor:
        """``z`` (B, latent) in [-1, 1] -> pictures (B, 3, size, size) in [-1, 1]."""
        return self.layers(z[:, :, None, None])  # type: ignore[no-any-return]


def _normed(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU()]


def _doubled(before: int, after: int, upsample: str, bias: bool) -> list[nn.Module]:
    if upsample == "resize":
        return [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1, bias=bias)]
    return [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=bias)]
