"""sweep(): methods compared while one option of a protocol's holes changes, such as its size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from inpaintkit.core.errors import InpaintkitError
from inpaintkit.core.plugins import Plugins
from inpaintkit.data import ImageSet, Source
from inpaintkit.evaluation import (
    ProtocolSource,
    Row,
    TestSet,
    completions,
    evaluate_completions,
    load_protocol,
    ranking_metric,
    ranks,
)
from inpaintkit.runtime import Execution

from .candidates import Candidate, MethodSource, load_candidates
from .comparison import Comparison, ComparisonRow
from .rows import Watch, describe_error
from .sweep_files import write_sweep
from .sweep_plan import Plan, format_value, plan, require_picture
from .sweeps import Sweep


def sweep(
    methods: MethodSource | Iterable[MethodSource],
    protocol: TestSet | ProtocolSource,
    values: str | Plan,
    images: Source | Sequence[Source] | ImageSet | None = None,
    *,
    picture: int = 0,
    out: str | Path | None = None,
    execution: Execution | None = None,
    plugins: Plugins | None = None,
) -> Sweep:
    """Evaluates every method at every value of an option of the protocol's mask sampler. Each method is loaded once.

    A method that fails at a value has no number there, and the reason; the others go on.

    Args:
        methods: sources of methods, as :func:`inpaintkit_compare.compare` takes them, or candidates.
        protocol: a protocol with its ``images``, or a test set.
        values: such as ``"side=4..16"`` or ``"offset=-8..8:8"``; see :func:`inpaintkit_compare.sweep_plan.plan`.
        picture: the index of the picture for the sheet.
        out: a folder for what :func:`inpaintkit_compare.sweep_files.write_sweep` writes, after each method.
        execution: device, batch and progress; by default on the CPU.

    Raises:
        RecipeError: methods, protocol or values are wrong, before anything is computed.
        InpaintkitError: there is no such picture, or ``out`` cannot be written to.
        KeyboardInterrupt: what was measured is in ``out``.
    """
    execution = execution or Execution()
    candidates = load_candidates(methods, plugins)
    if not isinstance(protocol, TestSet):
        protocol = TestSet.open(load_protocol(protocol, plugins), images, progress=execution.progress)
    planned = plan(protocol, values, plugins) if isinstance(values, str) else values
    require_picture(protocol, picture)
    first = Comparison.of(planned.test_sets[0], execution, plugins)
    comparisons = [attrs.evolve(first, protocol=each.protocol.settings(), hash=each.hash) for each in planned.test_sets]
    found = Sweep(planned, tuple(comparisons), picture)
    for candidate in candidates:
        found = _with_candidate(found, candidate, execution)
        found = attrs.evolve(found, complete=len(found.methods) == len(candidates))
        if out is not None:
            write_sweep(Path(out), found)
    if not any(comparison.rows for comparison in found.comparisons):
        raise InpaintkitError(f"nothing could be measured: {'; '.join(dict.fromkeys(found.failed.values()))}")
    return found


def _with_candidate(found: Sweep, candidate: Candidate, execution: Execution) -> Sweep:
    """The sweep with a candidate at every value."""
    plan = found.plan
    rows: list[list[Row]] = [[] for _ in plan.values]
    watches = [Watch([found.picture]) for _ in plan.values]
    failed = [""] * len(plan.values)
    for run in range(candidate.count):
        try:
            method = candidate.load(run, execution.device)
        except Exception as error:  # the other methods go on
            failed = [reason or describe_error(error) for reason in failed]
            break
        for at, test_set in enumerate(plan.test_sets):
            if failed[at]:
                continue
            title = f"{candidate.name} at {plan.option} {format_value(plan.values[at])}"
            try:
                parts = watches[at](completions(method, test_set, execution, title=title))
                info = Row(candidate.name, candidate.kind)
                rows[at].append(evaluate_completions(parts, test_set, info, execution.device))
            except Exception as error:  # a hole too large for it, say
                failed[at] = describe_error(error)
    comparisons = [
        one.with_failure(candidate.name, reason)
        if reason
        else attrs.evolve(one, rows=(*one.rows, ComparisonRow.over(candidate, measured)))
        for one, measured, reason in zip(found.comparisons, rows, failed, strict=True)
    ]
    tiles = [watch.tiles.get(found.picture) for watch in watches]
    return attrs.evolve(found, comparisons=tuple(comparisons), tiles={**found.tiles, candidate.name: tiles})


def median_picture(comparison: Comparison) -> int:
    """The index of the median picture of a comparison's first row; 0 where no metric ranks pictures."""
    metrics = comparison.rows[0].metrics if comparison.rows else {}
    result = metrics.get(ranking_metric(metrics))
    order = ranks(result.per_image or (), bool(result.higher_is_better)) if result else []
    return order[(len(order) - 1) // 2] if order else 0
