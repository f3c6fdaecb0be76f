"""Seconds and memory of the methods in a comparison."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor
from toy_methods import Level

from inpaintkit.core.plugins import Plugins
from inpaintkit.evaluation.protocol import load_protocol
from inpaintkit.evaluation.testset import TestSet, completions
from inpaintkit.runtime import Execution, progress
from inpaintkit.runtime.memory import PeakMemory, reset_peak
from inpaintkit.runtime.progress import report_progress

from .toys import (
    COUNT,
    Compared,
    Hungry,
    printed,
    tree,
)


def test_the_first_batch_warms_up(compared: Compared, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Level):
        """Advances the clock by 10 s in its first batch and by 1 s in others."""

        now = 0.0

        def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
            Slow.now += 1.0 if self.batches else 10.0
            return super().inpaint(masked, mask)

    told = sys.platform.startswith("linux") and reset_peak()  # the second batch tells the memory, and no time then
    monkeypatch.setattr("inpaintkit.evaluation.testset.time.perf_counter", lambda: Slow.now)
    assert compared({"a": Slow()}, batch=4).rows[0].seconds_per_image == pytest.approx(
        (1 / 4 + 1) / 2 if told else 1 / 4
    )
    assert compared({"a": Slow()}, batch=COUNT).rows[0].seconds_per_image == pytest.approx(10 / COUNT)


@pytest.mark.skipif(not sys.platform.startswith("linux") or not reset_peak(), reason="the kernel does not tell")
def test_memory_is_that_of_the_method(compared: Compared) -> None:
    hungry, frugal = compared({"hungry": Hungry(), "frugal": Level()}, batch=4, limit=4).rows
    assert hungry.memory_per_image == pytest.approx(16_000_000, rel=0.1)
    assert (frugal.memory_per_image or 0) < 1_000_000


def test_nothing_is_computed_twice(compared: Compared) -> None:
    """Memory is measured on the second batch while it is measured; only the blended twin draws again."""
    for batch, sizes in ((5, [5, 5, 3]), (7, [7, 6]), (COUNT, [COUNT])):
        method = Level()
        compared({"a": method}, batch=batch)
        assert method.batches == sizes
        compared({"a": method}, batch=batch, blend="poisson")
        assert method.batches == sizes * 3


def test_memory_is_measured_on_the_second_batch(
    plugins: Plugins, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    method = Level()

    class Peak(PeakMemory):
        def __enter__(self) -> PeakMemory:
            seen.append(len(method.batches))
            return super().__enter__()

    monkeypatch.setattr("inpaintkit.evaluation.testset.PeakMemory", Peak)
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    for batch, before in ((5, 1), (7, 1), (COUNT, 0)):
        seen.clear()
        method.batches.clear()
        parts = list(completions(method, test_set, Execution(batch=batch), measure_memory=True))
        assert seen == [before]
        assert [part.memory is not None for part in parts].count(True) <= 1
    list(completions(method, test_set, Execution(batch=5)))
    assert seen == [0]


def test_a_search_is_shown(compared: Compared, monkeypatch: pytest.MonkeyPatch) -> None:
    class Searches(Level):
        def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
            report_progress(1, 7)
            time.sleep(0.25)  # bars are drawn ten times a second
            report_progress(7, 7)
            return super().inpaint(masked, mask)

    text = io.StringIO()
    terminal = Console(file=text, force_terminal=True, width=80)
    monkeypatch.setattr(progress, "Console", lambda stderr: terminal)
    method = Searches()
    compared({"[a]": method}, batch=COUNT)
    assert text.getvalue() == ""
    compared({"[a]": method}, batch=COUNT, progress=True)
    assert "[a] under toy" in text.getvalue()
    assert "this batch" in text.getvalue()
    assert "1/7" in text.getvalue()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_memory_on_cuda_is_that_of_tensors() -> None:
    with PeakMemory("cuda") as peak:
        torch.ones(4_000_000, device="cuda")
    assert peak.extra == pytest.approx(16_000_000, rel=0.05)


def test_memory_where_nobody_can_tell(compared: Compared, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("inpaintkit.runtime.memory.CLEAR", tmp_path / "none" / "clear_refs")
    found = compared({"hungry": Hungry()}, limit=2)
    assert found.rows[0].memory_per_image is None
    [line] = [line for line in printed(found).splitlines() if line.startswith(" hungry")]
    assert line.split()[-1] == "-"
    with PeakMemory("meta") as peak:
        pass
    assert peak.extra is None
    monkeypatch.setattr("inpaintkit.runtime.memory.STATUS", tmp_path / "none")
    monkeypatch.setattr("inpaintkit.runtime.memory.CLEAR", tmp_path / "clear_refs")
    with PeakMemory() as peak:
        pass
    assert peak.extra is None
