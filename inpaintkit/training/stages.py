"""Stages of training: Stage, Adam, and the learning-rate schedule Rate, as functions of the global step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

import attrs
import torch
from annotated_types import Ge, Gt, Lt
from torch import nn

from ..core.errors import OptionError
from .loss_weights import Weight

Positive = Annotated[float, Gt(0)]


@attrs.frozen
class Rate:
    """A learning rate from ``start`` to ``end`` over a stage.

    polynomial: ``(start - end) * (1 - t)**power + end``; cosine: half a cosine from start to end; ``t`` runs 0 to 1.
    """

    start: Positive
    end: Annotated[float, Ge(0)]
    shape: Literal["polynomial", "cosine"] = "polynomial"
    power: Positive = 1.0

    def at(self, t: float) -> float:
        left = (1 - t) ** self.power if self.shape == "polynomial" else (1 + math.cos(math.pi * t)) / 2
        return (self.start - self.end) * left + self.end


@attrs.frozen
class Adam:
    """Adam; decoupled weight decay where ``weight_decay`` is above 0 (AdamW)."""

    lr: Positive = 2e-4
    betas: tuple[Annotated[float, Ge(0), Lt(1)], Annotated[float, Ge(0), Lt(1)]] = (0.5, 0.999)
    eps: Positive = 1e-8
    weight_decay: Annotated[float, Ge(0)] = 0.0

    def build(self, parameters: Iterable[tuple[str, nn.Parameter]]) -> torch.optim.Optimizer:
        """The optimizer of named parameters; the fused kind on devices that have one."""
        named = [(name, parameter) for name, parameter in parameters if parameter.requires_grad]
        fused = bool(named) and named[0][1].device.type in ("cuda", "cpu")
        return torch.optim.AdamW(
            named, lr=self.lr, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay, fused=fused
        )


@attrs.frozen
class Stage:
    """A stretch of training.

    ``weights`` gives the weights of the terms; a critic is trained in the stages that give it one, 0 included.
    ``train`` restricts which networks are updated. The generator is updated every ``generator_every`` steps; ``steps``
    counts all steps. ``lr`` and ``critic_lr`` replace the optimizers' own rates.
    """

    name: str
    steps: Annotated[int, Ge(1)]
    weights: Mapping[str, Weight]
    train: Sequence[Literal["generator", "critics"]] = ("generator", "critics")
    generator_every: Annotated[int, Ge(1)] = 1
    lr: Positive | Rate | None = None
    critic_lr: Positive | Rate | None = None

    def __attrs_post_init__(self) -> None:
        wrong = []
        if not self.weights:
            wrong.append(OptionError("a stage needs at least one weighted term", ("weights",)))
        if not self.train:
            wrong.append(OptionError("nothing is trained in this stage: name generator, critics or both", ("train",)))
        if wrong:
            raise OptionError.join(wrong)

    def updates_generator(self, at: int) -> bool:
        """Whether the generator is updated in the stage's step ``at`` (critics come first)."""
        return "generator" in self.train and (at + 1) % self.generator_every == 0

    def generator_updates(self, at: int) -> int:
        """How often the generator is updated in the stage's steps before ``at``."""
        return at // self.generator_every if "generator" in self.train else 0


def locate(stages: Sequence[Stage], step: int) -> tuple[Stage, int]:
    """The stage of a global step, and the step's number within it; past the end, the last stage's last step."""
    for stage in stages:
        if step < stage.steps:
            return stage, step
        step -= stage.steps
    return stages[-1], stages[-1].steps - 1


def generator_updates(stages: Sequence[Stage], step: int) -> int:
    """How often the generator is updated before a global step."""
    total = 0
    for stage in stages:
        total += stage.generator_updates(min(step, stage.steps))
        step -= min(step, stage.steps)
    return total


def rate(lr: float | Rate | None, default: float, at: int, steps: int) -> float:
    """The learning rate at step ``at`` of ``steps``."""
    if lr is None:
        return default
    return lr.at(at / max(steps - 1, 1)) if isinstance(lr, Rate) else lr
