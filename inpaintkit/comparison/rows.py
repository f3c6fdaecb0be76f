"""Measures the rows of a comparison one after the other; what was measured is written before the next begins."""

from __future__ import annotations

import math
import traceback
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import attrs
import torch
from torch import Tensor

from ..components.blending import Blend, find_blend
from ..core.errors import InpaintkitError
from ..core.interfaces import Method, Metric, Sample
from ..core.plugins import Plugins
from ..evaluation import (
    Completion,
    Pixels,
    Row,
    Tally,
    TestSet,
    build_metrics,
    completions,
    device_name,
    given_columns,
    grid,
)
from ..runs import environment
from ..runtime import evenly, to_uint8
from .candidates import Candidate
from .files import write_comparison, write_json
from .outcome import Comparison, ComparisonRow

Tiles = list[Pixels]


def evaluate_rows(
    candidates: Sequence[Candidate],
    test_set: TestSet,
    folder: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    batch: int = 32,
    best_of: int | None = None,
    blend: str | None = None,
    pictures: int = 8,
    plugins: Plugins | None = None,
    progress: bool = False,
) -> Comparison:
    """Every candidate under one protocol; see :func:`inpaintkit.compare`.

    Raises:
        InpaintkitError: every row failed.
        KeyboardInterrupt: what was measured is in ``folder``.
    """
    wanted = evenly(range(len(test_set)), pictures) if pictures > 1 else list(range(len(test_set)))[:pictures]
    found = environment(plugins)
    comparison = Comparison(
        protocol=test_set.protocol.settings(),
        hash=test_set.hash,
        names=test_set.images.names,
        digest=test_set.images.digest,
        reference=candidates[0].name,
        pictures=tuple(test_set.images.names[index] for index in wanted),
        device=device_name(torch.device(device)),
        threads=torch.get_num_threads(),
        batch=batch,
        plugins=found.pop("plugins", {}),
        environment=found,
    )
    columns = given_columns(test_set, wanted)
    try:
        for candidate in candidates:
            try:
                for row, tiles in measured_rows(
                    candidate,
                    test_set,
                    wanted,
                    device=device,
                    batch=batch,
                    best_of=best_of,
                    blend=blend,
                    progress=progress,
                ):
                    comparison = comparison.added(row)
                    columns.append((row.name, tiles))
            except KeyboardInterrupt:
                comparison = comparison.without(candidate.name, "interrupted")
                raise
            except Exception as error:  # of a method: the others go on
                comparison = comparison.without(candidate.name, _told(error))
            if folder is not None:
                write_json(folder, comparison)
        comparison = attrs.evolve(comparison, complete=True)
    finally:
        if folder is not None:
            write_comparison(folder, comparison, grid(columns) if wanted and comparison.rows else None)
    if not comparison.rows:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in comparison.failed.items())
        raise InpaintkitError(f"no row could be measured: {reasons}")
    return comparison


def measured_rows(
    candidate: Candidate,
    test_set: TestSet,
    wanted: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    batch: int = 32,
    best_of: int | None = None,
    blend: str | None = None,
    progress: bool = False,
) -> Iterator[tuple[ComparisonRow, Tiles]]:
    """The row of a candidate over all its runs; then, if it draws at random, that of its best of several samples.

    With ``blend`` each of them is followed by its twin, in which the same drawings are blended. With each row come what
    the first run made of the pictures ``wanted``: (3, S, S), uint8.

    Raises:
        InpaintkitError: a run cannot be loaded any more, or nothing tells which sample is the best.
    """
    drawn = best_of if best_of and candidate.stochastic else 0
    samples, best = (_Gathered(candidate, test_set, wanted, device, blend) for _ in range(2))
    fit = find_blend(blend)
    for at in range(candidate.count):
        method = candidate.load(at, device)
        seed = f", seed {candidate.seeds[at]}" if len(candidate.seeds) > 1 else ""
        title = f"{candidate.name} under {test_set.protocol.name}{seed}" if progress else ""
        samples.add(
            completions(method, test_set, device=device, batch=batch, progress=title, memory=at == 0, blend=fit),
            at == 0,
        )
        if drawn:
            title = title and f"{title}, best of {drawn}"
            label = chooser(samples.rows[""][-1])
            parts = best_completions(
                method, test_set, drawn, label, device=device, batch=batch, progress=title, blend=fit
            )
            best.add(parts, at == 0)
    yield from samples.finished()
    if drawn:
        best.memory = samples.memory
        yield from best.finished(best_of=drawn, chosen_by=chooser(samples.rows[""][0]))


class _Gathered:
    """The rows of one candidate's runs in the making, by the name of the blending: ``""`` for what is not blended."""

    def __init__(
        self,
        candidate: Candidate,
        test_set: TestSet,
        wanted: Collection[int],
        device: torch.device | str,
        blend: str | None,
    ) -> None:
        self.candidate, self.test_set, self.wanted, self.device = candidate, test_set, wanted, device
        self.rows: dict[str, list[Row]] = {name: [] for name in ("", blend) if name is not None}
        self.tiles: dict[str, dict[int, Pixels]] = {name: {} for name in self.rows}
        self.memory: dict[str, int] = {}  # for an image

    def add(self, parts: Iterable[Completion], first: bool) -> None:
        """The completions of one run; those of the ``first`` are kept as pictures."""
        name, kind = self.candidate.name, self.candidate.kind
        tallies = {blend: Tally(self.test_set, name=name, kind=kind, device=self.device) for blend in self.rows}
        for part in parts:
            for blend, found in tallies.items():
                one = part.blended if blend else part
                assert one is not None
                found.add(one)
                if one.memory is not None:
                    self.memory[blend] = one.memory // len(one.indices)
                if first:
                    keep(one, self.wanted, self.tiles[blend])
        for blend, found in tallies.items():
            self.rows[blend].append(found.row())

    def finished(self, best_of: int = 0, chosen_by: str = "") -> Iterator[tuple[ComparisonRow, Tiles]]:
        for blend, rows in self.rows.items():
            row = ComparisonRow.over(
                self.candidate,
                rows,
                memory=self.memory.get(blend),
                best_of=best_of,
                chosen_by=chosen_by,
                blend=blend,
            )
            yield row, [self.tiles[blend][index] for index in self.wanted]


def best_completions(
    method: Method,
    test_set: TestSet,
    count: int,
    label: str,
    *,
    device: torch.device | str = "cpu",
    batch: int = 32,
    progress: str = "",
    blend: Blend | None = None,
) -> Iterator[Completion]:
    """Of ``count`` samples of each picture the one that is best by the metric ``label``: the truth chooses.

    The first sample is the one that ``completions`` draws. ``seconds`` are those of all samples.
    Of blended samples the truth chooses anew.
    """
    metric = build_metrics(test_set, torch.device(device))[label]
    draws = [
        completions(
            method, test_set, device=device, batch=batch, draw=draw, progress="" if draw else progress, blend=blend
        )
        for draw in range(count)
    ]
    for parts in zip(*draws, strict=True):
        best = _best(parts, metric)
        blended = [part.blended for part in parts if part.blended is not None]
        yield attrs.evolve(best, blended=_best(blended, metric)) if blended else best


def _best(parts: Sequence[Completion], metric: Metric) -> Completion:
    values = torch.stack([_values(metric, part) for part in parts])  # (count, B)
    values = values if metric.higher_is_better else -values
    return _picked(parts, values.nan_to_num(-math.inf, math.inf, -math.inf).argmax(0))


def _values(metric: Metric, part: Completion) -> Tensor:
    found = metric.update(part.sample)
    if found is None:
        raise InpaintkitError(f"{metric.label} has no value for each picture")
    return found


def _picked(parts: Sequence[Completion], pick: Tensor) -> Completion:
    """Of each picture one sample, ``pick`` (B,)."""
    each = torch.arange(len(pick), device=pick.device)
    first = parts[0]
    views = {
        name: torch.stack([part.sample.view(name) for part in parts])[pick, each] for name in ("output", "completed")
    }
    return Completion(
        first.indices,
        first.names,
        Sample(first.sample.image, first.sample.mask, views),
        torch.stack([part.finite for part in parts])[pick, each],
        sum(part.seconds for part in parts),
    )


def chooser(row: Row) -> str:
    """The label of the metric by which the truth chooses: the first with values per image and a better end.

    Raises:
        InpaintkitError: there is none.
    """
    for label, measure in row.metrics.items():
        if measure.per_image is not None and measure.higher_is_better is not None:
            return label
    raise InpaintkitError("best of several samples: no metric of the protocol tells which picture is better")


def watched(parts: Iterable[Completion], wanted: Collection[int], into: dict[int, Pixels]) -> Iterator[Completion]:
    """The same completions; those of the pictures ``wanted`` are kept as pixels (3, S, S)."""
    for part in parts:
        keep(part, wanted, into)
        yield part


def keep(part: Completion, wanted: Collection[int], into: dict[int, Pixels]) -> None:
    for place, index in enumerate(part.indices):
        if index in wanted:
            into[index] = to_uint8(part.sample.completed[place]).cpu().numpy()


def _told(error: Exception) -> str:
    """An error in one line; of one that nobody raised on purpose with the place that it came from."""
    if isinstance(error, InpaintkitError):
        return " ".join(str(error).split())
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text} ({Path(place.filename).name}:{place.lineno})"
