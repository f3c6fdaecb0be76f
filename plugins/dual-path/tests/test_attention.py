"""Attention compared with plain loops over places."""

from __future__ import annotations

import math

import pytest
import torch
from inpaintkit_dual_path.blocks import Attention, attend, resized
from torch import Tensor, nn


def perturbed(channels: int = 8, **options: int) -> Attention:
    torch.manual_seed(0)
    net = Attention(channels, **options).eval()
    nn.init.normal_(net.query.weight)
    nn.init.normal_(net.query.bias)  # type: ignore[arg-type]
    with torch.no_grad():
        net.gamma.fill_(0.7)
        net.alpha.fill_(-1.3)
    return net


def maps(height: int = 4, width: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(1)
    x, f_e = (torch.randn(2, 8, height, width, generator=rng) for _ in range(2))
    return x, f_e, torch.rand(2, 1, height, width, generator=rng)


def test_attention_switched_off_is_a_residual_block_of_the_map_and_the_known_features() -> None:
    net = Attention(8).eval()
    assert net.gamma.item() == net.alpha.item() == 0
    x, f_e, hole = maps()
    torch.testing.assert_close(net(x, f_e, hole), net.join(torch.cat([x, (1 - hole) * f_e], 1)))


@pytest.mark.parametrize("step", [1, 2])
def test_attention_is_what_loops_over_places_give(step: int) -> None:
    net = perturbed(most_keys={1: 20, 2: 6}[step])  # of 4x5 places, all or every second row and column: 2x3
    x, f_e, hole = maps()
    query = net.query(x).detach()
    near, far = torch.zeros_like(x), torch.zeros_like(x)
    keys = [(v, u) for v in range(0, 4, step) for u in range(0, 5, step)]
    for b in range(2):
        for i in range(4):
            for j in range(5):
                alike = [math.exp(float(query[b, :, i, j] @ query[b, :, v, u])) for v, u in keys]
                shares = [one / sum(alike) for one in alike]
                short = sum(share * x[b, :, v, u] for share, (v, u) in zip(shares, keys, strict=True))
                long = sum(share * f_e[b, :, v, u] for share, (v, u) in zip(shares, keys, strict=True))
                h = hole[b, 0, i, j]
                near[b, :, i, j] = 0.7 * short + x[b, :, i, j]
                far[b, :, i, j] = -1.3 * h * long + (1 - h) * f_e[b, :, i, j]
    torch.testing.assert_close(net(x, f_e, hole), net.join(torch.cat([near, far], 1)), rtol=1e-4, atol=1e-5)


def test_attention_moves_with_the_places() -> None:
    """Apart from the block that joins its two parts, attention knows no neighbors: permuted places, permuted result."""
    net = perturbed()
    net.join = nn.Identity()  # type: ignore[assignment]
    x, f_e, hole = maps()
    order = torch.randperm(20, generator=torch.Generator().manual_seed(2))

    def permuted(one: Tensor) -> Tensor:
        return one.flatten(2)[..., order].view_as(one)

    torch.testing.assert_close(net(*map(permuted, (x, f_e, hole))), permuted(net(x, f_e, hole)), rtol=1e-4, atol=1e-5)


def test_attention_can_be_differentiated_twice() -> None:
    net = perturbed().double()
    inputs = tuple(one.double().requires_grad_() for one in maps(2, 3))
    assert torch.autograd.gradcheck(net, inputs, atol=1e-4)
    assert torch.autograd.gradgradcheck(lambda x: net(x, *inputs[1:]), inputs[:1], atol=1e-4)


def test_the_mask_is_resized_bilinearly() -> None:
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., :16, :] = 1
    small = resized(mask, torch.zeros(1, 8, 4, 4))
    assert small[0, 0, :, 0].tolist() == [1, 1, 0, 0]
    mask[..., 16:20, :] = 1  # the edge goes through the middle of a place
    assert resized(mask, torch.zeros(1, 8, 4, 4))[0, 0, :, 0].tolist() == [1, 1, 0.5, 0]


def test_attention_in_parts_is_attention_at_once() -> None:
    torch.manual_seed(0)
    query, keys, values = (torch.randn(2, channels, count) for channels, count in ((3, 9000), (3, 50), (5, 50)))
    with torch.no_grad():
        parts = attend(query, keys, values)
    torch.testing.assert_close(parts, attend(query.requires_grad_(), keys, values).detach())
