"""The method ``adversarial``: a generator that is trained on weighted losses and critics, in stages."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn
from torch.optim import Optimizer

from ..core.errors import InpaintkitError
from ..core.interfaces import Batch, Generator, Loss, Method, Sample, finest
from ..runtime import average_gradients
from .checks import check_terms
from .critic import Critic, frozen_parameters
from .ema import average_from_generator, update_average, warmed_up
from .loss_weights import Balance, Weigher, gradient_norm
from .stages import Adam, Stage, generator_updates, locate, rate
from .terms import NamedModules, add_part


class Adversarial(Method):
    """Trains a generator on weighted losses and critics, stage by stage; fills a hole with one forward pass.

    To the generator a critic is one more weighted term. A subclass with other inputs overrides :meth:`sample`; the
    networks that it adds as attributes are trained with the generator.

    Args:
        generator: draws the picture.
        stages: what happens when.
        losses: terms, by the names that stages weigh.
        critics: terms that learn, by the names that stages weigh.
        optimizer: the generator's optimizer.
        ema: keeps an average of the generator with this decay per update, and fills holes with it. The decay is smaller
            in the first updates, so that the average does not hold on to the initial weights.
        clip: the largest norm of the generator's gradient.
        accumulate: into how many equal parts a batch is split, to save memory; batch norm then sees the parts, and
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
        check_terms(self.stages, losses or {}, critics or {})
        self.losses = NamedModules[Loss](losses or {})
        self.critics = NamedModules[Critic](critics or {})
        self.weigher = Weigher((stage.name, stage.weights) for stage in self.stages)
        self.averaged = copy.deepcopy(generator).requires_grad_(False) if ema is not None else None
        self.adam = optimizer or Adam()
        self.ema, self.clip, self.accumulate, self.log_gradients = ema, clip, accumulate, log_gradients
        self._optimizers: dict[str, Optimizer] = {}
        self.register_load_state_dict_pre_hook(average_from_generator)  # type: ignore[no-untyped-call]

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
    def coarse_to_fine(self) -> bool:
        return bool(getattr(self.generator, "coarse_to_fine", False))

    @property
    def networks(self) -> list[nn.Module]:
        return [*self.generator_networks.values(), *(critic.net for critic in self.critics.values())]

    def terms(self) -> dict[tuple[str, ...], Loss]:
        losses: dict[tuple[str, ...], Loss] = {("losses", name): loss for name, loss in self.losses.items()}
        return losses | {("critics", name): critic for name, critic in self.critics.items()}

    @property
    def generator_networks(self) -> dict[str, nn.Module]:
        """What the generator's optimizer trains: the generator, and the networks that a subclass adds."""
        others = ("losses", "critics", "weigher", "averaged")
        return {name: network for name, network in self.named_children() if name not in others}

    @property
    def optimizers(self) -> dict[str, Optimizer]:
        if not self._optimizers:
            trained = {
                f"{name}.{key}".removeprefix("generator."): parameter
                for name, network in self.generator_networks.items()
                for key, parameter in network.named_parameters()
            }
            self._optimizers["generator"] = self.adam.build(trained.items())
            for name, critic in self.critics.items():
                self._optimizers[f"critic/{name}"] = critic.adam.build(critic.named_parameters())
        return self._optimizers

    def sample(self, batch: Batch) -> Sample:
        """Draws the views that the terms read. A method whose generator takes more inputs overrides this."""
        return Sample.of(batch, self.generator(batch.masked, batch.mask))

    def training_step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Updates the critics, then the generator, as the stage says; returns scalars to log."""
        stage, at = locate(self.stages, step)
        for name, lr in self.rates(step).items():
            for group in self.optimizers[name].param_groups:
                group["lr"] = lr
        if len(batch.image) % self.accumulate:
            raise InpaintkitError(f"a batch of {len(batch.image)} has no {self.accumulate} equal parts: see accumulate")
        parts = batch.chunks(self.accumulate)
        update_generator = stage.updates_generator(at)
        critics = [name for name in self.critics if name in stage.weights and "critics" in stage.train]
        shared = update_generator and len(parts) == 1  # the critics' sample serves the generator too
        samples: list[Sample] = []
        if critics or shared:
            with torch.set_grad_enabled(shared):
                samples = [self.sample(part) for part in parts]
        logs: dict[str, Tensor] = {}
        for name in critics:
            logs |= self._update_critic(name, samples)
        if update_generator:
            logs |= self._update_generator(stage, at, parts, samples if shared else [])
            if self.averaged is not None and self.ema is not None:
                decay = warmed_up(self.ema, generator_updates(self.stages, step))
                update_average(self.averaged, self.generator, decay)
        return logs

    def _update_critic(self, name: str, samples: Sequence[Sample]) -> dict[str, Tensor]:
        critic, optimizer = self.critics[name], self.optimizers[f"critic/{name}"]
        optimizer.zero_grad(set_to_none=True)
        logs: dict[str, Tensor] = {}
        for sample in samples:
            parts = critic.loss(sample)
            (parts["loss"] / len(samples)).backward()  # type: ignore[no-untyped-call]
            for key, value in parts.items():
                add_part(logs, f"critic/{name}/{key}", value, len(samples))
        average_gradients(critic.parameters())
        optimizer.step()
        return logs

    def _update_generator(
        self, stage: Stage, at: int, parts: Sequence[Batch], samples: Sequence[Sample]
    ) -> dict[str, Tensor]:
        optimizer = self.optimizers["generator"]
        optimizer.zero_grad(set_to_none=True)
        logs: dict[str, Tensor] = {}
        weights: dict[str, float | Tensor] = {}
        for number, part in enumerate(parts):
            sample = samples[number] if samples else self.sample(part)
            with frozen_parameters(self.critics):
                terms = self._values(stage, sample)
                if number == 0:
                    counted = {name: weight for name, weight in stage.weights.items() if weight != 0.0}
                    update = at // stage.generator_every
                    weights = self.weigher(stage.name, counted, terms, sample.output, at, update)
                    if self.log_gradients:
                        for name, term in terms.items():
                            logs[f"gradient/{name}"] = gradient_norm(term, sample.output)
                total = sum((weights[name] * terms[name] for name in weights), start=sample.output.new_zeros(()))
                (total / len(parts)).backward()  # type: ignore[no-untyped-call]
            for name, term in terms.items():
                add_part(logs, f"generator/{name}", term, len(parts))
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        average_gradients(parameters)
        if self.clip is not None:
            logs["generator/gradient_norm"] = nn.utils.clip_grad_norm_(parameters, self.clip)
        optimizer.step()
        return logs | {f"weight/{name}": n.detach() for name, n in weights.items() if isinstance(n, Tensor)}

    def _values(self, stage: Stage, sample: Sample) -> dict[str, Tensor]:
        """The values of the stage's terms.

        A weight of 0 trains the critic without adding its term to the generator's loss; the term is computed only if
        it is the reference of a balance or its gradient is logged.

        Raises:
            InpaintkitError: a value is not one number.
        """
        references = {weight.match for weight in stage.weights.values() if isinstance(weight, Balance)}
        values: dict[str, Tensor] = {}
        for name, weight in stage.weights.items():
            if weight != 0.0 or name in references or self.log_gradients:
                term = self.losses[name] if name in self.losses else self.critics[name]
                value = values[name] = term(sample)
                if value.ndim:
                    shape = list(value.shape)
                    raise InpaintkitError(f"term {name!r} must be a scalar, and is a tensor of shape {shape}")
        return values

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
        return {"stage": stage.name, **{f"lr/{name}": lr for name, lr in self.rates(step).items()}}

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        drawn = (self.averaged or self.generator)(masked, mask)
        return finest(drawn if isinstance(drawn, Tensor | tuple) else drawn["output"])
