"""The command ``inpaintkit fill``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

EXISTING = click.Path(path_type=Path, exists=True)


@click.command()
@click.argument("places", nargs=-1, required=True, metavar="[METHOD] IMAGE")
@click.option("--mask", type=EXISTING, help="The hole is white.")
@click.option("--box", metavar="X,Y,W,H", help="In place of a mask: a rectangle from column X and row Y, in pixels.")
@click.option("--color", metavar="#RRGGBB", help="In place of a mask: all pixels of this color.")
@click.option(
    "--tolerance", default=0, show_default=True, type=click.IntRange(0, 255),
    help="Levels by which pixels may miss --color.",
)  # fmt: skip
@click.option("-o", "--out", required=True, help="A file; a folder if IMAGE is one, or with / at its end.")
@click.option("--overwrite", is_flag=True, help="Replaces results that are there already.")
@click.option("--resume", is_flag=True, help="Keeps results that are there already, and fills what is missing.")
@click.option("--grow", default=0, show_default=True, type=click.IntRange(0), help="Pixels by which the hole grows.")
@click.option("--batch", default=8, show_default=True, type=click.IntRange(1), help="Pictures of one size at once.")
@click.option("--seed", default=0, show_default=True, help="For random methods: another seed gives another picture.")
@click.option(
    "--blend", type=click.Choice(["poisson"]), metavar="poisson",
    help="Fits the filled pixels to the known ones around them, by their gradients.",
)  # fmt: skip
@click.option("--samples", type=click.IntRange(1), metavar="K", help="Random methods: K answers, and a sheet of them.")
@click.option("--device", default="auto", show_default=True)
@click.pass_context
def fill(
    context: click.Context,
    places: Sequence[str],
    mask: Path | None,
    box: str | None,
    color: str | None,
    tolerance: int,
    out: str,
    overwrite: bool,
    resume: bool,
    grow: int,
    batch: int,
    seed: int,
    blend: str | None,
    samples: int | None,
    device: str,
) -> None:
    """Fills the hole in IMAGE with METHOD: the recipe of an untrained method, or the folder of a run.

    Without METHOD it is "photo", which comes with trained weights. The hole is given by --mask, --box or --color.

    IMAGE and --mask are two files, or two folders whose files are paired by their names without the suffix. Known
    pixels come back exactly. With --samples the answers to OUT.png are OUT-1.png, OUT-2.png ... and OUT-sheet.png.
    Exit code 1 when some pictures of a folder were not filled or masks not used, 2 when none was filled.
    """
    if len(places) > 2:
        raise click.UsageError(f"one method and one picture or folder are needed, not {len(places)} names")
    if [mask, box, color].count(None) != 2:
        raise click.UsageError("say what to fill, by one of --mask FILE, --box X,Y,W,H and --color #RRGGBB")
    if overwrite and resume:
        raise click.UsageError("--overwrite replaces results and --resume keeps them: say one of the two")
    from rich.console import Console

    from ..components.blending import PoissonBlended
    from ..runs import open_run
    from ..runtime import Execution
    from .holes import Box, Color
    from .on_disk import fill_files
    from .options import DEFAULT_METHOD, FillOptions

    hole = Box.parse(box) if box is not None else Color.parse(color, tolerance) if color is not None else mask
    assert hole is not None
    *named, image = places
    execution = Execution(device, batch, Console(stderr=True).is_terminal)
    method, recipe = open_run(named[0] if named else DEFAULT_METHOD, execution.device)
    trained_size = None
    if recipe is not None and recipe.data is not None and not method.coarse_to_fine:
        trained_size = min(recipe.data.frame)
    if blend is not None:
        method = PoissonBlended(method)
    options = FillOptions(grow=grow, seed=seed)
    report = fill_files(
        method, image, hole, out, options, execution,
        existing="replace" if overwrite else "keep" if resume else "refuse", samples=samples, trained_size=trained_size,
    )  # fmt: skip
    click.echo(str(report))
    context.exit(report.exit_code)
