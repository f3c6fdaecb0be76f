"""The printed table, and how its numbers are written."""

from __future__ import annotations

import math

import pytest
from inpaintkit_compare.table import break_label
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


@pytest.mark.parametrize(
    ("width", "metrics_shown", "left_out"),
    [(100, 3, []), (80, 3, ["seeds", "time", "memory"]), (60, 1, ["seeds", "time", "memory"])],
)
def test_no_name_is_broken_where_a_line_is_short(
    compared: Compared, width: int, metrics_shown: int, left_out: list[str]
) -> None:
    names = ("mean_color", "navier_stokes", "iccv_perceptual-faces_center_64", "ours, best of 8 (chosen by the truth)")
    metrics = [
        {"use": "psnr", "region": "hole"},
        {"use": "ssim", "region": "hole"},
        {"use": "gradient-energy"},
    ]
    found = compared({name: Level(at / 5) for at, name in enumerate(names)}, protocol=tree(metrics=metrics))
    lines = printed(found, width).splitlines()
    assert max(map(len, lines)) <= width
    for name in names[:3]:
        assert sum(line.startswith(f" {name} ") for line in lines) == 1
    assert " ours, best of 8 (chosen by " in "\n".join(lines)
    assert " difference " in "\n".join(lines)
    shown = " ".join(" ".join(lines).split())
    missing = ", ".join([*found.labels[metrics_shown:], *left_out])
    assert (f"Not shown at this width: {missing}; the files have them." in shown) == bool(left_out)
    assert ("/image" in shown) == (not left_out)


def test_a_name_as_long_as_the_line_is_broken_and_kept(compared: Compared) -> None:
    name = "a_name_" * 12
    shown = printed(compared({name: Level(), "b": Level(0.2)}), 80)
    parts = [line.split()[0] for line in shown.splitlines() if line.startswith((" a_", " name", " _"))]
    assert max(map(len, shown.splitlines())) <= 80
    assert "".join(parts) == name


def test_labels_are_broken_between_their_parts() -> None:
    assert break_label("psnr[hole,255]") == "psnr\n[hole,\n255]"
    assert break_label("gradient-energy[hole]") == "gradient-\nenergy\n[hole]"
    assert break_label("kid") == "kid"


def test_how_numbers_are_written() -> None:
    assert [p_text(value) for value in (None, 0.0001, 0.0344, 1.0)] == ["-", "<0.001", "0.034", "1.000"]
    assert [seconds_text(value) for value in (0.0, 2.34e-6, 0.0123, 0.999, 1.0, 75.2, math.nan)] == [
        "0 µs", "2.3 µs", "12 ms", "999 ms", "1.0 s", "75 s", "-"
    ]  # fmt: skip
    assert [memory_text(value) for value in (None, 0, 2**19, 3 * 2**20, 2**31)] == [
        "-", "0 MB", "0.50 MB", "3.0 MB", "2048 MB"
    ]  # fmt: skip
