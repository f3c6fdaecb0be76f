"""Writes docs/reference/*.md from the code: ``python docs/make_reference.py``; ``--check`` only says what is stale.

Signatures, docstrings, hook specifications and command-line options are the source; tests/docs holds the pages
to them. Nothing here depends on the machine: of the installed plugins only those of this repository are described.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import fill
from typing import Any

import attrs
import click

import inpaintkit
from inpaintkit import recipe
from inpaintkit.cli import PluginCommand, documentation_of, main
from inpaintkit.components.kornia_names import KORNIA
from inpaintkit.components.objectives import Smooth
from inpaintkit.core import hookspecs, interfaces as types
from inpaintkit.core.config import layers as merging, nodes as yamltree, schema as signature
from inpaintkit.core.config.bundled import bundled
from inpaintkit.core.hookspecs import API_VERSION, HOOKS, KINDS
from inpaintkit.core.interfaces import INTERFACES
from inpaintkit.core.plugins import GROUP, Plugins, load_plugins
from inpaintkit.data.augment import AugmentationStep
from inpaintkit.data.decoding import Prepare
from inpaintkit.data.sources import PackageFiles
from inpaintkit.evaluation.protocol import Protocol, load_protocol
from inpaintkit.evaluation.transform import Transform
from inpaintkit.recipe import DataOptions, RecipeKeys, RunOptions, ValidateOptions
from inpaintkit.training.critic import Critic
from inpaintkit.training.loss_weights import Balance, Ramp
from inpaintkit.training.stages import Adam, Rate, Stage

DOCS = Path(__file__).parent
NOTE = "<!-- Made by docs/make_reference.py from the code: change the docstrings there, then run `make docs`. -->\n"

#: The page that describes a class, for links from the types of options.
HOME: dict[str, str] = {
    **dict.fromkeys(
        ("DataOptions", "PackageFiles", "Prepare", "AugmentationStep", "ValidateOptions", "RunOptions"), "recipe"
    ),
    **dict.fromkeys(("Stage", "Rate", "Ramp", "Balance", "Adam", "Critic", "Smooth"), "recipe"),
    "Transform": "protocol",
}
#: What the page on Python describes, with the module that it is best imported from.
FUNCTIONS: dict[str, str] = {
    "load": "inpaintkit",
    "fill": "inpaintkit",
    "fill_many": "inpaintkit",
    "fill_samples": "inpaintkit",
    "fill_files": "inpaintkit",
    "FillOptions": "inpaintkit",
    "Execution": "inpaintkit",
    "poisson_blend": "inpaintkit.components.blending",
    "load_recipe": "inpaintkit",
    "build_method": "inpaintkit.recipe",
    "train": "inpaintkit",
    "evaluate": "inpaintkit",
    "evaluate_run": "inpaintkit.evaluation.evaluator",
    "composite": "inpaintkit",
    "conformance": "inpaintkit.testing",
    "compare": "inpaintkit_compare",
    "ComparisonOptions": "inpaintkit_compare",
    "sweep": "inpaintkit_compare",
    "mean_over": "inpaintkit_compare",
    "read_comparison": "inpaintkit_compare",
    "write_comparison": "inpaintkit_compare",
    "write_sweep": "inpaintkit_compare",
}
SECTIONS = ("Args", "Attributes", "Raises", "Returns")


# Docstrings -----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Doc:
    """A docstring: its text as Markdown, and what it says of single names."""

    text: str
    names: Mapping[str, str]  # of Args and Attributes
    raises: Mapping[str, str]
    returns: str = ""

    @classmethod
    def of(cls, described: Any) -> Doc:
        return cls.read(inspect.getdoc(described) or "")

    @classmethod
    def read(cls, docstring: str) -> Doc:
        body: list[str] = []
        sections: dict[str, list[str]] = {}
        current = body
        for line in docstring.splitlines():
            head = line.rstrip().removesuffix(":")
            if line.rstrip().endswith(":") and head in SECTIONS:
                current = sections.setdefault(head, [])
            elif current is not body and line and not line.startswith(" "):
                current = body
                body.append(line)
            else:
                current.append(line)
        names = named(sections.get("Args", [])) | named(sections.get("Attributes", []))
        returns = plain(" ".join(line.strip() for line in sections.get("Returns", []) if line.strip()))
        return cls(markdown(body), names, named(sections.get("Raises", [])), returns)


def named(lines: Iterable[str]) -> dict[str, str]:
    """``name, other: what it is`` and the lines that continue it, as name -> text."""
    found: dict[str, str] = {}
    heads: list[str] = []
    for line in inspect.cleandoc("\n" + "\n".join(lines)).splitlines():
        if line and not line.startswith(" ") and ": " in line:
            head, _, text = line.partition(": ")
            heads = [name.strip() for name in head.split(",")]
            found |= dict.fromkeys(heads, text)
        elif line:
            found |= {name: f"{found[name]} {line.strip()}" for name in heads}
    return {name: plain(text) for name, text in found.items()}


def plain(text: str) -> str:
    """Double backquotes and roles of reStructuredText in Markdown."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text)
    return re.sub(r"``(.+?)``", r"`\1`", text)


def first_paragraph(function: Any) -> str:
    """Of a docstring that the function has itself, in one line."""
    return " ".join(Doc.of(function).text.split("\n\n")[0].split()) if function.__doc__ else ""


def markdown(lines: list[str]) -> str:
    """Paragraphs as they are, what follows ``::`` and doctests as code."""
    out: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith(">>>"):
            block = []
            while at < len(lines) and lines[at].strip():
                block.append(lines[at])
                at += 1
            out += ["```pycon", *block, "```"]
        elif line.endswith("::"):
            out.append(plain(line[:-1]))
            block, at = [], at + 1
            while at < len(lines) and (not lines[at].strip() or lines[at].startswith("    ")):
                block.append(lines[at])
                at += 1
            out += ["", "```python", *inspect.cleandoc("\n" + "\n".join(block)).splitlines(), "```", ""]
        else:
            out.append(plain(line))
            at += 1
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()


# Options --------------------------------------------------------------------------------------------------------------


def options_table(factory: Callable[..., Any], page: str) -> str:
    """A constructor's options: name, what may be written, default, what it is."""
    options = [
        option for option in signature.signature_of(factory) if option.name not in ("tree", "source", "profiles")
    ]
    if not options:
        return "No options.\n"
    said = Doc.read(documentation_of(factory)).names
    tell = any(option.name in said for option in options)
    rows = [["option", "value", "default", *(["what it is"] if tell else [])]]
    for option in options:
        default = "**required**" if option.required else f"`{written(option.default)}`"
        told = [said.get(option.name, "")] if tell else []
        rows.append([f"`{option.name}`", linked(option.annotation, page), default, *told])
    return table(rows)


def written(value: Any) -> str:
    """A default as a recipe would write it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, Mapping) or attrs.has(type(value)):
        return "{}"  # all of its own defaults
    return str(value) or "''"


def linked(annotation: str, page: str) -> str:
    """The words of a type, with links to the classes and kinds in it."""
    for name, home in HOME.items():
        target = f"#{name.lower()}" if home == page else f"{home}.md#{name.lower()}"
        annotation = re.sub(rf"\b{name}\b", f"[{name}]({target})", annotation)
    for kind in KINDS:
        anchor = plural(kind).replace(" ", "-")
        target = f"#{anchor}" if page == "components" else f"components.md#{anchor}"
        annotation = re.sub(rf"(?<![\w\[#/'-]){kind}(?![\w\]'-])", f"[{kind}]({target})", annotation)
    return annotation


def table(rows: list[list[str]]) -> str:
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines) + "\n"


def plural(kind: str) -> str:
    return KINDS[kind].removeprefix("register_").replace("_", " ")


def section(factory: Any, page: str, title: str = "", level: int = 2) -> str:
    """A class: heading, docstring, options."""
    doc = Doc.of(factory)
    name = title or factory.__name__
    return f"{'#' * level} {name}\n\n{doc.text}\n\n{options_table(factory, page)}"


# Pages ----------------------------------------------------------------------------------------------------------------


def prose(text: str) -> str:
    """Paragraphs of any width, and headings, wrapped."""
    parts = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(part if part.startswith("#") else fill(" ".join(part.split()), 118) for part in parts) + "\n"


def recipe_page() -> str:
    limits = f"{yamltree.MAX_BYTES // 1024} KiB, {yamltree.MAX_NODES:,} values and {yamltree.MAX_DEPTH} levels"
    parts = [
        f"# Recipes\n\n{NOTE}",
        prose("""
            A recipe is one YAML file: the data, the method and all its parts, the run. It is checked in full before
            anything is built, and every problem is told at once with file, line and column. `inpaintkit check RECIPE`
            does only that, and tries one step of every stage without data.

            A component is written as its name (`l1`), or as a mapping with `use:` and its options
            (`{use: l1, region: hole}`). The options are those of its constructor: see [components](components.md) or
            `inpaintkit show NAME`. Numbers, strings and booleans are never converted into one another; an integer may
            stand for a number.

            ## The file
        """),
        f"{rest(yamltree)}\n",
        f"A file may have {limits}.\n",
        prose("""
            ## extends, profiles and --set

            `extends:` names another file, relative to this one, or a bundled recipe. `profiles:` holds named parts of a
            recipe; `--profile NAME` merges one into it. `--set key=value` changes one value, and may be repeated.

            The base comes first, then this file, each merged with its own part of the profile; then `--set`.
            So a file's own values override its base's profile: an ablation stays one in every profile of its base.
            How two trees are merged:
        """),
        f"{rest(merging.merge)}\n",
        prose("""
            In `--set` an item of a list is named by its `name` or its index: `--set method.stages.fine.steps=10`. The
            value is read as YAML.
        """),
        section(RecipeKeys, "recipe", "Keys"),
        section(DataOptions, "recipe"),
        section(PackageFiles, "recipe"),
        section(Prepare, "recipe"),
        f"## AugmentationStep\n\n{Doc.of(AugmentationStep).text}\n",
        prose("""
            All augmentations of `kornia.augmentation` for single pictures can be used, and those of plugins. Options
            are checked against their signatures. They run on the device, in [0, 1], and are a pure function of
            (seed, step).
        """),
        section(ValidateOptions, "recipe"),
        section(RunOptions, "recipe"),
        "## Parts of the method `adversarial`\n\n"
        "The method itself is among the [components](components.md#methods); these are the values of its options.\n",
        *(section(part, "recipe", level=3) for part in (Stage, Rate, Ramp, Balance, Adam, Critic, Smooth)),
        "## Bundled recipes\n\n" + bundled_recipes(),
    ]
    return "\n".join(parts)


def rest(function: Any) -> str:
    """A docstring without its first paragraph."""
    return Doc.of(function).text.partition("\n\n")[2]


def bundled_recipes() -> str:
    rows = [["name", "paper", "profiles"]]
    for name, path in bundled("recipe", ours()).items():
        loaded = recipe.load_recipe(path, plugins=ours())
        rows.append([f"`{name}`", loaded.paper, ", ".join(f"`{profile}`" for profile in loaded.profiles)])
    return table(rows)


def ours() -> Plugins:
    """The core and the plugins of this repository, whatever else is installed."""
    names = {folder.name for folder in (DOCS.parent / "plugins").iterdir()}
    return load_plugins(entry for entry in entry_points(group=GROUP) if entry.name in names)


def hooks_page() -> str:
    parts = [
        f"# Hooks\n\n{NOTE}",
        f"{Doc.of(hookspecs).text}\n",
        f"The contract's version is {API_VERSION}: a plugin that is written for another is reported and not used.\n"
        "[How to write a plugin](../howto/write-a-plugin.md) shows a complete one.\n",
        "## The hooks\n",
    ]
    for hook in HOOKS:
        function = getattr(hookspecs, hook)
        parts.append(f"### {hook}({', '.join(inspect.signature(function).parameters)})\n\n{Doc.of(function).text}\n")
    parts.append("## Interfaces\n\nWhat the factories make.\n\n" + Doc.of(types).text + "\n")
    for kind, interface in INTERFACES.items():
        parts.append(f"### {interface.__name__}\n\n`from inpaintkit import {interface.__name__}` ({kind})\n")
        parts.append(f"{Doc.of(interface).text}\n")
        parts.append(members(interface))
    for extra in (types.Sample, types.AdversarialInputs, types.FeatureDiscriminator, types.Batch):
        parts.append(f"### {extra.__name__}\n\n`from inpaintkit import {extra.__name__}`\n\n{Doc.of(extra).text}\n")
        parts.append(members(extra))
    return "\n".join(part for part in parts if part)


def members(owner: type) -> str:
    """Public methods and properties that the class itself defines, with the first paragraph of their docstrings."""
    rows = []
    for name, value in vars(owner).items():
        if name.startswith("_") and name != "__call__":
            continue
        found = value.fget if isinstance(value, property) else value
        found = getattr(found, "__func__", found)
        if not inspect.isfunction(found):
            continue
        call = "" if isinstance(value, property) else arguments(found)
        rows.append([f"`{name}{call}`", first_paragraph(found)])
    return table([["member", "what it is"], *rows]) if rows else ""


def arguments(function: Any) -> str:
    """``(count, size, rng)``: names and whether they are optional, without types."""
    shown, keyword = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword:
            shown.append("*")
            keyword = True
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        shown.append(parameter.name + default)
    return f"({', '.join(shown)})"


def components_page() -> str:
    parts = [
        f"# Components\n\n{NOTE}",
        prose("""
            What recipes can name, by kind: those of the core and of the plugins in this repository. `inpaintkit list`
            lists those of your environment, `inpaintkit show NAME` prints the same as here.
        """),
    ]
    registry = ours().registry
    for kind in KINDS:
        title = plural(kind)
        parts.append(f"## {title[0].upper()}{title[1:]}\n")
        for name in registry.names(kind):
            entry = registry.get(kind, name)
            if entry.target.startswith("kornia."):
                continue  # one sentence about all of them, below
            factory = entry.load()
            origin = "the core" if entry.plugin == "inpaintkit" else f"plugin `{entry.plugin}`"
            doc = Doc.of(factory)
            parts.append(f"### {name}\n\n`{entry.target}`, of {origin}\n\n{doc.text}\n")
            parts.append(options_table(factory, "components"))
            if doc.raises:
                parts.append("\n".join(f"Raises `{error}`: {text}" for error, text in doc.raises.items()) + "\n")
            parts.append(functions_of(factory))
        if kind == "augmentation":
            names = ", ".join(f"`{name}`" for name in KORNIA)
            parts.append(prose(f"The classes of `kornia.augmentation`, with kornia's own options: {names}."))
    return "\n".join(part for part in parts if part)


def functions_of(factory: Any) -> str:
    """The plain functions of the same module to which a component's docstring refers."""
    module = sys.modules[factory.__module__]
    parts = []
    for name in dict.fromkeys(re.findall(r":func:`(\w+)`", inspect.getdoc(factory) or "")):
        function = getattr(module, name, None)
        if inspect.isfunction(function):
            doc = Doc.of(function)
            parts.append(f"As a plain function, `{module.__name__}.{name}{arguments(function)}`: {doc.text}\n")
    return "\n".join(parts)


def cli_page() -> str:
    parts = [f"# Command line\n\n{NOTE}", f"{words(main.help)}\n"]
    parts.append("A mistake in a recipe, a file or an option is told without a traceback and ends with exit code 2.\n")
    parts.append(params_table(main))
    context = click.Context(main)
    registry = ours().registry
    for name in registry.names("command"):
        command = main.get_command(context, name)
        assert command is not None
        command = command.load() if isinstance(command, PluginCommand) else command
        usage = " ".join(["inpaintkit", name, "[OPTIONS]", *map(argument, of(command, click.Argument))])
        plugin = registry.get("command", name).plugin
        origin = "" if plugin == "inpaintkit" else f"Of the plugin `{plugin}`: `pip install inpaintkit-{plugin}`.\n\n"
        parts.append(f"## inpaintkit {name}\n\n```text\n{usage}\n```\n\n{origin}{words(command.help)}\n")
        parts.append(params_table(command))
    return "\n".join(part for part in parts if part)


def words(text: str | None) -> str:
    return inspect.cleandoc((text or "").replace("\b", "```text")) + ("\n```" if "\b" in (text or "") else "")


def of(command: click.Command, kind: type) -> list[Any]:
    return [parameter for parameter in command.params if isinstance(parameter, kind)]


def argument(parameter: click.Argument) -> str:
    name = str(parameter.name).upper()
    name = f"{name}..." if parameter.nargs == -1 else name
    return name if parameter.required else f"[{name}]"


def params_table(command: click.Command) -> str:
    rows = [["option", "what it does"]]
    for option in of(command, click.Option):
        value = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}".replace(" RANGE", "")
        told = option.help or ""
        if isinstance(option.type, click.IntRange) and option.type.min is not None:
            told += f" At least {option.type.min}."
        if option.show_default:
            told += f" Default: `{option.default}`."
        if option.required:
            told += " Required."
        rows.append([f"`{', '.join(option.opts)}{value}`", told.strip()])
    return table(rows) if len(rows) > 1 else ""


def protocol_page() -> str:
    parts = [
        f"# Protocols\n\n{NOTE}",
        prose("""
            A protocol is a YAML file of its own, checked as strictly as a recipe; `extends:` works in it too. Recipes
            name protocols under `evaluate:`, and `inpaintkit evaluate RUN --protocol NAME` takes others.
        """),
        section(Protocol, "protocol", "Keys"),
        section(Transform, "protocol"),
        "## Bundled protocols\n",
    ]
    rows = [["name", "what it fixes", "masks", "size"]]
    for name, path in bundled("protocol", ours()).items():
        fixed = load_protocol(path, ours())
        given = ", ".join(f"{key} {written(value)}" for key, value in fixed.masks.options.items())
        size: object = fixed.size or fixed.prepare.tiles or fixed.prepare.crop
        if fixed.prepare.rectangle:
            size = "{} x {}".format(*fixed.prepare.rectangle)
        masks = f"`{fixed.masks.name}`" + (f", {given}" if given else "")
        rows.append([f"`{name}`", fixed.description, masks, str(size or "")])
    return "\n".join([*parts, table(rows)])


def python_page() -> str:
    parts = [
        f"# Python\n\n{NOTE}",
        prose("""
            `import inpaintkit` is quick: the names below are imported when they are first used. Everything has type
            annotations, and what a user can mend is raised as an `InpaintkitError`.

            ## Functions
        """),
    ]
    for function, module in FUNCTIONS.items():
        found = getattr(import_module(module), function)
        doc = Doc.of(found)
        package = module.partition(".")[0].replace("_", "-")
        origin = "" if package == "inpaintkit" else f" (`pip install {package}`)"
        head = f"### {function}{arguments(found)}\n\n`from {module} import {function}`{origin}"
        parts.append(f"{head}\n\n{doc.text}\n")
        if doc.names:
            rows = [[f"`{name}`", told] for name, told in doc.names.items()]
            parts.append(table([["argument", "what it is"], *rows]))
        if doc.returns:
            parts.append(f"Returns: {doc.returns}\n")
        if doc.raises:
            rows = [[f"`{name}`", told] for name, told in doc.raises.items()]
            parts.append(table([["raises", "when"], *rows]))
    parts.append("## Errors\n\nAll of them are `InpaintkitError`s.\n")
    errors = [getattr(inpaintkit, name) for name in inpaintkit.__all__ if name.endswith(("Error", "Errors"))]
    rows = [[f"`{error.__name__}`", first_paragraph(error)] for error in errors]
    parts.append(table([["error", "what it is"], *rows]))
    parts.append(
        prose("""
            ## Classes

            `Batch`, `Sample`, `AdversarialInputs` and the interfaces are on the page of the
            [hooks](hooks.md#interfaces); `Stage`, `Rate`, `Ramp`, `Balance`, `Adam` and `Critic` among the parts of a
            [recipe](recipe.md#parts-of-the-method-adversarial); `Adversarial`, the losses and the mask samplers, with
            their plain functions, among the [components](components.md).
        """)
    )
    return "\n".join(parts)


def architecture_page() -> str:
    """docs/architecture.md with the layers that tests/test_layers.py holds; the rest of it is written by hand."""
    tree = ast.parse((DOCS.parent / "tests" / "test_layers.py").read_text(encoding="utf-8"))
    (layers,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "LAYERS"
    )
    lines = [fill(", ".join(sorted(layer)), 118, subsequent_indent="  ") for layer in layers]
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    return re.sub(r"(?<=```text layers\n).*?(?=```)", "\n".join(lines) + "\n", text, count=1, flags=re.DOTALL)


def pages() -> dict[str, str]:
    """Every page that is made here, by its path below docs/."""
    made = {
        "reference/recipe.md": recipe_page(),
        "reference/hooks.md": hooks_page(),
        "reference/components.md": components_page(),
        "reference/cli.md": cli_page(),
        "reference/protocol.md": protocol_page(),
        "reference/python.md": python_page(),
    }
    made = {name: re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n" for name, text in made.items()}
    return {**made, "architecture.md": architecture_page()}


def stale() -> list[str]:
    """The pages that are not what the code says now."""
    return [
        name
        for name, text in pages().items()
        if not (DOCS / name).is_file() or (DOCS / name).read_text(encoding="utf-8") != text
    ]


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(f"stale: {', '.join(old)}; run make docs" if (old := stale()) else 0)
    (DOCS / "reference").mkdir(exist_ok=True)
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
        print(DOCS / name)
