"""A whole run: what it reads and builds, and that its evaluation is that of the method on the disk."""

from __future__ import annotations

import copy
import functools
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save_file
from torch import nn
from toy_runs import plain, steps_of, toy_plugins

from inpaintkit import pipeline
from inpaintkit.core.config import layers
from inpaintkit.core.errors import CheckpointError, InpaintkitError, RecipeError
from inpaintkit.core.interfaces import Method
from inpaintkit.core.plugins import Plugins
from inpaintkit.pipeline import begin, changed, cost, run
from inpaintkit.recipe import load_recipe
from inpaintkit.runs import Run, load
from inpaintkit.training import Adversarial, train

Write = Callable[..., Path]
PROTOCOL = {"masks": {"use": "center-square", "side": 6}, "metrics": ["psnr", "l1"]}


@pytest.fixture
def recipe_file(write_recipe: Write, pictures: Path, tmp_path: Path) -> Path:
    """A recipe of two stages that extends another, with a critic, an average, and two protocols in files."""
    for name in ("one", "two"):
        tree = {**PROTOCOL, "name": name, "prepare": {"crop": 16}, "seed": len(name)}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(tree))
    write_recipe({"data": {"test": str(pictures)}}, name="base")
    method = {
        "ema": 0.9,
        "critics": {"image": {"net": {"use": "dcgan", "size": 16, "width": 4}, "objective": "hinge"}},
        "stages": [
            {"name": "first", "steps": 2, "weights": {"reconstruction": 1}},
            {"name": "second", "steps": 2, "weights": {"reconstruction": 1, "image": 0.1}},
        ],
    }
    tree = {
        "extends": "base.yaml",
        "method": method,
        "evaluate": [str(tmp_path / "one.yaml"), str(tmp_path / "two.yaml")],
    }
    path = tmp_path / "counted.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def numbers(run: Run) -> dict[str, Any]:
    """Values of all metrics, picture by picture, and the names of the files, which are hashes of their pixels."""
    found = {}
    for path in sorted(run.results.glob("*/results.json")):
        results = json.loads(path.read_text())
        found[path.parent.name] = (results["metrics"], results["baselines"][0]["metrics"], results["pictures"])
    assert list(found) == ["one", "two"]
    return found


def test_one_run_reads_each_file_once_and_builds_the_method_twice(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[str] = Counter()
    built: list[str] = []
    read_file, construct = layers.read, Method.__init__

    def counting(path: Path, *arguments: Any) -> Any:
        read[path.name] += 1
        return read_file(path, *arguments)

    def constructed(method: Method, *arguments: Any, **options: Any) -> None:
        construct(method, *arguments, **options)
        if type(method).__name__ == "Adversarial":
            built.append(str(torch.empty(0).device))

    monkeypatch.setattr(layers, "read", counting)
    monkeypatch.setattr(Method, "__init__", constructed)
    pipeline.run(load_recipe(recipe_file), tmp_path / "run", tmp_path, show=False)
    assert read == {"counted.yaml": 1, "base.yaml": 1, "one.yaml": 1, "two.yaml": 1}
    assert built == ["meta", "cpu"]


def test_the_evaluation_after_training_is_that_of_the_checkpoint(recipe_file: Path, tmp_path: Path) -> None:
    """Bit by bit, though training ran in channels_last; also after a resumption with nothing left to train."""
    recipe = load_recipe(recipe_file)
    run = pipeline.run(recipe, tmp_path / "run", tmp_path, show=False)
    after_training = numbers(run)
    pipeline.evaluate(run.folder, device="cpu", show=False)
    assert numbers(run) == after_training
    pipeline.run(recipe, run.folder, tmp_path, resume=True, show=False)
    assert numbers(run) == after_training


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's compiler looks at it
def test_the_evaluation_after_a_compiled_training_is_that_of_the_checkpoint(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled code rounds differently; here it adds 0.5, which shows in every number."""
    compiled: list[nn.Module] = []
    built: list[Method] = []
    construct, compile_network = Adversarial.__init__, nn.Module.compile

    def shifting(graph: Any, inputs: Any) -> Any:
        return lambda *given: [output + 0.5 for output in graph(*given)]

    def compile_shifting(network: nn.Module) -> None:
        compiled.append(network)
        compile_network(network, backend=shifting)

    @functools.wraps(construct)  # the signature is the schema of the options
    def constructed(method: Adversarial, *arguments: Any, **options: Any) -> None:
        built.append(method)
        construct(method, *arguments, **options)

    monkeypatch.setattr(nn.Module, "compile", compile_shifting)
    monkeypatch.setattr(Adversarial, "__init__", constructed)
    recipe = load_recipe(recipe_file, sets=["run.compile=true", "method.ema=null"])
    run = pipeline.run(recipe, tmp_path / "run", tmp_path, show=False)
    assert len(compiled) == 2  # the generator and the critic's network
    assert len(built) == 2  # on the meta device and for the training
    after_training = numbers(run)
    pipeline.evaluate(run.folder, device="cpu", show=False)
    assert numbers(run) == after_training


def test_train_returns_the_method_as_load_does(recipe_file: Path, tmp_path: Path) -> None:
    recipe = load_recipe(recipe_file)
    run = pipeline.begin(recipe, tmp_path / "run", tmp_path, resume=False)
    method = train(recipe, run, show=False)
    loaded = load(run.folder)
    state = method.state_dict()
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(state[name], tensor)
        assert state[name].stride() == tensor.stride()
    assert not method.training
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in method.parameters())
    assert not any(optimizer.state for optimizer in method.optimizers.values())


@pytest.fixture
def plugins() -> Plugins:
    return toy_plugins()


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


@pytest.mark.parametrize("resume", [False, True], ids=["begun", "resumed"])
def test_two_runs_in_one_folder(write_recipe: Write, tmp_path: Path, resume: bool) -> None:
    """The second names the first, and leaves all as it is."""
    recipe = load_recipe(write_recipe())
    out = tmp_path / "out"
    out.mkdir()
    if resume:
        begin(recipe, out, tmp_path, resume=False)
    with Run(out).locked(), ThreadPoolExecutor(1) as other:  # another thread stands for another process
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
        with pytest.raises(InpaintkitError, match=rf"out is in use by process {os.getpid()} on "):
            other.submit(run, recipe, out, tmp_path, resume=resume, show=False).result()
        with pytest.raises(InpaintkitError, match="out is in use by process"):
            other.submit(train, recipe, Run(out), show=False).result()
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    run(recipe, out, tmp_path, resume=resume, show=False)
    assert steps_of(Run(out))[-1] == 6


def test_a_folder_that_another_run_began_in_the_meantime(
    write_recipe: Write, tmp_path: Path, plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(write_recipe(plain()), plugins=plugins)
    out = tmp_path / "out"
    begun = begin(recipe, out, tmp_path, resume=False, hold=lambda run: None)
    written = begun.recipe_file.read_text()
    monkeypatch.setattr("inpaintkit.pipeline.require_pictures", lambda _: None)
    begun.recipe_file.unlink()
    with pytest.raises(InpaintkitError, match="out is not empty"):
        begin(recipe, out, tmp_path, resume=False, hold=lambda run: run.recipe_file.write_text("other") and None)
    assert begun.recipe_file.read_text() == "other" != written


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


INLINE = """\
evaluate:
  - name: own
    masks: {use: center-square, sid: 6}
    metrics: [psnr, {use: l1, region: outside}]
    size: 0
"""
OWN = {**PROTOCOL, "name": "own", "images": "test", "size": 16}


def test_an_inline_protocol_is_checked_with_the_recipe_and_line_by_line(write_recipe: Write) -> None:
    path = write_recipe({"seed": -1})
    lines = len(path.read_text().splitlines())
    path.write_text(path.read_text() + INLINE)
    with pytest.raises(RecipeError) as caught:
        pipeline.load(path)
    found = {problem.path: int(problem.where.split(":")[-2]) for problem in caught.value.problems}
    seed = found.pop(("seed",))
    assert 1 <= seed <= lines
    own = ("evaluate", 0)
    assert found == {
        (*own, "masks", "sid"): lines + 3,
        (*own, "metrics", 1, "region"): lines + 4,
        (*own, "size"): lines + 5,
    }


def told_of_protocols(path: Path) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        pipeline.check(load_recipe(path))
    return [str(problem).rpartition("/")[2] for problem in caught.value.problems]


def test_an_inline_protocol_of_a_recipe_from_python_is_checked_line_by_line(write_recipe: Write) -> None:
    path = write_recipe()
    lines = len(path.read_text().splitlines())
    path.write_text(path.read_text() + INLINE)
    told = told_of_protocols(path)
    assert [line.split(": ")[:2] for line in told] == [
        [f"small.yaml:{lines + 3}:33", "evaluate[0].masks.sid"],
        [f"small.yaml:{lines + 4}:39", "evaluate[0].metrics[1].region"],
        [f"small.yaml:{lines + 5}:11", "evaluate[0].size"],
    ]


def test_two_protocols_of_one_name_are_a_problem(write_recipe: Write) -> None:
    (problem,) = told_of_protocols(write_recipe({"evaluate": [copy.deepcopy(OWN), {**OWN, "seed": 1}]}))
    assert "evaluate[1]: two protocols are named 'own': give one of them another `name`" in problem


@pytest.mark.parametrize("size", [{"size": 16}, {"size": None, "prepare": {"crop": 16}}])
def test_a_hole_that_does_not_fit_into_the_pictures_is_a_problem(
    size: dict[str, Any], write_recipe: Write, tmp_path: Path
) -> None:
    protocol = {**OWN, **size, "masks": {"use": "center-square", "side": 17}}
    (problem,) = told_of_protocols(write_recipe({"evaluate": [protocol]}))
    assert ": evaluate[0].masks.side: " in problem
    assert "16" in problem
    (tmp_path / "own.yaml").write_text("masks: {use: center-square, side: 17}\nmetrics: [l1]\nsize: 16\nimages: test\n")
    (problem,) = told_of_protocols(write_recipe({"evaluate": [str(tmp_path / "own.yaml")]}))
    assert problem.startswith("own.yaml:1:35: masks.side: ")


def test_baselines_that_cannot_be_used_are_problems_of_the_recipe(write_recipe: Write, tmp_path: Path) -> None:
    path = write_recipe(
        {"baselines": ["classical/harmonc", str(tmp_path / "gone.yaml")], "evaluate": [{**OWN, "sed": 1}]}
    )
    with pytest.raises(RecipeError) as caught:
        pipeline.check(load_recipe(path))
    problems = caught.value.problems
    assert {problem.path for problem in problems} == {("evaluate", 0, "sed"), ("baselines", 0), ("baselines", 1)}
    assert all("small.yaml:" in problem.where for problem in problems)
    assert any("did you mean 'classical/harmonic'?" in problem.message for problem in problems)


def test_changed() -> None:
    assert changed({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) == []
    assert changed({"a": {"b": 1}, "c": 0}, {"a": {"b": 2}, "d": 3}) == [
        "a.b was 1, is 2", "c was 0, is not given", "d was not given, is 3"
    ]  # fmt: skip
    assert changed({"a": [{"b": 1, "c": 2}, 3]}, {"a": [{"b": 1, "c": 4}, 3]}) == ["a[0].c was 2, is 4"]
    (line,) = changed({"a": list(range(1000))}, {"a": "x" * 1000})
    assert line.startswith("a was [0, 1, 2")
    assert len(line) < 200


def test_complete_trains_and_reports(write_recipe: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = load_recipe(write_recipe({}))
    pipeline.run(recipe, None, tmp_path / "runs", resume=False)
    run = Run(tmp_path / "runs" / "small")
    assert "<html" in (run.folder / "report.html").read_text()[:2000]
    assert str(run.folder) in capsys.readouterr().out
    pipeline.run(recipe, None, tmp_path / "runs", resume=True)
    assert not (tmp_path / "runs" / "small-2").exists()


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    yield
    torch.set_num_threads(1)


def test_a_training_that_fails_before_its_first_line_leaves_no_folder(write_recipe: Write, tmp_path: Path) -> None:
    save_file({"other": torch.zeros(1)}, tmp_path / "other.safetensors")
    recipe = load_recipe(write_recipe({"init_from": str(tmp_path / "other.safetensors")}))
    for out in (None, tmp_path / "named"):
        with pytest.raises(CheckpointError, match="does not fit this method"):
            run(recipe, out, tmp_path / "runs", show=False)
    assert not (tmp_path / "named").exists()
    assert not list((tmp_path / "runs").iterdir())


def test_cost() -> None:
    text = "training: 300,500 steps of 32 pictures of 128 x 128, 9,616,000 in all"
    assert cost(load_recipe("iccv_perceptual")) == text
