"""The report of a made-up run: complete, self-contained, well-formed; and the charts in it."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from PIL import Image

from inpaintkit import InpaintkitError
from inpaintkit.evaluation.measure import write_results
from inpaintkit.evaluation.results import Example, MetricResult, Results, Row
from inpaintkit.evaluation.statistics import bootstrap
from inpaintkit.report.charts import LEFT, RIGHT, WIDTH, Series, histogram, label, line_chart, smooth, thin, value_scale
from inpaintkit.report.curves import curves, read_log, stages, title
from inpaintkit.report.page import SHEETS, duration, evenly, write_report
from inpaintkit.runs.folder import Run

VOID = {"meta", "img", "input", "br", "line", "path", "rect", "circle"}


class Page(HTMLParser):
    """Reads a page strictly: every tag that opens closes in order; keeps what can reach out of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        self.ids |= {value or "" for name, value in attrs if name == "id"}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def row(name: str, values: list[float], **changes: Any) -> Row:
    metrics = {
        "psnr[hole,255]": MetricResult(bootstrap(values), True, tuple(values)),
        "l1[hole,-1..1]": MetricResult(bootstrap([-v for v in values]), False, tuple(-v for v in values)),
        "gradient-energy[hole]": MetricResult(bootstrap([v / 30 for v in values]), None, tuple(v / 30 for v in values)),
    }
    return Row(name, "adversarial", metrics, 0.01, **changes)


@pytest.fixture
def results() -> Results:
    rng = np.random.default_rng(0)
    better, worse = (list(rng.normal(level, 2, 40)) for level in (21, 15))
    names = tuple(f"face <{index}>.png" for index in range(40))
    ranked = ["best", "median", *(f"worst {n}" for n in range(1, 13))]
    pictures = tuple(Example(rank, i, names[i], better[i], f"p{i}.png") for i, rank in enumerate(ranked))
    return Results(
        protocol={"name": "faces", "description": "Faces & holes", "masks": {"use": "center-square", "side": 32}},
        hash="0123456789abcdef",
        names=names,
        digest="d",
        row=row("myrun", better, training_seeds=1, steps=9, non_finite=("face <3>.png",)),
        baseline=row("mean color", worse, training_seeds=0),
        pictures=pictures,
        ranked_by="psnr[hole,255]",
        device="cpu",
        environment={"python": "3.11", "packages": {"torch": "2.15"}},
        plugins={"perceptual-fcn": "0.1.0"},
    )


def png(path: Path, size: tuple[int, int] = (8, 4)) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (len(path.name) * 7 % 255, 80, 90)).save(path)
    return path.read_bytes()


def log_lines(count: int = 300) -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    lines = []
    for at in range(1, count + 1):
        stage = "coarse" if at <= count // 2 else "fine"
        line = {"step": at * 10, "seconds": at * 3.0, "images_per_s": 50.0, "stage": stage, "lr/generator": 1e-3 / at}
        line["generator/reconstruction"] = float(np.exp(-at / 50) + rng.uniform(0.01, 0.02))
        if stage == "fine":
            line |= {"critic/image/loss": float(rng.normal()), "generator/image": 1.0}
        lines.append(line)
    lines.append({"step": count * 10, "validation/psnr[hole,255]": 21.0, "validation/psnr[ring,255]": 25.0})
    return lines


@pytest.fixture
def run(tmp_path: Path, results: Results) -> Path:
    folder = tmp_path / "myrun"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("paper: A & B 2017\ndescription: half width <b>\nmethod: {use: adversarial}\n")
    (folder / "environment.json").write_text('{"python": "3.11", "packages": {"torch": "2.15"}, "cuda": null}')
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log_lines()))
    for step in range(0, 3000, 250):
        png(folder / "samples" / f"step-{step:08d}.png", (40 + step // 250, 20))
    strips = {picture.index: png(tmp_path / f"{picture.index}.png") for picture in results.pictures}
    write_results(folder / "results" / "faces", results, strips)
    return folder


def page_of(run: Path) -> tuple[str, Page]:
    path = write_report(run)
    assert path == run / "report.html"
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_page_is_well_formed_and_asks_the_network_for_nothing(run: Path) -> None:
    text, page = page_of(run)
    assert page.links
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids
    assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttp|import\(", text)
    assert not {"link", "iframe", "object", "embed", "base"} & set(page.tags)


def test_the_page_has_every_section(run: Path) -> None:
    text, page = page_of(run)
    shown = " ".join(page.texts)
    for part in (
        "myrun", "A & B 2017", "half width <b>", "adversarial", "one training seed", "3,000", "15 min",  # the header
        "psnr[hole,255]", "mean color", "difference", "Faces & holes", "0123456789abcdef", "40 images",  # results
        "Generator terms", "Critic: image", "Validation: psnr", "Learning rate", "log scale", "coarse", "fine",
        "step 0", "step 2,750",  # samples
        "best", "median", "worst 1", "worst 12", "face <5>.png", "masked", "output", "completed", "truth",  # pictures
        "torch", "2.15", "perceptual-fcn", "recipe.yaml",  # the rest
    ):  # fmt: skip
        assert part in shown, part
    assert page.tags.count("img") == SHEETS + 14
    assert "face <" not in re.sub(r"<script.*?</script>", "", text, flags=re.S)  # names are text, never markup
    assert "Not a number in 1 outputs" in shown
    assert 'class="good"' in text  # PSNR is higher, and L1 lower: the interval excludes 0


def test_only_differences_that_stand_are_colored(run: Path, results: Results) -> None:
    import attrs

    values = list(results.row.metrics["psnr[hole,255]"].per_image or ())
    flips = [value + (0.1 if at % 2 else -0.1) for at, value in enumerate(values)]
    write_results(run / "results" / "faces", attrs.evolve(results, baseline=row("mean color", flips)), None)
    text, _ = page_of(run)
    assert 'class="good"' not in text
    assert 'class="bad"' not in text
    higher = [value + 1 for value in values]
    write_results(run / "results" / "faces", attrs.evolve(results, baseline=row("mean color", higher)), None)
    text, _ = page_of(run)
    assert text.count('class="bad"') == 2
    assert "is missing" in text  # the pictures' files, said in their places


def test_a_run_that_has_only_begun_has_a_report(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("method: total-variation\n")
    text, page = page_of(tmp_path)
    assert "Not evaluated yet" in text
    assert "total-variation" in text
    assert "img" not in page.tags
    assert "Training" not in " ".join(page.texts)


def test_a_report_is_replaced_whole(run: Path) -> None:
    (run / "report.html").write_text("old")
    write_report(run)
    assert (run / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not [path.name for path in run.iterdir() if path.name.startswith(".")]


def test_what_is_no_run_or_is_damaged_is_said_plainly(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InpaintkitError, match="no such folder"):
        write_report(tmp_path / "nowhere")
    with pytest.raises(InpaintkitError, match="holds no recipe"):
        write_report(tmp_path)
    (run / "environment.json").write_text("[")
    with pytest.raises(InpaintkitError, match=r"environment\.json is damaged"):
        write_report(run)
    (run / "environment.json").unlink()
    (run / "results" / "faces" / "results.json").write_text("{}")
    with pytest.raises(InpaintkitError, match=r"results\.json is damaged"):
        write_report(run)


# --- the log --------------------------------------------------------------------------------------------------------


def test_the_log_survives_a_kill_and_a_resume(tmp_path: Path) -> None:
    lines = [
        '{"step": 2, "generator": {"l1": 1.0}}',
        '{"step": 1, "generator/l1": 2.0}',
        '{"step": 2, "validation/psnr": 20.0}',
        '{"step": 2, "generator/l1": 0.5}',
        '{"step": 3, "gener',
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    assert read_log(Run(tmp_path)) == [
        {"step": 1, "generator/l1": 2.0},
        {"step": 2, "generator/l1": 0.5, "validation/psnr": 20.0},
    ]
    assert read_log(Run(tmp_path / "none")) == []
    (tmp_path / "log.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InpaintkitError, match="cannot be read"):
        read_log(Run(tmp_path))


def test_curves_that_belong_together_share_a_chart() -> None:
    found = dict(curves([*log_lines(4), {"step": 41, "note": "text", "flag": True, "generator/image": math.nan}]))
    assert {chart: [line.name for line in lines] for chart, lines in found.items()} == {
        "validation/psnr": ["psnr[hole,255]", "psnr[ring,255]"],
        "generator": ["reconstruction"],
        "generator/critics": ["image"],
        "critic/image": ["loss"],
        "images_per_s": ["images_per_s"],
        "lr": ["generator"],
    }
    assert next(iter(found)) == "validation/psnr"  # what matters comes first
    (image,) = found["generator/critics"]
    assert list(image.steps) == [30, 40]  # NaN leaves a gap


def test_gap_and_slope_of_all_critics_share_a_chart() -> None:
    entry = {f"critic/{name}/{what}": 1.0 for name in ("d1", "d2") for what in ("loss", "real", "gap", "gradient_norm")}
    found = curves([{"step": step, **entry, "critic/d1/penalty": 0.1, "gradient/l1": 2.0} for step in (1, 2)])
    assert [(chart, [line.name for line in lines]) for chart, lines in found] == [
        ("critics/gap", ["d1", "d2"]),
        ("critics/gradient_norm", ["d1", "d2"]),
        ("critics/penalty", ["d1"]),
        ("critic/d1", ["loss", "real"]),
        ("critic/d2", ["loss", "real"]),
        ("gradient", ["l1"]),
    ]
    assert title("critics/gap") == "Critics: gap between real and fake scores"
    assert title("critics/gradient_norm") == "Critics: slope at the penalized points"


def test_all_rates_share_a_chart() -> None:
    (found,) = curves([{"step": step, "lr/generator": 1e-3, "lr/critic/d1": 1e-4} for step in (1, 2)])
    assert (found[0], [line.name for line in found[1]]) == ("lr", ["generator", "critic/d1"])


def test_stages_begin_after_the_entry_before() -> None:
    log = [{"step": s, "stage": n} for s, n in ((10, "a"), (20, "a"), (30, "b"), (40, ""), (50, "b"), (60, "a"))]
    assert stages(log) == [(0, "a"), (20, "b"), (50, "a")]


# --- charts ---------------------------------------------------------------------------------------------------------


def coordinates(svg: str) -> list[np.ndarray]:
    paths = re.findall(r'<path class="[^"]*" d="M([^"]+)"', svg)
    return [np.array([pair.split() for pair in path.split("L")], dtype=float) for path in paths]


def test_a_line_goes_through_its_points() -> None:
    chart = line_chart("t", [Series.of("a", [(0, 0.0), (50, 10.0), (100, 5.0)])])
    (path,) = coordinates(chart)
    assert path[0, 0] == LEFT
    assert path[2, 0] == WIDTH - RIGHT
    assert path[1, 0] == pytest.approx((LEFT + WIDTH - RIGHT) / 2, abs=0.1)
    low, high, middle = path[0, 1], path[1, 1], path[2, 1]
    assert high < middle < low  # y grows downwards
    assert middle == pytest.approx((low + high) / 2, abs=0.1)
    assert "log scale" not in chart


def test_a_logarithmic_axis_makes_a_decay_straight() -> None:
    chart = line_chart("t", [Series.of("a", [(step, 10.0 ** (-step / 25)) for step in range(0, 101, 25)])])
    assert "log scale" in chart
    (path,) = coordinates(chart)
    assert np.diff(path[:, 1]) == pytest.approx(np.diff(path[:, 1])[0], abs=0.2)
    for tick in ("0.001", "0.01", "0.1", "1"):
        assert f">{tick}<" in chart


def test_charts_of_little_are_charts_too() -> None:
    assert line_chart("t", []) == ""
    assert line_chart("t", [Series.of("a", [(1, math.nan)])]) == ""
    assert histogram("t", {"a": [math.nan]}) == ""
    assert "<circle" in line_chart("t", [Series.of("a", [(7, 3.0)])])
    Page(line_chart("<t>", [Series.of("</script>", [(0, 5.0), (9, 5.0)])], [(0, "<stage>")]))
    assert "</script>" not in line_chart("t", [Series.of("</script>", [(0, 5.0)])]).replace("</script></figure>", "")


def test_names_of_stages_do_not_overlap() -> None:
    begins = [(0, "reconstruction"), (500, "warm"), (510, "everything together")]
    chart = line_chart("t", [Series.of("a", [(0, 1.0), (1000, 2.0)])], begins)
    assert chart.count('<line class="stage"') == 2
    named = re.findall(r'<text class="stage"[^>]*>([^<]+)<', chart)
    assert sorted(named) == ["everything together", "reconstruction"]
    later = line_chart("t", [Series.of("a", [(600, 1.0), (1000, 2.0)])], begins)
    assert re.findall(r'<text class="stage"[^>]*>([^<]+)<', later) == ["everything together"]


def test_histogram_counts_every_value() -> None:
    values = {"a": list(np.random.default_rng(0).normal(0, 1, 500)), "b": [0.0, math.inf]}
    chart = histogram("t", values, unit="dB")
    heights = {0: 0.0, 1: 0.0}
    for style, height in re.findall(r'class="bar s(\d)"[^>]* height="([\d.]+)"', chart):
        heights[int(style)] += float(height)
    assert heights[0] / heights[1] == pytest.approx(500, rel=0.02)
    assert ">dB<" in chart


def test_smoothing_keeps_to_its_stage_and_leaves_smooth_lines_alone() -> None:
    rng = np.random.default_rng(0)
    steps = np.arange(800.0)
    noisy = Series("a", steps, np.where(steps < 400, 0.0, 10.0) + rng.normal(0, 1, 800))
    smoothed = smooth(noisy, [400])
    assert np.abs(smoothed.values[:400]).max() < 1.2
    assert np.abs(smoothed.values[400:] - 10).max() < 1.2
    assert smooth(noisy).values[399] > 3  # without the boundary, the step is blurred
    assert smooth(Series("a", steps, steps**2)).values is not None
    decay = Series("a", steps, 1e-3 * (1 - steps / 801) ** 0.9)
    assert smooth(decay) is decay


@given(st.integers(1, 3000), st.booleans())
@settings(max_examples=30, deadline=None)
def test_thinning_keeps_ends_and_extremes(count: int, extremes: bool) -> None:
    rng = np.random.default_rng(count)
    line = Series("a", np.arange(float(count)), rng.normal(0, 1, count))
    thinned = thin(line, 100, extremes)
    assert len(thinned.steps) <= max(100, 1)
    assert set(thinned.steps) <= set(line.steps)
    if extremes:
        assert thinned.values.max() == line.values.max()
        assert thinned.values.min() == line.values.min()
    else:
        assert thinned.steps[[0, -1]].tolist() == [0, count - 1]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
@example([5e-324])
@settings(max_examples=60, deadline=None)
def test_every_scale_holds_its_values_and_a_few_ticks(values: list[float]) -> None:
    array = np.array(values)
    scale = value_scale([array], [array])
    assert scale.low < scale.high
    assert scale.low <= array.min() <= array.max() <= scale.high
    assert 1 <= len(scale.ticks) <= 12
    assert all(scale.low - 1e-9 <= tick <= scale.high + 1e-9 for tick in scale.ticks)
    places = scale(array, 0.0, 1.0)
    assert ((places >= -1e-9) & (places <= 1 + 1e-9)).all()


def test_small_helpers() -> None:
    labels = {0.0: "0", 1e-5: "1e-5", 0.002: "0.002", 0.5: "0.5", 3.0: "3", 1500.0: "1.5k", 2e6: "2M"}
    assert {value: label(value) for value in labels} == labels
    assert [duration(s) for s in (42, 600, 12_000)] == ["42 s", "10 min", "3 h 20 min"]
    assert evenly(range(100), 4) == [0, 33, 66, 99]
    assert evenly([5, 6], 4) == [5, 6]
