"""Generator and discriminator: sizes, parameters and receptive fields of the paper; noise."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from inpaintkit_dual_path.blocks import ResBlock
from inpaintkit_dual_path.discriminator import PatchDiscriminator
from inpaintkit_dual_path.generator import DualPathGenerator
from torch import nn

from inpaintkit import InpaintkitError

from .toys import batch_of, parameters


def test_parameter_counts() -> None:
    net = DualPathGenerator()
    assert parameters(net.encoder) == 1_405_952
    assert parameters(net.decoder) == 2_374_016
    assert parameters(DualPathGenerator(attention=False).decoder) == 2_374_016 - (4_128 + 2 + 475_520)
    assert parameters(PatchDiscriminator()) == parameters(PatchDiscriminator(strides="as-stated")) == 2_764_737
    assert parameters(DualPathGenerator(base=64).encoder) == pytest.approx(4 * 1_405_952, rel=0.01)


def test_scales_and_features_have_the_papers_sizes() -> None:
    net = DualPathGenerator(base=4).eval()
    shown = batch_of(1, 256, 192)
    eighth, latent = net.encode(shown.masked)
    assert (tuple(eighth.shape), tuple(latent.shape)) == ((1, 16, 32, 24), (1, 16, 8, 6))
    drawn = net(shown.masked, shown.mask)
    assert [tuple(one.shape) for one in drawn] == [(1, 3, 256 // by, 192 // by) for by in (8, 4, 2, 1)]
    assert all(bool((one.abs() <= 1).all()) for one in drawn)


@pytest.mark.parametrize(("halvings", "sides"), [(5, (8, 16, 32, 64)), (4, (16, 32, 64)), (3, (32, 64))])
def test_fewer_halvings_keep_a_larger_latent(halvings: int, sides: tuple[int, ...]) -> None:
    net = DualPathGenerator(base=2, halvings=halvings).eval()
    assert net.stride == 2**halvings
    assert net.twin().halvings == halvings
    shown = batch_of(1)
    features, latent = net.encode(shown.masked)
    assert features.shape[2] == sides[0] == 4 * latent.shape[2] == 4 * 64 // net.stride
    assert tuple(one.shape[2] for one in net(shown.masked, shown.mask)) == sides


def test_convolutions_have_a_largest_singular_value_of_one() -> None:
    net = DualPathGenerator(base=4)
    for _ in range(30):  # each pass in training mode is a step of the power iteration
        net(*(torch.zeros(1, channels, 64, 64) for channels in (3, 1)))
    for name, layer in net.eval().named_modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and not name.endswith("query"):
            dim = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
            largest = torch.linalg.matrix_norm(layer.weight.transpose(0, dim).flatten(1), 2)
            assert largest.item() == pytest.approx(1, abs=0.05), name


def seen_by_a_score(strides: Any) -> tuple[int, int]:
    """The side of the map at 256x256, and that of the pixels that its middle score depends on."""
    torch.manual_seed(0)
    image = torch.rand(1, 3, 256, 256, requires_grad=True)
    scores = PatchDiscriminator(base=2, strides=strides)(image, torch.zeros(1, 1, 256, 256))
    side = scores.shape[-1]
    (gradient,) = torch.autograd.grad(scores[0, 0, side // 2, side // 2], image)
    rows = gradient[0].abs().sum((0, 2)).nonzero().flatten()
    return side, int(rows.max() - rows.min()) + 1


def test_receptive_fields_of_the_critics() -> None:
    assert seen_by_a_score("corrected") == (30, 70)
    assert seen_by_a_score("as-stated") == (63, 19)


def test_a_picture_of_32_pixels_is_refused_by_name() -> None:
    with pytest.raises(InpaintkitError, match=r"32x32 pixels .* is too small .* one side must be above 32"):
        DualPathGenerator(base=2)(torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32))


def test_a_residual_block_is_its_two_branches() -> None:
    block = ResBlock(4, 4, 8, down=True).eval()
    x = torch.randn(1, 4, 6, 6)
    beside = block.skip[1](x)
    torch.testing.assert_close(block(x), block.body(x) + nn.functional.avg_pool2d(beside, 2))


def test_training_draws_noise_and_each_picture_has_its_own() -> None:
    net, shown = DualPathGenerator(base=2), batch_of(1)
    twice = [torch.cat([one, one]) for one in (shown.masked, shown.mask)]
    with torch.no_grad():
        drawn = net.train()(*twice)[-1]
        assert not torch.equal(drawn[0], drawn[1])
        drawn = net.eval()(*twice)[-1]
        assert torch.equal(drawn[0], drawn[1])


def test_one_noise_is_a_usual_draw_and_the_same_for_every_picture() -> None:
    net, shown = DualPathGenerator(base=2).eval(), batch_of()
    before = torch.get_rng_state()
    noise = net.one_noise(torch.empty(2, 8, 64, 64))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(noise[0], noise[1])
    assert (noise.mean().item(), noise.std().item()) == pytest.approx((0, 1), abs=0.02)
    with torch.no_grad():
        drawn = net(shown.masked, shown.mask)[-1]
        expected = net(shown.masked, shown.mask, net.one_noise(torch.empty(2, 8, 2, 2)))[-1]
    assert torch.equal(drawn, expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_path_of_another_precision(dtype: torch.dtype) -> None:
    net, batch = DualPathGenerator(base=2).to(dtype), batch_of(1)
    for training in (True, False):
        drawn = net.train(training)(batch.masked.to(dtype), batch.mask.to(dtype))[-1]
        assert drawn.dtype == dtype
        assert drawn.isfinite().all()
