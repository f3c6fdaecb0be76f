"""The discriminator with two trunks: one for the picture and one for a patch, with a common logit."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from inpaintkit import FeatureDiscriminator, OptionError
from inpaintkit.nn import cropped, hole_windows, normal_init


class PatchDiscriminator(FeatureDiscriminator):
    """A DCGAN's discriminator beside the local one of Iizuka et al. 2017 ("Globally and Locally Consistent Image
    Completion", section 3.3), which sees a window of half the side around the hole.

    Both end in ``hidden`` numbers; a linear layer makes one logit of all of them. Batch norm but in the global trunk's
    first layer, LeakyReLU 0.2. 17,555,777 parameters at the defaults.

    Args:
        size: the side of the pictures, a power of two.
        width: channels of the first layers; three more layers double them.
        hidden: numbers at the end of each trunk. 0: the logit is made of the last map, as DCGAN has it.
        patch: whether there is a local trunk.
    """

    def __init__(
        self,
        size: Annotated[int, Ge(32)] = 64,
        width: Annotated[int, Ge(1)] = 64,
        hidden: Annotated[int, Ge(0)] = 1024,
        patch: bool = True,
    ) -> None:
        super().__init__()
        if size & (size - 1):
            raise OptionError(f"size is {size}: a power of two is needed, each layer halves the side", ("size",))
        self.size, self.window = size, size // 2
        widths = [3, *(width << at for at in range(4))]
        self.whole = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 4, 2, 1, bias=before == 3),
                *([] if before == 3 else [nn.BatchNorm2d(after)]),
                nn.LeakyReLU(0.2),
            )
            for before, after in pairwise(widths)
        )
        self.local = nn.Sequential()
        ends = [_end(widths[-1] * (size // 16) ** 2, hidden)]
        if patch:
            self.local = nn.Sequential(
                *(
                    nn.Sequential(nn.Conv2d(before, after, 5, 2, 2), nn.BatchNorm2d(after), nn.LeakyReLU(0.2))
                    for before, after in pairwise(widths)
                )
            )
            ends.append(_end(widths[-1] * (self.window // 16) ** 2, hidden))
        self.patch = patch
        self.ends = nn.ModuleList(end for end, _ in ends)
        self.logit = nn.Linear(sum(numbers for _, numbers in ends), 1)
        normal_init(self)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """``image`` (B, 3, size, size), ``mask`` (B, 1, size, size), 1 in the hole -> logits (B,)."""
        return self.scores_and_features(image, mask)[0]

    def scores_and_features(self, image: Tensor, mask: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The logits (B,), and the :meth:`features` behind them."""
        maps = self.maps(image, len(self.whole))
        numbers = [self.ends[0](maps[-1])]
        if self.patch:
            seen = cropped(image, *hole_windows(mask, self.window), self.window)
            numbers.append(self.ends[1](self.local(seen)))
        return self.logit(torch.cat(numbers, 1)).flatten(), maps[1:3]

    def features(self, image: Tensor) -> list[Tensor]:
        """The maps of the global trunk's second and third layer: (B, 2 width, size / 4, size / 4), and half of it."""
        return self.maps(image, 3)[1:]

    def maps(self, image: Tensor, layers: int) -> list[Tensor]:
        found = []
        for layer in list(self.whole)[:layers]:
            image = layer(image)
            found.append(image)
        return found


def _end(numbers: int, hidden: int) -> tuple[nn.Module, int]:
    """What follows the last map of a trunk, and how many numbers it gives."""
    if not hidden:
        return nn.Flatten(), numbers
    return nn.Sequential(nn.Flatten(), nn.Linear(numbers, hidden), nn.LeakyReLU(0.2)), hidden
