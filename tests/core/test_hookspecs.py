"""A plugin that uses every hook, built as it is installed; and commands that clash or break."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from inpaintkit import hookimpl
from inpaintkit.cli import main
from inpaintkit.core import hookspecs
from inpaintkit.core.hookspecs import HOOKS, KINDS
from inpaintkit.core.plugins import Plugins, installed
from inpaintkit.evaluation.protocol import load_protocol
from inpaintkit.pipeline import check
from inpaintkit.recipe import load_recipe

Write = Callable[..., Path]

COMPONENTS = """
import torch
from inpaintkit import Augmentation, Discriminator, Generator, Loss, MaskSampler, Method, Metric, Objective, Observer
class A(Augmentation): pass
class D(Discriminator): pass
class G(Generator): pass
class L(Loss): pass
class M(MaskSampler): pass
class T(Method): pass
class E(Metric): pass
class O(Objective): pass
class W(Observer): pass
"""
INIT = """
import sys
from pathlib import Path
from inpaintkit import hookimpl
assert "torch" not in sys.modules or "pytest" in sys.modules
inpaintkit_api = 1
def hook(name, target):
    def register_it(register):
        register("Shift" if name == "register_augmentations" else "demo", "inpaintkit_demo.components:" + target)
    register_it.__name__ = name
    return hookimpl(register_it)
register_generators = hook("register_generators", "G")
register_discriminators = hook("register_discriminators", "D")
register_losses = hook("register_losses", "L")
register_objectives = hook("register_objectives", "O")
register_mask_samplers = hook("register_mask_samplers", "M")
register_metrics = hook("register_metrics", "E")
register_methods = hook("register_methods", "T")
register_augmentations = hook("register_augmentations", "A")
register_observers = hook("register_observers", "W")
@hookimpl
def register_recipes(register):
    register(Path(__file__).with_name("recipes"))
@hookimpl
def register_commands(register):
    register("greet", "inpaintkit_demo.commands:greet", "Greets somebody.")
    register("run", "inpaintkit_demo.commands:greet", "Passes for run.")
    register("broken", "inpaintkit_demo.broken:command", "Cannot be imported.")
    register("missing", "inpaintkit_demo.commands:absent")
    register("function", "inpaintkit_demo.commands:function")
"""
COMMANDS = """
import click
import torch
from inpaintkit import DataError
@click.command()
@click.argument("name")
@click.option("--fail", is_flag=True, help="Ends with an error.")
def greet(name, fail):
    \"\"\"Greets NAME.\"\"\"
    if fail:
        raise DataError(f"{name} does not answer")
    click.echo(f"hello {name}")
def function():
    pass
"""
PROTOCOL = """
masks: {use: center-square, side: 6}
size: 16
metrics: [l1]
"""


def install(site: Path, name: str, module: str, files: dict[str, str]) -> None:
    """A package as pip leaves it: its folder, and the entry point in its metadata."""
    for file, text in files.items():
        (site / module / file).parent.mkdir(parents=True, exist_ok=True)
        (site / module / file).write_text(text)
    info = site / f"{module}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(f"[inpaintkit]\n{name} = {module}\n")


@pytest.fixture
def site(tmp_path: Path, write_recipe: Write, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path in which the plugin ``demo`` is installed."""
    folder = tmp_path / "site"
    recipe = yaml.safe_load(write_recipe({"evaluate": ["demo/center"]}).read_text())
    recipe["data"]["test"] = recipe["data"]["train"]
    files = {
        "__init__.py": INIT,
        "components.py": COMPONENTS,
        "commands.py": COMMANDS,
        "broken.py": "import inpaintkit_nowhere",
        "recipes/small.yaml": yaml.safe_dump(recipe),
        "recipes/variants/longer.yaml": "extends: demo/small\nmethod: {stages: {only: {steps: 9}}}\n",
        "recipes/variants/beside.yaml": "extends: longer.yaml\nseed: 4\n",
        "recipes/protocols/center.yaml": PROTOCOL,
        "recipes/protocols/corner.yaml": "extends: demo/center\nmasks: {side: 4}\n",
    }
    install(folder, "demo", "inpaintkit_demo", files)
    monkeypatch.syspath_prepend(folder)
    installed.cache_clear()
    yield folder
    installed.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "inpaintkit_demo"]:
        del sys.modules[name]


def call(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="inpaintkit")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_every_hook_says_when_what_and_how() -> None:
    for hook in HOOKS:
        text = getattr(hookspecs, hook).__doc__
        assert re.search(r"\sExample: ``register\(.+\)``\.\n", text), hook


def test_all_that_a_plugin_brings_is_reported(site: Path) -> None:
    [report] = [report for report in installed().reports if report.name == "demo"]
    assert (report.error, report.version) == ("", "1.5")
    components = [f"{kind} {'Shift' if kind == 'augmentation' else 'demo'}" for kind in KINDS]
    recipes = ["recipe demo/small", "recipe demo/variants/beside", "recipe demo/variants/longer"]
    protocols = ["protocol demo/center", "protocol demo/corner"]
    commands = [f"command {name}" for name in ("greet", "run", "broken", "missing", "function")]
    assert [*components, *commands] == [line for line in report.provides if "/" not in line]
    assert sorted([*recipes, *protocols]) == sorted(line for line in report.provides if "/" in line)
    [warning] = report.warnings
    assert "command 'run' is claimed by 'inpaintkit' (" in warning
    assert "the bare name stays with 'inpaintkit', write 'demo:run' for the other" in warning
    for entry in installed().registry.entries():
        if entry.plugin == "demo" and entry.kind in KINDS:
            assert entry.load().__module__ == "inpaintkit_demo.components"


def test_only_augmentations_are_in_camel_case() -> None:
    @hookimpl
    def register_losses(register: Any) -> None:
        register("Shift", "a:B")

    plugin = type("Plugin", (), {"inpaintkit_api": 1, "register_losses": staticmethod(register_losses)})()
    assert "'Shift' is no name for a loss" in Plugins().add("camel", plugin).error


# -- recipes ----------------------------------------------------------------------------------------------------------


def test_recipes_of_a_plugin_are_used_like_bundled_ones(site: Path, tmp_path: Path) -> None:
    small = load_recipe("demo/small")
    assert small.name == "small"
    assert load_recipe("demo/variants/longer").tree["method"]["stages"][0]["steps"] == 9
    beside = load_recipe("demo/variants/beside")
    assert (beside.seed, beside.tree["method"]["stages"][0]["steps"]) == (4, 9)
    own = tmp_path / "own.yaml"
    own.write_text("extends: demo/variants/longer\nevaluate: [demo/corner, demo]\n")
    assert [protocol.name for protocol in check(load_recipe(own))] == ["corner", "demo"]
    assert load_protocol("demo/center").masks.options == {"side": 6}
    assert load_protocol("demo/corner").masks.options == {"side": 4}


def test_recipes_of_a_plugin_from_the_command_line(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "  demo/small" in call("list", "recipes").stdout
    rows = dict(line.split()[:2] for line in call("list", "protocols").stdout.splitlines()[1:])
    assert rows["demo/center"] == "demo"
    assert rows["faces_center_64"] == "inpaintkit"
    assert "6 steps" in call("check", "demo/small").stdout
    told = call("run", "demo/small", "--quiet")
    assert told.exit_code == 0, told.output
    assert (tmp_path / "runs" / "small" / "results" / "center" / "results.json").is_file()
    told = call("check", "demo/smal")
    assert told.exit_code == 2
    assert "there is no file 'demo/smal', did you mean 'demo/small'?" in told.stderr


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        ('Path(__file__).with_name("nowhere")', "is not the absolute path of a folder"),
        ('Path("recipes")', "'recipes' is not the absolute path of a folder"),
        ('"inpaintkit_demo.recipes"', "'inpaintkit_demo.recipes' is not the absolute path of a folder"),
    ],
)
def test_folders_that_are_none(site: Path, folder: str, says: str) -> None:
    file = site / "inpaintkit_demo" / "__init__.py"
    file.write_text(INIT.replace('Path(__file__).with_name("recipes")', folder))
    [report] = [report for report in installed().reports if report.name == "demo"]
    assert says in report.error
    assert not report.provides
    told = call("check", "demo/small")
    assert "there is no file 'demo/small'; plugin 'demo' is not available (register_recipes: " in told.stderr


def test_a_name_that_inpaintkit_has_stays_there(tmp_path: Path) -> None:
    """The recipes of inpaintkit are in folders, one of which may be named like a plugin."""
    (tmp_path / "telea.yaml").write_text("method: mean-color\n")

    @hookimpl
    def register_recipes(register: Any) -> None:
        register(tmp_path)

    plugin = type("Plugin", (), {"inpaintkit_api": 1, "register_recipes": staticmethod(register_recipes)})()
    plugins = Plugins()
    ours = plugins.registry.get("recipe", "classical/telea").target
    [warning] = plugins.add("classical", plugin).warnings
    assert "recipe 'classical/telea' is claimed by 'inpaintkit' (" in warning
    assert plugins.registry.get("recipe", "classical/telea").target == ours
    assert load_recipe("classical:classical/telea", plugins=plugins).method.name == "mean-color"


# -- commands ---------------------------------------------------------------------------------------------------------


def test_commands_of_a_plugin(site: Path) -> None:
    told = call("--help")
    assert told.exit_code == 0
    assert "  greet     Greets somebody." in told.stdout
    assert "  demo:run  Passes for run." in told.stdout
    assert "inpaintkit_demo.commands" not in sys.modules
    assert call("greet", "--help").stdout.startswith("Usage: inpaintkit greet [OPTIONS] NAME\n\n  Greets NAME.")
    assert call("greet", "you").stdout == "hello you\n"
    assert call("demo:run", "you").stdout == "hello you\n"
    assert call("run", "--help").stdout.startswith("Usage: inpaintkit run [OPTIONS] RECIPE\n")
    told = call("greet", "you", "--fail")
    assert (told.exit_code, told.stderr) == (2, "error: you does not answer\n")
    assert call("greet").exit_code == 2


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("broken", "cannot be imported from inpaintkit_demo.broken:command: ModuleNotFoundError: No module named"),
        ("missing", "cannot be imported from inpaintkit_demo.commands:absent: AttributeError: "),
        ("function", "(inpaintkit_demo.commands:function) is no click.Command: decorate the function"),
        ("grete", "unknown command 'grete', did you mean 'greet'?"),
    ],
)
def test_commands_that_cannot_be_called(site: Path, name: str, says: str) -> None:
    for arguments in ((name,), (name, "--help")):
        told = call(*arguments)
        assert told.exit_code == 2
        assert told.stderr.startswith("error: ")
        assert says in told.stderr
    assert call("--help").exit_code == 0


def test_two_plugins_claim_a_command(site: Path) -> None:
    install(site, "rival", "inpaintkit_rival", {
        "__init__.py": "from inpaintkit import hookimpl\ninpaintkit_api = 1\n@hookimpl\n"
        "def register_commands(register):\n    register('greet', 'inpaintkit_demo.commands:greet')\n"
    })  # fmt: skip
    assert "command 'greet' is claimed by 'demo' (" in call("plugins").stdout
    told = call("greet", "you")
    assert told.exit_code == 2
    assert "write 'demo:greet' or 'rival:greet' to pick one" in told.stderr
    assert call("rival:greet", "you").stdout == "hello you\n"
    assert call("--help").exit_code == 0


def test_listing_commands_imports_no_torch(site: Path) -> None:
    paths = os.pathsep.join([str(site), *sys.path])
    code = "import sys; from inpaintkit.cli import main\nmain(['--help'], standalone_mode=False)\n"
    check = f"{code}assert 'torch' not in sys.modules"
    environment = {**os.environ, "PYTHONPATH": paths}
    told = subprocess.run([sys.executable, "-c", check], env=environment, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    assert "Greets somebody." in told.stdout
