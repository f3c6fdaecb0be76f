"""Sample sheets: which of them a report shows."""

from __future__ import annotations

from inpaintkit.runtime.sheets import evenly_spaced


def test_evenly_keeps_both_ends() -> None:
    assert evenly_spaced(range(100), 4) == [0, 33, 66, 99]
    assert evenly_spaced([5, 6], 4) == [5, 6]


def test_one_or_none_are_the_first() -> None:
    assert evenly_spaced(range(100), 1) == [0]
    assert evenly_spaced(range(100), 0) == []
