"""The patch discriminator: what a score sees, where it looks, and how steep it is."""

from __future__ import annotations

import pytest
import torch
from inpaintkit_photo.patches import PatchDiscriminator
from torch import Tensor


def pictures(side: int = 64, count: int = 2) -> Tensor:
    return torch.rand((count, 3, side, side), generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_a_score_sees_34_pixels() -> None:
    torch.manual_seed(0)
    net = PatchDiscriminator(4).eval()
    image = pictures(count=1).requires_grad_(True)
    scores = net(image, torch.ones(1, 1, 64, 64))
    assert scores.shape == (1, 1, 14, 14)
    (gradient,) = torch.autograd.grad(scores[0, 0, 7, 7], image)
    seen = gradient[0].abs().sum(0) > 0
    rows = seen.any(1).nonzero()
    assert (int(rows.max() - rows.min()) + 1, int(seen.sum())) == (34, 34 * 34)


def test_scores_outside_the_hole_are_zero() -> None:
    torch.manual_seed(0)
    net = PatchDiscriminator(4).eval()
    mask = torch.zeros(2, 1, 64, 64)
    mask[0, :, 20:30, 20:30] = 1
    scores = net(pictures(), mask)
    assert scores[1].abs().max() == 0
    assert 4 <= int((scores[0] != 0).sum()) <= 16


def test_the_mask_is_seen() -> None:
    torch.manual_seed(0)
    net = PatchDiscriminator(4).eval()
    wide, narrow = torch.ones(1, 1, 64, 64), torch.ones(1, 1, 64, 64)
    narrow[..., ::2] = 0  # every cell still touches the hole
    image = pictures(count=1)
    assert not torch.equal(net(image, wide), net(image, narrow))


def test_each_layer_has_a_spectral_norm_of_one() -> None:
    torch.manual_seed(0)
    net = PatchDiscriminator(8)
    for _ in range(30):  # each forward pass in training improves the estimate
        net(pictures(), torch.ones(2, 1, 64, 64))
    net.eval()
    for layer in net.layers:
        if isinstance(layer, torch.nn.Conv2d):
            top = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)
            assert float(top) == pytest.approx(1, abs=0.02)
