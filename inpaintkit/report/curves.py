"""The training log as curves: which values share a chart, where stages begin, smoothing and downsampling."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from itertools import pairwise
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from ..core.errors import InpaintkitError
from ..runs import Run

Log = Sequence[Mapping[str, Any]]
Floats = NDArray[np.float64]

POINTS = 400  # of a drawn line, at most
_ORDER = ("validation", "generator", "critics", "critic", "gradient")  # the charts that come first
_NO_CURVE = ("step", "time", "seconds")
_TITLES = {
    "generator": "Generator terms",
    "generator/critics": "Generator terms: critics",
    "critics/gap": "Critics: gap between real and fake scores",
    "critics/gradient_norm": "Critics: gradient norm at the penalized points",
    "critics/penalty": "Critics: gradient penalty",
    "gradient": "Gradients of the terms at the raw output",
    "lr": "Learning rate",
    "weight": "Weights of the terms",
    "images_per_s": "Images per second",
}
_SHARED = ("gap", "gradient_norm", "penalty")  # on another scale than a critic's scores: all critics share one chart


@attrs.frozen(eq=False)
class Series:
    """One line: finite ``values`` at increasing ``steps``."""

    name: str
    steps: Floats
    values: Floats


def read_log(run: Run) -> list[dict[str, Any]]:
    """The log in the order of steps, one entry per step, nested values flattened to ``a/b``; [] without a log.

    Raises:
        InpaintkitError: it cannot be read.
    """
    try:
        lines = run.log()
    except (OSError, ValueError) as error:
        raise InpaintkitError(f"{run.log_file} cannot be read ({error})") from error
    by_step: dict[int, dict[str, Any]] = {}
    for line in lines:
        if isinstance(line, dict) and isinstance(step := line.get("step"), int):
            by_step.setdefault(step, {}).update(flat(line))
    return [by_step[step] for step in sorted(by_step)]


def curves(log: Log) -> list[tuple[str, list[Series]]]:
    """Charts and their lines, none of them empty.

    The loss terms of the generator share a chart. Its terms from the critics have another scale and share another one.
    Each critic has a chart of its own, but the gaps of all critics share one, and so do gradient norms and penalties.
    Validation metrics of one kind share a chart (``validation/psnr[hole]``, ``validation/psnr[ring]``).
    """
    critics = {key.split("/")[1] for entry in log for key in entry if key.startswith("critic/")}
    points: defaultdict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for entry in log:
        for key, value in entry.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if number and math.isfinite(value) and key not in _NO_CURVE:
                points[_place(key, critics)].append((entry["step"], value))
    charts: defaultdict[str, list[Series]] = defaultdict(list)
    for (chart, name), line in points.items():
        charts[chart].append(Series(name, *np.asarray(line, dtype=np.float64).T))
    return sorted(charts.items(), key=lambda item: _rank(item[0]))


def stages(log: Log) -> list[tuple[float, str]]:
    """The step at which each stage begins, and its name. An entry describes the steps since the entry before it."""
    found: list[tuple[float, str]] = []
    before = 0.0
    for entry in log:
        name = entry.get("stage")
        if isinstance(name, str) and name and (not found or found[-1][1] != name):
            found.append((before, name))
        before = float(entry["step"])
    return found


def smooth(series: Series, boundaries: Sequence[float] = ()) -> Series:
    """A centered moving mean over a fortieth of the line, within each stage.

    Short lines, and lines without noise (a learning rate), are returned as they are.
    """
    half = len(series.steps) // 80
    if half < 1:
        return series
    low, high = np.quantile(series.values, [0.05, 0.95])  # without rare spikes
    if np.median(np.abs(np.diff(series.values, 2))) <= 0.002 * (high - low):
        return series
    values = np.empty_like(series.values)
    cuts = [0, *(int(np.searchsorted(series.steps, start)) for start in sorted(boundaries)), len(values)]
    for first, last in pairwise(cuts):
        at = np.arange(last - first)
        left, right = np.maximum(at - half, 0), np.minimum(at + half + 1, last - first)
        total = np.concatenate([[0.0], np.cumsum(series.values[first:last])])
        values[first:last] = (total[right] - total[left]) / (right - left)
    return attrs.evolve(series, values=values)


def thin(series: Series, limit: int = POINTS) -> Series:
    """At most ``limit`` points: both ends, and the lowest and the highest of each part, so that no spike is lost."""
    count = len(series.steps)
    if count <= limit:
        return series
    parts = np.array_split(np.arange(count), limit // 2 - 1)
    extremes = [part[pick(series.values[part])] for part in parts for pick in (np.argmin, np.argmax)]
    keep = np.unique([0, *extremes, count - 1])
    return Series(series.name, series.steps[keep], series.values[keep])


def title(chart: str) -> str:
    """The heading of a chart.

    >>> title("critic/image"), title("generator"), title("validation/psnr")
    ('Critic: image', 'Generator terms', 'Validation: psnr')
    """
    if chart in _TITLES:
        return _TITLES[chart]
    head, _, rest = chart.partition("/")
    words = head.replace("_", " ").capitalize()
    return f"{words}: {rest.replace('_', ' ')}" if rest else words


def flat(tree: Mapping[str, Any], head: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` -> ``{"a/b": 1}``."""
    result: dict[str, Any] = {}
    for key, value in tree.items():
        result |= flat(value, f"{head}{key}/") if isinstance(value, Mapping) else {f"{head}{key}": value}
    return result


def _place(key: str, critics: Container[str]) -> tuple[str, str]:
    """The chart that a logged value belongs to, and its name there."""
    head, _, rest = key.partition("/")
    if head == "validation" and rest:
        kind = re.split(r"[\[ /]", rest)[0]
        return f"validation/{kind}", rest
    if head == "lr" and rest:
        return head, rest
    if head == "generator" and rest in critics:
        return "generator/critics", rest
    chart, _, name = key.rpartition("/")
    if head == "critic" and name in _SHARED:
        return f"critics/{name}", chart.removeprefix("critic/")
    return (chart, name) if chart else (key, key)


def _rank(chart: str) -> tuple[int, str]:
    head = chart.split("/")[0]
    return (_ORDER.index(head) if head in _ORDER else len(_ORDER), chart)
