"""Properties of all components: the signature is a schema for recipes, and the component builds."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from torch import nn

from ..core.config.checks import is_union
from ..core.config.schema import KIND_OF, MAPPINGS, SEQUENCES, SignatureError, describe, label_of, signature_of
from ..core.config.structure import Spec, Structurer
from ..core.errors import listed, short_repr
from ..core.interfaces import Method
from ..core.registry import with_article
from .component import Component, doing, require, set_up

SCALARS = (bool, int, float, str, Path, None, type(None))


def options_are_typed(component: Component) -> None:
    """Every option is annotated with a type that a recipe can write, and has a valid default and a description."""
    factory = component.factory
    problems = signature_problems(factory)
    if not problems:
        for option in signature_of(factory):
            at = f"option {option.name!r}"
            if option.type in (Any, object):
                problems.append(f"{at} is not annotated: the annotation is the schema of the option in recipes")
                continue
            found = unfillable(option.type, at, ())
            problems += found
            if not found and not option.required and is_plain(option.default):
                structurer = Structurer(component.plugins)
                structurer.structure(option.default, option.type)
                if structurer.problems:
                    message = f"its default {short_repr(option.default)} does not match its annotation"
                    problems.append(f"{at}: {message} ({option.annotation})")
    names = [option.name for option in signature_of(factory)] if not problems else []
    if not has_docstring(factory):
        problems.append("it has no docstring of its own: `inpaintkit show` prints it with the signature")
    if names:
        unknown = [name for name in getattr(factory, "training_only", ()) if name not in names]
        problems += [
            f"training_only names {name!r}, which is not an option; the options are {listed(names, 8)}"
            for name in unknown
        ]
    require(not problems, "\n" + "\n".join(problems))


def signature_problems(factory: Callable[..., Any]) -> list[str]:
    """The reasons why a signature cannot be read as a schema."""
    if isinstance(factory, type) and not own_constructor(factory):  # no options
        return []
    try:
        options = signature_of(factory)
        parameters = inspect.signature(factory).parameters
    except SignatureError as error:
        return [str(error)]
    unpacked = any(option.name not in parameters for option in options)  # **options: Unpack[a TypedDict]
    return [
        f"{'*' if each.kind is each.VAR_POSITIONAL else '**'}{each.name} hides options: declare each one, annotated"
        for each in parameters.values()
        if each.kind is each.VAR_POSITIONAL
        or (each.kind is each.VAR_KEYWORD and not unpacked and not is_torchmetric(factory))
    ]


def is_torchmetric(factory: Callable[..., Any]) -> bool:
    """Whether it is a class of torchmetrics, whose ``**kwargs`` only configure synchronization of processes."""
    return isinstance(factory, type) and any(base.__module__.startswith("torchmetrics.") for base in factory.__mro__)


def unfillable(expected: Any, at: str, above: tuple[Any, ...]) -> list[str]:
    """Problems with parts of an annotation for which a recipe cannot write a value.

    Args:
        expected: the annotation.
        at: where it is, for messages.
        above: the classes whose options contain it, which may be recursive.
    """
    origin, args = get_origin(expected), get_args(expected)
    container = origin or expected
    if expected in (Any, object, *SCALARS) or origin is Literal or expected in KIND_OF:
        return []
    if hasattr(expected, "__structure__") or expected is Spec:
        return []
    if origin is Annotated:
        return unfillable(args[0], at, above)
    if is_union(expected) or origin is Spec or container in (*MAPPINGS, *SEQUENCES):
        return [problem for arg in args if arg is not Ellipsis for problem in unfillable(arg, at, above)]
    is_class = isinstance(container, type) and container.__module__ != "builtins" and not inspect.isabstract(container)
    if not is_class or not own_constructor(container):
        kinds = ", ".join(kind.__name__ for kind in KIND_OF)
        return [
            f"{at} is annotated {describe(expected)}, for which a recipe cannot write a value: use numbers, strings, "
            f"Literal, Path, lists, mappings, an attrs class of these, or an interface ({kinds})"
        ]
    if container in above:
        return []
    inside = f"{at}: {label_of(container)}"
    problems = [f"{inside}: {problem}" for problem in signature_problems(container)]
    if problems:
        return problems
    for option in signature_of(container):
        if option.type in (Any, object):
            problems.append(f"{inside}.{option.name} is not annotated")
        problems += unfillable(option.type, f"{inside}.{option.name}", (*above, container))
    return problems


def own_constructor(factory: type) -> bool:
    """Whether a class has a constructor other than that of ``object`` or ``nn.Module``."""
    return factory.__init__ not in (object.__init__, nn.Module.__init__)  # type: ignore[misc]


def is_plain(value: Any) -> bool:
    """Whether a recipe can contain this value."""
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(is_plain(item) for item in value.values())
    return value is None or type(value) in (bool, int, float, str)


def has_docstring(factory: Callable[..., Any]) -> bool:
    """Whether a class or function has a docstring that is neither inherited nor generated."""
    text = vars(factory).get("__doc__") if isinstance(factory, type) else factory.__doc__
    generated = f"{label_of(factory).rpartition('.')[2]}("  # the docstring that a dataclass generates
    return bool(text and text.strip()) and not str(text).startswith(generated)


def builds(component: Component) -> None:
    """It builds with its defaults or the given options, has the interface of its kind, and ``setup`` succeeds."""
    kind, name = component.entry.kind, component.entry.name
    try:
        options = signature_of(component.factory)
    except SignatureError as error:
        require(False, f"{error}")
    missing = [option for option in options if option.required and option.name not in component.options]
    needed = ", ".join(f"{option.name!r}: {option.annotation}" for option in missing)
    require(
        not missing,
        f"it has required options without values. Give the values for the tests:\n"
        f"    conformance(..., options={{{name!r}: {{{needed}}}}})",
    )
    made = component.construct()
    if kind in ("generator", "discriminator", "loss", "objective", "augmentation"):
        require(isinstance(made, nn.Module), f"it is a {type(made).__name__}, not a torch.nn.Module")
    needs = {
        "objective": ("generator", "critic"),
        "metric": ("update", "compute"),
        "mask sampler": ("__call__",),
        "observer": ("started", "logged", "evaluated", "ended"),
    }
    absent = [method for method in needs.get(kind, ()) if not callable(getattr(made, method, None))]
    require(not absent, f"it does not define {' and '.join(absent)}: {with_article(kind)} needs them")
    if kind == "method":
        require(isinstance(made, Method), f"it is a {type(made).__name__}, not an inpaintkit.Method")
    with doing("setup()"):
        set_up(made, kind)
