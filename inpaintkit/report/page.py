"""``report.html`` of a run: one self-contained file, rendered from ``templates/report.html``."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from .. import __version__
from ..core.config.nodes import dump, parse
from ..core.errors import InpaintkitError
from ..evaluation import (
    FILE,
    Interval,
    MetricResult,
    Results,
    describe_images,
    describe_seeds,
    direction_arrow,
    format_interval,
    read_results,
    verdict,
)
from ..runs import ENVIRONMENT, REPORT, Run
from ..runtime import evenly_spaced, write_atomically
from .curves import Log, curves, flat, read_log, stages, title

SHEETS = 8  # sample sheets over training, at most: the first, the last and evenly between


def write_report(folder: str | Path) -> Path:
    """Writes ``report.html`` into the folder of a run and returns its path.

    Reads ``recipe.yaml``, which every run has, and where they exist ``log.jsonl``, ``environment.json``,
    ``samples/step-*.png`` and ``results/*/results.json`` with their pictures. Sections without content are left out.

    Raises:
        InpaintkitError: ``folder`` is no run, or a file in it is damaged.
    """
    from .charts import histogram, line_chart  # here, because only the drawing of a report needs matplotlib

    run = Run(Path(folder))
    if not run.recipe_file.is_file():
        raise InpaintkitError(
            f"{folder} is no run: " + ("it holds no recipe.yaml" if run.folder.is_dir() else "there is no such folder")
        )
    recipe_text, log, environment = run.recipe_file.read_text(encoding="utf-8"), read_log(run), _read_environment(run)
    results = [read_results(file) for file in sorted(run.results.glob(f"*/{FILE}"))]
    recipe = _recipe(recipe_text)
    begins, steps = stages(log), (0.0, float(log[-1]["step"]) if log else 0.0)
    sheets = {int(match[1]): path for path in run.samples.glob("*.png") if (match := re.search(r"(\d+)$", path.stem))}
    page = _templates().render(
        name=run.folder.resolve().name,
        recipe=recipe,
        facts=_facts(recipe, log, results),
        results=results,
        charts=[line_chart(title(chart), lines, begins, steps) for chart, lines in curves(log)],
        sheets={step: sheets[step] for step in evenly_spaced(sorted(sheets), SHEETS)},
        sheet_count=len(sheets),
        tested=[(one, run.results / one.name, one.pictures and histogram(*_ranking(one))) for one in results],
        texts={
            "recipe.yaml, as it ran": recipe_text,
            **{f"protocol {one.name}": dump({**one.protocol, "hash": one.hash}) for one in results},
        },
        environments=_environments(environment, results),
        version=__version__,
    )
    report = run.folder / REPORT
    write_atomically(report, page)
    return report


def _templates() -> Any:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals |= {"data_url": data_url, "color_class": color_class}
    environment.filters |= {
        "interval": format_interval,
        "arrow": direction_arrow,
        "seeds": describe_seeds,
        "images": describe_images,
        "verdict": verdict,
    }
    return environment.get_template("report.html")


def _read_environment(run: Run) -> dict[str, Any]:
    file = run.folder / ENVIRONMENT
    if not file.is_file():
        return {}
    try:
        return flat(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError) as error:
        raise InpaintkitError(f"{file} is damaged ({error}): delete it to continue") from error


def _recipe(text: str) -> Mapping[str, Any]:
    root = parse(text, "recipe.yaml", [])
    tree = root.plain() if root else None
    return tree if isinstance(tree, dict) else {}


def _facts(recipe: Mapping[str, Any], log: Log, results: Sequence[Results]) -> dict[str, Any]:
    method = recipe.get("method")
    facts: dict[str, Any] = {"method": method.get("use") if isinstance(method, dict) else method}
    if log:
        facts["steps"] = f"{log[-1]['step']:,}"
    if seconds := _numbers(log, "seconds"):
        facts["training time"] = duration(seconds[-1])
    if speeds := sorted(_numbers(log, "images_per_s")):
        facts["images/s, median"] = f"{speeds[len(speeds) // 2]:,.0f}"
    if results:
        facts["results from"] = describe_seeds(results[0].row.training_seeds)
        facts["s per test image"] = f"{results[0].row.seconds_per_image:.2g}"
        facts["evaluated on"] = results[0].device
    return {name: fact for name, fact in facts.items() if fact}


def _numbers(log: Log, key: str) -> list[float]:
    return [float(entry[key]) for entry in log if isinstance(entry.get(key), int | float)]


def _ranking(results: Results) -> tuple[str, Mapping[str, Sequence[float]], str]:
    """Title, values and unit of the histogram over the metric that ranks the test images."""
    rows = [row for row in (results.row, *results.baselines) if results.ranked_by in row.metrics]
    values = {row.name: row.metrics[results.ranked_by].per_image or () for row in rows}
    return f"Distribution over {len(results.names):,} test images", values, results.ranked_by


def _environments(training: Mapping[str, Any], results: Sequence[Results]) -> dict[str, Mapping[str, str]]:
    tables = {"environment of the training": training}
    if results:
        last = results[-1]
        evaluated = {"device": last.device, "batch": last.batch, "plugins": last.plugins, **last.environment}
        tables["environment of the evaluation"] = flat(evaluated)
    return {name: {key: _plain(value) for key, value in table.items()} for name, table in tables.items() if table}


def _plain(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def color_class(metric: MetricResult, difference: Interval) -> str:
    """``good`` or ``bad`` where the interval excludes 0 and one direction is the better one."""
    if metric.higher_is_better is None or not difference.excludes_zero:
        return ""
    return "good" if (difference.mean > 0) == metric.higher_is_better else "bad"


def duration(seconds: float) -> str:
    """``42 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def data_url(file: Path) -> str:
    """The PNG inside a URL; empty when it cannot be read."""
    try:
        return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode("ascii")
    except OSError:
        return ""
