"""Some seconds of ``make fuzz`` for pictures."""

from __future__ import annotations

import pytest

from .fuzz_pictures import run
from .harness import FAULTS


@pytest.mark.filterwarnings("ignore")
def test_damaged_pictures_and_masks_are_filled_or_refused() -> None:
    counts = run(seed=0, seconds=4)
    assert sum(counts.values()) > 0
    assert not any(counts[fault] for fault in FAULTS), counts
