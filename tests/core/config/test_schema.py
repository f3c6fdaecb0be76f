"""Signatures read as schemas: annotations, defaults, options of base classes and their documentation."""

from __future__ import annotations

from typing import Annotated, TypedDict, Unpack

import attrs
import pytest
import torchmetrics
from annotated_types import Ge, Gt
from torch import nn

from inpaintkit.core.config.schema import Option, SignatureError, signature_of
from inpaintkit.core.interfaces import MaskSampler

from .toys import Hidden, Picky, Width, Wrapper, half


class Shared(TypedDict, total=False):
    width: Annotated[int, Ge(1)]
    name: str | None


class Base:
    def __init__(self, depth: int, width: Annotated[int, Ge(1)] = 3, name: str | None = None) -> None:
        self.values = (depth, width, name)


class Derived(Base):
    def __init__(self, depth: int = 2, *, own: bool = False, **shared: Unpack[Shared]) -> None:
        super().__init__(depth, **shared)


def test_unpacked_options_have_the_defaults_of_the_base() -> None:
    assert signature_of(Derived) == (
        Option("depth", int, 2),
        Option("own", bool, False),
        Option("width", Annotated[int, Ge(1)], 3),
        Option("name", str | None, None),
    )
    assert Derived(width=4).values == (2, 4, None)


def test_signatures() -> None:
    options = {option.name: option for option in signature_of(Width)}
    assert options["width"].annotation == "integer >= 1"
    assert (options["width"].default, options["width"].required) == (8, False)
    assert options["act"].annotation == "'relu' or 'elu'"
    assert [(option.name, option.required) for option in signature_of(Picky)] == [("low", True), ("high", True)]
    assert [option.annotation for option in signature_of(Wrapper)] == ["loss", "mapping of names to loss or null"]
    assert [option.annotation for option in signature_of(half)] == ["'left' or 'right'"]
    assert signature_of(nn.Identity) == ()  # *args and **kwargs are no options
    assert signature_of(MaskSampler) == ()
    ssim = {option.name for option in signature_of(torchmetrics.image.StructuralSimilarityIndexMeasure)}
    assert {"gaussian_kernel", "sigma", "data_range"} <= ssim
    assert "kwargs" not in ssim
    with pytest.raises(SignatureError, match="NotThere"):
        signature_of(Hidden)


def test_signatures_of_attrs_classes() -> None:
    @attrs.frozen
    class Base:
        first: Annotated[int, Gt(0)]

    @attrs.frozen
    class Value(Base):
        _private: str = "p"
        many: list[int] = attrs.Factory(list)

    found = [(option.name, option.annotation, option.default, option.required) for option in signature_of(Value)]
    assert found == [
        ("first", "integer > 0", None, True),
        ("private", "string", "p", False),
        ("many", "list of integer", [], False),
    ]


class Typed:
    def __init__(self: Typed, **options: int) -> None:  # as in the constructor that torch.compile gives nn.Module
        pass


def test_an_annotated_self_is_no_option() -> None:
    assert signature_of(Typed) == ()
