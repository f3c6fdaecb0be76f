"""Critics: their views, and parameters that are frozen while the generator is updated."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from toy_adversarial import Judge, batch, critic_of, method

from inpaintkit.components.objectives import LeastSquares
from inpaintkit.core.errors import OptionError
from inpaintkit.core.interfaces import Loss, Sample
from inpaintkit.training.critic import Critic, frozen_parameters
from inpaintkit.training.stages import Stage


def test_the_generators_turn_leaves_no_gradient_in_critics() -> None:
    made = method(Stage("s", 9, {"l2": 1.0, "image": 1.0}))
    made.training_step(batch(), 0)
    kept = [p.grad.clone() for p in critic_of(made).parameters() if p.grad is not None]
    made.optimizers["critic/image"].zero_grad(set_to_none=True)
    with torch.enable_grad():
        made._update_generator(made.stages[0], 1, [batch()], [])
    assert kept
    assert all(p.grad is None for p in critic_of(made).parameters())
    assert all(p.requires_grad for p in critic_of(made).parameters())


def test_frozen_parameters_come_back_as_they_were() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[0].requires_grad_(False)
    before = [parameter.requires_grad for parameter in net.parameters()]
    with frozen_parameters(net):
        assert not any(parameter.requires_grad for parameter in net.parameters())
    assert [parameter.requires_grad for parameter in net.parameters()] == before
    with pytest.raises(ZeroDivisionError), frozen_parameters(net):
        _ = 1 / 0
    assert [parameter.requires_grad for parameter in net.parameters()] == before


def test_a_loss_that_raises_leaves_critics_able_to_learn() -> None:
    class Raising(Loss):
        def forward(self, sample: Sample) -> Tensor:
            raise ZeroDivisionError

    made = method(Stage("s", 9, {"bad": 1.0, "image": 1.0}), losses={"bad": Raising()})
    with pytest.raises(ZeroDivisionError):
        made.training_step(batch(), 0)
    assert all(parameter.requires_grad for parameter in critic_of(made).parameters())


def test_a_critic_needs_a_view() -> None:
    with pytest.raises(OptionError, match="one view") as caught:
        Critic(Judge(), LeastSquares(), on=[])
    assert caught.value.path == ("on",)


def test_a_critic_on_several_views_and_an_unknown_one() -> None:
    torch.manual_seed(0)
    critic = Critic(Judge(), LeastSquares(), on=["output", "completed"], real="image")
    given = batch()
    sample = Sample.of(given, torch.zeros_like(given.image))
    assert len(critic.inputs(sample).fakes) == 2
    with pytest.raises(KeyError, match="no view 'coarse' here: this method draws completed, output"):
        Critic(Judge(), LeastSquares(), on="coarse").loss(sample)
