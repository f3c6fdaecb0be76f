"""Who takes part in a comparison: runs, checkpoints and recipes become rows; runs that differ in their seed are one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch

from ..core.config.bundled import bundled
from ..core.errors import InpaintkitError, OptionError, Problem, RecipeError, did_you_mean
from ..core.interfaces import Method
from ..core.plugins import Plugins
from ..recipe import DataOptions, Recipe, build_method, load_recipe
from ..runs import Run, checkpoint, load

#: Keys of a recipe in which two runs may differ and still be runs of one recipe: none of them changes what is learned.
INDIFFERENT = ("name", "paper", "description", "requires", "seed", "validate", "evaluate", "run")
INDIFFERENT_DATA = ("test", "strict", "cache")

Given = str | Path | Mapping[str, Method]


@attrs.frozen(eq=False)
class Candidate:
    """One row of a comparison: a method, trained once or several times.

    Attributes:
        name: of the row.
        kind: the registered name of the method; the class of one that was given as an object.
        sources: one recipe or run of an untrained method; or checkpoints of one recipe that differ in their seed only.
            None for a method that was given as an object.
        seeds: the training seeds, one for each source; none for a method without training, or of unknown origin.
        steps: of training, behind each checkpoint.
        training_seconds: the mean over the runs.
        stochastic: the method draws at random.
        size: the one side that the method can work at.
        data: ``data:`` of the first source's recipe.
        trained: whether the method has training steps.
    """

    name: str
    kind: str
    sources: tuple[Path | str, ...]
    seeds: tuple[int, ...] = ()
    steps: int = 0
    training_seconds: float | None = None
    stochastic: bool = False
    size: int | None = None
    data: DataOptions | None = None
    trained: bool = False
    method: Method | None = attrs.field(default=None, repr=False)
    plugins: Plugins | None = attrs.field(default=None, repr=False)

    @property
    def count(self) -> int:
        """How many methods the row stands on: the number of training runs, or 1."""
        return len(self.sources) or 1

    @property
    def training_seeds(self) -> int | None:
        """As in ``results.Row``: 0 for a method that is not trained, None for one of unknown origin."""
        return None if self.trained and not self.seeds else len(self.seeds)

    def load(self, at: int = 0, device: torch.device | str = "cpu") -> Method:
        """The method of ``sources[at]``, ready to fill holes.

        Raises:
            InpaintkitError: what it was gathered from has changed since.
        """
        if self.method is not None:
            return self.method.to(device)
        return load(self.sources[at], device, self.plugins)


@attrs.frozen(eq=False)
class _Found:
    """One source, looked at."""

    given: str
    label: str
    recipe: Recipe
    source: Path | str
    method: Method  # for its declarations: its weights are dropped with it
    folder: Path | None = None  # of a run
    state: Mapping[str, Any] | None = None  # of a checkpoint; None for an untrained method
    total: int = 0  # steps that the recipe asks for

    @property
    def key(self) -> str:
        """What runs of one recipe agree in."""
        state = self.state or {}
        return json.dumps([recipe_key(self.recipe), state.get("step"), state.get("images")], default=str)

    @property
    def own_name(self) -> str:
        if self.folder is None:
            return self.recipe.name
        name = self.folder.resolve().name
        steps = (self.state or {}).get("step", self.total)
        return name if steps == self.total or not self.total else f"{name} ({steps} of {self.total} steps)"


def load_candidates(sources: Iterable[Given], plugins: Plugins | None = None) -> list[Candidate]:
    """The rows of a comparison, in the order in which their first sources stand.

    Args:
        sources: run folders, checkpoints in them, and recipes of untrained methods (files or bundled names), each also
            as ``LABEL=SOURCE`` to name its row; or mappings of names to methods. Runs whose recipes agree in all but
            the seed, and which have done the same number of steps on the same pictures, become one row; two labels
            keep them apart, and one without a label joins the first row of its recipe.

    Raises:
        RecipeError: everything that is wrong with any of them.
    """
    problems: list[Problem] = []
    rows: list[list[_Found] | Candidate] = []
    seen: set[str] = set()
    for given in sources:
        if isinstance(given, Mapping):
            rows += [_object(name, method, problems) for name, method in given.items()]
            continue
        try:
            found = _look(str(given), plugins)
        except RecipeError as error:
            prefixed = [attrs.evolve(one, message=f"{given}: {one.message}") for one in error.problems]
            problems += [one if one.where else named for one, named in zip(error.problems, prefixed, strict=True)]
        except (InpaintkitError, OSError) as error:
            told = str(error)
            problems.append(Problem(told if told.startswith(str(given)) else f"{given}: {told}"))
        else:
            if found.state is None and not found.label and str(given) in seen:  # of runs, the seeds tell
                problems.append(
                    Problem(f"{given} is given twice: a name before it makes a second row, as in A={given}")
                )
            seen.add(str(given))
            _place(found, rows)
    if not rows and not problems:
        problems.append(Problem("nothing to compare: name runs, or recipes of untrained methods"))
    problems += [problem for row in rows if isinstance(row, list) for problem in _repeated(row)]
    candidates = [row if isinstance(row, Candidate) else _candidate(row, plugins) for row in rows]
    labelled = [isinstance(row, Candidate) or any(one.label for one in row) for row in rows]
    candidates = _distinct(candidates, labelled, problems)
    if problems:
        raise RecipeError(problems)
    return candidates


def recipe_key(recipe: Recipe) -> dict[str, Any]:
    """The part of a recipe that decides what is learned, seed apart."""
    tree = {key: value for key, value in recipe.tree.items() if key not in INDIFFERENT}
    if isinstance(data := tree.get("data"), Mapping):
        tree["data"] = {key: value for key, value in data.items() if key not in INDIFFERENT_DATA}
    return dict(sorted(tree.items()))


def _look(given: str, plugins: Plugins | None) -> _Found:
    label, text = _split(given)
    path = Path(text)
    if not path.exists() and text not in (names := bundled()):
        raise InpaintkitError(
            f"there is no such run, checkpoint, recipe file or bundled recipe{did_you_mean(text, names)}"
        )
    if not path.is_dir():
        recipe = load_recipe(text, plugins=plugins)
        return _Found(given, label, recipe, text, load(text, plugins=plugins))
    chosen = path if (path / checkpoint.STATE).is_file() else None
    run = Run(path.resolve().parent.parent if chosen else path)
    recipe = run.recipe(plugins)
    with torch.device("meta"):
        total = build_method(recipe).steps
    if not total and recipe.init_from is None:
        return _Found(given, label, recipe, path, load(path, plugins=plugins), run.folder)
    if chosen is not None:
        state = checkpoint.read_state(chosen)
    else:
        chosen, state, damaged = checkpoint.latest(run.checkpoints)
        if damaged:  # an older checkpoint would be another method under the same name
            raise InpaintkitError(f"{'; '.join(damaged)}; to compare an older checkpoint name it: {chosen}")
    method = load(chosen, plugins=plugins)
    return _Found(given, label, recipe, chosen, method, run.folder, state, total)


def _split(given: str) -> tuple[str, str]:
    """``LABEL=SOURCE`` in two; a path that exists is never split."""
    label, equals, source = given.partition("=")
    if not equals or Path(given).exists():
        return "", given
    if not label.strip() or not source:
        raise OptionError("a named row is written LABEL=SOURCE")
    return label.strip(), source


def _place(found: _Found, rows: list[list[_Found] | Candidate]) -> None:
    """Into the row of its recipe, or a new one."""
    for group in rows:
        if isinstance(group, Candidate):
            continue
        labels = {one.label for one in group} - {""}
        fits = not found.label or not labels or labels == {found.label}
        if found.state is not None and group[0].key == found.key and fits:
            group.append(found)
            return
    rows.append([found])


def _repeated(group: Sequence[_Found]) -> list[Problem]:
    """Runs of one row that share a seed: the same numbers twice, or nearly, are not two seeds."""
    problems: list[Problem] = []
    seen: dict[int, str] = {}
    for one in group:
        if one.recipe.seed in seen:
            problems.append(
                Problem(
                    f"{seen[one.recipe.seed]} and {one.given} are runs of one recipe with the same seed "
                    f"{one.recipe.seed}, and no two seeds: leave one out, or name two rows with A=... and B=..."
                )
            )
        seen.setdefault(one.recipe.seed, one.given)
    return problems


def _candidate(group: Sequence[_Found], plugins: Plugins | None) -> Candidate:
    first = group[0]
    states = [one.state for one in group if one.state is not None]
    took = [float(state["seconds"]) for state in states if isinstance(state.get("seconds"), int | float)]
    label = next((one.label for one in group if one.label), "")
    own = first.own_name if len(group) == 1 else first.recipe.name
    return Candidate(
        name=label or own,
        kind=first.recipe.method.name,
        sources=tuple(one.source for one in group),
        seeds=tuple(one.recipe.seed for one in group if one.state is not None),
        steps=states[0]["step"] if states else 0,
        training_seconds=sum(took) / len(took) if took and len(took) == len(group) else None,
        stochastic=first.method.randomness == "always",
        size=first.method.size,
        data=first.recipe.data,
        trained=bool(states),
        plugins=plugins,
    )


def _object(name: str, method: Method, problems: list[Problem]) -> Candidate:
    if not isinstance(method, Method):
        problems.append(Problem(f"{name}: {type(method).__name__} is no Method"))
        return Candidate(name, "", ())
    trained = method.steps > 0
    kind = type(method).__name__
    stochastic = method.randomness == "always"
    return Candidate(name, kind, (), stochastic=stochastic, size=method.size, trained=trained, method=method)


def _distinct(candidates: Sequence[Candidate], labelled: Sequence[bool], problems: list[Problem]) -> list[Candidate]:
    """The names told apart: a name that was given is kept and may stand once, others are numbered."""
    taken: set[str] = set()
    for candidate, fixed in zip(candidates, labelled, strict=True):
        if fixed and candidate.name in taken:
            problems.append(Problem(f"two rows are named {candidate.name!r}, and they are not runs of one recipe"))
        if fixed:
            taken.add(candidate.name)
    named = []
    for candidate, fixed in zip(candidates, labelled, strict=True):
        name, number = candidate.name, 2
        while not fixed and name in taken:
            name, number = f"{candidate.name} ({number})", number + 1
        taken.add(name)
        named.append(attrs.evolve(candidate, name=name))
    return named
