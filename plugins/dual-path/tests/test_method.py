"""The two paths: what reaches what in training, what is loaded, and random results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from inpaintkit_dual_path.discriminator import PatchDiscriminator
from inpaintkit_dual_path.generator import DualPathGenerator
from inpaintkit_dual_path.method import DualPath
from torch import nn

from inpaintkit import Batch, Critic, OptionError, Stage
from inpaintkit.components.losses import L1
from inpaintkit.components.multi_scale import MultiScale
from inpaintkit.components.objectives import WGANGP
from inpaintkit.runs.checkpoint import load_method, save

from .toys import batch_of


def method(**options: Any) -> DualPath:
    torch.manual_seed(0)
    losses = {
        "rec": MultiScale(L1(), on="reconstruction"),
        "gen": MultiScale(L1()),
    }
    if not options.get("reconstruction", True):
        del losses["rec"]
    stages = [Stage("both", 4, dict.fromkeys(losses, 1.0))]
    return DualPath(DualPathGenerator(base=2), stages=stages, losses=losses, **{"reconstruction": True, **options})


def hidden_changed(batch: Batch) -> Batch:
    other = batch_of(len(batch.image), *batch.image.shape[2:], seed=9).image
    return Batch(torch.where(batch.mask.bool(), other, batch.image), batch.mask)


def test_hidden_pixels_reach_the_reconstruction_and_nothing_else() -> None:
    both, batch = method().eval(), batch_of()
    one, other = both.sample(batch), both.sample(hidden_changed(batch))
    for scale, same in zip(one.scales("output"), other.scales("output"), strict=True):
        assert torch.equal(scale, same)
    assert not torch.equal(one.view("reconstruction"), other.view("reconstruction"))
    assert len(one.scales("reconstruction")) == len(one.scales("output")) == 4


def test_the_reconstruction_teaches_the_generation_paths_encoder_and_not_its_decoder() -> None:
    both, batch = method(), batch_of()
    both.train().sample(batch).view("reconstruction").square().mean().backward()  # type: ignore[no-untyped-call]
    reached = {name.split(".")[0] for name, p in both.generator.named_parameters() if p.grad is not None}
    assert reached == {"encoder"}
    assert both.reconstruction is not None
    reached = {name.split(".")[0] for name, p in both.reconstruction.named_parameters() if p.grad is not None}
    assert reached == {"encoder", "decoder"}


def test_one_optimizer_moves_both_paths_and_each_name_is_there_once() -> None:
    both = method()
    names = both.optimizers["generator"].param_groups[0]["param_names"]
    assert len(names) == len(set(names)) == len(list(both.parameters()))
    before = {name: p.detach().clone() for name, p in both.named_parameters()}
    both.train().training_step(batch_of(), 0)
    moved = {name.split(".")[0] for name, p in both.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"generator", "reconstruction"}


def test_it_is_loaded_without_the_reconstruction_path(tmp_path: Path) -> None:
    both, batch = method(ema=0.5), batch_of()
    both.train().training_step(batch, 0)
    folder = save(tmp_path, 1, both)
    alone = DualPath(DualPathGenerator(base=2), ema=0.5)
    load_method(folder, alone, partly=True)
    assert alone.reconstruction is None
    drawn = alone.eval().inpaint(batch.masked, batch.mask)
    assert torch.equal(drawn, both.eval().inpaint(batch.masked, batch.mask))


@pytest.mark.parametrize("ema", [None, 0.9])
def test_it_draws_at_random_with_rng_or_with_the_option_sampling(ema: float | None) -> None:
    one, batch = method(ema=ema).eval(), batch_of()
    one.train().training_step(batch, 0)
    one.eval()
    assert one.randomness == "on request"
    assert torch.equal(one.inpaint(batch.masked, batch.mask), one.inpaint(batch.masked, batch.mask))
    on_request = one.inpaint(batch.masked, batch.mask, rng=torch.Generator().manual_seed(1))
    assert DualPath(one.generator, sampling=True).randomness == "always"
    one.randomness = "always"
    torch.manual_seed(1)
    first, second = (one.inpaint(batch.masked, batch.mask) for _ in range(2))
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    assert torch.equal(first, one.inpaint(batch.masked, batch.mask))
    assert torch.equal(first, on_request)
    path = one.averaged or one.generator
    torch.manual_seed(1)
    noise = torch.randn(2, 8, 2, 2)
    torch.testing.assert_close(first, path(batch.masked, batch.mask, noise)[-1])


def test_a_reconstruction_path_and_its_losses_need_each_other() -> None:
    losses = {"rec": L1(on="reconstruction"), "gen": L1()}
    stages = [Stage("both", 4, {"gen": 1.0})]
    critics = {"judge": Critic(PatchDiscriminator(base=2), WGANGP(), on=["output", "reconstruction"])}
    with pytest.raises(
        OptionError, match="rec, judge: the view 'reconstruction' is drawn only where this is true"
    ) as no:
        DualPath(DualPathGenerator(base=2), stages=stages, losses=losses, critics=critics)
    with pytest.raises(OptionError, match="nothing would train that path") as idle:
        DualPath(DualPathGenerator(base=2), stages=stages, losses={"gen": L1()}, reconstruction=True)
    assert no.value.path == idle.value.path == ("reconstruction",)
    DualPath(DualPathGenerator(base=2), stages=stages, losses={"gen": L1()}, critics=critics, reconstruction=True)
    DualPath(DualPathGenerator(base=2), reconstruction=True)  # without training no loss has to read its view


@pytest.mark.parametrize("reconstruction", [True, False])
def test_networks_are_what_a_step_calls(reconstruction: bool) -> None:
    """Compiling wraps a network's call: whatever is drawn must go through one of them."""
    both = method(reconstruction=reconstruction)
    compiled = {name.split(".")[0] for name, part in both.named_modules() if part in both.networks}
    assert compiled == set(both.generator_networks)
    called: list[nn.Module] = []
    for network in both.networks:
        network.register_forward_hook(lambda module, _, __: called.append(module))
    both.train().training_step(batch_of(), 0)
    assert {id(network) for network in called} == {id(network) for network in both.networks}
    owned = {id(p) for network in both.networks for p in network.parameters()}
    assert owned == {id(p) for p in both.parameters()}


def test_another_generator_is_refused() -> None:
    with pytest.raises(OptionError, match="dual-path, not Conv2d") as caught:
        DualPath(nn.Conv2d(3, 3, 1))  # type: ignore[arg-type]
    assert caught.value.path == ("generator",)
