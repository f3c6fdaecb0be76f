"""Weights of loss terms: a number, a ramp over steps, or a balance of gradients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import attrs
import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from ..core.errors import InpaintkitError
from ..runtime import distributed


@attrs.frozen
class Ramp:
    """A weight that changes linearly from ``start`` to ``end`` over the stage's first ``over`` steps, then stays."""

    start: Annotated[float, Ge(0)]
    end: Annotated[float, Ge(0)]
    over: Annotated[int, Ge(1)]

    def at(self, step: int) -> float:
        return self.start + (self.end - self.start) * min(step / self.over, 1.0)


@attrs.frozen
class Balance:
    """The weight at which a term's gradient at the raw output is ``scale`` times that of the term ``match``.

    With ``hold``, the two gradient norms are averaged over the generator's first ``hold`` updates of the stage, and the
    weight follows their averages; after that it is constant. Without, it is measured in every update. Gradients are
    those of the terms before any weight.
    """

    match: str
    scale: Annotated[float, Gt(0)] = 1.0
    hold: Annotated[int, Ge(1)] | None = None


Weight = Annotated[float, Ge(0)] | Ramp | Balance


def gradient_of(term: Tensor, anchor: Tensor) -> Tensor | None:
    """d term / d anchor, detached; None where the term does not reach the anchor."""
    if not (term.requires_grad and anchor.requires_grad):
        return None
    (gradient,) = torch.autograd.grad(term, anchor, retain_graph=True, allow_unused=True)
    return None if gradient is None else gradient.detach()


def gradient_norm(term: Tensor, anchor: Tensor) -> Tensor:
    """The norm of d term / d anchor over the global batch, detached; 0 where the term does not reach the anchor."""
    gradient = gradient_of(term, anchor)
    return anchor.new_zeros(()) if gradient is None else norm(gradient)


def norm(gradient: Tensor) -> Tensor:
    """The norm over the global batch, of which each process holds a part."""
    squared = gradient.float().square().sum()
    distributed.all_reduce_mean(squared)
    return (squared / distributed.world()).sqrt()  # the term is a mean: over N parts its gradient is 1/N of each's


class Weigher(nn.Module):
    """Computes the weights of a step; the measurements of balances are its state, and so in checkpoints."""

    def __init__(self, stages: Iterable[tuple[str, Mapping[str, Weight]]]) -> None:
        super().__init__()
        for stage, weights in stages:
            for name, weight in weights.items():
                if isinstance(weight, Balance) and weight.hold:
                    # mean gradient norms so far: (match, term)
                    self.register_buffer(self._key(stage, name), torch.zeros(2))

    @staticmethod
    def _key(stage: str, name: str) -> str:
        return f"{stage}/{name}".replace(".", "_")

    def forward(
        self,
        stage: str,
        weights: Mapping[str, Weight],
        terms: Mapping[str, Tensor],
        anchor: Tensor,
        step: int,
        update: int | None = None,
    ) -> dict[str, float | Tensor]:
        """The factors of ``terms`` in step ``step`` of ``stage``; ``anchor`` is the raw output.

        ``update``: how many updates of the generator the stage has had, if not ``step``.

        Raises:
            InpaintkitError: a balance's term, or the one it matches, does not depend on the raw output.
        """
        update = step if update is None else update
        numbers: dict[str, float | Tensor] = {}
        for name, weight in weights.items():
            if isinstance(weight, Balance):
                numbers[name] = self._balance(self._key(stage, name), name, weight, terms, anchor, update)
            else:
                numbers[name] = weight.at(step) if isinstance(weight, Ramp) else weight
        return numbers

    def _balance(
        self, key: str, name: str, weight: Balance, terms: Mapping[str, Tensor], anchor: Tensor, update: int
    ) -> Tensor:
        if weight.hold and update >= weight.hold:
            norms = self.get_buffer(key)
        else:
            measured = []
            for term in (weight.match, name):
                gradient = gradient_of(terms[term], anchor)
                if gradient is None:
                    pair = f"term {name!r} is balanced against {weight.match!r}"
                    raise InpaintkitError(f"{pair}, but {term!r} has no gradient at the output")
                measured.append(norm(gradient))
            norms = torch.stack(measured)
            if weight.hold:
                mean = self.get_buffer(key)
                mean += (norms - mean) / (update + 1)
                norms = mean
        return weight.scale * norms[0] / norms[1].clamp_min(torch.finfo(norms.dtype).tiny ** 0.5)
