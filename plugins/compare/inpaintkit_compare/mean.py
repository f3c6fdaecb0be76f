"""The mean of comparisons under several protocols, on the same pictures: one score over several kinds of holes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import attrs
import numpy as np

from inpaintkit.core.errors import InpaintkitError
from inpaintkit.evaluation import MetricResult

from .comparison import Comparison, ComparisonRow, Earlier, over_runs

#: What rows of one name must agree in to be of the same method.
IDENTITY = ("kind", "seeds", "steps", "training_seeds", "best_of", "chosen_by", "blend")


def mean_over(comparisons: Sequence[Comparison]) -> Comparison:
    """A comparison in which each picture counts with its mean over the protocols.

    Per picture and metric: the mean of its values under the protocols; where one is not defined, neither is the mean.
    Everything else is as in a single comparison: means over pictures, paired differences to the first row, p-values,
    Holm's correction, the spread over training runs. Metrics are those that all protocols have, with a value for each
    picture (so neither KID nor FID). The final score of the semantic DCGAN paper is such a mean, over holes in the
    center and at random.

    Costs are the mean of the seconds and the most memory, unknown where device, threads or batch differ, also those of
    rows that were taken over from earlier comparisons. A row without
    numbers under one of the protocols is in ``failed``. The hash is one of the protocols' hashes, in their order.

    Args:
        comparisons: at least two, each under another protocol; the first one says in which order the rows stand, and
            to which one the differences are.

    Raises:
        InpaintkitError: fewer than two, the same protocol twice, other pictures, or no row or metric that all have.
    """
    _require_same_pictures(comparisons)
    names, first = [one.name for one in comparisons], comparisons[0]
    terms = {(one.device, one.threads, one.batch) for one in comparisons}  # what the costs depend on
    device, threads, batch = terms.pop() if len(terms) == 1 else ("", 0, 0)
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
        rows = [row for one in comparisons for row in one.rows if row.name == name]
        missing = [
            f"{one.name}: {one.failed.get(name, 'not measured')}"
            for one in comparisons
            if all(row.name != name for row in one.rows)
        ]
        if reason := "; ".join(missing) or _difference(rows, names):
            mean = mean.with_failure(name, reason)
            continue
        row = _mean_row(rows, [row.earlier or Earlier.of(one) for row, one in zip(rows, comparisons, strict=True)])
        if not row.metrics:
            raise InpaintkitError("no metric with a value for each picture is common to all protocols")
        mean = mean.with_row(row)
    if not mean.rows:
        raise InpaintkitError("no row has its numbers under every protocol")
    return mean


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


def _shared(mappings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The entries that are equal in all."""
    first, *others = mappings
    return {key: value for key, value in first.items() if all(key in one and one[key] == value for one in others)}


def _difference(rows: Sequence[ComparisonRow], names: Sequence[str]) -> str:
    """How rows of one name differ, in words; empty for rows of the same method."""
    for attribute in IDENTITY:
        values = [getattr(row, attribute) for row in rows]
        if any(value != values[0] for value in values):
            listed = ", ".join(f"{value!r} under {name}" for value, name in zip(values, names, strict=True))
            return f"not the same method: {attribute.replace('_', ' ')} {listed}"
    return ""


def _mean_row(rows: Sequence[ComparisonRow], terms: Sequence[Earlier]) -> ComparisonRow:
    """One row of a method's rows under several protocols; without metrics where the protocols share none.

    Args:
        terms: where and with what each row was measured.
    """
    same_terms = len({(one.device, one.threads, one.batch) for one in terms}) == 1
    earlier = next((row.earlier for row in rows if row.earlier is not None), None)
    if earlier is not None and not same_terms:
        earlier = attrs.evolve(earlier, device="", threads=0, batch=0)
    labels = [
        label
        for label in rows[0].metrics
        if all(label in row.metrics and row.metrics[label].per_image is not None for row in rows)
    ]
    runs = [
        {label: MetricResult.average([_run_result(row, label, at) for row in rows]) for label in labels}
        for at in range(max(1, len(rows[0].seeds)))
    ]
    memory = [row.memory_per_image for row in rows if row.memory_per_image is not None]
    return attrs.evolve(
        rows[0],
        **over_runs(runs),
        seconds_per_image=float(np.mean([row.seconds_per_image for row in rows])) if same_terms else math.nan,
        memory_per_image=max(memory) if same_terms and len(memory) == len(rows) else None,
        non_finite=tuple(dict.fromkeys(name for row in rows for name in row.non_finite)),
        differences={},
        p_values={},
        p_holm={},
        earlier=earlier,
    )


def _run_result(row: ComparisonRow, label: str, run: int) -> MetricResult:
    """A metric of one training run."""
    result = row.metrics[label]
    values = row.images_by_seed[label][run] if label in row.images_by_seed else result.per_image
    return attrs.evolve(result, per_image=values)
