"""The training step that most papers share: a generator, losses, critics, and stages that weigh them."""

from __future__ import annotations

import copy
from collections.abc import ItemsView, Mapping, Sequence, ValuesView
from typing import Annotated, Any, ClassVar, Generic, TypeVar, cast

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn
from torch.optim import Optimizer

from ..core.errors import InpaintkitError, OptionError, did_you_mean
from ..core.interfaces import Batch, Generator, Loss, Method, Sample, finest
from ..runtime import average_gradients
from .critic import Critic, frozen_parameters
from .stages import Adam, Stage, locate, rate
from .weights import Balance, Weigher, gradient_norm

Named = TypeVar("Named", bound=nn.Module)


class Adversarial(Method):
    """Trains a generator on weighted losses and critics, stage by stage; fills a hole with one forward pass.

    To the generator a critic is one more weighted term. A method with other inputs overrides :meth:`sample`; the
    networks that it adds as attributes are trained with the generator.

    Args:
        generator: draws the picture.
        stages: what happens when.
        losses: terms, by the names that stages weigh.
        critics: terms that learn, by the names that stages weigh.
        optimizer: the generator's optimizer.
        ema: keeps an average of the generator with this decay per step, and fills holes with it.
        clip: the largest norm of the generator's gradient.
        accumulate: in how many equal parts a batch goes through, to save memory; batch norm then sees the parts, and
            gradients are measured (for balances and the log) on the first of them.
        log_gradients: logs the norm of every term's gradient at the raw output, before weighting.
    """

    training_only: ClassVar[tuple[str, ...]] = ("stages", "losses", "critics", "optimizer")

    def __init__(
        self,
        generator: Generator,
        stages: Sequence[Stage] = (),
        losses: Mapping[str, Loss] | None = None,
        critics: Mapping[str, Critic] | None = None,
        optimizer: Adam | None = None,
        ema: Annotated[float, Ge(0), Lt(1)] | None = None,
        clip: Annotated[float, Gt(0)] | None = None,
        accumulate: Annotated[int, Ge(1)] = 1,
        log_gradients: bool = False,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.stages = tuple(stages)
        self._check(losses or {}, critics or {})
        self.losses = NamedModules[Loss](losses or {})
        self.critics = NamedModules[Critic](critics or {})
        self.weigher = Weigher((stage.name, stage.weights) for stage in self.stages)
        self.averaged = copy.deepcopy(generator).requires_grad_(False) if ema is not None else None
        self.adam = optimizer or Adam()
        self.ema, self.clip, self.accumulate, self.log_gradients = ema, clip, accumulate, log_gradients
        self._optimizers: dict[str, Optimizer] = {}
        self.register_load_state_dict_pre_hook(_average_starts_at_generator)  # type: ignore[no-untyped-call]

    def _check(self, losses: Mapping[str, Loss], critics: Mapping[str, Critic]) -> None:
        terms = [*losses, *critics]
        wrong = [
            OptionError(f"{name!r} is a loss and a critic: give one of them another name", ("critics", name))
            for name in critics
            if name in losses
        ]
        wrong += [
            OptionError(f"{name!r} cannot name a term: take another word, without dots", (option, name))
            for option, named in (("losses", losses), ("critics", critics))
            for name in named
            if not name or "." in name or hasattr(nn.ModuleDict, name) or name in vars(nn.ModuleDict())
        ]
        names = [stage.name for stage in self.stages]
        for number, stage in enumerate(self.stages):
            at = ("stages", number)
            if stage.name in names[:number]:
                wrong.append(OptionError(f"a second stage is named {stage.name!r}", (*at, "name")))
            for name, weight in stage.weights.items():
                here = (*at, "weights", name)
                known = f"{did_you_mean(name, terms)}; the terms are {', '.join(terms) or 'none'}"
                if name not in terms:
                    wrong.append(OptionError(f"no loss or critic is named {name!r}{known}", here))
                elif isinstance(weight, Balance):
                    if weight.match == name or weight.match not in stage.weights:
                        others = ", ".join(other for other in stage.weights if other != name)
                        text = f"match names another term of this stage ({others or 'none'}), not {weight.match!r}"
                        wrong.append(OptionError(text, (*here, "match")))
                    elif weight.hold and weight.hold > stage.steps // stage.generator_every:
                        turns = stage.steps // stage.generator_every
                        text = f"hold: {weight.hold} steps do not fit into a stage in which the generator has {turns}"
                        wrong.append(OptionError(text, (*here, "hold")))
            if "generator" in stage.train and not any(weight != 0.0 for weight in stage.weights.values()):
                text = "the generator learns in this stage, but every weight is 0: give one, or `train: [critics]`"
                wrong.append(OptionError(text, (*at, "weights")))
            if "generator" not in stage.train and stage.train and not any(name in critics for name in stage.weights):
                text = "only critics learn in this stage, and none has a weight: give one (0 will do)"
                wrong.append(OptionError(text, (*at, "weights")))
            if stage.generator_every > stage.steps and "generator" in stage.train:
                text = f"the generator would never descend in a stage of {stage.steps} steps"
                wrong.append(OptionError(text, (*at, "generator_every")))
        if wrong:
            raise OptionError.join(wrong)

    @property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    @property
    def stride(self) -> int:
        return int(getattr(self.generator, "stride", 1))

    @property
    def size(self) -> int | None:
        return getattr(self.generator, "size", None)

    @property
    def networks(self) -> list[nn.Module]:
        return [*self.drawing.values(), *(critic.net for critic in self.critics.values())]

    def terms(self) -> dict[tuple[str, ...], Loss]:
        losses: dict[tuple[str, ...], Loss] = {("losses", name): loss for name, loss in self.losses.items()}
        return losses | {("critics", name): critic for name, critic in self.critics.items()}

    @property
    def drawing(self) -> dict[str, nn.Module]:
        """What the generator's optimizer trains: the generator, and the networks that a method adds to draw with."""
        apart = ("losses", "critics", "weigher", "averaged")
        return {name: network for name, network in self.named_children() if name not in apart}

    def _drawing_parameters(self) -> dict[str, nn.Parameter]:
        """By name; the generator's own without a prefix."""
        return {
            f"{name}.{key}".removeprefix("generator."): parameter
            for name, network in self.drawing.items()
            for key, parameter in network.named_parameters()
        }

    @property
    def optimizers(self) -> dict[str, Optimizer]:
        if not self._optimizers:
            self._optimizers["generator"] = self.adam.build(self._drawing_parameters().items())
            for name, critic in self.critics.items():
                self._optimizers[f"critic/{name}"] = critic.adam.build(critic.named_parameters())
        return self._optimizers

    def sample(self, batch: Batch) -> Sample:
        """Draws the views that the terms look at. A method whose generator takes more inputs overrides this."""
        return Sample.of(batch, self.generator(batch.masked, batch.mask))

    def training_step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Critics learn first, then the generator descends, as the stage says; returns scalars to log."""
        stage, at = locate(self.stages, step)
        descends = stage.updates_generator(at)
        self._set_rates(step)
        if len(batch.image) % self.accumulate:
            raise InpaintkitError(f"a batch of {len(batch.image)} has no {self.accumulate} equal parts: see accumulate")
        parts = batch.chunks(self.accumulate)
        keep = descends and len(parts) == 1  # one part: the critics' sample serves the generator too
        logs: dict[str, Tensor] = {}
        learning = {name: c for name, c in self.critics.items() if name in stage.weights}
        if "critics" not in stage.train:
            learning = {}
        samples = None
        if learning or keep:
            with torch.set_grad_enabled(keep):
                samples = [self.sample(part) for part in parts]
        for name, critic in learning.items():
            logs |= self._learn(name, critic, samples or [])
        if descends:
            logs |= self._descend(stage, at, parts, samples if keep else None)
        return logs

    def _learn(self, name: str, critic: Critic, samples: Sequence[Sample]) -> dict[str, Tensor]:
        optimizer = self.optimizers[f"critic/{name}"]
        optimizer.zero_grad(set_to_none=True)
        logs: dict[str, Tensor] = {}
        for sample in samples:
            parts = critic.loss(sample)
            (parts["loss"] / len(samples)).backward()  # type: ignore[no-untyped-call]
            for key, value in parts.items():
                add(logs, f"critic/{name}/{key}", value, len(samples))
        average_gradients(critic.parameters())
        optimizer.step()
        return logs

    def _descend(
        self, stage: Stage, at: int, parts: Sequence[Batch], samples: Sequence[Sample] | None
    ) -> dict[str, Tensor]:
        optimizer = self.optimizers["generator"]
        optimizer.zero_grad(set_to_none=True)
        logs: dict[str, Tensor] = {}
        numbers: dict[str, float | Tensor] = {}
        for number, part in enumerate(parts):
            sample = samples[number] if samples else self.sample(part)
            with frozen_parameters(self.critics):
                # Weight 0: the critic learns, nobody listens; but another term may be balanced against it.
                listened = {name: weight for name, weight in stage.weights.items() if weight != 0.0}
                matched = {weight.match for weight in listened.values() if isinstance(weight, Balance)}
                terms = {
                    name: scalar(name, self.term(name)(sample))
                    for name in stage.weights
                    if name in listened or name in matched or self.log_gradients
                }
                if number == 0:
                    turn = at // stage.generator_every
                    numbers = self.weigher(stage.name, listened, terms, sample.output, at, turn)
                    if self.log_gradients:
                        for name, term in terms.items():
                            logs[f"gradient/{name}"] = gradient_norm(term, sample.output)
                total = sum((numbers[name] * terms[name] for name in numbers), start=sample.output.new_zeros(()))
                (total / len(parts)).backward()  # type: ignore[no-untyped-call]
            for name, term in terms.items():
                add(logs, f"generator/{name}", term, len(parts))
        parameters = list(self._drawing_parameters().values())
        average_gradients(parameters)
        if self.clip is not None:
            logs["generator/gradient_norm"] = nn.utils.clip_grad_norm_(parameters, self.clip)
        optimizer.step()
        if self.averaged is not None and self.ema is not None:
            track(self.averaged, self.generator, self.ema)
        logs |= {f"weight/{name}": n.detach() for name, n in numbers.items() if isinstance(n, Tensor)}
        return logs

    def term(self, name: str) -> Loss:
        """A loss or a critic, by the name that stages weigh."""
        return self.losses[name] if name in self.losses else self.critics[name]

    def rates(self, step: int) -> dict[str, float]:
        """The learning rate of every optimizer at a global step."""
        stage, at = locate(self.stages, step)
        return {"generator": rate(stage.lr, self.adam.lr, at, stage.steps)} | {
            f"critic/{name}": rate(stage.critic_lr, critic.adam.lr, at, stage.steps)
            for name, critic in self.critics.items()
        }

    def trial_steps(self) -> dict[str, int]:
        trials, start = {}, 0
        for stage in self.stages:
            trials[stage.name] = start + stage.generator_every - 1
            start += stage.steps
        return trials

    def describe(self, step: int) -> dict[str, float | str]:
        stage, _ = locate(self.stages, step)
        rates = self.rates(step).items()
        return {"stage": stage.name, **{f"lr/{name}": lr for name, lr in rates}}

    def _set_rates(self, step: int) -> None:
        for name, lr in self.rates(step).items():
            for group in self.optimizers[name].param_groups:
                group["lr"] = lr

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        drawn = (self.averaged or self.generator)(masked, mask)
        return finest(drawn if isinstance(drawn, Tensor | tuple) else drawn["output"])


class NamedModules(nn.ModuleDict, Generic[Named]):
    """An ``nn.ModuleDict`` whose modules have a known type."""

    def __getitem__(self, key: str) -> Named:
        return cast(Named, super().__getitem__(key))

    def values(self) -> ValuesView[Named]:
        return cast("ValuesView[Named]", super().values())

    def items(self) -> ItemsView[str, Named]:
        return cast("ItemsView[str, Named]", super().items())


def scalar(name: str, term: Tensor) -> Tensor:
    """The term itself.

    Raises:
        InpaintkitError: it is not one number.
    """
    if term.ndim:
        raise InpaintkitError(f"term {name!r} must be a scalar, and is a tensor of shape {list(term.shape)}")
    return term


def add(logs: dict[str, Tensor], key: str, value: Tensor, parts: int) -> None:
    """Adds one part's share of a mean to the logs."""
    share = value.detach() / parts
    logs[key] = logs[key] + share if key in logs else share


@torch.no_grad()
def track(averaged: nn.Module, module: nn.Module, decay: float) -> None:
    """Exponential moving average: parameters move by ``1 - decay``, buffers are copied.

    Averaging batch norm's running statistics as well was tried and was worse early on: they begin at 0 and 1. Spectral
    norm divides the average by what its copied vectors make of it, a little less than its largest singular value.
    """
    for mean, parameter in zip(averaged.parameters(), module.parameters(), strict=True):
        mean.lerp_(parameter, 1 - decay)
    for copied, buffer in zip(averaged.buffers(), module.buffers(), strict=True):
        copied.copy_(buffer)


def _average_starts_at_generator(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Weights that were saved without an average: it begins at the generator, not at fresh weights."""
    assert isinstance(module, Adversarial)
    if module.averaged is not None and not any(key.startswith(f"{prefix}averaged.") for key in state):
        head = f"{prefix}generator."
        drawn = {key.removeprefix(head): value for key, value in state.items() if key.startswith(head)}
        state |= {f"{prefix}averaged.{key}": value for key, value in drawn.items()}
