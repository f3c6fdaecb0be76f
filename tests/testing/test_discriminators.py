"""The kit on discriminators: what keeps the contract passes, and one that breaks it for each property."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from inpaintkit import Discriminator

from .toys import EVERY_KIND, broken_ids, check_broken, check_good


class GoodDiscriminator(Discriminator):
    """Patches, without batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(4, 4, 4, 4), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 1))

    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return self.layers(torch.cat([image, mask], 1))


class TiedDiscriminator(Discriminator):
    """One logit of 20 x 20 pictures, with batch norm."""

    size = 20

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(100, 1))

    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return self.layers(image).squeeze(1)


class Probabilities(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return torch.sigmoid(super().forward(image, mask)).mean((1, 2, 3))


class OneForAll(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return super().forward(image, mask).mean()


class SilentlyTied(GoodDiscriminator):
    def __init__(self) -> None:
        super().__init__()
        self.layers.append(nn.Flatten())
        self.layers.append(nn.Linear(25, 1))


class OneByOne(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return super().forward(image, mask).squeeze().mean((1, 2))


class Compares(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        scores = super().forward(image, mask)
        return scores - scores.mean(0)


class SpareScore(GoodDiscriminator):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Conv2d(3, 3, 1)


class Blind(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return super().forward(image.detach(), mask)


class _Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 2 * ctx.saved_tensors[0] * gradient  # type: ignore[no-any-return]


class Once(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return super().forward(_Once.apply(image), mask)


class WritesPicture(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        mask.fill_(0)
        return super().forward(image, mask)


class CountsScores(GoodDiscriminator):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, image: Tensor, mask: Tensor) -> Any:
        self.calls += 1
        return super().forward(image, mask)


class HidesScale(GoodDiscriminator):
    def __init__(self) -> None:
        super().__init__()
        self.scale = float(torch.rand(()))

    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return super().forward(image, mask) * self.scale


class CropsByValue(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        top = int(mask.flatten(2).argmax())
        return super().forward(image, mask) + 0 * top


GOOD: list[tuple[Any, set[str]]] = [
    (GoodDiscriminator, set()),
    (TiedDiscriminator, {"double backward"}),
]

BROKEN: list[tuple[str, Any, str]] = [
    *EVERY_KIND,
    ("scores are logits", Probabilities, "last operation is a sigmoid: return logits"),
    ("scores are logits", OneForAll, r"returned torch.float32 \(\), expected logits \(2, \*\)"),
    ("scores are logits", SilentlyTied, "declare an attribute `size`"),
    ("batch of one", OneByOne, "raised IndexError"),
    ("independent of the batch", Compares, "do not sum over the batch in forward"),
    ("gradients reach every parameter", SpareScore, "no gradient reaches spare.weight, spare.bias"),
    ("gradient reaches the picture", Blind, "a generator cannot learn from its scores"),
    ("double backward", Once, "can be differentiated twice, raised RuntimeError"),
    ("inputs unchanged", WritesPicture, "forward modifies its input in place: mask"),
    ("eval mode keeps state", CountsScores, "eval mode modifies calls"),
    ("state round-trips", HidesScale, "same state_dict give different results"),
    ("meta device", CropsByValue, "raised .*[Mm]eta"),
]  # fmt: skip


@pytest.mark.parametrize(("factory", "skipped"), GOOD, ids=[each[0].__name__ for each in GOOD])
def test_passes_what_keeps_the_contract(factory: Any, skipped: set[str], tmp_path: Path) -> None:
    check_good("discriminator", factory, skipped, tmp_path)


@pytest.mark.parametrize(("name", "factory", "message"), BROKEN, ids=broken_ids(BROKEN))
def test_fails_what_breaks_it(name: str, factory: Any, message: str, tmp_path: Path) -> None:
    check_broken("discriminator", name, factory, message, tmp_path)
