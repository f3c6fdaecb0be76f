"""Numbers of an evaluation as text, and the table that the terminal shows."""

from __future__ import annotations

import math

from rich import box
from rich.markup import escape
from rich.table import Table

from .results import MetricResult, Results
from .statistics import Interval


def decimals(interval: Interval) -> int:
    """How many decimals are worth printing: two significant digits of the interval's half width."""
    half = (interval.high - interval.low) / 2
    scale = half if math.isfinite(half) and half > 0 else abs(interval.mean) / 100
    return min(6, max(0, 1 - math.floor(math.log10(scale)))) if math.isfinite(scale) and scale > 0 else 2


def format_interval(interval: Interval, signed: bool = False) -> tuple[str, str]:
    """``("21.53", "21.37 to 21.69")``; the second is empty where there is no interval."""
    places = decimals(interval)
    sign = "+" if signed else ""
    texts = [f"{value:{sign}.{places}f}".replace("-", "\N{MINUS SIGN}") for value in interval]  # of one width
    return texts[0], "" if math.isnan(interval.low) else f"{texts[1]} to {texts[2]}"


def interval_cell(interval: Interval | None, signed: bool = False, missing: str = "") -> str:
    """A cell of a table for a terminal: the mean, and its interval below where there is one."""
    if interval is None:
        return missing
    mean, ends = format_interval(interval, signed)
    return f"{mean}\n[dim]{ends}[/dim]" if ends else mean


def direction_arrow(result: MetricResult) -> str:
    """An arrow towards the better end."""
    return {True: "\N{UPWARDS ARROW}", False: "\N{DOWNWARDS ARROW}", None: ""}[result.higher_is_better]


def describe_seeds(training_seeds: int | None) -> str:
    """The number of training seeds behind a row, in words."""
    words = {None: "training seeds unknown", 0: "not trained", 1: "one training seed"}
    return words.get(training_seeds, f"{training_seeds} training seeds")


def results_table(results: Results) -> Table:
    """The metrics of one run, the baseline and the paired difference, for a terminal. Names are not broken."""
    row, baseline = results.row, results.baseline
    table = Table(
        title=escape(f"{row.name} under {results.name}"),
        caption=f"{len(results.names)} images, {describe_seeds(row.training_seeds)}, 95 % intervals over images, "
        f"protocol {results.hash[:12]}",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    table.add_column("metric", no_wrap=True)
    for name in ("this run", escape(baseline.name), "difference"):
        table.add_column(name, justify="right", overflow="fold")
    paired = results.differences()
    for label, result in row.metrics.items():
        other = baseline.metrics.get(label)
        table.add_row(
            f"{escape(label)} {direction_arrow(result)}".strip(),
            interval_cell(result.interval),
            interval_cell(other.interval if other else None),
            interval_cell(paired.get(label), signed=True),
        )
    return table
