"""The program ``inpaintkit``: its commands parse, call and print. Heavy imports wait until a command needs them."""

from __future__ import annotations

import errno
import inspect
import re
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from . import __version__
from .core.config.nodes import parse
from .core.errors import InpaintkitError, PluginError, did_you_mean
from .core.hookspecs import KINDS, RegisterCommands, hookimpl
from .core.plugins import installed, official
from .core.registry import Entry

inpaintkit_api = 1
RUNS = Path("runs")
PATH = click.Path(path_type=Path)


@hookimpl
def register_commands(register: RegisterCommands) -> None:
    for command in (run, check, evaluate, list_entries, show, plugins):
        register(str(command.name), command)
    register("fill", "inpaintkit.filling.command:fill", "Fills the holes of pictures with a method.")
    register("report", "inpaintkit.report.command:report", "Rewrites report.html from the files of a run.")


class PluginCommand(click.Command):
    """Stands for a command until it is called or its own help is asked for; then its module is imported."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.name, short_help=entry.help)
        self.entry = entry

    def load(self) -> click.Command:
        """The command itself.

        Raises:
            PluginError: its module cannot be imported, or holds something else under this name.
        """
        command = self.entry.load()
        if not isinstance(command, click.Command):
            where = f"command {self.entry.name!r} of plugin {self.entry.plugin!r} ({self.entry.target})"
            raise PluginError(f"{where} is no click.Command: decorate the function with @click.command()")
        return command

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> click.Context:
        return self.load().make_context(info_name, args, parent, **extra)


class Commands(click.Group):
    """The commands that plugins register, inpaintkit's own among them.

    A mistake of the user is reported in its own words, without a traceback, and ends with exit code 2.
    """

    def list_commands(self, context: click.Context) -> list[str]:
        return installed().registry.names("command")

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            if context.resilient_parsing:  # completion in a shell
                return None
            tool = official("tools").get(name)
            if tool and all(report.name != name for report in installed().reports):
                raise PluginError(f"the command {name!r} comes with {tool}: pip install {tool}")
        entry = installed().registry.get("command", name)
        return entry.factory if isinstance(entry.factory, click.Command) else PluginCommand(entry)

    def invoke(self, context: click.Context) -> Any:
        warnings.formatwarning = _format_warning
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


def _format_warning(message: Warning | str, *_: object, **__: object) -> str:
    """A warning in its own words, as errors are told."""
    return f"warning: {message}\n"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="inpaintkit")
def main() -> None:
    """Train, evaluate and apply image-inpainting methods.

    \b
    inpaintkit fill PICTURE --mask MASK -o OUT      fills the hole of a photograph
    inpaintkit run RECIPE                           trains, evaluates and writes a report
    """


def recipe_options(command: Any) -> Any:
    sets = click.option(
        "--set", "sets", multiple=True, metavar="KEY=VALUE", help="Sets one value, as in data.batch=16; repeatable."
    )
    return click.option("--profile", metavar="NAME", help="A profile of the recipe.")(sets(command))


@click.command()
@click.argument("recipe")
@recipe_options
@click.option("--out", type=PATH, help="The run's folder; by default a new one runs/RECIPE[-PROFILE].")
@click.option("--resume", is_flag=True, help="Continues --out, or the newest such run, from its last checkpoint.")
@click.option("--quiet", is_flag=True, help="Prints errors only.")
def run(recipe: str, profile: str | None, sets: Sequence[str], out: Path | None, resume: bool, quiet: bool) -> None:
    """Trains RECIPE (a file or a bundled name), evaluates it under its protocols and writes report.html."""
    from . import pipeline

    pipeline.run(pipeline.load(recipe, profile, sets), out, RUNS, resume, show=not quiet)


@click.command()
@click.argument("recipes", nargs=-1, required=True)
@recipe_options
def check(recipes: Sequence[str], profile: str | None, sets: Sequence[str]) -> None:
    """Checks RECIPES in full, then one step of every stage without data: seconds each.

    Pictures that a run would not find are warned of.
    """
    from . import pipeline
    from .core.errors import RecipeError

    problems: list[Any] = []
    for recipe in recipes:
        try:
            loaded = pipeline.load(recipe, profile, sets)
            pipeline.check(loaded)
            method = loaded.method_on_meta
            stages = ", ".join(method.trial_steps()) or "no training"
            click.echo(f"{recipe}: good ({loaded.method.name}; {method.steps} steps: {stages})")
            for missing in pipeline.missing_pictures(loaded):
                click.echo(f"warning: {missing}", err=True)
        except RecipeError as error:
            problems += error.problems
    if problems:
        raise RecipeError(problems)


@click.command()
@click.argument("run", type=PATH)
@click.option("--protocol", "protocols", multiple=True, help="A bundled name or a file; by default the recipe's own.")
@click.option("--images", multiple=True, type=PATH, help="Pictures in place of the recipe's test set; repeatable.")
@click.option(
    "--baseline", "baselines", multiple=True, help="A recipe, in place of the recipe's baselines; repeatable."
)
@click.option("--device", default="auto", show_default=True)
def evaluate(
    run: Path, protocols: Sequence[str], images: Sequence[Path], baselines: Sequence[str], device: str
) -> None:
    """Evaluates the trained method of RUN under protocols, and writes results.json and report.html."""
    from . import pipeline

    pipeline.evaluate(run, protocols, images, device, baselines=baselines)


@click.command(name="list")
@click.argument("kind", required=False)
def list_entries(kind: str | None) -> None:
    """Lists what recipes can name, of one KIND or all, with the plugin that each comes from.

    The kinds are those of components (generators, losses, ...), recipes and protocols. Of each of these two, asked for
    alone, it also prints what they say of themselves.
    """
    kinds = [*KINDS, "recipe", "protocol"]
    plurals = {hook.removeprefix("register_").replace("_", " "): each for each, hook in KINDS.items()}
    plurals |= {"recipes": "recipe", "protocols": "protocol"}
    asked = (kind or "").lower().replace("-", " ").replace("_", " ")
    wanted = plurals.get(asked, asked)
    if wanted and wanted not in kinds:
        raise InpaintkitError(f"no kind {kind!r}{did_you_mean(wanted, kinds)}; the kinds are {', '.join(kinds)}")
    registry = installed().registry
    for each in [wanted] if wanted else kinds:
        click.echo(f"{each}:")
        names = registry.names(each)
        width = max(map(len, names), default=0)
        for name in names:
            entry = registry.get(each, name)
            said = description_of(Path(entry.target)) if wanted in ("recipe", "protocol") else ""
            click.echo(f"  {name:{width}}  {entry.plugin}  {said}".rstrip())
    for report in installed().reports:
        for line in report.complaints:
            click.echo(f"plugin {report.name!r}: {line}", err=True)


def description_of(file: Path) -> str:
    """What a recipe or a protocol says of itself: its description, or its paper."""
    node = parse(file.read_text(encoding="utf-8"), file.name, [])
    tree = node.plain() if node is not None else None
    said = [tree.get(key) for key in ("description", "paper")] if isinstance(tree, dict) else []
    return str(next(filter(None, said), ""))


@click.command()
@click.argument("name")
def show(name: str) -> None:
    """Prints the options and the documentation of the component NAME."""
    registry = installed().registry
    found = []
    for kind in KINDS:
        with suppress(PluginError):
            found.append(registry.get(kind, name))
    if not found:
        known = [other for kind in KINDS for other in registry.names(kind)]
        near = did_you_mean(name, known) or f": see inpaintkit list{registry.absent}"
        raise InpaintkitError("; ".join([f"nothing is named {name!r}{near}", *registry.notes]))

    from .core.config.schema import signature_of  # imports torch

    for entry in found:
        factory = entry.load()
        click.echo(f"{entry.kind} {entry.name}  ({entry.target}, plugin {entry.plugin})\n")
        for option in signature_of(factory):
            default = "required" if option.required else f"= {option.default!r}"
            click.echo(f"  {option.name}: {option.annotation}  {default}")
        click.echo(f"\n{documentation_of(factory)}\n")


def documentation_of(factory: Callable[..., Any]) -> str:
    """The docstring of a component, with the ``Args:`` of the options that only its base classes describe."""
    from .core.config.schema import signature_of  # imports torch

    text = inspect.getdoc(factory) or ""
    entries: dict[str, str] = {}
    for described in (text, *(inspect.getdoc(base) or "" for base in getattr(factory, "__mro__", ())[1:])):
        for entry in re.finditer(r"^    (\w+): .*(?:\n {8}.*)*", described, re.MULTILINE):
            entries.setdefault(entry[1], entry[0])
    found = [entries[option.name] for option in signature_of(factory) if option.name in entries]
    inherited = [entry for entry in found if entry not in text]
    if not inherited:
        return text
    before, _, after = text.partition("\nArgs:\n")
    return "\n".join([f"{before.rstrip()}\n\nArgs:", *inherited, after]).rstrip()


@click.command()
def plugins() -> None:
    """Lists the plugins of this environment, what each brings, and what is wrong with it."""
    for report in installed().reports:
        state = "BROKEN" if report.error else f"{len(report.provides)} entries"
        click.echo(" ".join(filter(None, [report.name, report.version, f"({report.origin})", state])))
        for line in [*(f"! {line}" for line in report.complaints), *report.provides]:
            click.echo(f"  {line}")


if __name__ == "__main__":
    main()
