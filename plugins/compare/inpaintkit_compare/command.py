"""The command ``inpaintkit compare``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

COMPARISONS = Path("comparisons")


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCES...")
@click.option("--protocol", "protocols", multiple=True, required=True, help="A bundled name or a file; repeatable.")
@click.option(
    "--images", multiple=True, type=click.Path(path_type=Path),
    help="Pictures in place of the protocol's or the recipe's; repeatable.",
)  # fmt: skip
@click.option(
    "-o", "--out", type=click.Path(path_type=Path),
    help="The folder of what is written; by default a new one comparisons/PROTOCOL.",
)  # fmt: skip
@click.option("--best-of", type=click.IntRange(2), metavar="K", help="Random methods: also a row with the best of K.")
@click.option(
    "--blend", type=click.Choice(["poisson"]), metavar="poisson",
    help="Each row also with its outputs fitted to the known pixels around the hole.",
)  # fmt: skip
@click.option(
    "--reuse", multiple=True, type=click.Path(path_type=Path), metavar="FOLDER",
    help="Earlier comparisons, whose rows are taken over and not measured again; repeatable.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N pictures, spread evenly over all.")
@click.option("--pictures", default=8, show_default=True, type=click.IntRange(0), help="Pictures in the grid.")
@click.option(
    "--sweep", "sweeps", multiple=True, metavar="OPTION=VALUES",
    help="Also over values of an option of the holes, as in side=4..16 or offset=-8..8:8; repeatable.",
)  # fmt: skip
@click.option("--picture", type=click.IntRange(0), metavar="INDEX", help="The picture on the sheets of sweeps.")
@click.option("--batch", default=32, show_default=True, type=click.IntRange(1), help="Pictures at once.")
@click.option("--device", default="auto", show_default=True)
@click.pass_context
def compare(
    context: click.Context,
    /,
    sources: Sequence[str],
    protocols: Sequence[str],
    images: Sequence[Path],
    out: Path | None,
    **options: Any,
) -> None:
    """Measures methods side by side: runs, checkpoints, or recipes of untrained methods, each also as NAME=SOURCE.

    Runs of one recipe with different seeds become one row. Rows of --reuse come last. Differences are to the first
    row. Prints a table and writes it as Markdown, CSV and JSON with a picture grid; several protocols on the same
    pictures also have their mean. Exit code 2 when a row failed; the others are kept.
    """
    from .driver import compare_protocols  # imports torch

    if not compare_protocols(sources, protocols, list(images) or None, out, COMPARISONS, **options):
        context.exit(2)
