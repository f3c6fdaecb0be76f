"""Measures methods under a protocol, and writes down what was found."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..components.mean_color import MeanColor
from ..components.torch_metric import as_metric
from ..core.errors import InpaintkitError, OptionError
from ..core.interfaces import Method, Metric
from ..core.plugins import Plugins
from ..data import ImageSet, Source
from ..runs import Run, environment, has_weights, latest, load
from ..runtime import to_uint8, write_atomically
from .pictures import choose, named, strip
from .protocol import Protocol, load_protocol
from .results import FILE, MetricResult, Results, Row, to_json
from .statistics import Interval
from .test_set import Completion, TestSet, completions


def measure(
    method: Method,
    test_set: TestSet,
    *,
    name: str,
    kind: str = "",
    device: torch.device | str = "cpu",
    batch: int = 32,
    progress: bool = False,
    keep: NDArray[np.uint8] | None = None,
) -> Row:
    """One method under one protocol.

    Args:
        name: of the row in tables.
        kind: the method's registered name; by default that of its class.
        keep: (N, 3, S, S) uint8, filled with the outputs.

    Raises:
        InpaintkitError: two metrics share a label, or one refuses these pictures.
    """
    title = f"{name} under {test_set.protocol.name}" if progress else ""
    parts = completions(method, test_set, device=device, batch=batch, progress=title)
    return tally(parts, test_set, name=name, kind=kind or type(method).__name__, device=device, keep=keep)


def tally(
    parts: Iterable[Completion],
    test_set: TestSet,
    *,
    name: str,
    kind: str,
    device: torch.device | str = "cpu",
    keep: NDArray[np.uint8] | None = None,
) -> Row:
    """Measures completions of a test set's pictures, whoever made them: all of them, in order, once.

    ``seconds_per_image`` is the median over the batches; without the first one where there are more, since it warms up,
    and without the one whose memory was measured where others are left.

    Raises:
        InpaintkitError: as :func:`measure`.
    """
    found = Tally(test_set, name=name, kind=kind, device=device, keep=keep)
    for part in parts:
        found.add(part)
    return found.row()


class Tally:
    """A row in the making: :func:`tally`, batch by batch."""

    def __init__(
        self,
        test_set: TestSet,
        *,
        name: str,
        kind: str,
        device: torch.device | str = "cpu",
        keep: NDArray[np.uint8] | None = None,
    ) -> None:
        self.test_set, self.name, self.kind, self.keep = test_set, name, kind, keep
        self.metrics = build_metrics(test_set, torch.device(device))
        self.values: dict[str, list[Tensor]] = {label: [] for label in self.metrics}
        self.times: list[float] = []  # of an image
        self.warm: list[float] = []  # of these without the first, and without one whose memory was measured
        self.odd: list[str] = []

    def add(self, part: Completion) -> None:
        for label, metric in self.metrics.items():
            found = metric.update(part.sample)
            if found is not None:
                self.values[label].append(found.detach().double().cpu())
        if self.times and part.memory is None:
            self.warm.append(part.seconds / len(part.indices))
        self.times.append(part.seconds / len(part.indices))
        self.odd += [one for one, finite in zip(part.names, part.finite.tolist(), strict=True) if not finite]
        if self.keep is not None:
            self.keep[part.indices[0] : part.indices[-1] + 1] = to_uint8(part.sample.output).cpu().numpy()

    def row(self) -> Row:
        return Row(
            name=self.name,
            method=self.kind,
            metrics={
                label: _measured(metric, self.values[label], len(self.test_set))
                for label, metric in self.metrics.items()
            },
            seconds_per_image=float(np.median(self.warm or self.times[1:] or self.times)),
            non_finite=tuple(self.odd),
        )


def build_metrics(test_set: TestSet, device: torch.device) -> dict[str, Metric]:
    """The protocol's metrics by label, fresh and ready for their first update."""
    metrics: dict[str, Metric] = {}
    for at, spec in enumerate(test_set.protocol.metrics):
        metric = as_metric(spec.build())
        if not metric.label or metric.label in metrics:
            told = f"another metric is called {metric.label!r}, too" if metric.label else "it has no label"
            raise OptionError(
                f"protocol {test_set.protocol.name}: metrics[{at}] ({spec.name}): {told}", ("metrics", at)
            )
        if len(test_set) < metric.min_images:  # refused now, not after the work is done
            told = f"needs at least {metric.min_images:,} images, not {len(test_set):,}"
            raise InpaintkitError(f"protocol {test_set.protocol.name}: {metric.label} {told}")
        metric.setup(device)
        metrics[metric.label] = metric
    return metrics


def evaluate(
    method: Method,
    protocol: Protocol | str | Path | Mapping[str, Any],
    images: Source | Sequence[Source] | ImageSet | None = None,
    *,
    name: str = "",
    device: torch.device | str = "cpu",
    batch: int = 32,
    cache: Path | None = None,
    plugins: Plugins | None = None,
    progress: bool = False,
) -> Results:
    """Measures any method under a protocol, with filling by the mean color beside it.

    Args:
        protocol: a protocol, the name of a bundled one, a file, or a mapping.
        images: instead of the pictures that the protocol names.
        name: the name of the row; by default that of the method's class.
        batch: how many pictures the method is given at a time; changes no number, up to rounding.

    Raises:
        RecipeError: the protocol is wrong.
        DataError: the pictures are missing.
    """
    if not isinstance(protocol, Protocol):
        protocol = load_protocol(protocol, plugins)
    test_set = TestSet.open(protocol, images, cache=cache, progress=progress)
    row = measure(method, test_set, name=name or type(method).__name__, device=device, batch=batch, progress=progress)
    return _results(row, test_set, device, batch, plugins)


def evaluate_run(
    folder: str | Path,
    protocols: Sequence[str | Path | Mapping[str, Any]] | None = None,
    images: Source | Sequence[Source] | None = None,
    *,
    device: torch.device | str = "cpu",
    batch: int = 32,
    plugins: Plugins | None = None,
    progress: bool = False,
) -> list[Results]:
    """Measures the newest checkpoint of a run and writes ``results/<protocol>/results.json`` with its pictures.

    Args:
        protocols: by default those of the recipe's ``evaluate:``.
        images: instead of the pictures that the protocols or the recipe name.

    Raises:
        InpaintkitError: ``folder`` is no run or is damaged, a protocol is wrong, or its pictures are missing.
    """
    run = Run(Path(folder))
    recipe = run.recipe(plugins)
    wanted = list(protocols) if protocols else list(recipe.evaluate)
    if not wanted:
        raise InpaintkitError(f"{folder}: the recipe has no `evaluate:`, so say which protocol")
    # All protocols and pictures are looked at before anything is computed.
    loaded = [load_protocol(protocol, plugins) for protocol in wanted]
    options = recipe.data
    test_sets = []
    for protocol in loaded:
        source = images or protocol.images or (options.test if options else None)
        cache, strict = (options.cache, options.strict) if options else (None, False)
        test_sets.append(TestSet.open(protocol, source, cache=cache, strict=strict, progress=progress))
    source = run.folder
    trained: dict[str, Any] = {"seed": recipe.seed, "training_seeds": 0}
    if has_weights(run, recipe):
        source, state, _ = latest(run.checkpoints)
        trained |= {"steps": state["step"], "training_seconds": state.get("seconds"), "training_seeds": 1}
    method = load(source, device, plugins)
    found = []
    for test_set in test_sets:
        with tempfile.TemporaryFile() as file:  # on disk: test sets may be large
            outputs = np.memmap(file, np.uint8, "w+", shape=(len(test_set), 3, test_set.side, test_set.side))
            row = measure(
                method,
                test_set,
                name=run.folder.resolve().name,
                kind=recipe.method.name,
                device=device,
                batch=batch,
                progress=progress,
                keep=outputs,
            )
            results = _results(attrs.evolve(row, **trained), test_set, device, batch, plugins)
            chosen = choose(results)
            strips = {at: strip(test_set.batch([at]), outputs[at]) for at in {picture.index for picture in chosen}}
        results = attrs.evolve(results, pictures=tuple(named(picture, strips[picture.index]) for picture in chosen))
        write_results(run.results / test_set.protocol.name, results, strips)
        found.append(results)
    return found


def write_results(folder: Path, results: Results, strips: Mapping[int, bytes] | None = None) -> Path:
    """``results.json`` and the strips of its pictures by index; the old file or the new one is there, never a part.

    Raises:
        InpaintkitError: the folder cannot be written to.
    """
    files = {picture.file: strips[picture.index] for picture in results.pictures} if strips else {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():  # named by content: what an older results.json names stays until the end
            write_atomically(folder / name, content)
        write_atomically(folder / FILE, json.dumps(to_json(results), indent=1, allow_nan=False))
        for old in folder.glob("*.png"):
            if old.name not in files:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise InpaintkitError(f"the results cannot be written to {folder}: {error}") from error
    return folder / FILE


def _results(row: Row, test_set: TestSet, device: torch.device | str, batch: int, plugins: Plugins | None) -> Results:
    baseline = measure(MeanColor(), test_set, name="mean color", kind="mean-color", device=device, batch=batch)
    ranked_by = next(
        (label for label, one in row.metrics.items() if one.per_image and one.higher_is_better is not None), ""
    )
    found = environment(plugins)
    return Results(
        protocol=test_set.protocol.settings(),
        hash=test_set.hash,
        names=test_set.images.names,
        digest=test_set.images.digest,
        row=row,
        baseline=attrs.evolve(baseline, training_seeds=0),
        ranked_by=ranked_by,
        device=device_name(torch.device(device)),
        batch=batch,
        plugins=found.pop("plugins", {}),
        environment=found,
    )


def _measured(metric: Metric, values: Sequence[Tensor], count: int) -> MetricResult:
    if not values:
        whole = float(metric.compute())
        return MetricResult(Interval(whole, float("nan"), float("nan"), count), metric.higher_is_better)
    per_image = torch.cat(list(values)).tolist()
    if len(per_image) != count:
        raise InpaintkitError(f"metric {metric.label}: {len(per_image)} values for {count} images")
    return MetricResult.from_values(per_image, metric.higher_is_better)


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
