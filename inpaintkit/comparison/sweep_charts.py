"""The chart of a sweep, drawn by matplotlib: curves with bands for each metric, and heat maps for pairs of numbers."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

from .sweep_plan import axes_of
from .sweep_result import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

COLORS = ("#2a78d6", "#d9480f", "#1a9e6e", "#b8860b", "#6a4fc4", "#d6336c", "#0c8599", "#5c6b2f")
DASHES = ("-", "--", ":", "-.")  # the same colors again
STYLE: Any = {
    "svg.hashsalt": "inpaintkit",  # the same file for the same numbers
    "svg.fonttype": "none",
    "text.parse_math": False,  # names may hold dollars
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8e8e3",
}
PANEL, HEIGHT = 4.7, 3.0  # inches of a panel
MAPS, MAP = 4, 2.3  # heat maps in a row, and inches of one
TICKS = 12  # values that have a tick each
_PSNR = {"psnr[hole,255]": "PSNR in the hole (dB)", "psnr[whole,255]": "PSNR of the whole picture (dB)"}


def sweep_chart(sweep: Sweep) -> str:
    """An SVG with a panel for each metric that is drawn, and of pairs a heat map for each method in common colors."""
    from matplotlib import rc_context, rcdefaults, rcParams

    with rc_context():
        rcdefaults()  # whatever the settings of the user
        rcParams.update(STYLE)
        file = io.StringIO()
        sweep_figure(sweep).savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def sweep_figure(sweep: Sweep) -> Figure:
    from matplotlib.figure import Figure

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
    first = sweep.comparisons[0]
    images = f"{len(first.names):,} images at each value; bands are 95 % intervals, by bootstrap over images"
    part.suptitle(f"{first.name}: {sweep.plan.option} of {sweep.plan.sampler}\n{images}", fontsize=10)
    panels = part.subplots(1, max(1, len(sweep.charted)), squeeze=False)[0]
    for panel, label in zip(panels, sweep.charted, strict=False):
        _draw_curves(panel, sweep, label)
    handles, names = panels[0].get_legend_handles_labels()
    if handles:
        part.legend(handles, names, loc="outside lower center", ncols=2 * len(panels), frameon=False)


def _draw_curves(panel: Axes, sweep: Sweep, label: str) -> None:
    plan = sweep.plan
    values: set[float] = set()
    for method, (color, dash) in zip(sweep.methods, _styles(len(sweep.methods)), strict=True):
        curve = sweep.curve(method, label)
        values |= set(curve)
        means, lows, highs = zip(*(result.interval for result in curve.values()), strict=True) if curve else ((),) * 3
        panel.plot(list(curve), means, dash, color=color, marker="o", markersize=3.5, label=f" {method}")
        panel.fill_between(list(curve), lows, highs, color=color, alpha=0.13, linewidth=0)
    if values and len(values) <= TICKS:
        panel.set_xticks(sorted(values), [f"{value:.4g}" for value in sorted(values)])
    panel.set_title(metric_title(label), fontsize=9, fontweight="bold", loc="left")
    panel.set_xlabel(axis_label(sweep))
    if not plan.grid and isinstance(plan.own, int | float):
        panel.axvline(plan.own, color="#9aa1ac", linestyle=":", linewidth=1)
        place = panel.get_xaxis_transform()
        panel.text(plan.own, 1, " the protocol's own", transform=place, va="top", fontsize=8, color="#4d535e")


def _draw_maps(part: SubFigure, sweep: Sweep, label: str, lines: int) -> None:
    part.suptitle(f"{metric_title(label)} by place: rows and columns of {sweep.plan.option}", fontsize=10)
    panels = part.subplots(lines, MAPS, squeeze=False).ravel()
    maps = [place_values(sweep, method, label) for method in sweep.methods]
    finite = [mean for _, _, means in maps for line in means for mean in line if math.isfinite(mean)]
    image: Any = None
    for panel, method, (rows, columns, means) in zip(panels, sweep.methods, maps, strict=False):
        image = panel.imshow(means, cmap="Blues", vmin=min(finite, default=0), vmax=max(finite, default=1))
        panel.set_title(method, fontsize=9, wrap=True)
        panel.grid(False)
        step = max(1, len(rows) // 6)
        panel.set_xticks(range(0, len(columns), step), [f"{value:g}" for value in columns[::step]])
        panel.set_yticks(range(0, len(rows), step), [f"{value:g}" for value in rows[::step]])
    for panel in panels[len(maps) :]:
        panel.set_axis_off()
    if image is not None:
        part.colorbar(image, ax=panels.tolist(), shrink=0.8)


def place_values(sweep: Sweep, method: str, label: str) -> tuple[list[float], list[float], list[list[float]]]:
    """Row offsets, column offsets, and a method's means at these places; NaN where there is none."""
    means = {value: row.metrics[label].interval.mean for value, row in sweep.rows(method).items()}
    rows, columns = (sorted({float(axes_of(value)[at]) for value in sweep.plan.values}) for at in (0, 1))
    return rows, columns, [[means.get((row, column), math.nan) for column in columns] for row in rows]


def axis_label(sweep: Sweep) -> str:
    """The quantity below the curves, with its unit."""
    plan = sweep.plan
    unit = f" ({plan.unit})" if plan.unit else ""
    if plan.sampler == "center-square":
        return f"{'distance of the hole from the center, Euclidean' if plan.grid else 'side of the hole'}{unit}"
    return f"distance of {plan.option} from (0, 0), Euclidean{unit}" if plan.grid else f"{plan.option}{unit}"


def metric_title(label: str) -> str:
    return _PSNR.get(label, label)


def _styles(count: int) -> Sequence[tuple[str, str]]:
    """A color and a dash for each line, all different up to 32."""
    dashes = [dash for dash in DASHES for _ in COLORS]
    return [style for style, _ in zip(zip(cycle(COLORS), cycle(dashes), strict=False), range(count), strict=False)]
