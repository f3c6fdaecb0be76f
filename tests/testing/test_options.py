"""Options that a recipe can write, and options that it cannot; what a component is tested with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs
import pytest
import torch
from annotated_types import Ge
from torch import nn

from inpaintkit import Loss, Method
from inpaintkit.testing.component import NotApplicable

from .toys import GoodLoss, cases


@attrs.frozen
class Values:
    """Options of options."""

    weight: float = 1.0
    more: Mapping[str, Sequence[int]] | None = None


@attrs.frozen
class Loose:
    weight = attrs.field(default=1.0)  # type: ignore[var-annotated]


def fine(
    a: int,
    b: Annotated[float, Ge(0)] = 1,
    c: Literal["x", "y"] = "x",
    d: Path | None = None,
    e: Sequence[str] | Mapping[str, float] = ("relu1",),
    f: Values | None = None,
    g: Loss | None = None,
    h: tuple[float, float] = (0.0, 1.0),
    i: Values = Values(),
    j: dict[str, Loss] | None = None,
) -> None:
    """All of it can be written in a recipe."""


def keywords(**options: int) -> None:
    """Hides them."""


def positional(*layers: str) -> None:
    """Hides them."""


def calls(make: Callable[[], int] = int) -> None:
    """Takes a function."""


def sets(names: set[str] = set()) -> None:  # noqa: B006
    """Takes a set."""


def kinds_of_number(precision: torch.dtype = torch.float32) -> None:
    """Takes a type."""


def any_module(network: nn.Module | None = None) -> None:
    """Takes what it does not name."""


def wrong_default(width: int = None) -> None:  # type: ignore[assignment]  # noqa: RUF013
    """Its default is no integer."""


def below_limit(width: Annotated[int, Ge(1)] = 0) -> None:
    """Its default is too small."""


def inside(values: list[Loose] | None = None) -> None:
    """Its options' options are not annotated."""


def unresolved(values: "NoSuchClass | None" = None) -> None:  # type: ignore[name-defined]  # noqa: F821, UP037
    """An annotation that names nothing."""


def undocumented(width: int = 1) -> None: ...


class Undocumented(GoodLoss):
    def __init__(self, width: int = 1) -> None:
        super().__init__()


class LeavesOutNothing(Method):
    """Names an option that it does not have."""

    training_only = ("losses",)

    def __init__(self, loss: Loss | None = None, rate: float = 0.01) -> None:
        super().__init__()


class BareMethodOptions(Loss):
    """No options at all."""


@pytest.mark.parametrize("factory", [fine, BareMethodOptions], ids=lambda factory: factory.__name__)
def test_options_that_recipes_can_write(factory: Any, tmp_path: Path) -> None:
    cases("loss", factory)["options typed"].run(tmp_path)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (keywords, r"\*\*options hides options: declare each one"),
        (positional, r"\*layers hides options"),
        (calls, "option 'make' is annotated .*, for which a recipe cannot write a value"),
        (sets, "option 'names' is annotated .*, for which a recipe cannot write a value"),
        (kinds_of_number, "option 'precision'.*(cannot|hides)"),
        (any_module, "option 'network' is annotated Module, for which .* an interface .Generator"),
        (wrong_default, "option 'width': its default null does not match its annotation .integer."),
        (below_limit, "option 'width': its default 0 does not match its annotation .integer >= 1."),
        (inside, "option 'values': Loose.weight is not annotated"),
        (unresolved, "signature of unresolved cannot be read: .*NoSuchClass"),
        (undocumented, "no docstring of its own"),
        (Undocumented, "no docstring of its own"),
        (LeavesOutNothing, "training_only names 'losses', which is not an option; the options are loss, rate"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_options_that_recipes_cannot_write(factory: Any, message: str, tmp_path: Path) -> None:
    kind = "method" if factory is LeavesOutNothing else "loss"
    with pytest.raises(AssertionError, match=message):
        cases(kind, factory)["options typed"].run(tmp_path)


class Required(GoodLoss):
    """Has options that must be given."""

    def __init__(self, on: Literal["output", "completed"], path: Path, scale: Annotated[float, Ge(0)] = 1.0) -> None:
        super().__init__(on)
        assert path.exists()


def test_required_options_are_asked_for(tmp_path: Path) -> None:
    found = cases("loss", Required)
    with pytest.raises(AssertionError, match=r"options={'tried': {'on': 'output' or 'completed', 'path': path}}"):
        found["builds"].run(tmp_path)
    with pytest.raises(NotApplicable, match="does not build: see its case 'builds'"):
        found["finite"].run(tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"tried": lambda folder: {"on": "output", "path": folder}},
        {"loss/tried": lambda folder: {"on": "output", "path": str(folder)}},
        lambda folder: {"tried": {"on": "output", "path": folder}},
    ],
    ids=["by name", "by kind and name", "all at once"],
)
def test_options_from_files(options: Any, tmp_path: Path) -> None:
    found = cases("loss", Required, options=options)
    found["builds"].run(tmp_path)
    found["gradient flows"].run(tmp_path)


def test_options_are_checked_as_in_a_recipe(tmp_path: Path) -> None:
    found = cases("loss", Required, options={"tried": {"on": "ouput", "path": str(tmp_path), "skale": 1}})
    with pytest.raises(AssertionError, match=r"(?s)did you mean 'output'.*did you mean 'scale'|'scale'.*'output'"):
        found["builds"].run(tmp_path)


@pytest.mark.parametrize("kind", ["generator", "loss", "objective", "metric", "method", "mask sampler"])
def test_of_another_kind(kind: str, tmp_path: Path) -> None:
    def nothing() -> object:
        """Builds something else."""
        return object()

    with pytest.raises(
        AssertionError, match=f"{kind} 'tried'.*(not a torch.nn.Module|does not define|not an inpaintkit)"
    ):
        cases(kind, nothing)["builds"].run(tmp_path)


def test_setup_that_fails_is_reported_once(tmp_path: Path) -> None:
    class NoWeights(GoodLoss):
        """Its weights are not there."""

        def setup(self) -> None:
            raise FileNotFoundError("no weights.safetensors")

    found = cases("loss", NoWeights)
    with pytest.raises(AssertionError, match=r"setup\(\) raised FileNotFoundError: no weights.safetensors"):
        found["builds"].run(tmp_path)
    with pytest.raises(NotApplicable, match="see its case 'builds'"):
        found["finite"].run(tmp_path)
