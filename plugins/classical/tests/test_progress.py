"""What slow methods report of how far they are."""

from __future__ import annotations

import importlib

import pytest
import torch
from inpaintkit_classical.low_rank import LowRank
from inpaintkit_classical.patchmatch import PatchMatch, report_share
from inpaintkit_classical.total_variation import TotalVariation

from inpaintkit import Method


@pytest.mark.parametrize(
    ("module", "method"),
    [
        ("patchmatch", PatchMatch(levels=3)),
        ("low_rank", LowRank(trials=2, iterations=20)),
        ("low_rank", LowRank(rank=2, iterations=20)),
        ("total_variation", TotalVariation(iterations=200, tolerance=0)),
    ],
)
def test_reports_rise_to_the_total(module: str, method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[tuple[int, int]] = []
    place = importlib.import_module(f"inpaintkit_classical.{module}")
    monkeypatch.setattr(place, "report_progress", lambda done, total: reports.append((done, total)))
    picture = torch.rand((1, 3, 32, 32), generator=torch.Generator().manual_seed(0)) * 2 - 1
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 12:20, 10:18] = 1
    method.inpaint(picture * (1 - mask), mask)
    assert len({total for _, total in reports}) == 1
    parts = [done / total for done, total in reports]
    assert parts == sorted(parts)
    assert parts[0] < 0.1
    assert parts[-1] == 1
    assert any(0.2 < part < 0.9 for part in parts)


def test_finer_levels_follow_coarser_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[tuple[int, int]] = []
    monkeypatch.setattr(
        "inpaintkit_classical.patchmatch.report_progress", lambda done, total: reports.append((done, total))
    )
    for level, share in ((2, 0.0), (1, 0.0), (0, 0.5)):
        report_share([60, 30, 10], level, share)
    assert reports == [(0, 100), (10, 100), (70, 100)]
