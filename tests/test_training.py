"""The training loop in one process: what it writes, what it watches, how it starts."""

from __future__ import annotations

import json
import math
import os
import signal
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from inpaintkit import hookimpl, pipeline
from inpaintkit.core.errors import CheckpointError, InpaintkitError, Interrupted, NonFiniteError, RecipeError
from inpaintkit.core.interfaces import Batch, Generator, Loss, Observer, Sample
from inpaintkit.core.plugins import Plugins, load_plugins
from inpaintkit.data.batches import TrainingBatches, fixed_batch
from inpaintkit.pipeline import begin, changed
from inpaintkit.recipe import Recipe, load_recipe
from inpaintkit.runs import checkpoint
from inpaintkit.runs.folder import Run, latest_run, load, new_run, open_run
from inpaintkit.runtime.devices import pick_device
from inpaintkit.runtime.seeds import generator, seed_of
from inpaintkit.runtime.signals import stop_signals
from inpaintkit.training.loop import Training, train
from inpaintkit.training.monitor import FiniteGuard, Meter

Write = Callable[..., Path]


class Plain(Generator):
    """One convolution: fast, and no batch norm."""

    def __init__(self, bias: float = 0.0) -> None:
        super().__init__()
        self.layer = nn.Conv2d(4, 3, 3, padding=1)
        nn.init.constant_(self.layer.bias, bias)  # type: ignore[arg-type]

    def forward(self, masked: Tensor, mask: Tensor) -> Tensor:
        return self.layer(torch.cat([masked, mask], 1))  # type: ignore[no-any-return]


class Breaking(Loss):
    """L2 that becomes NaN in the call ``at``; with ``quietly`` its value stays finite and only its gradient is NaN."""

    def __init__(self, at: int, quietly: bool = False) -> None:
        super().__init__()
        self.at, self.quietly, self.calls = at, quietly, 0

    def forward(self, sample: Sample) -> Tensor:
        value = (sample.output - sample.image).square().mean()
        self.calls += 1
        if self.calls - 1 == self.at and not value.is_meta:
            return value + (value - value.detach()).sqrt() if self.quietly else value * math.nan
        return value


class Stopping(Loss):
    """Sends this process a signal in the call ``at``."""

    def __init__(self, at: int, number: int) -> None:
        super().__init__()
        self.at, self.number, self.calls = at, number, 0

    def forward(self, sample: Sample) -> Tensor:
        if self.calls == self.at and not sample.image.is_meta:
            os.kill(os.getpid(), self.number)
        self.calls += 1
        return (sample.output - sample.image).square().mean()


@hookimpl
def register_generators(register: Any) -> None:
    register("plain", Plain)


@hookimpl
def register_losses(register: Any) -> None:
    register("breaking", Breaking)
    register("stopping", Stopping)


@pytest.fixture
def plugins() -> Plugins:
    found = load_plugins()
    module = types.ModuleType("toy")
    module.__dict__.update(inpaintkit_api=1, register_generators=register_generators, register_losses=register_losses)
    assert not found.add("toy", module).error
    return found


def plain(steps: int = 6, **changes: Any) -> dict[str, Any]:
    """The small recipe with the plain generator and so many steps; ``changes`` by top-level key."""
    tree: dict[str, Any] = {
        "method": {
            "generator": {"use": "plain", "width": None},
            "stages": [{"name": "only", "steps": steps, "weights": {"reconstruction": 1}}],
        }
    }
    for key, value in changes.items():
        tree[key] = {**tree.get(key, {}), **value} if isinstance(value, dict) else value
    return tree


def run_of(recipe: Recipe, folder: Path) -> Run:
    return begin(recipe, folder, folder.parent, resume=False)


def trained(recipe: Recipe, folder: Path, plugins: Plugins, resume: bool = False) -> Run:
    run = begin(recipe, folder, folder.parent, resume=False) if not resume else Run(folder)
    train(recipe, run, resume=resume, show=False, plugins=plugins)
    return run


def weights(run: Run, step: int) -> dict[str, Tensor]:
    return checkpoint.read_tensors(run.checkpoints / f"step-{step:08d}" / checkpoint.METHOD)


def steps_of(run: Run) -> list[int]:
    return [int(path.name[5:]) for path in checkpoint.checkpoints(run.checkpoints)]


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# -- what a run writes ------------------------------------------------------------------------------------------------


def test_a_run_and_all_that_it_writes(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    stages = [
        {"name": "first", "steps": 3, "weights": {"reconstruction": 1}, "lr": 1e-3},
        {"name": "second", "steps": 4, "weights": {"reconstruction": 1, "image": {"match": "reconstruction"}}},
    ]
    critics = {"image": {"net": {"use": "dcgan", "size": 16, "width": 4}, "objective": "least-squares"}}
    changes = plain(method={"generator": {"use": "plain", "width": None}, "stages": stages, "critics": critics})
    changes |= {"validate": {"every": 3}, "run": {"sample_every": 4}}
    recipe = load_recipe(write_recipe(changes), plugins=plugins)
    listener = Listener()
    recipe = observed(recipe, listener)
    run = trained(recipe, tmp_path / "run", plugins)

    lines = run.log()
    assert [line["step"] for line in lines] == [2, 3, 4, 6, 6, 7, 7]
    reports = [line for line in lines if "stage" in line]
    assert [line["step"] for line in reports] == [2, 4, 6, 7]
    assert [line["stage"] for line in reports] == ["first", "second", "second", "second"]
    assert all(line["images_per_s"] > 0 and line["generator/reconstruction"] > 0 for line in reports)
    assert [line["seconds"] for line in reports] == sorted(line["seconds"] for line in reports)
    assert reports[0]["lr/generator"] == 1e-3
    assert "critic/image/loss" not in reports[0]
    assert {"critic/image/loss", "generator/image", "weight/image", "lr/critic/image"} <= set(reports[-1])
    validations = [line for line in lines if "stage" not in line]
    assert [line["step"] for line in validations] == [3, 6, 7]
    assert all(sum(key.startswith("validation/psnr") for key in line) == 1 for line in validations)
    heard = [(step, {**values, **words}) for _, step, values, words in listener.heard[1:-1]]
    assert heard == [(line.pop("step"), line) for line in run.log()]
    assert [call[3] for call in listener.heard[1:3]] == [{"stage": "first"}, {}]
    assert listener.heard[-1] == ("ended", "finished")

    sheets = sorted(run.samples.iterdir())
    assert [sheet.name for sheet in sheets] == ["step-00000004.png", "step-00000007.png"]
    with Image.open(sheets[0]) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 4 * 90  # masked, output, completed, truth
        assert len(set(sheet.convert("L").tobytes())) > 20
    assert sheets[0].read_bytes() != sheets[1].read_bytes()

    assert steps_of(run) == [6, 7]
    state = checkpoint.read_state(run.checkpoints / "step-00000007")
    assert (state["step"], state["seed"]) == (7, 3)
    assert state["seconds"] > 0
    environment = json.loads((run.folder / "environment.json").read_text())
    assert environment["packages"]["torch"] == torch.__version__.split("+")[0] or torch.__version__
    assert environment["plugins"]["perceptual-fcn"]
    assert run.recipe(plugins).tree == recipe.tree
    assert not list(run.folder.rglob("*.part"))


def test_the_log_holds_means(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    paths = [write_recipe(plain(run={"log_every": every}), name=f"every{every}") for every in (1, 2)]
    every, pairs = (trained(load_recipe(path, plugins=plugins), tmp_path / path.stem, plugins) for path in paths)
    single = [line["generator/reconstruction"] for line in every.log() if "stage" in line]
    means = [line["generator/reconstruction"] for line in pairs.log() if "stage" in line]
    assert means == pytest.approx([(a + b) / 2 for a, b in zip(single[::2], single[1::2], strict=True)])


def test_only_seed_and_recipe_decide(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    """How often is logged, sampled, validated or written changes nothing in the weights; another seed does."""
    quiet = load_recipe(write_recipe(plain(), name="quiet"), plugins=plugins)
    busy = load_recipe(
        write_recipe(
            plain(run={"log_every": 1, "sample_every": 1, "checkpoint_every": 1}, validate={"every": 1}), name="busy"
        ),
        plugins=plugins,
    )
    other = load_recipe(write_recipe(plain(seed=4), name="other"), plugins=plugins)
    made = [weights(trained(recipe, tmp_path / recipe.name, plugins), 6) for recipe in (quiet, busy, other)]
    assert same(made[0], made[1])
    assert not same(made[0], made[2])


# -- starting, resuming -----------------------------------------------------------------------------------------------


def test_resume_takes_over_weights_log_and_time(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    recipe = load_recipe(write_recipe(plain(steps=6)), plugins=plugins)
    whole = trained(recipe, tmp_path / "whole", plugins)
    run = trained(recipe, tmp_path / "again", plugins)
    for path in checkpoint.checkpoints(run.checkpoints)[1:]:  # as if it had died after step 4, lines written
        checkpoint.shutil.rmtree(path)
    assert steps_of(run) == [4]
    before = checkpoint.read_state(run.checkpoints / "step-00000004")["seconds"]
    with open(run.log_file, "a") as file:
        file.write('{"step": 5, "half')
    (run.checkpoints / ".step-00000006.1.part").mkdir()
    trained(recipe, run.folder, plugins, resume=True)
    assert same(weights(run, 6), weights(whole, 6))
    for key in ("step", "stage", "generator/reconstruction"):
        assert [line.get(key) for line in run.log()] == [line.get(key) for line in whole.log()]
    assert run.log()[-2]["seconds"] > before
    assert not list(run.folder.rglob("*.part"))


def test_beginning_again_forgets_the_log(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    """Killed before the first checkpoint: what its log said is said again."""
    recipe = load_recipe(write_recipe(plain()), plugins=plugins)
    run = run_of(recipe, tmp_path / "run")
    run.log_file.write_text('{"step": 1, "stage": "only"}\n{"step"')
    train(recipe, run, show=False, plugins=plugins)
    assert [line["step"] for line in run.log()] == [2, 4, 6, 6]


def test_a_finished_run_has_nothing_left_to_train(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    recipe = load_recipe(write_recipe(plain()), plugins=plugins)
    run = trained(recipe, tmp_path / "run", plugins)
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    trained(recipe, run.folder, plugins, resume=True)
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before


def test_other_pictures_are_not_resumed(write_recipe: Write, tmp_path: Path, plugins: Plugins, pictures: Path) -> None:
    copied = tmp_path / "pictures"
    checkpoint.shutil.copytree(pictures, copied)
    recipe = load_recipe(write_recipe(plain(data={"train": str(copied)})), plugins=plugins)
    run = trained(recipe, tmp_path / "run", plugins)
    Image.new("RGB", (20, 20), "red").save(copied / "wave-00.png")
    with pytest.raises(CheckpointError, match="not the training pictures that the run began with"):
        trained(recipe, run.folder, plugins, resume=True)


def test_init_from_takes_weights_only(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    first = trained(load_recipe(write_recipe(plain(), name="first"), plugins=plugins), tmp_path / "first", plugins)
    chosen = first.checkpoints / "step-00000004"
    for number, source in enumerate((first.folder, chosen, chosen / checkpoint.METHOD)):
        recipe = load_recipe(write_recipe(plain(seed=9, init_from=str(source)), name=f"next{number}"), plugins=plugins)
        run = run_of(recipe, tmp_path / f"next{number}")
        training = Training.prepare(recipe, run, torch.device("cpu"), plugins, show=False)
        training.initialize()
        expected = weights(first, 6 if number == 0 else 4)
        assert same(checkpoint.contiguous(training.method.state_dict()), expected)
        assert training.step == 0
        assert not any(optimizer.state for optimizer in training.method.optimizers.values())
    train(recipe, run, show=False, plugins=plugins)
    assert steps_of(run) == [4, 6]
    assert not same(weights(run, 6), weights(first, 6))


def test_init_from_a_misfit_names_the_keys(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    first = trained(load_recipe(write_recipe(plain(), name="first"), plugins=plugins), tmp_path / "first", plugins)
    recipe = load_recipe(write_recipe({"init_from": str(first.folder)}, name="wide"), plugins=plugins)
    with pytest.raises(CheckpointError, match=r"(?s)missing in the file: generator\.e0.*only in the file: generator"):
        trained(recipe, tmp_path / "wide", plugins)
    recipe = load_recipe(write_recipe(plain(init_from=str(tmp_path / "nowhere")), name="none"), plugins=plugins)
    with pytest.raises(CheckpointError, match="nowhere is missing"):
        trained(recipe, tmp_path / "none", plugins)


def test_init_from_a_run_with_fewer_parts(
    write_recipe: Write, tmp_path: Path, plugins: Plugins, capsys: pytest.CaptureFixture[str]
) -> None:
    """A critic that the first run had not begins fresh, the average at the generator, and balances at nothing."""
    first = trained(load_recipe(write_recipe(plain(), name="first"), plugins=plugins), tmp_path / "first", plugins)
    critics = {"image": {"net": {"use": "dcgan", "size": 16, "width": 4}, "objective": "hinge"}}

    def after(source: Path, stage: str, **options: Any) -> Training:
        weighed = {"reconstruction": 1, "image": {"match": "reconstruction", "hold": 2}}
        method = {
            "generator": {"use": "plain", "width": None},
            "critics": critics,
            "stages": [{"name": stage, "steps": 3, "weights": weighed}],
            **options,
        }
        recipe = load_recipe(write_recipe(plain(method=method, init_from=str(source)), name=stage), plugins=plugins)
        run = run_of(recipe, tmp_path / stage)
        training = Training.prepare(recipe, run, torch.device("cpu"), plugins, show=True)
        training.initialize()
        return training

    second = after(first.folder, "second", ema=0.5)
    state, saved = checkpoint.contiguous(second.method.state_dict()), weights(first, 6)
    for name, value in saved.items():
        assert torch.equal(state[name], value)
        assert torch.equal(state[name.replace("generator", "averaged")], value)
    assert "holds no critics.image: fresh weights there" in capsys.readouterr().err
    second.loop(lambda: 0)
    third = after(tmp_path / "second", "third")  # other stages, so other balances; no average
    state, saved = checkpoint.contiguous(third.method.state_dict()), weights(Run(tmp_path / "second"), 3)
    assert all(torch.equal(state[name], saved[name]) for name in state if not name.startswith("weigher"))
    assert state["weigher.third/image"].tolist() == [0, 0]
    assert "fresh" not in capsys.readouterr().err


def test_newest(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path / "w.safetensors") == tmp_path / "w.safetensors"
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        checkpoint.newest(tmp_path)


def test_folders_are_numbered(write_recipe: Write, tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe())
    root = tmp_path / "runs"
    made = [begin(recipe, None, root, resume=False).folder.name for _ in range(3)]
    assert made == ["small", "small-2", "small-3"]
    (root / "small-large").mkdir()
    (root / "small-10").mkdir()
    assert latest_run(root, "small").folder.name == "small-3"  # small-10 holds no recipe
    assert begin(recipe, None, root, resume=True).folder.name == "small-3"
    assert new_run(root, "small").folder.name == "small-4"
    with pytest.raises(InpaintkitError, match="holds no run named other"):
        latest_run(root, "other")


def test_nothing_is_overwritten(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    recipe = load_recipe(write_recipe(plain()), plugins=plugins)
    out = tmp_path / "out"
    out.mkdir()
    (out / ".recipe.yaml.1.part").touch()  # left by one that was killed while it began: no reason to refuse
    begin(recipe, out, tmp_path, resume=False)
    with pytest.raises(InpaintkitError, match=r"is not empty.*--resume"):
        begin(recipe, out, tmp_path, resume=False)
    with pytest.raises(InpaintkitError, match="cannot be made"):
        begin(recipe, write_recipe(plain(), name="file"), tmp_path, resume=False)
    with pytest.raises(InpaintkitError, match="nothing to resume"):
        begin(recipe, tmp_path / "empty", tmp_path, resume=True)


def test_resume_with_another_recipe_is_refused(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    recipe = load_recipe(write_recipe({}), plugins=plugins)
    run = begin(recipe, None, tmp_path, resume=False)
    assert begin(recipe, None, tmp_path, resume=True) == run
    other = load_recipe(write_recipe({"seed": 8, "data": {"batch": 2}}), plugins=plugins)
    with pytest.raises(InpaintkitError, match=r"seed was 3, is 8; data\.batch was 4, is 2"):
        begin(other, None, tmp_path, resume=True)
    changes = {"log_every": 77, "sample_every": 77, "checkpoint_every": 77}
    more = {"seed": 8, "data": {"batch": 2}, "validate": {"every": 3, "images": 5}, "run": changes}
    many = load_recipe(write_recipe(more), plugins=plugins)
    with pytest.raises(InpaintkitError, match=r" and [1-9] more\. Resume"):
        begin(many, None, tmp_path, resume=True)


def test_missing_and_damaged_pictures_are_told_together_and_nothing_is_made(
    write_recipe: Write, tmp_path: Path, plugins: Plugins
) -> None:
    (tmp_path / "bad.zip").write_bytes(b"no archive")
    data = {"train": [str(tmp_path / "bad.zip"), "/nowhere"], "test": "/nowhere/either"}
    recipe = load_recipe(write_recipe({"data": data, "evaluate": ["faces_center_64"]}), plugins=plugins)
    with pytest.raises(RecipeError) as caught:
        begin(recipe, tmp_path / "run", tmp_path, resume=False)
    assert [problem.path for problem in caught.value.problems] == [("data", "train")] * 2 + [("data", "test")]
    for said in ("bad.zip is no readable .zip", "'/nowhere'", "'/nowhere/either'"):
        assert said in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_changed() -> None:
    assert changed({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) == []
    assert changed({"a": {"b": 1}, "c": 0}, {"a": {"b": 2}, "d": 3}) == [
        "a.b was 1, is 2", "c was 0, is not given", "d was not given, is 3"
    ]  # fmt: skip
    assert changed({"a": [{"b": 1, "c": 2}, 3]}, {"a": [{"b": 1, "c": 4}, 3]}) == ["a[0].c was 2, is 4"]
    (line,) = changed({"a": list(range(1000))}, {"a": "x" * 1000})
    assert line.startswith("a was [0, 1, 2")
    assert len(line) < 200


# -- what stops a run -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quietly", [False, True], ids=["loss", "gradient"])
def test_nan_is_named_and_the_last_good_checkpoint_stays(
    write_recipe: Write, tmp_path: Path, plugins: Plugins, quietly: bool
) -> None:
    """In step 6 of 9; a gradient that is NaN under a finite loss shows in the weights, before they are kept."""
    losses = {"bad": {"use": "breaking", "at": 5, "quietly": quietly}}
    stages = [{"name": "only", "steps": 9, "weights": {"reconstruction": 1, "bad": 1}}]
    recipe = load_recipe(
        write_recipe(plain(method={"generator": {"use": "plain", "width": None}, "losses": losses, "stages": stages})),
        plugins=plugins,
    )
    with pytest.raises(NonFiniteError) as caught:
        trained(recipe, tmp_path / "run", plugins)
    run = Run(tmp_path / "run")
    gradient = "weights became NaN or infinite by step 6: generator.layer.weight"
    assert (gradient if quietly else "generator/bad became NaN or infinite in step 6") in str(caught.value)
    assert steps_of(run) == [2, 4]
    assert all(torch.isfinite(value).all() for value in weights(run, 4).values())
    assert all(math.isfinite(value) for line in run.log() for value in line.values() if isinstance(value, float))


def test_the_guard_names_the_first_step_and_all_its_terms() -> None:
    guard = FiniteGuard()
    good, bad = torch.tensor(1.0), torch.tensor(math.inf)
    for step, (a, b, c) in enumerate([(good, good, good), (good, bad, bad), (bad, bad, bad)]):
        guard.watch({"a": a, "b": b, "c": c}, step)
    with pytest.raises(NonFiniteError, match=r"^b, c became NaN or infinite in step 2;"):
        guard.check()
    FiniteGuard().check()


def test_the_meter_means_over_the_steps_that_had_the_term() -> None:
    meter = Meter()
    for step in range(4):
        meter.add({"a": torch.tensor(float(step))} | ({"b": torch.tensor(7.0)} if step == 2 else {}))
    values, speed = meter.flush(batch=8)
    assert values == {"a": 1.5, "b": 7.0}
    assert speed > 0
    assert meter.flush(batch=8)[0] == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_after_a_step_with_a_checkpoint(
    write_recipe: Write, tmp_path: Path, plugins: Plugins, number: signal.Signals
) -> None:
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    recipes = []
    for name, at in (("stopped", 2), ("straight", 10**6)):
        losses = {"reconstruction": {"use": "stopping", "region": None, "at": at, "number": int(number)}}
        changes = plain(run={"checkpoint_every": 100, "log_every": 100})
        changes["method"]["losses"] = losses
        recipes.append(load_recipe(write_recipe(changes, name=name), plugins=plugins))
    with pytest.raises(Interrupted, match="stopped after step 3 of 6; the checkpoint is written") as caught:
        trained(recipes[0], tmp_path / "stopped", plugins)
    assert caught.value.exit_code == 128 + number
    run = Run(tmp_path / "stopped")
    assert steps_of(run) == [3]
    assert [line["step"] for line in run.log()] == [3]
    trained(recipes[1], run.folder, plugins, resume=True)
    assert same(weights(run, 6), weights(trained(recipes[1], tmp_path / "straight", plugins), 6))
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_second_interrupt_does_not_wait() -> None:
    with stop_signals() as stopped:
        assert stopped() == 0
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped() == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


class Listener(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def started(self, run_folder: Path, recipe: Mapping[str, Any]) -> None:
        self.heard.append(("started", run_folder, recipe))

    def logged(self, step: int, values: Mapping[str, float], words: Mapping[str, str]) -> None:
        self.heard.append(("logged", step, dict(values), dict(words)))

    def ended(self, reason: str) -> None:
        self.heard.append(("ended", reason))


class Failing(Listener):
    """Fails at every line of the log."""

    def logged(self, step: int, values: Mapping[str, float], words: Mapping[str, str]) -> None:
        raise ConnectionError("the tracker is away")


def observed(recipe: Recipe, *observers: Observer) -> Recipe:
    return attrs.evolve(recipe, run=attrs.evolve(recipe.run, observers=observers))


def test_an_observer_that_fails_is_reported_once(
    write_recipe: Write, tmp_path: Path, plugins: Plugins, capsys: pytest.CaptureFixture[str]
) -> None:
    before, failing, after = Listener(), Failing(), Listener()
    recipe = observed(load_recipe(write_recipe(plain()), plugins=plugins), before, failing, after)
    run = begin(recipe, tmp_path / "run", tmp_path, resume=False)
    train(recipe, run, show=True, plugins=plugins)
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("observer Failing: logged() failed: ConnectionError: the tracker is away (reported once)") == 1
    assert failing.heard == [("started", run.folder, recipe.tree), ("ended", "finished")]
    assert before.heard == after.heard
    assert [call[0] for call in before.heard] == ["started", *["logged"] * 4, "ended"]
    assert [call[1] for call in before.heard[1:-1]] == [2, 4, 6, 6]
    assert steps_of(run) == [4, 6]


def test_observers_follow_a_run_that_stops_and_goes_on(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    changes = plain()
    stopping = {"use": "stopping", "region": None, "at": 3, "number": int(signal.SIGTERM)}
    changes["method"]["losses"] = {"reconstruction": stopping}
    listener = Listener()
    recipe = observed(load_recipe(write_recipe(changes), plugins=plugins), listener)
    with pytest.raises(Interrupted):
        trained(recipe, tmp_path / "run", plugins)
    assert [call[:2] for call in listener.heard[1:]] == [("logged", 2), ("logged", 4), ("ended", "stopped")]
    listener.heard.clear()
    run = trained(recipe, tmp_path / "run", plugins, resume=True)
    assert listener.heard[0] == ("started", run.folder, recipe.tree)
    assert [call[:2] for call in listener.heard[1:]] == [("logged", 6), ("logged", 6), ("ended", "finished")]


def test_observers_are_told_why_a_run_failed(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    changes = plain()
    changes["method"]["losses"] = {"reconstruction": {"use": "breaking", "region": None, "at": 2}}
    listener = Listener()
    with pytest.raises(NonFiniteError):
        trained(observed(load_recipe(write_recipe(changes), plugins=plugins), listener), tmp_path / "run", plugins)
    assert listener.heard[-1][1].startswith("failed: NonFiniteError: ")


# -- precision, devices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"precision": "bfloat16"}, {"channels_last": False}, {"channels_last": True}])
def test_ways_to_compute(write_recipe: Write, tmp_path: Path, plugins: Plugins, options: dict[str, Any]) -> None:
    """Each learns, in float32 weights, about the same as the default."""
    critics = {"image": {"net": {"use": "dcgan", "size": 16, "width": 4}, "objective": "hinge"}}
    weighed = {"reconstruction": 1, "image": {"match": "reconstruction", "scale": 0.1}}
    method = {"critics": critics, "stages": [{"name": "s", "steps": 3, "weights": weighed}], "ema": 0.9}
    paths = [
        write_recipe({"method": method, "run": changes}, name=name)
        for name, changes in (("default", {}), ("other", options))
    ]
    runs = [trained(load_recipe(path, plugins=plugins), tmp_path / path.stem, plugins) for path in paths]
    one, other = (weights(run, 3) for run in runs)
    assert all(value.dtype == torch.float32 for value in other.values() if value.is_floating_point())
    assert same(one, other) == (options == {"channels_last": True})  # the default on the CPU
    losses = [[line["generator/reconstruction"] for line in run.log() if "stage" in line] for run in runs]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_devices() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(InpaintkitError, match="device 'cuda:99' cannot be used here"):
        pick_device("cuda:99")


# -- training batches --------------------------------------------------------------------------------------------------


class Pictures:
    """Stands for an image set: remembers what was asked."""

    def __init__(self, count: int = 10, side: int = 12) -> None:
        self.pixels = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator(0))

    def __len__(self) -> int:
        return len(self.pixels)

    def prefetch(self, *args: Any) -> None: ...

    def batch(self, indices: Tensor, device: torch.device, rng: torch.Generator | None = None) -> Tensor:
        shift = torch.rand(len(indices), generator=rng) if rng is not None else None
        self.drawn = shift
        return self.pixels[indices]


def batches_of(pictures: Any, seed: int = 0) -> TrainingBatches:
    from inpaintkit.components.masks import RandomSquare

    def augment(image: Tensor) -> Tensor:
        batches_of.noise = torch.rand(len(image))  # type: ignore[attr-defined]
        return image

    return TrainingBatches(pictures, RandomSquare(3, 6), augment, 4, (12, 12), seed, torch.device("cpu"))


def test_batches_are_functions_of_seed_and_step() -> None:
    one, other = batches_of(Pictures()), batches_of(Pictures())
    forward = {step: one(step) for step in range(6)}
    torch.rand(7)
    for step in reversed(range(6)):
        again = other(step)
        assert torch.equal(again.image, forward[step].image)
        assert torch.equal(again.mask, forward[step].mask)
    assert not torch.equal(forward[0].mask, forward[1].mask)
    assert not torch.equal(batches_of(Pictures(), seed=1)(0).mask, forward[0].mask)
    assert forward[0].image.min() >= -1
    assert forward[0].image.max() <= 1


def test_what_follows_in_a_step_is_fixed_too() -> None:
    made, drawn = batches_of(Pictures()), []
    for step in (3, 4, 3):
        made(step)
        drawn.append(torch.rand(5))
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])


def test_windows_and_augmentation_draw_different_numbers() -> None:
    """From one seed both streams would be the same: pictures cut at the left would be the ones that are flipped."""
    pictures = Pictures()
    batches_of(pictures)(0)
    assert pictures.drawn is not None
    assert not torch.equal(pictures.drawn, batches_of.noise)  # type: ignore[attr-defined]


def test_fixed_batches_begin_alike() -> None:
    """Each picture with the mask of its index, however many are looked at."""
    from inpaintkit.components.masks import RandomSquare

    masks = RandomSquare(3, 6)
    few = fixed_batch(Pictures(), masks, 4, (8, 8), 0, torch.device("cpu"))  # type: ignore[arg-type]
    more = fixed_batch(Pictures(), masks, 40, (8, 8), 0, torch.device("cpu"))  # type: ignore[arg-type]
    assert few.image.shape == (4, 3, 8, 8)
    assert more.image.shape == (10, 3, 8, 8)
    assert torch.equal(few.mask, more.mask[:4])
    expected = [masks(1, (8, 8), generator(seed_of(0, "fixed", index))) for index in range(4)]
    assert torch.equal(few.mask, torch.cat(expected))


# -- the trained method -----------------------------------------------------------------------------------------------


def test_load_gives_the_average_without_what_only_training_needs(
    write_recipe: Write, tmp_path: Path, plugins: Plugins
) -> None:
    critics = {"image": {"net": {"use": "dcgan", "size": 16, "width": 4}, "objective": "hinge"}}
    weighed = {"reconstruction": 1, "image": {"match": "reconstruction", "hold": 2}}
    stages = [{"name": "s", "steps": 4, "weights": weighed}]
    changes = {"method": {"critics": critics, "stages": stages, "ema": 0.5}}
    recipe = load_recipe(write_recipe(changes), plugins=plugins)
    run = trained(recipe, tmp_path / "run", plugins)
    made: Any
    made, trained_by = open_run(run.folder, plugins=plugins)
    assert trained_by is not None
    assert trained_by.data == recipe.data
    assert not made.training
    assert not any(parameter.requires_grad for parameter in made.parameters())
    assert len(made.critics) == len(made.losses) == 0
    saved = weights(run, 4)
    for name, value in made.averaged.state_dict().items():
        assert torch.equal(value, saved[f"averaged.{name}"])
    given = Batch(torch.rand(1, 3, 16, 16) * 2 - 1, torch.zeros(1, 1, 16, 16))
    given.mask[..., 4:8, 4:8] = 1
    drawn = made.inpaint(given.masked, given.mask)
    assert torch.equal(drawn, made.averaged(given.masked, given.mask))
    older: Any = load(run.checkpoints / "step-00000002", plugins=plugins)
    assert not torch.equal(older.averaged.out.weight, made.averaged.out.weight)


def test_load_of_what_was_never_trained(write_recipe: Write, tmp_path: Path, plugins: Plugins) -> None:
    path = write_recipe(plain())
    with pytest.raises(InpaintkitError, match="is the recipe of a method that is trained: run it first"):
        load(path, plugins=plugins)
    run = begin(load_recipe(path, plugins=plugins), tmp_path / "run", tmp_path, resume=False)
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        load(run.folder, plugins=plugins)
    with pytest.raises(InpaintkitError, match="is no run"):
        load(tmp_path, plugins=plugins)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    yield
    torch.set_num_threads(1)


def test_complete_trains_and_reports(write_recipe: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = load_recipe(write_recipe({}))
    pipeline.run(recipe, None, tmp_path / "runs", resume=False)
    run = Run(tmp_path / "runs" / "small")
    assert "<html" in (run.folder / "report.html").read_text()[:2000]
    assert str(run.folder) in capsys.readouterr().out
    pipeline.run(recipe, None, tmp_path / "runs", resume=True)
    assert not (tmp_path / "runs" / "small-2").exists()
