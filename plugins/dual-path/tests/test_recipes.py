"""The recipes of the paper and its ablations."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from inpaintkit import load_recipe
from inpaintkit.core.config.bundled import bundled
from inpaintkit.recipe import build_method
from inpaintkit.training.dry_run import check_steps

from .toys import parameters

CENTER = "dual_path_ablations/reconstruction_center"
ABLATIONS = [name for name in bundled() if name.startswith("dual_path_ablations/") and name != CENTER]


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
    assert len(ABLATIONS) == 9
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
