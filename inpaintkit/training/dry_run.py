"""One step of every stage without memory or data: what does not fit together is found in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import InpaintkitError, OptionError, Path, Problem, RecipeError, did_you_mean
from ..core.interfaces import Batch, Method
from ..core.plugins import installed
from ..data import check_augment
from ..recipe import DataOptions, Recipe
from ..runtime import generator
from .validation import validation_metrics


def check_steps(recipe: Recipe) -> Method:
    """Takes one step of each stage with the recipe's method on the meta device; returns the method.

    Raises:
        RecipeError: constructors refused values, augmentation does not end at ``size``, masks do not fit into the
            pictures, or shapes do not fit in a module, which is named with what it was given.
    """
    problems: list[Problem] = []
    method: Method | None = None
    try:
        method = recipe.method_on_meta
    except RecipeError as error:
        problems += error.problems
    mask = None
    if recipe.data is not None:
        problems += augmentation_problems(recipe, recipe.data)
    if recipe.data is not None and recipe.masks is not None:
        try:
            mask = recipe.masks.build()(1, recipe.data.frame, generator(0))
        except RecipeError as error:
            problems += error.problems
        except InpaintkitError as error:
            problems.append(placed(recipe, str(error), ("masks",)))
    if method is not None and mask is not None and recipe.data is not None:
        image = torch.empty(recipe.data.batch, 3, *recipe.data.frame, device="meta")
        batch = Batch(image, mask.to("meta").expand(recipe.data.batch, -1, -1, -1))
        problems += unknown_views(recipe, method, batch) or [
            placed(recipe, text, ("method",)) for text in failing_steps(method, batch)
        ]
    try:
        validation_metrics(recipe.validate, installed(), recipe.validate.images)
    except OptionError as error:
        problems.append(placed(recipe, str(error), error.path))
    if method is not None:
        problems += missing_parts(recipe, method)
    if problems or method is None:
        raise RecipeError(problems)
    return method


def missing_parts(recipe: Recipe, method: Method) -> list[Problem]:
    """What a method that is trained cannot do without, and a method whose networks nothing would train."""
    if method.steps:
        lacking = [key for key in ("data", "masks") if getattr(recipe, key) is None]
        return [placed(recipe, f"missing {key!r}: this method is trained", ()) for key in lacking]
    if recipe.init_from is None and any(parameter.requires_grad for parameter in method.parameters()):
        text = "this method has networks to train, but no training steps: give it stages, or init_from"
        return [placed(recipe, text, ("method",))]
    return []


def augmentation_problems(recipe: Recipe, data: DataOptions) -> list[Problem]:
    """Tries the augmentation on two small pictures, where `prepare:` says how large its input is."""
    side = data.prepare.tiles or data.prepare.crop or data.prepare.short_side
    if side is None:  # known once the pictures are read
        return []
    try:
        check_augment(data.augment, side, data.size)
    except OptionError as error:
        return [placed(recipe, str(error), ("data", "augment", *error.path))]
    return []


def unknown_views(recipe: Recipe, method: Method, batch: Batch) -> list[Problem]:
    """The views that terms read and the method does not draw, all of them."""
    terms = method.terms()
    if not terms:
        return []
    try:
        drawn = method.train().sample(batch).views
    except Exception:  # the training steps that are tried next report it
        return []
    known = sorted({"image", "masked", *drawn})
    return [
        placed(
            recipe,
            f"no view {view!r}{did_you_mean(view, known)}: there are {', '.join(known)}",
            ("method", *place, option),
        )
        for place, term in terms.items()
        for option, views in term.views.items()
        for view in views
        if view not in known
    ]


def placed(recipe: Recipe, message: str, path: Path) -> Problem:
    return Problem(message, path, str(recipe.source.find(path)))


def failing_steps(method: Method, batch: Batch) -> list[str]:
    """What went wrong in one step of each stage, a line each; the same fault in two stages is told once."""
    told: dict[str, list[str]] = {}
    method.train()
    for stage, step in method.trial_steps().items():
        stack: list[tuple[nn.Module, str]] = []
        try:
            with watching(stack):
                method.training_step(batch, step)
        except Exception as error:
            told.setdefault(describe(error, method, stack), []).append(stage)
    return [f"stage {' and '.join(repr(stage) for stage in stages)}: {fault}" for fault, stages in told.items()]


def describe(error: Exception, method: Method, stack: list[tuple[nn.Module, str]]) -> str:
    """The innermost module that was at work, what it was given, and what it said."""
    said = str(error.args[0] if isinstance(error, KeyError) else error).strip().splitlines()
    names = {module: name for name, module in method.named_modules()}
    text = said[0] if said else type(error).__name__
    inner = next(((module, given) for module, given in reversed(stack) if module in names), None)
    if inner is None or isinstance(error, InpaintkitError):
        return text
    module, given = inner
    kind = type(module).__name__ if any(module.children()) else repr(module)  # a layer tells what it takes
    return f"{names[module] or 'the method'} ({kind}), given {given}: {text}"


@contextmanager
def watching(stack: list[tuple[nn.Module, str]]) -> Iterator[None]:
    """Keeps the modules whose forward is under way on ``stack``; one that failed stays there."""

    def enter(module: nn.Module, inputs: Any) -> None:
        shapes = [str(list(value.shape)) if isinstance(value, Tensor) else type(value).__name__ for value in inputs]
        stack.append((module, " and ".join(shapes)))

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        stack.pop()

    hooks = [
        nn.modules.module.register_module_forward_pre_hook(enter),
        nn.modules.module.register_module_forward_hook(leave),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
