"""compare(), which evaluates one row after the other and writes each before the next begins; best-of-k rows."""

from __future__ import annotations

import math
import traceback
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import attrs
import torch
from torch import Tensor

from ..core.errors import InpaintkitError
from ..core.interfaces import Method, Sample
from ..core.plugins import Plugins
from ..evaluation import (
    Completion,
    ProtocolSource,
    Row,
    TestSet,
    build_metrics,
    completions,
    evaluate_completions,
    input_columns,
    ranking_metric,
)
from ..runtime import Execution, Pixels, evenly_spaced, picture_grid, png, to_uint8
from .candidates import Candidate, MethodSource
from .comparison import Comparison, ComparisonRow
from .files import write_comparison, write_json
from .inputs import ComparisonOptions, Images, empty_folder, prepare


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
            names to methods; see :func:`inpaintkit.comparison.candidates.load_candidates`.
        protocol: a protocol, the name of a bundled one, a file, or a mapping.
        images: instead of the pictures that the protocol or the first run's recipe names.
        options: what to measure beside the protocol's metrics.
        out: a new or empty folder for ``comparison.md``, ``.csv``, ``.json`` and ``grid.png``; by default nothing is
            written. The JSON is written after each row, so that an interruption loses none.
        execution: device, batch and progress; by default on the CPU.

    Raises:
        RecipeError: everything that is wrong with sources, protocol and pictures, before anything is computed.
        InpaintkitError: every row failed, or ``out`` is not empty.
    """
    options, execution = options or ComparisonOptions(), execution or Execution()
    candidates, [test_set] = prepare(sources, [protocol], images, options, execution, plugins)
    folder = None if out is None else empty_folder(Path(out))
    return evaluate_rows(candidates, test_set, folder, options, execution, plugins)


def evaluate_rows(
    candidates: Sequence[Candidate],
    test_set: TestSet,
    folder: Path | None,
    options: ComparisonOptions,
    execution: Execution,
    plugins: Plugins | None = None,
) -> Comparison:
    """Every candidate under one protocol; see :func:`compare`.

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
        if folder is not None:
            write_comparison(folder, comparison, png(picture_grid(columns)) if shown and comparison.rows else None)
    if not comparison.rows:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in comparison.failed.items())
        raise InpaintkitError(f"no row could be measured: {reasons}")
    return comparison


def evaluate_candidate(
    candidate: Candidate, test_set: TestSet, shown: Collection[int], best_of: int | None, execution: Execution
) -> Iterator[tuple[ComparisonRow, dict[int, Pixels]]]:
    """The row of a candidate over all its runs; then, if it draws at random, that of its best of several samples.

    With each row come the pictures ``shown``, by index, as the first run completes them.

    Raises:
        InpaintkitError: a run cannot be loaded any more, or no metric says which sample is the best.
    """
    best_of = best_of if candidate.stochastic else None
    info = Row(candidate.name, candidate.kind)
    watch, best_watch = Watch(shown), Watch(shown)
    rows, best_rows = [], []
    chosen_by = ""
    for at in range(candidate.count):
        method = candidate.load(at, execution.device)
        seed = f", seed {candidate.seeds[at]}" if len(candidate.seeds) > 1 else ""
        title = f"{candidate.name} under {test_set.protocol.name}{seed}"
        parts = completions(method, test_set, execution, measure_memory=at == 0, title=title)
        rows.append(evaluate_completions(watch(parts), test_set, info, execution.device))
        if best_of:
            chosen_by = ranking_metric(rows[-1].metrics)
            if not chosen_by:
                raise InpaintkitError("best of several samples: no metric says which picture is better")
            parts = best_completions(method, test_set, best_of, chosen_by, execution, title)
            best_rows.append(evaluate_completions(best_watch(parts), test_set, info, execution.device))
    yield ComparisonRow.over(candidate, rows, memory=watch.memory), watch.tiles
    if best_of:
        yield (
            ComparisonRow.over(candidate, best_rows, memory=watch.memory, best_of=best_of, chosen_by=chosen_by),
            best_watch.tiles,
        )


class Watch:
    """Keeps some completed pictures of the first run, and the memory that an image needs, as completions pass by.

    Attributes:
        tiles: (3, S, S) uint8 by index.
        memory: bytes, where it was measured.
    """

    def __init__(self, indices: Collection[int]) -> None:
        self.indices = indices
        self.tiles: dict[int, Pixels] = {}
        self.memory: int | None = None

    def __call__(self, parts: Iterable[Completion]) -> Iterator[Completion]:
        """The same completions."""
        for part in parts:
            if part.memory is not None:
                self.memory = part.memory // len(part.indices)
            for place, index in enumerate(part.indices):
                if index in self.indices and index not in self.tiles:
                    self.tiles[index] = to_uint8(part.sample.completed[place]).cpu().numpy()
            yield part


def best_completions(
    method: Method, test_set: TestSet, count: int, label: str, execution: Execution, title: str
) -> Iterator[Completion]:
    """Of ``count`` samples of each picture the best one by the metric ``label``: the truth chooses.

    The first sample is the one that ``completions`` draws by default. ``seconds`` are those of all samples.
    """
    metric = build_metrics(test_set, execution.device)[label]
    silent = attrs.evolve(execution, progress=False)
    title = f"{title}, best of {count}"
    samples = [
        completions(method, test_set, silent if sample else execution, sample=sample, title=title)
        for sample in range(count)
    ]
    for parts in zip(*samples, strict=True):
        measured = [metric.update(part.sample) for part in parts]
        values = torch.stack([one for one in measured if one is not None])  # (count, B), by `ranking_metric`
        values = values if metric.higher_is_better else -values
        yield _choose(parts, values.nan_to_num(-math.inf, math.inf, -math.inf).argmax(0))


def describe_error(error: Exception) -> str:
    """An error in one line; with the place that it came from where it is a mistake in the code of a method."""
    text = " ".join(str(error).split())
    if isinstance(error, InpaintkitError):
        return text
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {text} ({Path(place.filename).name}:{place.lineno})"


def _choose(parts: Sequence[Completion], pick: Tensor) -> Completion:
    """Of each picture the sample ``pick`` (B,)."""
    each = torch.arange(len(pick), device=pick.device)
    first = parts[0].sample
    views = {
        name: torch.stack([part.sample.view(name) for part in parts])[pick, each] for name in ("output", "completed")
    }
    return attrs.evolve(
        parts[0],
        sample=Sample(first.image, first.mask, views),
        finite=torch.stack([part.finite for part in parts])[pick, each],
        seconds=sum(part.seconds for part in parts),
    )
