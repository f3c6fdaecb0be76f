"""Sweeps: what is measured, against evaluations one by one, and the files."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import attrs
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from inpaintkit_compare import sweep
from inpaintkit_compare.candidates import Candidate, load_candidates
from inpaintkit_compare.comparison import ComparisonRow
from inpaintkit_compare.sweep_charts import sweep_chart, sweep_figure
from inpaintkit_compare.sweep_files import sheet_columns, to_csv, to_json, to_markdown, to_sheet, write_sweep
from inpaintkit_compare.sweeping import median_picture
from PIL import Image
from torch import Tensor
from toy_methods import Level

from inpaintkit import InpaintkitError, Method
from inpaintkit.cli import main
from inpaintkit.evaluation.evaluator import evaluate
from inpaintkit.evaluation.pictures import input_columns
from inpaintkit.evaluation.results import MetricResult
from inpaintkit.evaluation.statistics import bootstrap
from inpaintkit.evaluation.testset import TestSet
from inpaintkit.runtime import Execution

from .toys import sweep_tree

HOLE, WHOLE = "psnr[hole,255]", "psnr[whole,255]"
XML = "{http://www.w3.org/2000/svg}"


class Small(Level):
    """Refuses holes of more than ``most`` pixels."""

    def __init__(self, most: int, error: BaseException) -> None:
        super().__init__(0.1)
        self.most, self.error = most, error

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        if mask[0].sum() > self.most:
            raise self.error
        return super().inpaint(masked, mask)


@attrs.frozen(eq=False)
class Seeds(Candidate):
    """Runs that differ in their seed; counts how often one is loaded."""

    levels: tuple[float, ...] = ()
    loads: list[int] = attrs.field(factory=list)

    def load(self, at: int = 0, device: torch.device | str = "cpu") -> Method:
        self.loads.append(at)
        return Level(self.levels[at])


# --- what is measured -----------------------------------------------------------------------------------------------


def results(found: Any, method: str, label: str = HOLE) -> dict[Any, MetricResult]:
    return {value: row.metrics[label] for value, row in found.rows(method).items()}


def test_each_point_is_the_evaluation_of_the_changed_protocol(test_set: TestSet, pictures: Path) -> None:
    found = sweep({"zero": Level(), "bright": Level(0.8)}, test_set, "side=2,5", execution=Execution(batch=5))
    assert found.methods == ("zero", "bright")
    assert found.complete
    for method, level in zip(found.methods, (0.0, 0.8), strict=True):
        for (value, row), side, comparison in zip(found.rows(method).items(), (2, 5), found.comparisons, strict=True):
            alone = evaluate(Level(level), sweep_tree(use="center-square", side=side), pictures)
            assert alone.hash == comparison.hash
            assert value == side
            assert dict(row.metrics) == dict(alone.row.metrics)
    assert found.charted == (HOLE, WHOLE)
    assert found.curve("bright", HOLE) == results(found, "bright")


def test_protocols_and_recipes_are_opened_by_name(pictures: Path) -> None:
    found = sweep("classical/mean_color", sweep_tree(), "side=3", pictures)
    assert found.methods == ("mean_color",)
    assert found.rows("mean_color")[3].basis == "not trained"


def test_a_run_is_loaded_once_and_seeds_are_averaged_image_by_image(test_set: TestSet) -> None:
    candidate = Seeds("ours", "level", ("a", "b"), (3, 4), trained=True, levels=(0.0, 0.5))
    found = sweep(candidate, test_set, "side=3,4,5")
    assert candidate.loads == [0, 1]
    assert found.rows("ours")[3].basis == "2 training seeds"
    apart = sweep({"a": Level(0.0), "b": Level(0.5)}, test_set, "side=3,4,5")
    for at, value in enumerate((3, 4, 5)):
        ours, first, second = (
            np.array(results(one, name)[value].per_image) for one, name in ((found, "ours"), (apart, "a"), (apart, "b"))
        )
        assert ours == pytest.approx((first + second) / 2)
        tile = found.tiles["ours"][at]
        assert tile is not None
        assert (tile == apart.tiles["a"][at]).all()  # the sheet shows the first run


def test_distance_pools_places_image_by_image(test_set: TestSet) -> None:
    found = sweep({"zero": Level()}, test_set, "offset=-4..4:4")
    points = results(found, "zero")
    by_distance = list(found.curve("zero", HOLE).items())
    assert [distance for distance, _ in by_distance] == [0, 4, math.hypot(4, 4)]
    assert by_distance[0][1] == points[0, 0]
    for (_, measure), places in zip(
        by_distance[1:], ([(0, 4), (4, 0), (0, -4), (-4, 0)], [(4, 4), (-4, 4), (4, -4), (-4, -4)]), strict=True
    ):
        means = np.mean([points[place].per_image for place in places], axis=0)
        assert measure.interval.mean == pytest.approx(means.mean())
        expected = bootstrap(means)
        assert (measure.interval.low, measure.interval.high) == pytest.approx((expected.low, expected.high))


def test_a_method_that_fails_somewhere_has_numbers_elsewhere(test_set: TestSet) -> None:
    methods = {"small": Small(16, ZeroDivisionError("too large")), "zero": Level()}
    found = sweep(methods, test_set, "side=3..6")
    assert set(found.failed) == {("small", 5), ("small", 6)}
    assert all(reason.startswith("ZeroDivisionError: too large (test_sweep.py:") for reason in found.failed.values())
    assert list(found.curve("small", HOLE)) == [3, 4]
    assert list(found.curve("zero", HOLE)) == [3, 4, 5, 6]
    assert "small at side 5, 6: ZeroDivisionError: too large" in to_markdown(found)
    assert sum(row["error"] != "" for row in csv.DictReader(io.StringIO(to_csv(found)))) == 2
    to_sheet(found)
    with pytest.raises(InpaintkitError, match="nothing could be measured: no known pixel"):
        sweep({"small": Small(0, InpaintkitError("no known pixel"))}, test_set, "side=3..6")


def test_an_interruption_keeps_whole_curves(test_set: TestSet, tmp_path: Path) -> None:
    methods = {"zero": Level(), "small": Small(16, KeyboardInterrupt())}
    with pytest.raises(KeyboardInterrupt):
        sweep(methods, test_set, "side=3..6", out=tmp_path)
    kept = json.loads((tmp_path / "sweep-side.json").read_text())
    assert not kept["complete"]
    assert [[row["name"] for row in one["rows"]] for one in kept["comparisons"]] == [["zero"]] * 4
    assert "INCOMPLETE" in (tmp_path / "sweep-side.md").read_text()


def test_the_median_picture_is_that_of_the_first_row() -> None:
    values = [5.0, 1.0, math.nan, 3.0, 2.0, 4.0]
    row = ComparisonRow.over(Candidate("a", "b", ()), [measured(values)])
    made: Any = type("Made", (), {"rows": (row,)})
    assert median_picture(made) == 3
    made.rows = ()
    assert median_picture(made) == 0


def measured(values: list[float]) -> Any:
    metrics = {"neutral": MetricResult.from_values([0.0, 9.0], None), HOLE: MetricResult.from_values(values, True)}
    return type("Row", (), {"metrics": metrics, "seconds_per_image": 0.1, "non_finite": ()})


# --- what is written ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sizes(test_set: TestSet) -> Any:
    return sweep({"zero": Level(), "a <b> | c": Level(0.5)}, test_set, "side=2..9", picture=7)


@pytest.fixture(scope="module")
def places(test_set: TestSet) -> Any:
    return sweep({"zero": Level(), "half": Level(0.5)}, test_set, "offset=-4..4:2", picture=7)


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{XML}text")]


def test_five_files_are_written(sizes: Any, tmp_path: Path) -> None:
    written = write_sweep(tmp_path / "new", sizes)
    assert sorted(path.name for path in written) == sorted(path.name for path in (tmp_path / "new").iterdir())
    assert {path.name for path in written} == {f"sweep-side.{kind}" for kind in ("json", "csv", "md", "svg", "png")}
    (tmp_path / "file").write_text("")
    with pytest.raises(InpaintkitError, match="cannot be written"):
        write_sweep(tmp_path / "file", sizes)


def test_json_and_csv_hold_every_metric(sizes: Any) -> None:
    kept = json.loads(json.dumps(to_json(sizes), allow_nan=False))
    assert kept["values"] == list(range(2, 10))
    assert kept["hashes"] == [comparison.hash for comparison in sizes.comparisons]
    assert kept["picture"]["name"] == sizes.comparisons[0].names[7]
    lines = list(csv.DictReader(io.StringIO(to_csv(sizes))))
    assert len(lines) == 2 * 8 * 3
    for line in lines:
        interval = results(sizes, line["row"], line["metric"])[int(line["side"])].interval
        assert tuple(float(line[key]) for key in ("mean", "low", "high")) == tuple(interval)
        rows = kept["comparisons"][int(line["side"]) - 2]["rows"]
        [entry] = [row["metrics"][line["metric"]] for row in rows if row["name"] == line["row"]]
        assert entry["mean"] == interval.mean
        assert ("per_image" in entry) == (line["metric"] in (HOLE, WHOLE))


def test_tables_have_a_row_for_each_value(sizes: Any, places: Any) -> None:
    text = to_markdown(sizes)
    rows = [line for line in text.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) == 2 * 8
    mean = results(sizes, "a <b> | c")[5].interval.mean
    assert abs(float(rows[3].split("|")[3].split()[0]) - mean) < 0.1
    assert "a \\<b\\> \\| c" in text
    text = to_markdown(places)
    assert "| rows, columns | -4 | -2 | 0 | 2 | 4 |" in text
    block = text.split("**half**, by offset:")[1].split("##")[0]
    lines = [line.split("|")[1:-1] for line in block.strip().splitlines()[2:]]
    shown = {
        (float(line[0]), column): float(line[at + 1]) for line in lines for at, column in enumerate((-4, -2, 0, 2, 4))
    }
    for value, result in results(places, "half").items():
        assert abs(shown[value] - result.interval.mean) < 0.06


def test_the_chart_stands_alone_and_is_the_same_again(sizes: Any, places: Any) -> None:
    for found in (sizes, places):
        text = sweep_chart(found)
        assert text == sweep_chart(found)
        root = ElementTree.fromstring(text)
        assert root.tag == f"{XML}svg"
        assert not {"script", "a", "foreignObject"} & {element.tag.removeprefix(XML) for element in root.iter()}
        links = [value for element in root.iter() for name, value in element.items() if name.endswith("href")]
        assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
        assert not re.search(r"url\((?!#)|@import", text)
    shown = "\n".join(texts(ElementTree.fromstring(sweep_chart(sizes))))
    for words in ("a <b> | c", "PSNR in the hole (dB)", "PSNR of the whole picture (dB)", "side of the hole (pixels)"):
        assert words in shown
    assert "the protocol's own" in shown
    shown = "\n".join(texts(ElementTree.fromstring(sweep_chart(places))))
    assert "distance of the hole from the center, Euclidean (pixels)" in shown
    assert "the protocol's own" not in shown


def test_curves_are_drawn_with_their_bands(sizes: Any) -> None:
    figure = sweep_figure(sizes)
    assert len(figure.axes) == 2
    for panel, label in zip(figure.axes, (HOLE, WHOLE), strict=True):
        *curves, own = panel.lines
        assert list(own.get_xdata()) == [4, 4]
        for line, band, method in zip(curves, panel.collections, sizes.methods, strict=True):
            found = sizes.curve(method, label)
            assert list(line.get_xdata()) == list(found)
            assert line.get_ydata() == pytest.approx([one.interval.mean for one in found.values()])
            edges = band.get_paths()[0].vertices[:, 1]
            assert edges.min() == pytest.approx(min(one.interval.low for one in found.values()))
            assert edges.max() == pytest.approx(max(one.interval.high for one in found.values()))


def test_maps_share_their_colors(places: Any) -> None:
    maps = [panel for panel in sweep_figure(places).axes if panel.get_images()]
    assert [panel.get_title() for panel in maps] == list(places.methods)
    images = [panel.get_images()[0] for panel in maps]
    assert len({image.get_clim() for image in images}) == 1
    for method, image in zip(places.methods, images, strict=True):
        shown = np.asarray(image.get_array())
        for (row, column), result in results(places, method).items():
            assert shown[(row + 4) // 2, (column + 4) // 2] == pytest.approx(result.interval.mean)


def test_many_methods_have_different_lines(test_set: TestSet) -> None:
    found = sweep({f"_m${at}": Level(at / 40) for at in range(20)}, test_set, "side=3,4")
    panel = sweep_figure(found).axes[0]
    styles = [(line.get_color(), line.get_linestyle()) for line in panel.lines[:20]]
    assert len(set(styles)) == 20
    assert len({color for color, _ in styles}) == 8
    shown = texts(ElementTree.fromstring(sweep_chart(found)))
    assert {f"_m${at}" for at in range(20)} <= {text.strip() for text in shown}


def test_a_metric_without_values_leaves_a_gap(test_set: TestSet) -> None:
    found = sweep({"zero": Level()}, test_set, "side=3..5")
    rows = found.comparisons[1].rows
    gap = attrs.evolve(rows[0], metrics={**rows[0].metrics, HOLE: MetricResult.from_values([math.nan], True)})
    comparisons = [found.comparisons[0], attrs.evolve(found.comparisons[1], rows=(gap,)), found.comparisons[2]]
    found = attrs.evolve(found, comparisons=tuple(comparisons))
    assert np.isnan(sweep_figure(found).axes[0].lines[0].get_ydata()).tolist() == [False, True, False]
    sweep_chart(found)


def test_the_sheet_shows_six_sizes_and_nine_places_of_one_picture(sizes: Any, places: Any, test_set: TestSet) -> None:
    assert [sizes.plan.values[at] for at in sheet_columns(sizes.plan)] == [2, 3, 5, 6, 8, 9]
    nine = [(row, column) for row in (-4, 0, 4) for column in (-4, 0, 4)]
    assert [places.plan.values[at] for at in sheet_columns(places.plan)] == nine
    with Image.open(io.BytesIO(to_sheet(places))) as sheet:
        page = np.asarray(sheet)
    gap, scale, tile = 4, 8, 96
    left, top = page.shape[1] - 9 * (tile + gap), page.shape[0] - 4 * (tile + gap)
    for column, (row_offset, column_offset) in enumerate(nine):
        rows = [
            page[top + row * (tile + gap) :, left + column * (tile + gap) :][:tile:scale, :tile:scale]
            for row in range(4)
        ]
        truth = input_columns(test_set, [7])[0][1][0].transpose(1, 2, 0)
        hole = np.zeros((12, 12, 1), bool)
        hole[4 + row_offset : 8 + row_offset, 4 + column_offset : 8 + column_offset] = True
        for shown, level in zip(rows, (230, 128, 191, None), strict=True):
            assert (shown == (truth if level is None else np.where(hole, level, truth))).all()


def test_candidates_and_sources_are_swept_together(test_set: TestSet) -> None:
    [first] = load_candidates({"a": Level()})
    found = sweep([first, {"b": Level(0.5)}, first.blended("poisson")], test_set, "side=3,4")
    assert found.methods == ("a", "b", "a + Poisson")
    assert not found.failed


def test_pictures_that_are_not_there_are_refused(test_set: TestSet) -> None:
    with pytest.raises(InpaintkitError, match="no picture 12"):
        sweep({"zero": Level()}, test_set, "side=4", picture=12)


# --- the command ----------------------------------------------------------------------------------------------------


def test_compare_writes_sweeps_beside_the_table(pictures: Path, tmp_path: Path) -> None:
    file = tmp_path / "toy.yaml"
    file.write_text(json.dumps(sweep_tree()))
    words = ["compare", "classical/mean_color", "--protocol", str(file), "--images", str(pictures), "--device", "cpu"]
    out = tmp_path / "out"
    result = CliRunner().invoke(main, [*words, "-o", str(out), "--sweep", "side=13", "--sweep", "depth=3"])
    assert result.exit_code == 2
    assert "does not fit" in result.output
    assert "no option 'depth'" in result.output
    assert not out.exists()
    result = CliRunner().invoke(main, [*words, "-o", str(out), "--sweep", "side=2..4", "--sweep", "offset=-2..2:2"])
    assert result.exit_code == 0, result.output
    stems = {path.stem for path in out.iterdir()}
    assert stems == {"comparison", "grid", "sweep-side", "sweep-offset"}
    index = {
        json.loads((out / f"sweep-{option}.json").read_text())["picture"]["index"] for option in ("side", "offset")
    }
    kept = json.loads((out / "comparison.json").read_text())["rows"][0]["metrics"][HOLE]["per_image"]
    assert index == {sorted(range(12), key=kept.__getitem__)[5]}
