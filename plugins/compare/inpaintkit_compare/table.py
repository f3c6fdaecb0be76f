"""The table of a comparison for a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs
from rich import box
from rich.cells import cell_len
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from inpaintkit.evaluation import direction_arrow, interval_cell

from .comparison import Comparison
from .text import NONE, caption, earlier_text, explanation, mean_text, memory_text, p_text, seconds_text, seeds_text

SHOWN = 3  # metrics in the printed table; the files have all
MIN_NAME, MAX_NAME = 8, 30  # the width of a name that is broken, at spaces if there are some


@attrs.frozen
class Column:
    """A column of the table.

    Attributes:
        head, cells: as markup.
        optional: how a column is named that may be left out; empty for one that always stays.
        breaks: whether its cells may be broken at spaces; its head is not.
    """

    head: str
    cells: Sequence[str]
    optional: str = ""
    breaks: bool = True

    @property
    def width(self) -> int:
        """Of the longest line."""
        return max(cell_len(line) for cell in (self.head, *self.cells) for line in _lines(cell))

    @property
    def least(self) -> int:
        """The smallest width that breaks no word, or no line."""
        lines = [line for cell in self.cells for line in _lines(cell)]
        words = [word for line in lines for word in line.split()] if self.breaks else lines
        return max(map(cell_len, [*_lines(self.head), *words]))


def comparison_table(comparison: Comparison, width: int) -> Table:
    """A metric of each kind, each row's difference to the first row in the first metric, and its costs.

    No name is broken inside a word: columns that do not fit into ``width`` are left out, the costs before the metrics,
    and the caption names them.
    """
    labels = of_each_kind(comparison.labels)
    first = labels[0] if labels else ""
    columns, left_out = _fit(_columns(comparison, labels, first), width)
    missing = f"Not shown at this width: {', '.join(left_out)}; the files have them." if left_out else ""
    parts = caption(comparison), earlier_text(comparison), missing, explanation(comparison)
    table = Table(
        title=escape(f"{comparison.name}: differences from {comparison.reference} in {first}"),
        caption=escape(" ".join(filter(None, parts))),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    for at, (column, size) in enumerate(zip(columns, _widths(columns, width), strict=True)):
        table.add_column(column.head, justify="right" if at else "left", overflow="fold", width=size)
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    return table


def _columns(comparison: Comparison, labels: Sequence[str], first: str) -> list[Column]:
    """All columns, from the left."""
    rows = comparison.rows
    samplings = [f"[dim]{row.sampling}[/dim]" if row.sampling and not row.best_of else "" for row in rows]
    names = [escape(row.name) for row in rows]
    columns = [Column("method", ["\n".join(filter(None, cell)) for cell in zip(names, samplings, strict=True)])]
    for label in labels:
        arrow = direction_arrow(rows[0].metrics[label])
        head = f"{escape(break_label(label))} {arrow}".strip()
        columns.append(Column(head, [mean_text(row, label) for row in rows], "" if label == first else label))
    differences = [interval_cell(row.differences.get(first), signed=True, missing=NONE) for row in rows]
    return [
        *columns,
        Column("difference", differences),
        Column("p", [p_text(row.p_holm.get(first)) for row in rows], breaks=False),
        Column("seeds", [seeds_text(row) for row in rows], "seeds", breaks=False),
        Column("time\n/image", [seconds_text(row.seconds_per_image) for row in rows], "time", breaks=False),
        Column("memory\n/image", [memory_text(row.memory_per_image) for row in rows], "memory", breaks=False),
    ]


def _lines(cell: str) -> list[str]:
    """What a cell shows."""
    return Text.from_markup(cell).plain.splitlines()


def _fit(columns: list[Column], width: int) -> tuple[list[Column], list[str]]:
    """The columns that fit, and the names of those that were left out: the last ones go first."""
    left_out: list[str] = []
    while sum(column.least for column in columns) > _room(columns, width):
        last = next((column for column in reversed(columns) if column.optional), None)
        if last is None:
            break
        columns = [column for column in columns if column is not last]
        left_out.insert(0, last.optional)
    return columns, left_out


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """The least of each column; what is left goes to the names, to the differences and to the metrics."""
    widths = [column.least for column in columns]
    spare = _room(columns, width) - sum(widths)
    if spare < 0:  # a name as long as the line
        widths[0] = max(MIN_NAME, widths[0] + spare)
    order = sorted(range(len(columns)), key=lambda at: (at > 0, columns[at].head != "difference", at))
    for at in order:
        wanted = min(columns[at].width, MAX_NAME) if at == 0 else columns[at].width
        more = max(0, min(spare, wanted - widths[at]))
        widths[at] += more
        spare -= more
    return widths


def _room(columns: Sequence[Column], width: int) -> int:
    """What a line has for the cells: a space is between two columns and at both ends."""
    return width - len(columns) - 1


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
    for part in re.split(r"(?=\[)|(?<=[,_-])", label):
        joined = lines[-1] + part
        lines = [*lines[:-1], joined] if len(joined) <= width and not part.startswith("[") else [*lines, part]
    return "\n".join(filter(None, lines))
