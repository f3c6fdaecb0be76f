"""Networks, weights, search and ablations, against closed forms and plain loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings, strategies as st
from inpaintkit_compare import ComparisonOptions, compare
from inpaintkit_semantic_dcgan.discriminator import PatchDiscriminator
from inpaintkit_semantic_dcgan.generator import LatentGenerator
from inpaintkit_semantic_dcgan.method import LatentSearch
from inpaintkit_semantic_dcgan.search import Search, balanced, context_loss, context_weights, search
from PIL import Image
from torch import Tensor, nn

from inpaintkit import Critic, Generator, OptionError, load, load_recipe
from inpaintkit.cli import main
from inpaintkit.components.objectives import NonSaturating
from inpaintkit.core.config.bundled import bundled
from inpaintkit.recipe import build_method
from inpaintkit.runtime.apply import inpaint_padded


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameter_counts() -> None:
    with torch.device("meta"):
        assert parameters(LatentGenerator()) == 12_658_435
        whole = PatchDiscriminator()
        assert parameters(whole) == 17_555_777
        assert parameters(whole.local) + parameters(whole.ends[1]) == 4_308_480 + 2_098_176
        dcgan = 3 * 64 * 16 + 64 + sum(w * 2 * w * 16 + 2 * 2 * w for w in (64, 128, 256)) + 8192 + 1
        assert parameters(PatchDiscriminator(hidden=0, patch=False)) == dcgan


@pytest.mark.parametrize("size", [8, 16, 128])
@pytest.mark.parametrize("upsample", ["deconvolution", "resize"])
def test_generators_of_any_power_of_two(size: int, upsample: Any) -> None:
    net = LatentGenerator(size=size, width=2, latent=5, upsample=upsample).eval()
    z = torch.rand(3, 5) * 2 - 1
    drawn = net(z)
    assert drawn.shape == (3, 3, size, size)
    assert drawn.abs().max() <= 1
    assert torch.equal(net(z[1:2]), drawn[1:2]) or torch.allclose(net(z[1:2]), drawn[1:2], atol=1e-6)


def test_sizes_that_are_no_power_of_two_are_refused() -> None:
    for make in (LatentGenerator, PatchDiscriminator):
        with pytest.raises(Exception, match="power of two"):
            make(size=48)


def test_the_patch_trunk_sees_the_window_around_the_hole_alone() -> None:
    torch.manual_seed(0)
    net = PatchDiscriminator(size=32, width=4, hidden=8).eval()
    with torch.no_grad():  # nothing of the global trunk
        net.logit.weight[:, :8] = 0
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 4:12, 20:28] = 1  # the window is 16x16 around (8, 24): rows 0 to 15, columns 16 to 31
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(net(image, mask).sum(), image)
    seen = (gradient != 0).any(1)[0]
    assert seen[:16, 16:].all()
    assert int(seen.sum()) == 256


@settings(deadline=None, max_examples=30)
@given(holes=st.lists(st.tuples(*[st.integers(0, 11)] * 4), min_size=1, max_size=3), window=st.sampled_from([3, 5, 7]))
def test_context_weights_against_counting(holes: list[tuple[int, int, int, int]], window: int) -> None:
    mask = torch.zeros(1, 1, 12, 11)
    for top, left, height, width in holes:
        mask[..., top : top + height, left : left + width] = 1
    found, reach = context_weights(mask, window)[0, 0], window // 2
    for y in range(12):
        for x in range(11):
            near = mask[0, 0, max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
            due = 0.0 if mask[0, 0, y, x] else float(near.sum()) / near.numel()
            assert float(found[y, x]) == pytest.approx(due, abs=1e-6)


def test_context_weights_beside_a_block() -> None:
    """Zero in the hole and from 4 pixels on; beside a flat edge 21 of the 49 pixels are hole."""
    mask = torch.zeros(1, 1, 40, 40)
    mask[..., 12:28, 12:28] = 1
    weights = context_weights(mask, 7)[0, 0]
    assert float(weights[20, 11]) == pytest.approx(21 / 49)
    assert float(weights[20, 9]) == pytest.approx(7 / 49)
    assert float(weights[20, 8]) == 0
    assert float(weights[12:28, 12:28].abs().sum()) == 0
    assert torch.equal(context_weights(mask, 0), 1 - mask)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_context_loss_is_the_weighted_sum(norm: str) -> None:
    torch.manual_seed(0)
    drawn, masked, weights = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 5, 4), torch.rand(2, 1, 5, 4)
    power = 1 if norm == "l1" else 2
    due = [
        sum(
            abs(float(weights[b, 0, y, x]) * float(drawn[b, c, y, x] - masked[b, c, y, x])) ** power
            for c in range(3)
            for y in range(5)
            for x in range(4)
        )
        for b in range(2)
    ]
    assert context_loss(drawn, masked, weights, norm).tolist() == pytest.approx(due, rel=1e-5)


class Linear(Generator):
    """Two numbers: the gray of the upper and of the lower half."""

    size = 8
    latent_shape = (2,)

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(2))

    def forward(self, z: Tensor) -> Tensor:
        halves = (z * self.gain)[:, None, :, None].repeat_interleave(4, 2)
        return halves.expand(-1, 3, 8, 8).contiguous()


HOW = Search(steps=300, lr=0.05, restarts=2, prior=0, consistency=0, window=0)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_the_search_finds_the_latent_of_a_linear_generator(norm: Any) -> None:
    """The minimum is known: the mean of the known pixels of each half in L2, their median in L1."""
    torch.manual_seed(0)
    method = LatentSearch(Linear(), search=attrs.evolve(HOW, norm=norm)).eval()
    image = torch.rand(3, 1, 8, 8).expand(3, 3, 8, 8) * 1.6 - 0.8
    mask = torch.zeros(3, 1, 8, 8)
    mask[..., 3:5, 2:5] = 1
    with torch.no_grad():
        output = method.inpaint(image * (1 - mask), mask)
    for picture in range(3):
        for half in (slice(0, 4), slice(4, 8)):
            known = image[picture, 0, half][mask[picture, 0, half] == 0]
            due = known.mean() if norm == "l2" else known.sort().values[len(known) // 2 - 1 : len(known) // 2 + 1]
            got = float(output[picture, 0, half][0, 0])
            assert float(due.min()) - 0.02 <= got <= float(due.max()) + 0.02


def test_latents_stay_in_their_box_and_the_best_one_is_kept() -> None:
    """The target lies outside the box: the nearest corner is the answer; any rate ends at the best."""
    method = LatentSearch(Linear(), search=attrs.evolve(HOW, steps=40, lr=5.0)).eval()
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 3:5, :] = 1
    with torch.no_grad():
        assert torch.equal(method.inpaint(torch.full((1, 3, 8, 8), 3.0) * (1 - mask), mask), torch.ones(1, 3, 8, 8))
    seen: list[Tensor] = []

    def terms(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        total = (z - 0.3).square().sum(1)
        seen.append(total.detach().clone())
        return total, torch.zeros_like(total), torch.zeros_like(total)

    found = search(terms, torch.rand(4, 3, 2) * 2 - 1, attrs.evolve(HOW, steps=20, lr=0.9, restarts=3))
    least = torch.stack(seen).amin(0).view(4, 3).amin(1)
    assert torch.equal(found.total, least)
    assert torch.allclose((found.z - 0.3).square().sum(1), least)


def test_patience_ends_each_search_by_itself() -> None:
    """A picture that is done waits for the others unchanged, so that company does not matter."""
    targets = torch.tensor([[0.0, 0.0], [0.9, -0.9]])

    def of(wanted: Tensor) -> Any:
        def terms(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            total = (z - wanted).square().sum(1) + 1
            return total, torch.zeros_like(total), torch.zeros_like(total)

        return terms

    how = attrs.evolve(HOW, steps=1000, lr=0.01, restarts=1, patience=15)
    start = torch.full((2, 1, 2), 0.01)
    both = search(of(targets), start, how)
    alone = search(of(targets[:1]), start[:1], how)
    assert alone.steps < both.steps < 1000
    assert torch.equal(alone.z[0], both.z[0])
    assert search(of(targets), start, attrs.evolve(how, patience=None)).steps == 1000


def made(**how: Any) -> LatentSearch:
    torch.manual_seed(0)
    critic = Critic(PatchDiscriminator(size=32, width=4, hidden=8), NonSaturating(), on="output")
    options = Search(**{"steps": 8, "restarts": 2, **how})
    return LatentSearch(LatentGenerator(size=32, width=4), critics={"image": critic}, search=options).eval()


def shown() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    image, mask = torch.rand(3, 3, 32, 32) * 2 - 1, torch.zeros(3, 1, 32, 32)
    mask[..., 8:24, 10:22] = 1
    return image, mask


def test_hidden_pixels_change_nothing() -> None:
    method = made()
    image, mask = shown()
    other = torch.where(mask.bool(), torch.rand_like(image), image)
    drawn = []
    for each in (image, other):
        torch.manual_seed(5)
        drawn.append(torch.where(mask.bool(), inpaint_padded(method, each, mask), 0))
    assert torch.equal(*drawn)


def test_the_gradient_that_is_descended_is_that_of_the_terms_written_out() -> None:
    method = made(norm="l1", consistency=0.0, prior=0.5)
    image, mask = shown()
    terms = method.search_terms(image * (1 - mask), mask, attrs.evolve(method.search, restarts=1))
    z = torch.rand(3, 100)
    context, prior, consistency = terms(z)
    drawn = method.generator(z)
    weights = context_weights(mask, 7)
    torch.testing.assert_close(context, (weights * (drawn - image)).abs().sum((1, 2, 3)))
    critic: Any = method.critics["image"]
    torch.testing.assert_close(prior, torch.log1p(torch.exp(-critic.net(drawn, mask))))
    assert not consistency.any()


def test_consistency_is_weighed_by_gradients_and_does_not_pull_the_composite() -> None:
    method = made(consistency=0.25, steps=1, restarts=1)
    image, mask = shown()
    terms = method.search_terms(image * (1 - mask), mask, method.search)
    z = (torch.rand(3, 100) * 2 - 1).requires_grad_()
    context, _, consistency = terms(z)
    critic: Any = method.critics["image"]
    drawn = method.generator(z)
    whole = torch.where(mask.bool(), drawn, image).detach()
    due = sum(
        (one - two).square().mean((1, 2, 3))
        for one, two in zip(critic.net.features(drawn), critic.net.features(whole), strict=True)
    )
    torch.testing.assert_close(consistency, due)
    weight = balanced(context, consistency, z, 0.25, 1)
    norms = [torch.autograd.grad(term.sum(), z, retain_graph=True)[0].norm(dim=1) for term in (context, consistency)]
    torch.testing.assert_close(weight * norms[1], 0.25 * norms[0], rtol=1e-4, atol=0)


def test_a_long_search_reports_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    method, reported = made(steps=35, restarts=1), []
    monkeypatch.setattr(
        "inpaintkit_semantic_dcgan.search.report_progress", lambda done, total: reported.append((done, total))
    )
    image, mask = shown()
    with torch.no_grad():
        method.inpaint(image * (1 - mask), mask)
    assert reported == [(10, 35), (20, 35), (30, 35), (35, 35)]


def test_what_does_not_fit_is_said_at_once() -> None:
    with pytest.raises(OptionError, match=r"latent_shape[\s\S]*no critic[\s\S]*features"):
        LatentSearch(nn.Conv2d(3, 3, 1))  # type: ignore[arg-type]
    for window in (1, 4):
        with pytest.raises(Exception, match="odd"):
            Search(window=window)


@pytest.mark.slow
def test_a_compiled_search_is_the_same() -> None:
    method, (image, mask) = made(steps=4, restarts=1), shown()
    drawn = []
    for compiled in (False, True):
        torch.manual_seed(0)
        with torch.no_grad():
            drawn.append(method.searched(image * (1 - mask), mask, attrs.evolve(method.search, compile=compiled)))
    torch.testing.assert_close(*drawn, atol=1e-3, rtol=1e-3)


def tiny(tmp_path: Path, name: str, extends: str, more: str = "") -> Path:
    pictures = tmp_path / "pictures"
    if not pictures.exists():
        pictures.mkdir()
        noise = np.random.default_rng(0)
        for at in range(8):
            Image.fromarray(noise.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(pictures / f"{at}.png")
    file = tmp_path / f"{name}.yaml"
    file.write_text(
        f"extends: {extends}\n{more}data: {{train: {pictures}, test: {pictures}, batch: 4, size: 32, "
        "prepare: {short_side: 32, crop: 32}}\nmasks: {use: random-square, min: 16, max: 16}\n"
        "validate: {images: 2}\nevaluate: []\nmethod:\n  generator: {size: 32, width: 2, latent: 4}\n"
        "  critics: {image: {net: {size: 32, width: 2, hidden: 4}}}\n"
        + ("" if more else "  stages: {adversarial: {steps: 2}}\n")
        + "  search: {steps: 3, restarts: 1, preview: 2}\n"
    )
    return file


def test_trained_networks_serve_other_searches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train once; an ablation of the search takes the weights over, and says so beside the first."""
    monkeypatch.chdir(tmp_path)
    run = CliRunner()
    first = tiny(tmp_path, "first", "improved_semantic_faces")
    done = run.invoke(main, ["run", str(first), "--out", "runs/first", "--quiet"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    second = tiny(tmp_path, "second", "semantic_dcgan_ablations/l1", "init_from: runs/first\n")
    done = run.invoke(main, ["run", str(second), "--out", "runs/second", "--quiet"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    one, two = load("runs/first"), load("runs/second")
    assert isinstance(one, LatentSearch)
    assert isinstance(two, LatentSearch)
    torch.testing.assert_close(one.state_dict(), two.state_dict(), rtol=0, atol=0)
    assert (one.search.norm, two.search.norm) == ("l2", "l1")
    protocol = {"name": "tiny", "masks": {"use": "center-square", "side": 16}, "metrics": ["psnr"]}
    found = compare(["runs/first", "runs/second"], protocol, tmp_path / "pictures", ComparisonOptions(pictures=0))
    assert [(row.name, row.steps, row.training_seeds) for row in found.rows] == [("first", 2, 1), ("second", 2, 1)]
    done = run.invoke(main, ["compare", str(second), "--protocol", "demo"])
    assert done.exit_code == 2
    assert "run it first" in done.output


@pytest.mark.parametrize("profile", [None, "small"])
def test_every_ablation_differs_from_its_recipe_in_one_thing(profile: str | None) -> None:
    base = load_recipe("improved_semantic_faces", profile=profile).tree
    due = {
        "l1": {"method.search.norm"},
        "unweighted": {"method.search.window"},
        "no_consistency": {"method.search.consistency"},
        "no_prior": {"method.search.prior"},
        "no_patch": {"method.critics.image.net.patch", "method.critics.image.net.hidden"},
        "resize_convolution": {"method.generator.upsample"},
    }
    for name, paths in due.items():
        tree = load_recipe(f"semantic_dcgan_ablations/{name}", profile=profile).tree
        found = {path for path in differences(base, tree) if path.partition(".")[0] == "method"}
        assert found - {"method.stages"} == paths, name
        assert ("init_from" in tree) == ("method.stages" in found)
    values = {
        "l1": ("norm", "l1"),
        "unweighted": ("window", 0),
        "no_consistency": ("consistency", 0),
        "no_prior": ("prior", 0),
    }
    for name, (option, value) in values.items():
        with torch.device("meta"):
            built = build_method(load_recipe(f"semantic_dcgan_ablations/{name}", profile=profile))
        assert isinstance(built, LatentSearch)
        assert getattr(built.search, option) == value
    assert {f"semantic_dcgan_ablations/{name}" for name in due} <= set(bundled())


def differences(one: Any, other: Any, path: str = "") -> set[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        return {
            found
            for key in {*one, *other}
            for found in differences(one.get(key), other.get(key), f"{path}.{key}" if path else str(key))
        }
    return set() if one == other else {path}
