"""``inpaintkit compare``: what is printed, where it is written, and the exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from inpaintkit_compare import read_comparison
from torch import Tensor
from toy_methods import Noise, Trained

from inpaintkit import Method, hookimpl
from inpaintkit.cli import main
from inpaintkit.core.plugins import installed
from inpaintkit.runs import checkpoint

from .toys import write_protocol

FILES = ["comparison.csv", "comparison.json", "comparison.md", "grid.png"]
MEAN = "classical/mean_color"


class Failing(Method):
    def __init__(self, interrupt: bool = False) -> None:
        super().__init__()
        self.interrupt = interrupt

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        if self.interrupt:
            raise KeyboardInterrupt
        raise ZeroDivisionError("[bold]too[/bold] small")


class Brings:
    inpaintkit_api = 1

    @hookimpl
    def register_methods(self, register: Any) -> None:
        register("cli-noise", Noise)
        register("cli-failing", Failing)
        register("cli-trained", Trained)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: Path) -> Iterator[Path]:
    """A folder with recipes of toy methods and two protocols; the toys are installed as long as the test runs."""
    monkeypatch.chdir(tmp_path)
    installed.cache_clear()
    assert not installed().add("cli-toys", Brings()).error
    recipes = {"noise": "cli-noise", "failing": "cli-failing", "stop": {"use": "cli-failing", "interrupt": True}}
    for name, method in recipes.items():
        Path(f"{name}.yaml").write_text(yaml.safe_dump({"method": method}))
    for name, side in (("small", 4), ("large", 8)):
        write_protocol(name, side, pictures)
    yield tmp_path
    installed.cache_clear()


def call(*arguments: str | Path) -> Result:
    result = CliRunner(env={"COLUMNS": "100"}).invoke(
        main, ["compare", *map(str, arguments), "--device", "cpu"], prog_name="inpaintkit"
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def names(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def test_the_program_lists_the_command() -> None:
    told = CliRunner().invoke(main, ["--help"])
    assert re.search(r"^  compare +Measures methods side by side: ", told.output, re.MULTILINE)
    assert installed().registry.get("command", "compare").plugin == "compare"


def test_a_comparison_is_printed_and_written() -> None:
    told = call(MEAN, "noise.yaml", "--protocol", "small.yaml")
    assert told.exit_code == 0, told.output
    for part in ("small: differences from mean_color in psnr[hole,255]", " noise ", "one sample", "12 images"):
        assert part in told.stdout
    assert told.stdout.endswith("written to comparisons/small\n")
    assert names("comparisons/small") == FILES
    found = read_comparison("comparisons/small")
    assert [row.name for row in found.rows] == ["mean_color", "noise"]
    assert (found.complete, found.batch, found.device) == (True, 32, "cpu")


def test_nothing_is_overwritten() -> None:
    for folder in ("comparisons/small", "comparisons/small-2"):
        assert f"written to {folder}\n" in call(MEAN, "--protocol", "small.yaml").stdout
        assert names(folder) == FILES
    before = Path("comparisons/small/comparison.json").read_bytes()
    told = call(MEAN, "--protocol", "small.yaml", "-o", "comparisons/small")
    assert told.exit_code == 2
    assert told.stderr == "error: comparisons/small is not empty: nothing is overwritten; name another folder\n"
    assert Path("comparisons/small/comparison.json").read_bytes() == before


def test_several_protocols_are_several_tables() -> None:
    told = call(MEAN, "--protocol", "small.yaml", "--protocol", "large.yaml", "--out", "both")
    assert told.exit_code == 0, told.output
    assert told.stdout.index("small: differences") < told.stdout.index("large: differences")
    assert told.stdout.index("large: differences") < told.stdout.index("mean of small, large: differences")
    assert names("both") == ["large", "mean", "small"]
    assert names("both/large") == names("both/small") == FILES
    call(MEAN, "--protocol", "small.yaml", "--protocol", "large.yaml")
    assert names("both/mean") == FILES[:3]
    assert names("comparisons") == ["large", "mean", "small"]


def test_the_options_have_their_effect() -> None:
    told = call(
        "noise.yaml", f"mean={MEAN}", "--protocol", "small.yaml", "--best-of", "3", "--limit", "5", "--batch", "2",
        "--pictures", "2", "-o", "out",
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    found = read_comparison("out")
    assert [row.name for row in found.rows] == ["noise", "noise, best of 3 (chosen by the truth)", "mean"]
    assert (len(found.names), found.batch, len(found.pictures)) == (5, 2, 2)
    assert "best of 3" in told.stdout
    assert "an upper bound, not a method" in " ".join(told.stdout.split())


def test_blending_doubles_the_rows() -> None:
    told = call(MEAN, "noise.yaml", "--protocol", "small.yaml", "--blend", "poisson", "-o", "out")
    assert told.exit_code == 0, told.output
    found = read_comparison("out")
    assert [row.name for row in found.rows] == ["mean_color", "mean_color + Poisson", "noise", "noise + Poisson"]
    assert found.rows[1].metrics["psnr[hole,255]"].interval.mean > found.rows[0].metrics["psnr[hole,255]"].interval.mean
    wrong = call(MEAN, "--protocol", "small.yaml", "--blend", "poison")
    assert wrong.exit_code == 2
    assert "'poison' is not 'poisson'" in wrong.stderr


def test_pictures_can_be_others(pictures: Path) -> None:
    one = sorted(pictures.iterdir())[0]
    told = call(MEAN, "--protocol", "small.yaml", "--images", one, "-o", "out")
    assert told.exit_code == 0, told.output
    assert read_comparison("out").names == (one.name,)
    other = sorted(pictures.iterdir())[3]
    assert call(MEAN, "--protocol", "small.yaml", "--images", one, "--images", other, "-o", "both").exit_code == 0
    assert sorted(Path(name).name for name in read_comparison("both").names) == sorted([one.name, other.name])


def test_runs_with_other_seeds_are_one_row() -> None:
    for seed in (1, 2):
        folder = Path(f"runs/a-{seed}")
        folder.mkdir(parents=True)
        (folder / "recipe.yaml").write_text(json.dumps({"name": "a", "seed": seed, "method": "cli-trained"}))
        method = Trained()
        method.color.data += seed / 5
        checkpoint.save(folder / "checkpoints", 3, method, {"seconds": 1.0})
    told = call(MEAN, "runs/a-1", "runs/a-2", "--protocol", "small.yaml")
    assert told.exit_code == 0, told.output
    assert [(row.name, row.seeds) for row in read_comparison("comparisons/small").rows[1:]] == [("a", (1, 2))]
    assert "\N{PLUS-MINUS SIGN}" in told.stdout


def test_everything_wrong_is_told_before_anything_is_made() -> None:
    told = call(MEAN, "nothing", "runs/gone", "--protocol", "smal.yaml", "--protocol", "faces_center_46")
    assert told.exit_code == 2
    for part in ("nothing: there is no", "runs/gone: there is no", "did you mean 'small.yaml'", "faces_center_64"):
        assert part in told.stderr
    assert told.stderr.endswith("4 problems\n")
    assert call(MEAN, "--protocol", "small.yaml", "--images", "gone").exit_code == 2
    assert call(MEAN, "--protocol", "small.yaml", "--best-of", "2").exit_code == 2
    assert not Path("comparisons").exists()


def test_a_failing_method_is_told_and_the_others_kept() -> None:
    told = call(MEAN, "failing.yaml", "noise.yaml", "--protocol", "small.yaml")
    assert told.exit_code == 2
    assert told.stderr.startswith("failed: failing: ZeroDivisionError: [bold]too[/bold] small (test_command.py:")
    assert " noise " in told.stdout
    found = read_comparison("comparisons/small")
    assert [row.name for row in found.rows] == ["mean_color", "noise"]
    assert list(found.failed) == ["failing"]
    alone = call("failing.yaml", "--protocol", "small.yaml")
    assert alone.exit_code == 2
    assert alone.stderr.startswith("error: no row could be measured: failing: ZeroDivisionError")


def test_an_interruption_is_told_and_keeps_what_was_measured() -> None:
    told = call(MEAN, "stop.yaml", "noise.yaml", "--protocol", "small.yaml")
    assert told.exit_code == 130
    assert told.stderr == "error: interrupted in stop; comparisons/small keeps mean_color\n"
    assert [row.name for row in read_comparison("comparisons/small").rows] == ["mean_color"]
    assert names("comparisons/small") == FILES


def test_earlier_comparisons_are_reused() -> None:
    both = ("--protocol", "small.yaml", "--protocol", "large.yaml")
    assert call(MEAN, "classical/harmonic", *both, "-o", "earlier").exit_code == 0
    told = call("noise.yaml", f"harmonic={MEAN}", *both, "--reuse", "earlier", "-o", "now")
    assert told.exit_code == 0, told.output
    assert "harmonic is measured anew, and not taken over from earlier/small\n" in told.stderr
    for name in ("small", "large", "mean"):
        assert [row.name for row in read_comparison(f"now/{name}").rows] == ["noise", "harmonic", "mean_color"]
    assert "From an earlier comparison" in " ".join(told.stdout.split())
    wrong = call("noise.yaml", "--protocol", "small.yaml", "--reuse", "earlier/large", "--reuse", "gone", "-o", "wrong")
    assert wrong.exit_code == 2
    assert "no comparison at gone" in wrong.stderr
    wrong = call("noise.yaml", "--protocol", "small.yaml", "--reuse", "earlier/large", "-o", "wrong")
    assert wrong.exit_code == 2
    assert "no comparison to reuse for small: earlier/large has masks.side 8 in place of 4" in wrong.stderr
    assert not Path("wrong").exists()


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes | str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("inpaintkit_compare.text.write_atomically", full)
    told = call(MEAN, "--protocol", "small.yaml")
    assert told.exit_code == 2
    assert "comparison.json cannot be written" in told.stderr
