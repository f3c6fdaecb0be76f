"""Numbers of an evaluation as text, and the table that the terminal shows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from .results import MetricResult, Results
from .statistics import Interval

FEW = 10  # images: with fewer, a bootstrap interval is too narrow


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


def describe_images(results: Results) -> str:
    """The number of test images and where they come from, in words."""
    count = f"{len(results.names):,} image{'s' if len(results.names) != 1 else ''}"
    return f"{count} of {results.source}" if results.source else count


def results_table(results: Results) -> Table:
    """The metrics of one run, of the baselines below each, and the paired differences, for a terminal.

    Names are not broken.
    """
    row = results.row
    description = str(results.protocol.get("description") or "")
    table = Table(
        title=escape("\n".join(filter(None, [f"{row.name} under {results.name}", description]))),
        caption=escape(
            f"{describe_images(results)}, {describe_seeds(row.training_seeds)}, 95 % intervals over images, "
            f"protocol {results.hash[:12]}"
        ),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    table.add_column("this run\n  [dim]baselines[/dim]", no_wrap=True)
    table.add_column("mean", justify="right", overflow="fold")
    table.add_column("difference\nto the baseline", justify="right", overflow="fold")
    paired = {baseline.name: results.differences(baseline) for baseline in results.baselines}
    for label, result in row.metrics.items():
        end = not results.baselines
        table.add_row(
            f"{escape(label)} {direction_arrow(result)}".strip(), _in_one_line(result.interval), "", end_section=end
        )
        for baseline in results.baselines:
            other = baseline.metrics.get(label)
            table.add_row(
                f"  [dim]{escape(baseline.name)}[/dim]",
                _in_one_line(other.interval if other else None),
                _in_one_line(paired[baseline.name].get(label), signed=True),
                end_section=baseline is results.baselines[-1],
            )
    return table


def verdict(results: Results) -> str:
    """In one sentence, which baselines the method beats and which beat it, by the metric that ranks the images.

    A difference whose 95 % interval includes 0 is not shown. Empty without such a metric or without baselines.
    """
    metric = results.row.metrics.get(results.ranked_by)
    found: dict[str, list[str]] = {"loses to": [], "shows no difference to": [], "beats": []}
    for baseline in results.baselines if metric else ():
        difference = results.differences(baseline).get(results.ranked_by)
        if metric is None or difference is None:
            continue
        better = (difference.mean > 0) == metric.higher_is_better
        outcome = "shows no difference to" if not difference.excludes_zero else "beats" if better else "loses to"
        amount = _amount(difference, " dB" if results.ranked_by.startswith("psnr") else "")
        found[outcome].append(f"{baseline.name} {amount}" if difference.excludes_zero else baseline.name)
    clauses = [f"{outcome} {_and(names)}" for outcome, names in found.items() if names]
    if not clauses:
        return ""
    few = ", too few to rely on" if len(results.names) < FEW else ""
    images = f"95 % intervals over {len(results.names):,} image{'s' if len(results.names) != 1 else ''}{few}"
    return f"In {results.ranked_by}, {results.row.name} {_and(clauses, last=', and ')} ({images})."


def _amount(difference: Interval, unit: str) -> str:
    """``by 3.5 dB [2.9, 4.1]``."""
    places = decimals(difference)
    low, high = sorted((abs(difference.low), abs(difference.high)))
    return f"by {abs(difference.mean):.{places}f}{unit} [{low:.{places}f}, {high:.{places}f}]"


def _and(items: Sequence[str], last: str = " and ") -> str:
    """``a, b and c``."""
    return last.join(filter(None, [", ".join(items[:-1]), items[-1]]))


def _in_one_line(interval: Interval | None, signed: bool = False) -> str:
    if interval is None:
        return ""
    mean, ends = format_interval(interval, signed)
    return f"{mean}  [dim]{ends}[/dim]" if ends else mean
