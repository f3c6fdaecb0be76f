"""``report.html`` of a run: one file with the table, the curves and the pictures, that asks the network for nothing."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from .. import __version__
from ..core.config.nodes import dump, parse
from ..core.errors import InpaintkitError
from ..evaluation import (
    FILE,
    Example,
    Interval,
    MetricResult,
    Results,
    describe_seeds,
    direction_arrow,
    format_interval,
    read_results,
)
from ..runs import ENVIRONMENT, REPORT, Run
from ..runtime import evenly, write_atomically
from .charts import histogram
from .curves import Log, curve_charts, flat, read_log

SHEETS = 8  # sample sheets over training, at most: first, last and evenly between
VIEWS = ("masked", "output", "completed", "truth")


def write_report(folder: str | Path) -> Path:
    """Writes ``report.html`` into a run's folder from what lies there, and returns its path.

    Reads ``recipe.yaml`` (which makes the folder a run), and where they are ``log.jsonl``, ``environment.json``,
    ``samples/step-*.png`` and ``results/*/results.json`` with their pictures. What is not there yet is left out.

    Raises:
        InpaintkitError: ``folder`` is no run, or a file in it is damaged.
    """
    run = Run(Path(folder))
    if not run.recipe_file.is_file():
        raise InpaintkitError(
            f"{folder} is no run: " + ("it holds no recipe.yaml" if run.folder.is_dir() else "there is no such folder")
        )
    recipe, log, environment = run.recipe_file.read_text(encoding="utf-8"), read_log(run), _read_environment(run)
    results = [read_results(file) for file in sorted(run.results.glob(f"*/{FILE}"))]
    sections = [
        ("Results", _results(results)),
        ("Training", _curves(log)),
        ("Samples over training", _sheets(run.samples)),
        *((f"Test pictures: {one.name}", _pictures(one, run.results / one.name)) for one in results),
        ("Recipe and environment", _details(recipe, environment, results)),
    ]
    page = _page(run.folder.resolve().name, _header(recipe, log, results), [part for part in sections if part[1]])
    report = run.folder / REPORT
    write_atomically(report, page)
    return report


def _read_environment(run: Run) -> dict[str, Any]:
    file = run.folder / ENVIRONMENT
    if not file.is_file():
        return {}
    try:
        return flat(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError) as error:
        raise InpaintkitError(f"{file} is damaged ({error}): delete it to go on") from error


def _header(recipe_text: str, log: Log, results: Sequence[Results]) -> str:
    root = parse(recipe_text, "recipe.yaml", [])
    tree = root.plain() if root else None
    recipe = tree if isinstance(tree, dict) else {}
    method = recipe.get("method")
    facts: dict[str, Any] = {"method": method.get("use") if isinstance(method, dict) else method}
    if log:
        facts["steps"] = f"{log[-1]['step']:,}"
    if seconds := _numbers(log, "seconds"):
        facts["training time"] = duration(seconds[-1])
    if speeds := sorted(_numbers(log, "images_per_s")):
        facts["images/s, median"] = f"{speeds[len(speeds) // 2]:,.0f}"
    if results:
        facts["numbers rest on"] = describe_seeds(results[0].row)
        facts["seconds a test image"] = f"{results[0].row.seconds_per_image:.2g}"
        facts["evaluated on"] = results[0].device
    texts = [
        f"<p{style}>{escape(str(recipe[key]).strip())}</p>"
        for key, style in (("paper", ' class="soft"'), ("description", ""))
        if recipe.get(key)
    ]
    shown = [f"<div><dt>{escape(name)}</dt><dd>{escape(str(fact))}</dd></div>" for name, fact in facts.items() if fact]
    return f'{"".join(texts)}<dl class="facts">{"".join(shown)}</dl>'


def _numbers(log: Log, key: str) -> list[float]:
    return [float(entry[key]) for entry in log if isinstance(entry.get(key), int | float)]


def _results(results: Sequence[Results]) -> str:
    if not results:
        return '<p class="card">Not evaluated yet: <code>inpaintkit evaluate</code> fills this section.</p>'
    return "".join(_results_card(one) for one in results)


def _results_card(results: Results) -> str:
    row, baseline, paired = results.row, results.baseline, results.differences()
    body = []
    for label, measure in row.metrics.items():
        against = baseline.metrics.get(label)
        cells = [_cell(measure.interval), _cell(against.interval) if against else "<td></td>"]
        cells.append(_difference(measure, paired[label]) if label in paired else "<td></td>")
        body.append(
            f'<tr><th><span class="mono">{escape(label)}</span> {direction_arrow(measure)}</th>{"".join(cells)}</tr>'
        )
    head = "".join(f"<th>{escape(name)}</th>" for name in ("metric", row.name, baseline.name, "difference"))
    description = escape(str(results.protocol.get("description") or "").strip())
    notice = ""
    if row.non_finite:
        names = ", ".join(row.non_finite[:5]) + (" and more" if len(row.non_finite) > 5 else "")
        told = f"Not a number in {len(row.non_finite)} outputs, which count as black there: {names}"
        notice = f'<p class="notice">{escape(told)}</p>'
    return (
        f'<div class="card"><h3>{escape(results.name)}</h3><p>{description}</p>{notice}<div class="scroll">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
        f"<p><small>{len(results.names):,} images, {describe_seeds(row)}. Intervals: 95 %, bootstrap over images; "
        "differences are paired. Arrows point to the better end. Numbers compare where the protocol agrees: "
        f'<span class="mono">{results.hash}</span></small></p></div>'
    )


def _cell(interval: Interval, style: str = "", signed: bool = False) -> str:
    mean, between = format_interval(interval, signed)
    return f"<td{style}><b>{mean}</b>" + (f"<small>{between}</small></td>" if between else "</td>")


def _difference(measure: MetricResult, interval: Interval) -> str:
    """Colored only where the interval excludes 0 and one direction is the better one."""
    if measure.higher_is_better is None or not interval.excludes_zero:
        return _cell(interval, signed=True)
    good = (interval.mean > 0) == measure.higher_is_better
    return _cell(interval, f' class="{"good" if good else "bad"}"', signed=True)


def _curves(log: Log) -> str:
    charts = "".join(curve_charts(log))
    return f'<div class="charts">{charts}</div>' if charts else ""


def _sheets(folder: Path) -> str:
    found = {int(match[1]): path for path in folder.glob("*.png") if (match := re.search(r"(\d+)$", path.stem))}
    steps = evenly(sorted(found), SHEETS)
    if not steps:
        return ""
    figures = [
        f"<figure><figcaption>step {step:,}</figcaption>{_image(found[step], f'samples at step {step}')}</figure>"
        for step in steps
    ]
    told = f"The same pictures each time, {len(steps)} of {len(found)} sheets."
    sheets = f'<div class="sheets">{"".join(figures)}</div>'
    return f'<p><small>{told}</small></p><div class="card" data-player>{sheets}</div>'


def _pictures(results: Results, folder: Path) -> str:
    if not results.pictures:
        return ""
    label = escape(results.ranked_by)
    values = {row.name: row.metrics[results.ranked_by].per_image or () for row in (results.row, results.baseline)}
    chart = histogram(f"How the {len(results.names):,} test images fare", values, unit=results.ranked_by)
    cards = [_picture(picture, folder) for picture in results.pictures]
    top = f'<div class="pictures">{chart}<div class="stack">{"".join(cards[:2])}</div></div>'  # the best and the median
    return (
        f'<p><small>Chosen by <span class="mono">{label}</span>, whose value stands beside each name.</small></p>'
        f'{top}<h3>The worst</h3><div class="pictures">{"".join(cards[2:])}</div>'
    )


def _picture(picture: Example, folder: Path) -> str:
    name, four = escape(picture.name), "".join(f"<span>{view}</span>" for view in VIEWS)
    tag = f'<span class="tag">{escape(picture.rank)}</span>'
    return (
        f'<figure class="card"><figcaption><span title="{name}">{tag}{name}</span>'
        f'<b>{picture.value:.4g}</b></figcaption><div class="four">{four}</div>'
        f"{_image(folder / picture.file, f'{picture.name}, {picture.rank}')}</figure>"
    )


def _details(recipe_text: str, environment: Mapping[str, Any], results: Sequence[Results]) -> str:
    blocks = [_folded("recipe.yaml, as it ran", f"<pre>{escape(recipe_text)}</pre>")]
    for one in results:
        text = dump({**one.protocol, "hash": one.hash})
        blocks.append(_folded(f"protocol {one.name}", f"<pre>{escape(text)}</pre>"))
    tables = [("environment of the training", environment)]
    if results:
        last = results[-1]
        evaluated = {"device": last.device, "batch": last.batch, "plugins": last.plugins, **last.environment}
        tables.append(("environment of the evaluation", flat(evaluated)))
    for name, values in tables:
        rows = [f"<tr><td>{escape(key)}</td><td>{escape(_told(value))}</td></tr>" for key, value in values.items()]
        if rows:
            blocks.append(_folded(name, f'<table class="environment"><tbody>{"".join(rows)}</tbody></table>'))
    return "".join(blocks)


def _told(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def _folded(summary: str, body: str) -> str:
    return f'<details class="card"><summary>{escape(summary)}</summary>{body}</details>'


def duration(seconds: float) -> str:
    """``42 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _image(file: Path, alt: str) -> str:
    """The picture inside the page; a missing one is said in its place."""
    try:
        data = base64.b64encode(file.read_bytes()).decode("ascii")
    except OSError:
        return f'<p class="soft">{escape(file.name)} is missing</p>'
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}">'


def _page(title: str, header: str, sections: Iterable[tuple[str, str]]) -> str:
    templates = files(__package__) / "templates"
    style, script = ((templates / f"report.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    named = [(re.sub(r"\W+", "-", head.lower()), escape(head), body) for head, body in sections]
    links = "".join(f'<a href="#{anchor}">{head}</a>' for anchor, head, _ in named)
    bodies = "".join(f'<section id="{anchor}"><h2>{head}</h2>{body}</section>' for anchor, head, body in named)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style></head>\n<body><main><header><h1>{escape(title)}</h1>"
        f"{header}<nav>{links}</nav></header>\n{bodies}\n<footer>inpaintkit {__version__}</footer></main>\n"
        f"<script>\n{script}</script></body></html>\n"
    )
