"""compare(): every method under one protocol, row by row; each row is on disk before the next begins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs
import torch

from inpaintkit.core.errors import InpaintkitError
from inpaintkit.core.plugins import Plugins
from inpaintkit.evaluation import ProtocolSource, TestSet, input_columns
from inpaintkit.runtime import Execution, Pixels, evenly_spaced, picture_grid, png

from .candidates import Candidate, MethodSource
from .comparison import Comparison, ComparisonRow
from .files import write_comparison, write_json
from .inputs import ComparisonOptions, Images, empty_folder, prepare
from .rows import describe_error, evaluate_candidate


def compare(
    sources: MethodSource | Iterable[MethodSource],
    protocol: ProtocolSource,
    images: Images | None = None,
    options: ComparisonOptions | None = None,
    *,
    out: str | Path | None = None,
    execution: Execution | None = None,
    plugins: Plugins | None = None,
) -> Comparison:
    """Compares methods side by side: the same pictures and masks, differences paired with the first row.

    A row whose method fails is named in ``failed``, and the others go on.

    Args:
        sources: runs, checkpoints and recipes of untrained methods, each also as ``LABEL=SOURCE``, and mappings of
            names to methods; see :func:`inpaintkit_compare.candidates.load_candidates`.
        protocol: a protocol, the name of a bundled one, a file, or a mapping.
        images: instead of the pictures that the protocol or the first run's recipe names.
        options: what to measure beside the protocol's metrics, and which earlier comparisons' rows to take over.
        out: a new or empty folder for ``comparison.md``, ``.csv``, ``.json`` and ``grid.png``; by default nothing is
            written. The JSON is written after each row, so that an interruption loses none.
        execution: device, batch and progress; by default on the CPU.

    Raises:
        RecipeError: everything that is wrong with sources, protocol and pictures, before anything is computed.
        InpaintkitError: every row failed, or ``out`` is not empty.
    """
    options, execution = options or ComparisonOptions(), execution or Execution()
    candidates, [test_set], [reused] = prepare(sources, [protocol], images, options, execution, plugins)
    folder = None if out is None else empty_folder(Path(out))
    return evaluate_rows(candidates, test_set, folder, options, execution, plugins, reused.rows)


def evaluate_rows(
    candidates: Sequence[Candidate],
    test_set: TestSet,
    folder: Path | None,
    options: ComparisonOptions,
    execution: Execution,
    plugins: Plugins | None = None,
    reused: Sequence[ComparisonRow] = (),
) -> Comparison:
    """Every candidate under one protocol, then the rows that are ``reused``; see :func:`compare`.

    Raises:
        InpaintkitError: every row failed.
        KeyboardInterrupt: what was measured is in ``folder``.
    """
    shown = evenly_spaced(range(len(test_set)), options.pictures)
    comparison = Comparison.of(
        test_set,
        execution,
        plugins,
        reference=candidates[0].name,
        pictures=tuple(test_set.images.names[index] for index in shown),
        threads=torch.get_num_threads(),
    )
    columns: list[tuple[str, Sequence[Pixels]]] = [*input_columns(test_set, shown)]
    try:
        for candidate in candidates:
            try:
                for row, tiles in evaluate_candidate(candidate, test_set, shown, options.best_of, execution):
                    comparison = comparison.with_row(row)
                    columns.append((row.name, [tiles[index] for index in shown]))
            except KeyboardInterrupt:
                comparison = comparison.with_failure(candidate.name, "interrupted")
                raise
            except Exception as error:  # of a method: the others go on
                comparison = comparison.with_failure(candidate.name, describe_error(error))
            if folder is not None:
                write_json(folder, comparison)
        comparison = attrs.evolve(comparison, complete=True)
    finally:
        measured = bool(comparison.rows)
        for row in reused:
            comparison = comparison.with_row(row)
        if folder is not None:
            write_comparison(folder, comparison, png(picture_grid(columns)) if shown and measured else None)
    if not comparison.rows:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in comparison.failed.items())
        raise InpaintkitError(f"no row could be measured: {reasons}")
    return comparison
