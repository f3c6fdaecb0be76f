"""results.json: written, read back, damaged."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from inpaintkit import InpaintkitError
from inpaintkit.evaluation.results import FILE, Example, MetricResult, Results, read_results, to_json, write_results
from inpaintkit.evaluation.statistics import Interval
from inpaintkit.runtime.files import LOCK, write_atomically

from .toys import COUNT


def test_results_come_back_as_they_went(results: Results, tmp_path: Path) -> None:
    odd = MetricResult(Interval(math.inf, -math.inf, math.nan, 3), True, (math.inf, math.nan, 1.5))
    row = attrs.evolve(results.row, metrics={**results.row.metrics, "odd": odd}, non_finite=("a",), training_seeds=1)
    before = attrs.evolve(results, row=row, pictures=(Example("best", 0, "a", math.inf, "best.png"),))
    write_results(tmp_path / "r", before, {"best.png": b"png"})
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
    assert tree["baselines"][0]["metrics"]["psnr[hole,toy]"]["mean"]
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
    write_results(where, first, {"best-1.png": b"one"})
    real = write_atomically

    def full(path: Path, content: bytes | str) -> None:
        if path.name == FILE:
            raise OSError("disk full")
        real(path, content)

    second = attrs.evolve(results, pictures=(Example("best", 0, "a", 2.0, "best-2.png"),))
    with monkeypatch.context() as patch:
        patch.setattr("inpaintkit.evaluation.results.write_atomically", full)
        with pytest.raises(InpaintkitError, match="disk full"):
            write_results(where, second, {"best-2.png": b"two"})
    assert read_results(where).pictures == first.pictures
    assert (where / "best-1.png").read_bytes() == b"one"
    (where / ".results.json.1.part").write_text("left by a process that was killed")
    write_results(where, second, {"best-2.png": b"two"})
    assert sorted(path.name for path in where.iterdir()) == [LOCK, "best-2.png", FILE]  # nothing stale stays
