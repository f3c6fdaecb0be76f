"""Numbers as text, and the printed table."""

from __future__ import annotations

import math
from io import StringIO

import attrs
from rich.console import Console

from inpaintkit.evaluation.formatting import decimals, describe_seeds, results_table, verdict
from inpaintkit.evaluation.results import MetricResult, Results, Row
from inpaintkit.evaluation.statistics import Interval

from .toys import COUNT


def test_the_table_names_everything_and_keeps_its_brackets(results: Results) -> None:
    text = StringIO()
    Console(file=text, width=100).print(results_table(results))
    shown = text.getvalue()
    for part in ("psnr[hole,toy] ↑", "count[set]", "ours", "mean color", "difference", " to ", f"{COUNT} images"):
        assert part in shown


def test_no_name_is_broken_where_a_line_is_short(results: Results) -> None:
    label = "gradient_energy[hole,log]"
    metrics = {**results.row.metrics, label: next(iter(results.row.metrics.values()))}
    row = attrs.evolve(results.row, name="[b]faces_center_64-2", metrics=metrics)
    baseline = attrs.evolve(results.baselines[0], metrics=metrics)
    for width in (60, 80):
        text = StringIO()
        Console(file=text, width=width).print(results_table(attrs.evolve(results, row=row, baselines=(baseline,))))
        lines = text.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        assert any(line.startswith(f" {label}") for line in lines)
        assert lines[0].startswith("[b]faces_center_64-2 under ")
        assert "…" not in text.getvalue()
    assert all(any(name in line for line in lines) for name in ("this run", "mean color", "difference"))


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


def test_the_verdict_names_what_is_lost_to_what_is_beaten_and_what_is_neither(results: Results) -> None:
    label = "psnr[hole,toy]"
    ours = results.row.metrics[label].per_image or ()

    def baseline(name: str, values: list[float]) -> Row:
        return Row(name, "drawn", {label: MetricResult.from_values(values, True)})

    flips = [value + (0.1 if at % 2 else -0.1) for at, value in enumerate(ours)]
    beside = [("worse", [value - 1 for value in ours]), ("better", [value + 2.5 for value in ours]), ("even", flips)]
    several = attrs.evolve(results, baselines=tuple(baseline(*each) for each in beside))
    assert verdict(several) == (
        "In psnr[hole,toy], ours loses to better by 2.500 dB [2.500, 2.500], shows no difference to even, and beats "
        f"worse by 1.000 dB [1.000, 1.000] (95 % intervals over {COUNT} images)."
    )
    text = StringIO()
    Console(file=text, width=80).print(results_table(several))
    assert all(len(line) <= 80 for line in text.getvalue().splitlines())
    for row in several.baselines:
        assert f"  {row.name}" in text.getvalue()
    few = attrs.evolve(several, names=results.names[:2])
    assert verdict(few).endswith("(95 % intervals over 2 images, too few to rely on).")
    assert verdict(attrs.evolve(results, baselines=())) == ""
    assert verdict(attrs.evolve(results, ranked_by="")) == ""


def test_where_less_is_better_less_wins(results: Results) -> None:
    row = attrs.evolve(results.row, metrics={"l1": MetricResult.from_values([0.25, 0.5, 0.75], False)})
    more = attrs.evolve(row, name="more", metrics={"l1": MetricResult.from_values([0.75, 1.0, 1.25], False)})
    found = verdict(attrs.evolve(results, row=row, baselines=(more,), ranked_by="l1"))
    assert "ours beats more by 0.5000 [0.5000, 0.5000] (" in found  # no unit


def test_the_table_says_where_the_images_come_from(results: Results) -> None:
    text = StringIO()
    Console(file=text, width=300).print(results_table(results))
    told = "".join(text.getvalue().split())  # a long path is broken over lines
    assert "".join(f"{COUNT} images of {results.source}".split()) in told
    assert "test-set" in results.source
