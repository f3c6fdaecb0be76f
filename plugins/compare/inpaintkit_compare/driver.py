"""What ``inpaintkit compare`` does: every protocol, its sweeps and the mean over protocols, printed and written."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from inpaintkit.core.errors import InpaintkitError, Interrupted
from inpaintkit.evaluation import ProtocolSource, TestSet
from inpaintkit.runs import new_run
from inpaintkit.runtime import Execution

from .candidates import Candidate, MethodSource
from .comparing import evaluate_rows
from .comparison import Comparison, read_comparison
from .files import write_comparison
from .inputs import ComparisonOptions, Images, empty_folder, prepare
from .mean import mean_over
from .reuse import Reused
from .sweep_files import failures
from .sweep_plan import Plan, plan_all
from .sweeping import median_picture, sweep
from .sweeps import Sweep
from .table import comparison_table


def compare_protocols(
    sources: Sequence[MethodSource],
    protocols: Sequence[ProtocolSource],
    images: Images | None,
    out: Path | None,
    root: Path,
    *,
    sweeps: Sequence[str],
    picture: int | None,
    device: str,
    batch: int,
    **options: Any,
) -> bool:
    """The command: each protocol's comparison printed and written into ``out``, or a new folder under ``root``.

    Several protocols share ``out``: each has a folder in it, and so has their mean if their pictures are the same.

    Args:
        sweeps: such as ``side=4..16``, after each comparison.
        picture: on the sheets of the sweeps; by default the median one of the first row.
        options: of :class:`ComparisonOptions`.

    Returns:
        Whether every row has its numbers.
    """
    execution = Execution(device, batch, progress=Console().is_terminal)
    chosen = ComparisonOptions(**options)
    candidates, test_sets, reused = prepare(sources, protocols, images, chosen, execution)
    plans = plan_all(test_sets, sweeps, picture)
    if out is not None:
        empty_folder(out)
    alone = out if len(test_sets) == 1 else None
    comparisons, swept = [], []
    for test_set, planned, earlier in zip(test_sets, plans, reused, strict=True):
        folder = alone or new_run(out or root, test_set.protocol.name).folder
        comparison = _compare(candidates, test_set, folder, chosen, execution, earlier)
        comparisons.append(comparison)
        shown = median_picture(comparison) if picture is None else picture
        swept += [_sweep(candidates, test_set, plan, folder, shown, execution) for plan in planned]
    if len(comparisons) > 1:
        _write_mean(comparisons, out or root)
    return not any(one.failed for one in comparisons) and not any(one.failed for one in swept)


def _compare(
    candidates: Sequence[Candidate],
    test_set: TestSet,
    folder: Path,
    options: ComparisonOptions,
    execution: Execution,
    reused: Reused,
) -> Comparison:
    for line in reused.left_out:
        _say(line, stderr=True)
    try:
        comparison = evaluate_rows(candidates, test_set, folder, options, execution, reused=reused.rows)
    except KeyboardInterrupt as error:
        kept = read_comparison(folder)
        rows = ", ".join(row.name for row in kept.rows) or "no row"
        place = ", ".join(kept.failed) or "the end"
        raise Interrupted(f"interrupted in {place}; {folder} keeps {rows}", signal.SIGINT) from error
    _print_comparison(comparison, folder)
    for row, reason in comparison.failed.items():
        _say(f"failed: {row}: {reason}", stderr=True)
    return comparison


def _sweep(
    candidates: Sequence[Candidate], test_set: TestSet, plan: Plan, folder: Path, picture: int, execution: Execution
) -> Sweep:
    try:
        found = sweep(candidates, test_set, plan, picture=picture, out=folder, execution=execution)
    except KeyboardInterrupt as error:
        kept = f"{folder} keeps the comparison and all complete curves"
        raise Interrupted(f"interrupted in the sweep {plan.text}; {kept}", signal.SIGINT) from error
    _say(f"sweep {plan.text}: {folder / f'sweep-{plan.option}.md'}")
    for line in failures(found):
        _say(f"failed: {line}", stderr=True)
    return found


def _write_mean(comparisons: Sequence[Comparison], root: Path) -> None:
    """Prints the mean and writes it into a new folder ``root/mean``; or says in a line why there is none."""
    try:
        mean = mean_over(comparisons)
    except InpaintkitError as error:
        _say(f"no mean of {', '.join(one.name for one in comparisons)}: {error}")
        return
    folder = new_run(root, "mean").folder
    write_comparison(folder, mean)
    _print_comparison(mean, folder)
    for row, reason in mean.failed.items():
        _say(f"not in the mean: {row}: {reason}")


def _print_comparison(comparison: Comparison, folder: Path) -> None:
    console = Console(highlight=False)
    console.print(comparison_table(comparison, console.width))
    _say(f"written to {folder}")


def _say(text: str, stderr: bool = False) -> None:
    Console(stderr=stderr, highlight=False).print(text, markup=False, soft_wrap=True)
