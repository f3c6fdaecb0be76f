"""The main job as functions: :func:`check` a recipe, :func:`run` it, :func:`evaluate` a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import attrs
import torch
from rich.console import Console

from .core.config.nodes import dump, raise_problems
from .core.config.spec import located, problems_of
from .core.errors import DataError, InpaintkitError, Problem, RecipeError, listed
from .core.interfaces import Method
from .data import find
from .evaluation import (
    Protocol,
    baseline_problems,
    evaluate_protocols,
    load_protocol,
    open_test_sets,
    results_table,
    run_row,
    to_json,
    verdict,
)
from .recipe import Recipe, load_recipe
from .report import write_report
from .runs import RECIPE, Observers, Run, adopt_weights, checkpoint, latest_run, load as load_method, new_run
from .runtime import LOCK, Execution, distributed, generator, pick_device, write_atomically
from .training import check_steps, train


def load(source: str | Path, profile: str | None = None, sets: Sequence[str] = ()) -> Recipe:
    """The recipe, as :func:`inpaintkit.load_recipe` reads it; protocols that are written in it are checked with it."""
    return load_recipe(source, profile, sets, check_protocol=Protocol.of)


def check(recipe: Recipe) -> list[Protocol]:
    """Takes one step of each stage without memory or data, and loads the recipe's protocols, which it returns.

    Raises:
        RecipeError: everything that does not fit, see :func:`inpaintkit.training.check_steps`; wrong protocols, or two
            of one name; holes that do not fit, protocols without pictures, and baselines that cannot be used: all
            better reported before the training than after it.
    """
    problems = check_steps(recipe)
    protocols: list[Protocol] = []
    for number, source in enumerate(recipe.evaluate):
        path = ("evaluate", number)
        try:
            protocol = load_protocol(source, within=recipe.source, path=path)
        except RecipeError as error:
            problems += error.problems
            continue
        masks, frame = protocol.masks, protocol.frame
        if frame is not None:  # otherwise it is known once the pictures are read
            try:
                masks.build()(1, frame, generator(0))
            except InpaintkitError as error:
                problems += problems_of(error, masks.path, masks.source)
        name = protocol.name
        if name in [other.name for other in protocols]:
            text = f"two protocols are named {name!r}: give one of them another `name`, or leave it out"
            problems.append(Problem(text, path))
        if protocol.images is None and (recipe.data is None or recipe.data.test is None):
            text = f"protocol {name!r} names no pictures of its own: give the recipe `data: {{test: ...}}`"
            problems.append(Problem(text, path))
        protocols.append(protocol)
    problems += baseline_problems(recipe)
    raise_problems([located(problem, recipe.source) for problem in problems])
    return protocols


def run(recipe: Recipe, out: Path | None, root: Path, resume: bool = False, show: bool = True) -> Run:
    """Checks the recipe, trains what is left to train, evaluates under the recipe's protocols, and writes the report.

    Under torchrun all processes train in the folder that rank 0 makes; rank 0 alone evaluates.

    Args:
        out: the run's folder; by default a new one under ``root``, or with ``resume`` the newest of the recipe's name.
    """
    protocols = check(recipe)
    device = pick_device(recipe.run.device)
    with ExitStack() as held:

        def hold(run: Run) -> None:
            held.enter_context(run.locked())

        with distributed.process_group(device):
            folder = distributed.broadcast_from_rank0(lambda: str(begin(recipe, out, root, resume, hold).folder))
            begun = Run(Path(folder))
            first = distributed.rank() == 0
            console = Console(quiet=not (show and first), highlight=False)
            console.print(f"run folder: {begun.folder}", markup=False, soft_wrap=True)
            again = resume and bool(checkpoint.checkpoints(begun.checkpoints))  # none: killed before the first
            method = None
            with nullcontext() if resume or not first else removed_if_nothing_was_done(begun):
                if recipe.is_trained:
                    console.print(cost(recipe), markup=False, soft_wrap=True)
                    method = train(recipe, begun, resume=again, show=show)
                elif recipe.init_from is not None and first and not again:
                    method = adopt_weights(recipe, begun, device)
        if first:
            # Compiled networks round differently from those that `inpaintkit evaluate` loads.
            with torch.compiler.set_stance("force_eager" if recipe.run.compile else "default"):
                _evaluate(begun, recipe, protocols, None, device, show, method)
    return begun


@contextmanager
def removed_if_nothing_was_done(run: Run) -> Iterator[None]:
    """Removes a new run's folder when an error ends the training before there is anything to keep."""
    try:
        yield
    except BaseException:
        logged = run.log_file.is_file() and run.log_file.stat().st_size > 0
        if not logged and not checkpoint.checkpoints(run.checkpoints):
            shutil.rmtree(run.folder, ignore_errors=True)
        raise


def cost(recipe: Recipe) -> str:
    """What a training takes, in steps and pictures."""
    steps, data = recipe.method_on_meta.steps, recipe.data
    if data is None:
        return f"training: {steps:,} steps"
    height, width = data.frame
    return f"training: {steps:,} steps of {data.batch} pictures of {height} x {width}, {steps * data.batch:,} in all"


def evaluate(
    folder: Path,
    protocols: Sequence[str] | None = None,
    images: Sequence[Path] | None = None,
    device: str = "auto",
    show: bool = True,
    baselines: Sequence[str] = (),
) -> None:
    """Evaluates a run under its recipe's protocols, or others, prints the tables and writes the report.

    Args:
        baselines: in place of the recipe's.
    """
    begun = Run(folder)
    recipe = begun.recipe()
    recipe = attrs.evolve(recipe, baselines=tuple(baselines) or recipe.baselines)
    loaded = [load_protocol(source) for source in protocols or recipe.evaluate]
    _evaluate(begun, recipe, loaded, images, pick_device(device), show)


def _evaluate(
    begun: Run,
    recipe: Recipe,
    protocols: Sequence[Protocol],
    images: Sequence[Path] | None,
    device: torch.device,
    show: bool,
    method: Method | None = None,
) -> None:
    """``method``: the one of the run, where it is in memory already."""
    console = Console(quiet=not show, highlight=False)
    warnings = Console(stderr=True, quiet=not show, highlight=False)
    if recipe.run.threads:
        torch.set_num_threads(recipe.run.threads)
    if protocols:
        test_sets = open_test_sets(protocols, recipe.data, images, show)
        row, source = run_row(begun, recipe)
        method = method or load_method(source, device)
        execution = Execution(device, progress=show)
        observers = Observers(recipe, begun.folder, lambda text: warnings.print(f"warning: {text}", markup=False))
        with observers:
            measured = evaluate_protocols(method, test_sets, row, begun.results, execution, baselines=recipe.baselines)
            for results in measured:
                console.print(results_table(results))
                for baseline, reason in results.missing.items():
                    warnings.print(f"warning: not evaluated: {baseline}: {reason}", markup=False, soft_wrap=True)
                console.print(verdict(results), markup=False)
                observers.call("evaluated", to_json(results))
    console.print(f"report: {write_report(begun.folder)}", markup=False, soft_wrap=True)


def begin(
    recipe: Recipe, out: Path | None, root: Path, resume: bool, hold: Callable[[Run], None] = lambda run: None
) -> Run:
    """The folder to run in: a new one with the resolved recipe, or with ``resume`` the one that was begun.

    Args:
        hold: called before anything in the folder is read or written, to keep other processes out.

    Raises:
        InpaintkitError: ``out`` holds something already; nothing to resume; it was begun with another recipe; or
            another process uses it.
        RecipeError: pictures are missing; nothing is made then.
    """
    if resume:
        run = Run(out) if out is not None else latest_run(root, recipe.name)
        if not run.recipe_file.is_file():
            raise InpaintkitError(f"nothing to resume: {run.folder} holds no {RECIPE}; leave --resume out to begin")
        hold(run)
        if differences := changed(run.recipe().tree, recipe.tree):
            shown = listed(differences, 6, separator="; ")
            raise InpaintkitError(
                f"{run.folder} was begun with other values: {shown}. Resume with the same ones, or begin anew with "
                "init_from: to start from its weights"
            )
    elif out is not None:
        require_empty(out)
    require_pictures(recipe)
    if not resume:
        run = new_run(root, recipe.name) if out is None else Run(out)
        try:
            run.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InpaintkitError(f"the run folder {out} cannot be made: {error}") from error
        hold(run)
        require_empty(run.folder)  # still: another process may have been here since
        write_atomically(run.recipe_file, dump(recipe.tree))
    return run


def require_empty(folder: Path) -> None:
    """Raises an InpaintkitError where a folder holds more than what a process that was killed at once has left."""
    if folder.is_dir() and any(path.name != LOCK and path.suffix != ".part" for path in folder.iterdir()):
        raise InpaintkitError(f"{folder} is not empty: nothing is overwritten; name another folder, or add --resume")


def require_pictures(recipe: Recipe) -> None:
    """Checks that all pictures can be found, before the training.

    Raises:
        RecipeError: the missing and damaged sources, with their keys.
    """
    if problems := missing_pictures(recipe):
        raise RecipeError(problems)


def missing_pictures(recipe: Recipe) -> list[Problem]:
    """The sources of pictures that a run would need and that are missing or damaged, with their keys."""
    data = recipe.data
    if data is None:
        return []
    wanted = {"train": data.train if recipe.is_trained else None, "test": data.test if recipe.evaluate else None}
    problems = []
    for key, sources in wanted.items():
        try:
            find(sources or [])
        except DataError as error:
            path = ("data", key)
            problems += [Problem(line, path, str(recipe.source.find(path))) for line in str(error).splitlines()]
    return problems


def changed(before: object, now: object, path: str = "") -> list[str]:
    """Where two recipe trees differ, member by member in dicts and in lists of one length; long values cut short."""
    if before == now:
        return []
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [*before, *(key for key in now if key not in before)]
        pairs = [(f"{path}.{key}" if path else str(key), before.get(key), now.get(key)) for key in keys]
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = [(f"{path}[{at}]", *each) for at, each in enumerate(zip(before, now, strict=True))]
    else:
        return [f"{path} was {_shortened(before)}, is {_shortened(now)}"]
    return [line for where, old, new in pairs for line in changed(old, new, where)]


def _shortened(value: object) -> str:
    text = "not given" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:76]} ..."
