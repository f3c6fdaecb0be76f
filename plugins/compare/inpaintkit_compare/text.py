"""Numbers of a comparison as text, and the templates and CSV that they stand in."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from inpaintkit.core.errors import InpaintkitError
from inpaintkit.evaluation import direction_arrow, format_interval
from inpaintkit.runtime import write_atomically

from .comparison import Comparison, ComparisonRow, Earlier

NONE = "-"
_TITLES = {"psnr[hole,255]": "PSNR in the hole (dB)", "psnr[whole,255]": "PSNR of the whole picture (dB)"}


def mean_text(row: ComparisonRow, label: str) -> str:
    """The mean, with the standard deviation over training seeds where there are some."""
    result, spread = row.metrics.get(label), row.spread(label) if label in row.metrics else None
    if result is None or math.isnan(result.interval.mean):
        return NONE
    mean, _ = format_interval(result.interval)
    return mean if spread is None else f"{mean}\N{NO-BREAK SPACE}\N{PLUS-MINUS SIGN}{two_digits(spread)}"


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
    unit, scale = ("s", 1.0) if seconds >= 1 else ("ms", 1e-3) if seconds >= 1e-3 else ("\N{MICRO SIGN}s", 1e-6)
    return f"{two_digits(seconds / scale)} {unit}"


def memory_text(memory: int | None) -> str:
    """Bytes per image in units of 2^20."""
    return NONE if memory is None else f"{two_digits(memory / 2**20)} MB"


def two_digits(value: float) -> str:
    """Two significant digits, more where they stand before the point."""
    if value <= 0:
        return "0"
    return f"{value:.{min(4, max(0, 1 - math.floor(math.log10(value))))}f}"


def metric_title(label: str) -> str:
    return _TITLES.get(label, label)


def caption(comparison: Comparison) -> str:
    """Images, protocol, batch and device: the same for every run of the same comparison."""
    terms = terms_text(comparison)
    how = f"; {terms}" if terms else ""
    state = "" if comparison.complete else "INCOMPLETE: it was interrupted. "
    return f"{state}{len(comparison.names):,} images under {comparison.name}, protocol {comparison.hash[:12]}{how}."


def terms_text(terms: Comparison | Earlier) -> str:
    """Batch, device and threads; empty where they are those of several comparisons, that differ in them."""
    if not terms.batch:
        return ""
    threads = f" with {terms.threads} thread{'s' if terms.threads != 1 else ''}" if terms.device == "cpu" else ""
    return f"in batches of {terms.batch} on {terms.device}{threads}"


def earlier_text(comparison: Comparison) -> str:
    """The rows that were taken over from earlier comparisons, and how they were measured; empty without any."""
    groups: dict[str, list[str]] = {}
    for row in comparison.rows:
        if row.earlier is not None:
            there, here = row.earlier.environment, comparison.environment
            versions = [
                f"{name} {there[name]}"
                for name in ("inpaintkit", "commit")
                if there.get(name) not in (None, here.get(name))
            ]
            groups.setdefault(", ".join(filter(None, [terms_text(row.earlier), *versions])), []).append(row.name)
    if not groups:
        return ""
    rows = "; ".join(f"{', '.join(names)}{terms and f' ({terms})'}" for terms, names in groups.items())
    return f"From an earlier comparison, with the time and memory of then: {rows}."


def explanation(comparison: Comparison) -> str:
    """How intervals, differences, p-values and costs were computed: ``templates/explanation.txt`` on one line."""
    return " ".join(render("explanation.txt", comparison=comparison).split())


def render(template: str, **values: object) -> str:
    """A text of ``templates/``, which format numbers and names by the functions of this module."""
    environment = Environment(
        loader=PackageLoader(__package__),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "arrow": direction_arrow,
        "caption": caption,
        "earlier": earlier_text,
        "explanation": explanation,
        "interval": format_interval,
        "mean": mean_text,
        "memory": memory_text,
        "metric_title": metric_title,
        "p": p_text,
        "plain": plain_text,
        "seconds": seconds_text,
    }
    return environment.get_template(template).render(values)


def plain_text(text: str) -> str:
    """Words without any meaning in Markdown, on one line."""
    return " ".join(re.sub(r"([\\|`*<>\[\]#~]|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", text).split())


def csv_text(lines: Iterable[Mapping[str, Any]]) -> str:
    """A column for each key. Numbers in full; what is undefined or missing is empty."""
    lines = list(lines)
    file = io.StringIO()
    writer = csv.DictWriter(file, list(dict.fromkeys(key for line in lines for key in line)), lineterminator="\n")
    writer.writeheader()
    for line in lines:
        undefined = {key: None for key, value in line.items() if isinstance(value, float) and math.isnan(value)}
        writer.writerow({**line, **undefined})
    return file.getvalue()


def write_files(folder: Path, files: Mapping[str, bytes | str]) -> None:
    """Writes files by name into a folder, each in one step.

    Raises:
        InpaintkitError: one cannot be written.
    """
    for name, content in files.items():
        try:
            write_atomically(folder / name, content)
        except OSError as error:
            raise InpaintkitError(f"{folder / name} cannot be written: {error}") from error
