"""The methods of a comparison: runs, checkpoints and recipes become rows; runs that differ in their seed share one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, compress, count
from pathlib import Path
from typing import Any

import attrs
import torch

from ..components.blending import PoissonBlended
from ..core.config.bundled import bundled
from ..core.errors import InpaintkitError, OptionError, Problem, RecipeError, did_you_mean
from ..core.interfaces import Method
from ..core.plugins import Plugins
from ..recipe import DataOptions, Recipe, load_recipe
from ..runs import Run, checkpoint, load

#: Keys of a recipe that do not change what is learned: two runs may differ in them and still share a row.
IGNORED = ("name", "paper", "description", "requires", "seed", "validate", "evaluate", "run")
IGNORED_DATA = ("test", "strict", "cache")

MethodSource = str | Path | Mapping[str, Method]


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
        return attrs.evolve(self, name=f"{self.name} + {blend.capitalize()}", blend=blend)


@attrs.frozen(eq=False)
class _Loaded:
    """One source as a candidate of its own; those with the same ``key`` share a row."""

    given: str
    label: str
    recipe_name: str
    key: str
    candidate: Candidate


def load_candidates(sources: Iterable[MethodSource], plugins: Plugins | None = None) -> list[Candidate]:
    """The rows of a comparison, in the order of their first sources.

    Args:
        sources: run folders, checkpoints in them, and recipes of untrained methods (files or bundled names), each also
            as ``LABEL=SOURCE`` to name its row; or mappings of names to methods. Runs whose recipes agree in all but
            the seed, and which have done the same number of steps on the same pictures, share one row. Two labels
            keep them apart, and a source without a label joins the first row of its recipe.

    Raises:
        RecipeError: everything that is wrong with any of them.
    """
    problems: list[Problem] = []
    rows: list[list[_Loaded] | Candidate] = []
    untrained: set[str] = set()
    for given in sources:
        if isinstance(given, Mapping):
            rows += [_from_object(name, method, problems) for name, method in given.items()]
            continue
        text = str(given)
        with collect_problems(problems, text):
            loaded = _load(text, plugins)
            if not loaded.candidate.trained and not loaded.label:  # runs have their seeds
                if text in untrained:
                    raise OptionError(f"{text} is given twice: a name before it makes a second row, as in A={text}")
                untrained.add(text)
            _add_to_row(loaded, rows)
    if not rows and not problems:
        problems.append(Problem("nothing to compare: name runs, or recipes of untrained methods"))
    problems += [problem for row in rows if isinstance(row, list) for problem in _repeated_seeds(row)]
    candidates = [row if isinstance(row, Candidate) else _merged(row) for row in rows]
    labelled = [isinstance(row, Candidate) or any(one.label for one in row) for row in rows]
    candidates = _with_distinct_names(candidates, labelled, problems)
    if problems:
        raise RecipeError(problems)
    return candidates


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


def _load(given: str, plugins: Plugins | None) -> _Loaded:
    label, text = _split_label(given)
    path = Path(text)
    if not path.exists() and text not in (names := bundled()):
        near = did_you_mean(text, names)
        raise InpaintkitError(f"there is no such run, checkpoint, recipe file or bundled recipe{near}")
    if not path.is_dir():
        recipe = load_recipe(text, plugins=plugins)
        return _Loaded(given, label, recipe.name, "", _candidate(recipe.name, recipe, text, plugins))
    chosen = path if (path / checkpoint.STATE).is_file() else None
    run = Run(path.resolve().parent.parent if chosen else path)
    name = run.folder.resolve().name
    recipe = run.recipe(plugins)
    total = recipe.method_on_meta.steps
    if not total and recipe.init_from is None:
        return _Loaded(given, label, recipe.name, "", _candidate(name, recipe, path, plugins))
    if chosen is not None:
        state = checkpoint.read_state(chosen)
    else:
        chosen, state, damaged = checkpoint.latest(run.checkpoints)
        if damaged:  # an older checkpoint would be another method under the same name
            raise InpaintkitError(f"{'; '.join(damaged)}; to compare an older checkpoint name it: {chosen}")
    if total and state["step"] != total:
        name = f"{name} ({state['step']} of {total} steps)"
    key = json.dumps([recipe_key(recipe), state["step"], state.get("images")], default=str)
    return _Loaded(given, label, recipe.name, key, _candidate(name, recipe, chosen, plugins, state))


def _candidate(
    name: str, recipe: Recipe, source: Path | str, plugins: Plugins | None, state: Mapping[str, Any] | None = None
) -> Candidate:
    """A candidate with one source; without the ``state`` of a checkpoint of an untrained method."""
    method = load(source, plugins=plugins)  # for its declarations; its weights are dropped with it
    candidate = Candidate(
        name=name,
        kind=recipe.method.name,
        sources=(source,),
        stochastic=method.randomness == "always",
        size=method.size,
        data=recipe.data,
        plugins=plugins,
    )
    if state is None:
        return candidate
    seconds = state.get("seconds")
    return attrs.evolve(
        candidate,
        seeds=(recipe.seed,),
        steps=state["step"],
        training_seconds=float(seconds) if isinstance(seconds, int | float) else None,
        trained=True,
    )


def _split_label(given: str) -> tuple[str, str]:
    """``LABEL=SOURCE`` in two; a path that exists is never split."""
    label, equals, source = given.partition("=")
    if not equals or Path(given).exists():
        return "", given
    if not label.strip() or not source:
        raise OptionError("a named row is written LABEL=SOURCE")
    return label.strip(), source


def _add_to_row(loaded: _Loaded, rows: list[list[_Loaded] | Candidate]) -> None:
    """Adds a source to the row of its recipe, or as a new row."""
    for row in rows:
        if isinstance(row, Candidate) or not loaded.key or row[0].key != loaded.key:
            continue
        labels = {one.label for one in row} - {""}
        if not loaded.label or not labels or labels == {loaded.label}:
            row.append(loaded)
            return
    rows.append([loaded])


def _repeated_seeds(row: Sequence[_Loaded]) -> list[Problem]:
    """Runs of one row that share a seed: they would count the same numbers twice, or nearly."""
    problems: list[Problem] = []
    first: dict[tuple[int, ...], _Loaded] = {}
    for one in row:
        seeds = one.candidate.seeds
        if seeds in first:
            text = f"{first[seeds].given} and {one.given} are runs of one recipe with the same seed {seeds[0]}, and no "
            text += "two seeds: leave one out, or name two rows with A=... and B=..."
            problems.append(Problem(text))
        first.setdefault(seeds, one)
    return problems


def _merged(row: Sequence[_Loaded]) -> Candidate:
    """One candidate of the sources of a row."""
    candidates = [one.candidate for one in row]
    first = candidates[0]
    label = next((one.label for one in row if one.label), "")
    if len(row) == 1:
        return attrs.evolve(first, name=label or first.name)
    seconds = [one.training_seconds for one in candidates if one.training_seconds is not None]
    return attrs.evolve(
        first,
        name=label or row[0].recipe_name,
        sources=tuple(source for one in candidates for source in one.sources),
        seeds=tuple(seed for one in candidates for seed in one.seeds),
        training_seconds=sum(seconds) / len(seconds) if len(seconds) == len(row) else None,
    )


def _from_object(name: str, method: Method, problems: list[Problem]) -> Candidate:
    if not isinstance(method, Method):
        problems.append(Problem(f"{name}: {type(method).__name__} is no Method"))
        return Candidate(name, "", ())
    kind, stochastic = type(method).__name__, method.randomness == "always"
    return Candidate(name, kind, (), stochastic=stochastic, size=method.size, trained=method.steps > 0, method=method)


def _with_distinct_names(
    candidates: Sequence[Candidate], labelled: Sequence[bool], problems: list[Problem]
) -> list[Candidate]:
    """A name that was given is kept and may stand once; others get numbers where needed."""
    taken: set[str] = set()
    for candidate in compress(candidates, labelled):
        if candidate.name in taken:
            problems.append(Problem(f"two rows are named {candidate.name!r}, and they are not runs of one recipe"))
        taken.add(candidate.name)
    distinct = []
    for candidate, fixed in zip(candidates, labelled, strict=True):
        names = chain([candidate.name], (f"{candidate.name} ({number})" for number in count(2)))
        name = candidate.name if fixed else next(name for name in names if name not in taken)
        taken.add(name)
        distinct.append(attrs.evolve(candidate, name=name))
    return distinct
