"""The command line: what it prints, how it ends, and that a user's mistake is never a traceback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import inpaintkit
from inpaintkit.cli import PluginCommand, documentation_of, main
from inpaintkit.core.hookspecs import KINDS
from inpaintkit.core.plugins import installed, official

Write = Callable[..., Path]
KINDS_LISTED = [*KINDS, "recipe", "protocol"]
COMMANDS = {"run", "check", "evaluate", "report", "fill", "list", "show", "plugins"}


def call(*arguments: str | Path) -> Result:
    """The command line in this process; an exception that is not an exit is the test's failure."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="inpaintkit")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def process(*arguments: str | Path, code: str = "") -> subprocess.CompletedProcess[str]:
    how = ["-c", code] if code else ["-m", "inpaintkit"]
    return subprocess.run(
        [sys.executable, *how, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


# -- help, version, lists ---------------------------------------------------------------------------------------------


def test_help_names_every_command() -> None:
    told = call("--help")
    assert told.exit_code == 0
    assert set(re.findall(r"^  (\w+) ", told.output, re.MULTILINE)) >= COMMANDS
    assert call("-h").output == told.output
    for name in main.list_commands(click.Context(main)):
        command = main.get_command(click.Context(main), name)
        command = command.load() if isinstance(command, PluginCommand) else command
        assert command is not None
        told = call(name, "--help")
        assert told.exit_code == 0
        assert told.output.startswith(f"Usage: inpaintkit {name} ")
        for option in command.params:
            if option.param_type_name == "option":
                assert option.opts[0] in told.output
                assert getattr(option, "help", "") or option.name == "device"


def test_version() -> None:
    assert call("--version").output == f"inpaintkit, version {inpaintkit.__version__}\n"


def test_list_names_everything_with_its_plugin() -> None:
    told = call("list")
    assert told.exit_code == 0
    assert [line[:-1] for line in told.stdout.splitlines() if not line.startswith(" ")] == KINDS_LISTED
    rows = dict(line.split() for line in told.stdout.splitlines() if line.startswith(" "))
    assert rows["l1"] == rows["random-square"] == rows["psnr"] == rows["adversarial"] == rows["hinge"] == "inpaintkit"
    assert rows["dilated-fcn"] == rows["dcgan"] == "perceptual-fcn"


@pytest.mark.parametrize("kind", KINDS_LISTED)
def test_list_of_one_kind(kind: str) -> None:
    plural = KINDS.get(kind, f"register_{kind}s").removeprefix("register_")
    for spelled in (kind, kind.replace(" ", "-"), plural, plural.replace("_", "-"), kind.upper()):
        told = call("list", spelled)
        assert told.exit_code == 0, spelled
        assert told.stdout.splitlines()[0] == f"{kind}:"
        assert sum(not line.startswith(" ") for line in told.stdout.splitlines()) == 1


def test_lists_of_recipes_and_protocols_say_what_each_is_for() -> None:
    recipes, protocols = call("list", "recipes").stdout, call("list", "protocols").stdout
    assert re.search(r"^  photo +inpaintkit  Fills holes in photographs", recipes, re.MULTILINE)
    assert re.search(r"^  iccv_perceptual +inpaintkit  Liu et al. 2017", recipes, re.MULTILINE)
    assert re.search(r"^  center_64 +inpaintkit  The middle square of any picture", protocols, re.MULTILINE)
    assert re.search(r"^  faces_center_64 +inpaintkit  For aligned faces: ", protocols, re.MULTILINE)


def test_list_of_no_kind() -> None:
    told = call("list", "generater")
    assert told.exit_code == 2
    assert "no kind 'generater', did you mean 'generator'?" in told.stderr


def test_plugins() -> None:
    told = call("plugins")
    assert told.exit_code == 0
    assert re.search(r"^perceptual-fcn \d\S* \(inpaintkit_perceptual_fcn\) 2 entries$", told.stdout, re.MULTILINE)
    assert "  generator dilated-fcn" in told.stdout
    assert "!" not in told.stdout


def test_show() -> None:
    told = call("show", "dilated-fcn")
    assert told.exit_code == 0
    assert told.stdout.startswith("generator dilated-fcn  (inpaintkit_perceptual_fcn.generator:DilatedFCN, plugin ")
    assert re.search(r"^  width: .* = 128$", told.stdout, re.MULTILINE)
    assert "receptive" in told.stdout
    both = call("show", "l1").stdout  # a loss and a metric
    assert "loss l1" in both
    assert "metric l1" in both
    assert call("show", "inpaintkit:l1").stdout == both
    told = call("show", "dilated-fnc")
    assert told.exit_code == 2
    assert told.stderr == "error: nothing is named 'dilated-fnc', did you mean 'dilated-fcn'?\n"
    assert "see inpaintkit list" in call("show", "qqqqq").stderr


# -- mistakes ---------------------------------------------------------------------------------------------------------

TEN = """\
seed: -1
paper: Nobody 2017
data:
  train: pictures
  batch: 0
  size: 16
  valdiation: 0.05
masks: {use: random-sqare, min: 4, max: 8}
method:
  use: adversarial
  generator: {use: dilated-fcn, width: "64"}
  losses:
    reconstruction: {use: l1, region: holes}
  critics:
    image: {net: {use: dcgan, size: 16.0}, objective: hinge}
  stages:
    - {name: coarse, steps: 10, weights: {reconstruction: 1e-1}, generator_evry: 2}
    - {name: fine, steps: ten, weights: {reconstruction: 1}}
run: {precision: float16}
"""
SAID = {  # line:column, path in the recipe, what is near
    "1:7": ("seed", "expected integer >= 0, not -1"),
    "5:10": ("data.batch", "expected integer >= 1, not 0"),
    "7:3": ("data.valdiation", "did you mean 'validation'?"),
    "8:14": ("masks.use", "did you mean 'random-square'?"),
    "11:40": ("method.generator.width", "without the quotes"),
    "13:39": ("method.losses.reconstruction.region", "'hole'"),
    "15:37": ("method.critics.image.net.size", "write 16"),
    "17:66": ("method.stages[0].generator_evry", "did you mean 'generator_every'?"),
    "18:27": ("method.stages[1].steps", "'ten'"),
    "19:18": ("run.precision", "'float32'"),
}


def test_ten_mistakes(tmp_path: Path) -> None:
    recipe = tmp_path / "ten.yaml"
    recipe.write_text(TEN)
    told = process("check", recipe)
    assert told.returncode == 2
    assert told.stdout == ""
    *lines, count = told.stderr.splitlines()
    assert count == "10 problems"
    assert len(lines) == 10
    for line, (place, (path, near)) in zip(lines, SAID.items(), strict=True):
        assert line.startswith(f"{recipe}:{place}: {path}: "), line
        assert near in line, line


def test_run_says_the_same_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ten.yaml").write_text(TEN)
    monkeypatch.chdir(tmp_path)
    told, checked = call("run", "ten.yaml"), call("check", "ten.yaml")
    assert told.exit_code == 2
    assert told.stderr == checked.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["ten.yaml"]


def test_problems_of_several_recipes(write_recipe: Write) -> None:
    good, bad, worse = write_recipe(), write_recipe({"seed": "x"}, "bad"), write_recipe({"sead": 1}, "worse")
    told = call("check", good, bad, worse)
    assert told.exit_code == 2
    assert told.stdout == f"{good}: good (adversarial; 6 steps: only)\n"
    assert re.findall(r"(\w+)\.yaml:", told.stderr) == ["bad", "worse"]
    assert told.stderr.endswith("2 problems\n")


def test_one_problem_is_singular(write_recipe: Write) -> None:
    assert call("check", write_recipe({"seed": "x"})).stderr.endswith("\n1 problem\n")


def test_sets_and_profiles(write_recipe: Write) -> None:
    path = write_recipe({"profiles": {"long": {"method": {"stages": {"only": {"steps": 60}}}}}})
    assert "60 steps" in call("check", path, "--profile", "long").stdout
    assert "9 steps" in call("check", path, "--set", "method.stages.only.steps=9", "--set", "seed=1").stdout
    told = call("check", path, "--set", "method.stages.only.stepz=9")
    assert told.exit_code == 2
    assert "did you mean 'steps'?" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "no/such.yaml"], "no file 'no/such.yaml'|no/such.yaml"),
        (["check", "iccv_perceptuel"], "did you mean 'iccv_perceptual'"),
        (["run", "no-such-recipe"], "no-such-recipe"),
        (["evaluate", "no/run"], "no/run is no run"),
        (["report", "no/run"], "no/run is no run"),
        (["frobnicate"], "unknown command 'frobnicate'"),
        (["list", "loss", "extra"], "unexpected extra argument"),
        (["run"], "Missing argument 'RECIPE'"),
        (["fill", "a.png", "-o", "b.png"], "one of --mask FILE, --box X,Y,W,H and --color #RRGGBB"),
        (["fill", "a.png", "--box", "1,2,3,4", "--color", "#ffffff", "-o", "b.png"], "one of --mask FILE"),
        (["fill", "a.png", "--box", "1,2,3", "-o", "b.png"], "'1,2,3' is no box"),
        (["fill", "a.png", "--color", "pink", "-o", "b.png"], "'pink' is no color"),
        (["fill", "x", "a.png", "c.png", "--box", "1,2,3,4", "-o", "b.png"], "one method and one picture or folder"),
        (["fill", "classical/mean_color", "a.png", "--box", "1,2,3,4", "-o", "b.png"], "no file or folder a.png"),
    ],
)
def test_mistakes_end_with_two(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = call(*arguments)
    assert told.exit_code == 2
    assert re.search(says, told.stderr), told.stderr
    assert "Traceback" not in told.stderr
    assert not list(tmp_path.iterdir())


def test_a_command_of_a_tool_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tool is named by the extra of the distribution; a paper brings no command."""
    extras = ["click>=8.1", "inpaintkit-outline>=0.1.0; extra == 'tools'", 'inpaintkit-fcn>=0.1.0 ; extra == "papers"']
    monkeypatch.setattr("inpaintkit.core.plugins.requires", lambda name: extras)
    official.cache_clear()
    try:
        assert official() == {"outline": "inpaintkit-outline", "fcn": "inpaintkit-fcn"}
        told = call("outline", "--color", "red")
        assert told.exit_code == 2
        assert told.stderr == (
            "error: the command 'outline' comes with inpaintkit-outline: pip install inpaintkit-outline\n"
        )
        assert "unknown command 'fcn'" in call("fcn").stderr
        assert "unknown command 'outlines'" in call("outlines").stderr
        installed().add("outline", object())
        assert "plugin 'outline' is not available" in call("outline").stderr
    finally:
        official.cache_clear()
        installed.cache_clear()


def test_missing_pictures(write_recipe: Write, tmp_path: Path) -> None:
    path = write_recipe({"data": {"train": str(tmp_path / "nowhere")}})
    told = call("run", path, "--out", tmp_path / "out", "--quiet")
    assert told.exit_code == 2
    assert str(tmp_path / "nowhere") in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_folders_that_may_not_be_written(write_recipe: Write, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    told = call("run", write_recipe(), "--out", tmp_path / "closed" / "out", "--quiet")
    assert told.exit_code == 2
    assert "cannot be made" in told.stderr


def test_a_full_disk_is_told_plainly(write_recipe: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device", "log.jsonl")

    monkeypatch.setattr("inpaintkit.training.loop.Training.write", full)
    told = call("run", write_recipe(), "--out", tmp_path / "out", "--quiet")
    assert told.exit_code == 2
    assert told.stderr == "error: [Errno 28] No space left on device: 'log.jsonl'\n"


# -- a run from the command line --------------------------------------------------------------------------------------


def test_run_numbers_its_folders_and_resumes(
    write_recipe: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_recipe()
    for folder in ("runs/small", "runs/small-2"):
        told = call("run", path)
        assert told.exit_code == 0, told.output
        assert f"run folder: {folder}" in told.stdout
        assert f"report: {folder}/report.html" in told.stdout
        assert "step 6/6" in told.stderr
    told = call("run", path, "--resume")
    assert told.exit_code == 0
    assert "run folder: runs/small-2" in told.stdout
    told = call("run", path, "--resume", "--out", "runs/small", "--set", "seed=5")
    assert told.exit_code == 2
    assert "seed was 3, is 5" in told.stderr
    told = call("run", path, "--out", "runs/small")
    assert told.exit_code == 2
    assert "is not empty" in told.stderr
    told = call("report", "runs/small")
    assert told.stdout == "runs/small/report.html\n"


def test_quiet_is_quiet(write_recipe: Write, tmp_path: Path) -> None:
    told = call("run", write_recipe(), "--out", tmp_path / "out", "--quiet")
    assert told.exit_code == 0
    assert told.output == ""


def test_interrupted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C outside of training: 130, as shells have it, and no traceback."""

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("inpaintkit.pipeline.load", interrupt)
    told = call("check", "x.yaml")
    assert told.exit_code == 130
    assert "Traceback" not in told.output


def test_interrupted_while_training(write_recipe: Write, tmp_path: Path) -> None:
    """A plain process; more signals and moments are in runs/test_resume."""
    stages = [{"name": "only", "steps": 100_000, "weights": {"reconstruction": 1}}]
    path = write_recipe({"method": {"stages": stages}, "run": {"log_every": 1}})
    out = tmp_path / "out"
    command = [sys.executable, "-m", "inpaintkit", "run", str(path), "--out", str(out), "--quiet"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        began = time.monotonic()
        while not (out / "log.jsonl").exists() or not (out / "log.jsonl").read_text():
            assert running.poll() is None
            assert time.monotonic() - began < 120
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    [checkpoint, *_] = sorted((out / "checkpoints").iterdir(), reverse=True)
    assert said.startswith(f"error: stopped after step {int(checkpoint.name[5:])} of 100000")
    assert "Traceback" not in said


class Distance:
    """A distance.

    Args:
        on: what is measured,
            on two lines.
        region: where.
        unused: of the base alone.
    """

    def __init__(self, on: str, region: str) -> None:
        pass


class Plain(Distance):
    """A plain one."""


class Scaled(Distance):
    """A scaled one.

    Args:
        scale: how much.
        region: here.

    Raises:
        OptionError: never.
    """

    def __init__(self, on: str, scale: float, region: str) -> None:
        super().__init__(on, region)


def test_a_base_class_documents_the_options_that_its_subclasses_do_not() -> None:
    assert documentation_of(Plain) == (
        "A plain one.\n\nArgs:\n    on: what is measured,\n        on two lines.\n    region: where."
    )
    assert documentation_of(Scaled) == (
        "A scaled one.\n\nArgs:\n    on: what is measured,\n        on two lines.\n    scale: how much.\n"
        "    region: here.\n\nRaises:\n    OptionError: never."
    )
    assert documentation_of(type("Bare", (), {})) == ""


def test_check_warns_of_pictures_that_a_run_would_not_find(write_recipe: Write) -> None:
    said = call("check", write_recipe({"data": {"train": "nowhere"}}))
    assert said.exit_code == 0
    assert "good" in said.stdout
    assert re.search(r"warning: .*small.yaml:\d+:\d+: data.train: no folder, .zip or picture 'nowhere'", said.stderr)


def test_fill_by_box_and_color(tmp_path: Path) -> None:
    picture = np.full((12, 16, 3), 90, np.uint8)
    picture[4:7, 5:9] = (255, 0, 250)
    Image.fromarray(picture).save(tmp_path / "photo.png")
    for how in (["--box", "5,4,4,3"], ["--color", "#ff00ff", "--tolerance", "5"]):
        said = call(
            "fill", "classical/mean_color", tmp_path / "photo.png", *how, "-o", tmp_path / "out.png", "--overwrite"
        )
        assert (said.exit_code, said.stdout) == (0, "filled 1 of 1 pictures\n")
        assert (np.asarray(Image.open(tmp_path / "out.png")) == 90).all()
