"""Components with all kinds of signatures."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Literal, Required, TypedDict, Unpack

from annotated_types import Ge

from inpaintkit.core.config.structure import Spec
from inpaintkit.core.errors import OptionError
from inpaintkit.core.interfaces import Generator, Loss, MaskSampler


class Hue(Enum):
    RED = 0
    BLUE = 1


class Shared(TypedDict, total=False):
    steps: Annotated[int, Ge(0)]
    rate: Required[float]


class Base(Loss):
    def __init__(self, rate: float, steps: Annotated[int, Ge(0)] = 7) -> None:
        super().__init__()
        self.rate, self.steps = rate, steps


class Keywords(Base):
    def __init__(self, scale: float = 1.0, **shared: Unpack[Shared]) -> None:
        super().__init__(**shared)


class Width(Generator):
    def __init__(self, width: Annotated[int, Ge(1)] = 8, act: Literal["relu", "elu"] = "relu") -> None:
        super().__init__()
        if width % 2:
            raise OptionError(f"width {width} is odd", ("width",))
        self.width = width


class Picky(Loss):
    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        if low > high:
            wrong = [OptionError("low is above high", ("low",)), OptionError("high is below", ("high",))]
            raise OptionError.join(wrong)


class Wrapper(Loss):
    def __init__(self, loss: Loss, others: Mapping[str, Loss] | None = None) -> None:
        super().__init__()
        self.loss, self.others = loss, others


class Raises(Loss):
    def __init__(self, how: str) -> None:
        super().__init__()
        raise {"value": ValueError, "type": TypeError, "runtime": RuntimeError, "key": KeyError}[how]("as asked")


class Late(Loss):
    def __init__(self, loss: Spec[Loss]) -> None:
        super().__init__()
        self.spec = loss


class Hidden(Loss):
    def __init__(self, x: NotThere) -> None:  # type: ignore[name-defined]  # noqa: F821
        super().__init__()


def half(side: Literal["left", "right"] = "left") -> MaskSampler:
    return MaskSampler()
