"""Numbers as text, and the printed table."""

from __future__ import annotations

import math
from io import StringIO

from rich.console import Console

from inpaintkit.evaluation.formatting import decimals, describe_seeds, results_table
from inpaintkit.evaluation.results import Results
from inpaintkit.evaluation.statistics import Interval

from .toys import COUNT


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


def test_rows_say_over_how_many_training_seeds_they_stand() -> None:
    words = {None: "training seeds unknown", 0: "not trained", 1: "one training seed", 3: "3 training seeds"}
    for seeds, expected in words.items():
        assert describe_seeds(seeds) == expected
