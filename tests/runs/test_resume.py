"""Killed at any moment and resumed, a run ends bit-equal to one that was never stopped; with real processes."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
import torch

from inpaintkit.runs import checkpoint
from inpaintkit.runs.folder import Run

STEPS = 50
PATIENCE = 180  # seconds; a machine may be busy

# Everything that has state: batch norm, two optimizers, an average, balances measured while it is killed.
RECIPE: dict[str, Any] = {
    "method": {
        "critics": {
            "image": {
                "net": {"use": "dcgan", "size": 16, "width": 4},
                "objective": {"use": "non-saturating", "smooth": {"real": [0.8, 1.0], "fake": [0.0, 0.2]}},
            }
        },
        "ema": 0.9,
        "clip": 1.0,
        "stages": [
            {"name": "coarse", "steps": 5, "weights": {"reconstruction": 1}, "lr": {"start": 1e-3, "end": 1e-4}},
            {
                "name": "fine",
                "steps": STEPS - 5,
                "weights": {"reconstruction": 1, "image": {"match": "reconstruction", "scale": 0.5, "hold": 30}},
                "generator_every": 1,
                "lr": {"start": 1e-3, "end": 1e-5, "shape": "cosine"},
            },
        ],
    },
    "run": {"log_every": 1, "checkpoint_every": 1, "sample_every": 10},
    "validate": {"every": 20},
}

Moment = Callable[[Run, float], bool]  # (run, seconds since it began) -> whether to send the signal now


def newest(run: Run) -> int:
    return max((int(path.name[5:]) for path in run.checkpoints.glob("step-*")), default=0)


def at_once(run: Run, seconds: float) -> bool:
    return run.recipe_file.exists()


def after_step(step: int, jitter: float) -> Moment:
    """Some milliseconds after the checkpoint of a step appeared: in the next step, in its log, in its checkpoint."""
    seen: list[float] = []

    def moment(run: Run, seconds: float) -> bool:
        if not seen and newest(run) >= step:
            seen.append(seconds)
        return bool(seen) and seconds >= seen[0] + jitter

    return moment


def while_writing(step: int) -> Moment:
    """In the middle of a checkpoint: its folder is there and not yet renamed."""
    return lambda run, seconds: newest(run) >= step and any(run.checkpoints.glob(".step-*.part"))


# Importing torch and all that it brings takes a process longer than these trainings: a server that has imported them
# forks the processes that are killed. They are processes like any other; the run they are held against is a plain one.
PRELOADED = ["torch._dynamo", "kornia.augmentation", "inpaintkit.training.dry_run", "inpaintkit.pipeline"]
CHILD = """
import os, sys
os.dup2(os.open({said!r}, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
sys.argv = ["inpaintkit", *{arguments!r}]
from inpaintkit.cli import main
main()
"""


class Started:
    """``inpaintkit run`` in a process of its own."""

    def __init__(self, context: ForkServerContext, recipe: Path, run: Run, *, resume: bool) -> None:
        self.run = run
        self.said = run.folder.with_suffix(".err")
        arguments = ["run", str(recipe), "--out", str(run.folder), "--quiet", *["--resume"] * resume]
        self.process = context.Process(target=exec, args=(CHILD.format(said=str(self.said), arguments=arguments), {}))
        self.process.start()

    def end(self) -> tuple[int | None, str]:
        """Waits; the exit code and what was said."""
        self.process.join(PATIENCE)
        return self.process.exitcode, self.said.read_text()

    def strike(self, number: signal.Signals, moment: Moment) -> tuple[int | None, str]:
        """Sends the signal at its moment, then waits."""
        began = time.monotonic()
        while not moment(self.run, time.monotonic() - began):
            assert self.process.is_alive(), f"it ended before its moment: {self.end()}"
            assert time.monotonic() - began < PATIENCE
            time.sleep(0.001)
        assert self.process.pid is not None
        os.kill(self.process.pid, number)
        return self.end()


def killed_often(
    context: ForkServerContext, recipe: Path, folder: Path, blows: list[tuple[signal.Signals, Moment]]
) -> Run:
    """One run that takes these blows, one process after another, and is resumed each time."""
    run = Run(folder)
    for number, (kind, moment) in enumerate(blows):
        before = newest(run)
        code, said = Started(context, recipe, run, resume=number > 0).strike(kind, moment)
        if kind == signal.SIGKILL:
            assert code == -signal.SIGKILL
        else:
            assert code == 128 + kind, said
            stopped = newest(run)
            assert f"stopped after step {stopped} of {STEPS}" in said
            assert "--resume" in said
            assert "Traceback" not in said
            assert stopped > before
            checkpoint.read_state(run.checkpoints / f"step-{stopped:08d}")  # and it is whole
    code, said = Started(context, recipe, run, resume=True).end()
    assert code == 0, said
    return run


def never_stopped(recipe: Path, folder: Path) -> Run:
    command = [sys.executable, "-m", "inpaintkit", "run", str(recipe), "--out", str(folder), "--quiet"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert told.returncode == 0, told.stderr
    return Run(folder)


def test_killed_and_resumed_is_bit_equal(
    write_recipe: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded moments over the whole run: at once, anywhere, within a checkpoint, also Ctrl-C and SIGTERM."""
    recipe = write_recipe(RECIPE)
    draw = random.Random(2017)

    def anywhere(first: int, last: int) -> Moment:
        return after_step(draw.randint(first, last), draw.uniform(0, 0.05))

    kill, stop, interrupt = signal.SIGKILL, signal.SIGTERM, signal.SIGINT
    chains = {
        "one": [(kill, at_once), (kill, anywhere(1, 12)), (stop, anywhere(15, 25)), (kill, while_writing(30))],
        "two": [(kill, while_writing(1)), (interrupt, anywhere(8, 20)), (kill, anywhere(25, 40))],
    }
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with ThreadPoolExecutor(3) as pool:
        whole = pool.submit(never_stopped, recipe, tmp_path / "straight")
        ended = [pool.submit(killed_often, context, recipe, tmp_path / name, blows) for name, blows in chains.items()]
        straight, runs = whole.result(), [chain.result() for chain in ended]
    for run in runs:
        expected, found = (tensors_of(each.checkpoints / f"step-{STEPS:08d}") for each in (straight, run))
        assert expected.keys() == found.keys()
        assert [key for key in expected if not torch.equal(expected[key], found[key])] == []
        assert timeless(straight) == timeless(run)
        sheets = [{path.name: path.read_bytes() for path in each.samples.iterdir()} for each in (straight, run)]
        assert sheets[0] == sheets[1]
        assert sorted(path.name for path in run.checkpoints.iterdir()) == [
            f"step-{step:08d}" for step in (STEPS - 1, STEPS)
        ]
        assert not list(run.folder.rglob("*.part"))
    weights = checkpoint.read_tensors(straight.checkpoints / f"step-{STEPS:08d}" / checkpoint.METHOD)
    assert weights["weigher.fine/image"].min() > 0
    assert not torch.equal(weights["averaged.out.weight"], weights["generator.out.weight"])


def tensors_of(path: Path) -> dict[str, torch.Tensor]:
    """The weights and the moments in a checkpoint."""
    optimizers = torch.load(path / checkpoint.OPTIMIZERS, weights_only=True)
    return checkpoint.read_tensors(path / checkpoint.METHOD) | {
        f"{name}|{number}|{key}": value
        for name, optimizer in optimizers.items()
        for number, values in optimizer["state"].items()
        for key, value in values.items()
    }


def timeless(run: Run) -> list[dict[str, Any]]:
    return [{key: line[key] for key in line if key not in ("seconds", "images_per_s")} for line in run.log()]


@pytest.mark.parametrize("damage", ["method.safetensors", "state.json"])
def test_a_damaged_newest_checkpoint_costs_steps_and_nothing_else(
    write_recipe: Callable[..., Path], tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, for speed: the older one is taken, said so, and the end is the same."""
    from inpaintkit.pipeline import begin
    from inpaintkit.recipe import load_recipe
    from inpaintkit.training.loop import train

    stages = [{"name": "only", "steps": 8, "weights": {"reconstruction": 1}}]
    recipe = load_recipe(write_recipe({"method": {"stages": stages}, "run": {"checkpoint_every": 3}}))
    straight, run = (begin(recipe, tmp_path / name, tmp_path, resume=False) for name in ("straight", "damaged"))
    for each in (straight, run):
        train(recipe, each, show=False)
    newer = run.checkpoints / "step-00000008"
    content = (newer / damage).read_bytes()
    (newer / damage).write_bytes(content[: len(content) // 2])
    train(recipe, run, resume=True, show=True)
    assert "skipped: " in capsys.readouterr().err
    one, other = (tensors_of(each.checkpoints / "step-00000008") for each in (straight, run))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
