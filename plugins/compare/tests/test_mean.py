"""The mean of comparisons over protocols: its numbers beside plain NumPy, what it leaves out, and the command."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from hypothesis import given, settings, strategies as st
from inpaintkit_compare import Comparison, ComparisonRow, mean_over, read_comparison, write_comparison
from inpaintkit_compare.candidates import Candidate
from inpaintkit_compare.files import to_csv, to_markdown
from inpaintkit_compare.table import comparison_table
from numpy.typing import ArrayLike
from rich.console import Console
from torch import Tensor

from inpaintkit import InpaintkitError, Method, hookimpl
from inpaintkit.cli import main
from inpaintkit.core.plugins import installed
from inpaintkit.evaluation.results import MetricResult, Row
from inpaintkit.evaluation.statistics import Interval, bootstrap, paired_difference, paired_p_value

from .toys import write_protocol

PSNR, SSIM, RING, KID = "psnr[whole,255]", "ssim[whole]", "psnr[ring,255]", "kid"
IMAGES = 9


def row(name: str, values: Mapping[str, ArrayLike], **changes: Any) -> ComparisonRow:
    """A row of training runs; ``values`` are (images,) or (runs, images), and a number for a metric of the set."""
    runs = {label: np.atleast_2d(np.asarray(one, float)) for label, one in values.items() if np.ndim(one)}
    count = len(next(iter(runs.values())))
    measured = []
    for at in range(count):
        metrics = {label: MetricResult.from_values(one[at].tolist(), True) for label, one in runs.items()}
        for label in set(values) - set(runs):
            metrics[label] = MetricResult(Interval(float(np.asarray(values[label])), math.nan, math.nan, IMAGES), False)
        measured.append(Row(name, "toy", metrics, 0.5))
    sources = tuple(f"runs/{at}" for at in range(count))
    seeds = tuple(range(count)) if count > 1 else ()
    candidate = Candidate(name, "toy", sources, seeds, trained=count > 1)
    return attrs.evolve(ComparisonRow.over(candidate, measured, memory=100), **changes)


def comparison(name: str, rows: Sequence[ComparisonRow], **changes: Any) -> Comparison:
    found = Comparison(
        protocol={"name": name, "size": 64},
        hash=f"hash of {name}",
        names=tuple(f"{at}.png" for at in range(IMAGES)),
        digest="pictures",
        reference="first",
        complete=True,
        device="cpu",
        threads=2,
        batch=4,
    )
    for one in rows:
        found = found.with_row(one)
    return attrs.evolve(found, **changes)


def drawn(seed: int, *shape: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(20, 3, shape or (IMAGES,))


def per_image(row: ComparisonRow, label: str) -> tuple[float, ...]:
    found = row.metrics[label].per_image
    assert found is not None
    return found


# --- numbers --------------------------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_numpy_and_are_read_back(tmp_path: Path) -> None:
    names, protocols = ("first", "second", "third"), ("center", "random")
    values = {(p, n): {PSNR: drawn(i + 3 * j), SSIM: drawn(i + 3 * j + 50) / 40} for i, n in enumerate(names)
              for j, p in enumerate(protocols)}  # fmt: skip
    parts = [comparison(p, [row(n, values[p, n]) for n in names]) for p in protocols]
    write_comparison(tmp_path, mean_over(parts))
    found = read_comparison(tmp_path)
    assert found == mean_over(parts)
    assert [one.name for one in found.rows] == list(names)
    assert (found.name, found.reference, found.mean_of) == ("mean of center, random", "first", list(protocols))
    assert (found.names, found.digest, found.complete, found.failed) == (parts[0].names, "pictures", True, {})
    for label in (PSNR, SSIM):
        means = {n: (values["center", n][label] + values["random", n][label]) / 2 for n in names}
        flips = {}
        for one in found.rows:
            assert per_image(one, label) == pytest.approx(means[one.name])
            assert one.metrics[label].interval == bootstrap(per_image(one, label))
            assert one.metrics[label].interval.mean == pytest.approx(means[one.name].mean())
            assert one.metrics[label].higher_is_better
            assert one.by_seed[label] == pytest.approx((means[one.name].mean(),))
            # The mean of the two tables' means: what the paper prints.
            both = [part.row(one.name).metrics[label].interval.mean for part in parts]
            assert one.metrics[label].interval.mean == pytest.approx(sum(both) / 2)
        for name in names[1:]:
            difference = found.row(name).differences[label]
            pair = per_image(found.row(name), label), per_image(found.row("first"), label)
            assert difference.mean == pytest.approx((means[name] - means["first"]).mean())
            assert difference == paired_difference(*pair)
            signs = (np.arange(2**IMAGES)[:, None] >> np.arange(IMAGES) & 1) * 2 - 1  # every sign flip there is
            sums = np.abs(signs @ (means[name] - means["first"]))
            exact = np.mean(sums >= sums[-1] - 1e-9)
            flips[name] = found.row(name).p_values[label]
            assert flips[name] == paired_p_value(*pair)
            assert flips[name] == pytest.approx(exact, abs=0.02)
        small, large = sorted(flips, key=lambda name: flips[name])
        assert found.row(small).p_holm[label] == min(1, 2 * flips[small])
        assert found.row(large).p_holm[label] == max(flips[large], min(1, 2 * flips[small]))
    assert (found.rows[0].differences, found.rows[0].p_values) == ({}, {})


def test_two_training_runs_are_averaged_run_by_run(tmp_path: Path) -> None:
    center, random = drawn(1, 2, IMAGES), drawn(2, 2, IMAGES)
    center[1, 4] = math.nan  # undefined there, so that the picture counts for the other run only
    parts = [
        comparison(name, [row("first", {PSNR: drawn(seed)}), row("ours", {PSNR: values})])
        for name, seed, values in (("center", 3, center), ("random", 4, random))
    ]
    for at, part in enumerate(parts):  # all that is needed is in the files
        (tmp_path / str(at)).mkdir()
        write_comparison(tmp_path / str(at), part)
    ours = mean_over([read_comparison(tmp_path / str(at)) for at in range(2)]).row("ours")
    both = (center + random) / 2
    assert ours.by_seed[PSNR] == pytest.approx(np.nanmean(both, axis=1))
    assert ours.spread(PSNR) == pytest.approx(np.std(np.nanmean(both, axis=1), ddof=1))
    assert per_image(ours, PSNR) == pytest.approx(both.mean(0), nan_ok=True)
    assert ours.metrics[PSNR].interval.n == IMAGES - 1
    assert np.array(ours.images_by_seed[PSNR]) == pytest.approx(both, nan_ok=True)
    assert (ours.seeds, ours.training_seeds, ours.basis) == ((0, 1), 2, "2 training seeds")


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 4), st.integers(1, 3), st.integers(0, 2**16))
def test_a_mean_of_protocols_commutes_with_the_means_of_pictures_and_runs(protocols: int, runs: int, seed: int) -> None:
    values = drawn(seed, protocols, runs, IMAGES)
    parts = [comparison(f"p{at}", [row("first", {PSNR: one})]) for at, one in enumerate(values)]
    found = mean_over(parts).row("first")
    assert found.metrics[PSNR].interval.mean == pytest.approx(values.mean())
    assert found.by_seed[PSNR] == pytest.approx(values.mean((0, 2)))
    turned = mean_over(parts[::-1])
    assert per_image(turned.row("first"), PSNR) == pytest.approx(per_image(found, PSNR))
    assert turned.hash != mean_over(parts).hash


def test_what_is_undefined_under_one_protocol_is_so_in_the_mean() -> None:
    values = [drawn(1), drawn(2)]
    values[0][:3] = math.nan, math.inf, math.inf
    values[1][1] = -math.inf
    found = mean_over([comparison(name, [row("first", {PSNR: one})]) for name, one in zip("ab", values, strict=True)])
    means = per_image(found.row("first"), PSNR)
    assert [str(value) for value in means[:3]] == ["nan", "nan", "inf"]
    assert means[3:] == pytest.approx((values[0][3:] + values[1][3:]) / 2)
    assert found.row("first").metrics[PSNR].interval.n == IMAGES - 2


def test_a_metric_that_no_picture_has_stays_undefined() -> None:
    nowhere = np.full(IMAGES, math.nan)
    parts = [comparison(name, [row("first", {PSNR: drawn(1), RING: nowhere})]) for name in "ab"]
    found = mean_over(parts).row("first")
    assert (found.metrics[RING].interval.n, math.isnan(found.by_seed[RING][0])) == (0, True)
    assert "nan" not in to_markdown(mean_over(parts))


# --- what is left out -----------------------------------------------------------------------------------------------


def test_metrics_are_those_that_all_have_for_each_picture() -> None:
    center = comparison("center", [row("first", {RING: drawn(1), PSNR: drawn(2), KID: 0.1, SSIM: drawn(3)})])
    random = comparison("random", [row("first", {SSIM: drawn(4), KID: 0.2, PSNR: drawn(5)})])
    assert mean_over([center, random]).labels == [PSNR, SSIM]
    other = comparison("other", [row("first", {RING: drawn(1), KID: 0.1})])
    with pytest.raises(InpaintkitError, match="no metric with a value for each picture is common"):
        mean_over([random, other])


def test_a_row_that_failed_under_one_protocol_is_left_out_and_named(tmp_path: Path) -> None:
    names = ("first", "second", "third")
    center = comparison("center", [row(name, {PSNR: drawn(at)}) for at, name in enumerate(names)])
    random = comparison(
        "random", [row(name, {PSNR: drawn(at + 7)}) for at, name in enumerate(names) if name != "second"],
        failed={"second": "the hole is | too large"},
    )  # fmt: skip
    for parts in ([center, random], [random, center]):
        found = mean_over(parts)
        assert [one.name for one in found.rows] == ["first", "third"]
        assert found.failed == {"second": "random: the hole is | too large"}
        third = found.row("third")
        assert third.p_holm == third.p_values  # one test is left: nothing to correct
    assert "- second failed: random: the hole is \\| too large" in to_markdown(found)
    last = list(csv.DictReader(io.StringIO(to_csv(found))))[-1]
    assert (last["row"], last["error"]) == ("second", "random: the hole is | too large")
    absent = mean_over([center, attrs.evolve(random, failed={})])
    assert absent.failed == {"second": "random: not measured"}
    first = attrs.evolve(random, rows=random.rows[1:], failed={"first": "odd"})
    found = mean_over([center, first])
    assert [(one.name, one.differences) for one in found.rows] == [("third", {})]
    assert "The first row, first, failed" in to_markdown(found)
    with pytest.raises(InpaintkitError, match="no row has its numbers under every protocol"):
        mean_over([center, attrs.evolve(random, rows=())])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"steps": 10}, "steps 0 under center, 10 under random"),
        ({"kind": "other"}, "kind 'toy' under center, 'other' under random"),
        ({"seeds": (3,)}, r"seeds () under center, (3,) under random"),
    ],
)
def test_another_method_of_the_same_name_is_no_row(changes: dict[str, Any], told: str) -> None:
    same = row("first", {PSNR: drawn(1)})
    ours = row("ours", {PSNR: drawn(2)})
    found = mean_over([
        comparison("center", [same, ours]),
        comparison("random", [same, attrs.evolve(ours, **changes)]),
    ])  # fmt: skip
    assert [one.name for one in found.rows] == ["first"]
    assert found.failed == {"ours": f"not the same method: {told}"}


def test_other_pictures_are_refused() -> None:
    rows = [row("first", {PSNR: drawn(1)})]
    center, random = comparison("center", rows), comparison("random", rows)
    mean_over([center, random])
    for changes in ({"digest": "others"}, {"names": random.names[::-1]}):
        with pytest.raises(InpaintkitError, match=r"center and random were measured on different pictures \(9 and 9\)"):
            mean_over([center, attrs.evolve(random, **changes)])
    with pytest.raises(InpaintkitError, match="center and again are the same protocol"):
        mean_over([center, random, attrs.evolve(center, protocol={"name": "again"})])
    with pytest.raises(InpaintkitError, match="two comparisons or more"):
        mean_over([center])


# --- costs and words ------------------------------------------------------------------------------------------------


def printed(comparison: Comparison) -> str:
    text = io.StringIO()
    Console(file=text, width=100).print(comparison_table(comparison, 100))
    return " ".join(text.getvalue().split())


def test_costs_are_of_the_same_device_or_none() -> None:
    one = row("first", {PSNR: drawn(1)}, seconds_per_image=0.2, memory_per_image=2**20, non_finite=("1.png",))
    other = row("first", {PSNR: drawn(2)}, seconds_per_image=0.4, memory_per_image=2**22, non_finite=("0.png", "1.png"))
    found = mean_over([comparison("center", [one]), comparison("random", [other])])
    assert found.rows[0].seconds_per_image == pytest.approx(0.3)
    assert (found.rows[0].memory_per_image, found.rows[0].non_finite) == (2**22, ("1.png", "0.png"))
    for part in (
        "9 images under mean of center, random, protocol ", "; in batches of 4 on cpu with 2 threads.",
        "Each image counts with its mean over center and random.", "the mean time and the most memory", "300 ms",
    ):  # fmt: skip
        assert part in printed(found)
    found = mean_over([comparison("center", [one]), comparison("random", [other], batch=8)])
    assert math.isnan(found.rows[0].seconds_per_image)
    assert found.rows[0].memory_per_image is None
    assert "in batches of" not in printed(found)
    unknown = attrs.evolve(other, memory_per_image=None)
    found = mean_over([comparison("center", [one]), comparison("random", [unknown])])
    assert found.rows[0].memory_per_image is None


def test_the_protocols_are_kept_in_full_and_the_hash_is_theirs() -> None:
    rows = [row("first", {PSNR: drawn(1)})]
    same = {"python": "3.12", "commit": "a"}
    center = comparison("center", rows, environment=same, plugins={"classical": "0.1"})
    random = comparison("random", rows, environment={**same, "commit": "b"}, plugins={"classical": "0.1"})
    found = mean_over([center, random])
    assert found.protocol["mean_of"] == [{**part.protocol, "hash": part.hash} for part in (center, random)]
    assert (found.environment, found.plugins) == ({"python": "3.12"}, {"classical": "0.1"})
    assert found.hash == mean_over([center, random]).hash
    other = attrs.evolve(random, hash="another")
    hashes = {one.hash for one in (found, mean_over([center, other]), mean_over([random, center]), center, random)}
    assert len(hashes) == 5
    assert not mean_over([center, attrs.evolve(random, complete=False)]).complete


# --- the command ----------------------------------------------------------------------------------------------------


class Picky(Method):
    """Draws a gray; refuses large holes."""

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        if mask.sum() > 30 * len(mask):
            raise InpaintkitError("the hole is too large")
        return torch.zeros_like(masked)


class Brings:
    inpaintkit_api = 1

    @hookimpl
    def register_methods(self, register: Any) -> None:
        register("mean-picky", Picky)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: Path) -> Iterator[Path]:
    """A folder with two protocols on the same pictures, one on another picture, and the recipe of a toy."""
    monkeypatch.chdir(tmp_path)
    installed.cache_clear()
    assert not installed().add("mean-toys", Brings()).error
    Path("picky.yaml").write_text(yaml.safe_dump({"method": "mean-picky"}))
    for name, side, images in (
        ("small", 4, pictures),
        ("large", 8, pictures),
        ("one", 4, sorted(pictures.iterdir())[0]),
    ):
        write_protocol(name, side, images)
    yield tmp_path
    installed.cache_clear()


def call(*arguments: str) -> Result:
    result = CliRunner(env={"COLUMNS": "100"}).invoke(
        main, ["compare", *arguments, "--device", "cpu", "--pictures", "0"], prog_name="inpaintkit"
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.usefixtures("place")
def test_the_command_writes_the_mean_beside_the_others() -> None:
    sources = ("classical/mean_color", "picky.yaml", "gray=picky.yaml")
    told = call(*sources, "--protocol", "small.yaml", "--protocol", "large.yaml", "-o", "out")
    assert told.exit_code == 2  # the toy failed
    assert told.stdout.index("large: differences") < told.stdout.index("mean of small, large: differences")
    assert "written to out/mean\nnot in the mean: picky: large: the hole is too large\n" in told.stdout
    assert sorted(path.name for path in Path("out/mean").iterdir()) == [
        "comparison.csv", "comparison.json", "comparison.md"
    ]  # fmt: skip
    found = read_comparison("out/mean")
    small, large = (read_comparison(f"out/{name}").row("mean_color") for name in ("small", "large"))
    assert [one.name for one in found.rows] == ["mean_color"]
    for label in found.labels:
        expected = (np.array(per_image(small, label)) + per_image(large, label)) / 2
        assert per_image(found.rows[0], label) == pytest.approx(expected)


@pytest.mark.usefixtures("place")
def test_the_command_says_why_there_is_no_mean() -> None:
    told = call("classical/mean_color", "--protocol", "small.yaml", "--protocol", "one.yaml")
    assert told.exit_code == 0, told.output
    assert "\nno mean of small, one: small and one were measured on different pictures (12 and 1)" in told.stdout
    assert sorted(path.name for path in Path("comparisons").iterdir()) == ["one", "small"]
    told = call("classical/mean_color", "--protocol", "small.yaml")
    assert "mean of" not in told.stdout
