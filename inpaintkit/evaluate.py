"""Moved to :mod:`inpaintkit.evaluation`; stays until its importers have followed."""

from __future__ import annotations

from .evaluation import evaluate as evaluate
from .evaluation import evaluate_run as evaluate_run
