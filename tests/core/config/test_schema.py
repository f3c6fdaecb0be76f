"""Options that a component passes on to its base class, as ``**options: Unpack[...]``."""

from __future__ import annotations

from typing import Annotated, TypedDict, Unpack

from annotated_types import Ge

from inpaintkit.core.config.schema import Option, signature_of


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
