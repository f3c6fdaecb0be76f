"""The curves of a run: its log as charts, each with the lines that belong together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..core.errors import InpaintkitError
from ..runs import Run
from .charts import Series, line_chart

Log = Sequence[Mapping[str, Any]]

_ORDER = ("validation", "generator", "critics", "critic", "gradient")  # what a reader looks for first
_NO_CURVE = ("step", "time", "seconds")
_TITLES = {
    "generator": "Generator terms",
    "generator/critics": "Generator terms: critics",
    "critics/gap": "Critics: gap between real and fake scores",
    "critics/gradient_norm": "Critics: slope at the penalized points",
    "critics/penalty": "Critics: gradient penalty",
    "gradient": "Gradients of the terms at the raw output",
    "lr": "Learning rate",
    "images_per_s": "Images per second",
}
_SHARED = ("gap", "gradient_norm", "penalty")  # of a critic: of other scales than its scores, so critics share a chart


def read_log(run: Run) -> list[dict[str, Any]]:
    """The log by rising step, one entry a step, nested values flattened to ``a/b``; [] when there is no log.

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
    """Charts and their lines: ``generator/l1`` and ``generator/image`` share one, each critic has its own.

    Of all critics the gaps share a chart, and so do gradient norms and penalties. What they are to the generator is in
    a chart apart from its losses, which are of another scale.
    Validation metrics share a chart where they are of one kind (``validation/psnr[hole]``, ``validation/psnr[ring]``).
    """
    points: dict[str, dict[str, list[tuple[float, float]]]] = {}
    critics = {key.split("/")[1] for entry in log for key in entry if key.startswith("critic/")}
    for entry in log:
        for key, value in entry.items():
            if key not in _NO_CURVE and isinstance(value, int | float) and not isinstance(value, bool):
                chart, name = _place(key)
                if chart == "generator" and name in critics:
                    chart = "generator/critics"
                points.setdefault(chart, {}).setdefault(name, []).append((float(entry["step"]), float(value)))
    lines = {chart: [Series.of(name, at) for name, at in points[chart].items()] for chart in sorted(points, key=_rank)}
    return [(chart, some) for chart, all_ in lines.items() if (some := [line for line in all_ if len(line.steps)])]


def stages(log: Log) -> list[tuple[float, str]]:
    """Where each stage begins, and its name. The log tells the stage of what came before an entry."""
    found: list[tuple[float, str]] = []
    before = 0.0
    for entry in log:
        name = entry.get("stage")
        if isinstance(name, str) and name and (not found or found[-1][1] != name):
            found.append((before, name))
        before = float(entry["step"])
    return found


def curve_charts(log: Log) -> list[str]:
    """Every chart of the log as HTML, over the same steps."""
    begins, charts = stages(log), curves(log)
    last = max((float(entry["step"]) for entry in log), default=0.0)
    return [line_chart(title(chart), lines, begins, (0.0, last)) for chart, lines in charts]


def title(chart: str) -> str:
    """A chart's name for people.

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


def _place(key: str) -> tuple[str, str]:
    """The chart that a logged value belongs to, and its name there."""
    head, _, rest = key.partition("/")
    if head == "validation" and rest:
        kind = re.split(r"[\[ /]", rest)[0]
        return f"validation/{kind}", rest
    if head == "lr" and rest:
        return head, rest
    chart, _, name = key.rpartition("/")
    if head == "critic" and name in _SHARED:
        return f"critics/{name}", chart.removeprefix("critic/")
    return (chart, name) if chart else (key, key)


def _rank(chart: str) -> tuple[int, str]:
    head = chart.split("/")[0]
    return (_ORDER.index(head) if head in _ORDER else len(_ORDER), chart)
