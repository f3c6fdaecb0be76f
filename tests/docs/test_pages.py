"""The pages are up to date: references, links, commands, docstrings and names."""

from __future__ import annotations

import doctest
import importlib.util
import inspect
import re
import shlex
from pathlib import Path
from types import ModuleType

import click
import pytest

from inpaintkit import load_recipe
from inpaintkit.cli import PluginCommand, main
from inpaintkit.components.torch_metric import as_metric
from inpaintkit.core import hookspecs
from inpaintkit.core.hookspecs import HOOKS
from inpaintkit.evaluation.protocol import load_protocol

from .pages import DOCS, PAGES, ROOT, blocks, loaded, name_of


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    return loaded(DOCS / "make_reference.py")


def test_the_references_are_up_to_date(reference: ModuleType) -> None:
    assert reference.stale() == [], "run make docs"


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_listed_with_its_arguments(hook: str) -> None:
    arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
    text = (DOCS / "reference" / "hooks.md").read_text(encoding="utf-8")
    assert f"### {hook}({arguments})\n" in text


def test_every_hook_specification_is_known() -> None:
    declared = [name for name, value in vars(hookspecs).items() if getattr(value, "inpaintkit_spec", None)]
    assert sorted(declared) == sorted(HOOKS)


def test_no_page_has_a_path_of_this_machine() -> None:
    for page in PAGES:
        found = re.findall(r"(?:/(?:home|root|work|tmp|Users|usr)/|[A-Z]:\\)\S*", page.read_text(encoding="utf-8"))
        assert not found, f"{name_of(page)}: {found}"


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.append(f"{slug}-{count}" if (count := found.count(slug)) else slug)
    return set(found)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_pictures_exist(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]+`", "code", text)
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.is_relative_to(ROOT) or not file.exists():
            missing.append(target)
        elif anchor and anchor not in anchors(file):
            missing.append(f"{target}: no such heading")
    assert not missing


#: Other programs, whose options are not checked.
FOREIGN = ("git", "cd", "source", ".", "pip", "pytest")


def commands(page: Path) -> list[list[str]]:
    """The commands of a page's shell blocks, and those in its text between backquotes."""
    lines = [line for block in blocks(page, "bash") for line in block.text.replace("\\\n", " ").splitlines()]
    named: dict[str, str] = {}  # as in faces="--profile small", used as $faces
    words = []
    for line in lines:
        if assigned := re.fullmatch(r"""(\w+)=(["']?)(.*?)\2\s*""", line):
            named[assigned[1]] = assigned[3]
            continue
        line = re.sub(r"\$(\w+)", lambda found: named[found[1]], line)
        words += [shlex.split(part, comments=True) for part in line.split("&&")]
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    inline = [shlex.split(code) for code in re.findall(r"`(inpaintkit [^`]+)`", text)]
    return [command for command in [*words, *inline] if command]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist_with_their_options(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ellipses: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "yaml"):
        if block.file:
            Path(block.file).parent.mkdir(exist_ok=True, parents=True)
            Path(block.file).write_text(block.text, encoding="utf-8")
    for program, *arguments in commands(page):
        if program == "make":
            known = re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
            assert set(arguments) <= set(known)
        elif program == "python":
            assert arguments[0] == "-m" or (ROOT / arguments[0]).is_file(), arguments
        elif program == "torchrun":
            at = arguments.index("-m")
            assert arguments[at + 1] == "inpaintkit"
            check_command(arguments[at + 2 :])
        elif program == "inpaintkit":
            check_command(arguments)
        else:
            assert program in FOREIGN, program


def check_command(arguments: list[str]) -> None:
    """The command exists and takes these arguments; a recipe among them is valid with the given options."""
    name, *rest = arguments
    if name.startswith("-"):
        assert name in ("--help", "--version")
        return
    command = main.get_command(click.Context(main), name)
    command = command.load() if isinstance(command, PluginCommand) else command
    assert command is not None
    context = click.Context(command, info_name=name)
    options, given, _ = command.make_parser(context).parse_args(rest)
    wanted = [one for one in command.params if isinstance(one, click.Argument)]
    values = {one.name: options.get(one.name or "") for one in wanted}
    passed = {name: value for name, value in values.items() if isinstance(value, str | tuple | list) and value}
    assert not given, f"{arguments}: too many arguments"
    placeholders = not rest  # `inpaintkit check` in running text
    assert placeholders or all(one.name in passed for one in wanted if one.required), f"{arguments}: too few arguments"
    if name in ("run", "check") and passed:
        first = next(iter(passed.values()))
        for recipe in [first] if isinstance(first, str) else first:
            if not recipe.isupper():  # RECIPE
                file = ROOT / recipe
                load_recipe(file if file.is_file() else recipe, options.get("profile"), options.get("sets") or ())


SOURCES = sorted([*(ROOT / "inpaintkit").rglob("*.py"), *ROOT.glob("plugins/*/inpaintkit_*/**/*.py")])
MODULES = [path for path in SOURCES if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_doctests(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[2:] if parts[0] == "plugins" else parts).removesuffix(".__init__")
    failed, tried = doctest.testmod(importlib.import_module(name), verbose=False)
    assert failed == 0
    assert tried > 0


def test_the_tutorial_names_metrics_by_their_labels() -> None:
    text = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*\]`) \|", text, re.MULTILINE)
    labels = {label for row in rows for label in re.findall(r"`([^`]+)`", row) if "..." not in label}
    assert labels <= {as_metric(spec.build()).label for spec in load_protocol("demo").metrics}
    assert len(labels) >= 5


def test_every_ablation_is_on_the_page_of_the_paper() -> None:
    text = (DOCS / "papers" / "perceptual-fcn.md").read_text(encoding="utf-8")
    for file in (ROOT / "recipes" / "perceptual_ablations").glob("*.yaml"):
        known = file.name if not file.stem.startswith("layer") else "`layer1.yaml` to `layer5.yaml`"
        assert known in text, file.name
