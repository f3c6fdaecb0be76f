"""Reads ``side=4..16`` as values of an option of a protocol's mask sampler, and opens a test set for each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import product
from types import NoneType
from typing import Any, get_args, get_origin

import attrs

from ..core.config.bundled import bundled
from ..core.config.checks import bare, is_union
from ..core.config.schema import Option, signature_of
from ..core.config.spec import INVALID, Spec
from ..core.config.structure import Structurer
from ..core.errors import InpaintkitError, OptionError, Problem, RecipeError, did_you_mean
from ..core.interfaces import MaskSampler
from ..core.plugins import Plugins, installed
from ..evaluation import TestSet, load_protocol
from .candidates import collect_problems

Number = int | float
Value = Number | tuple[Number, Number]  # of an option that is one number, or a pair: rows and columns

MOST = 1000  # values of a sweep
SHOWN = 5  # refused values that a message names
_NUMBER = r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)"
_RANGE = re.compile(rf"({_NUMBER})\s*\.\.\s*({_NUMBER})(?:\s*:\s*({_NUMBER}))?")
_BUILTIN = "inpaintkit.components.masks"
_UNITS = {
    **dict.fromkeys(("side", "offset", "min", "max"), "pixels"),
    "ratio": "share of the pixels",
    **dict.fromkeys(("min_width", "max_width", "max_length"), "share of the short side"),
    "border": "share of each side",
}  # of the built-in samplers' options


@attrs.frozen(eq=False)
class Plan:
    """One option of a protocol's mask sampler, the values that it takes, and a test set for each.

    Attributes:
        text: as it was asked for.
        sampler: the registered name.
        own: the value that the protocol itself has; None where a pair or a number is not set there.
        unit: of the values, in words; may be empty.
        values: rising; pairs are all combinations, row by row.
    """

    text: str
    option: str
    sampler: str
    own: Value | None
    unit: str
    values: tuple[Value, ...]
    test_sets: tuple[TestSet, ...] = attrs.field(repr=False)

    @property
    def grid(self) -> bool:
        """Whether the values are pairs: rows and columns."""
        return isinstance(self.values[0], tuple)


def plan(test_set: TestSet, text: str, plugins: Plugins | None = None) -> Plan:
    """Reads what to sweep, and tries every value.

    Args:
        test_set: of the protocol whose mask sampler is changed; its pictures are shared.
        text: ``option=first..last``, ``option=first..last:step`` or ``option=4,8,12``, also mixed. The step is 1 unless
            said, and the last value is met where the steps lead to it. For an option that is a pair of numbers these
            are the values on both axes.

    Raises:
        RecipeError: the text cannot be read, the protocol's sampler has no such option of numbers, or it refuses
            values; all of them.
    """
    option, numbers = parse(text)
    spec = test_set.protocol.masks
    plugins = plugins or installed()
    options = {each.name: each for each in signature_of(spec.factory)}
    axes = numeric(options[option].type) if option in options else 0
    if not axes:
        raise RecipeError([Problem(_no_option(test_set, text, option, options, plugins))])
    values: list[Value] = list(numbers) if axes == 1 else list(product(numbers, numbers))
    if len(values) > MOST:
        raise RecipeError([Problem(f"sweep {text}: these are {len(values):,} values: at most {MOST:,} are taken")])
    test_sets: list[TestSet] = []
    refused: list[str] = []
    for value in values:
        problems: list[Problem] = []
        with collect_problems(problems):
            test_sets.append(_changed(test_set, spec, options[option], value, plugins))
        if problems:
            reasons = "; ".join(problem.message for problem in problems)
            refused.append(f"{option} {format_value(value)}: {reasons}")
    if refused:
        more = [f"and {len(refused) - SHOWN} more values"] if len(refused) > SHOWN + 1 else []
        shown = [*refused[:SHOWN], *more] if more else refused
        raise RecipeError([Problem(f"sweep {text}: {each}") for each in shown])
    own = spec.options.get(option, None if options[option].required else options[option].default)
    return Plan(
        text=text,
        option=option,
        sampler=spec.name,
        own=own if own in values else None,
        unit=_UNITS.get(option, "") if spec.factory.__module__ == _BUILTIN else "",
        values=tuple(values),
        test_sets=tuple(test_sets),
    )


def plan_all(test_sets: Sequence[TestSet], texts: Sequence[str], picture: int | None = None) -> list[list[Plan]]:
    """Several sweeps of each test set, each of another option, whose sheets show the ``picture`` of that index.

    Raises:
        RecipeError: everything that is wrong with any of them.
    """
    problems: list[Problem] = []
    if picture is not None and not texts:
        problems.append(Problem(f"picture {picture} is that of the sheets of sweeps, and there is no sweep"))
    options = [text.partition("=")[0].strip() for text in texts]
    for option in dict.fromkeys(options):
        if options.count(option) > 1:
            problems.append(Problem(f"{option} is swept twice: one sweep takes several ranges, as in {option}=4..8,12"))
    plans: list[list[Plan]] = []
    for test_set in test_sets:
        plans.append([])
        for text in texts:
            with collect_problems(problems):
                plans[-1].append(plan(test_set, text))
        with collect_problems(problems):
            require_picture(test_set, picture or 0)
    if problems:
        raise RecipeError(dict.fromkeys(problems))
    return plans


def require_picture(test_set: TestSet, index: int) -> None:
    """Raises InpaintkitError where the test set has no picture of that index."""
    count = len(test_set)
    if not 0 <= index < count:
        raise InpaintkitError(f"there is no picture {index}: the {count:,} pictures are 0 to {count - 1}")


def parse(text: str) -> tuple[str, list[Number]]:
    """The option's name and the numbers, rising, each once; exact in decimals.

    Raises:
        RecipeError: everything that cannot be read.

    >>> parse("side=4..16:4")
    ('side', [4, 8, 12, 16])
    >>> parse("ratio=0.1..0.3:0.1,0.8")
    ('ratio', [0.1, 0.2, 0.3, 0.8])
    """
    option, equals, rest = (part.strip() for part in text.partition("="))
    if not option.isidentifier() or not equals or not rest:
        form = "a sweep is written OPTION=FIRST..LAST[:STEP] or OPTION=VALUE,VALUE, as in side=4..16"
        raise RecipeError([Problem(f"sweep {text}: {form}")])
    problems: list[Problem] = []
    values: set[Decimal] = set()
    parts = [part.strip() for part in rest.split(",")]
    for part in parts:
        try:
            values |= set(_part_values(part))
        except OptionError as error:
            problems.append(Problem(f"sweep {text}: {error}"))
    if problems:
        raise RecipeError(problems)
    integers = all("." not in part.replace("..", "") for part in parts)
    return option, [int(value) if integers else float(value) for value in sorted(values)]


def _part_values(part: str) -> list[Decimal]:
    """The values of ``4`` or ``4..16:4``."""
    if re.fullmatch(_NUMBER, part):
        return [Decimal(part)]
    found = _RANGE.fullmatch(part)
    if found is None:
        raise OptionError(f"{part!r} is neither a number nor FIRST..LAST[:STEP]")
    first, last, step = Decimal(found[1]), Decimal(found[2]), Decimal(found[3] or 1)
    if not found[3] and (first % 1 or last % 1):
        raise OptionError(f"{part} needs a step, as in {part}:0.1")
    if step <= 0:
        raise OptionError(f"the step of {part} is {step}: more than 0 is needed")
    if first > last:
        raise OptionError(f"{part} ends before it begins: write {last}..{first}")
    count = int((last - first) / step) + 1
    if count > MOST:
        raise OptionError(f"{part} is {count:,} values: at most {MOST:,} are taken")
    return [first + index * step for index in range(count)]


def format_value(value: Value) -> str:
    """``8``, ``0.25``, ``(-8, 0)``."""
    return f"({value[0]:g}, {value[1]:g})" if isinstance(value, tuple) else f"{value:g}"


def axes_of(value: Value) -> tuple[Number, ...]:
    """The value on each axis: one number, or rows and columns."""
    return value if isinstance(value, tuple) else (value,)


def numeric(expected: Any) -> int:
    """How many numbers an option is: 1, 2 for a pair, 0 for anything else. ``None`` beside them is passed over."""
    expected = bare(expected)
    if is_union(expected):
        members = [member for member in get_args(expected) if member is not NoneType]
        return max(map(numeric, members), default=0)
    if expected in (int, float):
        return 1
    args = get_args(expected)
    pair = get_origin(expected) is tuple and len(args) == 2 and Ellipsis not in args
    return 2 if pair and all(numeric(arg) == 1 for arg in args) else 0


def _changed(test_set: TestSet, spec: Spec[MaskSampler], option: Option, value: Value, plugins: Plugins) -> TestSet:
    """The test set with another value of the option; a mask is drawn to see that it fits into the pictures."""
    structurer = Structurer(plugins)
    structured = structurer.structure(list(value) if isinstance(value, tuple) else value, option.type)
    if structurer.problems or structured is INVALID:
        raise RecipeError(structurer.located())
    changed = attrs.evolve(spec, options={**spec.options, option.name: structured}, source=None)
    opened = TestSet.open(attrs.evolve(test_set.protocol, masks=changed), test_set.images)
    try:
        opened.mask(0)
    except ValueError as error:
        raise InpaintkitError(str(error)) from error
    return opened


def _no_option(test_set: TestSet, text: str, option: str, options: Mapping[str, Option], plugins: Plugins) -> str:
    """That a sampler has no such option, which it has, and who else has this one."""
    name = test_set.protocol.masks.name
    whose = f"sweep {text}: the mask sampler {name!r} of protocol {test_set.protocol.name}"
    known = [each.name for each in options.values() if numeric(each.type)]
    if option in options:
        text = f"{whose} takes for {option} {options[option].annotation}, and no number"
    else:
        text = f"{whose} has no option {option!r}{did_you_mean(option, known)}"
    text += f"; its numbers are {', '.join(known)}" if known else "; it has no numbers"
    others = []
    for entry in plugins.registry.entries("mask sampler"):
        with suppress(InpaintkitError, TypeError):  # of a plugin that is broken
            if any(each.name == option and numeric(each.type) for each in signature_of(entry.load())):
                others.append(entry.name)
    if others:
        text += f"; {option} is an option of {', '.join(others)}{_protocols_with(others, test_set.side, plugins)}"
    return text


def _protocols_with(samplers: Sequence[str], side: int, plugins: Plugins, most: int = 3) -> str:
    """``" (as in objects_center_24)"``: bundled protocols with one of these samplers, those of the same size first."""
    found = []
    for name in bundled("protocol"):
        with suppress(InpaintkitError):  # it names a plugin that is missing here
            protocol = load_protocol(name, plugins)
            if protocol.masks.name in samplers:
                found.append((protocol.size != side, name))
    names = [name for _, name in sorted(found)[:most]]
    return f" (as in the protocols {', '.join(names)})" if names else ""
