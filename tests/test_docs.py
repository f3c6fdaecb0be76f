"""The documentation says what is so: references are up to date, and what stands in code blocks works as written."""

from __future__ import annotations

import doctest
import importlib.util
import inspect
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import click
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from inpaintkit import load_recipe, train
from inpaintkit.cli import PluginCommand, main
from inpaintkit.components.torch_metric import as_metric
from inpaintkit.core import hookspecs
from inpaintkit.core.errors import RecipeError
from inpaintkit.core.hookspecs import HOOKS
from inpaintkit.core.plugins import GROUP, installed
from inpaintkit.evaluation.protocol import load_protocol
from inpaintkit.pipeline import begin, check as check_steps

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("plugins/*/*.md")], key=lambda page: page.relative_to(ROOT)
)
WRITTEN = [page for page in PAGES if page.parent.name != "reference"]  # by hand, with blocks that can be tried


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def loaded(path: Path) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # attrs looks it up
    spec.loader.exec_module(module)
    return module


@attrs.frozen
class Block:
    """A fenced block of code."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str:
        """The path that its first line names in a comment, as in ``# photos.yaml``."""
        found = re.match(r"# ([\w./-]+\.\w+)\b", self.text)
        return found[1] if found else ""


def read(file: str) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture)


def blocks(page: Path, *languages: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    every = [Block(one[1], one[2], text[: one.start()].count("\n") + 2) for one in found]
    return [block for block in every if block.language in languages]


def with_blocks(*languages: str) -> list[Any]:
    return [pytest.param(page, id=name_of(page)) for page in WRITTEN if blocks(page, *languages)]


# The references -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    return loaded(DOCS / "make_reference.py")


def test_the_references_are_what_the_code_says(reference: ModuleType) -> None:
    assert reference.stale() == [], "run make docs"


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_stands_with_its_arguments(hook: str) -> None:
    arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
    text = (DOCS / "reference" / "hooks.md").read_text(encoding="utf-8")
    assert f"### {hook}({arguments})\n" in text


def test_every_hook_specification_is_known() -> None:
    declared = [name for name, value in vars(hookspecs).items() if getattr(value, "inpaintkit_spec", None)]
    assert sorted(declared) == sorted(HOOKS)


def test_the_references_know_no_machine() -> None:
    for page in PAGES:
        found = re.findall(r"(?:/(?:home|root|work|tmp|Users|usr)/|[A-Z]:\\)\S*", page.read_text(encoding="utf-8"))
        assert not found, f"{name_of(page)}: {found}"


# Links ----------------------------------------------------------------------------------------------------------------


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


# A workshop with small things in place of those that the pages speak of -----------------------------------------------

RUNS = ("runs/iccv_perceptual-demo", "runs/object-removal")
SMALL = [
    "data.train.files=[data/chelsea.png]",
    "data.prepare.short_side=64",
    "data.batch=2",
    "method.generator.width=4",
    "method.critics.image.net.width=2",
    "method.stages.coarse.steps=1",
    "method.stages.warm=null",
    "method.stages.fine=null",
    "validate.images=1",
]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a run of one step, photographs and a mask."""
    folder = tmp_path_factory.mktemp("workshop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INPAINTKIT_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        recipe = load_recipe("iccv_perceptual", "demo", SMALL)
        for run in RUNS:
            train(recipe, begin(recipe, Path(run), Path("runs"), resume=False), show=False)
        for place in ("train", "test"):
            (folder / "photos" / place).mkdir(parents=True)
            Image.new("RGB", (64, 64), "gray").save(folder / "photos" / place / "one.png")
        yield folder


@pytest.fixture
def in_workshop(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(workshop)
    Image.new("RGB", (40, 30), (200, 90, 30)).save("photo.png")
    mask = Image.new("L", (40, 30))
    mask.paste(255, (10, 10, 20, 20))
    mask.save("mask.png")
    return workshop


#: What a page's Python finds in place: names, and numbers that are too large for a test.
GIVEN: dict[str, dict[str, Any]] = {
    "README.md": {
        "batches": iter([torch.zeros(2, 3, 64, 64)] * 2),
        "photo": np.zeros((16, 16, 3), np.uint8),
        "hole": np.eye(16) > 0,
    }
}
LESS: dict[str, tuple[str, str]] = {"README.md": ('Stage("all", 1000,', 'Stage("all", 2,')}


@pytest.mark.parametrize("page", with_blocks("python"))
def test_python_runs_as_written(page: Path, in_workshop: Path) -> None:
    found = blocks(page, "python")
    plugin = any(block.file.endswith("__init__.py") for block in found) and page.name != "README.md"
    space = {"__name__": "docs", **GIVEN.get(name_of(page), {})}
    if (less := LESS.get(name_of(page))) is not None:
        assert any(less[0] in block.text for block in found)
    for block in found:
        if plugin and block.file:
            continue  # a file of the plugin, tested as such below
        text = block.text.replace(*less) if less else block.text
        exec(compile("\n" * (block.line - 1) + text, str(page), "exec"), space)
    if page.name == "README.md" and page.parent == ROOT:
        assert space["picture"].shape == (16, 16, 3)
    if page.name == "tutorial.md":
        assert read("filled.png").shape == (30, 40, 3)


def is_part(tree: dict[str, Any]) -> bool:
    return not {"method", "extends", "metrics"} & set(tree)


@pytest.mark.parametrize("page", with_blocks("yaml"))
def test_yaml_is_valid_as_written(
    page: Path, workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ellipses: Path
) -> None:
    """Recipes and protocols are loaded; what is a part of a recipe is laid over one."""
    monkeypatch.chdir(tmp_path)
    files = {}
    for number, block in enumerate(blocks(page, "yaml")):
        file = tmp_path / (block.file or f"part{number}.yaml")
        file.parent.mkdir(exist_ok=True, parents=True)
        tree = yaml.safe_load(block.text)
        file.write_text(("extends: iccv_perceptual\n" if is_part(tree) else "") + block.text, encoding="utf-8")
        files[file] = tree
    for file, tree in files.items():
        if file.stem == "wrong":
            with pytest.raises(RecipeError) as caught:
                load_recipe("wrong.yaml")
            problems = caught.value.problems
            told = f"{caught.value}\n{len(problems)} problems\n"
            assert told in [block.text for block in blocks(page, "text")], told
        elif "metrics" in tree:
            load_protocol(file)
        else:
            load_recipe(file)


# The plugin of write-a-plugin.md --------------------------------------------------------------------------------------

PLUGIN = DOCS / "howto" / "write-a-plugin.md"


@pytest.fixture
def ellipses(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The plugin that the page makes, as if it were installed."""
    folder = tmp_path_factory.mktemp("ellipses")
    for block in blocks(PLUGIN, "python", "toml", "yaml"):
        if block.file:
            (folder / block.file).parent.mkdir(exist_ok=True, parents=True)
            (folder / block.file).write_text(block.text, encoding="utf-8")
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    info = folder / "inpaintkit_ellipses-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['project']['name']}\nVersion: 0.1.0\n")
    points = project["project"]["entry-points"][GROUP]
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()))
    monkeypatch.syspath_prepend(folder)
    installed.cache_clear()
    yield folder
    installed.cache_clear()
    for module in [name for name in sys.modules if name.partition(".")[0] == "inpaintkit_ellipses"]:
        del sys.modules[module]


def test_the_plugin_of_the_page_conforms(ellipses: Path, tmp_path: Path) -> None:
    [report] = [report for report in installed().reports if report.name == "ellipses"]
    assert (report.error, report.warnings) == ("", [])
    components = ["generator small-fcn", "loss mean-color", "mask sampler ellipse", "augmentation fog", "observer best"]
    others = ["recipe ellipses/photos", "protocol ellipses/ellipse_64", "command draw-ellipses"]
    assert report.provides == [*components, *others]
    test = runpy.run_path(str(ellipses / "tests" / "test_conformance.py"))["test_conformance"]
    [marked] = [mark for mark in test.pytestmark if mark.name == "parametrize"]
    passed = 0
    for number, case in enumerate(marked.args[1]):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            test(*case.values, folder)
            passed += 1
        except pytest.skip.Exception:
            continue
    assert passed > 20


def test_the_recipe_of_the_page_trains(ellipses: Path) -> None:
    loaded = load_recipe("ellipses/photos")
    check_steps(loaded)
    assert loaded.method_on_meta.steps == 2000


def test_the_command_and_the_observer_of_the_page(ellipses: Path, tmp_path: Path) -> None:
    main(["draw-ellipses", "-o", str(tmp_path / "masks.png"), "--size", "32"], standalone_mode=False)
    assert read(str(tmp_path / "masks.png")).shape == (32, 256)
    observer = installed().registry.get("observer", "best").load()()
    observer.started(tmp_path, {})
    for step, value in ((5, 20.0), (10, 19.0)):
        observer.logged(step, {"validation/psnr[rgb]": value}, {})
    assert (tmp_path / "best.txt").read_text() == "20.00 at step 5\n"


def test_the_plugin_of_the_readme() -> None:
    found = blocks(ROOT / "README.md", "toml", "python")
    [project] = [block for block in found if block.language == "toml"]
    [(name, module)] = tomllib.loads(project.text)["project"]["entry-points"][GROUP].items()
    [code] = [block for block in found if block.file == f"{module}/__init__.py"]
    made = ModuleType(module)
    exec(code.text, vars(made))
    plugins = type(installed())()
    report = plugins.add(name, made)
    assert (report.error, report.warnings, report.provides) == ("", [], ["loss mean-color"])


# Commands -------------------------------------------------------------------------------------------------------------

#: Programs of others, in whose options we have no say.
FOREIGN = ("git", "cd", "source", "pip", "pytest")


def commands(page: Path) -> list[list[str]]:
    """The commands of a page's shell blocks, and what its text has between backquotes."""
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
            understood(arguments[at + 2 :])
        elif program == "inpaintkit":
            understood(arguments)
        else:
            assert program in FOREIGN, program


def understood(arguments: list[str]) -> None:
    """The command exists and takes these options and arguments; a recipe that it names holds with all that is set."""
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
    spoken = {name: value for name, value in values.items() if isinstance(value, str | tuple | list) and value}
    assert not given, f"{arguments}: too many arguments"
    placeholders = not rest  # `inpaintkit check` in running text
    assert placeholders or all(one.name in spoken for one in wanted if one.required), f"{arguments}: too few arguments"
    if name in ("run", "check") and spoken:
        said = next(iter(spoken.values()))
        for recipe in [said] if isinstance(said, str) else said:
            if not recipe.isupper():  # RECIPE
                file = ROOT / recipe
                load_recipe(file if file.is_file() else recipe, options.get("profile"), options.get("sets") or ())


# Docstrings -----------------------------------------------------------------------------------------------------------

MODULES = [path for path in sorted((ROOT / "inpaintkit").rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_doctests(path: Path) -> None:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    failed, tried = doctest.testmod(importlib.import_module(name), verbose=False)
    assert failed == 0
    assert tried > 0


# Single claims --------------------------------------------------------------------------------------------------------


def test_the_metrics_of_the_tutorial_are_called_so() -> None:
    text = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*\]`) \|", text, re.MULTILINE)
    told = {label for row in rows for label in re.findall(r"`([^`]+)`", row) if "..." not in label}
    assert told <= {as_metric(spec.build()).label for spec in load_protocol("demo").metrics}
    assert len(told) >= 5


def test_every_ablation_is_on_the_page_of_the_paper() -> None:
    text = (DOCS / "papers" / "perceptual-fcn.md").read_text(encoding="utf-8")
    for file in (ROOT / "recipes" / "perceptual_ablations").glob("*.yaml"):
        known = file.name if not file.stem.startswith("layer") else "`layer1.yaml` to `layer5.yaml`"
        assert known in text, file.name


def test_the_object_is_removed_and_nothing_else(in_workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = loaded(DOCS / "howto" / "object_removal.py")
    script.main("runs/object-removal", "object-removal")
    before, mask, after = (read(f"object-removal/{name}.png") for name in ("astronaut", "mask", "filled"))
    changed = before != after  # (H, W, 3)
    assert changed[mask > 0].mean() > 0.5
    rows, columns = np.nonzero(mask)
    top, left, bottom, right = rows.min(), columns.min(), rows.max(), columns.max()
    assert not changed[: top - script.GROW].any()
    assert not changed[:, : left - script.GROW].any()
    assert not changed[bottom + script.GROW + 1 :].any()
    assert not changed[:, right + script.GROW + 1 :].any()
    left, top, right, bottom = script.SHOWN
    assert read("object-removal/object-removal.png").shape == (2 * (bottom - top), 6 * (right - left) + 16, 3)
