"""Evaluates one method of a comparison: its row over all training runs, and the row of its best of several samples."""

from __future__ import annotations

import math
import traceback
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import attrs
import torch
from torch import Tensor

from inpaintkit.core.errors import InpaintkitError
from inpaintkit.core.interfaces import Method, Sample
from inpaintkit.evaluation import (
    Completion,
    Row,
    TestSet,
    build_metrics,
    completions,
    evaluate_completions,
    ranking_metric,
)
from inpaintkit.runtime import Execution, Pixels, to_uint8

from .candidates import Candidate
from .comparison import ComparisonRow


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
