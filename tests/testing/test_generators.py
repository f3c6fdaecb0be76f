"""The kit on generators: what keeps the contract passes, and one that breaks it for each property."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional as F

from inpaintkit import Generator

from .toys import EVERY_KIND, broken_ids, check_broken, check_good


class GoodGenerator(Generator):
    """Down by four and up again."""

    stride = 4
    make_norm: Callable[[int], nn.Module] = nn.BatchNorm2d

    def __init__(self, width: Annotated[int, Ge(1)] = 4) -> None:
        super().__init__()
        self.down = nn.Conv2d(4, width, 4, 4)
        self.norm = type(self).make_norm(width)
        self.up = nn.ConvTranspose2d(width, 3, 4, 4)

    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return torch.tanh(self.up(F.leaky_relu(self.norm(self.down(torch.cat([masked, mask], 1))))))


class TiedGenerator(GoodGenerator):
    """Draws 24 x 24 alone, in two scales, and a second view that starts out silent."""

    size = 24

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(3, 24, 24))
        self.gate = nn.Parameter(torch.zeros(()))
        self.silent = nn.Conv2d(3, 3, 1)

    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        whole = torch.tanh(self.up(self.norm(self.down(torch.cat([masked, mask], 1)))) + self.place)
        return {"output": (F.avg_pool2d(whole, 2), whole), "coarse": whole + self.gate * self.silent(whole)}


class LatentGenerator(Generator):
    """Draws from a latent."""

    latent_shape = (5,)
    size = 8

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 3 * 8 * 8)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.layer(z)).reshape(len(z), 3, 8, 8)


class NoisyGenerator(GoodGenerator):
    """Draws something else each time."""

    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return super().forward(masked, mask) * torch.rand_like(mask)


class DrawsList(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return [super().forward(masked, mask)]


class DrawsNoOutput(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return {"picture": super().forward(masked, mask)}


class DrawsHalf(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return F.avg_pool2d(super().forward(masked, mask), 2)


class DrawsFineFirst(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        whole = super().forward(masked, mask)
        return {"output": whole, "scales": (whole, F.avg_pool2d(whole, 2))}


class DrawsNaN(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return super().forward(masked, mask) / mask


class TakesNoMask(GoodGenerator):
    def forward(self, masked: Tensor) -> Any:  # type: ignore[override]
        return masked


class LatentWithoutSize(LatentGenerator):
    size = None  # type: ignore[assignment]


class LatentOfOtherSize(LatentGenerator):
    size = 16


class Unbounded(GoodGenerator):
    """Small values at first, since its weights are small; nothing holds them back later."""

    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return 0.01 * self.up(self.norm(self.down(torch.cat([masked, mask], 1))))


class WrongStride(GoodGenerator):
    stride = 2


class FractionalStride(GoodGenerator):
    stride = 4.0  # type: ignore[assignment]


class TakesEights(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        if masked.shape[-1] % 8:
            raise ValueError("widths are divisible by 8 here")
        return super().forward(masked, mask)


class Squeezes(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return super().forward(masked, mask).squeeze(0)


class LooksAround(GoodGenerator):
    """Batch norm without running statistics."""

    make_norm = staticmethod(lambda width: nn.BatchNorm2d(width, track_running_stats=False))


class Spare(GoodGenerator):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Conv2d(3, 3, 1)


class Detaches(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return super().forward(masked, mask).detach()


class WritesInput(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return super().forward(masked.mul_(2), mask)


class Counts(GoodGenerator):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        self.calls += 1
        return super().forward(masked, mask)


class HidesState(GoodGenerator):
    def __init__(self) -> None:
        super().__init__()
        self.offset = torch.randn(3, 1, 1)  # no buffer

    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return (super().forward(masked, mask) + self.offset).clamp(-1, 1)


class AsksForValues(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return super().forward(masked, mask) if mask.mean().item() < 2 else masked


class StaysOnCPU(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return super().forward(masked, mask) * torch.ones(3, 1, 1, device="cpu")


GOOD: list[tuple[Any, set[str]]] = [
    (GoodGenerator, set()),
    (TiedGenerator, {"multiples of stride"}),
    (LatentGenerator, {"multiples of stride", "odd sizes"}),
    (NoisyGenerator, set()),
]

BROKEN: list[tuple[str, Any, str]] = [
    *EVERY_KIND,
    ("returns pictures", DrawsList, "returned a list: expected a picture, a tuple of its"),
    ("returns pictures", DrawsNoOutput, "returned views picture: a view 'output' is required"),
    ("returns pictures", DrawsHalf, r"output \(2, 3, 8, 12\), expected \(2, 3, 16, 24\)"),
    ("returns pictures", DrawsFineFirst, "'scales' has scales of heights .16, 8.: the coarsest must come first"),
    ("returns pictures", DrawsNaN, "view 'output' has .* NaN or infinite"),
    ("returns pictures", TakesNoMask, r"forward\(masked .*, mask .*\) raised TypeError: .* 3 were given"),
    ("returns pictures", LatentWithoutSize, "it takes a latent: declare the `size`"),
    ("returns pictures", LatentOfOtherSize, r"declares size 16 and returns pictures of \(8, 8\)"),
    ("returns pictures", FractionalStride, "declares stride = 4.0: an integer"),
    ("output range", Unbounded, "with larger weights its output has values up to .* Use tanh or clamp"),
    ("multiples of stride", WrongStride, "declares stride 2, so 18 x 16 should work, but"),
    ("odd sizes", TakesEights, "filling a picture of 13 x 25 raised ValueError: widths are divisible"),
    ("batch of one", Squeezes, r"'output' is torch.float32 \(3, 16, 24\): expected floats for 1 images"),
    ("independent of the batch", LooksAround, "Let batch norm use its running statistics"),
    ("gradients reach every parameter", Spare, "no gradient reaches spare.weight, spare.bias. Use them"),
    ("gradients reach every parameter", Detaches, "no parameter has a gradient: forward detaches"),
    ("inputs unchanged", WritesInput, "forward modifies its input in place: masked"),
    ("eval mode keeps state", Counts, "eval mode modifies calls"),
    ("state round-trips", HidesState, "same state_dict give different results"),
    ("meta device", AsksForValues, "raised RuntimeError: .*meta"),
    ("meta device", StaysOnCPU, "raised RuntimeError: .*(meta|device)"),
]  # fmt: skip


@pytest.mark.parametrize(("factory", "skipped"), GOOD, ids=[each[0].__name__ for each in GOOD])
def test_passes_what_keeps_the_contract(factory: Any, skipped: set[str], tmp_path: Path) -> None:
    check_good("generator", factory, skipped, tmp_path)


@pytest.mark.parametrize(("name", "factory", "message"), BROKEN, ids=broken_ids(BROKEN))
def test_fails_what_breaks_it(name: str, factory: Any, message: str, tmp_path: Path) -> None:
    check_broken("generator", name, factory, message, tmp_path)
