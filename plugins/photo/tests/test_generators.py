"""The U-Net and the wrapper: counts, starts, sizes, levels, and that a picture's answer is its own."""

from __future__ import annotations

import pytest
import torch
from inpaintkit_photo.prefill import harmonic, push_pull
from inpaintkit_photo.residual import Residual, boxes_around
from inpaintkit_photo.unet import UNet
from torch import Tensor, nn

from inpaintkit import Adversarial, Generator, OptionError, load
from inpaintkit.components.blending import PoissonBlended
from inpaintkit.components.masks import random_squares


class Counting(Generator):
    """Draws nothing, and remembers what it was shown."""

    stride = 8

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[tuple[Tensor, Tensor]] = []

    def forward(self, masked: Tensor, mask: Tensor) -> Tensor:
        self.shown.append((masked, mask))
        return torch.zeros_like(masked)


def unsettled(net: nn.Module) -> nn.Module:
    """The network with random numbers in place of the zeros that it starts with."""
    torch.manual_seed(1)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.05)
    return net


def batch(height: int = 64, width: int = 64, count: int = 3) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(5)
    mask = random_squares(count, (height, width), rng, min=min(8, height // 2), max=min(30, height // 2, width // 2))
    return (torch.rand((count, 3, height, width), generator=rng) * 2 - 1) * (1 - mask), mask


def test_parameters() -> None:
    """Convolutions: k k in out + out; a block has two, a level on the way down and up one more each."""
    widths, blocks = (32, 64, 128), (1, 2, 4)

    def conv(kernel: int, given: int, drawn: int) -> int:
        return kernel * kernel * given * drawn + drawn

    expected = conv(3, 16, 32) + conv(3, 32, 12)
    expected += sum(2 * count * 2 * conv(3, width, width) for width, count in zip(widths[:2], blocks[:2], strict=True))
    expected += blocks[2] * 2 * conv(3, 128, 128)
    expected += conv(2, 32, 64) + conv(2, 64, 128) + conv(1, 128, 4 * 64) + conv(1, 64, 4 * 32)
    assert sum(parameter.numel() for parameter in UNet().parameters()) == expected == 1_603_692


def test_the_unet_starts_at_zero() -> None:
    assert torch.equal(UNet()(*batch()), torch.zeros(3, 3, 64, 64))


@pytest.mark.parametrize(("name", "function"), [("harmonic", harmonic), ("push-pull", push_pull)])
@pytest.mark.parametrize("levels", [0, 2])
def test_a_residual_starts_at_its_prefill(name: str, function: object, levels: int) -> None:
    assert callable(function)
    masked, mask = batch()
    drawn = Residual(UNet(), name, levels=0)(masked, mask)  # type: ignore[arg-type]
    assert torch.equal(drawn, function(masked, mask))


def test_scales() -> None:
    masked, mask = batch(50, 38)
    drawn = Residual(UNet(), levels=2)(masked, mask)
    assert [tuple(each.shape[-2:]) for each in drawn] == [(13, 10), (25, 19), (50, 38)]


def test_a_generator_with_scales_corrects_the_prefill_at_each() -> None:
    class Halves(Generator):
        def forward(self, masked: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
            return torch.ones_like(masked[..., ::2, ::2]), 2 * torch.ones_like(masked)

    masked, mask = batch()
    filled = harmonic(masked, mask)
    for net in (Residual(Halves()), Residual(Halves()).eval()):
        coarse, fine = net(masked, mask)
        torch.testing.assert_close(coarse, filled.unflatten(3, (32, 2)).unflatten(2, (32, 2)).mean((3, 5)) + 1)
        torch.testing.assert_close(fine, filled + 2)
    drawn = Residual(Halves(), levels=2)(masked, mask)  # one scale of each level: the finest of the generator
    assert [tuple(each.shape[-2:]) for each in drawn] == [(16, 16), (32, 32), (64, 64)]


def test_levels_follow_the_hole() -> None:
    """In eval mode a scratch needs one level, a thick hole as many as its thickness; all sides stay large enough."""
    inner = Counting()
    net = Residual(inner, levels=1).eval()
    scratch, thick = torch.zeros(1, 1, 128, 192), torch.zeros(1, 1, 128, 192)
    scratch[..., 64, :] = 1
    thick[..., 40:80, 60:100] = 1
    for mask, levels in ((scratch, 2), (thick, 3)):
        inner.shown.clear()
        assert torch.is_tensor(net(torch.zeros(1, 3, 128, 192), mask))
        assert len(inner.shown) == levels
    net.train()
    assert len(net(torch.zeros(1, 3, 128, 192), thick)) == 2


def test_the_surroundings_of_holes() -> None:
    mask = torch.zeros(4, 1, 400, 300)
    mask[0, :, 200:210, 100:120] = 1
    mask[1, :, 205:210, 101:119] = 1
    mask[3, :, 0:390, 20:30] = 1
    assert boxes_around(mask) == {((128, 288), (32, 192)): [0, 1], ((0, 400), (0, 288)): [3]}


def test_the_coarse_picture_is_the_prefill_inside_the_hole() -> None:
    """A generator that adds 1 at each level: two levels deep there are two, beside the known pixels one."""

    class One(Generator):
        def forward(self, masked: Tensor, mask: Tensor) -> Tensor:
            return torch.ones_like(masked)

    masked, mask = torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    coarse, fine = Residual(One(), levels=1)(masked, mask)
    assert coarse.unique().tolist() == [1]
    assert fine[0, 0, 16, 16] == 2
    assert 1 <= float(fine[0, 0, 8, 8]) < 1.6
    assert fine[0, 0, 0, 0] == 1


def test_an_answer_does_not_depend_on_the_batch() -> None:
    net = Residual(unsettled(UNet((4, 6), (1, 1))), levels=1).eval()  # type: ignore[arg-type]
    masked, mask = batch(96, 80)
    mask[0] = 0
    mask[0, :, 10:12, 10:30] = 1  # its hole is gone at half the size; the others go on
    masked = masked * (1 - mask)
    together = net(masked, mask) * mask
    for at in range(3):
        alone = net(masked[at : at + 1], mask[at : at + 1]) * mask[at : at + 1]
        torch.testing.assert_close(together[at : at + 1], alone, rtol=0, atol=2e-6)


def test_any_size_with_a_stride() -> None:
    inner = Counting()
    drawn = Residual(inner, levels=1).eval()(*batch(61, 43, 1))
    assert drawn.shape == (1, 3, 61, 43)
    assert all(side % 8 == 0 for shown, _ in inner.shown for side in shown.shape[-2:])
    assert Residual(Counting(), levels=1).stride == 1
    assert Residual(Counting()).stride == 8


def test_refusals() -> None:
    tied, latent = Counting(), Counting()
    tied.size, latent.latent_shape = 64, (10,)
    with pytest.raises(OptionError, match="tied to pictures of 64 pixels"):
        Residual(tied, levels=1)
    assert Residual(tied).size == 64
    with pytest.raises(OptionError, match="draws from a latent"):
        Residual(latent)
    with pytest.raises(OptionError, match="3 widths need as many blocks"):
        UNet((4, 6, 8), (1, 1))


def test_methods_say_that_they_work_coarse_to_fine() -> None:
    """So ``fill`` does not doubt holes larger than those of the training."""
    for levels in (0, 2):
        method = Adversarial(Residual(Counting(), levels=levels))
        assert method.coarse_to_fine == PoissonBlended(method).coarse_to_fine == (levels > 0)
    assert not load("classical/mean_color").coarse_to_fine
