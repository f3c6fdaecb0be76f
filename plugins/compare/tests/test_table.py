"""The printed table, and how its numbers are written."""

from __future__ import annotations

import math

from inpaintkit_compare.text import caption, memory_text, p_text, seconds_text
from toy_methods import Level

from inpaintkit.core.plugins import Plugins

from .toys import (
    Compared,
    printed,
    tree,
)


def test_the_printed_table_is_readable(compared: Compared, plugins: Plugins) -> None:
    methods = {f"method number {at} with a name": Level(at / 20) for at in range(15)}
    metrics = [{"use": name, "region": region} for name in ("psnr", "l1", "l2") for region in ("hole", "whole", "ring")]
    found = compared(methods, protocol=tree(metrics=metrics))
    shown = printed(found)
    assert max(map(len, shown.splitlines())) <= 100
    assert "…" not in shown
    for at, row in enumerate(found.rows):
        [line] = [line for line in shown.splitlines() if line.startswith(f" method number {at} ")]
        assert f"{row.metrics['psnr[hole,255]'].interval.mean:.1f}" in line
        if at:
            assert f"{row.p_holm['psnr[hole,255]']:.2f}"[:3] in line or "<0.001" in line
    assert found.hash[:12] in shown
    assert "differences from method number 0 with a name in psnr[hole,255]" in shown
    assert "one thread" not in caption(found)


def test_how_numbers_are_written() -> None:
    assert [p_text(value) for value in (None, 0.0001, 0.0344, 1.0)] == ["-", "<0.001", "0.034", "1.000"]
    assert [seconds_text(value) for value in (0.0, 2.34e-6, 0.0123, 0.999, 1.0, 75.2, math.nan)] == [
        "0 µs", "2.3 µs", "12 ms", "999 ms", "1.0 s", "75 s", "-"
    ]  # fmt: skip
    assert [memory_text(value) for value in (None, 0, 2**19, 3 * 2**20, 2**31)] == [
        "-", "0 MB", "0.50 MB", "3.0 MB", "2048 MB"
    ]  # fmt: skip
