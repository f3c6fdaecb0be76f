"""``comparison.json``: written, read back, damaged."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from inpaintkit_compare.comparison import FILE, Comparison, read_comparison, to_json

from inpaintkit import InpaintkitError
from inpaintkit.evaluation.results import MetricResult

from .toys import (
    NAMES,
)


def test_comparisons_come_back_as_they_went(odd_names: tuple[Comparison, Path]) -> None:
    found, out = odd_names
    first = found.rows[0]
    odd = MetricResult.from_values((math.inf, math.nan, 1.5), True)
    row = attrs.evolve(first, metrics={**first.metrics, "odd": odd}, by_seed={**first.by_seed, "odd": (math.inf, 1.0)})
    before = attrs.evolve(found, rows=(row, *found.rows[1:]), failed={"x": "why"})
    text = json.dumps(to_json(before), allow_nan=False)
    assert repr(Comparison.from_conditions_tree(json.loads(text))) == repr(before)
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
