"""Reads ``side=4..16`` as values of an option of a protocol's mask sampler, and opens a test set for each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import product

import attrs

from inpaintkit.core.config.bundled import bundled
from inpaintkit.core.config.schema import Option, signature_of
from inpaintkit.core.config.structure import Structurer
from inpaintkit.core.errors import InpaintkitError, OptionError, Problem, RecipeError, did_you_mean
from inpaintkit.core.plugins import Plugins, installed
from inpaintkit.evaluation import TestSet, load_protocol

from .candidates import collect_problems

Number = int | float
Value = Number | tuple[Number, Number]  # of an option that is one number, or a pair: rows and columns

MOST = 1000  # values of a sweep
SHOWN = 5  # refused values that a message names
_NUMBER = r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)"
_RANGE = re.compile(rf"({_NUMBER})(?:\s*\.\.\s*({_NUMBER})(?:\s*:\s*({_NUMBER}))?)?")
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
        own: the protocol's own value; None where that is not one of the values.
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

    @property
    def axes(self) -> tuple[list[Number], ...]:
        """The values on each axis, rising."""
        return tuple(sorted(set(axis)) for axis in zip(*map(axes_of, self.values), strict=True))


def plan(test_set: TestSet, text: str, plugins: Plugins | None = None) -> Plan:
    """Reads what to sweep, and tries every value.

    Args:
        test_set: of the protocol whose mask sampler is changed; its pictures are shared.
        text: ``option=first..last``, ``option=first..last:step`` or ``option=4,8,12``, also mixed. The default step is
            1. For an option that is a pair of numbers these are the values on both axes.

    Raises:
        RecipeError: the text cannot be read, the protocol's sampler has no such option of numbers, or it refuses
            values; all of them.
    """
    name, numbers = parse(text)
    plugins = plugins or installed()
    spec = test_set.protocol.masks
    option = next((each for each in signature_of(spec.factory) if each.name == name), None)
    axes = _axis_count(option, plugins) if option else 0
    if option is None or not axes:
        raise RecipeError([Problem(f"sweep {text}: {_no_option(test_set, name, option, plugins)}")])
    values: list[Value] = list(numbers) if axes == 1 else list(product(numbers, numbers))
    if len(values) > MOST:
        raise RecipeError([Problem(f"sweep {text}: these are {len(values):,} values: at most {MOST:,} are taken")])
    test_sets: list[TestSet] = []
    refused: list[str] = []
    for value in values:
        problems: list[Problem] = []
        with collect_problems(problems):
            test_sets.append(_changed(test_set, option, value, plugins))
        if problems:
            reasons = "; ".join(problem.message for problem in problems)
            refused.append(f"{name} {format_value(value)}: {reasons}")
    if refused:
        if len(refused) > SHOWN + 1:
            refused[SHOWN:] = [f"and {len(refused) - SHOWN} more values"]
        raise RecipeError([Problem(f"sweep {text}: {each}") for each in refused])
    own = spec.options.get(name, None if option.required else option.default)
    return Plan(
        text=text,
        option=name,
        sampler=spec.name,
        own=own if own in values else None,
        unit=_UNITS.get(name, "") if spec.factory.__module__ == _BUILTIN else "",
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
        with collect_problems(problems, f"sweep {text}"):
            values |= set(_part_values(part))
    if problems:
        raise RecipeError(problems)
    integers = all("." not in part.replace("..", "") for part in parts)
    return option, [int(value) if integers else float(value) for value in sorted(values)]


def _part_values(part: str) -> list[Decimal]:
    """The values of ``4`` or ``4..16:4``."""
    found = _RANGE.fullmatch(part)
    if found is None:
        raise OptionError(f"{part!r} is neither a number nor FIRST..LAST[:STEP]")
    first, last, step = Decimal(found[1]), Decimal(found[2] or found[1]), Decimal(found[3] or 1)
    if found[2] and not found[3] and (first % 1 or last % 1):
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


def _axis_count(option: Option, plugins: Plugins) -> int:
    """How many numbers an option is: 1, 2 for a pair, 0 for anything else."""
    fitting = []
    for count, value in ((1, 1), (2, [1, 1]), (3, [1, 1, 1])):
        structurer = Structurer(plugins)
        structurer.structure(value, option.type)
        if all(problem.kind == "value" for problem in structurer.problems):
            fitting.append(count)
    return 1 if 1 in fitting else 2 if fitting == [2] else 0


def _changed(test_set: TestSet, option: Option, value: Value, plugins: Plugins) -> TestSet:
    """The test set with another value of the option; a mask is drawn to see that it fits into the pictures."""
    structurer = Structurer(plugins)
    structured = structurer.structure(list(value) if isinstance(value, tuple) else value, option.type)
    if structurer.problems:
        raise RecipeError(structurer.problems)
    spec = test_set.protocol.masks
    changed = attrs.evolve(spec, options={**spec.options, option.name: structured}, source=None)
    opened = TestSet.open(attrs.evolve(test_set.protocol, masks=changed), test_set.images)
    try:
        opened.mask(0)
    except ValueError as error:
        raise InpaintkitError(str(error)) from error
    return opened


def _no_option(test_set: TestSet, name: str, option: Option | None, plugins: Plugins) -> str:
    """Says which numbers the mask sampler has, and which other samplers and protocols have this option."""
    numbers: dict[str, list[str]] = {}
    for entry in plugins.registry.entries("mask sampler"):
        with suppress(InpaintkitError, TypeError):  # of a plugin that is broken
            numbers[entry.name] = [one.name for one in signature_of(entry.load()) if _axis_count(one, plugins)]
    protocol = test_set.protocol
    known = numbers.get(protocol.masks.name, [])
    text = f"the mask sampler {protocol.masks.name!r} of protocol {protocol.name} "
    if option is None:
        text += f"has no option {name!r}{did_you_mean(name, known)}"
    else:
        text += f"takes for {name} {option.annotation}, and no number"
    text += f"; its numbers are {', '.join(known)}" if known else "; it has no numbers"
    others = [other for other, options in numbers.items() if name in options]
    if not others:
        return text
    protocols = []
    for other in bundled("protocol"):
        with suppress(InpaintkitError):  # it names a plugin that is missing here
            loaded = load_protocol(other, plugins)
            if loaded.masks.name in others:
                protocols.append((loaded.frame != test_set.frame, other))
    names = ", ".join(other for _, other in sorted(protocols)[:3])  # those of the same size first
    return f"{text}; {name} is an option of {', '.join(others)}" + (f" (as in the protocols {names})" if names else "")
