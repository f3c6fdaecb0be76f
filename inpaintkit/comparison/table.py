"""A comparison in words: the printed table, and how its numbers are written."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from rich import box
from rich.table import Table

from ..evaluation import direction_arrow, escaped, format_interval
from .outcome import Comparison, ComparisonRow

SHOWN = 3  # metrics in the printed table; the files have all
NONE = "-"


def comparison_table(comparison: Comparison) -> Table:
    """A metric of each kind, each row's difference to the first row in the first metric, and what it costs."""
    labels = of_each_kind(comparison.labels)
    first = labels[0] if labels else ""
    table = Table(
        title=f"{escaped(comparison.name)}: differences from {escaped(comparison.reference)} in {escaped(first)}",
        caption=f"{escaped(caption(comparison))} {escaped(about(comparison))}",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    table.add_column("method", overflow="fold", max_width=30)
    for label in labels:
        arrow = direction_arrow(comparison.rows[0].metrics[label])
        table.add_column(f"{escaped(broken(label))} {arrow}".strip(), justify="right", overflow="fold", min_width=6)
    table.add_column("difference", justify="right")
    table.add_column("p", justify="right", no_wrap=True)
    table.add_column("seeds", justify="right", no_wrap=True)
    table.add_column("time\n/image", justify="right", no_wrap=True)
    table.add_column("memory\n/image", justify="right", no_wrap=True)
    for row in comparison.rows:
        drawn = f"[dim]{row.drawn}[/dim]" if row.drawn and not row.best_of else ""
        means = [mean_text(row, label) if label in row.metrics else NONE for label in labels]
        mean, between = format_interval(row.differences[first], signed=True) if first in row.differences else (NONE, "")
        table.add_row(
            "\n".join(filter(None, [escaped(row.name), drawn])),
            *means,
            f"{mean}\n[dim]{between}[/dim]" if between else mean,
            p_text(row.p_holm.get(first)),
            seeds_text(row),
            seconds_text(row.seconds_per_image),
            memory_text(row.memory_per_image),
        )
    return table


def of_each_kind(labels: Sequence[str], most: int = SHOWN) -> list[str]:
    """The first label of each kind, then others in order, ``most`` at most.

    >>> of_each_kind(["psnr[hole,255]", "psnr[whole,255]", "ssim[hole]"], 2)
    ['psnr[hole,255]', 'ssim[hole]']
    """
    first: dict[str, str] = {}
    for label in labels:
        first.setdefault(label.partition("[")[0], label)
    others = [label for label in labels if label not in first.values()]
    return [*first.values(), *others][:most]


def broken(label: str, width: int = 9) -> str:
    """A metric's label in lines as narrow as its parts allow: ``psnr``, ``[hole,``, ``255]``."""
    lines = [""]
    for part in re.split(r"(?=\[)|(?<=,)", label):
        joined = lines[-1] + part
        lines = [*lines[:-1], joined] if len(joined) <= width and not part.startswith("[") else [*lines, part]
    return "\n".join(filter(None, lines))


def mean_text(row: ComparisonRow, label: str) -> str:
    """The mean, with the standard deviation over training seeds where there are some."""
    interval, spread = row.metrics[label].interval, row.spread(label)
    if math.isnan(interval.mean):
        return NONE
    mean, _ = format_interval(interval)
    return mean if spread is None else f"{mean}\N{NO-BREAK SPACE}\N{PLUS-MINUS SIGN}{_two(spread)}"


def seeds_text(row: ComparisonRow) -> str:
    return {None: "?", 0: NONE}.get(row.training_seeds, str(row.training_seeds))


def p_text(value: float | None) -> str:
    """``0.034``, ``<0.001``."""
    if value is None:
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def seconds_text(seconds: float) -> str:
    """Seconds per image with two digits, in a unit that needs no exponent."""
    if not math.isfinite(seconds):
        return NONE
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("\N{MICRO SIGN}s", 1e-6)):
        if seconds >= scale or unit == "\N{MICRO SIGN}s":
            return f"{_two(seconds / scale)} {unit}"
    raise AssertionError


def memory_text(memory: int | None) -> str:
    """Bytes per image in units of 2^20."""
    return NONE if memory is None else f"{_two(memory / 2**20)} MB"


def _two(value: float) -> str:
    """Two significant digits, more where they stand before the point."""
    if value <= 0:
        return "0"
    return f"{value:.{min(4, max(0, 1 - math.floor(math.log10(value))))}f}"


def caption(comparison: Comparison) -> str:
    """On what the numbers rest: nothing in it changes from one run of the same comparison to the next."""
    where = f"on {comparison.device}" + (f" with {comparison.threads} threads" if comparison.device == "cpu" else "")
    where = where.replace(" 1 threads", " 1 thread")
    how = f"; in batches of {comparison.batch} {where}" if comparison.batch else ""  # a mean over unlike ones has none
    state = "" if comparison.complete else "INCOMPLETE: it was interrupted. "
    return f"{state}{len(comparison.names):,} images under {comparison.name}, protocol {comparison.hash[:12]}{how}."


def about(comparison: Comparison) -> str:
    """How intervals, differences, p-values and costs were found."""
    first, protocols = comparison.reference, comparison.mean_of
    parts = [f"Each image counts with its mean over {' and '.join(protocols)}."] if protocols else []
    parts += ["Intervals: 95 %, bootstrap over images."]
    if first in comparison.failed:
        parts.append(f"The first row, {first}, failed: there are no differences.")
    elif len(comparison.rows) > 1:
        parts.append(f"Differences are paired, against {first}; p by sign flips, Holm's correction over the rows.")
    parts.append(
        "Time: median over batches, the first left out where there are more, and so the one that tells the memory: its "
        "peak, beyond what was there before, divided by its images."
        + (" Over protocols: the mean time and the most memory." if protocols else "")
    )
    if any(len(row.seeds) > 1 for row in comparison.rows):
        parts.append("Over several training seeds each image counts with its mean; \N{PLUS-MINUS SIGN} is the standard "
                     "deviation of the seeds' means.")  # fmt: skip
    blends = dict.fromkeys(row.blend.capitalize() for row in comparison.rows if row.blend)
    if blends:
        parts.append(f"+ {', '.join(blends)}: what the row before drew, blended with the known pixels beside the hole.")
    if any(row.best_of for row in comparison.rows):
        parts.append("A row that the truth chose is an upper bound, not a method, and has no p.")
    return " ".join(parts)
