"""Objectives against closed forms; the gradient penalty against a critic whose gradient is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from inpaintkit.components.objectives import WGANGP, Hinge, LeastSquares, NonSaturating, Smooth, gradient_norms
from inpaintkit.core.errors import OptionError
from inpaintkit.core.interfaces import AdversarialInputs, Batch, Sample

ALL = [NonSaturating, LeastSquares, Hinge, WGANGP]


def inputs_of(score, fakes=1, count=4, side=4, seed=0, device="cpu"):
    rng = torch.Generator().manual_seed(seed)
    image, *drawn = (torch.rand(count, 3, side, side, generator=rng).to(device) * 2 - 1 for _ in range(fakes + 1))
    mask = torch.zeros(count, 1, side, side, device=device)
    mask[:, :, 1:3, 1:3] = 1
    return AdversarialInputs(score, image, tuple(drawn), mask, Sample.of(Batch(image, mask), drawn[0]))


def known_scores(real, *fakes):
    """A scorer that answers with these logits, one call after the other."""
    answers = iter((real, *fakes))
    return lambda picture: next(answers)


REAL, FAKE = torch.tensor([[0.3, -1.2], [2.0, 0.1]]), torch.tensor([[-0.5, 0.4], [1.5, -3.0]])


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_non_saturating_is_half_the_cross_entropy_and_minus_log_d():
    logs = NonSaturating().critic(inputs_of(known_scores(REAL, FAKE), count=2))
    expected = 0.5 * (
        sum(-math.log(sigmoid(x)) for x in REAL.flatten().tolist()) / 4
        + sum(-math.log(1 - sigmoid(x)) for x in FAKE.flatten().tolist()) / 4
    )
    assert logs["loss"].item() == pytest.approx(expected, rel=1e-5)
    assert logs["real"].item() == pytest.approx(REAL.mean().item())
    assert logs["fake"].item() == pytest.approx(FAKE.mean().item())
    value = NonSaturating().generator(inputs_of(known_scores(FAKE), count=2))
    assert value.item() == pytest.approx(sum(-math.log(sigmoid(x)) for x in FAKE.flatten().tolist()) / 4, rel=1e-5)


def test_least_squares_and_hinge_match_their_equations():
    ls = LeastSquares()
    value = ls.critic(inputs_of(known_scores(REAL, FAKE), count=2))["loss"].item()
    assert value == pytest.approx(0.5 * ((REAL - 1) ** 2).mean().item() + 0.5 * (FAKE**2).mean().item(), rel=1e-5)
    assert ls.generator(inputs_of(known_scores(FAKE), count=2)).item() == pytest.approx(
        0.5 * ((FAKE - 1) ** 2).mean().item(), rel=1e-5
    )
    value = Hinge().critic(inputs_of(known_scores(REAL, FAKE), count=2))["loss"].item()
    by_hand = sum(max(0, 1 - x) for x in REAL.flatten().tolist()) + sum(max(0, 1 + x) for x in FAKE.flatten().tolist())
    assert value == pytest.approx(by_hand / 4, rel=1e-5)
    assert Hinge().generator(inputs_of(known_scores(FAKE), count=2)).item() == pytest.approx(-FAKE.mean().item())


def test_far_logits_neither_overflow_nor_lose_their_gradient():
    far = torch.full((2, 1), -1e4, requires_grad=True)
    value = NonSaturating().generator(inputs_of(known_scores(far), count=2))
    (gradient,) = torch.autograd.grad(value, far)
    assert value.item() == pytest.approx(1e4)
    torch.testing.assert_close(gradient, torch.full((2, 1), -0.5))


@pytest.mark.parametrize("objective", [NonSaturating(), LeastSquares(), Hinge()])
def test_several_fakes_are_averaged_and_scored_apart(objective):
    other = FAKE + 0.7
    both = objective.critic(inputs_of(known_scores(REAL, FAKE, other), fakes=2, count=2))["loss"]
    one = objective.critic(inputs_of(known_scores(REAL, FAKE), count=2))["loss"]
    two = objective.critic(inputs_of(known_scores(REAL, other), count=2))["loss"]
    torch.testing.assert_close(both, (one + two) / 2)
    sides = [objective.generator(inputs_of(known_scores(score), count=2)) for score in (FAKE, other)]
    both = objective.generator(inputs_of(known_scores(FAKE, other), fakes=2, count=2))
    torch.testing.assert_close(both, sum(sides) / 2)


@pytest.mark.parametrize("objective", ALL)
def test_real_and_fakes_are_separate_batches(objective):
    sizes = []

    def score(picture):
        sizes.append(len(picture))
        return picture.mean((1, 2, 3))

    inputs = inputs_of(score, fakes=2)
    objective().critic(inputs)
    assert set(sizes) == {4}
    assert len(sizes) == (5 if objective is WGANGP else 3)


# --- label smoothing -----------------------------------------------------------------------------------------------


def labels_of(objective, logit=0.0, count=2000):
    """The labels that the critic's side drew, from the gradient of the loss at logits of 0: (sigmoid - label) / 2N."""
    real = torch.zeros(count, 3, requires_grad=True)
    fake = torch.zeros(count, 3, requires_grad=True)
    objective.critic(inputs_of(known_scores(real, fake), count=2))["loss"].backward()
    return tuple(0.5 - t.grad * 2 * count * 3 for t in (real, fake))


def test_smooth_labels_are_uniform_in_their_range_one_for_each_image():
    torch.manual_seed(0)
    real, fake = labels_of(NonSaturating(Smooth((0.8, 1.0), (0.0, 0.2))))
    for labels, low, high in ((real, 0.8, 1.0), (fake, 0.0, 0.2)):
        assert low - 1e-3 <= labels.min() < low + 0.005
        assert high - 0.005 < labels.max() <= high + 1e-3
        assert labels.mean().item() == pytest.approx((low + high) / 2, abs=0.005)
        torch.testing.assert_close(labels[:, 0], labels[:, 2])  # patches of one image share its label


def test_labels_are_drawn_anew_and_repeat_with_the_seed():
    objective = NonSaturating(Smooth((0.8, 1.0)))
    torch.manual_seed(7)
    first, second = labels_of(objective)[0], labels_of(objective)[0]
    assert not torch.equal(first, second)
    torch.manual_seed(7)
    torch.testing.assert_close(labels_of(objective)[0], first)


def test_the_generator_never_sees_smooth_labels():
    plain = NonSaturating().generator(inputs_of(known_scores(FAKE), count=2))
    smooth = NonSaturating(Smooth((0.5, 0.6), (0.1, 0.3))).generator(inputs_of(known_scores(FAKE), count=2))
    assert torch.equal(plain, smooth)


def test_wrong_ranges_are_located_all_at_once():
    with pytest.raises(OptionError) as caught:
        Smooth(real=(1.0, 0.8), fake=(-0.1, 0.2))
    assert [error.path for error in caught.value.problems] == [("real",), ("fake",)]
    with pytest.raises(OptionError, match="lie above"):
        Smooth(real=(0.5, 0.6), fake=(0.0, 0.7))


# --- gradient penalty ----------------------------------------------------------------------------------------------


def test_penalty_of_a_linear_critic_is_closed_form_for_any_map():
    weight = torch.randn(3, 4, 4)
    norm = weight.norm().item()

    def score(picture, patches):
        flat = (picture * weight).sum((1, 2, 3))
        return flat if patches == 0 else flat[:, None, None, None].expand(-1, 1, patches, patches)

    for patches in (0, 1, 5):  # (B,), (B, 1, 1, 1), (B, 1, 5, 5)
        inputs = inputs_of(lambda picture, patches=patches: score(picture, patches))
        logs = WGANGP(penalty=10.0).critic(inputs)
        distance = score(inputs.fakes[0], 0).mean() - score(inputs.real, 0).mean()
        assert logs["gradient_norm"].item() == pytest.approx(norm, rel=1e-5)
        assert logs["penalty"].item() == pytest.approx((norm - 1) ** 2, rel=1e-4)
        assert logs["loss"].item() == pytest.approx(distance.item() + 10 * (norm - 1) ** 2, rel=1e-4)
        assert WGANGP().generator(inputs).item() == pytest.approx(-score(inputs.fakes[0], 0).mean().item(), rel=1e-5)


def test_the_penalty_of_a_quadratic_critic_is_that_at_the_drawn_points():
    """D(x) = a |x|^2 / 2 has the slope a |x|: at every point the norm is known."""
    inputs = inputs_of(lambda picture: 0.3 * picture.square().sum((1, 2, 3)) / 2)
    torch.manual_seed(3)
    norms = gradient_norms(inputs.score, inputs.real, inputs.fakes[0])
    torch.manual_seed(3)
    alpha = torch.rand(4, 1, 1, 1)
    point = alpha * inputs.real + (1 - alpha) * inputs.fakes[0]
    torch.testing.assert_close(norms, 0.3 * point.flatten(1).norm(dim=1))
    torch.manual_seed(3)
    logs = WGANGP(penalty=7.0).critic(inputs)
    assert logs["penalty"].item() == pytest.approx((norms - 1).square().mean().item(), rel=1e-5)


def test_the_slope_of_the_penalty_is_that_of_its_closed_form():
    """Of a linear critic w: d/dw of penalty (|w| - 1)^2 is 2 penalty (|w| - 1) w / |w|; the scores add theirs."""
    weight = torch.randn(3, 4, 4).requires_grad_()
    inputs = inputs_of(lambda picture: (picture * weight).sum((1, 2, 3)))
    WGANGP(penalty=10.0).critic(inputs)["loss"].backward()
    norm = weight.detach().norm()
    expected = 20 * (norm - 1) * weight.detach() / norm + inputs.fakes[0].mean(0) - inputs.real.mean(0)
    torch.testing.assert_close(weight.grad, expected, rtol=1e-4, atol=1e-5)


def test_without_a_penalty_the_slope_is_measured_and_does_not_count():
    weight = torch.randn(3, 4, 4).requires_grad_()
    inputs = inputs_of(lambda picture: (picture * weight).sum((1, 2, 3)))
    logs = WGANGP(penalty=0).critic(inputs)
    logs["loss"].backward()
    torch.testing.assert_close(weight.grad, inputs.fakes[0].mean(0) - inputs.real.mean(0))
    assert logs["gradient_norm"].item() == pytest.approx(weight.detach().norm().item(), rel=1e-5)
    assert not logs["gradient_norm"].requires_grad


@pytest.mark.parametrize("objective", ALL)
def test_the_gap_is_the_real_score_above_the_mean_of_the_fakes(objective):
    inputs = inputs_of(lambda picture: picture.sum((1, 2, 3)), fakes=2)
    real, *fakes = (picture.sum((1, 2, 3)).mean().item() for picture in (inputs.real, *inputs.fakes))
    assert objective().critic(inputs)["gap"].item() == pytest.approx(real - sum(fakes) / 2, abs=1e-5)


def test_the_point_lies_between_each_real_picture_and_its_fake():
    seen = []

    def score(picture):
        seen.append(picture.detach())
        return picture.square().sum((1, 2, 3))

    inputs = inputs_of(score, count=64)
    gradient_norms(score, inputs.real, inputs.fakes[0])
    alpha = (seen[0] - inputs.fakes[0]) / (inputs.real - inputs.fakes[0])
    alpha = alpha.flatten(1).median(1).values
    torch.testing.assert_close(
        seen[0], alpha[:, None, None, None] * inputs.real + (1 - alpha)[:, None, None, None] * inputs.fakes[0],
        atol=1e-4, rtol=1e-3,
    )  # fmt: skip
    assert alpha.min() > -1e-3
    assert alpha.max() < 1 + 1e-3
    assert alpha.std() > 0.2  # one for each image


def test_the_penalty_reaches_the_parameters_and_is_finite_at_a_flat_critic():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 2))
    gradient_norms(net, torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)).sum().backward()
    assert net[0].weight.grad.abs().max() > 0
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
        parameter.grad = None
    WGANGP().critic(inputs_of(net))["loss"].backward()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters() if parameter.grad is not None)


def test_masked_penalty_measures_the_hole_alone():
    weight = torch.randn(3, 4, 4)
    inputs = inputs_of(lambda picture: (picture * weight).sum((1, 2, 3)))
    logs = WGANGP(region="hole").critic(inputs)
    assert logs["gradient_norm"].item() == pytest.approx((weight[:, 1:3, 1:3]).norm().item(), rel=1e-5)


def test_penalty_is_float32_under_autocast():
    dtypes = []

    class Spy(nn.Conv2d):
        def forward(self, x):
            y = super().forward(x)
            dtypes.append(y.dtype)
            return y

    net = Spy(3, 1, 4)
    inputs = inputs_of(net)
    with torch.autocast("cpu", torch.bfloat16):
        logs = WGANGP().critic(inputs)
    assert dtypes == [torch.bfloat16, torch.bfloat16, torch.float32]
    assert logs["loss"].dtype == torch.float32
    expected = WGANGP().critic(inputs)["penalty"]
    torch.testing.assert_close(logs["penalty"], expected, rtol=1e-4, atol=1e-5)


def test_a_compiled_critic_is_penalised_eagerly():
    calls = []

    def backend(graph, inputs):
        calls.append(graph)
        return graph.forward

    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Tanh(), nn.Conv2d(2, 1, 2))
    expected = gradient_norms(net, torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4))
    net.compile(backend=backend)
    value = gradient_norms(net, torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4))
    assert not calls
    torch.testing.assert_close(value, expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_critic_learns_as_an_eager_one():
    """Scores from compiled code, the penalty's double backward beside it, several steps, other batch sizes."""
    if not compiles():
        pytest.skip("there is no compiler here")

    def trained(compiled):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.1), nn.Conv2d(8, 1, 4, 1, 1))
        if compiled:
            net.compile()
        optimizer = torch.optim.Adam(net.parameters(), 1e-3)
        for step in range(4):
            optimizer.zero_grad()
            logs = WGANGP().critic(inputs_of(net, fakes=2, side=16, seed=step))
            logs["loss"].backward()
            optimizer.step()
        return logs, list(net.parameters())

    (eager, before), (compiled, after) = trained(False), trained(True)
    for key in eager:
        torch.testing.assert_close(compiled[key], eager[key], rtol=1e-3, atol=1e-4)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def compiles():
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.zeros(4))
    except Exception:
        return False
    return True


# --- what all share ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ALL)
def test_a_few_steps_teach_a_critic_to_tell_the_sides_apart(objective):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    game, inputs = objective(), inputs_of(net)
    for _ in range(40):
        optimizer.zero_grad()
        logs = game.critic(inputs)
        logs["loss"].backward()
        optimizer.step()
    assert logs["real"] > logs["fake"] + 0.1
    assert not any(logs[key].requires_grad for key in logs if key != "loss")
    fake = inputs.fakes[0].clone().requires_grad_()
    sided = AdversarialInputs(net, inputs.real, (fake,), inputs.mask, inputs.sample)
    (gradient,) = torch.autograd.grad(game.generator(sided), fake)
    with torch.no_grad():
        step = 0.1 * F.normalize(gradient.flatten(1)).view_as(fake)
        moved = AdversarialInputs(net, inputs.real, (fake - step,), inputs.mask, inputs.sample)
        assert game.generator(moved) < game.generator(sided)
        assert net(moved.fakes[0]).mean() > net(fake).mean()  # down for the loss is up for the score


@pytest.mark.parametrize("objective", ALL)
def test_objectives_run_on_the_meta_device(objective):
    with torch.device("meta"):
        net = nn.Conv2d(3, 1, 4)
    inputs = inputs_of(net, fakes=2, device="meta")
    logs = objective().critic(inputs)
    logs["loss"].backward()
    assert logs["loss"].shape == objective().generator(inputs).shape == ()
