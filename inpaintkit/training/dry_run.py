"""The check of a recipe without data: one step of each stage on the meta device, which computes shapes only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from ..core.config.spec import located, problems_of
from ..core.errors import InpaintkitError, Problem, did_you_mean
from ..core.interfaces import Batch, Method
from ..core.plugins import installed
from ..data import check_augment
from ..recipe import Recipe
from ..runtime import generator
from .validation import validation_metrics


def check_steps(recipe: Recipe) -> list[Problem]:
    """What a step of each stage, taken with the recipe's method on the meta device, shows to be wrong.

    Constructors refuse values, augmentation does not end at ``size``, masks do not fit into the pictures, the method
    does not draw a view that a term reads, or shapes do not fit in a module, which is named with its input.
    """
    problems: list[Problem] = []

    @contextmanager
    def collected(*path: str) -> Iterator[None]:
        """What fails inside is a problem of this part of the recipe; the checks of other parts go on."""
        try:
            yield
        except InpaintkitError as error:
            problems.extend(problems_of(error, path))

    method: Method | None = None
    mask: Tensor | None = None
    data = recipe.data
    with collected("method"):
        method = recipe.method_on_meta
    if data is not None:
        if data.prepare.side is not None:  # otherwise it is known once the pictures are read
            with collected("data", "augment"):
                check_augment(data.augment, data.prepare.side, data.frame)
        if recipe.masks is not None:
            with collected("masks"):
                mask = recipe.masks.build()(1, data.frame, generator(0))
    if method is not None and data is not None and mask is not None:
        image = torch.empty(data.batch, 3, *data.frame, device="meta")
        batch = Batch(image, mask.to("meta").expand(data.batch, -1, -1, -1))
        problems += unknown_views(method, batch) or [
            Problem(text, ("method",)) for text in failing_steps(method, batch)
        ]
    with collected():
        validation_metrics(recipe.validate, installed(), recipe.validate.images)
    if method is not None and method.steps:
        missing = [key for key in ("data", "masks") if getattr(recipe, key) is None]
        problems += [Problem(f"missing {key!r}: this method is trained") for key in missing]
    elif method is not None and recipe.init_from is None and any(each.requires_grad for each in method.parameters()):
        text = "this method has networks to train, but no training steps: give it stages, or init_from"
        problems.append(Problem(text, ("method",)))
    return [located(problem, recipe.source) for problem in problems]


def unknown_views(method: Method, batch: Batch) -> list[Problem]:
    """The views that terms read and the method does not draw."""
    try:
        drawn = method.train().sample(batch).views
    except Exception:  # the training steps that are tried next report it
        return []
    known = sorted({"image", "masked", *drawn})
    return [
        Problem(
            f"no view {view!r}{did_you_mean(view, known)}: there are {', '.join(known)}", ("method", *place, option)
        )
        for place, term in method.terms().items()
        for option, views in term.views.items()
        for view in views
        if view not in known
    ]


def failing_steps(method: Method, batch: Batch) -> list[str]:
    """One line for each error that a step of each stage raises, with the stages that raise it."""
    stages: dict[str, list[str]] = {}  # by error
    names = {module: name for name, module in method.named_modules()}
    failed: list[tuple[nn.Module, Any]] = []  # modules and their inputs, the innermost first

    def record(module: nn.Module, inputs: Any, output: Any) -> None:
        if output is None and module in names:  # it raised an exception
            failed.append((module, inputs))

    method.train()
    hook = register_module_forward_hook(record, always_call=True)
    try:
        for stage, step in method.trial_steps().items():
            failed.clear()
            try:
                method.training_step(batch, step)
            except Exception as error:
                text = first_line(error)
                if failed and not isinstance(error, InpaintkitError):
                    module, inputs = failed[0]
                    text = f"{describe(module, names[module], inputs)}: {text}"
                stages.setdefault(text, []).append(stage)
    finally:
        hook.remove()
    return [f"stage {' and '.join(map(repr, where))}: {text}" for text, where in stages.items()]


def first_line(error: Exception) -> str:
    lines = str(error.args[0] if isinstance(error, KeyError) else error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def describe(module: nn.Module, name: str, inputs: tuple[object, ...]) -> str:
    """``generator.out (Conv2d(8, 3, kernel_size=(3, 3))), given [4, 16, 32, 32]``."""
    kind = type(module).__name__ if any(module.children()) else repr(module)  # a layer's repr holds its shape
    shapes = [str(list(value.shape)) if isinstance(value, Tensor) else type(value).__name__ for value in inputs]
    return f"{name or 'the method'} ({kind}), given {' and '.join(shapes)}"
