"""Line charts as inline SVG: several series over training steps, with the stages marked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

import attrs
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 24, 34
POINTS = 400  # of a line, at most: more than that no screen shows
COLORS = 8  # distinct line colors in the style sheet: s0 to s7

Floats = NDArray[np.float64]


@attrs.frozen(eq=False)
class Series:
    """One line: finite ``values`` at rising ``steps``."""

    name: str
    steps: Floats
    values: Floats

    @classmethod
    def of(cls, name: str, points: Sequence[tuple[float, float]]) -> Series:
        """The finite points, sorted by step."""
        kept = sorted((step, value) for step, value in points if math.isfinite(value))
        array = np.asarray(kept, dtype=np.float64).reshape(-1, 2)
        return cls(name, array[:, 0], array[:, 1])


@attrs.frozen
class Scale:
    """Values to pixels, linear or logarithmic, and where the ticks are."""

    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]

    def __call__(self, values: Floats, start: float, end: float) -> Floats:
        low, high, at = self.low, self.high, values
        if self.log:
            low, high, at = math.log(low), math.log(high), np.log(np.maximum(values, self.low * 1e-6))
        return np.asarray(start + (at - low) / (high - low) * (end - start), dtype=np.float64)


def line_chart(
    title: str,
    series: Sequence[Series],
    boundaries: Sequence[tuple[float, str]] = (),
    steps: tuple[float, float] | None = None,
) -> str:
    """A ``<figure>`` with legend and SVG; empty when no series has a point.

    ``boundaries`` are the steps at which a stage begins, with its name; ``steps`` are the ends of the axis, so that
    several charts can share it. The value axis is logarithmic where all values are positive and span more than a factor
    of 20. Long noisy lines are drawn faintly, with a moving mean on top.
    """
    series = [one for one in series if len(one.steps)]
    if not series:
        return ""
    starts = [step for step, _ in boundaries]
    drawn = [(one, smooth(one, starts)) for one in series]
    x = _step_scale(*(steps or (min(one.steps[0] for one in series), max(one.steps[-1] for one in series))))
    y = value_scale([(over if over is not one else one).values for one, over in drawn], [one.values for one in series])
    body = [_grid(x, y), _stages(x, boundaries)]
    payload: list[tuple[str, str, list[float], list[float]]] = []
    for index, (one, over) in enumerate(drawn):
        style = f"s{index % COLORS}" + (" dashed" if index >= COLORS else "")
        if over is not one:
            body.append(f'<path class="faint {style}" d="{_path(thin(one, extremes=True), x, y)}"/>')
        shown = thin(over)
        single = len(shown.steps) == 1
        body.append(_dot(shown, x, y, style) if single else f'<path class="{style}" d="{_path(shown, x, y)}"/>')
        payload.append((one.name, style, [_short(v) for v in shown.steps], [_short(v) for v in shown.values]))
    legend = "".join(f'<li class="{style}">{escape(name)}</li>' for name, style, *_ in payload)
    remark = "log scale" if y.log else ""
    data = json.dumps({"x": [x.low, x.high], "lines": payload}, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<figure class="chart"><figcaption><b>{escape(title)}</b> <small>{remark}</small></figcaption>'
        f'<ul class="legend">{legend}</ul>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)} over training steps">'
        f"{''.join(body)}<line class='cross' y1='{TOP}' y2='{HEIGHT - BOTTOM}' hidden=''/></svg>"
        f'<script type="application/json">{data}</script></figure>'
    )


def histogram(title: str, values: Mapping[str, Sequence[float]], *, unit: str = "", bins: int = 28) -> str:
    """A ``<figure>`` of how the finite values of each name are spread, over common bins; empty when there are none."""
    finite = {name: np.asarray([v for v in one if math.isfinite(v)], dtype=np.float64) for name, one in values.items()}
    finite = {name: one for name, one in finite.items() if len(one)}
    if not finite:
        return ""
    every = np.concatenate(list(finite.values()))
    low, high = float(every.min()), float(every.max())
    if high <= low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, bins + 1)
    counts = {name: np.histogram(one, edges)[0].astype(np.float64) for name, one in finite.items()}
    top = max(float(count.max()) for count in counts.values())
    x, y = Scale(low, high, False, ticks(low, high, 6)), Scale(0.0, top * 1.06, False, ticks(0, top, 4))
    left, bottom = x(edges, LEFT, WIDTH - RIGHT), HEIGHT - BOTTOM
    bars = [
        f'<rect class="bar s{index % COLORS}" x="{a + 0.5:.1f}" width="{b - a - 1:.1f}" '
        f'y="{at:.1f}" height="{bottom - at:.1f}"/>'
        for index, count in enumerate(counts.values())
        for a, b, at in zip(left, left[1:], y(count, bottom, TOP), strict=False)
        if at < bottom
    ]
    legend = "".join(f'<li class="s{index % COLORS}">{escape(name)}</li>' for index, name in enumerate(counts))
    return (
        f'<figure class="chart"><figcaption><b>{escape(title)}</b></figcaption><ul class="legend">{legend}</ul>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{_grid(x, y, unit)}{''.join(bars)}</svg></figure>"
    )


def smooth(series: Series, boundaries: Sequence[float] = ()) -> Series:
    """A centered moving mean over a fortieth of the line, within each stage.

    Short lines, and lines without noise (a learning rate), are returned as they are.
    """
    half = len(series.steps) // 80
    if half < 1 or np.median(np.abs(np.diff(series.values, 2))) <= 0.002 * np.ptp(series.values):
        return series
    values = np.empty_like(series.values)
    cuts = [0, *(int(np.searchsorted(series.steps, start)) for start in sorted(boundaries)), len(values)]
    for first, last in pairwise(cuts):
        part = series.values[first:last]
        total = np.concatenate([[0.0], np.cumsum(part)])
        at = np.arange(len(part))
        low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, len(part))
        values[first:last] = (total[high] - total[low]) / (high - low)
    return attrs.evolve(series, values=values)


def thin(series: Series, limit: int = POINTS, extremes: bool = False) -> Series:
    """At most ``limit`` points; with ``extremes``, the lowest and highest of each part, so that no spike is lost."""
    count = len(series.steps)
    if count <= limit:
        return series
    if not extremes:
        keep = np.unique(np.linspace(0, count - 1, limit).round().astype(int))
    else:
        parts = np.array_split(np.arange(count), limit // 2)
        keep = np.unique([part[pick(series.values[part])] for part in parts for pick in (np.argmin, np.argmax)])
    return Series(series.name, series.steps[keep], series.values[keep])


def value_scale(main: Sequence[Floats], raw: Sequence[Floats]) -> Scale:
    """An axis for the lines ``main``; rare spikes of the ``raw`` values may leave the frame."""
    values = np.concatenate([*main, *(np.quantile(one, [0.01, 0.99]) for one in raw)])
    low, high = float(values.min()), float(values.max())
    if low > 0 and high / low > 20:
        low, high = low / 1.15, high * 1.15
        return Scale(low, high, True, _log_ticks(low, high))
    if high - low < 1e-9 * max(1.0, abs(high)):
        spread = max(abs(low), abs(high)) * 0.1
        spread = spread if spread > 1e-300 else 0.1  # a tenth of next to nothing is no distance
        low, high = low - spread, high + spread
    margin = (high - low) * 0.06
    floor = 0.0 if 0 <= low < 0.35 * high else low - margin  # zero, where it is near, is the honest base
    return Scale(floor, high + margin, False, ticks(floor, high + margin, 5))


def _step_scale(low: float, high: float) -> Scale:
    if high <= low:
        low, high = low - 1, high + 1
    low = 0.0 if 0 < low < 0.1 * high else low
    return Scale(low, high, False, ticks(low, high, 6))


def ticks(low: float, high: float, about: int) -> tuple[float, ...]:
    """Round numbers between the ends: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return tuple(index * step for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1))


def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    """Powers of ten; with 2 and 5 between them where there are few, and not all of them where there are many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    every = max(1, (last - first) // 6)
    ticks = (factor * 10.0**power for power in range(first, last + 1, every) for factor in factors)
    return tuple(tick for tick in ticks if low <= tick <= high)


def label(value: float) -> str:
    """A tick's text: ``0.05``, ``12``, ``150k``, ``1e-5``.

    >>> [label(value) for value in (0, 0.05, 12.0, 150_000, 2_500_000, 1e-5, -0.25)]
    ['0', '0.05', '12', '150k', '2.5M', '1e-5', '-0.25']
    """
    size = abs(value)
    if size < 1e-12:
        return "0"
    for unit, suffix in ((1e6, "M"), (1e3, "k")):
        if size >= unit:
            return f"{value / unit:.4g}{suffix}"
    text = f"{value:.4g}"
    return text.replace("e-0", "e-") if "e" in text else text


def _grid(x: Scale, y: Scale, unit: str = "step") -> str:
    parts = []
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for tick, at in zip(y.ticks, y(np.array(y.ticks), bottom, TOP), strict=True):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="y" x="{LEFT - 8}" y="{at + 4:.1f}">{label(tick)}</text>')
    for tick, at in zip(x.ticks, x(np.array(x.ticks), LEFT, right), strict=True):
        parts.append(f'<text class="x" x="{at:.1f}" y="{bottom + 17}">{label(tick)}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(f'<text class="x unit" x="{right}" y="{HEIGHT - 3}">{escape(unit)}</text>')
    return "".join(parts)


def _stages(x: Scale, boundaries: Sequence[tuple[float, str]]) -> str:
    """A line where each stage begins, and its name above; where names would overlap, the longer stages keep theirs."""
    parts: list[str] = []
    taken: list[tuple[float, float]] = []
    right = WIDTH - RIGHT
    ends = [*(step for step, _ in boundaries[1:]), x.high]
    shown = [(max(start, x.low), min(end, x.high), name) for (start, name), end in zip(boundaries, ends, strict=False)]
    for start, end, name in sorted(shown, key=lambda stage: stage[0] - stage[1]):
        if end <= start:
            continue
        at = float(x(np.array([start]), LEFT, right)[0])
        if at > LEFT + 0.5:
            parts.append(f'<line class="stage" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        width = 6.5 * len(name)  # of the text, roughly
        left = max(float(LEFT), min(at + 4, right - width))
        if all(left + width + 6 <= other or left >= end_ for other, end_ in taken):
            parts.append(f'<text class="stage" x="{left:.1f}" y="{TOP - 8}">{escape(name)}</text>')
            taken.append((left, left + width + 6))
    return "".join(parts)


def _path(series: Series, x: Scale, y: Scale) -> str:
    across, down = x(series.steps, LEFT, WIDTH - RIGHT), y(series.values, HEIGHT - BOTTOM, TOP)
    inside = np.clip(down, TOP - 4, HEIGHT - BOTTOM)
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(across, inside, strict=True))


def _dot(series: Series, x: Scale, y: Scale, style: str) -> str:
    across, down = x(series.steps, LEFT, WIDTH - RIGHT)[0], y(series.values, HEIGHT - BOTTOM, TOP)[0]
    return f'<circle class="{style}" cx="{across:.1f}" cy="{down:.1f}" r="4"/>'


def _short(value: float) -> float:
    return float(f"{value:.5g}") if value != int(value) else int(value)
