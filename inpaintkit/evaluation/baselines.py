"""The baselines of an evaluation: methods that need no training here, measured on the same pictures as the method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import torch

from ..core.config.bundled import bundled
from ..core.errors import InpaintkitError, Problem, RecipeError
from ..core.interfaces import Method
from ..core.plugins import Plugins, installed
from ..recipe import Recipe, load_recipe
from ..runs import load
from .results import Row

MEAN_COLOR = "mean-color"


@attrs.frozen
class Baselines:
    """What the sources of baselines became.

    Attributes:
        loaded: a row without numbers and its method, for each one that can be used.
        missing: why the others cannot, by their sources.
    """

    loaded: tuple[tuple[Row, Method], ...]
    missing: Mapping[str, str]


def load_baselines(
    sources: Sequence[str], device: str | torch.device = "cpu", plugins: Plugins | None = None
) -> Baselines:
    """The methods of recipes that need no training, or that come with weights; without sources the mean color.

    One that cannot be loaded ends nothing: an evaluation goes on without it and says so.
    """
    plugins = plugins or installed()
    if not sources:
        mean_color = plugins.registry.get("method", MEAN_COLOR).load()()
        return Baselines(((Row("mean color", MEAN_COLOR, training_seeds=0), mean_color),), {})
    loaded: list[tuple[Row, Method]] = []
    missing: dict[str, str] = {}
    for source in dict.fromkeys(sources):
        try:
            recipe = load_recipe(source, plugins=plugins)
            row = Row(source if source in bundled(plugins=plugins) else recipe.name, recipe.method.name)
            method = load(source, device, plugins)
        except InpaintkitError as error:
            missing[source] = one_line(error)
            continue
        loaded.append((attrs.evolve(row, training_seeds=0 if recipe.weights is None else None), method))
    return Baselines(tuple(loaded), missing)


def baseline_problems(recipe: Recipe, plugins: Plugins | None = None) -> list[Problem]:
    """What is wrong with the baselines of a recipe: unknown, to be trained, of a missing plugin, or given twice."""
    missing = load_baselines(recipe.baselines, plugins=plugins).missing
    problems = []
    for at, source in enumerate(recipe.baselines):
        path = ("baselines", at)
        if source in recipe.baselines[:at]:
            problems.append(Problem(f"{source} is given twice", path))
        elif source in missing:
            reason = missing[source]
            problems.append(Problem(reason if source in reason else f"{source}: {reason}", path))
    return problems


def one_line(error: InpaintkitError) -> str:
    """What an error says, in one line and without places in files."""
    problems = error.problems if isinstance(error, RecipeError) else ()
    return "; ".join(problem.message for problem in problems) or " ".join(str(error).split())
