"""Line charts over training steps and histograms, drawn by matplotlib as SVG that takes its colors from the page.

Importing this module imports matplotlib, so the report does it only when it is written.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import numpy as np
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from .curves import Floats, Series, smooth, thin

SIZE = (460, 224)  # of a figure, in pixels of the page
LETTER, SPACE = 7.2 / 392, 5 / 392  # of the text above the axes, as shares of their width: the font is the page's

TEXT, GRID = "#5d636e", "#ecece7"
LINES = ("#2a78d6", "#d9480f", "#1a9e6e", "#b8860b", "#6a4fc4", "#d6336c", "#0c8599", "#5c6b2f")
# The style sheet has these colors as variables, for a light and for a dark page.
VARIABLES = {TEXT: "--soft", GRID: "--grid", **{color: f"--s{index}" for index, color in enumerate(LINES)}}

STYLE: dict[Any, Any] = {  # newer stubs of matplotlib list its keys one by one
    "figure.dpi": 72,
    "figure.subplot.left": 52 / SIZE[0],
    "figure.subplot.right": 1 - 16 / SIZE[0],
    "figure.subplot.bottom": 38 / SIZE[1],
    "figure.subplot.top": 1 - 20 / SIZE[1],
    "font.size": 11,
    "text.color": TEXT,
    "text.parse_math": False,
    "axes.edgecolor": TEXT,
    "axes.labelcolor": TEXT,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.left": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "lines.linewidth": 1.7,
    "lines.solid_joinstyle": "round",
    "xtick.color": TEXT,
    "xtick.major.size": 0,
    "xtick.major.pad": 5,
    "ytick.color": TEXT,
    "ytick.major.size": 0,
    "savefig.transparent": True,
    "svg.fonttype": "none",
}


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib's defaults and ``STYLE``, whatever the settings of the user."""
    with rc_context():
        rcdefaults()
        rcParams.update(STYLE)
        yield


@attrs.frozen
class LegendEntry:
    """A name and the look of its line."""

    name: str
    color: str
    dashed: bool = False

    @property
    def variable(self) -> str:
        """The color as the style sheet knows it."""
        return _variable(self.color)


@attrs.frozen
class Chart:
    """A figure with what the page writes above it."""

    title: str
    legend: list[LegendEntry]
    figure: Figure
    note: str = ""

    @styled()
    def svg(self) -> str:
        """An ``<svg>`` element for a page that defines ``VARIABLES``; equal charts give equal text."""
        file = io.StringIO()
        with rc_context({"svg.hashsalt": self.title}):
            self.figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
        text = file.getvalue()
        text = text[text.index("<svg") :]
        text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)  # inline, it would apply to the whole page
        text = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", text)  # matplotlib numbers groups anew in each figure
        text = re.sub(r'(?<= d=")[^"]+', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), text)  # 0.01 pixels
        return re.sub("#[0-9a-f]{6}", lambda color: _variable(color[0]), text)


@styled()
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
    for index, (line, mean) in enumerate(zip(series, means, strict=True)):
        entry = LegendEntry(line.name, LINES[index % len(LINES)], index >= len(LINES))
        shape: dict[str, Any] = {"color": entry.color, "linestyle": (0, (4, 2)) if entry.dashed else "-"}
        legend.append(entry)
        if mean is not line:
            faint = thin(line)
            axes.plot(faint.steps, faint.values, alpha=0.3, linewidth=0.9, **shape)
        shown = thin(mean)
        axes.plot(shown.steps, shown.values, marker="o" if len(shown.steps) == 1 else "", **shape)
    low, high = steps or (min(line.steps[0] for line in series), max(line.steps[-1] for line in series))
    axes.set_xlim((0.0 if 0 < low < 0.1 * high else low, high) if low < high else (low - 1, high + 1))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
    log = _scale_values(axes, [mean.values for mean in means], [line.values for line in series])
    _mark_stages(axes, boundaries)
    return Chart(title, legend, figure, "log scale" if log else "")


@styled()
def histogram(title: str, values: Mapping[str, Sequence[float]], unit: str = "") -> Chart | None:
    """The distribution of the finite values of each name over common bins; None without any finite value."""
    finite = {name: np.asarray([v for v in some if math.isfinite(v)]) for name, some in values.items()}
    finite = {name: some for name, some in finite.items() if len(some)}
    if not finite:
        return None
    figure, axes = _axes(unit)
    every = np.concatenate(list(finite.values()))
    edges = np.histogram_bin_edges(every, min(28, 2 * math.ceil(math.sqrt(len(every) / len(finite)))))
    for color, some in zip(LINES, finite.values(), strict=False):
        counts, _ = np.histogram(some, edges)
        axes.stairs(counts, edges, fill=True, color=color, alpha=0.35, linewidth=0)
        axes.stairs(counts, edges, color=color, linewidth=1.3)
    axes.margins(x=0)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    return Chart(title, [LegendEntry(name, color) for name, color in zip(finite, LINES, strict=False)], figure)


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
    figure = Figure(figsize=(SIZE[0] / 72, SIZE[1] / 72))
    axes = figure.add_subplot()
    axes.set_xlabel(label_of_x, loc="right", fontsize=10)
    axes.xaxis.set_major_formatter(label)
    axes.yaxis.set_major_formatter(label)
    return figure, axes


def _scale_values(axes: Axes, means: Sequence[Floats], raw: Sequence[Floats]) -> bool:
    """Sets the limits; returns whether the axis is logarithmic. Rare spikes of the raw values may leave the frame."""
    values = np.concatenate([*means, *(np.quantile(one, [0.01, 0.99]) for one in raw)])
    low, high = float(values.min()), float(values.max())
    if low > 0 and high / low > 20:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.15, high * 1.15)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 200 else (1,), numticks=7))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(label)  # the scale has brought its own
        return True
    if high - low < 1e-9 * max(1.0, abs(high)):
        spread = max(abs(low), abs(high)) * 0.1
        spread = spread if spread > 1e-300 else 0.1
        low, high = low - spread, high + spread
    margin = (high - low) * 0.06
    axes.set_ylim(0.0 if 0 <= low < 0.35 * high else low - margin, high + margin)  # zero, where it is near
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    return False


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
            axes.axvline(start, color=TEXT, linewidth=0.8, linestyle=(0, (3, 4)))
        width = (len(name) * LETTER + SPACE) * (high - low)
        left = max(low, min(start, high - width))
        if all(left + width <= other_left or left >= other_right for other_left, other_right in taken):
            axes.text(left, 1.03, name, transform=axes.get_xaxis_transform(), fontsize=10)
            taken.append((left, left + width))


def _variable(color: str) -> str:
    return f"var({VARIABLES[color]})" if color in VARIABLES else color
