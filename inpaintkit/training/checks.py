"""Checks of the stages of a training against its losses and critics."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from torch import nn

from ..core.errors import KeyPath, OptionError, did_you_mean
from .loss_weights import Balance
from .stages import Stage


def check_terms(stages: Sequence[Stage], losses: Collection[str], critics: Collection[str]) -> None:
    """Checks stages against the names of losses and critics.

    Raises:
        OptionError: everything that does not fit.
    """
    errors = [*_names(losses, critics)]
    for number, stage in enumerate(stages):
        path = ("stages", number)
        if stage.name in [before.name for before in stages[:number]]:
            errors.append(OptionError(f"a second stage is named {stage.name!r}", (*path, "name")))
        errors += _weights(stage, path, [*losses, *critics])
        errors += _updates(stage, path, critics)
    if errors:
        raise OptionError.join(errors)


def _names(losses: Collection[str], critics: Collection[str]) -> Iterator[OptionError]:
    for name in critics:
        if name in losses:
            yield OptionError(f"{name!r} is a loss and a critic: give one of them another name", ("critics", name))
    for option, names in (("losses", losses), ("critics", critics)):
        for name in names:
            if not name or "." in name or hasattr(nn.ModuleDict(), name):
                yield OptionError(f"{name!r} cannot name a term: take another word, without dots", (option, name))


def _weights(stage: Stage, path: KeyPath, terms: Sequence[str]) -> Iterator[OptionError]:
    updates = stage.steps // stage.generator_every
    for name, weight in stage.weights.items():
        here = (*path, "weights", name)
        if name not in terms:
            known = f"{did_you_mean(name, terms)}; the terms are {', '.join(terms) or 'none'}"
            yield OptionError(f"no loss or critic is named {name!r}{known}", here)
        elif not isinstance(weight, Balance):
            continue
        elif weight.match == name or weight.match not in stage.weights:
            others = ", ".join(other for other in stage.weights if other != name)
            text = f"match names another term of this stage ({others or 'none'}), not {weight.match!r}"
            yield OptionError(text, (*here, "match"))
        elif weight.hold and weight.hold > updates:
            text = (
                f"hold: {weight.hold} steps do not fit into a stage in which the generator is updated {updates} times"
            )
            yield OptionError(text, (*here, "hold"))


def _updates(stage: Stage, path: KeyPath, critics: Collection[str]) -> Iterator[OptionError]:
    trains_generator = "generator" in stage.train
    if trains_generator and not any(weight != 0.0 for weight in stage.weights.values()):
        text = "the generator is trained in this stage, but every weight is 0: give one, or `train: [critics]`"
        yield OptionError(text, (*path, "weights"))
    if not trains_generator and stage.train and not any(name in critics for name in stage.weights):
        text = "only critics are trained in this stage, and none has a weight: give one (0 is enough)"
        yield OptionError(text, (*path, "weights"))
    if trains_generator and stage.generator_every > stage.steps:
        text = f"the generator would never be updated in a stage of {stage.steps} steps"
        yield OptionError(text, (*path, "generator_every"))
