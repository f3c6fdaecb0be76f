"""The methods of a comparison: runs, checkpoints and recipes become rows; runs that differ in their seed share one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import attrs
import torch

from inpaintkit.components.blending import PoissonBlended
from inpaintkit.core.config.bundled import bundled
from inpaintkit.core.errors import InpaintkitError, OptionError, Problem, RecipeError, did_you_mean
from inpaintkit.core.interfaces import Method
from inpaintkit.core.plugins import Plugins
from inpaintkit.recipe import DataOptions, Recipe, load_recipe
from inpaintkit.runs import Run, checkpoint, has_weights, load

#: Keys of a recipe that do not change what is learned: two runs may differ in them and still share a row.
IGNORED = ("name", "paper", "description", "requires", "seed", "validate", "evaluate", "baselines", "run")
IGNORED_DATA = ("test", "strict", "cache")


@attrs.frozen(eq=False)
class Candidate:
    """One row of a comparison: a method, trained once or several times.

    Attributes:
        name: of the row.
        kind: the registered name of the method; the class of one that was given as an object.
        sources: one recipe or run of an untrained method; or checkpoints of one recipe that differ in their seed only.
            Empty for a method that was given as an object.
        seeds: the training seeds, one for each source; none for a method without training, or of unknown origin.
        steps: of training, behind each checkpoint.
        training_seconds: the mean over the runs.
        stochastic: the method draws at random.
        size: the only side that the method works at, if it is tied to one.
        data: ``data:`` of the first source's recipe.
        trained: whether the method has training steps.
        blend: how its outputs are blended with the known pixels; empty where they are not.
        label: the name that the user gave the row.
        given: the source as the user wrote it.
        recipe: the name of the first source's recipe.
        key: what runs of one row agree in; empty for methods without training.
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
    blend: str = ""
    label: str = ""
    given: str = ""
    recipe: str = ""
    key: str = ""
    method: Method | None = attrs.field(default=None, repr=False)
    plugins: Plugins | None = attrs.field(default=None, repr=False)

    @property
    def count(self) -> int:
        """The number of methods behind the row: of training runs, or 1."""
        return len(self.sources) or 1

    @property
    def training_seeds(self) -> int | None:
        """As in ``results.Row``: 0 for a method that is not trained, None for one of unknown origin."""
        return None if self.trained and not self.seeds else len(self.seeds)

    def load(self, at: int = 0, device: torch.device | str = "cpu") -> Method:
        """The method of ``sources[at]``, ready to fill holes.

        Raises:
            InpaintkitError: a source has changed since it was checked.
        """
        method = self.method.to(device) if self.method is not None else load(self.sources[at], device, self.plugins)
        return PoissonBlended(method) if self.blend else method

    def blended(self, blend: str) -> Candidate:
        """The same method with its outputs blended, under a name of its own."""
        name = f"{self.name} + {blend.capitalize()}"
        return attrs.evolve(self, name=name, label=self.label and name, blend=blend)


MethodSource = str | Path | Mapping[str, Method] | Candidate


def load_candidates(sources: MethodSource | Iterable[MethodSource], plugins: Plugins | None = None) -> list[Candidate]:
    """The rows of a comparison, in the order of their first sources.

    Args:
        sources: run folders, checkpoints in them, and recipes of untrained methods (files or bundled names), each also
            as ``LABEL=SOURCE`` to name its row; mappings of names to methods; or candidates, which stay as they are.
            Runs whose recipes agree in all but the seed, and which have done the same number of steps on the same
            pictures, share one row. Two labels keep them apart, and a source without a label joins the first row of
            its recipe.

    Raises:
        RecipeError: everything that is wrong with any of them.
    """
    problems: list[Problem] = []
    rows: list[list[Candidate]] = []
    for source in [sources] if isinstance(sources, str | Path | Mapping | Candidate) else sources:
        if isinstance(source, Candidate):
            rows.append([source])
            continue
        if isinstance(source, Mapping):
            for name, method in source.items():
                with collect_problems(problems):
                    rows.append([_from_object(name, method)])
            continue
        given = str(source)
        with collect_problems(problems, given):
            candidate = _load(given, plugins)
            repeated = any(one.given == given for one in chain(*rows))
            if repeated and not candidate.trained and not candidate.label:  # runs have their seeds
                raise OptionError(f"{given} is given twice: a name before it makes a second row, as in A={given}")
            _row_for(candidate, rows).append(candidate)
    if not rows and not problems:
        problems.append(Problem("nothing to compare: name runs, or recipes of untrained methods"))
    problems += _repeated_seeds(rows)
    candidates = [_merged(row) for row in rows]
    labels = [one.label for one in candidates if one.label]
    for label in dict.fromkeys(labels):
        if labels.count(label) > 1:
            problems.append(Problem(f"two rows are named {label!r}, and they are not runs of one recipe"))
    if problems:
        raise RecipeError(problems)
    return _with_distinct_names(candidates)


@contextmanager
def collect_problems(problems: list[Problem], source: str = "") -> Iterator[None]:
    """Adds what is wrong inside the block to ``problems``, with the ``source`` in front where no place is known."""
    try:
        yield
    except (InpaintkitError, OSError) as error:
        for problem in getattr(error, "problems", None) or [Problem(str(error))]:
            placed = problem.where or problem.message.startswith(source)
            problems.append(problem if placed else attrs.evolve(problem, message=f"{source}: {problem.message}"))


def recipe_key(recipe: Recipe) -> dict[str, Any]:
    """The part of a recipe that decides what is learned, without the seed."""
    tree = {key: value for key, value in recipe.tree.items() if key not in IGNORED}
    if isinstance(data := tree.get("data"), Mapping):
        tree["data"] = {key: value for key, value in data.items() if key not in IGNORED_DATA}
    return dict(sorted(tree.items()))


def _load(given: str, plugins: Plugins | None) -> Candidate:
    """One source as a candidate of its own."""
    label, text = _split_label(given)
    path = Path(text)
    if not path.exists() and text not in (names := bundled()):
        near = did_you_mean(text, names)
        raise InpaintkitError(f"there is no such run, checkpoint, recipe file or bundled recipe{near}")
    source: Path | str = text
    state: Mapping[str, Any] | None = None
    if path.is_dir():
        recipe, name, source, state = _open_run(path, plugins)
    else:
        recipe = load_recipe(text, plugins=plugins)
        name = recipe.name
    method = load(source, plugins=plugins)  # for its declarations; its weights are dropped with it
    candidate = Candidate(
        name=name,
        kind=recipe.method.name,
        sources=(source,),
        stochastic=method.randomness == "always",
        size=method.size,
        data=recipe.data,
        label=label,
        given=given,
        recipe=recipe.name,
        plugins=plugins,
    )
    if state is None:  # a recipe with weights does not say how many trainings were behind them
        return attrs.evolve(candidate, trained=recipe.weights is not None)
    seconds = state.get("seconds")
    return attrs.evolve(
        candidate,
        seeds=(recipe.seed,),
        steps=state["step"],
        training_seconds=float(seconds) if isinstance(seconds, int | float) else None,
        trained=True,
        key=json.dumps([recipe_key(recipe), state["step"], state.get("images")], default=str),
    )


def _open_run(path: Path, plugins: Plugins | None) -> tuple[Recipe, str, Path, Mapping[str, Any] | None]:
    """Recipe and name of a run, what to load, and the state of that checkpoint; None for an untrained method."""
    chosen = path if (path / checkpoint.STATE).is_file() else None
    run = Run(path.resolve().parent.parent if chosen else path)
    name = run.folder.resolve().name
    recipe = run.recipe(plugins)
    if not has_weights(recipe):
        return recipe, name, path, None
    if chosen is not None:
        state = checkpoint.read_state(chosen)
    else:
        chosen, state, damaged = checkpoint.latest(run.checkpoints)
        if damaged:  # an older checkpoint would be another method under the same name
            raise InpaintkitError(f"{'; '.join(damaged)}; to compare an older checkpoint name it: {chosen}")
    total = recipe.method_on_meta.steps
    if total and state["step"] != total:
        name = f"{name} ({state['step']} of {total} steps)"
    return recipe, name, chosen, state


def _split_label(given: str) -> tuple[str, str]:
    """``LABEL=SOURCE`` in two; a path that exists is never split."""
    label, equals, source = given.partition("=")
    if not equals or Path(given).exists():
        return "", given
    if not label.strip() or not source:
        raise OptionError("a named row is written LABEL=SOURCE")
    return label.strip(), source


def _from_object(name: str, method: Method) -> Candidate:
    if not isinstance(method, Method):
        raise InpaintkitError(f"{name}: {type(method).__name__} is no Method")
    return Candidate(
        name=name,
        kind=type(method).__name__,
        sources=(),
        stochastic=method.randomness == "always",
        size=method.size,
        trained=method.steps > 0,
        label=name,
        method=method,
    )


def _row_for(candidate: Candidate, rows: list[list[Candidate]]) -> list[Candidate]:
    """The row of the candidate's recipe, or a new one."""
    for row in rows:
        others = {one.label for one in row} - {"", candidate.label}
        if candidate.key and candidate.key == row[0].key and not (candidate.label and others):
            return row
    rows.append([])
    return rows[-1]


def _repeated_seeds(rows: Iterable[Sequence[Candidate]]) -> Iterator[Problem]:
    """Runs of one row that share a seed: they would count the same numbers twice, or nearly."""
    for row in rows:
        for at, one in enumerate(row):
            same = next((other for other in row[:at] if other.seeds == one.seeds), None)
            if same is not None:
                text = f"{same.given} and {one.given} are runs of one recipe with the same seed {one.seeds[0]}, "
                yield Problem(f"{text}and no two seeds: leave one out, or name two rows with A=... and B=...")


def _merged(row: Sequence[Candidate]) -> Candidate:
    """One candidate of the sources of a row."""
    first = row[0]
    label = next((one.label for one in row if one.label), "")
    seconds = [one.training_seconds for one in row if one.training_seconds is not None]
    return attrs.evolve(
        first,
        name=label or (first.recipe if len(row) > 1 else first.name),
        label=label,
        sources=tuple(chain.from_iterable(one.sources for one in row)),
        seeds=tuple(chain.from_iterable(one.seeds for one in row)),
        training_seconds=sum(seconds) / len(seconds) if len(seconds) == len(row) else None,
    )


def _with_distinct_names(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Labels stay; other names get numbers where they are taken."""
    taken = {one.label for one in candidates}
    distinct = []
    for candidate in candidates:
        name, number = candidate.name, 1
        while name in taken and not candidate.label:
            number += 1
            name = f"{candidate.name} ({number})"
        taken.add(name)
        distinct.append(attrs.evolve(candidate, name=name))
    return distinct
