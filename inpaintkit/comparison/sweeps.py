"""Measures methods while one option of a protocol's holes changes: how size and place of a hole matter."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from rich.console import Console

from ..core.errors import InpaintkitError, Interrupted
from ..core.plugins import Plugins
from ..data import ImageSet, Source
from ..evaluation import (
    Pixels,
    Protocol,
    Row,
    TestSet,
    build_metrics,
    completions,
    device_name,
    given_columns,
    load_protocol,
    ranks,
    tally,
)
from .candidates import Candidate, Given, load_candidates
from .outcome import Comparison, ComparisonRow
from .rows import watched
from .sweep_curves import Curve, Point, Sweep
from .sweep_files import failures, write_sweep
from .sweep_plan import Plan, plan, require_picture, spelled

Asked = Protocol | str | Path | Mapping[str, Any]


def sweep(
    methods: Candidate | Given | Iterable[Candidate | Given],
    test_set: TestSet | Asked,
    what: str | Plan,
    images: Source | Sequence[Source] | ImageSet | None = None,
    *,
    device: torch.device | str = "cpu",
    batch: int = 32,
    picture: int = 0,
    out: str | Path | None = None,
    plugins: Plugins | None = None,
    progress: bool = False,
) -> Sweep:
    """Measures every method at every value of an option of the protocol's mask sampler. Each method is loaded once.

    A method that fails at a value has no number there, and the reason; the others go on.

    Args:
        methods: what :func:`inpaintkit.comparison.candidates.load_candidates` takes, or what it gave.
        test_set: a test_set, or a protocol to open on ``images``.
        what: such as ``"side=4..16"`` or ``"offset=-8..8:8"``; see :func:`inpaintkit.comparison.sweep_plan.plan`.
        picture: the index of the picture for the sheet.
        out: a folder for what :func:`inpaintkit.comparison.sweep_files.write_sweep` writes, after each method.

    Raises:
        RecipeError: methods, protocol or values are wrong, before anything is computed.
        InpaintkitError: there is no such picture, or ``out`` cannot be written to.
        KeyboardInterrupt: what was measured is in ``out``.
    """
    given = [methods] if isinstance(methods, Candidate | str | Path | Mapping) else list(methods)
    candidates = [one for one in given if isinstance(one, Candidate)]
    if len(candidates) < len(given):
        candidates = load_candidates([one for one in given if not isinstance(one, Candidate)], plugins)
    if not isinstance(test_set, TestSet):
        protocol = test_set if isinstance(test_set, Protocol) else load_protocol(test_set, plugins)
        test_set = TestSet.open(protocol, images, progress=progress)
    planned = plan(test_set, what, plugins) if isinstance(what, str) else what
    require_picture(test_set, picture)
    columns = [given_columns(each, [picture]) for each in planned.test_sets]
    found = Sweep(
        plan=planned,
        protocol=test_set.protocol.settings(),
        hashes=tuple(each.hash for each in planned.test_sets),
        names=test_set.images.names,
        digest=test_set.images.digest,
        labels=tuple(build_metrics(test_set, torch.device(device))),
        picture=picture,
        truth=columns[0][0][1][0],
        masked=tuple(masked[0] for _, (_, masked) in columns),
        device=device_name(torch.device(device)),
        batch=batch,
    )
    for at, candidate in enumerate(candidates, 1):
        curve = _curve(candidate, planned, picture, device, batch, progress)
        found = attrs.evolve(found, curves=(*found.curves, curve), complete=at == len(candidates))
        if out is not None:
            write_sweep(Path(out), found)
    if not any(point.metrics for curve in found.curves for point in curve.points):
        raise InpaintkitError(f"nothing could be measured: {'; '.join(dict.fromkeys(found.failed.values()))}")
    return found


def sweep_all(
    candidates: Sequence[Candidate],
    test_set: TestSet,
    plans: Sequence[Plan],
    folder: Path,
    picture: int,
    console: Console,
    *,
    device: torch.device | str = "cpu",
    batch: int = 32,
    progress: bool = False,
) -> bool:
    """Several sweeps into one folder, told on the console; returns whether every method has a number everywhere.

    Raises:
        InpaintkitError: it was interrupted; says what is kept.
    """
    whole = True
    for planned in plans:
        try:
            found = sweep(
                candidates,
                test_set,
                planned,
                device=device,
                batch=batch,
                picture=picture,
                out=folder,
                progress=progress,
            )
        except KeyboardInterrupt as error:
            told = f"interrupted in the sweep {planned.text}; {folder} keeps the comparison and all whole curves"
            raise Interrupted(told, signal.SIGINT) from error
        console.print(f"sweep {planned.text}: {folder / f'sweep-{planned.option}.md'}", markup=False, soft_wrap=True)
        for line in failures(found):
            Console(stderr=True, highlight=False).print(f"failed: {line}", markup=False, soft_wrap=True)
        whole = whole and not found.failed
    return whole


def median_picture(comparison: Comparison) -> int:
    """The index of the picture at which the first row of a comparison is neither good nor bad; 0 if nothing tells."""
    for measure in comparison.rows[0].metrics.values() if comparison.rows else ():
        if measure.per_image is not None and measure.higher_is_better is not None:
            order = ranks(measure.per_image, measure.higher_is_better)
            return order[(len(order) - 1) // 2] if order else 0
    return 0


def _curve(
    candidate: Candidate, planned: Plan, picture: int, device: torch.device | str, batch: int, progress: bool
) -> Curve:
    count = len(planned.values)
    rows: list[list[Row]] = [[] for _ in range(count)]
    tiles: list[dict[int, Pixels]] = [{} for _ in range(count)]
    failed = [""] * count
    for run in range(candidate.count):
        try:
            method = candidate.load(run, device)
        except Exception as error:  # the other methods go on
            failed = [told or _told(error) for told in failed]
            break
        for at, (value, test_set) in enumerate(zip(planned.values, planned.test_sets, strict=True)):
            if failed[at]:
                continue
            title = f"{candidate.name} at {planned.option} {spelled(value)}" if progress else ""
            try:
                parts = completions(method, test_set, device=device, batch=batch, progress=title)
                parts = watched(parts, () if run else (picture,), tiles[at])
                rows[at].append(tally(parts, test_set, name=candidate.name, kind=candidate.kind, device=device))
            except Exception as error:  # a hole too large for it, say
                failed[at] = _told(error)
    points = []
    for value, measured, tile, reason in zip(planned.values, rows, tiles, failed, strict=True):
        if reason:
            points.append(Point(value, tile=tile.get(picture), failed=reason))
        else:
            row = ComparisonRow.over(candidate, measured)
            points.append(Point(value, row.metrics, row.seconds_per_image, tile[picture]))
    return Curve(
        candidate.name, candidate.kind, candidate.seeds, candidate.training_seeds, candidate.stochastic, tuple(points)
    )


def _told(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, InpaintkitError) else f"{type(error).__name__}: {text}"
