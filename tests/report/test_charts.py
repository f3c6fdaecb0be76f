"""Charts: axes, limits, lines, names of stages, and the SVG that is put into a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch

from inpaintkit.report.charts import TEXT, Chart, histogram, label, line_chart
from inpaintkit.report.curves import POINTS, Series


def series(name: str, points: Sequence[tuple[float, float]]) -> Series:
    return Series(name, *np.array(points, dtype=np.float64).T)


def axes_of(chart: Chart) -> Axes:
    (axes,) = chart.figure.axes
    return axes


def stage_names(chart: Chart) -> list[str]:
    return sorted(text.get_text() for text in axes_of(chart).texts)


def test_a_line_goes_through_its_points() -> None:
    chart = line_chart("t", [series("a", [(0, 0.0), (50, 10.0), (100, 5.0)])])
    axes = axes_of(chart)
    (line,) = axes.lines
    assert np.asarray(line.get_xydata()).tolist() == [[0, 0], [50, 10], [100, 5]]
    assert axes.get_xlim() == (0, 100)
    assert axes.get_ylim()[0] == 0
    assert axes.get_yscale() == "linear"
    assert chart.note == ""


def test_a_logarithmic_axis_makes_a_decay_straight() -> None:
    chart = line_chart("t", [series("a", [(step, 10.0 ** (-step / 25)) for step in range(0, 101, 25)])])
    assert chart.note == "log scale"
    assert axes_of(chart).get_yscale() == "log"
    down = axes_of(chart).transData.transform(axes_of(chart).lines[0].get_xydata())[:, 1]
    assert np.diff(down) == pytest.approx(np.diff(down)[0])
    for tick in ("0.001", "0.01", "0.1", "1"):
        assert f">{tick}<" in chart.svg()


@pytest.mark.parametrize("values", [[0.0, 1.0, 100.0], [1.0, 2.0, 19.0]])
def test_an_axis_is_linear_where_a_value_is_zero_or_the_span_is_small(values: list[float]) -> None:
    chart = line_chart("t", [series("a", list(enumerate(values)))])
    assert axes_of(chart).get_yscale() == "linear"


def test_noisy_lines_are_faint_below_their_mean() -> None:
    noise = np.random.default_rng(0).normal(0, 1, 3000)
    chart = line_chart("t", [Series("a", np.arange(3000.0), noise), series("b", [(0, 0.0), (2999, 1.0)])])
    mean, faint, smooth = axes_of(chart).lines
    assert faint.get_alpha() == 0.3
    assert mean.get_alpha() is None
    assert faint.get_zorder() < mean.get_zorder()
    assert np.ptp(np.asarray(mean.get_ydata())) < np.ptp(np.asarray(faint.get_ydata())) / 2
    assert [len(np.asarray(line.get_xdata())) <= POINTS for line in (mean, faint, smooth)] == [True] * 3
    assert [entry.name for entry in chart.legend] == ["a", "b"]
    assert [entry.color for entry in chart.legend] == ["#3a82dc", "#df6528"]  # no color is skipped
    assert faint.get_color() == mean.get_color()


def test_the_ninth_line_is_dashed() -> None:
    chart = line_chart("t", [series(str(at), [(0, at), (1, at)]) for at in range(9)])
    assert [entry.dashed for entry in chart.legend] == [False] * 8 + [True]
    assert chart.legend[8].color == chart.legend[0].color
    assert axes_of(chart).lines[8].is_dashed()


def test_charts_of_little_are_charts_too() -> None:
    assert histogram("t", {"a": [math.nan]}) is None
    (line,) = axes_of(line_chart("t", [series("a", [(7, 3.0)])])).lines
    assert line.get_marker() == "o"
    assert axes_of(line_chart("t", [series("a", [(7, 3.0)])])).get_xlim() == (6, 8)
    line_chart("t", [series("a", [(0, 5.0), (9, 5.0)])]).svg()


def test_markup_and_formulas_in_names_are_text() -> None:
    chart = line_chart("<t>", [series("</script>", [(0, 5.0), (9, 5.0)])], [(0, "<stage> $x$")])
    texts = [element.text for element in ElementTree.fromstring(chart.svg()).iter() if element.tag.endswith("text")]
    assert "<stage> $x$" in texts


def test_the_svg_takes_its_text_color_from_the_page_and_leaves_the_page_alone() -> None:
    svg = line_chart("t", [series(str(at), [(0, at), (1, at)]) for at in range(8)], [(0.5, "b")]).svg()
    assert TEXT not in svg
    assert "fill: currentColor" in svg
    assert "<style" not in svg  # it would apply to the page
    assert " id=" not in svg.replace(' id="m', "").replace(
        ' id="p', ""
    )  # only markers and clips, named by their content


def test_equal_charts_are_equal_text_whatever_the_settings_of_the_user() -> None:
    def draw() -> str:
        return line_chart("t", [series("a", [(0, 0.0), (50, 10.0)])], [(0, "one"), (20, "two")]).svg()

    first = draw()
    with rc_context({"axes.grid": False, "font.size": 30, "svg.fonttype": "path", "text.color": "red"}):
        assert draw() == first


def test_names_of_stages_do_not_overlap() -> None:
    begins = [(0, "reconstruction"), (500, "warm"), (510, "everything together")]
    chart = line_chart("t", [series("a", [(0, 1.0), (1000, 2.0)])], begins)
    _, *boundaries = axes_of(chart).lines
    assert sorted(float(np.asarray(line.get_xdata())[0]) for line in boundaries) == [500, 510]
    assert stage_names(chart) == ["everything together", "reconstruction"]
    later = line_chart("t", [series("a", [(600, 1.0), (1000, 2.0)])], begins)
    assert stage_names(later) == ["everything together"]


def test_histogram_counts_every_value() -> None:
    values = {"a": list(np.random.default_rng(0).normal(0, 1, 500)), "b": [0.0, math.inf]}
    chart = histogram("t", values, "dB")
    assert chart is not None
    filled = [patch for patch in axes_of(chart).patches if isinstance(patch, StepPatch) and patch.get_fill()]
    assert [patch.get_data().values.sum() for patch in filled] == [500, 1]
    assert filled[0].get_data().edges.tolist() == filled[1].get_data().edges.tolist()
    assert axes_of(chart).get_xlabel() == "dB"
    assert ">dB<" in chart.svg()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
@example([5e-324])
@settings(max_examples=40, deadline=None)
def test_every_axis_holds_its_values_and_a_few_ticks(values: list[float]) -> None:
    axes = axes_of(line_chart("t", [series("a", list(enumerate(values)))]))
    low, high = axes.get_ylim()
    assert low < high
    assert low <= min(values) <= max(values) <= high
    assert 1 <= len([tick for tick in axes.get_yticks() if low <= tick <= high]) <= 12


def test_ticks_are_short() -> None:
    labels = {0.0: "0", 1e-5: "1e-5", 0.002: "0.002", 0.5: "0.5", 3.0: "3", 1500.0: "1.5k", 2e6: "2M"}
    assert {value: label(value) for value in labels} == labels
