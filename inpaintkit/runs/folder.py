"""Run folders: creates and numbers them, names their files, and loads the trained method."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import get_ident
from typing import Any

import attrs
import torch

from .. import __version__
from ..core.errors import CheckpointError, DataError, InpaintkitError, RecipeError, listed
from ..core.interfaces import Method
from ..core.plugins import Plugins, installed
from ..data import PackageFiles
from ..recipe import Recipe, build_method, load_recipe
from ..runtime import sole_use
from . import checkpoint

RECIPE, LOG, ENVIRONMENT, REPORT = "recipe.yaml", "log.jsonl", "environment.json", "report.html"

_locked: set[tuple[Path, int]] = set()  # the folders that threads of this process keep others out of


@attrs.frozen
class Run:
    """A run's folder."""

    folder: Path

    @property
    def recipe_file(self) -> Path:
        return self.folder / RECIPE

    @property
    def log_file(self) -> Path:
        return self.folder / LOG

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def samples(self) -> Path:
        return self.folder / "samples"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes and threads out; does nothing in a block that keeps them out already.

        Raises:
            InpaintkitError: another one uses the folder; names it.
        """
        key = (self.folder.resolve(), get_ident())
        if key in _locked:
            yield
            return
        with sole_use(self.folder):
            _locked.add(key)
            try:
                yield
            finally:
                _locked.discard(key)

    def recipe(self, plugins: Plugins | None = None) -> Recipe:
        """The recipe as it was resolved when the run began."""
        if not self.recipe_file.is_file():
            raise InpaintkitError(f"{self.folder} is no run: it holds no {RECIPE}")
        return load_recipe(self.recipe_file, plugins=plugins)

    def log(self) -> list[dict[str, Any]]:
        """The lines of the log; a last line cut off by a crash is skipped."""
        lines = []
        for line in self.log_file.read_text().splitlines() if self.log_file.is_file() else []:
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
        return lines


def new_run(root: Path, name: str) -> Run:
    """A folder ``root/name`` that did not exist, numbered when it did: nothing is overwritten."""
    for number in range(1, 10_000):
        folder = root / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise InpaintkitError(f"the run folder {folder} cannot be made: {error}") from error
        return Run(folder)
    raise InpaintkitError(f"{root} holds ten thousand runs named {name}")


def latest_run(root: Path, name: str) -> Run:
    """The newest run of that name under ``root``.

    Raises:
        InpaintkitError: there is none.
    """
    numbered = re.compile(re.escape(name) + r"(?:-(\d+))?")
    found = [(int(match[1] or 1), match[0]) for path in root.glob("*/") if (match := numbered.fullmatch(path.name))]
    runs = [(number, folder) for number, folder in found if (root / folder / RECIPE).is_file()]
    if not runs:
        raise InpaintkitError(f"nothing to resume: {root} holds no run named {name}")
    return Run(root / max(runs)[1])


def environment(plugins: Plugins | None = None) -> dict[str, Any]:
    """What numbers depend on besides the recipe: versions, machine, devices."""
    reports = (plugins or installed()).reports
    names = ("torch", "torchvision", "kornia", "timm", "torchmetrics", "numpy", "pillow")
    return {
        "inpaintkit": __version__,
        "commit": commit(),
        "plugins": {report.name: report.version for report in reports if report.version and not report.error},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions(names),
        "cpu_threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of those packages that are installed: some come with plugins only."""
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def commit() -> str:
    """The commit of the source tree when inpaintkit runs from one, with + when files differ from it."""
    here = Path(__file__).parents[2]
    if not (here / ".git").exists():
        return ""
    try:
        result = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=12"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.strip()


def load(source: str | Path, device: str | torch.device = "cpu", plugins: Plugins | None = None) -> Method:
    """A method ready to fill holes: that of a run's newest checkpoint, or the recipe's of a method without training.

    Args:
        source: a run's folder, a checkpoint in it, or a recipe's file or bundled name: of a method without training, or
            one that comes with trained weights.
        device: where the method is moved to.

    Raises:
        CheckpointError: the run has no usable checkpoint, or it does not fit.
        InpaintkitError: ``source`` is a recipe of a method that has to be trained.
    """
    return open_run(source, device, plugins)[0]


def open_run(
    source: str | Path, device: str | torch.device = "cpu", plugins: Plugins | None = None
) -> tuple[Method, Recipe | None]:
    """What :func:`load` returns, and the recipe that the method was trained by; None for one without training."""
    path = Path(source)
    weights: Path | None = None
    if not path.is_dir():
        recipe = load_recipe(source, plugins=plugins)
        if recipe.weights is not None:
            weights = weights_file(recipe)
        elif has_weights(recipe):
            raise InpaintkitError(
                f"{source} is the recipe of a method that is trained: run it first, then load its run folder"
            )
    elif (path / checkpoint.STATE).is_file():
        recipe, weights = Run(path.parent.parent).recipe(plugins), path
    else:
        run = Run(path)
        recipe = run.recipe(plugins)
        if has_weights(recipe):
            weights = checkpoint.newest(run.checkpoints)[0]
    method = build_method(recipe, without=getattr(recipe.method.factory, "training_only", ()))
    method.setup()
    if weights is not None and weights.is_dir():
        checkpoint.load_method(weights, method, partly=True)
    elif weights is not None and (missing := checkpoint.init_method(weights, method)):
        raise CheckpointError(f"{weights} holds no {', '.join(missing)}")
    return ready(method, device), recipe if weights is not None else None


def ready(method: Method, device: str | torch.device) -> Method:
    """The method in eval mode, without gradients, on the device."""
    return method.to(device).eval().requires_grad_(False)


def has_weights(recipe: Recipe) -> bool:
    """Whether a run of the recipe has weights: of its own training, or of the one that ``init_from`` names."""
    return recipe.init_from is not None or recipe.is_trained


def weights_file(recipe: Recipe) -> Path:
    """The file of the trained weights that come with a recipe.

    Raises:
        CheckpointError: there is none, or more than one.
    """
    files = [recipe.weights] if isinstance(recipe.weights, Path) else []
    if isinstance(recipe.weights, PackageFiles):
        try:
            files = list(recipe.weights.paths().values())
        except DataError as error:
            raise CheckpointError(f"the weights of recipe {recipe.name!r}: {error}") from error
    if len(files) != 1 or not files[0].is_file():
        raise CheckpointError(f"the weights of recipe {recipe.name!r} are one file, not {listed(files, 3) or 'none'}")
    return files[0]


def initial_weights(source: Path, plugins: Plugins | None = None) -> Path:
    """What ``init_from`` names: a file, a checkpoint, the newest one of a run, or the weights of a recipe.

    Raises:
        CheckpointError: there is no such thing, or the recipe comes without weights.
    """
    if source.exists() and source.suffix not in (".yaml", ".yml"):
        checkpoints = Run(source).checkpoints
        return checkpoint.newest(checkpoints)[0] if checkpoints.is_dir() else source
    try:
        recipe = load_recipe(source, plugins=plugins)
    except RecipeError as error:
        raise CheckpointError(f"init_from: no run or checkpoint is {str(source)!r}, and no recipe:\n{error}") from error
    if recipe.weights is None:
        raise CheckpointError(f"init_from: recipe {str(source)!r} comes without weights: run it, and name its run")
    return weights_file(recipe)


def adopt_weights(recipe: Recipe, run: Run, device: str | torch.device) -> Method:
    """The method with the weights that ``init_from`` names, which become the run's only checkpoint.

    For recipes without training steps. Steps, seconds and pictures are those of the checkpoint the weights come from.

    Raises:
        CheckpointError: they do not fit, or some are missing.
    """
    assert recipe.init_from is not None
    method = build_method(recipe)
    method.setup()
    source = initial_weights(recipe.init_from)
    if missing := checkpoint.init_method(source, method):
        raise CheckpointError(f"{recipe.init_from} holds no {', '.join(missing)}, and nothing is trained here")
    state = checkpoint.read_state(source) if source.is_dir() else {}
    kept: dict[str, Any] = {key: state[key] for key in ("seconds", "seed", "images") if key in state}
    checkpoint.save(run.checkpoints, state.get("step", 0), method, kept)
    return ready(method, device)
