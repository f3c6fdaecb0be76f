"""Networks against the paper's numbers, attention against loops, and what may reach what between the two paths."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from inpaintkit_dual_path.blocks import Attention, ResBlock, look, resized
from inpaintkit_dual_path.discriminator import PatchDiscriminator
from inpaintkit_dual_path.generator import DualPathGenerator
from inpaintkit_dual_path.method import DualPath
from torch import Tensor, nn

from inpaintkit import Batch, Critic, InpaintkitError, OptionError, Stage, load_recipe
from inpaintkit.components.losses import L1
from inpaintkit.components.multi_scale import MultiScale
from inpaintkit.components.objectives import WGANGP
from inpaintkit.core.config.bundled import bundled
from inpaintkit.recipe import build_method
from inpaintkit.runs.checkpoint import load_method, save
from inpaintkit.training.dry_run import check_steps

CENTER = "dual_path_ablations/reconstruction_center"
ABLATIONS = [name for name in bundled() if name.startswith("dual_path_ablations/") and name != CENTER]


def parameters(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def batch_of(count: int = 2, height: int = 64, width: int = 64, seed: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    mask = torch.zeros(count, 1, height, width)
    mask[:, :, 10:30, 20:50] = 1
    return Batch(torch.rand(count, 3, height, width, generator=rng) * 2 - 1, mask)


# --- the networks ----------------------------------------------------------------------------------------------------


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


# --- attention -------------------------------------------------------------------------------------------------------


def stirred(channels: int = 8, **options: int) -> Attention:
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
    net = stirred(most_keys={1: 20, 2: 6}[step])  # of 4x5 places, all or every second row and column: 2x3
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
    net = stirred()
    net.join = nn.Identity()  # type: ignore[assignment]
    x, f_e, hole = maps()
    order = torch.randperm(20, generator=torch.Generator().manual_seed(2))

    def permuted(one: Tensor) -> Tensor:
        return one.flatten(2)[..., order].view_as(one)

    torch.testing.assert_close(net(*map(permuted, (x, f_e, hole))), permuted(net(x, f_e, hole)), rtol=1e-4, atol=1e-5)


def test_attention_can_be_differentiated_twice() -> None:
    net = stirred().double()
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


def test_a_residual_block_is_its_two_branches() -> None:
    block = ResBlock(4, 4, 8, down=True).eval()
    x = torch.randn(1, 4, 6, 6)
    beside = block.skip[1](x)
    torch.testing.assert_close(block(x), block.body(x) + nn.functional.avg_pool2d(beside, 2))


# --- the two paths ---------------------------------------------------------------------------------------------------


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
def test_it_draws_at_random_when_it_is_given_random_numbers_or_told_to(ema: float | None) -> None:
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


def test_a_reconstruction_path_and_what_looks_at_it_belong_together() -> None:
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
    DualPath(DualPathGenerator(base=2), reconstruction=True)  # without training nothing has to look at it


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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_path_of_another_precision(dtype: torch.dtype) -> None:
    net, batch = DualPathGenerator(base=2).to(dtype), batch_of(1)
    for training in (True, False):
        drawn = net.train(training)(batch.masked.to(dtype), batch.mask.to(dtype))[-1]
        assert drawn.dtype == dtype
        assert drawn.isfinite().all()


def test_attention_in_parts_is_attention_at_once() -> None:
    torch.manual_seed(0)
    query, keys, values = (torch.randn(2, channels, count) for channels, count in ((3, 9000), (3, 50), (5, 50)))
    with torch.no_grad():
        parts = look(query, keys, values)
    torch.testing.assert_close(parts, look(query.requires_grad_(), keys, values).detach())


def test_another_generator_is_refused() -> None:
    with pytest.raises(OptionError, match="dual-path, not Conv2d") as caught:
        DualPath(nn.Conv2d(3, 3, 1))  # type: ignore[arg-type]
    assert caught.value.path == ("generator",)


# --- the recipes -----------------------------------------------------------------------------------------------------


def on_meta(name: str, profile: str | None = None) -> Any:
    with torch.device("meta"):
        return build_method(load_recipe(name, profile))


@pytest.mark.parametrize(
    ("name", "profile"), [("dual_path", None), *((name, "small") for name in (CENTER, *ABLATIONS))]
)
def test_every_recipe_takes_a_step_on_the_meta_device(name: str, profile: str | None) -> None:
    check_steps(load_recipe(name, profile))


def test_the_recipe_says_what_the_page_says() -> None:
    recipe = load_recipe("dual_path")
    built = on_meta("dual_path")
    (stage,) = built.stages
    assert (stage.generator_every, stage.steps) == (5, 5 * 200_000)
    assert dict(stage.weights) == {
        "l1_reconstruction": 20, "l1_known": 20, "l1_hole": 20, "reconstruction": 1, "generation": 1,
    }  # fmt: skip
    assert (built.adam.lr, tuple(built.adam.betas)) == (1e-4, (0, 0.9))
    assert [(critic.on, critic.adam.lr, tuple(critic.adam.betas)) for critic in built.critics.values()] == [
        (("reconstruction",), 1e-4, (0, 0.9)), (("output", "completed"), 1e-4, (0, 0.9)),
    ]  # fmt: skip
    assert {critic.objective.penalty for critic in built.critics.values()} == {10}
    assert parameters(built.generator) == parameters(built.reconstruction) == 1_405_952 + 2_374_016
    assert recipe.data is not None
    assert (recipe.data.batch, recipe.data.size, recipe.data.prepare.short_side) == (8, 256, 266)


def test_every_ablation_differs_from_the_recipe_in_what_its_name_says() -> None:
    base = load_recipe("dual_path", "small")
    assert len(ABLATIONS) == 8
    built = {name.partition("/")[2]: on_meta(name, "small") for name in ABLATIONS}
    for name in ABLATIONS:
        recipe = load_recipe(name, "small")
        assert (recipe.tree["data"], recipe.tree["masks"]) == (base.tree["data"], base.tree["masks"])
        assert recipe.tree["method"] != base.tree["method"]
    assert {one.steps for one in built.values()} == {on_meta("dual_path", "small").steps}, "equal images seen"
    assert built["no_attention"].generator.decoder.attention is None
    assert built["no_attention"].reconstruction.decoder.attention is None
    assert built["one_path"].reconstruction is None
    assert set(built["one_path"].critics) == {"generation"}
    assert {critic.objective.penalty for critic in built["no_penalty"].critics.values()} == {0}
    assert not built["reconstruction_only"].critics
    assert [built[f"reconstruction_{one}"].stages[0].generator_every for one in ("only", "paced")] == [1, 5]
    assert not built["wgan_gp_only"].losses
    assert set(built["free_hole"].losses) == {"l1_reconstruction", "l1_known"}
    assert [layer.stride[0] for layer in built["as_stated"].critics["generation"].net.layers[::2]] == [1, 1, 1, 2, 2]


def test_the_recipe_for_the_center_hole_is_l1_alone_with_other_holes() -> None:
    for profile, side, halvings in ((None, 128, 5), ("small", 32, 3)):
        recipe = load_recipe(CENTER, profile)
        assert recipe.tree["masks"] == {"use": "center-square", "side": side}
        built, other = on_meta(CENTER, profile), on_meta("dual_path_ablations/reconstruction_only", profile)
        assert built.generator.halvings == halvings
        assert not built.critics
        assert dict(built.stages[0].weights) == dict(other.stages[0].weights)
        assert parameters(built.reconstruction) == parameters(built.generator)
