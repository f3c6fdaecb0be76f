"""Options that a component shares with its base class, and their documentation."""

from __future__ import annotations

from typing import Annotated, TypedDict, Unpack

from annotated_types import Ge

from inpaintkit.core.config.schema import Option, documentation_of, signature_of


class Shared(TypedDict, total=False):
    width: Annotated[int, Ge(1)]
    name: str | None


class Base:
    def __init__(self, depth: int, width: Annotated[int, Ge(1)] = 3, name: str | None = None) -> None:
        self.values = (depth, width, name)


class Derived(Base):
    def __init__(self, depth: int = 2, *, own: bool = False, **shared: Unpack[Shared]) -> None:
        super().__init__(depth, **shared)


def test_they_are_options_with_the_defaults_of_the_base() -> None:
    assert signature_of(Derived) == (
        Option("depth", int, 2),
        Option("own", bool, False),
        Option("width", Annotated[int, Ge(1)], 3),
        Option("name", str | None, None),
    )
    assert Derived(width=4).values == (2, 4, None)


class Distance:
    """A distance.

    Args:
        on: what is measured,
            on two lines.
        region: where.
        unused: of the base alone.
    """

    def __init__(self, on: str, region: str) -> None:
        pass


class Plain(Distance):
    """A plain one."""


class Scaled(Distance):
    """A scaled one.

    Args:
        scale: how much.
        region: here.

    Raises:
        OptionError: never.
    """

    def __init__(self, on: str, scale: float, region: str) -> None:
        super().__init__(on, region)


def test_a_base_class_documents_the_options_that_its_subclasses_do_not() -> None:
    assert documentation_of(Plain) == (
        "A plain one.\n\nArgs:\n    on: what is measured,\n        on two lines.\n    region: where."
    )
    assert documentation_of(Scaled) == (
        "A scaled one.\n\nArgs:\n    on: what is measured,\n        on two lines.\n    scale: how much.\n"
        "    region: here.\n\nRaises:\n    OptionError: never."
    )
    assert documentation_of(Base) == ""
