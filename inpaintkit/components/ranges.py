"""Checks of numeric options, for constructors: each finds problems, ``check`` raises them all together."""

from __future__ import annotations

from ..core.errors import OptionError


def at_least(low: int, **options: int) -> list[OptionError]:
    return [
        OptionError(f"{name} is {value}: at least {low} is needed", (name,))
        for name, value in options.items()
        if value < low
    ]


def within(low: float, high: float, *, open_end: bool = False, **options: float) -> list[OptionError]:
    limit = f"less than {high}" if open_end else f"at most {high}"
    return [
        OptionError(f"{name} is {value}: more than {low} and {limit} is needed", (name,))
        for name, value in options.items()
        if not (low < value < high or (value == high and not open_end))
    ]


def ordered(**options: float) -> list[OptionError]:
    (small, low), (large, high) = options.items()
    return [OptionError(f"{small} ({low}) is larger than {large} ({high})", (small,))] if low > high else []


def check(*problems: list[OptionError]) -> None:
    found = [problem for group in problems for problem in group]
    if found:
        raise OptionError.join(found)
