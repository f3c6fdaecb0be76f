"""Progress bars, and what a method reports of a long search."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator

import pytest
from rich.console import Console

from inpaintkit.runtime import progress
from inpaintkit.runtime.progress import _inner_bar, progress_bar, report_progress


@pytest.fixture
def text(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written to a terminal."""
    written = io.StringIO()
    terminal = Console(file=written, force_terminal=True, width=80)
    monkeypatch.setattr(progress, "Console", lambda stderr: terminal)
    return written


def test_bars_show_the_pictures_and_the_search(text: io.StringIO) -> None:
    with progress_bar("[a] under toy", 3) as show:
        show(1)
        report_progress(1, 7)
        time.sleep(0.25)  # bars are drawn ten times a second
        report_progress(7, 7)
        show(3)
    for part in ("[a] under toy", "3/3", "this batch", "1/7"):
        assert part in text.getvalue()


def test_nothing_is_shown_without_a_title_or_outside_a_bar(text: io.StringIO) -> None:
    report_progress(1, 2)
    with progress_bar("", 3) as show:
        show(1)
        report_progress(1, 2)
    assert text.getvalue() == ""


def test_a_bar_that_is_closed_early_takes_no_more_reports(text: io.StringIO) -> None:
    def work() -> Iterator[int]:
        with progress_bar("left", 3) as show:
            for done in range(3):
                yield done
                show(done)

    parts = work()
    next(parts)
    assert _inner_bar.get() is not None
    parts.close()
    assert _inner_bar.get() is None
