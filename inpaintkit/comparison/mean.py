"""The mean of comparisons under several protocols, on the same pictures: one score over several kinds of holes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from ..core.errors import InpaintkitError
from ..evaluation import MetricResult
from ..runs import new_run
from .files import write_comparison
from .outcome import Comparison, ComparisonRow
from .table import comparison_table

#: What must agree in a row under every protocol: whatever else is named the same is another method.
IDENTITY = ("kind", "seeds", "steps", "training_seeds", "best_of", "chosen_by", "blend")


def mean_over(comparisons: Sequence[Comparison]) -> Comparison:
    """A comparison in which each picture counts with its mean over the protocols.

    Per picture and metric: the mean of its values under the protocols; where one is not defined, neither is the mean.
    From there on all is as in a single comparison: means over pictures, paired differences to the first row, p-values,
    Holm's correction, the spread over training runs. Metrics are those that all protocols have, with a value for each
    picture (so neither KID nor FID). The final score of the semantic DCGAN paper is such a mean, over holes in the
    center and at random.

    Costs are the mean of the seconds and the most memory, unknown where device, threads or batch differ. A row without
    numbers under one of the protocols is in ``failed``. The hash is one of the protocols' hashes, in their order.

    Args:
        comparisons: at least two, each under another protocol; the first one says in which order the rows stand, and
            to which one the differences are.

    Raises:
        InpaintkitError: fewer than two, the same protocol twice, other pictures, or no row or metric that all have.
    """
    _require_same_pictures(comparisons)
    names, first = [one.name for one in comparisons], comparisons[0]
    alike = all(_terms(one) == _terms(first) for one in comparisons)
    device, threads, batch = _terms(first) if alike else ("", 0, 0)
    mean = Comparison(
        protocol={
            "name": f"mean of {', '.join(names)}",
            "mean_of": [{**one.protocol, "hash": one.hash} for one in comparisons],
        },
        hash=blake2b("\n".join(one.hash for one in comparisons).encode(), digest_size=16).hexdigest(),
        names=first.names,
        digest=first.digest,
        complete=all(one.complete for one in comparisons),
        reference=first.reference,
        device=device,
        threads=threads,
        batch=batch,
        environment=_shared([one.environment for one in comparisons]),
        plugins=_shared([one.plugins for one in comparisons]),
    )
    for name in dict.fromkeys(name for one in comparisons for name in [*(row.name for row in one.rows), *one.failed]):
        found = [next((row for row in one.rows if row.name == name), None) for one in comparisons]
        rows = [row for row in found if row is not None]
        missing = [
            f"{one.name}: {one.failed.get(name, 'not measured')}"
            for one, row in zip(comparisons, found, strict=True)
            if row is None
        ]
        if reason := "; ".join(missing) or _unlike(rows, names):
            mean = mean.without(name, reason)
            continue
        row = _mean_row(rows, alike)
        if not row.metrics:
            raise InpaintkitError("no metric with a value for each picture is common to all protocols")
        mean = mean.added(row)
    if not mean.rows:
        raise InpaintkitError("no row has its numbers under every protocol")
    return mean


def show_mean(comparisons: Sequence[Comparison], root: Path, console: Console) -> None:
    """Prints the mean and writes it into a new folder ``root/mean``; or says in a line why there is none."""
    try:
        found = mean_over(comparisons)
    except InpaintkitError as error:
        names = ", ".join(one.name for one in comparisons)
        console.print(f"no mean of {names}: {error}", markup=False, soft_wrap=True)
        return
    folder = new_run(root, "mean").folder
    write_comparison(folder, found)
    console.print(comparison_table(found))
    console.print(f"written to {folder}", markup=False, soft_wrap=True)
    for row, reason in found.failed.items():
        console.print(f"not in the mean: {row}: {reason}", markup=False, soft_wrap=True)


def _require_same_pictures(comparisons: Sequence[Comparison]) -> None:
    if len(comparisons) < 2:
        raise InpaintkitError("a mean over protocols needs two comparisons or more")
    first = comparisons[0]
    hashes: dict[str, str] = {}
    for one in comparisons:
        if one.hash in hashes:
            raise InpaintkitError(f"{hashes[one.hash]} and {one.name} are the same protocol")
        hashes[one.hash] = one.name
        if (one.digest, one.names) != (first.digest, first.names):
            raise InpaintkitError(
                f"{first.name} and {one.name} were measured on different pictures "
                f"({len(first.names):,} and {len(one.names):,}): choose the same with --images"
            )


def _terms(comparison: Comparison) -> tuple[str, int, int]:
    """On what the costs depend."""
    return comparison.device, comparison.threads, comparison.batch


def _shared(mappings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The entries in which all agree."""
    first, *others = mappings
    return {key: value for key, value in first.items() if all(key in one and one[key] == value for one in others)}


def _unlike(rows: Sequence[ComparisonRow], names: Sequence[str]) -> str:
    """In what rows of one name differ, in words; empty for rows of the same method."""
    for attribute in IDENTITY:
        values = [getattr(row, attribute) for row in rows]
        if any(value != values[0] for value in values):
            told = ", ".join(f"{value!r} under {name}" for value, name in zip(values, names, strict=True))
            return f"not the same method: {attribute.replace('_', ' ')} {told}"
    return ""


def _mean_row(rows: Sequence[ComparisonRow], alike: bool) -> ComparisonRow:
    """One row of a method's rows under several protocols; it has no metrics where they share none."""
    metrics, by_seed, images_by_seed = {}, {}, {}
    for label, measure in rows[0].metrics.items():
        if any(label not in row.metrics or row.metrics[label].per_image is None for row in rows):
            continue
        with np.errstate(invalid="ignore"):  # the mean of both infinities is NaN: undefined for that image
            runs = np.mean([_values(row, label) for row in rows], axis=0)  # (runs, images)
            values = runs.mean(0)
        metrics[label] = MetricResult.from_values(values.tolist(), measure.higher_is_better)
        by_seed[label] = tuple(map(_defined_mean, runs))
        if len(runs) > 1:
            images_by_seed[label] = tuple(tuple(run) for run in runs.tolist())
    memory = [row.memory_per_image for row in rows if row.memory_per_image is not None]
    return attrs.evolve(
        rows[0],
        metrics=metrics,
        by_seed=by_seed,
        images_by_seed=images_by_seed,
        seconds_per_image=float(np.mean([row.seconds_per_image for row in rows])) if alike else math.nan,
        memory_per_image=max(memory) if alike and len(memory) == len(rows) else None,
        non_finite=tuple(dict.fromkeys(name for row in rows for name in row.non_finite)),
        differences={},
        p_values={},
        p_holm={},
    )


def _values(row: ComparisonRow, label: str) -> NDArray[np.float64]:
    """What each training run has for each image, (runs, images).

    Raises:
        InpaintkitError: the row is of an older file, without the values of single runs.
    """
    if len(row.by_seed[label]) == 1:
        return np.asarray([row.metrics[label].per_image], dtype=np.float64)
    if label not in row.images_by_seed:
        raise InpaintkitError(f"{row.name} has no values of its single training runs: compare again")
    return np.asarray(row.images_by_seed[label], dtype=np.float64)


def _defined_mean(values: NDArray[np.float64]) -> float:
    """The mean of (N,) without NaN; NaN where nothing else is there."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else math.nan
