"""Comparisons: rows over seeds, differences, costs, what is written, and what happens when a method fails."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from PIL import Image, ImageFont
from rich.console import Console
from torch import Tensor, nn

from inpaintkit import Batch, InpaintkitError, Method, Metric, RecipeError, Sample, compare, composite, hookimpl
from inpaintkit.comparison.candidates import Candidate
from inpaintkit.comparison.files import CSV, GRID, MARKDOWN, to_markdown, write_comparison
from inpaintkit.comparison.outcome import FILE, Comparison, ComparisonRow, from_json, read_comparison, to_json
from inpaintkit.comparison.table import caption, comparison_table, memory_text, p_text, seconds_text
from inpaintkit.components.blending import poisson_blend
from inpaintkit.core.plugins import Plugins, load_plugins
from inpaintkit.evaluation.pictures import grid, wrapped
from inpaintkit.evaluation.protocol import load_protocol
from inpaintkit.evaluation.results import MetricResult, Row
from inpaintkit.evaluation.statistics import holm, paired_difference, paired_p_value
from inpaintkit.evaluation.test_set import TestSet, completions
from inpaintkit.runs import checkpoint
from inpaintkit.runtime.memory import PeakMemory, reset_peak
from inpaintkit.runtime.pixels import to_float, to_uint8
from inpaintkit.runtime.progress import report_progress

COUNT, SIDE = 13, 12
L1, SET = "toy-l1|comma, bar", "count[set]"


class Error(Metric):
    """The mean absolute error over the hole; its label has what tables trip over."""

    label, higher_is_better = L1, False

    def update(self, sample: Sample) -> Tensor:
        return ((sample.completed - sample.image).abs() * sample.mask).sum((1, 2, 3)) / (3 * sample.mask.sum((1, 2, 3)))


class Bright(Metric):
    """The mean of the completed picture's whole frame: neither end is better; NaN for every third picture."""

    label = "brightness"

    def __init__(self) -> None:
        self.seen = 0

    def update(self, sample: Sample) -> Tensor:
        values = sample.completed.mean((1, 2, 3))
        values[[at for at in range(len(values)) if (self.seen + at) % 3 == 2]] = math.nan
        self.seen += len(values)
        return values


class Undefined(Error):
    label = "undefined"

    def update(self, sample: Sample) -> Tensor:
        return torch.full((len(sample.image),), math.nan)


class Whole(Metric):
    label, higher_is_better = SET, True

    def __init__(self) -> None:
        self.sum = 0.0

    def update(self, sample: Sample) -> None:
        self.sum += float(sample.completed.double().sum())

    def compute(self) -> float:
        return self.sum


class Level(Method):
    """Draws one level everywhere, and keeps the sizes of the batches that it was given."""

    def __init__(self, level: float = 0.0) -> None:
        super().__init__()
        self.level = level
        self.batches: list[int] = []

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        self.batches.append(len(masked))
        return torch.full_like(masked, self.level)


class Trained(Method):
    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self.color = nn.Parameter(torch.tensor(start))

    @property
    def steps(self) -> int:
        return 4

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        return self.color.expand_as(masked)


class Noise(Method):
    """One random level a picture."""

    randomness = "always"

    def inpaint(self, masked: Tensor, mask: Tensor, *, rng: torch.Generator | None = None) -> Tensor:
        return (torch.rand(len(masked), 1, 1, 1, generator=rng) * 2 - 1).expand_as(masked)


class Broken(Method):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        raise self.error


class Odd(Method):
    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        output = torch.zeros_like(masked)
        output[0] = math.nan
        return output


class Hungry(Method):
    """Takes 16 MB a picture while it works."""

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        extra = torch.ones(len(masked) * 4_000_000)
        return torch.zeros_like(masked) + extra[-1] - 1


class Brings:
    inpaintkit_api = 1

    @hookimpl
    def register_metrics(self, register: Any) -> None:
        for name, metric in (("error", Error), ("bright", Bright), ("undefined", Undefined), ("whole", Whole)):
            register(name, metric)

    @hookimpl
    def register_methods(self, register: Any) -> None:
        register("trained", Trained)


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    found = load_plugins([])
    assert not found.add("brings", Brings()).error
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("test-set")
    rng = np.random.default_rng(0)
    for index in range(COUNT):
        pixels = rng.integers(10 * index, 10 * index + 40 + 8 * (index % 4), (SIDE, SIDE, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index:02d}.png")
    return folder


def tree(**changes: Any) -> dict[str, Any]:
    masks = {"use": "random-square", "min": 3, "max": 6}
    return {"name": "toy", "masks": masks, "metrics": ["error", "bright", "whole", "undefined"], **changes}


Compared = Callable[..., Comparison]


@pytest.fixture
def compared(plugins: Plugins, folder: Path) -> Compared:
    """``compare`` of methods by name, or of sources, on the toy protocol."""

    def run(*sources: Any, protocol: Any = None, images: Any = folder, **options: Any) -> Comparison:
        return compare(sources, protocol or tree(), images, plugins=plugins, **options)

    return run


def values(row: ComparisonRow, label: str = L1) -> tuple[float, ...]:
    found = row.metrics[label].per_image
    assert found is not None
    return found


def printed(comparison: Comparison, width: int = 100) -> str:
    text = io.StringIO()
    Console(file=text, width=width).print(comparison_table(comparison))
    return text.getvalue()


# --- numbers --------------------------------------------------------------------------------------------------------


def test_rows_agree_with_brute_force(compared: Compared, plugins: Plugins, folder: Path) -> None:
    found = compared({"dark": Level(-0.5)}, {"gray": Level()}, "classical/mean_color", batch=5)
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    assert (found.hash, found.names, found.complete, found.failed) == (test_set.hash, test_set.images.names, True, {})
    for row, level in zip(found.rows, (64, 128), strict=False):  # (1 - 0.5) * 127.5 = 63.75
        expected = []
        for index in range(COUNT):
            hole = test_set.mask(index)[0, 0].bool().numpy()
            with Image.open(folder / f"{index:02d}.png") as image:
                expected.append(np.abs(np.asarray(image, float)[hole] - level).mean() / 127.5)
        assert values(row) == pytest.approx(expected, abs=1e-5)
    first = found.rows[0]
    assert found.reference == first.name == "dark"
    assert (first.differences, first.p_values, first.p_holm) == ({}, {}, {})
    for label in (L1, "brightness"):
        p_values = {}
        for row in found.rows[1:]:
            pair = values(row, label), values(first, label)
            assert row.differences[label] == paired_difference(*pair)
            p_values[row.name] = paired_p_value(*pair)
            assert row.p_values[label] == p_values[row.name]
        assert {row.name: row.p_holm[label] for row in found.rows[1:]} == holm(p_values)
    assert {row.differences["brightness"].n for row in found.rows[1:]} == {COUNT - COUNT // 3}
    for row in found.rows:  # what has no value per image, and what is defined for none
        assert set(row.differences) <= {L1, "brightness"}
        assert row.metrics["undefined"].interval.n == 0
        assert row.metrics[SET].per_image is None


def save_run(folder: Path, seed: int, level: float) -> Path:
    folder.mkdir(parents=True)
    recipe = {"name": "ours", "seed": seed, "method": "trained"}
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    checkpoint.save(folder / "checkpoints", 4, Trained(level), {"seconds": 30.0 + seed})
    return folder


def test_a_row_over_seeds_has_their_mean_and_spread(compared: Compared, tmp_path: Path) -> None:
    levels = (-0.6, -0.4, 0.1)
    runs = [save_run(tmp_path / f"run-{seed}", seed, level) for seed, level in enumerate(levels)]
    apart = compared(*(f"{level}={run}" for level, run in zip(levels, runs, strict=True)))
    together = compared({"gray": Level()}, *runs).row("ours")
    assert (together.seeds, together.training_seeds, together.steps) == ((0, 1, 2), 3, 4)
    assert together.training_seconds == pytest.approx(31)
    each = np.array([values(row) for row in apart.rows])
    assert values(together) == pytest.approx(each.mean(0))
    means = each.mean(1)
    assert together.by_seed[L1] == pytest.approx(means)
    assert together.spread(L1) == pytest.approx(math.sqrt(((means - means.mean()) ** 2).sum() / 2))
    assert together.metrics[L1].interval.mean == pytest.approx(means.mean())
    assert together.metrics[SET].interval.mean == pytest.approx(np.mean([row.by_seed[SET][0] for row in apart.rows]))
    assert apart.rows[0].spread(L1) is None
    assert together.basis == "3 training seeds"


def test_the_spread_of_infinite_means_is_undefined() -> None:
    infinite = MetricResult.from_values((math.inf, math.inf), True)
    rows = [
        Row("a", "b", {"psnr": infinite}, 0.1),
        Row("a", "b", {"psnr": MetricResult.from_values((1.0, -math.inf), True)}, 0.1),
    ]
    row = ComparisonRow.over(Candidate("a", "b", ("x", "y"), (0, 1), trained=True), rows)
    assert math.isnan(row.spread("psnr") or 0)
    assert row.metrics["psnr"].interval.n == 1  # the mean of both infinities is none
    one = attrs.evolve(row, metrics={"psnr": MetricResult.from_values((1.0, 2.0), True)})
    other = attrs.evolve(row, metrics={"psnr": infinite})
    assert other.against(one).differences["psnr"].mean == math.inf
    assert other.against(one).p_values == {}


def test_one_picture_has_no_interval_and_no_p(compared: Compared) -> None:
    found = compared({"a": Level(), "b": Level(0.3)}, limit=1)
    assert len(found.names) == 1
    row = found.rows[1]
    assert row.differences[L1].mean == pytest.approx(values(row)[0] - values(found.rows[0])[0])
    assert math.isnan(row.differences[L1].low)
    assert (row.p_values, row.p_holm) == ({}, {})
    assert "nan" not in to_markdown(found)


def test_one_row_has_no_differences(compared: Compared, tmp_path: Path) -> None:
    found = compared({"only": Level()}, out=tmp_path / "out")
    assert found.rows[0].differences == {}
    assert " only " in printed(found)


def test_limit_takes_the_smaller_number(compared: Compared) -> None:
    assert len(compared({"a": Level()}, limit=5).names) == 5
    assert len(compared({"a": Level()}, limit=5, protocol=tree(limit=3)).names) == 3
    assert len(compared({"a": Level()}, limit=99).names) == COUNT


# --- methods that draw at random ------------------------------------------------------------------------------------


def test_best_of_is_a_row_of_its_own(compared: Compared, plugins: Plugins, folder: Path) -> None:
    found = compared({"gray": Level(), "noise": Noise()}, best_of=3, batch=5)
    gray, noise, best = found.rows
    assert [row.name for row in found.rows] == ["gray", "noise", "noise, best of 3 (chosen by the truth)"]
    assert (gray.drawn, noise.drawn, best.drawn) == ("", "one sample", f"best of 3 samples by {L1}")
    assert noise.basis == "not trained, one sample"
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    draws = []
    for draw in range(3):
        parts = list(completions(Noise(), test_set, batch=5, draw=draw))
        draws.append(torch.cat([part.sample.completed for part in parts]))
    assert not any(torch.equal(draws[a], draws[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    truth = test_set.batch(range(COUNT))
    errors = torch.stack([Error().update(Sample(truth.image, truth.mask, {"completed": draw})) for draw in draws])
    assert values(noise) == pytest.approx(errors[0].tolist())
    assert values(best) == pytest.approx(errors.min(0).values.tolist())
    brightness = torch.stack([draw.mean((1, 2, 3)) for draw in draws])[errors.argmin(0), torch.arange(COUNT)]
    defined = [index for index in range(COUNT) if index % 3 != 2]
    assert [values(best, "brightness")[index] for index in defined] == pytest.approx(brightness[defined].tolist())
    assert set(best.differences) == {L1, "brightness"}
    assert best.p_values == {}
    assert best.seconds_per_image > 0
    again = compared({"gray": Level(), "noise": Noise()}, best_of=3, batch=5)
    assert values(again.rows[2]) == values(best)


def test_best_of_needs_somebody_who_draws(compared: Compared) -> None:
    method = Level()
    with pytest.raises(RecipeError, match="none of these methods draws at random"):
        compared({"a": method}, best_of=4)
    with pytest.raises(RecipeError, match="at least 2"):
        compared({"a": Noise()}, best_of=1)
    assert method.batches == []
    told = "no metric of the protocol tells which picture is better"
    with pytest.raises(InpaintkitError, match=told):
        compared({"a": Noise()}, best_of=2, protocol=tree(metrics=["bright", "whole"]))


# --- what is wrong is told before anything is computed --------------------------------------------------------------


def test_everything_wrong_is_told_at_once(compared: Compared, folder: Path, tmp_path: Path) -> None:
    method = Level()

    def told(*sources: Any, **options: Any) -> str:
        with pytest.raises(RecipeError) as error:
            compared({"a": method}, *sources, **options)
        return str(error.value)

    both = told("runs/none", "classical/nothing", protocol="faces_center_46", limit=0)
    for part in ("runs/none", "classical/nothing", "did you mean 'faces_center_64'", "limit 0"):
        assert part in both
    assert "nowhere" in told(images=tmp_path / "nowhere")
    assert "names no pictures, and no run here" in told(images=None)

    class Tied(Level):
        size = 16  # type: ignore[assignment]

    assert "tied works at 16 x 16 only, and toy is at 12" in told({"tied": Tied()})
    assert "metrics[1]" in told(protocol=tree(metrics=["error", "error"]))
    fid = {"use": "fid", "backbone": "squeezenet1_0", "layer": "fire2", "pretrained": "random", "size": 32}
    assert "2,000 images" in told(protocol=tree(metrics=[fid]))
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "something").touch()
    with pytest.raises(InpaintkitError, match="is not empty: nothing is overwritten"):
        compared({"a": method}, out=tmp_path / "held")
    with pytest.raises(InpaintkitError, match="cannot be made"):
        compared({"a": method}, out=tmp_path / "held" / "something" / "in")
    assert method.batches == []


def test_pictures_come_from_the_first_run_that_names_some(compared: Compared, folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    data = {"train": "gone", "test": str(folder), "batch": 1, "size": 8}
    (run / "recipe.yaml").write_text(json.dumps({"method": "mean-color", "data": data}))
    assert len(compared({"a": Level()}, run, images=None).names) == COUNT


# --- a failing method -----------------------------------------------------------------------------------------------


def test_a_failing_method_takes_no_other_down(compared: Compared, tmp_path: Path) -> None:
    found = compared(
        {"a": Level(), "b": Broken(ValueError("cannot\ndraw | this")), "c": Level(0.2), "d": Broken(OSError("no"))},
        out=tmp_path,
    )
    assert [row.name for row in found.rows] == ["a", "c"]
    assert found.complete
    assert found.failed["b"].startswith("ValueError: cannot draw | this (test_rows.py:")
    assert found.rows[1].differences
    assert "- b failed: ValueError: cannot draw \\| this" in (tmp_path / MARKDOWN).read_text()
    lines = list(csv.DictReader(io.StringIO((tmp_path / CSV).read_text())))
    assert {line["row"]: line["error"] for line in lines if line["error"]} == dict(found.failed)
    assert read_comparison(tmp_path).failed == found.failed


def test_without_the_first_row_there_are_no_differences(compared: Compared) -> None:
    found = compared({"a": Broken(ValueError("no")), "b": Level(), "c": Level(0.2)})
    assert [row.differences for row in found.rows] == [{}, {}]
    assert found.reference == "a"
    assert "The first row, a, failed: there are no differences." in to_markdown(found)
    printed(found)


def test_when_all_fail_so_does_the_comparison(compared: Compared, tmp_path: Path) -> None:
    with pytest.raises(InpaintkitError, match="no row could be measured: a: ValueError: no"):
        compared({"a": Broken(ValueError("no"))}, out=tmp_path)
    assert "a" in read_comparison(tmp_path).failed
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([FILE, MARKDOWN, CSV])


def test_an_interruption_loses_nothing(compared: Compared, tmp_path: Path) -> None:
    whole = compared({"a": Level(), "b": Level(0.2)})
    with pytest.raises(KeyboardInterrupt):
        compared({"a": Level(), "b": Level(0.2), "c": Broken(KeyboardInterrupt()), "d": Level()}, out=tmp_path)
    kept = read_comparison(tmp_path)
    assert (kept.complete, dict(kept.failed), [row.name for row in kept.rows]) == (
        False,
        {"c": "interrupted"},
        ["a", "b"],
    )
    assert values(kept.rows[1]) == values(whole.rows[1])
    assert "INCOMPLETE" in (tmp_path / MARKDOWN).read_text()


def test_each_row_is_on_disk_before_the_next_begins(compared: Compared, tmp_path: Path) -> None:
    seen: list[list[str]] = []

    class Looks(Level):
        def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
            if (tmp_path / FILE).is_file():
                kept = read_comparison(tmp_path)
                assert not kept.complete
                seen.append([row.name for row in kept.rows])
            return super().inpaint(masked, mask)

    compared({"a": Looks(), "b": Looks(), "c": Looks()}, out=tmp_path, batch=COUNT)
    assert seen == [["a"], ["a", "b"]]
    assert read_comparison(tmp_path).complete


def test_outputs_that_are_no_numbers_are_named(compared: Compared) -> None:
    found = compared({"odd": Odd()}, batch=COUNT)
    assert found.rows[0].non_finite == ("00.png",)
    assert "- odd: 1 image" in to_markdown(found)


# --- costs ----------------------------------------------------------------------------------------------------------


def test_the_first_batch_warms_up(compared: Compared, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Level):
        """Advances the clock by 10 s in its first batch and by 1 s in others."""

        now = 0.0

        def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
            Slow.now += 1.0 if self.batches else 10.0
            return super().inpaint(masked, mask)

    told = sys.platform.startswith("linux") and reset_peak()  # the second batch tells the memory, and no time then
    monkeypatch.setattr("inpaintkit.evaluation.test_set.time.perf_counter", lambda: Slow.now)
    assert compared({"a": Slow()}, batch=4).rows[0].seconds_per_image == pytest.approx(
        (1 / 4 + 1) / 2 if told else 1 / 4
    )
    assert compared({"a": Slow()}, batch=COUNT).rows[0].seconds_per_image == pytest.approx(10 / COUNT)


@pytest.mark.skipif(not sys.platform.startswith("linux") or not reset_peak(), reason="the kernel does not tell")
def test_memory_is_that_of_the_method(compared: Compared) -> None:
    hungry, frugal = compared({"hungry": Hungry(), "frugal": Level()}, batch=4, limit=4).rows
    assert hungry.memory_per_image == pytest.approx(16_000_000, rel=0.1)
    assert (frugal.memory_per_image or 0) < 1_000_000


def test_nothing_is_computed_twice(compared: Compared) -> None:
    """Memory is measured on the second batch while it is measured; blending takes what was drawn."""
    for batch, sizes in ((5, [5, 5, 3]), (7, [7, 6]), (COUNT, [COUNT])):
        method = Level()
        compared({"a": method}, batch=batch, blend="poisson")
        assert method.batches == sizes


def test_memory_is_measured_on_the_second_batch(
    plugins: Plugins, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    method = Level()

    class Peak(PeakMemory):
        def __enter__(self) -> PeakMemory:
            seen.append(len(method.batches))
            return super().__enter__()

    monkeypatch.setattr("inpaintkit.evaluation.test_set.PeakMemory", Peak)
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    for batch, before in ((5, 1), (7, 1), (COUNT, 0)):
        seen.clear()
        method.batches.clear()
        parts = list(completions(method, test_set, batch=batch, memory=True))
        assert seen == [before]
        assert [part.memory is not None for part in parts].count(True) <= 1
    list(completions(method, test_set, batch=5))
    assert seen == [0]


def test_a_search_is_shown(compared: Compared, monkeypatch: pytest.MonkeyPatch) -> None:
    class Searches(Level):
        def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
            report_progress(1, 7)
            time.sleep(0.25)  # bars are drawn ten times a second
            report_progress(7, 7)
            return super().inpaint(masked, mask)

    text = io.StringIO()
    monkeypatch.setattr("rich._console", Console(file=text, force_terminal=True, width=80))
    method = Searches()
    compared({"[a]": method}, batch=COUNT)
    assert text.getvalue() == ""
    compared({"[a]": method}, batch=COUNT, progress=True)
    assert "[a] under toy" in text.getvalue()
    assert "search" in text.getvalue()
    assert "1/7" in text.getvalue()


# --- blending -------------------------------------------------------------------------------------------------------


def test_blending_gives_each_row_a_twin(compared: Compared, plugins: Plugins, folder: Path, tmp_path: Path) -> None:
    found = compared({"gray": Level(), "noise": Noise()}, best_of=3, blend="poisson", batch=5, out=tmp_path)
    best = "best of 3 (chosen by the truth)"
    assert [row.name for row in found.rows] == [
        "gray", "gray + Poisson", "noise", "noise + Poisson", f"noise, {best}", f"noise + Poisson, {best}"
    ]  # fmt: skip
    assert [row.blend for row in found.rows] == ["", "poisson"] * 3
    without = compared({"gray": Level(), "noise": Noise()}, best_of=3, batch=5)
    assert [values(row) for row in found.rows[::2]] == [values(row) for row in without.rows]
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    given = test_set.batch(range(COUNT))
    blended = poisson_blend(torch.zeros_like(given.image), given.masked, given.mask)
    rounded = to_float(to_uint8(blended))
    sample = Sample(given.image, given.mask, {"completed": composite(rounded, given.image, given.mask)})
    assert values(found.rows[1]) == pytest.approx(Error().update(sample).tolist(), abs=2e-3)
    # One level has no gradients: all samples are blended into the same, up to rounding.
    for row in found.rows[3], found.rows[5]:
        assert values(row) == pytest.approx(values(found.rows[1]), abs=2e-3)
    twin = found.rows[1]
    assert twin.differences[L1].mean == pytest.approx(np.mean(np.subtract(values(twin), values(found.rows[0]))))
    assert twin.p_values
    assert not found.rows[5].p_values
    kept = json.loads((tmp_path / FILE).read_text())
    assert [row["blend"] for row in kept["rows"]] == ["", "poisson"] * 3
    assert repr(read_comparison(tmp_path)) == repr(found)
    lines = list(csv.DictReader(io.StringIO((tmp_path / CSV).read_text())))
    assert {(line["row"], line["blend"]) for line in lines} == {(row.name, row.blend) for row in found.rows}
    assert "gray + Poisson" in (tmp_path / MARKDOWN).read_text()
    assert "+ Poisson: what the row before drew, blended" in " ".join(printed(found).split())
    assert "Poisson" not in printed(without)


def test_the_twin_costs_what_is_drawn_and_blended(compared: Compared, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Level):
        now = 0.0

        def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
            Slow.now += 2.0
            return super().inpaint(masked, mask)

    def slow(output: Tensor, masked: Tensor, mask: Tensor) -> Tensor:
        Slow.now += 0.5
        return poisson_blend(output, masked, mask)

    monkeypatch.setattr("inpaintkit.evaluation.test_set.time.perf_counter", lambda: Slow.now)
    monkeypatch.setattr("inpaintkit.components.blending.BLENDS", {"poisson": slow})
    plain, twin = compared({"a": Slow()}, batch=COUNT, blend="poisson").rows
    assert (plain.seconds_per_image, twin.seconds_per_image) == pytest.approx((2 / COUNT, 2.5 / COUNT))
    assert (twin.memory_per_image is None) == (plain.memory_per_image is None)
    assert (twin.memory_per_image or 0) >= (plain.memory_per_image or 0)


def test_hidden_pixels_of_the_truth_do_not_reach_a_blended_completion(plugins: Plugins, folder: Path) -> None:
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    found = []
    for seed in (None, 1, 2):
        if seed is not None:

            def changed(indices: Sequence[int], seed: int = seed) -> Batch:
                given = TestSet.batch(test_set, indices)
                noise = torch.rand(given.image.shape, generator=torch.Generator().manual_seed(seed))
                return Batch(torch.where(given.mask.bool(), noise, given.image), given.mask)

            test_set.batch = changed  # type: ignore[method-assign]
        part = next(completions(Level(0.3), test_set, batch=COUNT, blend=poisson_blend))
        assert part.blended is not None
        found.append(part.blended.sample.completed)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_older_comparisons_are_read(odd_names: tuple[Comparison, Path], tmp_path: Path) -> None:
    old = json.loads((odd_names[1] / FILE).read_text())
    for row in old["rows"]:
        del row["blend"], row["images_by_seed"]
    (tmp_path / FILE).write_text(json.dumps(old))
    assert [row.blend for row in read_comparison(tmp_path).rows] == [""] * 3


def test_blendings_that_are_not_there_are_told_first(compared: Compared) -> None:
    method = Level()
    with pytest.raises(RecipeError, match="there is no blending 'posson', did you mean 'poisson'"):
        compared({"a": method}, blend="posson")
    assert method.batches == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_memory_on_cuda_is_that_of_tensors() -> None:
    with PeakMemory("cuda") as peak:
        torch.ones(4_000_000, device="cuda")
    assert peak.extra == pytest.approx(16_000_000, rel=0.05)


def test_memory_where_nobody_can_tell(compared: Compared, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("inpaintkit.runtime.memory.CLEAR", tmp_path / "none" / "clear_refs")
    found = compared({"hungry": Hungry()}, limit=2)
    assert found.rows[0].memory_per_image is None
    [line] = [line for line in printed(found).splitlines() if line.startswith(" hungry")]
    assert line.split()[-1] == "-"
    with PeakMemory("meta") as peak:
        pass
    assert peak.extra is None
    monkeypatch.setattr("inpaintkit.runtime.memory.STATUS", tmp_path / "none")
    monkeypatch.setattr("inpaintkit.runtime.memory.CLEAR", tmp_path / "clear_refs")
    with PeakMemory() as peak:
        pass
    assert peak.extra is None


# --- what is written ------------------------------------------------------------------------------------------------

NAMES = ('a|b, [c] "d" <e> *f*', "_under_score\\", "=1+2")


@pytest.fixture(scope="module")
def odd_names(plugins: Plugins, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, Path]:
    out = tmp_path_factory.mktemp("odd")
    methods = {name: Level(0.1 * at) for at, name in enumerate(NAMES)}
    return compare(methods, tree(), folder, plugins=plugins, out=out, pictures=3), out


def test_comparisons_come_back_as_they_went(odd_names: tuple[Comparison, Path]) -> None:
    found, out = odd_names
    first = found.rows[0]
    odd = MetricResult.from_values((math.inf, math.nan, 1.5), True)
    row = attrs.evolve(first, metrics={**first.metrics, "odd": odd}, by_seed={**first.by_seed, "odd": (math.inf, 1.0)})
    before = attrs.evolve(found, rows=(row, *found.rows[1:]), failed={"x": "why"})
    text = json.dumps(to_json(before), allow_nan=False)
    assert repr(from_json(json.loads(text))) == repr(before)
    assert repr(read_comparison(out)) == repr(read_comparison(out / FILE)) == repr(found)
    assert found.row(NAMES[1]).name == NAMES[1]
    with pytest.raises(KeyError):
        found.row("nobody")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"format": 1', '"format": 99'),
        lambda text: text.replace('"by_seed"', '"by_sede"'),
    ],
)
def test_damaged_comparisons_are_said_to_be(
    damage: Callable[[str], str], odd_names: tuple[Comparison, Path], tmp_path: Path
) -> None:
    (tmp_path / FILE).write_text(damage((odd_names[1] / FILE).read_text()))
    with pytest.raises(InpaintkitError, match=r"comparison\.json is damaged .*compare again"):
        read_comparison(tmp_path)
    with pytest.raises(InpaintkitError, match="no comparison at"):
        read_comparison(tmp_path / "none")


def cells(line: str) -> list[str]:
    """Of a line of a Markdown table, with the escapes of its cells taken back."""
    parts, at = [""], 1
    while at < len(line):
        if line[at] == "\\":
            parts[-1] += line[at + 1]
            at += 1
        elif line[at] == "|":
            parts.append("")
        else:
            parts[-1] += line[at]
        at += 1
    return [part.strip() for part in parts[:-1]]


def test_markdown_has_every_metric_and_whole_tables(odd_names: tuple[Comparison, Path]) -> None:
    found, out = odd_names
    text = (out / MARKDOWN).read_text(encoding="utf-8")
    assert text == to_markdown(found)
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 1 + len(found.labels)
    for table in tables:
        assert {len(cells(line)) for line in table} == {len(cells(table[0]))}
        assert [cells(line)[0] for line in table[2:]] == list(NAMES)
    assert cells(tables[0][0])[2:-2] == [f"`{L1}` ↓", "`brightness`", f"`{SET}` ↑", "`undefined` ↓"]
    assert found.hash[:12] in text
    assert f"{COUNT} images under toy" in text
    assert f"![Truth, what methods are given, and what each makes of it]({GRID})" in text
    assert "nan" not in text


def test_csv_has_a_line_for_each_row_and_metric(odd_names: tuple[Comparison, Path]) -> None:
    found, out = odd_names
    lines = list(csv.DictReader(io.StringIO((out / CSV).read_text(encoding="utf-8"))))
    assert [(line["row"], line["metric"]) for line in lines] == [
        (row, label) for row in NAMES for label in found.labels
    ]
    by_key = {(line["row"], line["metric"]): line for line in lines}
    line, row = by_key[NAMES[1], L1], found.rows[1]
    for key, value in {
        "mean": row.metrics[L1].interval.mean, "low": row.metrics[L1].interval.low, "p": row.p_values[L1],
        "difference": row.differences[L1].mean, "difference_high": row.differences[L1].high,
        "p_holm": row.p_holm[L1], "seconds_per_image": row.seconds_per_image,
    }.items():  # fmt: skip
        assert float(line[key]) == value
    assert (line["n"], line["training_seeds"], line["hash"]) == (str(COUNT), "0", found.hash)
    undefined = by_key[NAMES[1], "undefined"]
    assert [undefined[key] for key in ("mean", "low", "difference", "p_holm")] == [""] * 4


def test_the_grid_shows_truth_masked_and_each_method(
    odd_names: tuple[Comparison, Path], plugins: Plugins, folder: Path
) -> None:
    found, out = odd_names
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    chosen = (0, 6, 12)
    assert found.pictures == tuple(f"{index:02d}.png" for index in chosen)
    with Image.open(out / GRID) as picture:
        page = np.asarray(picture.convert("RGB"))
    side = 8 * SIDE  # 96
    top = page.shape[0] - len(chosen) * (side + 4)
    assert page.shape[1] == 4 + (2 + len(NAMES)) * (side + 4)
    for y, index in enumerate(chosen):
        with Image.open(folder / f"{index:02d}.png") as image:
            truth = np.asarray(image)
        hole = test_set.mask(index)[0, 0].bool().numpy()
        for x in range(2 + len(NAMES)):
            left, upper = 4 + x * (side + 4), top + y * (side + 4)
            tile = page[upper : upper + side, left : left + side].reshape(SIDE, 8, SIDE, 8, 3)
            assert (tile == tile[:, :1, :, :1]).all()  # each pixel is a square
            small = tile[:, 0, :, 0]
            assert np.array_equal(small[~hole], truth[~hole])
            if x == 0:
                assert np.array_equal(small, truth)
            else:
                assert len(np.unique(small[hole])) == 1
    assert (page[:top] < 128).any()  # the names
    assert (page[top - 4 : top] == 255).all()


def test_names_are_broken_where_they_are_too_long() -> None:
    for font in (ImageFont.load_default(), ImageFont.load_default_imagefont()):
        for name in ("short", "a much longer name for a method_with_underscores, best of 8", "x" * 60, "µ→x"):
            lines = wrapped(name, 96, font)
            assert all(font.getlength(line) <= 96 for line in lines)
            if isinstance(font, ImageFont.FreeTypeFont):
                assert "".join(lines).replace(" ", "") == name.replace(" ", "")
    large = np.zeros((3, 200, 200), np.uint8)
    assert Image.open(io.BytesIO(grid([("a", [large, large])]))).width == 208


def test_no_grid_when_none_is_asked_for(compared: Compared, tmp_path: Path) -> None:
    found = compared({"a": Level()}, out=tmp_path, pictures=0)
    assert not (tmp_path / GRID).exists()
    assert found.pictures == ()
    assert GRID not in (tmp_path / MARKDOWN).read_text()
    assert compared({"a": Level()}, pictures=1).pictures == ("00.png",)
    assert len(compared({"a": Level()}, pictures=99).pictures) == COUNT


def test_a_full_disk_is_told(odd_names: tuple[Comparison, Path], tmp_path: Path) -> None:
    with pytest.raises(InpaintkitError, match="cannot be written"):
        write_comparison(tmp_path / "none", odd_names[0])


def test_the_printed_table_is_readable(compared: Compared, plugins: Plugins) -> None:
    methods = {f"method number {at} with a name": Level(at / 20) for at in range(15)}
    metrics = [{"use": name, "region": region} for name in ("psnr", "l1", "l2") for region in ("hole", "whole", "ring")]
    found = compared(methods, protocol=tree(metrics=metrics))
    shown = printed(found)
    assert max(map(len, shown.splitlines())) <= 100
    assert "…" not in shown
    for at, row in enumerate(found.rows):
        [line] = [line for line in shown.splitlines() if line.startswith(f" method number {at} ")]
        assert f"{row.metrics['psnr[hole,255]'].interval.mean:.1f}" in line
        if at:
            assert f"{row.p_holm['psnr[hole,255]']:.2f}"[:3] in line or "<0.001" in line
    assert found.hash[:12] in shown
    assert "differences from method number 0 with a name in psnr[hole,255]" in shown
    assert "one thread" not in caption(found)


def test_how_numbers_are_written() -> None:
    assert [p_text(value) for value in (None, 0.0001, 0.0344, 1.0)] == ["-", "<0.001", "0.034", "1.000"]
    assert [seconds_text(value) for value in (0.0, 2.34e-6, 0.0123, 0.999, 1.0, 75.2, math.nan)] == [
        "0 µs", "2.3 µs", "12 ms", "999 ms", "1.0 s", "75 s", "-"
    ]  # fmt: skip
    assert [memory_text(value) for value in (None, 0, 2**19, 3 * 2**20, 2**31)] == [
        "-", "0 MB", "0.50 MB", "3.0 MB", "2048 MB"
    ]  # fmt: skip
