"""The command line: parses, calls, prints. Heavy imports wait until a command needs them."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from . import __version__
from .core.errors import InpaintkitError

RUNS, COMPARISONS = Path("runs"), Path("comparisons")


class Reporting(click.Group):
    """A mistake of the user's is told in its own words, without a traceback, and ends with exit code 2."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            context.exit(130)
        except OSError as error:  # a full disk, a folder that may not be written
            if error.errno is None or error.errno == errno.EPIPE:
                raise
            click.echo(f"error: {error}", err=True)
            context.exit(2)
        except InpaintkitError as error:
            problems = getattr(error, "problems", None)
            click.echo(f"error: {error}" if not problems else str(error), err=True)
            if problems:
                click.echo(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}", err=True)
            context.exit(getattr(error, "exit_code", 2))


@click.group(cls=Reporting, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="inpaintkit")
def main() -> None:
    """Train, evaluate and apply image-inpainting methods.

    \b
    inpaintkit run RECIPE          trains, evaluates and writes a report
    inpaintkit fill RUN PICTURE --mask MASK -o OUT
    """


def recipe_options(command: Any) -> Any:
    sets = click.option(
        "--set", "sets", multiple=True, metavar="KEY=VALUE", help="Changes one value, as in data.batch=16; repeatable."
    )
    return click.option("--profile", metavar="NAME", help="A profile of the recipe.")(sets(command))


@main.command()
@click.argument("recipe")
@recipe_options
@click.option(
    "--out", type=click.Path(path_type=Path), help="The run's folder; by default a new one runs/RECIPE[-PROFILE]."
)
@click.option("--resume", is_flag=True, help="Goes on from the newest checkpoint of --out, or of the newest such run.")
@click.option("--quiet", is_flag=True, help="Prints errors only.")
def run(recipe: str, profile: str | None, sets: Sequence[str], out: Path | None, resume: bool, quiet: bool) -> None:
    """Trains RECIPE (a file or a bundled name), evaluates it under its protocols and writes report.html."""
    from .pipeline import check, complete
    from .recipe import load_recipe

    loaded = load_recipe(recipe, profile, sets)
    check(loaded)
    complete(loaded, out, RUNS, resume, show=not quiet)


@main.command()
@click.argument("recipes", nargs=-1, required=True)
@recipe_options
def check(recipes: Sequence[str], profile: str | None, sets: Sequence[str]) -> None:
    """Checks RECIPES in full, then one step of every stage without data: seconds each."""
    from . import pipeline
    from .core.errors import RecipeError
    from .recipe import load_recipe

    problems: list[Any] = []
    for recipe in recipes:
        try:
            loaded = load_recipe(recipe, profile, sets)
            method = pipeline.check(loaded)
            stages = ", ".join(method.trial_steps()) or "no training"
            click.echo(f"{recipe}: good ({loaded.method.name}; {method.steps} steps: {stages})")
        except RecipeError as error:
            problems += error.problems
    if problems:
        raise RecipeError(problems)


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--protocol", "protocols", multiple=True, help="A bundled name or a file; by default the recipe's own.")
@click.option(
    "--images", multiple=True, type=click.Path(path_type=Path),
    help="Pictures in place of the recipe's test set; repeatable.",
)  # fmt: skip
@click.option("--device", default="auto", show_default=True)
def evaluate(run: Path, protocols: Sequence[str], images: Sequence[Path], device: str) -> None:
    """Measures the trained method of RUN under protocols, and writes results.json and report.html."""
    from .pipeline import measure

    measure(run, list(protocols) or None, list(images) or None, device)


@main.command()
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
    "--blend", metavar="poisson", help="Each row also with what it drew fitted to the known pixels around it."
)
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

    Runs of one recipe with different seeds become one row. Differences are to the first row. Prints a table and
    writes it as Markdown, CSV and JSON with a picture grid; several protocols on the same pictures also have their
    mean. Exit code 2 when a row failed; the others are kept.
    """
    from .comparison import side_by_side

    if not side_by_side(sources, protocols, list(images) or None, out, COMPARISONS, **options):
        context.exit(2)


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
def report(run: Path) -> None:
    """Writes report.html anew from what RUN holds."""
    from .report import write_report

    click.echo(write_report(run))


@main.command()
@click.argument("run")
@click.argument("image", type=click.Path(path_type=Path, exists=True))
@click.option("--mask", required=True, type=click.Path(path_type=Path, exists=True), help="White is the hole.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="A file, or a folder for folders.")
@click.option("--grow", default=0, show_default=True, type=click.IntRange(0), help="Widens the hole by so many pixels.")
@click.option("--batch", default=8, show_default=True, type=click.IntRange(1), help="Pictures of one size at once.")
@click.option(
    "--seed", default=0, show_default=True, help="Of a method that draws at random: another, another picture."
)
@click.option("--blend", metavar="poisson", help="Fits what is drawn to the known pixels around it, by its gradients.")
@click.option("--samples", type=click.IntRange(1), metavar="K", help="Random methods: K answers, and a sheet of them.")
@click.option("--device", default="auto", show_default=True)
@click.pass_context
def fill(context: click.Context, /, run: str, image: Path, mask: Path, out: Path, device: str, **options: Any) -> None:
    """Fills the hole in IMAGE with the method of RUN (a run's folder, or the recipe of an untrained method).

    IMAGE and --mask are two files, or two folders whose files are paired by their names without the suffix. Known
    pixels come back exactly. With --samples the answers to OUT.png are OUT-1.png, OUT-2.png ... and OUT-sheet.png.
    Exit code 1 when some pictures of a folder were not filled or masks not used, 2 when none was filled.
    """
    from rich import get_console

    from .filling import fill_files
    from .runs import open_run
    from .runtime import pick_device

    where = pick_device(device)
    show = get_console().is_terminal
    method, recipe = open_run(run, where)
    trained_size = min(recipe.data.frame) if recipe is not None and recipe.data is not None else None
    result = fill_files(method, image, mask, out, device=where, progress=show, trained_size=trained_size, **options)
    click.echo(str(result))
    context.exit(result.exit_code)


@main.command(name="list")
@click.argument("kind", required=False)
def list_components(kind: str | None) -> None:
    """Lists the components that recipes can name, of one KIND or all, with the plugin each comes from."""
    from .core.errors import did_you_mean
    from .core.hookspecs import KINDS
    from .core.plugins import installed

    plurals = {hook.removeprefix("register_"): kind for kind, hook in KINDS.items()}
    asked = (kind or "").lower().replace("-", " ").replace("_", " ")
    wanted = plurals.get(asked.replace(" ", "_"), asked)
    if wanted and wanted not in KINDS:
        raise InpaintkitError(f"no kind {kind!r}{did_you_mean(wanted, KINDS)}; the kinds are {', '.join(KINDS)}")
    registry = installed().registry
    for each in [wanted] if wanted else KINDS:
        click.echo(f"{each}:")
        for name in registry.names(each):
            click.echo(f"  {name:24} {registry.get(each, name).plugin}")
    broken()


@main.command()
@click.argument("name")
def show(name: str) -> None:
    """Prints the options and the documentation of the component NAME."""
    import inspect

    from .core.errors import PluginError, did_you_mean
    from .core.hookspecs import KINDS
    from .core.plugins import installed

    registry = installed().registry
    found = []
    for kind in KINDS:
        with suppress(PluginError):
            found.append(registry.get(kind, name))
    if not found:
        known = [other for kind in KINDS for other in registry.names(kind)]
        near = did_you_mean(name, known) or ": see inpaintkit list"
        raise InpaintkitError("; ".join([f"nothing is named {name!r}{near}", *registry.notes]))

    from .core.config.schema import signature_of  # imports torch

    for entry in found:
        factory = entry.load()
        click.echo(f"{entry.kind} {entry.name}  ({entry.target}, plugin {entry.plugin})\n")
        for option in signature_of(factory):
            default = "required" if option.required else f"= {option.default!r}"
            click.echo(f"  {option.name}: {option.annotation}  {default}")
        click.echo(f"\n{inspect.getdoc(factory) or ''}\n")


@main.command()
@click.pass_context
def plugins(context: click.Context) -> None:
    """Lists the plugins of this environment, what each brings, and what is wrong with it."""
    from .core.plugins import installed

    reports = installed().reports
    for report in reports:
        state = "BROKEN" if report.error else f"{len(report.components)} components"
        click.echo(f"{report.name} {report.version}  ({report.origin})  {state}".replace("  (", " (", 1))
        for line in [report.error, *report.warnings]:
            if line:
                click.echo(f"  ! {line}")
        for component in report.components:
            click.echo(f"  {component}")


def broken() -> None:
    from .core.plugins import installed

    for report in installed().reports:
        for line in [report.error, *report.warnings]:
            if line:
                click.echo(f"plugin {report.name!r}: {line}", err=True)


if __name__ == "__main__":
    main()
