"""The losses and critics of a method by name, and the options that trained methods share."""

from __future__ import annotations

from collections.abc import ItemsView, Mapping, Sequence, ValuesView
from typing import Annotated, Generic, TypedDict, TypeVar, cast

from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from ..core.interfaces import Loss
from .critic import Critic
from .stages import Adam, Stage

Named = TypeVar("Named", bound=nn.Module)


class TrainingOptions(TypedDict, total=False):
    """The options of :class:`Adversarial` besides the generator, for methods that pass them on to it.

    >>> from inpaintkit import Adversarial, Generator
    >>> from typing import Unpack
    >>> class Mine(Adversarial):
    ...     def __init__(self, generator: Generator, depth: int = 3, **training: Unpack[TrainingOptions]) -> None:
    ...         super().__init__(generator, **training)
    """

    stages: Sequence[Stage]
    losses: Mapping[str, Loss] | None
    critics: Mapping[str, Critic] | None
    optimizer: Adam | None
    ema: Annotated[float, Ge(0), Lt(1)] | None
    clip: Annotated[float, Gt(0)] | None
    accumulate: Annotated[int, Ge(1)]
    log_gradients: bool


class NamedModules(nn.ModuleDict, Generic[Named]):
    """An ``nn.ModuleDict`` whose modules have a known type."""

    def __getitem__(self, key: str) -> Named:
        return cast(Named, super().__getitem__(key))

    def values(self) -> ValuesView[Named]:
        return cast("ValuesView[Named]", super().values())

    def items(self) -> ItemsView[str, Named]:
        return cast("ItemsView[str, Named]", super().items())


def add_part(logs: dict[str, Tensor], key: str, value: Tensor, parts: int) -> None:
    """Adds the value of one of so many parts of a batch to the mean in the logs."""
    share = value.detach() / parts
    logs[key] = logs[key] + share if key in logs else share
