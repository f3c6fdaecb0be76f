"""Compares methods under a protocol: the same pictures and masks for each, and nothing measured is lost."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import attrs
import torch
from rich.console import Console

from ..components.blending import find_blend
from ..core.errors import DataError, InpaintkitError, Interrupted, Problem, RecipeError
from ..core.plugins import Plugins
from ..data import ImageSet, Source
from ..evaluation import Protocol, TestSet, build_metrics, load_protocol
from ..recipe import DataOptions
from ..runs import new_run
from ..runtime import pick_device
from .candidates import Candidate, Given, load_candidates
from .mean import show_mean
from .outcome import Comparison, read_comparison
from .rows import evaluate_rows
from .sweep_plan import plan_all
from .sweeps import median_picture, sweep_all
from .table import comparison_table

Asked = Protocol | str | Path | Mapping[str, Any]
Images = Source | Sequence[Source] | ImageSet


def compare(
    sources: Given | Iterable[Given],
    protocol: Asked,
    images: Images | None = None,
    *,
    out: str | Path | None = None,
    device: torch.device | str = "cpu",
    batch: int = 32,
    best_of: int | None = None,
    blend: Literal["poisson"] | None = None,
    limit: int | None = None,
    pictures: int = 8,
    cache: Path | None = None,
    plugins: Plugins | None = None,
    progress: bool = False,
) -> Comparison:
    """Measures methods side by side: the same pictures and masks, differences paired with the first row.

    A row whose method fails is told in ``failed``, and the others go on.

    Args:
        sources: runs, checkpoints and recipes of untrained methods, each also as ``LABEL=SOURCE``, and mappings of
            names to methods; see :func:`inpaintkit.comparison.candidates.load_candidates`.
        protocol: a protocol, the name of a bundled one, a file, or a mapping.
        images: instead of the pictures that the protocol or the first run's recipe names.
        out: a new or empty folder for ``comparison.md``, ``.csv``, ``.json`` and ``grid.png``; by default nothing is
            written. The JSON is written after each row, so that an interruption loses none.
        batch: how many pictures a method is given at a time.
        best_of: for methods that draw at random, also a row with the best of so many samples for each picture, chosen
            by the truth under the first metric; at least 2.
        blend: ``"poisson"`` gives each row a twin, ``NAME + Poisson``, in which the same drawings are blended with the
            known pixels beside the hole (:func:`inpaintkit.components.blending.poisson_blend`); nothing is drawn twice.
        limit: at most so many pictures, spread evenly over all.
        pictures: rows of the grid, spread evenly over the pictures.
        cache: the folder of decoded pictures.

    Raises:
        RecipeError: everything that is wrong with sources, protocol and pictures, before anything is computed.
        InpaintkitError: every row failed, or ``out`` holds something.
    """
    given = [sources] if isinstance(sources, str | Path | Mapping) else list(sources)
    candidates, [test_set] = prepare(
        given, [protocol], images, device=device, best_of=best_of, blend=blend, limit=limit, cache=cache,
        plugins=plugins, progress=progress,
    )  # fmt: skip
    folder = None if out is None else empty_folder(Path(out))
    return evaluate_rows(
        candidates, test_set, folder, device=device, batch=batch, best_of=best_of, blend=blend, pictures=pictures,
        plugins=plugins, progress=progress,
    )  # fmt: skip


def prepare(
    sources: Sequence[Given],
    protocols: Sequence[Asked],
    images: Images | None = None,
    *,
    device: torch.device | str = "cpu",
    best_of: int | None = None,
    blend: str | None = None,
    limit: int | None = None,
    cache: Path | None = None,
    plugins: Plugins | None = None,
    progress: bool = False,
) -> tuple[list[Candidate], list[TestSet]]:
    """Rows and test sets, looked at in full before anything is computed; see :func:`compare`.

    Raises:
        RecipeError: everything that is wrong.
    """
    problems: list[Problem] = []
    candidates: list[Candidate] = []
    loaded: list[Protocol] = []
    with _heard(problems):
        candidates = load_candidates(sources, plugins)
    for asked in protocols:
        with _heard(problems):
            loaded.append(asked if isinstance(asked, Protocol) else load_protocol(asked, plugins))
    with _heard(problems):
        find_blend(blend)
    for name, number, least in (("best of", best_of, 2), ("limit", limit, 1)):
        if number is not None and number < least:
            problems.append(Problem(f"{name} {number}: at least {least} is needed"))
    if best_of and candidates and not any(candidate.stochastic for candidate in candidates):
        problems.append(Problem("best of several samples: none of these methods draws at random, so leave it out"))
    if problems:  # the pictures depend on both
        raise RecipeError(problems)
    test_sets = []
    options = next((one.data for one in candidates if one.data is not None and one.data.test is not None), None)
    for protocol in loaded:
        with _heard(problems):
            test_sets.append(_test_set(protocol, images, options, limit, cache, progress))
            build_metrics(test_sets[-1], torch.device(device))  # refused now, not after the work is done
    for test_set in test_sets:
        problems += [
            Problem(
                f"{one.name} works at {one.size} x {one.size} only, and {test_set.protocol.name} is at {test_set.side}"
            )
            for one in candidates
            if one.size not in (None, test_set.side)
        ]
    if problems:
        raise RecipeError(problems)
    return candidates, test_sets


def side_by_side(
    sources: Sequence[Given],
    protocols: Sequence[Asked],
    images: Images | None,
    out: Path | None,
    root: Path,
    *,
    device: str = "auto",
    batch: int = 32,
    best_of: int | None = None,
    blend: str | None = None,
    limit: int | None = None,
    pictures: int = 8,
    sweeps: Sequence[str] = (),
    picture: int | None = None,
    show: bool = True,
) -> bool:
    """The command: each protocol's comparison printed and written into ``out``, or a new folder under ``root``.

    Several protocols share ``out``: each has a folder in it, and so has their mean if their pictures are the same.
    ``sweeps`` such as ``side=4..16`` follow each comparison, with sheets of ``picture``, by default the median one of
    the first row.

    Returns:
        Whether every row has its numbers.
    """
    console = Console(quiet=not show, highlight=False)
    where, progress = pick_device(device), show and console.is_terminal
    candidates, test_sets = prepare(
        sources, protocols, images, device=where, best_of=best_of, blend=blend, limit=limit, progress=progress
    )
    planned = plan_all(test_sets, sweeps, picture)
    if out is not None:
        empty_folder(out)
    good, measured = True, []
    for test_set, plans in zip(test_sets, planned, strict=True):
        name = test_set.protocol.name
        folder = new_run(root if out is None else out, name).folder if out is None or len(test_sets) > 1 else out
        try:
            found = evaluate_rows(
                candidates, test_set, folder, device=where, batch=batch, best_of=best_of, blend=blend,
                pictures=pictures, progress=progress,
            )  # fmt: skip
        except KeyboardInterrupt as error:
            kept = read_comparison(folder)
            rows = ", ".join(row.name for row in kept.rows) or "no row"
            told = f"interrupted in {', '.join(kept.failed) or 'the end'}; {folder} keeps {rows}"
            raise Interrupted(told, signal.SIGINT) from error
        measured.append(found)
        console.print(comparison_table(found))
        console.print(f"written to {folder}", markup=False, soft_wrap=True)
        for row, reason in found.failed.items():
            Console(stderr=True, highlight=False).print(f"failed: {row}: {reason}", markup=False, soft_wrap=True)
        good = good and not found.failed
        shown = median_picture(found) if picture is None else picture
        whole = sweep_all(
            candidates, test_set, plans, folder, shown, console, device=where, batch=batch, progress=progress
        )
        good = good and whole
    if len(measured) > 1:
        show_mean(measured, root if out is None else out, console)
    return good


def _test_set(
    protocol: Protocol,
    images: Images | None,
    options: DataOptions | None,
    limit: int | None,
    cache: Path | None,
    progress: bool,
) -> TestSet:
    """The protocol's test set on the pictures given, its own, or else those of a run's recipe."""
    if limit is not None:
        protocol = attrs.evolve(protocol, limit=min(limit, protocol.limit or limit))
    own = images if images is not None else protocol.images
    if own is None and options is not None:
        return TestSet.open(
            protocol, options.test, cache=cache or options.cache, strict=options.strict, progress=progress
        )
    if own is None:
        raise DataError(
            f"protocol {protocol.name} names no pictures, and no run here has a recipe with `data: {{test: ...}}`: "
            "say which with --images"
        )
    return TestSet.open(protocol, own, cache=cache, progress=progress)


def empty_folder(folder: Path) -> Path:
    """The folder, made if need be.

    Raises:
        InpaintkitError: it holds something, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        filled = any(folder.iterdir())
    except OSError as error:
        raise InpaintkitError(f"the folder {folder} cannot be made: {error}") from error
    if filled:
        raise InpaintkitError(f"{folder} is not empty: nothing is overwritten; name another folder")
    return folder


@contextmanager
def _heard(problems: list[Problem]) -> Iterator[None]:
    """What is wrong inside joins the problems."""
    try:
        yield
    except RecipeError as error:
        problems += error.problems
    except InpaintkitError as error:
        problems.append(Problem(str(error)))
