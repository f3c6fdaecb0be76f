"""Rows of earlier comparisons: the same table as in one go, what is refused, and what is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from inpaintkit_compare import Comparison, mean_over, read_comparison, write_comparison
from inpaintkit_compare.comparison import FILE, to_json
from inpaintkit_compare.files import GRID, to_csv, to_markdown
from PIL import Image
from toy_methods import Level

from inpaintkit import RecipeError

from .toys import Broken, Compared, Noise, printed, tree

A, B, C = {"a": Level()}, {"b": Level(0.3)}, {"c": Level(-0.4)}
LARGE = tree(name="large", masks={"use": "center-square", "side": 8})


def numbers(comparison: Comparison) -> list[dict[str, Any]]:
    """All that is known of the rows, but for their costs and where they were measured."""
    rows: list[dict[str, Any]] = to_json(comparison)["rows"]
    costs = ("seconds_per_image", "memory_per_image", "earlier")
    return [{key: value for key, value in row.items() if key not in costs} for row in rows]


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads((folder / FILE).read_text())
    change(content)
    (folder / FILE).write_text(json.dumps(content))


def test_a_table_with_reused_rows_is_the_one_made_in_one_go(compared: Compared, tmp_path: Path) -> None:
    drawn = {"noise": Noise()}
    whole = compared(A, B, drawn, C, best_of=2)
    compared(B, drawn, C, best_of=2, out=tmp_path / "earlier")
    found = compared(A, reuse=[tmp_path / "earlier"], out=tmp_path / "now")
    assert numbers(found) == numbers(whole)
    assert [row.p_holm for row in found.rows] == [row.p_holm for row in whole.rows]
    earlier = read_comparison(tmp_path / "earlier")
    for row in found.rows[1:]:
        before = earlier.row(row.name)
        assert (row.seconds_per_image, row.memory_per_image) == (before.seconds_per_image, before.memory_per_image)
    assert numbers(read_comparison(tmp_path / "now")) == numbers(whole)
    assert repr(read_comparison(tmp_path / "now")) == repr(found)
    assert (found.complete, found.failed, found.reference) == (True, {}, "a")
    again = compared(B, reuse=[found])  # rows keep where they were first measured
    assert [row.name for row in again.rows] == ["b", "a", "noise", "noise, best of 2 (chosen by the truth)", "c"]
    assert again.row("c").earlier == found.row("c").earlier
    assert (again.row("b").earlier, found.row("a").earlier) == (None, None)
    assert again.row("a").earlier is not None


def test_the_grid_has_the_rows_that_ran_now(compared: Compared, tmp_path: Path) -> None:
    earlier = compared(B, C)
    compared(A, reuse=[earlier], pictures=2, out=tmp_path / "now")
    compared(A, pictures=2, out=tmp_path / "alone")
    with Image.open(tmp_path / "now" / GRID) as now, Image.open(tmp_path / "alone" / GRID) as alone:
        assert np.array_equal(np.asarray(now), np.asarray(alone))
    assert "the result of each method that was measured now" in (tmp_path / "now" / "comparison.md").read_text()
    compared({"broken": Broken(ZeroDivisionError())}, reuse=[earlier], out=tmp_path / "failed")
    assert not (tmp_path / "failed" / GRID).exists()
    assert list(read_comparison(tmp_path / "failed").failed) == ["broken"]


def test_an_interrupted_comparison_goes_on(compared: Compared, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        compared(B, {"stopped": Broken(KeyboardInterrupt())}, C, out=tmp_path / "first")
    assert not read_comparison(tmp_path / "first").complete
    with pytest.raises(KeyboardInterrupt):  # what was reused is kept
        compared({"stopped": Broken(KeyboardInterrupt())}, reuse=[tmp_path / "first"], out=tmp_path / "second")
    assert [row.name for row in read_comparison(tmp_path / "second").rows] == ["b"]
    found = compared(A, C, reuse=[tmp_path / "second"])
    assert numbers(found) == numbers(compared(A, C, B))


def test_captions_say_where_reused_rows_were_measured(compared: Compared, tmp_path: Path) -> None:
    earlier = compared(B, {"c_*d*": Level(0.1)}, batch=4)
    there = attrs.evolve(earlier, device="cuda (H100)", environment={**earlier.environment, "inpaintkit": "0.0.9"})
    found = compared(A, reuse=[there, compared(C)])
    assert found.environment["inpaintkit"] != "0.0.9"
    told = "From an earlier comparison, with the time and memory of then: "
    terms = "(in batches of 4 on cuda (H100), inpaintkit 0.0.9)"
    threads = f"{found.threads} thread{'s' if found.threads > 1 else ''}"
    assert f"{told}b, c_*d* {terms}; c (in batches of 32 on cpu with {threads})." in " ".join(
        printed(found, 400).split()
    )
    assert rf"{told}b, c\_\*d\* {terms}; c (" in to_markdown(found)
    assert "in batches of 4 on cuda (H100)" in to_csv(found)
    assert told not in printed(earlier)
    assert "earlier" not in to_json(earlier)["rows"][0]


def test_the_mean_over_protocols_has_reused_rows(compared: Compared, tmp_path: Path) -> None:
    for name, protocol in (("toy", tree()), ("large", LARGE)):
        write_comparison_to(tmp_path / name, compared(B, C, protocol=protocol))
    write_comparison_to(tmp_path / "mean", mean_over([read_comparison(tmp_path / name) for name in ("toy", "large")]))
    parts = [compared(A, protocol=protocol, reuse=[tmp_path]) for protocol in (tree(), LARGE)]
    found, whole = mean_over(parts), mean_over([compared(A, B, C, protocol=protocol) for protocol in (tree(), LARGE)])
    assert numbers(found) == numbers(whole)
    assert found.row("b").seconds_per_image > 0
    assert "From an earlier comparison" in to_markdown(found)
    other = attrs.evolve(read_comparison(tmp_path / "toy"), device="cuda")
    unlike = mean_over([compared(A, reuse=[other]), parts[1]])
    assert np.isnan(unlike.row("b").seconds_per_image)
    assert found.row("a").seconds_per_image > 0
    assert "the time and memory of then: b, c." in to_markdown(unlike)


def write_comparison_to(folder: Path, comparison: Comparison) -> None:
    folder.mkdir()
    write_comparison(folder, comparison)


def test_what_does_not_fit_is_refused_with_what_differs(compared: Compared, folder: Path, tmp_path: Path) -> None:
    method = Level()

    def told(*reuse: Any, **options: Any) -> str:
        with pytest.raises(RecipeError) as error:
            compared({"a": method}, reuse=reuse, **options)
        return str(error.value)

    fits = tmp_path / "all" / "toy"
    for name, protocol in (("toy", tree()), ("large", LARGE)):
        compared(B, protocol=protocol, out=tmp_path / "all" / name)
    compared(B, limit=3, out=tmp_path / "three")
    assert "there is no comparison to reuse for toy" in told(tmp_path / "all" / "large")
    assert "masks.use 'center-square' in place of 'random-square'" in told(tmp_path / "all" / "large")
    assert "three has other pictures (3 in place of 13)" in told(tmp_path / "three")
    assert "three has no comparison under toy" in told(fits, tmp_path / "three")
    changed(tmp_path / "three", lambda tree: tree["images"].update(names=["x"] * 13, digest="other"))
    assert "other pictures, by their names" in told(tmp_path / "three")
    changed(tmp_path / "three", lambda tree: tree["images"].update(names=[f"{at:02d}.png" for at in range(13)]))
    assert "pictures of the same names with other pixels" in told(tmp_path / "three")
    compared(B, out=tmp_path / "all" / "toy-2")
    assert "toy-2 are all under toy as it is here: name the one" in told(tmp_path / "all")
    (tmp_path / "all" / "toy-2" / FILE).write_text("{")
    (tmp_path / "all" / "large" / FILE).write_text("[]")
    both = told(tmp_path / "all", tmp_path / "none", limit=0)
    assert both.count("is damaged") == 2
    assert "no comparison at" in both
    assert "limit 0" in both
    mean = mean_over([compared(B), compared(B, protocol=LARGE)])
    write_comparison_to(tmp_path / "mean", mean)
    assert "is a mean over protocols" in told(tmp_path / "mean")
    assert method.batches == []


def test_of_a_name_the_first_row_counts(compared: Compared) -> None:
    first, second = compared(A, B), compared(B, C)
    found = compared({"c": Level(0.9)}, reuse=[first, second])
    assert [row.name for row in found.rows] == ["c", "a", "b"]
    assert found.rows[0].earlier is None
    drawn = compared({"noise": Noise()}, best_of=2)
    assert [row.name for row in compared({"noise": Noise()}, reuse=[drawn], best_of=2).rows] == [
        row.name for row in drawn.rows
    ]
