"""Builds the metrics of ``validate: {metrics: [...]}``; the loop runs them."""

from __future__ import annotations

from ..components.torch_metric import as_metric
from ..core.errors import OptionError
from ..core.interfaces import Metric
from ..core.plugins import Plugins
from ..recipe import ValidateOptions

DEFAULT = ("psnr", "l1")


def validation_metrics(options: ValidateOptions, plugins: Plugins, images: int) -> dict[str, Metric]:
    """Fresh metrics by label, for a validation set of so many images.

    Raises:
        OptionError: two metrics have one label, or one is not defined for so few images.
    """
    if options.metrics is None:
        built = [plugins.registry.get("metric", name).load()() for name in DEFAULT]
    else:
        built = [as_metric(spec.build()) for spec in options.metrics]
    metrics: dict[str, Metric] = {}
    for at, metric in enumerate(built):
        path = ("validate", "metrics", at)
        if metric.label in metrics:
            raise OptionError(f"a second metric is labelled {metric.label!r}", path)
        if metric.min_images > images:
            text = f"{metric.label} needs at least {metric.min_images:,} images, and validation has {images:,}"
            raise OptionError(f"{text}: see validate.images", path)
        metrics[metric.label] = metric
    return metrics
