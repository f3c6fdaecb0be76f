"""Runs, checkpoints and recipes become rows: what is one recipe, what is refused, and all of it at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from inpaintkit_compare.candidates import Candidate, load_candidates
from safetensors.torch import save_file
from torch import Tensor, nn
from toy_methods import Noise

from inpaintkit import Method, RecipeError, hookimpl
from inpaintkit.core.plugins import Plugins, load_plugins
from inpaintkit.runs import checkpoint

STEPS = 6


class Trained(Method):
    """Draws its one parameter."""

    def __init__(self, start: float = 0.0, bias: float = 0.0, side: int | None = None) -> None:
        super().__init__()
        self.color = nn.Parameter(torch.tensor(start))
        self.bias = bias
        self.side = side

    @property
    def steps(self) -> int:
        return STEPS

    @property
    def size(self) -> int | None:
        return self.side

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        return (self.color + self.bias).expand_as(masked)


class Brings:
    inpaintkit_api = 1

    @hookimpl
    def register_methods(self, register: Any) -> None:
        register("trained", Trained)
        register("noise", Noise)


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    found = load_plugins([])
    assert not found.add("brings", Brings()).error
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recipe(name: str, /, **changes: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "name": "ours",
        "seed": 0,
        "data": {"train": "pictures", "batch": 2, "size": 8},
        "masks": {"use": "center-square", "side": 4},
        "method": {"use": "trained"},
    }
    return {**tree, **changes, "description": f"in {name}"}


def run_folder(name: str, /, *steps: int, seconds: float = 10.0, images: str = "abc", **changes: Any) -> str:
    folder = Path("runs") / name
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(json.dumps(recipe(name, **changes)))
    for step in steps or (STEPS,):
        level = step / 10 + changes.get("seed", 0) / 100
        checkpoint.save(
            folder / "checkpoints", step, Trained(level), {"seconds": seconds, "images": images, "seed": 0}, keep=9
        )
    return str(folder)


def problems(*sources: Any, plugins: Plugins) -> list[str]:
    with pytest.raises(RecipeError) as told:
        load_candidates(sources, plugins)
    return [str(problem) for problem in told.value.problems]


def test_runs_that_differ_in_their_seed_are_one_row(here: Path, plugins: Plugins) -> None:
    sources = [
        run_folder("first", seed=3, seconds=10.0, run={"threads": 1}, evaluate=["demo"]),
        "classical/mean_color",
        run_folder("second", seed=1, seconds=20.0, name="renamed", validate={"every": 2}),
        run_folder("third", seed=2, data={**recipe("")["data"], "cache": "elsewhere", "test": "others"}),
    ]
    ours, mean = load_candidates(sources, plugins)
    assert (ours.name, ours.kind, ours.seeds, ours.steps) == ("ours", "trained", (3, 1, 2), STEPS)
    assert ours.training_seconds == pytest.approx(40 / 3)
    assert [Path(source).parts[1] for source in ours.sources] == ["first", "second", "third"]
    assert (ours.training_seeds, ours.count, ours.stochastic) == (3, 3, False)
    for at, seed in enumerate(ours.seeds):
        method = ours.load(at, "cpu")
        assert isinstance(method, Trained)
        assert method.color.item() == pytest.approx(0.6 + seed / 100)
        assert not method.training
    assert (mean.name, mean.kind, mean.sources) == ("mean_color", "mean-color", ("classical/mean_color",))
    assert (mean.seeds, mean.steps, mean.training_seconds, mean.training_seeds) == ((), 0, None, 0)
    [alone] = load_candidates([sources[0]], plugins)
    assert alone.name == "first"


@pytest.mark.parametrize(
    "changes",
    [
        {"method": {"use": "trained", "bias": 0.1}},
        {"masks": {"use": "center-square", "side": 3}},
        {"data": {**recipe("")["data"], "batch": 3}},
        {"images": "other pictures"},
        {"init_from": "weights.safetensors"},
    ],
)
def test_runs_of_different_recipes_are_two_rows(changes: dict[str, Any], here: Path, plugins: Plugins) -> None:
    rows = load_candidates([run_folder("a"), run_folder("b", seed=1, **changes)], plugins)
    assert [row.name for row in rows] == ["a", "b"]
    assert [row.seeds for row in rows] == [(0,), (1,)]


def test_checkpoints_are_candidates_and_unfinished_runs_say_so(here: Path, plugins: Plugins) -> None:
    run = run_folder("a", 2, 4, STEPS)
    earlier = f"{run}/checkpoints/step-00000002"
    rows = load_candidates(
        [run, earlier, f"early={run}/checkpoints/step-00000004", run_folder("b", 4, seed=1)], plugins
    )
    assert [(row.name, row.steps) for row in rows] == [
        ("a", 6), ("a (2 of 6 steps)", 2), ("early", 4)
    ]  # fmt: skip
    assert rows[2].seeds == (0, 1)  # the unfinished run has gone as far, and its name is not asked for
    assert rows[1].load().color.item() == pytest.approx(0.2)  # type: ignore[union-attr]
    newer = checkpoint.save(Path(run) / "checkpoints", 8, Trained(0.8), {"seconds": 1.0}, keep=9)
    assert newer.is_dir()
    assert rows[0].load().color.item() == pytest.approx(0.6)  # type: ignore[union-attr]  # as gathered


def test_labels_name_rows_and_keep_them_apart(here: Path, plugins: Plugins) -> None:
    a, b, c = (run_folder(name, seed=seed) for seed, name in enumerate("abc"))
    one, two = load_candidates([f"one={a}", f"two={b}", c], plugins)
    assert (one.name, one.seeds) == ("one", (0, 2))  # one without a label joins the first row of its recipe
    assert (two.name, two.seeds) == ("two", (1,))
    [row] = load_candidates([a, f"named={b}", f"named={c}"], plugins)
    assert (row.name, row.seeds) == ("named", (0, 1, 2))
    same = load_candidates([f"x={a}", f"y={a}"], plugins)  # the same run in two rows, since that is asked for
    assert [row.name for row in same] == ["x", "y"]
    odd = Path("a=b.yaml")
    odd.write_text("method: noise\n")
    assert [row.name for row in load_candidates([odd, f"label={odd}"], plugins)] == ["a=b", "label"]


def test_names_that_nobody_chose_are_numbered(here: Path, plugins: Plugins) -> None:
    Path("other").mkdir()
    Path("other/mean_color.yaml").write_text("method: noise\n")
    rows = load_candidates(
        ["classical/mean_color", "other/mean_color.yaml", "mean_color (3)=classical/mean_color"], plugins
    )
    assert [row.name for row in rows] == ["mean_color", "mean_color (2)", "mean_color (3)"]
    assert [row.stochastic for row in rows] == [False, True, False]


def test_methods_are_candidates(plugins: Plugins) -> None:
    noise, trained = Noise(), Trained()
    rows = load_candidates([{"a": noise, "b": trained}, "classical/mean_color"], plugins)
    assert [(row.name, row.kind, row.stochastic) for row in rows[:2]] == [("a", "Noise", True), ("b", "Trained", False)]
    assert rows[0].load() is noise
    assert [row.training_seeds for row in rows] == [0, None, 0]  # nobody knows how the trained one came about


def test_a_run_of_an_untrained_method_and_the_size_that_one_is_tied_to(here: Path, plugins: Plugins) -> None:
    folder = Path("runs/noise")
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text("method: noise\nname: something\n")
    tied = run_folder("tied", method={"use": "trained", "side": 24})
    rows = load_candidates([folder, tied], plugins)
    assert [(row.name, row.size, row.sources[0]) for row in rows] == [
        ("noise", None, folder), ("tied", 24, Path(tied) / "checkpoints" / "step-00000006")
    ]  # fmt: skip


def test_two_runs_with_one_seed_are_not_two_seeds(here: Path, plugins: Plugins) -> None:
    a, b = run_folder("a"), run_folder("b")
    [told] = problems(a, b, plugins=plugins)
    assert told.startswith(f"{a} and {b} are runs of one recipe with the same seed 0")
    [told] = problems(a, f"{a}/checkpoints/step-00000006", plugins=plugins)
    assert "same seed 0" in told


def test_everything_wrong_is_told_at_once(here: Path, plugins: Plugins) -> None:
    good = run_folder("good")
    damaged = run_folder("damaged", 2, 4, seed=1)
    weights = Path(damaged) / "checkpoints" / "step-00000004" / "method.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x07")
    empty = Path("runs/empty")
    empty.mkdir()
    unfit = run_folder("unfit")
    other = Path(unfit) / "checkpoints" / "step-00000006"
    checkpoint.save(other.parent, 6, _Other(), {"seconds": 1.0}, keep=9)
    Path("trained.yaml").write_text(json.dumps(recipe("")))
    Path("wrong.yaml").write_text("method: {use: nois}\nrequires: [patch-nets]\n")
    told = problems(
        good, "runs/none", "classical/mean_colour", damaged, f"x={weights.parent}", empty, unfit, "trained.yaml",
        "wrong.yaml", "=a", "A=classical/mean_color", "A=wrong-name", "A=" + good, "classical/mean_color",
        "classical/mean_color", {"z": "not a method"}, plugins=plugins,
    )  # fmt: skip
    expected = [
        "runs/none: there is no such run",
        "classical/mean_colour: there is no such run, checkpoint, recipe file or bundled recipe, did you mean "
        "'classical/mean_color'?",
        "to compare an older checkpoint name it: runs/damaged/checkpoints/step-00000002",
        "x=runs/damaged/checkpoints/step-00000004: ",
        "runs/empty is no run: it holds no recipe.yaml",
        "does not fit this method",
        "trained.yaml is the recipe of a method that is trained: run it first",
        "'nois', did you mean 'noise'?",
        "plugin 'patch-nets' is not installed",
        "=a: a named row is written LABEL=SOURCE",
        "A=wrong-name: there is no such run",
        "classical/mean_color is given twice",
        "z: str is no Method",
        "runs of one recipe with the same seed 0",
        "two rows are named 'A'",
    ]
    for part in expected:
        assert sum(part in one for one in told) == 1, (part, told)
    assert len(told) == len(expected), "\n".join(told)


class _Other(Method):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))


def test_nothing_is_nothing_to_compare(plugins: Plugins) -> None:
    assert problems(plugins=plugins) == ["nothing to compare: name runs, or recipes of untrained methods"]


def test_a_candidate_of_its_own_making() -> None:
    candidate = Candidate("mean", "mean-color", ("classical/mean_color",))
    assert type(candidate.load()).__name__ == "MeanColor"


def test_a_recipe_with_weights_is_trained_by_nobody_knows_how_many_seeds(here: Path, plugins: Plugins) -> None:
    save_file(Trained(0.5).state_dict(), "w.safetensors")
    Path("ours.yaml").write_text(json.dumps(recipe("ours", weights="w.safetensors")))
    [row] = load_candidates("ours.yaml", plugins)
    assert (row.name, row.trained, row.seeds, row.training_seeds) == ("ours", True, (), None)
    method = row.load()
    assert isinstance(method, Trained)
    assert float(method.color) == 0.5
