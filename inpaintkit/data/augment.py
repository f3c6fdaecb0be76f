"""Augmentation by ``kornia.augmentation``, on the device, in [0, 1]; options are checked against its own signatures."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import EnumMeta
from functools import cache
from typing import Any, Union, get_args, get_origin

import attrs
import torch
from torch import Tensor, nn

from ..core.errors import OptionError, did_you_mean

#: Known to kornia, and no augmentation of pictures in [0, 1]; the reason follows "because".
REFUSED = {
    "Normalize": "pictures stay in [0, 1] here, and methods are given [-1, 1]",
    "Denormalize": "pictures stay in [0, 1] here, and methods are given [-1, 1]",
    "RandomDissolving": "it downloads a diffusion model",
}


@cache
def known() -> dict[str, type[nn.Module]]:
    """kornia's augmentations of single pictures, by name."""
    import kornia.augmentation as kornia  # takes a second or two, and not every recipe augments

    classes = {name: found for name in kornia.__all__ if inspect.isclass(found := getattr(kornia, name))}
    return {
        name: found
        for name, found in classes.items()
        if issubclass(found, kornia.AugmentationBase2D) and "Base2D" not in name and name not in REFUSED
    }


@attrs.frozen
class Augmentation:
    """One step: a class of ``kornia.augmentation`` and its options, as in ``RandomCrop: {size: [160, 160]}``.

    Raises:
        OptionError: kornia has no such class, or it refuses these options; paths begin with ``name``.
    """

    name: str
    options: Mapping[str, Any] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.name in REFUSED:
            raise OptionError(f"{self.name} cannot be used, because {REFUSED[self.name]}", (self.name,))
        if self.name not in known():
            near = did_you_mean(self.name, known()) or f"; it has {', '.join(known())}"
            raise OptionError(f"kornia.augmentation has no {self.name!r} for single pictures{near}", (self.name,))
        self.build()

    @classmethod
    def __structure__(cls, value: object, at: Sequence[str | int], structurer: object) -> Augmentation:
        """``Name`` or ``{Name: {option: value}}``, as recipes write it."""
        if isinstance(value, str):
            return cls(value)
        if not isinstance(value, Mapping) or len(value) != 1:
            raise OptionError("one augmentation is written as `- RandomHorizontalFlip: {p: 0.5}`")
        [(name, options)] = value.items()
        if not isinstance(name, str):
            raise OptionError(f"{name!r} is no name of an augmentation")
        if options is not None and not isinstance(options, Mapping):
            raise OptionError(f"the options of {name} are a mapping, not {options!r}", (name,))
        return cls(name, dict(options or {}))

    def build(self, **instead: object) -> nn.Module:
        """kornia's module, in which some options may be replaced."""
        options = {**_checked(self.name, self.options), **instead}
        try:
            return known()[self.name](**options)
        except Exception as error:  # kornia refuses values in many ways, among them assertions and KeyError
            text = " ".join(str(error).split()) or type(error).__name__
            raise OptionError(f"{self.name} refuses its options: {text}", (self.name,)) from error


def augmenter(augment: Sequence[Augmentation], size: int | tuple[int, int]) -> Callable[[Tensor], Tensor]:
    """All steps in turn: float (B, 3, h, w) in [0, 1] -> (B, 3, height, width) of ``size``, clamped to [0, 1].

    All random draws come from torch's global generators. Without steps nothing happens to pictures of that size.

    Raises:
        OptionError: at call time, where the pictures do not end at ``size``.
    """
    steps = [step.build() for step in augment]
    target = _pair(size)

    def run(pictures: Tensor) -> Tensor:
        with torch.no_grad():
            result = pictures
            for step in steps:
                result = step(result)
        _require_size(result, target, bool(steps))
        return result.clamp(0, 1) if steps else result

    return run


def check_augment(augment: Sequence[Augmentation], input_side: int, size: int | tuple[int, int]) -> None:
    """Runs the steps on two small pictures on the CPU, as they are and with every probability at 1.

    Raises:
        OptionError: a step fails on what reaches it, its path ``(index, name)``; or they do not end at ``size``.
    """
    for always in (False, True):
        pictures = torch.linspace(0.1, 0.9, 2)[:, None, None, None].expand(2, 3, input_side, input_side).contiguous()
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            for at, step in enumerate(augment):
                takes_p = "p" in inspect.signature(known()[step.name]).parameters
                module = step.build(p=1.0) if always and takes_p and step.options.get("p") != 0 else step.build()
                given = _spell(pictures)
                _require_room(step, pictures, at)
                try:
                    pictures = module(pictures)
                except Exception as error:
                    text = " ".join(str(error).split()) or type(error).__name__
                    raise OptionError(f"{step.name} fails on pictures of {given}: {text}", (at, step.name)) from error
                if pictures.ndim != 4 or pictures.shape[:2] != (2, 3) or not pictures.isfinite().all():
                    shape = tuple(pictures.shape)
                    raise OptionError(f"{step.name} turns pictures of {given} into {shape} or NaN", (at, step.name))
        _require_size(pictures, _pair(size), bool(augment))


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _spell(pictures: Tensor) -> str:
    return f"{pictures.shape[-2]}x{pictures.shape[-1]}"


def _require_room(step: Augmentation, pictures: Tensor, at: int) -> None:
    """kornia would enlarge a smaller picture without a word."""
    size, padded = step.options.get("size"), step.options.get("pad_if_needed") or step.options.get("padding")
    if step.name not in ("RandomCrop", "CenterCrop") or padded:
        return
    height, width = _pair(size if isinstance(size, int) else tuple(size or (0, 0)))
    if height > pictures.shape[-2] or width > pictures.shape[-1]:
        message = f"{step.name} of {height}x{width} does not fit into pictures of {_spell(pictures)}"
        raise OptionError(message, (at, step.name, "size"))


def _require_size(pictures: Tensor, size: tuple[int, int], augmented: bool) -> None:
    if pictures.shape[-2:] != size:
        end = "the augmentation ends at" if augmented else "without augmentation the pictures are"
        fix = f"end it with `- Resize: {{size: [{size[0]}, {size[1]}]}}`"
        raise OptionError(f"{end} {_spell(pictures)}, but `size` is {size[0]}x{size[1]}: {fix}")


def _checked(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as kornia wants them (tuples, tensors), or every mistake in them."""
    factory: Any = known()[name]
    parameters = {
        option: parameter
        for option, parameter in inspect.signature(factory).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    try:
        hints = typing.get_type_hints(factory.__init__)
    except (NameError, AttributeError, TypeError):  # a name that kornia imports for type checkers only
        hints = {}
    problems, result = [], {}
    for option, value in options.items():
        if option not in parameters:
            near = did_you_mean(option, parameters) or f"; it takes {', '.join(parameters)}"
            problems.append(OptionError(f"{name} has no option {option!r}{near}", (name, option)))
            continue
        try:
            result[option] = _fit(value, hints.get(option, Any))
            if option in ("p", "p_batch") and not 0 <= value <= 1:
                raise _Misfit("a probability from 0 to 1")
        except _Misfit as misfit:
            expected = misfit.args[0] if misfit.args else _describe(hints[option])
            problems.append(OptionError(f"expected {expected}, not {value!r}", (name, option)))
    for option, parameter in parameters.items():
        if parameter.default is parameter.empty and option not in options:
            expected = f": {_describe(hints[option])}" if option in hints else ""
            problems.append(OptionError(f"{name} requires {option!r}{expected}", (name,)))
    if problems:
        raise OptionError.join(problems)
    return result


class _Misfit(Exception):
    """A value is not of the annotated type; may say better what is expected."""


def _fit(value: Any, expected: Any) -> Any:
    """``value`` as the annotation has it: YAML's lists become tuples and tensors; nothing else is converted."""
    origin, args = get_origin(expected), get_args(expected)
    if origin in (Union, types.UnionType):
        return _fit_any(value, args)
    if expected is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    elif expected is int:
        fits = isinstance(value, int) and not isinstance(value, bool)
    elif expected in (bool, str):
        fits = isinstance(value, expected)
    elif expected is type(None):
        fits = value is None
    elif isinstance(expected, EnumMeta):
        fits = isinstance(value, expected)
    elif expected is Tensor:
        return value if isinstance(value, Tensor) else _tensor(value)
    elif origin in (tuple, list) or (inspect.isclass(origin) and issubclass(origin, Sequence)):
        return _fit_sequence(value, tuple if origin is tuple else list, args)
    else:
        return value  # nothing is known about it
    if not fits:
        raise _Misfit
    return value


def _fit_any(value: Any, members: Sequence[Any]) -> Any:
    names = [name.lower() for member in members if isinstance(member, EnumMeta) for name in member.__members__]
    if names and isinstance(value, str) and value.lower() not in names:
        raise _Misfit(f"one of {', '.join(names)}")
    for member in sorted(members, key=lambda member: member is Tensor):  # a tensor only where no tuple serves
        try:
            return _fit(value, member)
        except _Misfit:
            continue
    raise _Misfit


def _fit_sequence(value: Any, make: type, args: tuple[Any, ...]) -> Any:
    if not isinstance(value, list | tuple):
        raise _Misfit
    if make is tuple and args and args[-1] is not Ellipsis:
        if len(args) > 1 and len(args) != len(value):
            raise _Misfit
        kinds = args if len(args) > 1 else args * len(value)  # Tuple[float] is kornia's way to write "some floats"
    else:
        kinds = (args[0] if args else Any,) * len(value)
    return make(_fit(item, kind) for item, kind in zip(value, kinds, strict=True))


def _tensor(value: Any) -> Tensor:
    try:
        if not isinstance(value, list | tuple | int | float) or isinstance(value, bool):
            raise _Misfit
        return torch.tensor(value, dtype=torch.float32)
    except (ValueError, TypeError) as error:
        raise _Misfit from error


def _describe(expected: Any) -> str:
    origin, args = get_origin(expected), get_args(expected)
    words = {float: "a number", int: "an integer", bool: "true or false", str: "a string", type(None): "null"}
    if origin in (Union, types.UnionType):
        members = list(dict.fromkeys(_describe(member) for member in args if not isinstance(member, EnumMeta)))
        return " or ".join(members)
    if expected is Tensor:
        return "numbers"
    if origin is tuple and len(args) > 1 and args[-1] is not Ellipsis:
        return f"[{', '.join(_describe(arg) for arg in args)}]"
    if origin is not None:
        return f"a list of {_describe(args[0])}" if args else "a list"
    return words.get(expected, getattr(expected, "__name__", str(expected)))
