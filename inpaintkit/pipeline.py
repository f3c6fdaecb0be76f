"""The main job: a run's folder, its training, its evaluation and its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from .core.config.nodes import dump
from .core.errors import DataError, InpaintkitError, Problem, RecipeError
from .core.interfaces import Method
from .data import Source, find
from .evaluation import evaluate_run, load_protocol, results_table, to_json
from .recipe import Recipe
from .report import write_report
from .runs import RECIPE, Observers, Run, checkpoint, latest_run, new_run, take_over, training_needed
from .runtime import Execution, distributed, pick_device, write_atomically
from .training import check_steps, train


def check(recipe: Recipe) -> Method:
    """Takes one step of each stage without memory or data, and reads the protocols; returns the method.

    Raises:
        RecipeError: everything that does not fit, see :func:`inpaintkit.training.check_steps`; wrong protocols; and
            protocols without pictures, which are better told before the training than after it.
    """
    problems: list[Problem] = []
    try:
        method = check_steps(recipe)
    except RecipeError as error:
        problems += error.problems
    for number, source in enumerate(recipe.evaluate):
        try:
            protocol = load_protocol(source)
        except RecipeError as error:
            problems += error.problems
            continue
        if protocol.images is None and (recipe.data is None or recipe.data.test is None):
            text = f"protocol {protocol.name!r} names no pictures of its own: give the recipe `data: {{test: ...}}`"
            path = ("evaluate", number)
            problems.append(Problem(text, path, str(recipe.source.find(path))))
    if problems:
        raise RecipeError(problems)
    return method


def begin(recipe: Recipe, out: Path | None, root: Path, resume: bool) -> Run:
    """The folder to run in: a new one with the resolved recipe, or with ``resume`` the one that was begun.

    Raises:
        InpaintkitError: ``out`` holds something already; nothing to resume; or it was begun with another recipe.
        RecipeError: pictures are missing; nothing is made then.
    """
    if resume:
        run = Run(out) if out is not None else latest_run(root, recipe.name)
        if not run.recipe_file.is_file():
            raise InpaintkitError(f"nothing to resume: {run.folder} holds no {RECIPE}; leave --resume out to begin")
        if differences := changed(run.recipe().tree, recipe.tree):
            shown = "; ".join(differences[:6])
            more = f"; and {len(differences) - 6} more" if len(differences) > 6 else ""
            raise InpaintkitError(
                f"{run.folder} was begun with other values: {shown}{more}. Resume with the same ones, or begin anew "
                "with init_from: to start from its weights"
            )
        require_pictures(recipe)
        return run
    if out is not None and out.is_dir() and any(not path.name.endswith(".part") for path in out.iterdir()):
        raise InpaintkitError(f"{out} is not empty: nothing is overwritten; name another folder, or add --resume")
    require_pictures(recipe)
    if out is None:
        run = new_run(root, recipe.name)
    else:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InpaintkitError(f"the run folder {out} cannot be made: {error}") from error
        run = Run(out)
    write_atomically(run.recipe_file, dump(recipe.tree))
    return run


def require_pictures(recipe: Recipe) -> None:
    """Missing and damaged sources are told together, and before the training that would end with them.

    Raises:
        RecipeError: of which keys they are.
    """
    wanted = {}
    if recipe.data is not None and training_needed(recipe):
        wanted["train"] = recipe.data.train
    if recipe.data is not None and recipe.evaluate and recipe.data.test is not None:
        wanted["test"] = recipe.data.test
    problems = []
    for key, sources in wanted.items():
        try:
            find([sources] if isinstance(sources, Source) else sources)
        except DataError as error:
            where = str(recipe.source.find(("data", key)))
            problems += [Problem(line, ("data", key), where) for line in str(error).splitlines()]
    if problems:
        raise RecipeError(problems)


def complete(recipe: Recipe, out: Path | None, root: Path, resume: bool, show: bool = True) -> None:
    """Trains what is left to train, evaluates under the recipe's protocols, and writes the report.

    Under torchrun all processes train in the folder that the first one makes, and that one goes on alone.
    """
    with distributed.process_group(pick_device(recipe.run.device)):
        run = Run(Path(distributed.broadcast_from_rank0(lambda: str(begin(recipe, out, root, resume).folder))))
        first = distributed.rank() == 0
        console = Console(quiet=not (show and first), highlight=False)
        console.print(f"run folder: {run.folder}", markup=False, soft_wrap=True)
        resume = resume and bool(checkpoint.checkpoints(run.checkpoints))  # killed before the first: begin again
        if training_needed(recipe):
            train(recipe, run, resume=resume, show=show)
        elif recipe.init_from is not None and first and not resume:
            take_over(recipe, run)
    if first:
        measure(run.folder, None, None, recipe.run.device, show)


def measure(
    folder: Path, protocols: Sequence[str] | None, images: Sequence[Path] | None, device: str, show: bool = True
) -> None:
    """Evaluates a run under its recipe's protocols, or others, prints the tables and writes the report."""
    console = Console(quiet=not show, highlight=False)
    recipe = Run(folder).recipe()
    if protocols or recipe.evaluate:
        warnings = Console(stderr=True, quiet=not show, highlight=False)
        with Observers(recipe, folder, lambda text: warnings.print(f"warning: {text}", markup=False)) as observers:
            for results in evaluate_run(folder, protocols, images, execution=Execution(device, progress=show)):
                console.print(results_table(results))
                observers.call("evaluated", to_json(results))
    console.print(f"report: {write_report(folder)}", markup=False, soft_wrap=True)


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
        return [f"{path} was {told(before)}, is {told(now)}"]
    return [line for where, old, new in pairs for line in changed(old, new, where)]


def told(value: object) -> str:
    text = "not given" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:76]} ..."
