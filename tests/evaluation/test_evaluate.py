"""Evaluation: what methods are given, what is measured, what is written; against brute force on small pictures."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor, nn

from inpaintkit import DataError, InpaintkitError, Method, Metric, OptionError, RecipeError, Sample, hookimpl
from inpaintkit.components.mean_color import MeanColor
from inpaintkit.core.plugins import Plugins, load_plugins
from inpaintkit.evaluation.measure import evaluate, evaluate_run, write_results
from inpaintkit.evaluation.pictures import strip
from inpaintkit.evaluation.protocol import Protocol, load_protocol
from inpaintkit.evaluation.results import (
    FILE,
    Example,
    MetricResult,
    Results,
    Row,
    decimals,
    read_results,
    results_table,
    to_json,
)
from inpaintkit.evaluation.statistics import Interval, bootstrap
from inpaintkit.evaluation.test_set import TestSet, completions
from inpaintkit.runs import checkpoint
from inpaintkit.runtime.files import write_atomically

COUNT, SIDE = 17, 24


class PSNR(Metric):
    label, higher_is_better = "psnr[hole,toy]", True

    def update(self, sample: Sample) -> Tensor:
        levels = ((sample.completed - sample.image) * 127.5 * sample.mask) ** 2
        return 10 * torch.log10(255**2 * 3 * sample.mask.sum((1, 2, 3)) / levels.sum((1, 2, 3)))


class Counted(Metric):
    """A property of the whole set: how many pictures there were, and how many outputs were at 8-bit levels."""

    label = "count[set]"

    def __init__(self) -> None:
        self.count = 0

    def setup(self, device: torch.device) -> None:
        self.count = 0

    def update(self, sample: Sample) -> None:
        for view in (sample.image, sample.output, sample.completed):
            levels = (view + 1) * 127.5
            assert torch.allclose(levels, levels.round(), atol=1e-3)
        self.count += len(sample.image)

    def compute(self) -> float:
        return self.count


def foreign() -> Any:
    """What a plugin may register as it is: any torchmetrics.Metric that compares two pictures."""
    from torchmetrics.image import PeakSignalNoiseRatio

    return PeakSignalNoiseRatio(data_range=1.0)


class Drawn(Method):
    """Draws one color everywhere, after looking at what it was given."""

    def __init__(self, level: float = 0.0) -> None:
        super().__init__()
        self.level = level
        self.shapes: list[tuple[int, ...]] = []

    @property
    def stride(self) -> int:
        return 16

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        assert not self.training
        assert not torch.is_grad_enabled()
        assert (masked * mask).abs().max() == 0
        self.shapes.append(tuple(masked.shape))
        return torch.full_like(masked, self.level)


class Noise(Method):
    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        return torch.rand_like(masked) * 2 - 1


class Trained(Method):
    """Stands for a method with weights: draws its one parameter."""

    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self.color = nn.Parameter(torch.tensor(start))

    @property
    def steps(self) -> int:
        return 5

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        return self.color.expand_as(masked)


class Brings:
    inpaintkit_api = 1

    @hookimpl
    def register_metrics(self, register: Any) -> None:
        register("toy-psnr", PSNR)
        register("counted", Counted)
        register("foreign", foreign)

    @hookimpl
    def register_methods(self, register: Any) -> None:
        register("drawn", Drawn)
        register("trained", Trained)


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    found = load_plugins([])
    assert not found.add("brings", Brings()).error
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures whose names are sorted and whose content gets harder to guess."""
    folder = tmp_path_factory.mktemp("test-set")
    rng = np.random.default_rng(0)
    for index in range(COUNT):
        noise = rng.integers(-6 * index - 2, 6 * index + 3, (SIDE, SIDE, 3))
        Image.fromarray(np.clip(127 + noise, 0, 255).astype(np.uint8)).save(folder / f"{index:02d}.png")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPAINTKIT_CACHE", str(tmp_path / "cache"))


def tree(**changes: Any) -> dict[str, Any]:
    masks = {"use": "random-square", "min": 4, "max": 9}
    return {"name": "toy", "masks": masks, "metrics": ["toy-psnr", "counted"], **changes}


@pytest.fixture
def protocol(plugins: Plugins) -> Protocol:
    return load_protocol(tree(), plugins)


@pytest.fixture
def test_set(protocol: Protocol, folder: Path) -> TestSet:
    return TestSet.open(protocol, folder)


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


# --- what methods are given -----------------------------------------------------------------------------------------


def test_masks_and_pictures_depend_on_the_index_alone(test_set: TestSet, folder: Path) -> None:
    whole = test_set.batch(range(COUNT))
    assert len({tuple(mask.flatten().tolist()) for mask in whole.mask}) > COUNT // 2  # each its own
    for index in (0, 5, 16):
        alone = test_set.batch([index])
        assert torch.equal(alone.mask[0], whole.mask[index])
        pixels = read(folder / f"{index:02d}.png").transpose(2, 0, 1)
        assert torch.allclose(alone.image[0], torch.from_numpy(pixels) / 127.5 - 1, atol=1e-6)


def test_methods_see_padded_pictures_without_the_hidden_pixels(test_set: TestSet) -> None:
    method = Drawn().train()
    parts = list(completions(method, test_set, batch=6))
    assert method.shapes == [(6, 3, 32, 32)] * 2 + [(5, 3, 32, 32)]
    assert method.training  # as it was
    assert [part.sample.output.shape[-1] for part in parts] == [SIDE] * 3
    assert [name for part in parts for name in part.names] == [f"{index:02d}.png" for index in range(COUNT)]
    for part in parts:
        sample, hole = part.sample, part.sample.mask.bool().expand_as(part.sample.image)
        assert torch.equal(sample.completed[~hole], sample.image[~hole])
        assert torch.equal(sample.completed[hole], sample.output[hole])
        assert part.finite.all()


def test_a_method_of_another_size_is_refused(test_set: TestSet) -> None:
    class Tied(Drawn):
        size = 32  # type: ignore[assignment]

    with pytest.raises(OptionError, match="32 x 32"):
        list(completions(Tied(), test_set))


def test_numbers_that_are_none_are_named_and_count_as_black(plugins: Plugins, protocol: Protocol, folder: Path) -> None:
    class Broken(Method):
        def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
            output = torch.where(mask.bool(), masked, masked.new_tensor(math.nan))  # irrelevant: not in the hole
            output[3] = math.inf if len(output) > 3 else 0.0
            return output

    results = evaluate(Broken(), protocol, folder, batch=COUNT, plugins=plugins)
    assert results.row.non_finite == ("03.png",)
    values = results.row.metrics["psnr[hole,toy]"].per_image
    assert values is not None
    assert np.isfinite(values).all()


def test_random_methods_repeat_and_leave_the_global_generator_alone(test_set: TestSet) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = [part.sample.output for part in completions(Noise(), test_set, batch=8)]
    assert torch.equal(torch.rand(3), expected)
    second = [part.sample.output for part in completions(Noise(), test_set, batch=8)]
    assert all(map(torch.equal, first, second))
    assert not torch.equal(first[0], first[1])


def test_limit_spreads_over_all_pictures(plugins: Plugins, folder: Path) -> None:
    test_set = TestSet.open(load_protocol(tree(limit=4), plugins), folder)
    assert test_set.images.names == ("00.png", "04.png", "08.png", "12.png")
    assert len(TestSet.open(load_protocol(tree(limit=99), plugins), folder)) == COUNT


def test_what_cannot_be_measured_is_said(plugins: Plugins, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="names no pictures"):
        TestSet.open(load_protocol(tree(), plugins))
    with pytest.raises(DataError, match="nowhere"):
        TestSet.open(load_protocol(tree(), plugins), tmp_path / "nowhere")
    with pytest.raises(DataError, match="nothing is enlarged"):
        TestSet.open(load_protocol(tree(size=25), plugins), folder)
    with pytest.raises(OptionError, match="another metric is called"):
        evaluate(MeanColor(), load_protocol(tree(metrics=["toy-psnr", "toy-psnr"]), plugins), folder, plugins=plugins)


# --- the hash -------------------------------------------------------------------------------------------------------


def test_the_hash_is_of_what_numbers_depend_on(plugins: Plugins, folder: Path, tmp_path: Path) -> None:
    def hash_of(images: Path = folder, **changes: Any) -> str:
        return TestSet.open(load_protocol(tree(**changes), plugins), images).hash

    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folder, elsewhere)
    original = hash_of()
    assert original == hash_of(elsewhere) == hash_of(name="other", description="words", limit=COUNT)
    touched = tmp_path / "touched"
    shutil.copytree(folder, touched)
    with Image.open(touched / "03.png") as image:
        image.putpixel((0, 0), (1, 2, 3))
        image.save(touched / "03.png")
    changed = [
        hash_of(touched),
        hash_of(seed=1),
        hash_of(limit=4),
        hash_of(size=20),
        hash_of(transform={"rotate": 1}),
        hash_of(masks={"use": "random-square", "min": 4, "max": 8}),
        hash_of(metrics=["toy-psnr"]),
    ]
    assert len({original, *changed}) == len(changed) + 1


# --- the numbers ----------------------------------------------------------------------------------------------------


def by_hand(test_set: TestSet, folder: Path, level: int) -> list[float]:
    values = []
    for index in range(COUNT):
        truth = read(folder / f"{index:02d}.png").astype(float)
        hole = test_set.mask(index)[0, 0].numpy().astype(bool)
        values.append(10 * np.log10(255**2 / ((truth[hole] - level) ** 2).mean()))
    return values


def test_values_agree_with_brute_force_whatever_the_batch(
    plugins: Plugins, protocol: Protocol, test_set: TestSet, folder: Path
) -> None:
    # 0.003 lies between two levels: (1.003) * 127.5 = 127.88, which is 128 when rounded
    found = [evaluate(Drawn(0.003), protocol, folder, batch=batch, plugins=plugins) for batch in (1, 7, 32)]
    for results in found:
        measure = results.row.metrics["psnr[hole,toy]"]
        assert measure.per_image == pytest.approx(by_hand(test_set, folder, 128), abs=1e-4)
        assert measure.interval == bootstrap(measure.per_image or ())
        assert results.row.metrics["count[set]"].interval.mean == COUNT
        assert results.row.metrics["count[set]"].per_image is None
        assert results.hash == test_set.hash
        assert results.ranked_by == "psnr[hole,toy]"
        assert results.row.training_seeds is None  # nobody said how it came about
        assert results.baseline.training_seeds == 0


def test_the_baseline_fills_with_the_mean_of_the_known_pixels(
    plugins: Plugins, protocol: Protocol, test_set: TestSet, folder: Path
) -> None:
    results = evaluate(Drawn(), protocol, folder, plugins=plugins)
    values = []
    for index in range(COUNT):
        truth = read(folder / f"{index:02d}.png").astype(float)
        hole = test_set.mask(index)[0, 0].numpy().astype(bool)
        values.append(10 * np.log10(255**2 / ((truth[hole] - truth[~hole].mean(0).round()) ** 2).mean()))
    assert results.baseline.metrics["psnr[hole,toy]"].per_image == pytest.approx(values, abs=0.05)
    difference = results.differences()
    assert set(difference) == {"psnr[hole,toy]"}  # the set's own measure has no pairs
    ours = np.array(results.row.metrics["psnr[hole,toy]"].per_image)
    assert difference["psnr[hole,toy]"].mean == pytest.approx(float((ours - values).mean()), abs=0.05)
    everything = torch.ones(2, 1, 8, 8)
    assert torch.equal(MeanColor().inpaint(torch.zeros(2, 3, 8, 8), everything), torch.zeros(2, 3, 8, 8))


def test_a_metric_that_is_never_defined_does_not_end_the_evaluation(folder: Path) -> None:
    class Undefined(PSNR):
        label = "undefined"

        def update(self, sample: Sample) -> Tensor:
            return torch.full((len(sample.image),), math.nan)

    class Also(Brings):
        @hookimpl
        def register_metrics(self, register: Any) -> None:
            register("undefined", Undefined)

    found = load_plugins([])
    found.add("also", Also())
    results = evaluate(Drawn(), load_protocol(tree(metrics=["undefined"]), found), folder, plugins=found)
    assert results.row.metrics["undefined"].interval.n == 0
    assert math.isnan(results.row.metrics["undefined"].interval.mean)
    assert results.differences() == {}


def test_a_distance_between_sets_is_refused_before_the_work(plugins: Plugins, folder: Path) -> None:
    metrics = [{"use": "fid", "backbone": "squeezenet1_0", "layer": "fire2", "pretrained": "random", "size": 32}]
    method = Drawn()
    with pytest.raises(InpaintkitError, match="2,000 images, not 17"):
        evaluate(method, load_protocol(tree(metrics=metrics), plugins), folder, plugins=plugins)
    assert method.shapes == []


def test_a_torchmetrics_metric_serves_as_it_is(plugins: Plugins, folder: Path) -> None:
    results = evaluate(Drawn(), load_protocol(tree(metrics=["foreign", "toy-psnr"]), plugins), folder, plugins=plugins)
    measure = results.row.metrics["peak-signal-noise-ratio[0..1]"]
    assert measure.per_image is None
    assert measure.higher_is_better
    assert 15 < measure.interval.mean < 60
    assert results.ranked_by == "psnr[hole,toy]"  # the first with a value per image


# --- what is written ------------------------------------------------------------------------------------------------


@pytest.fixture
def results(plugins: Plugins, protocol: Protocol, folder: Path) -> Results:
    return evaluate(Drawn(), protocol, folder, name="ours", plugins=plugins)


def test_results_come_back_as_they_went(results: Results, tmp_path: Path) -> None:
    odd = MetricResult(Interval(math.inf, -math.inf, math.nan, 3), True, (math.inf, math.nan, 1.5))
    row = attrs.evolve(results.row, metrics={**results.row.metrics, "odd": odd}, non_finite=("a",), training_seeds=1)
    before = attrs.evolve(results, row=row, pictures=(Example("best", 0, "a", math.inf, "best.png"),))
    write_results(tmp_path / "r", before, {0: b"png"})
    after = read_results(tmp_path / "r")
    assert repr(after) == repr(attrs.evolve(before, environment=after.environment))
    json.loads((tmp_path / "r" / FILE).read_text(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def test_results_json_has_what_a_reader_looks_for(results: Results) -> None:
    tree = to_json(results)
    entry = tree["metrics"]["psnr[hole,toy]"]
    assert entry["low"] < entry["mean"] < entry["high"]
    assert (entry["n"], len(entry["per_image"]), tree["images"]["count"]) == (COUNT, COUNT, COUNT)
    assert tree["protocol"]["hash"] == results.hash
    assert tree["protocol"]["masks"] == {"use": "random-square", "max": 9, "min": 4}
    assert tree["baseline"]["metrics"]["psnr[hole,toy]"]["mean"]
    assert {"python", "packages"} <= set(tree["environment"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"format": 1', '"format": 99'),
        lambda text: text.replace('"digest"', '"digets"'),
        lambda text: text.replace('"metrics"', '"metircs"'),
    ],
)
def test_damaged_results_are_said_to_be(damage: Callable[[str], str], results: Results, tmp_path: Path) -> None:
    file = write_results(tmp_path, results)
    file.write_text(damage(file.read_text()))
    with pytest.raises(InpaintkitError, match=r"results\.json is damaged .*evaluate again"):
        read_results(tmp_path)


def test_missing_results_are_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(InpaintkitError, match="no results at"):
        read_results(tmp_path / "none")


def test_a_failure_while_writing_leaves_the_old_results_whole(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "results"
    first = attrs.evolve(results, pictures=(Example("best", 0, "a", 1.0, "best-1.png"),))
    write_results(where, first, {0: b"one"})
    real = write_atomically

    def full(path: Path, content: bytes | str) -> None:
        if path.name == FILE:
            raise OSError("disk full")
        real(path, content)

    second = attrs.evolve(results, pictures=(Example("best", 0, "a", 2.0, "best-2.png"),))
    with monkeypatch.context() as patch:
        patch.setattr("inpaintkit.evaluation.measure.write_atomically", full)
        with pytest.raises(InpaintkitError, match="disk full"):
            write_results(where, second, {0: b"two"})
    assert read_results(where).pictures == first.pictures
    assert (where / "best-1.png").read_bytes() == b"one"
    write_results(where, second, {0: b"two"})
    assert sorted(path.name for path in where.iterdir()) == ["best-2.png", FILE]  # nothing stale stays


def test_the_table_names_everything_and_keeps_its_brackets(results: Results) -> None:
    text = StringIO()
    Console(file=text, width=100).print(results_table(results))
    shown = text.getvalue()
    for part in ("psnr[hole,toy] ↑", "count[set]", "ours", "mean color", "difference", " to ", f"{COUNT} images"):
        assert part in shown


def test_decimals_show_two_digits_of_the_half_width() -> None:
    assert decimals(Interval(21.53, 21.37, 21.69, 9)) == 2
    assert decimals(Interval(0.1, 0.0991, 0.1009, 9)) == 5
    assert decimals(Interval(250.0, 150.0, 350.0, 9)) == 0
    assert decimals(Interval(20.0, math.nan, math.nan, 9)) == 2
    assert decimals(Interval(math.inf, 1.0, math.inf, 9)) == 2
    assert decimals(Interval(3.0, 3.0, 3.0, 9)) == 3


# --- runs -----------------------------------------------------------------------------------------------------------


def make_run(folder: Path, test: Path | None, method: str = "{use: drawn, level: 0.1}", **changes: Any) -> Path:
    folder.mkdir()
    recipe: dict[str, Any] = {"method": method, "evaluate": json.dumps([tree(**changes)])}
    if test is not None:
        recipe["data"] = json.dumps({"train": str(test), "test": str(test), "batch": 2, "size": SIDE})
    (folder / "recipe.yaml").write_text("".join(f"{key}: {value}\n" for key, value in recipe.items()))
    return folder


def test_a_run_is_measured_and_its_pictures_kept(plugins: Plugins, folder: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "myrun", folder)
    (results,) = evaluate_run(run, plugins=plugins)
    assert repr(read_results(run / "results" / "toy").row) == repr(results.row)  # NaN is not equal to itself
    assert (results.row.name, results.row.method, results.row.training_seeds) == ("myrun", "drawn", 0)
    measured = results.row.metrics["psnr[hole,toy]"].per_image or ()
    order = sorted(range(COUNT), key=measured.__getitem__)
    assert [picture.rank for picture in results.pictures] == ["best", "median", *(f"worst {n}" for n in range(1, 13))]
    assert [picture.index for picture in results.pictures] == [order[-1], order[COUNT // 2], *order[:12]]
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    for picture in results.pictures:
        assert (picture.name, picture.value) == (f"{picture.index:02d}.png", measured[picture.index])
        tiles = read(run / "results" / "toy" / picture.file)
        hole, truth = test_set.mask(picture.index)[0, 0].numpy().astype(bool), tiles[:, -SIDE:, :3]
        masked, output, completed = (tiles[:, (SIDE + 1) * at : (SIDE + 1) * at + SIDE, :3] for at in range(3))
        assert np.array_equal(truth, read(folder / picture.name))
        assert (output == 140).all()  # round(1.1 * 127.5)
        assert np.array_equal(completed, np.where(hole[..., None], output, truth))
        assert np.array_equal(masked[~hole], truth[~hole])
        assert len(np.unique(masked[hole])) == 1
        assert (tiles[:, SIDE, 3] == 0).all()  # the gap


def test_a_trained_run_is_measured_at_its_newest_checkpoint(plugins: Plugins, folder: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", folder, "{use: trained}")
    for step, level in ((2, -0.5), (5, 0.5)):
        checkpoint.save(run / "checkpoints", step, Trained(level), {"seconds": 10.0 * step})
    (results,) = evaluate_run(run, plugins=plugins)
    assert (results.row.steps, results.row.training_seconds, results.row.training_seeds) == (5, 50.0, 1)
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    assert results.row.metrics["psnr[hole,toy]"].per_image == pytest.approx(by_hand(test_set, folder, 191), abs=1e-3)


def test_other_protocols_and_pictures_can_be_asked_for(plugins: Plugins, folder: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for index in (1, 2, 3):
        shutil.copy(folder / f"{index:02d}.png", few)
    run = make_run(tmp_path / "run", folder)
    found = evaluate_run(run, [tree(name="a"), tree(name="b", seed=3)], few, plugins=plugins)
    assert [(results.name, results.names) for results in found] == [(n, ("01.png", "02.png", "03.png")) for n in "ab"]
    assert found[0].hash != found[1].hash
    assert [picture.rank for picture in found[0].pictures] == ["best", "median", "worst 1", "worst 2", "worst 3"]


def test_damaged_runs_and_missing_pictures_are_said_plainly(plugins: Plugins, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InpaintkitError, match="is no run"):
        evaluate_run(tmp_path / "nowhere", plugins=plugins)
    without = make_run(tmp_path / "without", None)
    with pytest.raises(DataError, match="names no pictures"):
        evaluate_run(without, plugins=plugins)
    gone = make_run(tmp_path / "gone", tmp_path / "gone-pictures")
    with pytest.raises(DataError, match="gone-pictures"):
        evaluate_run(gone, plugins=plugins)
    untrained = make_run(tmp_path / "untrained", folder, "{use: trained}")
    with pytest.raises(InpaintkitError, match="no usable checkpoint"):
        evaluate_run(untrained, plugins=plugins)
    silent = make_run(tmp_path / "silent", folder)
    (silent / "recipe.yaml").write_text("method: drawn\n")
    with pytest.raises(InpaintkitError, match="which protocol"):
        evaluate_run(silent, plugins=plugins)
    with pytest.raises(RecipeError, match="faces_center_64"):
        evaluate_run(silent, ["faces_center_46"], plugins=plugins)
    (silent / "recipe.yaml").write_text("method: [\n")
    with pytest.raises(RecipeError, match=r"recipe\.yaml:"):
        evaluate_run(silent, plugins=plugins)
    assert not (untrained / "results").exists()


def test_strips_of_large_pictures_have_wider_gaps(plugins: Plugins, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    Image.new("RGB", (96, 96), (10, 20, 30)).save(folder / "a.png")
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    content = strip(test_set.batch([0]), np.zeros((3, 96, 96), np.uint8))
    (tmp_path / "strip.png").write_bytes(content)
    assert read(tmp_path / "strip.png").shape == (96, 4 * 96 + 3 * 3, 4)


def test_rows_say_over_how_many_training_seeds_they_stand() -> None:
    from inpaintkit.evaluation.results import describe_seeds

    words = {None: "training seeds unknown", 0: "not trained", 1: "one training seed", 3: "3 training seeds"}
    for seeds, expected in words.items():
        assert describe_seeds(Row("a", "b", {}, 0.1, training_seeds=seeds)) == expected
