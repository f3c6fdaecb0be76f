"""The chart of a sweep, drawn by matplotlib: curves with bands for each metric, and heat maps for pairs of numbers.

Importing this module imports matplotlib, so that happens only when a chart is drawn.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from .sweeps import Sweep
from .text import metric_title

STYLE = Path(__file__).with_name("templates") / "sweep.mplstyle"  # takes the place of the user's own settings
PANEL, HEIGHT = 4.7, 3.0  # inches of a panel
MAPS, MAP = 4, 2.3  # heat maps in a row, and inches of one
TICKS = 12  # values that have a tick each


@style.context(STYLE, after_reset=True)
def sweep_chart(sweep: Sweep) -> str:
    """An SVG with a panel for each metric that is drawn, and of pairs a heat map for each method in common colors."""
    file = io.StringIO()
    sweep_figure(sweep).savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


@style.context(STYLE, after_reset=True)
def sweep_figure(sweep: Sweep) -> Figure:
    panels = max(1, len(sweep.charted))
    legend = math.ceil(len(sweep.methods) / (2 * panels)) * 0.2 + 0.1
    lines = math.ceil(len(sweep.methods) / MAPS) if sweep.plan.grid and sweep.charted else 0
    heights = [HEIGHT + legend + 0.6, *([lines * MAP + 0.4] if lines else [])]
    figure = Figure(figsize=(PANEL * max(panels, 2 if lines else 1), sum(heights)), layout="constrained")
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    _draw_panels(parts[0], sweep)
    if lines:
        _draw_maps(parts[1], sweep, sweep.charted[0], lines)
    return figure


def _draw_panels(part: SubFigure, sweep: Sweep) -> None:
    images = len(sweep.comparisons[0].names)
    about = f"{images:,} images at each value; bands are 95 % intervals, by bootstrap over images"
    part.suptitle(f"{sweep.title}\n{about}", fontsize=10)
    panels = part.subplots(1, max(1, len(sweep.charted)), squeeze=False)[0]
    for panel, label in zip(panels, sweep.charted, strict=False):
        _draw_curves(panel, sweep, label)
    handles, names = panels[0].get_legend_handles_labels()
    if handles:
        part.legend(handles, names, loc="outside lower center", ncols=2 * len(panels), frameon=False)


def _draw_curves(panel: Axes, sweep: Sweep, label: str) -> None:
    plan = sweep.plan
    values: set[float] = set()
    for method in sweep.methods:
        curve = sweep.curve(method, label)
        values |= set(curve)
        means, lows, highs = zip(*(result.interval for result in curve.values()), strict=True) if curve else ((),) * 3
        (line,) = panel.plot(list(curve), means, marker="o", label=f" {method}")
        panel.fill_between(list(curve), lows, highs, color=line.get_color(), alpha=0.13, linewidth=0)
    if values and len(values) <= TICKS:
        panel.set_xticks(sorted(values), [f"{value:.4g}" for value in sorted(values)])
    panel.set_title(metric_title(label), fontsize=9, fontweight="bold", loc="left")
    panel.set_xlabel(sweep.axis)
    if not plan.grid and isinstance(plan.own, int | float):
        panel.axvline(plan.own, color="#9aa1ac", linestyle=":", linewidth=1)
        place = panel.get_xaxis_transform()
        panel.text(plan.own, 1, " the protocol's own", transform=place, va="top", fontsize=8, color="#4d535e")


def _draw_maps(part: SubFigure, sweep: Sweep, label: str, lines: int) -> None:
    part.suptitle(f"{metric_title(label)} by place: rows and columns of {sweep.plan.option}", fontsize=10)
    panels = part.subplots(lines, MAPS, squeeze=False).ravel()
    maps = np.array([sweep.places(method, label) for method in sweep.methods])
    finite = maps[np.isfinite(maps)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0, 1)
    rows, columns = sweep.plan.axes
    step = max(1, len(rows) // 6)
    for panel, method, means in zip(panels, sweep.methods, maps, strict=False):
        image = panel.imshow(means, cmap="Blues", vmin=low, vmax=high)
        panel.set_title(method, fontsize=9, wrap=True)
        panel.grid(False)
        panel.set_xticks(range(0, len(columns), step), [f"{value:g}" for value in columns[::step]])
        panel.set_yticks(range(0, len(rows), step), [f"{value:g}" for value in rows[::step]])
    for panel in panels[len(maps) :]:
        panel.set_axis_off()
    part.colorbar(image, ax=panels.tolist(), shrink=0.8)
