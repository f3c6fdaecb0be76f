"""The table of a comparison for a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from inpaintkit.evaluation import direction_arrow, interval_cell

from .comparison import Comparison
from .text import NONE, caption, earlier_text, explanation, mean_text, memory_text, p_text, seconds_text, seeds_text

SHOWN = 3  # metrics in the printed table; the files have all


def comparison_table(comparison: Comparison) -> Table:
    """A metric of each kind, each row's difference to the first row in the first metric, and its costs."""
    labels = of_each_kind(comparison.labels)
    first = labels[0] if labels else ""
    table = Table(
        title=escape(f"{comparison.name}: differences from {comparison.reference} in {first}"),
        caption=escape(
            " ".join(filter(None, [caption(comparison), earlier_text(comparison), explanation(comparison)]))
        ),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    table.add_column("method", overflow="fold", max_width=30)
    for label in labels:
        arrow = direction_arrow(comparison.rows[0].metrics[label])
        table.add_column(f"{escape(break_label(label))} {arrow}".strip(), justify="right", overflow="fold", min_width=6)
    for head in ("difference", "p", "seeds", "time\n/image", "memory\n/image"):
        table.add_column(head, justify="right", no_wrap=head != "difference")
    for row in comparison.rows:
        sampling = f"[dim]{row.sampling}[/dim]" if row.sampling and not row.best_of else ""
        table.add_row(
            "\n".join(filter(None, [escape(row.name), sampling])),
            *(mean_text(row, label) for label in labels),
            interval_cell(row.differences.get(first), signed=True, missing=NONE),
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
    return list(dict.fromkeys([*first.values(), *labels]))[:most]


def break_label(label: str, width: int = 9) -> str:
    """A metric's label in lines as narrow as its parts allow: ``psnr``, ``[hole,``, ``255]``."""
    lines = [""]
    for part in re.split(r"(?=\[)|(?<=,)", label):
        joined = lines[-1] + part
        lines = [*lines[:-1], joined] if len(joined) <= width and not part.startswith("[") else [*lines, part]
    return "\n".join(filter(None, lines))
