"""The networks, the windows and the losses of Liu et al. 2018, against the figures that follow from the paper."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from inpaintkit_neural_features.discriminators import GlobalDiscriminator, LocalDiscriminator
from inpaintkit_neural_features.frames import reflect_to
from inpaintkit_neural_features.generator import NeuralFeaturesGenerator
from torch import Tensor, nn

from inpaintkit import Batch, Critic, Sample, load_recipe
from inpaintkit.components.losses import L2
from inpaintkit.components.objectives import NonSaturating
from inpaintkit.core.config.bundled import bundled
from inpaintkit.recipe import build_method


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameter_counts() -> None:
    with torch.device("meta"):
        assert parameters(NeuralFeaturesGenerator(mask_channel=False)) == 8_995_843  # the paper's tables, and `out`
        assert parameters(NeuralFeaturesGenerator()) == 8_996_131
        # one, one, one and three more convolutions, each with a batch norm
        more = sum(repeat * (9 * width * width + 2 * width) for repeat, width in ((1, 32), (1, 64), (1, 128), (3, 256)))
        assert parameters(NeuralFeaturesGenerator(deep=True)) == 8_996_131 + more == 10_961_123
        for size, side in ((24, 32), (32, 32), (64, 64), (128, 128)):
            values = 256 * (side // 16) ** 2
            fully_connected = 2 * 1024 * values + 1024 + values
            bare = parameters(NeuralFeaturesGenerator(size, fully_connected=False))
            assert parameters(NeuralFeaturesGenerator(size)) - bare == fully_connected
            assert bare == 8_996_131 - 2 * 1024 * 4096 - 1024 - 4096
        assert parameters(GlobalDiscriminator()) == 1_232_353
        assert parameters(LocalDiscriminator()) == 727_233
        assert parameters(GlobalDiscriminator(32)) == parameters(GlobalDiscriminator(24)) == 709_985
        assert parameters(LocalDiscriminator(32)) == parameters(LocalDiscriminator(24)) == 200_641


@pytest.mark.parametrize("size", [16, 24, 32, 50, 64])
@pytest.mark.parametrize("options", [{}, {"mask_channel": False}, {"deep": True}, {"fully_connected": False}])
def test_generator_keeps_the_side(size: int, options: dict[str, Any]) -> None:
    drawn = NeuralFeaturesGenerator(size, **options)(torch.rand(2, 3, size, size), torch.zeros(2, 1, size, size))
    assert drawn.shape == (2, 3, size, size)
    assert drawn.abs().max() <= 1


def reach(net: NeuralFeaturesGenerator) -> Tensor:
    """Which input pixels the drawn corner depends on."""
    net.eval()
    torch.manual_seed(0)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.weight.data.abs_()  # positive: every ReLU is open
    masked = torch.rand(1, 3, 64, 64, requires_grad=True)
    drawn: list[Tensor] = []
    net.out.register_forward_hook(lambda module, inputs, output: drawn.append(output))
    net(masked, torch.zeros(1, 1, 64, 64))
    (gradient,) = torch.autograd.grad(drawn[0][0, 0, 0, 0], masked)
    return gradient[0].sum(0) != 0


def test_through_the_fully_connected_layers_every_pixel_sees_the_whole_picture() -> None:
    def farthest(net: NeuralFeaturesGenerator) -> int:
        return int(reach(net).any(0).nonzero().max())

    assert farthest(NeuralFeaturesGenerator()) > 60
    assert farthest(NeuralFeaturesGenerator(fully_connected=False)) < 60


def test_without_the_mask_channel_the_mask_is_not_looked_at() -> None:
    masked, mask = torch.rand(2, 3, 24, 24), (torch.rand(2, 1, 24, 24) > 0.5).float()
    blind = NeuralFeaturesGenerator(24, mask_channel=False).eval()
    assert torch.equal(blind(masked, mask), blind(masked, 1 - mask))
    seeing = NeuralFeaturesGenerator(24).eval()
    assert not torch.equal(seeing(masked, mask), seeing(masked, 1 - mask))


def test_reflection_is_even_and_repeats_no_edge() -> None:
    row = torch.arange(24.0).expand(1, 1, 24, 24)
    there = reflect_to(row, 32)[0, 0, 0].tolist()
    assert there == [4, 3, 2, 1, *range(24), 22, 21, 20, 19]
    assert reflect_to(torch.zeros(1, 1, 17, 17), 32).shape == (1, 1, 32, 32)
    assert reflect_to(row, 24) is row


def test_discriminators_give_one_logit() -> None:
    for size in (16, 24, 32, 64, 128):
        image, mask = torch.rand(3, 3, size, size), torch.zeros(3, 1, size, size)
        assert GlobalDiscriminator(size)(image, mask).shape == (3,)
        assert LocalDiscriminator(size)(image, mask).shape == (3,)


def test_only_the_window_moves_the_local_score() -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 3:11, 40:52] = 1
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    (gradient,) = torch.autograd.grad(LocalDiscriminator()(image, mask).sum(), image)
    seen = gradient[0].abs().sum(0) > 0
    rows, columns = seen.any(1).nonzero().flatten(), seen.any(0).nonzero().flatten()
    assert (int(rows.min()), int(rows.max())) == (
        0,
        31,
    )  # the middle would be at -9: the border of the picture holds it
    assert (int(columns.min()), int(columns.max())) == (30, 61)


def terms(reduction: Any, adversarial: float) -> dict[str, Tensor]:
    """The gradients at the raw output of reconstruction and of a weighted critic."""
    torch.manual_seed(0)
    image = torch.rand(4, 3, 64, 64) * 2 - 1
    mask = torch.zeros(4, 1, 64, 64)
    mask[..., 21:43, 21:43] = 1
    output = (torch.rand(4, 3, 64, 64) * 2 - 1).requires_grad_()
    sample = Sample.of(Batch(image, mask), output)
    critic = Critic(LocalDiscriminator(), NonSaturating())
    found = {"reconstruction": L2(reduction=reduction)(sample), "local": adversarial * critic(sample)}
    return {name: torch.autograd.grad(term, output, retain_graph=True)[0] for name, term in found.items()}


def test_the_weights_for_sums_and_for_means_differ_by_one_factor() -> None:
    """200 beside a sum is 200/12288 beside a mean: all gradients 12,288 times smaller, which Adam does not notice."""
    summed, averaged = terms("sum", 200.0), terms("mean", 200.0 / 12_288)
    for name, gradient in summed.items():
        torch.testing.assert_close(gradient, 12_288 * averaged[name], rtol=1e-4, atol=1e-7)
    recipe = load_recipe("neural_features_64", "mean")
    weights = {stage.name: stage.weights for stage in build_on_meta(recipe).stages}
    assert weights["all"]["global"] == weights["local"]["local"] == pytest.approx(200 / 12_288, rel=1e-4)
    assert weights["all"]["features"] == pytest.approx(0.05 * (256 * 16 * 16) / 12_288, rel=1e-4)


def build_on_meta(recipe: Any) -> Any:
    with torch.device("meta"):
        return build_method(recipe)


def test_the_recipe_says_what_the_paper_says() -> None:
    recipe = load_recipe("neural_features_24")
    method = build_on_meta(recipe)
    first, second, third = method.stages
    assert dict(first.weights) == {"reconstruction": 1}
    assert dict(second.weights) == {"reconstruction": 1, "local": 200}
    assert dict(third.weights) == {"reconstruction": 1, "local": 200, "global": 200, "features": 0.05}
    assert method.steps == 200 * 157  # epochs of 20,112 pictures
    assert method.size == 24
    carried = [stage.weights["local"] for stage in build_on_meta(load_recipe("neural_features_24_random")).stages[1:]]
    assert carried == pytest.approx([200 * (24 / 64) ** 2] * 2, rel=0.01)
    assert (method.adam.lr, tuple(method.adam.betas)) == (2e-4, (0.5, 0.999))
    assert recipe.data is not None
    assert recipe.data.batch == 128


@pytest.mark.parametrize("profile", [None, "small"])
def test_every_ablation_differs_from_its_recipe_in_one_thing(profile: str | None) -> None:
    base = load_recipe("neural_features_24", profile)
    random = "neural_features_ablations/random_200"
    names = [name for name in bundled() if name.startswith("neural_features_ablations/") and "tuned" not in name]
    assert len(names) == 15
    assert load_recipe(random, profile).tree["method"] == base.tree["method"]
    assert load_recipe(random, profile).tree["masks"] == load_recipe("neural_features_24_random").tree["masks"]
    names.remove(random)
    for name in names:
        recipe = load_recipe(name, profile)
        assert build_on_meta(recipe).steps == build_on_meta(base).steps, "equal images seen"
        assert recipe.tree["masks"] == base.tree["masks"]
        assert recipe.tree["method"] != base.tree["method"]


def test_the_tuned_recipes_differ_in_their_networks_alone() -> None:
    tuned = {name: load_recipe(f"neural_features_ablations/{name}") for name in bundled_tuned()}
    assert len(tuned) == 4
    assert all(
        recipe.tree["masks"] == load_recipe("neural_features_24_random").tree["masks"] for recipe in tuned.values()
    )
    whole = tuned.pop("tuned_whole")
    methods = [
        {key: value for key, value in one.tree["method"].items() if key != "generator"} for one in tuned.values()
    ]
    assert methods[0] == methods[1] == methods[2]
    one = tuned["tuned"]
    assert whole.tree["method"]["generator"] == one.tree["method"]["generator"]
    assert whole.tree["method"]["losses"]["reconstruction"]["region"] == "whole"
    assert {option["region"] for option in methods[0]["losses"].values()} == {"hole"}
    steps = [build_on_meta(recipe).steps * recipe.data.batch for recipe in (whole, one) if recipe.data]
    assert steps[0] == steps[1], "equal images seen"


def bundled_tuned() -> list[str]:
    return [name.partition("/")[2] for name in bundled() if "/tuned" in name]
