"""Runs a method over test sets and computes its metrics."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..components.torch_metric import as_metric
from ..core.errors import InpaintkitError, OptionError
from ..core.interfaces import Method, Metric
from ..core.plugins import Plugins
from ..data import ImageSet, Source
from ..recipe import DataOptions, Recipe
from ..runs import Run, has_weights, load, newest
from ..runtime import Execution, Pixels, to_uint8
from .baselines import MEAN_COLOR, Baselines, load_baselines, one_line
from .pictures import choose_examples, draw_examples
from .protocol import Protocol, ProtocolSource, load_protocol
from .results import MetricResult, Results, Row, ranking_metric, write_results
from .testset import Completion, TestSet, completions


def evaluate(
    method: Method,
    protocol: ProtocolSource,
    images: Source | Sequence[Source] | ImageSet | None = None,
    *,
    name: str = "",
    baselines: Sequence[str] = (),
    execution: Execution | None = None,
    cache: Path | None = None,
    plugins: Plugins | None = None,
) -> Results:
    """Evaluates any method under a protocol, beside baselines.

    Args:
        protocol: a protocol, the name of a bundled one, a file, or a mapping.
        images: instead of the pictures that the protocol names.
        name: the name of the row; by default that of the method's class.
        baselines: recipes of methods without training, or with weights; by default the one that fills with the mean
            color.
        execution: the device, the number of pictures in a batch (it changes no number, up to rounding) and whether to
            show progress; by default on the CPU, silently.

    Raises:
        RecipeError: the protocol is wrong.
        DataError: the pictures are missing.
    """
    execution = execution or Execution()
    test_set = TestSet.open(load_protocol(protocol, plugins), images, cache=cache, progress=execution.progress)
    kind = type(method).__name__
    row = evaluate_row(method, test_set, Row(name or kind, kind), execution)
    beside = evaluate_baselines(load_baselines(baselines, execution.device, plugins), test_set, execution)
    return _results(row, beside, test_set, execution, plugins)


def evaluate_run(
    folder: str | Path,
    protocols: Sequence[ProtocolSource] | None = None,
    images: Source | Sequence[Source] | None = None,
    *,
    baselines: Sequence[str] = (),
    execution: Execution | None = None,
    plugins: Plugins | None = None,
) -> list[Results]:
    """Evaluates the newest checkpoint of a run and writes ``results/<protocol>/results.json`` with its pictures.

    Args:
        protocols: by default those of the recipe's ``evaluate:``.
        images: instead of the pictures that the protocols or the recipe name.
        baselines: as in :func:`evaluate`; by default those of the recipe.
        execution: as in :func:`evaluate`.

    Raises:
        InpaintkitError: ``folder`` is no run or is damaged, a protocol is wrong, or its pictures are missing.
    """
    execution = execution or Execution()
    run = Run(Path(folder))
    recipe = run.recipe(plugins)
    sources = protocols or recipe.evaluate
    if not sources:
        raise InpaintkitError(f"{folder}: the recipe has no `evaluate:`, so say which protocol")
    loaded = [load_protocol(source, plugins) for source in sources]
    test_sets = open_test_sets(loaded, recipe.data, images, execution.progress)
    row, source = run_row(run, recipe)
    method = load(source, execution.device, plugins)
    chosen = baselines or recipe.baselines
    return list(evaluate_protocols(method, test_sets, row, run.results, execution, plugins, baselines=chosen))


def open_test_sets(
    protocols: Sequence[Protocol],
    data: DataOptions | None,
    images: Source | Sequence[Source] | None = None,
    progress: bool = False,
) -> list[TestSet]:
    """Protocols with their pictures: ``images`` if given, else the protocol's own, else those of a recipe's ``data``.

    Raises:
        DataError: pictures are missing or too small.
    """
    test, cache, strict = (data.test, data.cache, data.strict) if data else (None, None, False)
    return [
        TestSet.open(protocol, images or protocol.images or test, cache=cache, strict=strict, progress=progress)
        for protocol in protocols
    ]


def run_row(run: Run, recipe: Recipe) -> tuple[Row, Path]:
    """The row of a run without its numbers, and the newest checkpoint: the run's folder for an untrained method.

    Raises:
        CheckpointError: there is no usable checkpoint.
    """
    row = Row(run.folder.resolve().name, recipe.method.name, seed=recipe.seed, training_seeds=0)
    if not has_weights(recipe):
        return row, run.folder
    source, state = newest(run.checkpoints)
    seconds = state.get("seconds")
    return attrs.evolve(row, steps=state["step"], training_seconds=seconds, training_seeds=1), source


def evaluate_protocols(
    method: Method,
    test_sets: Sequence[TestSet],
    row: Row,
    folder: Path,
    execution: Execution,
    plugins: Plugins | None = None,
    *,
    baselines: Sequence[str] = (),
) -> Iterator[Results]:
    """Evaluates a method under each protocol in turn and writes ``folder/<protocol>/results.json`` with its pictures.

    Args:
        row: name and origin of the method; the numbers are filled in.
        baselines: as in :func:`evaluate`. One that cannot be used is left out and named in the results.

    Raises:
        InpaintkitError: two metrics share a label, one refuses these pictures, or the folder cannot be written to.
    """
    found = load_baselines(baselines, execution.device, plugins)
    for test_set in test_sets:
        with tempfile.TemporaryFile() as file:  # on disk: test sets may be large
            outputs = np.memmap(file, np.uint8, "w+", shape=(len(test_set), 3, *test_set.frame))
            measured = evaluate_row(method, test_set, row, execution, outputs)
            examples = choose_examples(measured, ranking_metric(measured.metrics), test_set.images.names)
            indices = [example.index for example in examples]
            shown = [outputs[indices]]
            beside = evaluate_baselines(found, test_set, execution, outputs, indices)
        results = _results(measured, beside, test_set, execution, plugins)
        pictures, files = draw_examples(examples, test_set, shown + beside.outputs)
        results = attrs.evolve(results, pictures=pictures)
        write_results(folder / test_set.protocol.name, results, files)
        yield results


@attrs.frozen(eq=False)
class MeasuredBaselines:
    """The rows of baselines with their numbers, why others are missing, and what they drew of some pictures."""

    rows: list[Row]
    missing: dict[str, str]
    outputs: list[Pixels]  # (n, 3, H, W) of each


def evaluate_baselines(
    baselines: Baselines,
    test_set: TestSet,
    execution: Execution,
    outputs: NDArray[np.uint8] | None = None,
    indices: Sequence[int] = (),
) -> MeasuredBaselines:
    """The numbers of baselines under one protocol; one that fails is left out.

    Args:
        outputs: (N, 3, H, W), overwritten by each baseline in turn.
        indices: the pictures of which the outputs are kept.
    """
    measured = MeasuredBaselines([], dict(baselines.missing), [])
    for row, method in baselines.loaded:
        shown = attrs.evolve(execution, progress=execution.progress and row.method != MEAN_COLOR)
        try:
            measured.rows.append(evaluate_row(method, test_set, row, shown, outputs))
        except InpaintkitError as error:
            measured.missing[row.name] = one_line(error)
            continue
        if outputs is not None:
            measured.outputs.append(outputs[list(indices)])
    return measured


def evaluate_row(
    method: Method, test_set: TestSet, row: Row, execution: Execution, outputs: NDArray[np.uint8] | None = None
) -> Row:
    """The row with a method's numbers under one protocol.

    Args:
        row: name and origin of the method.
        outputs: (N, 3, H, W), filled with what the method draws.

    Raises:
        InpaintkitError: two metrics share a label, or one refuses these pictures.
    """
    parts = completions(method, test_set, execution, title=f"{row.name} under {test_set.protocol.name}")
    if outputs is not None:
        parts = _stored(parts, outputs)
    return evaluate_completions(parts, test_set, row, execution.device)


def evaluate_completions(parts: Iterable[Completion], test_set: TestSet, row: Row, device: torch.device) -> Row:
    """The row with the numbers of completions: those of all pictures of the test set, in order.

    ``seconds_per_image`` is the median over the batches; without the first one where there are more, since it warms up,
    and without the one whose memory was measured where others are left.

    Raises:
        InpaintkitError: as :func:`evaluate_row`.
    """
    metrics = build_metrics(test_set, device)
    values: dict[str, list[Tensor]] = {label: [] for label in metrics}
    times: list[float] = []  # per image
    warm: list[float] = []  # of these, those that count
    non_finite: list[str] = []
    for part in parts:
        for label, metric in metrics.items():
            found = metric.update(part.sample)
            if found is not None:
                values[label].append(found.detach().double().cpu())
        seconds = part.seconds / len(part.indices)
        if times and part.memory is None:
            warm.append(seconds)
        times.append(seconds)
        non_finite += [name for name, finite in zip(part.names, part.finite.tolist(), strict=True) if not finite]
    return attrs.evolve(
        row,
        metrics={label: _metric_result(metric, values[label], len(test_set)) for label, metric in metrics.items()},
        seconds_per_image=float(np.median(warm or times[1:] or times)),
        non_finite=tuple(non_finite),
    )


def build_metrics(test_set: TestSet, device: torch.device) -> dict[str, Metric]:
    """The protocol's metrics by label, new and ready for their first update.

    Raises:
        InpaintkitError: two share a label, or one refuses so few pictures.
    """
    name = test_set.protocol.name
    metrics: dict[str, Metric] = {}
    for at, spec in enumerate(test_set.protocol.metrics):
        metric = as_metric(spec.build())
        if not metric.label or metric.label in metrics:
            fault = f"another metric is called {metric.label!r}, too" if metric.label else "it has no label"
            raise OptionError(f"protocol {name}: metrics[{at}] ({spec.name}): {fault}", ("metrics", at))
        if len(test_set) < metric.min_images:  # refused now, not after the work is done
            needed = f"needs at least {metric.min_images:,} images, not {len(test_set):,}"
            raise InpaintkitError(f"protocol {name}: {metric.label} {needed}")
        metric.setup(device)
        metrics[metric.label] = metric
    return metrics


def _stored(parts: Iterable[Completion], outputs: NDArray[np.uint8]) -> Iterator[Completion]:
    """The same completions; their outputs are stored on the way."""
    for part in parts:
        outputs[part.indices[0] : part.indices[-1] + 1] = to_uint8(part.sample.output).cpu().numpy()
        yield part


def _results(
    row: Row, beside: MeasuredBaselines, test_set: TestSet, execution: Execution, plugins: Plugins | None
) -> Results:
    return Results.of(
        test_set,
        execution,
        plugins,
        row=row,
        baselines=tuple(beside.rows),
        missing=beside.missing,
        ranked_by=ranking_metric(row.metrics),
    )


def _metric_result(metric: Metric, values: Sequence[Tensor], count: int) -> MetricResult:
    if not values:
        return MetricResult.of_set(float(metric.compute()), count, metric.higher_is_better)
    per_image = torch.cat(list(values)).tolist()
    if len(per_image) != count:
        raise InpaintkitError(f"metric {metric.label}: {len(per_image)} values for {count} images")
    return MetricResult.from_values(per_image, metric.higher_is_better)
