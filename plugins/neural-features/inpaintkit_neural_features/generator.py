"""The encoder, the fully connected bottleneck and the decoder (Liu et al. 2018, section 3.1, table 2)."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional as F

from inpaintkit import Generator
from inpaintkit.nn import normal_init

from .frames import reflect_to

ENCODER = (32, 64, 128, 256)  # channels behind each halving
DECODER = (64, 64, 32, 32)  # channels behind each doubling
HIDDEN = 1024  # units between the two fully connected layers, at every size


class NeuralFeaturesGenerator(Generator):
    """A convolutional encoder, two fully connected layers and a decoder, tied to one side of the picture.

    Four times a 3x3 convolution with batch norm and ReLU, and a 2x2 maximum; ``fc`` and ``defc``, through which every
    pixel can see every other; four times a nearest doubling and a 3x3 convolution. At 64x64 with three input channels
    these are the paper's 8,995,843 parameters; with the mask as the fourth channel, without which black content looks
    like a hole, 8,996,131.

    Differs: the last convolution to three channels is missing in the paper's table 2. Its "deconv and unpooling" is a
    nearest doubling: pooling indices fit the first decoder block alone. Four halvings need a multiple of 16, so another
    picture is reflected on all four sides and cropped again: the paper's 24x24 becomes 32x32.

    Args:
        size: the side of the pictures.
        mask_channel: the mask is an input. False is the paper's.
        deep: 2, 2, 2 and 4 convolutions in the encoder's blocks instead of one (the "conv1 to conv3 of VGG-19" of the
            text; Li et al. 2017, Generative Face Completion, have these).
        fully_connected: False leaves ``fc`` and ``defc`` out: the decoder begins at the encoder's map.
    """

    def __init__(
        self,
        size: Annotated[int, Ge(16)] = 64,
        mask_channel: bool = True,
        deep: bool = False,
        fully_connected: bool = True,
    ) -> None:
        super().__init__()
        self.size = size
        self.side = -(-size // 16) * 16  # that the network works at
        self.mask_channel = mask_channel
        inputs = 4 if mask_channel else 3
        repeats = (2, 2, 2, 4) if deep else (1, 1, 1, 1)
        self.encoder = nn.Sequential(
            *(
                nn.Sequential(*convolutions(before, after, repeat), nn.MaxPool2d(2))
                for (before, after), repeat in zip(pairwise((inputs, *ENCODER)), repeats, strict=True)
            )
        )
        self.map = (ENCODER[-1], self.side // 16, self.side // 16)  # what the encoder ends in
        values = ENCODER[-1] * (self.side // 16) ** 2
        self.fc = nn.Linear(values, HIDDEN) if fully_connected else None
        self.defc = nn.Linear(HIDDEN, values) if fully_connected else None
        self.decoder = nn.Sequential(
            *(
                nn.Sequential(nn.Upsample(scale_factor=2), *convolutions(before, after))
                for before, after in pairwise((ENCODER[-1], *DECODER))
            )
        )
        self.out = nn.Conv2d(DECODER[-1], 3, 3, padding=1)
        normal_init(self)

    def forward(self, masked: Tensor, mask: Tensor) -> Tensor:
        """``masked`` (B, 3, size, size), ``mask`` (B, 1, size, size) -> (B, 3, size, size)."""
        x = torch.cat([masked, mask], 1) if self.mask_channel else masked
        # The mask is reflected with the picture: a reflected blank is still no known pixel.
        x = self.encoder(reflect_to(x, self.side))  # (B, 256, side/16, side/16)
        if self.fc is not None and self.defc is not None:
            x = F.relu(self.defc(F.relu(self.fc(x.flatten(1)))))
            x = x.view(-1, *self.map)
        x = torch.tanh(self.out(self.decoder(x)))  # (B, 3, side, side)
        height, width = mask.shape[2:]
        before = (self.side - height) // 2
        return x[..., before : before + height, before : before + width]


def convolutions(inputs: int, outputs: int, repeat: int = 1) -> list[nn.Module]:
    """``repeat`` 3x3 convolutions, each with batch norm and ReLU (table 2)."""
    layers: list[nn.Module] = []
    for before in (inputs, *[outputs] * (repeat - 1)):
        layers += [nn.Conv2d(before, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return layers
