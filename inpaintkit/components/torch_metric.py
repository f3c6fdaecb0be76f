"""Any torchmetrics.Metric that compares two pictures, as a metric."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..core.errors import InpaintkitError
from ..core.interfaces import Metric, Sample
from ..runtime import to_uint8

if TYPE_CHECKING:
    from torchmetrics import Metric as Torchmetrics


class TorchMetric(Metric):
    """Hands pictures in [0, 1], rounded to 256 levels, to ``metric.update(drawn, truth)``, over the whole frame.

    It has one value for the whole set: torchmetrics does not say what the images have one by one.

    Args:
        metric: compares two batches (B, 3, H, W) in [0, 1]; its ``data_range`` is 1.
        on: the view that is measured.
        label: names it in results; by default the class and its data range: ``universal-image-quality-index[0..1]``.

    >>> from torchmetrics.image import PeakSignalNoiseRatio
    >>> TorchMetric(PeakSignalNoiseRatio(data_range=1.0)).label
    'peak-signal-noise-ratio[0..1]'
    """

    def __init__(self, metric: Torchmetrics, on: str = "completed", label: str = "") -> None:
        self.metric = metric
        self.on = on
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", type(metric).__name__).lower()
        self.label = label or f"{words}[0..1]"
        self.higher_is_better = metric.higher_is_better

    def setup(self, device: torch.device) -> None:
        self.metric.to(device)

    def update(self, sample: Sample) -> None:
        drawn, truth = (to_uint8(picture).float() / 255 for picture in (sample.view(self.on), sample.image))
        try:
            self.metric.update(drawn, truth)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InpaintkitError(f"{self.label} cannot compare two batches of pictures in [0, 1]: {error}") from error

    def compute(self) -> float:
        value = self.metric.compute()
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise InpaintkitError(f"{self.label} gives no single number: {value!r}")
        return float(value)


def as_metric(built: Any) -> Metric:
    """What a metric's factory made: a ``torchmetrics.Metric`` is wrapped, anything else is returned as it is."""
    if isinstance(built, Metric):
        return built
    torchmetrics = sys.modules.get("torchmetrics")  # optional; whoever made one of its metrics has imported it
    return TorchMetric(built) if torchmetrics and isinstance(built, torchmetrics.Metric) else built
