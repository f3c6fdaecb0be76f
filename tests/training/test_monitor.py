"""The guard against values that are not finite, and the means of the log."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from inpaintkit.core.errors import NonFiniteError
from inpaintkit.training.monitor import FiniteGuard, Meter

Write = Callable[..., Path]


def test_the_guard_names_the_first_step_and_all_its_terms() -> None:
    guard = FiniteGuard()
    good, bad = torch.tensor(1.0), torch.tensor(math.inf)
    for step, (a, b, c) in enumerate([(good, good, good), (good, bad, bad), (bad, bad, bad)]):
        guard.watch({"a": a, "b": b, "c": c}, step)
    with pytest.raises(NonFiniteError, match=r"^b, c became NaN or infinite in step 2;"):
        guard.check()
    FiniteGuard().check()


def test_the_meter_means_over_the_steps_that_had_the_term() -> None:
    meter = Meter()
    for step in range(4):
        meter.add({"a": torch.tensor(float(step))} | ({"b": torch.tensor(7.0)} if step == 2 else {}))
    values, speed = meter.flush(batch=8)
    assert values == {"a": 1.5, "b": 7.0}
    assert speed > 0
    assert meter.flush(batch=8)[0] == {}
