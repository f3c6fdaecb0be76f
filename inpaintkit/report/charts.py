"""Line charts over training steps and histograms, drawn by matplotlib as SVG for a light or a dark page.

Importing this module imports matplotlib, so the report does it only when it is written.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from .curves import Floats, Series, smooth, thin

STYLE = Path(__file__).with_name("templates") / "chart.mplstyle"  # takes the place of the user's own settings
TEXT = "#010203"  # in that style; the page replaces it by the color of its text
LETTER, SPACE = 0.0184, 0.013  # of the names of stages, as shares of the axes: roughly, because the page sets the font


@attrs.frozen
class LegendEntry:
    """A name and the look of its line."""

    name: str
    color: str
    dashed: bool = False


@attrs.frozen
class Chart:
    """A figure with what the page writes above it."""

    title: str
    figure: Figure
    legend: list[LegendEntry]
    note: str = ""

    def svg(self) -> str:
        """An ``<svg>`` element to put into a page; equal charts give equal text."""
        file = io.StringIO()
        with rc_context({"svg.hashsalt": self.title}, STYLE):
            self.figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
        text = file.getvalue()
        text = text[text.index("<svg") :].replace(TEXT, "currentColor")
        text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)  # inline, it would apply to the whole page
        text = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", text)  # matplotlib numbers groups anew in each figure
        return re.sub(r'(?<= d=")[^"]+', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), text)  # 0.01 pixels


@rc_context(fname=STYLE)
def line_chart(
    title: str,
    series: Sequence[Series],
    boundaries: Sequence[tuple[float, str]] = (),
    steps: tuple[float, float] | None = None,
) -> Chart:
    """Lines over training steps; each of ``series`` has at least one point.

    ``boundaries`` are the steps at which a stage begins, with its name. ``steps`` are the limits of the axis, so that
    several charts can share them. The value axis is logarithmic where all values are positive and span more than a
    factor of 20. Long noisy lines are drawn faintly, with a moving mean on top.
    """
    figure, axes = _axes("step")
    means = [smooth(line, [step for step, _ in boundaries]) for line in series]
    legend = []
    for line, mean in zip(series, means, strict=True):
        shown = thin(mean)
        (drawn,) = axes.plot(shown.steps, shown.values, marker="o" if len(shown.steps) == 1 else "")
        legend.append(LegendEntry(line.name, to_hex(drawn.get_color()), drawn.is_dashed()))
        if mean is not line:
            faint = thin(line)
            color, style = drawn.get_color(), drawn.get_linestyle()
            axes.plot(faint.steps, faint.values, color=color, ls=style, alpha=0.3, linewidth=0.9, zorder=1.5)
    low, high = steps or (min(line.steps[0] for line in series), max(line.steps[-1] for line in series))
    axes.set_xlim((0.0 if 0 < low < 0.1 * high else low, high) if low < high else (low - 1, high + 1))
    note = _scale_values(axes, [mean.values for mean in means], [line.values for line in series])
    _mark_stages(axes, boundaries)
    return Chart(title, figure, legend, note)


@rc_context(fname=STYLE)
def histogram(title: str, values: Mapping[str, Sequence[float]], unit: str = "") -> Chart | None:
    """The distribution of the finite values of each name over common bins; None without any finite value."""
    finite = {name: array[np.isfinite(array)] for name, some in values.items() if len(array := np.asarray(some))}
    every = np.concatenate([*finite.values(), np.empty(0)])
    if not len(every):
        return None
    figure, axes = _axes(unit)
    edges = np.histogram_bin_edges(every, min(28, 2 * math.ceil(math.sqrt(len(every) / len(finite)))))
    legend = []
    for name, some in finite.items():
        counts, _ = np.histogram(some, edges)
        bars = axes.stairs(counts, edges, fill=True, alpha=0.35)
        axes.stairs(counts, edges, color=bars.get_facecolor()[:3], linewidth=1.3)
        legend.append(LegendEntry(name, to_hex(bars.get_facecolor())))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    return Chart(title, figure, legend)


def label(value: float, position: float = 0) -> str:
    """The text of a tick; ``position`` is what matplotlib adds.

    >>> [label(value) for value in (0, 0.05, 12.0, 150_000, 2_500_000, 1e-5, -0.25)]
    ['0', '0.05', '12', '150k', '2.5M', '1e-5', '-0.25']
    """
    if abs(value) < 1e-12:
        return "0"
    for unit, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.4g}{suffix}"
    return f"{value:.4g}".replace("e-0", "e-")


def _axes(label_of_x: str) -> tuple[Figure, Axes]:
    figure = Figure()
    axes = figure.add_subplot(xlabel=label_of_x)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(label)
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    return figure, axes


def _scale_values(axes: Axes, means: Sequence[Floats], raw: Sequence[Floats]) -> str:
    """Sets limits and scale of the values, and returns a note on it. Rare spikes of ``raw`` may leave the frame."""
    values = np.concatenate([*means, *(np.quantile(one, [0.01, 0.99]) for one in raw)])
    low, high = float(values.min()), float(values.max())
    if low > 0 and high / low > 20:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.15, high * 1.15)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 200 else (1,), numticks=7))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(label)  # the scale has brought its own
        return "log scale"
    if high - low < 1e-9 * max(1.0, abs(high)):
        spread = max(abs(low), abs(high)) * 0.1
        spread = spread if spread > 1e-300 else 0.1
        low, high = low - spread, high + spread
    margin = (high - low) * 0.06
    axes.set_ylim(0.0 if 0 <= low < 0.35 * high else low - margin, high + margin)  # zero, where it is near
    return ""


def _mark_stages(axes: Axes, boundaries: Sequence[tuple[float, str]]) -> None:
    """A line where each stage begins, its name above; where names would overlap, the longer stages keep theirs."""
    low, high = axes.get_xlim()
    ends = [*(start for start, _ in boundaries[1:]), high]
    spans = [(max(start, low), min(end, high), name) for (start, name), end in zip(boundaries, ends, strict=False)]
    taken: list[tuple[float, float]] = []
    for start, end, name in sorted(spans, key=lambda span: span[0] - span[1]):
        if end <= start:
            continue
        if start > low:
            axes.axvline(start, color=TEXT, linewidth=0.8, linestyle=":")
        width = (len(name) * LETTER + SPACE) * (high - low)
        left = max(low, min(start, high - width))
        if all(left + width <= other_left or left >= other_right for other_left, other_right in taken):
            axes.text(left, 1.03, name, transform=axes.get_xaxis_transform(), fontsize=10)
            taken.append((left, left + width))
