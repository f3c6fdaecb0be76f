"""The networks and the loss of Liu et al. 2017, against the figures that follow from the paper's description."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from inpaintkit_perceptual_fcn.discriminator import DCGANDiscriminator
from inpaintkit_perceptual_fcn.generator import DilatedFCN
from torch import nn

from inpaintkit import Batch, Critic, OptionError, Sample, load_recipe
from inpaintkit.components.losses import SmoothL1
from inpaintkit.components.objectives import NonSaturating
from inpaintkit.recipe import build_method


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameter_counts() -> None:
    with torch.device("meta"):
        assert parameters(DilatedFCN()) == 2_035_107
        assert parameters(DilatedFCN(dilated=False)) == 2_035_107  # the same convolutions, closer together
        # without: the three intermediate layers, and half of the inputs of the three that they meet
        without = 193_984 + 9 * (128 * 128 + 64 * 64 + 32 * 32)
        assert parameters(DilatedFCN(intermediate=False)) == 2_035_107 - without
        assert parameters(DCGANDiscriminator()) == 6_961_025


@pytest.mark.parametrize(
    ("options", "field"),
    [({}, 295), ({"dilated": False}, 119), ({"dilations": ()}, 71), ({"dilations": (2, 4, 8, 16)}, 551)],
)
def test_receptive_field(options: dict[str, Any], field: int) -> None:
    """How far along a row the gradient of one output pixel reaches: beyond a hole of 80 with dilation alone."""
    net = DilatedFCN(4, **options).eval()
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.weight.data.fill_(0.1)  # positive: every ReLU is open, and nothing hides the reach
    drawn: list[torch.Tensor] = []
    net.out.register_forward_hook(lambda module, inputs, output: drawn.append(output))  # the slope of tanh may be 0
    wide = 768
    picture = torch.ones(1, 3, 8, wide, requires_grad=True)
    net(picture, torch.ones(1, 1, 8, wide))
    reaches = []
    for x in range(wide // 2, wide // 2 + 8):  # deconvolutions: pixels differ, with the period of the stride
        (gradient,) = torch.autograd.grad(drawn[0][0, :, 4, x].sum(), picture, retain_graph=True)
        columns = gradient[0].sum((0, 1)).nonzero().flatten()
        reaches.append(int(columns.max() - columns.min()) + 1)
    assert min(reaches) == field
    assert max(reaches) == field + 8


@pytest.mark.parametrize("size", [16, 32, 64, 128])
def test_discriminator_gives_one_logit(size: int) -> None:
    assert DCGANDiscriminator(size, width=4)(torch.rand(3, 3, size, size), torch.ones(3, 1, size, size)).shape == (3,)


def test_discriminator_refuses_other_sizes() -> None:
    with pytest.raises(OptionError, match="power of two"):
        DCGANDiscriminator(96)


def test_far_from_the_border_the_network_is_equivariant_to_shifts_by_its_stride() -> None:
    torch.manual_seed(0)
    net = DilatedFCN(8).eval()
    image = torch.rand(1, 3, 384, 384) * 2 - 1
    mask = torch.zeros(1, 1, 384, 384)
    mask[..., 150:230, 160:240] = 1
    with torch.no_grad():
        here = net(image * (1 - mask), mask)
        there = net(*(torch.roll(x, (8, 8), (2, 3)) for x in (image * (1 - mask), mask)))
    inner = slice(184, 200)
    moved = slice(192, 208)
    torch.testing.assert_close(there[..., moved, moved], here[..., inner, inner], rtol=0, atol=1e-5)


def test_reconstruction_is_the_smooth_l1_mean_over_hole_and_channels() -> None:
    torch.manual_seed(0)
    image, output = torch.rand(2, 3, 8, 8) * 2 - 1, torch.rand(2, 3, 8, 8) * 6 - 3
    mask = (torch.rand(2, 1, 8, 8) > 0.4).float()
    by_hand = []
    for b in range(2):
        total, count = 0.0, 0
        for y, x in mask[b, 0].nonzero().tolist():
            for c in range(3):
                t = abs(float(output[b, c, y, x] - image[b, c, y, x]))
                total += t * t / 2 if t < 1 else t - 0.5
                count += 1
        by_hand.append(total / count)
    loss = SmoothL1(on="output", region="hole")(Sample.of(Batch(image, mask), output))
    assert float(loss) == pytest.approx(sum(by_hand) / 2, rel=1e-5)


def test_no_term_of_the_paper_has_a_gradient_outside_the_hole() -> None:
    """Reconstruction is over the hole; the critic (and any loss on the completed picture) enters through it alone."""
    torch.manual_seed(0)
    image = torch.rand(2, 3, 16, 16) * 2 - 1
    mask = torch.zeros(2, 1, 16, 16)
    mask[..., 3:9, 5:13] = 1
    critic = Critic(DCGANDiscriminator(16, 4), NonSaturating())
    for term in (SmoothL1(region="hole"), critic):
        output = (torch.rand(2, 3, 16, 16) * 2 - 1).requires_grad_()
        (gradient,) = torch.autograd.grad(term(Sample.of(Batch(image, mask), output)), output)
        known = ~mask.bool().expand_as(gradient)
        assert gradient[known].abs().max() == 0
        assert gradient[~known].abs().min() >= 0
        assert gradient[~known].abs().max() > 0


def test_the_recipe_says_what_the_paper_says() -> None:
    recipe = load_recipe("iccv_perceptual")
    with torch.device("meta"):
        method = build_method(recipe)
    coarse, warm, fine = method.stages
    assert method.steps == 300_500
    assert dict(coarse.weights) == {"reconstruction": 1}
    assert dict(warm.weights) == {"reconstruction": 1, "image": 0}
    assert fine.weights["image"].scale == 0.1
    assert fine.weights["perceptual"].scale == 1.0
    assert method.rates(0)["generator"] == pytest.approx(1e-3)
    assert method.rates(coarse.steps - 1)["generator"] == pytest.approx(1e-4)
    assert method.rates(method.steps - 1) == {"generator": pytest.approx(1e-5), "critic/image": 2e-4}
    assert parameters(method.generator) == 2_035_107
