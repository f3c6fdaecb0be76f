"""The kit on objectives: what keeps the contract passes, and one that breaks it for each property."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from inpaintkit import AdversarialInputs, Objective

from .toys import EVERY_KIND, broken_ids, check_broken, check_good


class GoodObjective(Objective):
    """Relativistic: scores are compared with one another."""

    def generator(self, inputs: AdversarialInputs) -> Any:
        real = inputs.score(inputs.real)
        return torch.stack([F.softplus(real - inputs.score(fake)).mean() for fake in inputs.fakes]).mean()

    def critic(self, inputs: AdversarialInputs) -> Any:
        real = inputs.score(inputs.real)
        gaps = [F.softplus(inputs.score(fake) - real).mean() for fake in inputs.fakes]
        return {"loss": torch.stack(gaps).mean(), "real": real.mean()}


class LogOfProbability(GoodObjective):
    def generator(self, inputs: AdversarialInputs) -> Any:
        return -torch.log(torch.sigmoid(inputs.score(inputs.fakes[0]))).mean()


class SteepPenalty(GoodObjective):
    """The root of a gradient that may be 0."""

    def critic(self, inputs: AdversarialInputs) -> Any:
        point = inputs.real.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(inputs.score(point).sum(), point, create_graph=True)
        penalty = (gradient.square().sum((1, 2, 3)).sqrt() - 1).square().mean()
        return {"loss": super().critic(inputs)["loss"] + penalty}


class NoLoss(GoodObjective):
    def critic(self, inputs: AdversarialInputs) -> Any:
        return super().critic(inputs)["loss"]


class ScoresInLogs(GoodObjective):
    def critic(self, inputs: AdversarialInputs) -> Any:
        return {**super().critic(inputs), "scores": inputs.score(inputs.real)}


class FirstFake(GoodObjective):
    def generator(self, inputs: AdversarialInputs) -> Any:
        return F.softplus(-inputs.score(inputs.fakes[0])).mean()


class CriticIdle(GoodObjective):
    def critic(self, inputs: AdversarialInputs) -> Any:
        return {"loss": super().critic(inputs)["loss"].detach()}


class LeavesGradient(GoodObjective):
    def critic(self, inputs: AdversarialInputs) -> Any:
        return {"loss": F.softplus(inputs.score(inputs.fakes[0].requires_grad_()) - inputs.score(inputs.real)).mean()}


class Flipped(GoodObjective):
    def generator(self, inputs: AdversarialInputs) -> Any:
        return -super().generator(inputs)


class FlippedCritic(GoodObjective):
    def critic(self, inputs: AdversarialInputs) -> Any:
        return {"loss": -super().critic(inputs)["loss"]}


class ObjectiveAsks(GoodObjective):
    def critic(self, inputs: AdversarialInputs) -> Any:
        values = super().critic(inputs)
        return {**values, "real": torch.tensor(values["real"].item())}


GOOD: list[tuple[Any, set[str]]] = [
    (GoodObjective, set()),
]

BROKEN: list[tuple[str, Any, str]] = [
    *EVERY_KIND,
    ("finite", LogOfProbability, r"generator\(inputs\) is inf .* multiplied by 10,000: "),
    ("finite", SteepPenalty, r"gradient of scores \(B,\), all 0 at the critic's .* NaN"),
    ("finite", NoLoss, "returned Tensor, expected a dict with 'loss'"),
    ("finite", ScoresInLogs, r"critic\(inputs\)\['scores'\] .* is not a scalar tensor"),
    ("generator's gradient reaches the fakes", FirstFake, r"does not reach fakes\[1\]"),
    ("critic learns", CriticIdle, r"critic\(inputs\)\['loss'\] has no gradient"),
    ("critic's loss leaves no gradient", LeavesGradient, r"leaves a gradient on fakes\[0\]"),
    ("higher is real", Flipped, r"generator\(inputs\) changes the scores in the wrong direction"),
    ("higher is real", FlippedCritic, r"critic\(inputs\)\['loss'\] changes the scores in the wrong direction"),
    ("meta device", ObjectiveAsks, "on the meta device raised"),
]  # fmt: skip


@pytest.mark.parametrize(("factory", "skipped"), GOOD, ids=[each[0].__name__ for each in GOOD])
def test_passes_what_keeps_the_contract(factory: Any, skipped: set[str], tmp_path: Path) -> None:
    check_good("objective", factory, skipped, tmp_path)


@pytest.mark.parametrize(("name", "factory", "message"), BROKEN, ids=broken_ids(BROKEN))
def test_fails_what_breaks_it(name: str, factory: Any, message: str, tmp_path: Path) -> None:
    check_broken("objective", name, factory, message, tmp_path)
