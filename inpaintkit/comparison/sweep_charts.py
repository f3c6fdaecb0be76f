"""Curves with bands, and maps of places, as one SVG file that stands alone: light background, no scripts, no links."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import attrs
import numpy as np

from ..report import Floats, Scale, label, ticks, value_scale

PANEL, HEIGHT = 470, 300  # of a panel, in pixels
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 30, 46  # around its plot
HEAD = 56  # of the file: title and subtitle
LETTER = 6.6  # pixels of a letter, roughly
EDGE = 150  # of a map, at most
COLORS = ("#2a78d6", "#d9480f", "#1a9e6e", "#b8860b", "#6a4fc4", "#d6336c", "#0c8599", "#5c6b2f")
DASHES = ("", "6 4", "2 3")  # the same colors again
LIGHT, DARK = (240, 244, 250), (24, 78, 150)  # of a map: worst and best
STYLE = (
    "text{font:12px system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#4d535e}"
    ".title{font-size:15px;font-weight:600;fill:#16181d}.head{font-weight:600;fill:#16181d}"
    ".x{text-anchor:middle}.y{text-anchor:end}.cell{text-anchor:middle;font-size:11px}"
    ".grid{stroke:#e8e8e3}.axis{stroke:#9aa1ac}.mark{stroke:#9aa1ac;stroke-dasharray:3 4}"
    ".line{fill:none;stroke-width:1.8;stroke-linejoin:round}.band{stroke:none}"
)


@attrs.frozen(eq=False)
class Line:
    """Means (N,) at rising ``x`` (N,) with the ends of their intervals; where they are NaN the line breaks."""

    name: str
    x: Floats
    mean: Floats
    low: Floats
    high: Floats


@attrs.frozen(eq=False)
class Panel:
    """Lines over one axis; ``title`` is what is measured, with its unit, ``axis`` what it is drawn over."""

    title: str
    axis: str
    lines: Sequence[Line]
    mark: tuple[float, str] | None = None  # a place on the axis worth a vertical line, and its word


@attrs.frozen(eq=False)
class Map:
    """Values (R, C) at places; NaN where there is none."""

    name: str
    rows: Sequence[float]
    columns: Sequence[float]
    values: Floats


def svg(title: str, subtitle: str, panels: Sequence[Panel], maps: Sequence[Map] = (), about: str = "") -> str:
    """Panels side by side with one legend; below them ``maps`` in common colors, with the words ``about`` them.

    Lines have the same color in all panels, by their place. In a map darker is higher.
    """
    names = list(dict.fromkeys(line.name for panel in panels for line in panel.lines))
    width = PANEL * max(1, len(panels))
    parts = [_text(16, 24, title, "title"), _text(16, 43, subtitle)]
    for at, panel in enumerate(panels):
        parts.append(f'<g transform="translate({at * PANEL} {HEAD})">{_panel(panel, names)}</g>')
    legend, deep = _legend(names, width)
    height = HEAD + HEIGHT
    parts.append(f'<g transform="translate(0 {height})">{legend}</g>')
    height += deep
    if maps:
        drawn, deep = _maps(maps, about, width)
        parts.append(f'<g transform="translate(0 {height})">{drawn}</g>')
        height += deep
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img"><title>{escape(title)}</title><style>{STYLE}</style>'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _panel(panel: Panel, names: Sequence[str]) -> str:
    lines = [line for line in panel.lines if np.isfinite(line.mean).any()]
    if not lines:
        return _text(LEFT, TOP - 12, f"{panel.title}: no finite value", "head")
    found = [_finite(np.concatenate([line.mean, line.low, line.high])) for line in lines]
    y = value_scale(found, found)
    y = y if y.log else attrs.evolve(y, ticks=ticks(y.low, y.high, 8))
    x = _axis(np.unique(np.concatenate([line.x for line in lines])))
    right, bottom = PANEL - RIGHT, HEIGHT - BOTTOM
    parts = [_text(LEFT - 36, TOP - 12, panel.title + (", log scale" if y.log else ""), "head")]
    for tick, at in zip(y.ticks, y(np.array(y.ticks), bottom, TOP), strict=True):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(_text(LEFT - 7, at + 4, label(tick), "y"))
    for tick, at in zip(x.ticks, x(np.array(x.ticks), LEFT, right), strict=True):
        parts.append(f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(_text(at, bottom + 18, label(tick), "x"))
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(_text((LEFT + right) / 2, HEIGHT - 8, panel.axis, "x"))
    if panel.mark and x.low <= panel.mark[0] <= x.high:
        at = float(x(np.array([panel.mark[0]]), LEFT, right)[0])
        parts.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{bottom}"/>')
        anchor = "y" if at > PANEL / 2 else ""
        parts.append(_text(at + (-5 if anchor else 5), TOP + 9, panel.mark[1], anchor))
    clear = min(0.13, 0.8 / len(lines))  # many bands lie over one another
    shapes = [_shapes(line, x, y, names.index(line.name), clear) for line in lines]
    parts += [band for band, _ in shapes]  # all bands below all lines
    parts += [drawn for _, drawn in shapes]
    return "".join(parts)


def _shapes(line: Line, x: Scale, y: Scale, index: int, clear: float) -> tuple[str, str]:
    """The band, of opacity ``clear``, and the line with its dots."""
    across = x(line.x, LEFT, PANEL - RIGHT)
    mean, low, high = (y(values, HEIGHT - BOTTOM, TOP) for values in (line.mean, line.low, line.high))
    color = COLORS[index % len(COLORS)]
    bands, drawn = [], []
    for run in _runs(np.isfinite(line.mean) & np.isfinite(line.low) & np.isfinite(line.high)):
        edge = [*zip(across[run], low[run], strict=True), *zip(across[run][::-1], high[run][::-1], strict=True)]
        bands.append(f'<path class="band" fill="{color}" fill-opacity="{clear:.3f}" d="{_path(edge)}Z"/>')
    for run in _runs(np.isfinite(line.mean)):
        points = list(zip(across[run], mean[run], strict=True))
        drawn.append(f'<path class="line" stroke="{color}"{_dashed(index)} d="{_path(points)}"/>')
        drawn += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.6" fill="{color}"/>' for a, b in points]
    return "".join(bands), "".join(drawn)


def _legend(names: Sequence[str], width: int) -> tuple[str, int]:
    """Names in columns, and how high they are together."""
    cell = 48 + 1.05 * LETTER * max(map(len, names), default=0)
    columns = max(1, min(len(names), int((width - 32) / cell)))
    parts = []
    for at, name in enumerate(names):
        left, top = 16 + (at % columns) * cell, 14 + at // columns * 19
        stroke = COLORS[at % len(COLORS)]
        parts.append(
            f'<path class="line" stroke="{stroke}"{_dashed(at)} d="M{left:.1f} {top}h22"/>'
            f'<circle cx="{left + 11:.1f}" cy="{top}" r="2.6" fill="{stroke}"/>{_text(left + 29, top + 4, name)}'
        )
    return "".join(parts), 16 + 19 * math.ceil(len(names) / columns)


def _maps(maps: Sequence[Map], about: str, width: int) -> tuple[str, int]:
    every = _finite(np.concatenate([one.values.ravel() for one in maps]))
    low, high = (float(every.min()), float(every.max())) if len(every) else (0.0, 1.0)
    count = max(len(maps[0].rows), len(maps[0].columns))
    cell = max(4, min(46, EDGE // count))
    wide = max(cell * len(maps[0].columns), round(LETTER * max(len(one.name) for one in maps)))
    wide, deep = wide + 44, cell * len(maps[0].rows) + 62
    columns = max(1, (width - 16) // wide)
    parts = [_text(16, 24, about, "head")]
    for at, one in enumerate(maps):
        place = f"translate({16 + at % columns * wide} {36 + at // columns * deep})"
        parts.append(f'<g transform="{place}">{_map(one, cell, low, high)}</g>')
    return "".join(parts), 40 + deep * math.ceil(len(maps) / columns)


def _map(one: Map, cell: int, low: float, high: float) -> str:
    parts = [_text(0, 14, one.name)]
    left, top = 28, 22
    every = max(1, math.ceil(24 / cell))  # so that the words of rows and columns do not touch
    for row, down in enumerate(one.rows):
        if row % every == 0:
            parts.append(_text(left - 5, top + (row + 0.5) * cell + 4, label(down), "y"))
        for column, across in enumerate(one.columns):
            if row == 0 and column % every == 0:
                parts.append(_text(left + (column + 0.5) * cell, top + len(one.rows) * cell + 14, label(across), "x"))
            value = float(one.values[row, column])
            share = (value - low) / (high - low) if high > low else 0.5
            color = _mixed(share) if math.isfinite(value) else "#ffffff"
            x, y = left + column * cell, top + row * cell
            told = f"{label(down)}, {label(across)}: {value:.4g}" if math.isfinite(value) else "no value"
            parts.append(f'<rect x="{x}" y="{y}" width="{cell}" height="{cell}" fill="{color}">')
            parts.append(f"<title>{told}</title></rect>")
            if cell >= 34 and math.isfinite(value):
                shade = "#ffffff" if share > 0.5 else "#16181d"
                parts.append(_text(x + cell / 2, y + cell / 2 + 4, _short(value), "cell", f' style="fill:{shade}"'))
    return "".join(parts)


def _axis(values: Floats) -> Scale:
    """A scale for the values themselves; ticks at each where there is room, else at round numbers."""
    low, high = float(values[0]), float(values[-1])
    if low == high:
        return Scale(low - 1, high + 1, False, (low,))
    room = float(np.diff(values).min()) / (high - low) * (PANEL - LEFT - RIGHT)
    words = max(len(label(float(value))) for value in values)
    return Scale(low, high, False, tuple(values.tolist()) if room >= LETTER * words + 8 else ticks(low, high, 6))


def _runs(good: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> list[slice]:
    """Where a line does not break."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(int)))
    return [slice(first, last) for first, last in edges.reshape(-1, 2).tolist()]


def _finite(values: Floats) -> Floats:
    return values[np.isfinite(values)]


def _dashed(index: int) -> str:
    dash = DASHES[min(index // len(COLORS), len(DASHES) - 1)]
    return f' stroke-dasharray="{dash}"' if dash else ""


def _mixed(share: float) -> str:
    levels = (round(light + share * (dark - light)) for light, dark in zip(LIGHT, DARK, strict=True))
    return "#" + "".join(f"{level:02x}" for level in levels)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)


def _short(value: float) -> str:
    return f"{value:.1f}" if 10 <= abs(value) < 1000 else f"{value:.3g}"


def _text(x: float, y: float, words: str, style: str = "", more: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text{kind}{more} x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'
