"""The report of an invented run: complete, self-contained, well-formed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inpaintkit import InpaintkitError
from inpaintkit.evaluation.results import Example, MetricResult, Results, Row, write_results
from inpaintkit.evaluation.statistics import bootstrap
from inpaintkit.report.page import SHEETS, duration, write_report

VOID = {"meta", "img", "input", "br", "line", "path", "rect", "use"}
LINKS = {"src", "href", "xlink:href", "srcset", "action", "data"}


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
        self.links += [value or "" for name, value in attrs if name in LINKS]
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
        baselines=(row("mean color", worse, training_seeds=0),),
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
    strips = {picture.file: png(tmp_path / f"{picture.index}.png") for picture in results.pictures}
    write_results(folder / "results" / "faces", results, strips)
    return folder


def page_of(run: Path) -> tuple[str, Page]:
    path = write_report(run)
    assert path == run / "report.html"
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


def test_the_page_is_well_formed_and_asks_the_network_for_nothing(run: Path) -> None:
    text, page = page_of(run)
    assert page.links
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids
    text = re.sub(r'xmlns(:xlink)?="http://www.w3.org/[^"]+"', "", text)  # names of formats, which nothing requests
    assert not re.search(r"https?://|@import|url\((?!#)|fetch\(|XMLHttp|import\(", text)
    assert set(re.findall(r"url\(#(\w+)\)", text)) <= page.ids
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
    assert "1 outputs contain NaN or infinity and count as black: face <3>.png" in re.sub(r"\s+", " ", shown)
    assert 'class="good"' in text  # PSNR is higher, and L1 lower: the interval excludes 0


def test_the_pictures_come_first_then_the_verdict_then_the_numbers(run: Path, results: Results) -> None:
    import attrs

    several = (*results.baselines, attrs.evolve(results.baselines[0], name="<other>"))
    several_results = attrs.evolve(results, baselines=several, missing={"gone": "no <plugin>"})
    write_results(run / "results" / "faces", several_results, None)
    text, page = page_of(run)
    shown = re.sub(r"\s+", " ", " ".join(page.texts))
    order = ("completed by myrun", "In psnr[hole,255], myrun beats mean color by", "Arrows point to the better end")
    places = [shown.index(part) for part in order]
    assert places == sorted(places)
    assert shown.count("completed by myrun mean color <other> truth") == 14
    assert "Not evaluated: gone: no <plugin>" in shown
    assert "<other>" not in re.sub(r"<script.*?</script>", "", text, flags=re.S)


def test_a_picture_is_shown_once_at_the_top(run: Path, results: Results) -> None:
    import attrs

    first, second = results.pictures[:2]
    several = (first, second, attrs.evolve(second, rank="worst 1"))
    write_results(run / "results" / "faces", attrs.evolve(results, pictures=several), None)
    _, page = page_of(run)
    assert " ".join(page.texts).count("completed by myrun") == 2


def test_only_differences_that_stand_are_colored(run: Path, results: Results) -> None:
    import attrs

    values = list(results.row.metrics["psnr[hole,255]"].per_image or ())
    flips = [value + (0.1 if at % 2 else -0.1) for at, value in enumerate(values)]
    write_results(run / "results" / "faces", attrs.evolve(results, baselines=(row("mean color", flips),)), None)
    text, _ = page_of(run)
    assert 'class="good"' not in text
    assert 'class="bad"' not in text
    higher = [value + 1 for value in values]
    write_results(run / "results" / "faces", attrs.evolve(results, baselines=(row("mean color", higher),)), None)
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


def test_two_reports_of_a_run_are_equal_bytes(run: Path) -> None:
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_matplotlib_is_imported_only_to_draw_and_pyplot_never(run: Path) -> None:
    program = (
        "import sys; from inpaintkit.report import write_report; assert 'matplotlib' not in sys.modules; "
        f"write_report({str(run)!r}); assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_durations_are_for_people() -> None:
    assert [duration(s) for s in (42, 600, 12_000)] == ["42 s", "10 min", "3 h 20 min"]


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
