"""The training step, compared with steps written out by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from toy_adversarial import Net, Spy, batch, critic_of, method, moved, weights_of

from inpaintkit.components.losses import L1, L2
from inpaintkit.core.errors import InpaintkitError
from inpaintkit.core.interfaces import Batch, Loss, Sample
from inpaintkit.training.adversarial import Adversarial
from inpaintkit.training.loss_weights import Balance, Ramp
from inpaintkit.training.stages import Adam, Rate, Stage


@pytest.mark.parametrize("steps", [1, 3])
def test_steps_by_hand(steps: int) -> None:
    """The critic descends first, on a detached sample; the generator's gradient goes through the critic after that."""
    made = method(Stage("s", 9, {"l2": 2.0, "image": 0.5}))
    net, judge = copy.deepcopy(made.generator), copy.deepcopy(critic_of(made).net)
    descent = Adam(lr=0.02).build(net.named_parameters())
    ascent = Adam(lr=0.01).build(judge.named_parameters())
    for step in range(steps):
        given = batch(seed=step)
        logs = made.training_step(given, step)
        output = net(given.masked, given.mask)
        completed = torch.where(given.mask.bool(), output, given.image)
        real, fake = judge(given.image, given.mask), judge(completed.detach(), given.mask)
        ascent.zero_grad()
        loss = 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean()
        loss.backward()
        ascent.step()
        game = 0.5 * (judge(completed, given.mask) - 1).square().mean()
        l2 = (output - given.image).square().mean()
        descent.zero_grad()
        (2.0 * l2 + 0.5 * game).backward()
        descent.step()
        torch.testing.assert_close(logs["critic/image/loss"], loss.detach())
        torch.testing.assert_close(logs["generator/image"], game.detach())
        torch.testing.assert_close(logs["generator/l2"], l2.detach())
    torch.testing.assert_close(weights_of(made.generator), weights_of(net))
    torch.testing.assert_close(weights_of(critic_of(made).net), weights_of(judge))


def test_critics_have_learned_when_the_generator_listens() -> None:
    spy = Spy()
    made = method(Stage("s", 9, {"spy": 1.0, "image": 1.0}), losses={"spy": spy})
    spy.watch = critic_of(made)
    before = dict(critic_of(made).named_parameters())
    before = {name: value.detach().clone() for name, value in before.items()}
    made.training_step(batch(), 0)
    [(sample, after)] = spy.seen
    assert sample.output.requires_grad
    assert any(not torch.equal(before[name], after[name]) for name in before)
    torch.testing.assert_close(dict(critic_of(made).named_parameters()), after)  # and it stands still meanwhile


def test_one_draw_serves_critic_and_generator() -> None:
    made = method(Stage("s", 9, {"l2": 1.0, "image": 1.0}))
    drawn: list[int] = []
    made.generator.register_forward_hook(lambda *_: drawn.append(1))
    made.training_step(batch(), 0)
    assert len(drawn) == 1


def test_generator_every() -> None:
    made = method(Stage("s", 9, {"l2": 1.0, "image": 1.0}, generator_every=3))
    graphs: list[bool] = []
    made.generator.register_forward_hook(lambda module, args, out: graphs.append(out.requires_grad))
    for step in range(6):
        net, judge = weights_of(made.generator), weights_of(critic_of(made))
        logs = made.training_step(batch(seed=step), step)
        assert moved(judge, critic_of(made))
        assert moved(net, made.generator) == (step in (2, 5))
        assert ("generator/l2" in logs) == (step in (2, 5))
        assert "critic/image/loss" in logs
    assert graphs == [False, False, True, False, False, True]  # no graph where the generator rests


def test_weight_zero_learns_and_is_not_listened_to() -> None:
    made, alone = method(Stage("s", 9, {"l2": 1.0, "image": 0.0})), method(Stage("s", 9, {"l2": 1.0}))
    judge = weights_of(critic_of(made))
    for step in range(2):
        logs = made.training_step(batch(seed=step), step)
        alone.training_step(batch(seed=step), step)
    assert moved(judge, critic_of(made))
    assert "generator/image" not in logs
    torch.testing.assert_close(weights_of(made.generator), weights_of(alone.generator), rtol=0, atol=0)
    assert not moved(judge, critic_of(alone))  # no weight: it does not learn


@pytest.mark.parametrize(("train", "learn"), [(["generator"], (True, False)), (["critics"], (False, True))])
def test_train_narrows(train: Any, learn: tuple[bool, bool]) -> None:
    made = method(Stage("s", 9, {"l2": 1.0, "image": 1.0}, train=train))
    net, judge = weights_of(made.generator), weights_of(critic_of(made))
    logs = made.training_step(batch(), 0)
    assert (moved(net, made.generator), moved(judge, critic_of(made))) == learn
    assert any(key.startswith("generator/") for key in logs) == learn[0]
    assert any(key.startswith("critic/") for key in logs) == learn[1]


def test_stages_follow_each_other_and_rates_follow_the_step() -> None:
    made = method(
        Stage("coarse", 2, {"l2": 1.0}, lr=Rate(0.1, 0.01)),
        Stage("fine", 3, {"l2": 1.0, "image": Ramp(0.0, 1.0, 2)}, lr=0.5, critic_lr=Rate(0.4, 0.2)),
    )
    assert made.steps == 5
    seen = []
    for step in range(5):
        logs = made.training_step(batch(seed=step), step)
        lr, critic_lr = (made.optimizers[name].param_groups[0]["lr"] for name in ("generator", "critic/image"))
        seen.append((made.describe(step)["stage"], round(lr, 9), round(critic_lr, 9), "critic/image/loss" in logs))
        assert made.describe(step)["lr/generator"] == lr
    assert seen == [
        ("coarse", 0.1, 0.01, False),
        ("coarse", 0.01, 0.01, False),
        ("fine", 0.5, 0.4, True),
        ("fine", 0.5, 0.3, True),
        ("fine", 0.5, 0.2, True),
    ]


def test_rates_do_not_depend_on_what_ran_before() -> None:
    made = method(Stage("s", 9, {"l2": 1.0}, lr=Rate(0.1, 0.01)))
    made.training_step(batch(), 7)
    late = made.optimizers["generator"].param_groups[0]["lr"]
    made.training_step(batch(), 2)
    made.training_step(batch(), 7)
    assert made.optimizers["generator"].param_groups[0]["lr"] == late


def test_several_critics_learn_apart() -> None:
    stage = Stage("s", 9, {"l2": 1.0, "image": 1.0, "second": 0.0})
    made = method(stage, critics=3)
    before = {name: weights_of(critic_of(made, name)) for name in ("image", "second", "third")}
    logs = made.training_step(batch(), 0)
    assert [moved(before[name], critic_of(made, name)) for name in before] == [True, True, False]
    assert {"critic/image/loss", "critic/second/loss", "generator/image", "generator/l2"} <= set(logs)
    assert not {"generator/second", "critic/third/loss"} & set(logs)
    assert list(made.optimizers) == ["generator", "critic/image", "critic/second", "critic/third"]


@pytest.mark.parametrize("parts", [2, 4])
def test_accumulation_is_the_whole_batch(parts: int) -> None:
    """Without batch norm; to rounding."""
    stage = Stage("s", 9, {"l2": 1.0, "image": 0.3})
    whole, split = method(stage), method(stage, accumulate=parts)
    for step in range(3):
        given = batch(8, seed=step)
        logs, others = whole.training_step(given, step), split.training_step(given, step)
        assert set(logs) == set(others)
        for key in logs:
            torch.testing.assert_close(logs[key], others[key], rtol=1e-4, atol=1e-6)
    # Adam divides by the gradient's own size: what is rounding in it is larger in the weights
    torch.testing.assert_close(weights_of(whole), weights_of(split), rtol=1e-3, atol=1e-4)


def test_unequal_parts_are_refused() -> None:
    with pytest.raises(InpaintkitError, match="a batch of 5 has no 4 equal parts"):
        method(Stage("s", 9, {"l2": 1.0}), accumulate=4).training_step(batch(5), 0)


@pytest.mark.parametrize("norm", [False, True])
def test_ema_in_closed_form(norm: bool) -> None:
    """m_n = d_n m_(n-1) + (1 - d_n) p_n from m_0 = p_0, d_n = min(0.2, n / (9 + n)); buffers are copies."""
    decay = 0.2
    made = method(Stage("s", 9, {"l2": 1.0}), ema=decay, norm=norm)
    assert made.averaged is not None
    mean = {name: p.detach().double() for name, p in made.generator.named_parameters()}
    for step in range(4):
        made.training_step(batch(seed=step), step)
        now = {name: p.detach().double() for name, p in made.generator.named_parameters()}
        warm = min(decay, (step + 1) / (step + 10))
        mean = {name: warm * mean[name] + (1 - warm) * now[name] for name in now}
    for name, parameter in made.averaged.named_parameters():
        torch.testing.assert_close(parameter.double(), mean[name], rtol=1e-5, atol=1e-7)
        assert not parameter.requires_grad
    torch.testing.assert_close(dict(made.averaged.named_buffers()), dict(made.generator.named_buffers()))


def test_holes_are_filled_by_the_average() -> None:
    made, plain = method(Stage("s", 9, {"l2": 1.0}), ema=0.5), method(Stage("s", 9, {"l2": 1.0}))
    for each in (made, plain):
        for step in range(3):
            each.training_step(batch(seed=step), step)
    given = batch(seed=9)
    assert made.averaged is not None
    assert torch.equal(made.inpaint(given.masked, given.mask), made.averaged(given.masked, given.mask))
    assert not torch.equal(made.inpaint(given.masked, given.mask), plain.inpaint(given.masked, given.mask))
    assert torch.equal(plain.inpaint(given.masked, given.mask), plain.generator(given.masked, given.mask))


def test_ema_rests_with_the_generator() -> None:
    made = method(Stage("s", 9, {"l2": 1.0, "image": 1.0}, generator_every=2), ema=0.5)
    assert made.averaged is not None
    before = weights_of(made.averaged)
    made.training_step(batch(), 0)
    assert not moved(before, made.averaged)
    made.training_step(batch(), 1)
    assert moved(before, made.averaged)


def test_clip() -> None:
    """The gradient that descends has the norm asked for, the logged one is that before clipping."""
    clipped, free = method(Stage("s", 9, {"l2": 1.0}), clip=1e-3), method(Stage("s", 9, {"l2": 1.0}))
    for made in (clipped, free):
        logs = made.training_step(batch(), 0)
        norm = torch.cat([p.grad.flatten() for p in made.generator.parameters() if p.grad is not None]).norm()
        if made is clipped:
            logged = logs["generator/gradient_norm"]
            torch.testing.assert_close(norm, torch.tensor(1e-3), rtol=1e-3, atol=0)
        else:
            torch.testing.assert_close(norm, logged)
            assert "generator/gradient_norm" not in logs


def test_log_gradients() -> None:
    made = method(Stage("s", 9, {"l2": 1.0, "image": 0.0}), log_gradients=True)
    plain = method(Stage("s", 9, {"l2": 1.0, "image": 0.0}))
    given = batch()
    output = made.generator(given.masked, given.mask).detach()
    logs = made.training_step(given, 0)
    expected = (2 * (output - given.image) / output.numel()).norm()
    torch.testing.assert_close(logs["gradient/l2"], expected)
    assert logs["gradient/image"] > 0  # also of terms that nobody listens to
    plain.training_step(given, 0)
    torch.testing.assert_close(weights_of(made), weights_of(plain), rtol=0, atol=0)  # looking changes nothing


def test_log_gradients_of_a_term_without_any() -> None:
    class Constant(Loss):
        def forward(self, sample: Sample) -> Tensor:
            return sample.image.mean()

    losses = {"l2": L2(), "constant": Constant()}
    made = method(Stage("s", 9, {"l2": 1.0, "constant": 1.0}), losses=losses, log_gradients=True)
    assert made.training_step(batch(), 0)["gradient/constant"] == 0


def test_balance_in_the_step() -> None:
    """The terms' gradients at the raw output stand in the ratio asked for, whatever the view they look at."""
    made = method(Stage("s", 9, {"l2": 1.0, "image": Balance("l2", 0.25)}), log_gradients=True)
    for step in range(2):
        logs = made.training_step(batch(seed=step), step)
        ratio = logs["weight/image"] * logs["gradient/image"] / logs["gradient/l2"]
        torch.testing.assert_close(ratio, torch.tensor(0.25))


def test_balance_against_a_term_that_nobody_listens_to() -> None:
    losses = {"l2": L2(), "l1": L1()}
    made = method(Stage("s", 9, {"l2": 0.0, "l1": Balance("l2", 3.0)}), losses=losses, log_gradients=True)
    quiet = method(Stage("s", 9, {"l2": 0.0, "l1": Balance("l2", 3.0)}), losses={"l2": L2(), "l1": L1()})
    logs, others = made.training_step(batch(), 0), quiet.training_step(batch(), 0)
    torch.testing.assert_close(logs["weight/l1"], 3.0 * logs["gradient/l2"] / logs["gradient/l1"])
    torch.testing.assert_close(logs["weight/l1"], others["weight/l1"])


def test_held_balance_counts_the_generators_steps() -> None:
    stage = Stage("s", 12, {"l2": 1.0, "image": Balance("l2", hold=2)}, generator_every=3)
    made = method(stage)
    seen = []
    for step in range(12):
        logs = made.training_step(batch(seed=step), step)
        if "weight/image" in logs:
            seen.append(float(logs["weight/image"]))
    assert len(seen) == 4
    assert seen[0] != seen[1]
    assert seen[1] == seen[2] == seen[3] > 0


def test_scales_and_named_views() -> None:
    """A tuple is the scales of one picture, coarse to fine; named views bring ``output`` among them."""

    class Views(Net):
        def forward(self, masked: Tensor, mask: Tensor) -> Any:
            output = super().forward(masked, mask)
            return {"output": (output[..., ::3, ::3], output), "coarse": output * 0.5}

    torch.manual_seed(0)
    made = Adversarial(Views(), [Stage("s", 2, {"coarse": 1.0})], {"coarse": L2(on="coarse")})
    given = batch()
    assert made.training_step(given, 0)["generator/coarse"] > 0
    assert made.inpaint(given.masked, given.mask).shape == given.image.shape


def test_meta_device() -> None:
    with torch.device("meta"):
        stage = Stage("a", 9, {"l2": 1.0, "image": Balance("l2", hold=3)}, generator_every=2)
        made = method(stage, ema=0.9, clip=1.0, log_gradients=True)
    given = batch()
    for step in made.trial_steps().values():
        logs = made.training_step(Batch(given.image.to("meta"), given.mask.to("meta")), step)
    assert logs["generator/l2"].is_meta


def test_trial_steps_are_steps_in_which_everything_learns() -> None:
    made = method(Stage("a", 4, {"l2": 1.0}), Stage("b", 6, {"l2": 1.0, "image": 1.0}, generator_every=3))
    assert made.trial_steps() == {"a": 0, "b": 6}
    assert {"generator/l2", "critic/image/loss"} <= set(made.training_step(batch(), 6))


def test_bfloat16_autocast() -> None:
    made = method(Stage("s", 9, {"l2": 1.0, "image": Balance("l2", 0.5)}), ema=0.9)
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        logs = made.training_step(batch(), 0)
    assert all(value.dtype == torch.float32 for value in logs.values())
    assert all(torch.isfinite(value) for value in logs.values())
    assert all(value.dtype == torch.float32 for value in made.state_dict().values())


def test_channels_last_learns_the_same() -> None:
    plain, last = method(Stage("s", 9, {"l2": 1.0, "image": 1.0})), method(Stage("s", 9, {"l2": 1.0, "image": 1.0}))
    last.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for step in range(2):
        plain.training_step(batch(seed=step), step)
        last.training_step(batch(seed=step), step)
    torch.testing.assert_close(weights_of(plain), weights_of(last), rtol=1e-3, atol=1e-4)
