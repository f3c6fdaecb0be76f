"""Bars for work that goes picture by picture, with one below for a search that takes long inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..core.interfaces import Method


@contextmanager
def told(method: Method, title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows how far the work is while it goes on, and no longer; nothing where ``title`` is empty.

    Gives a function that is told how many of ``total`` are done. What ``method.progress`` hears of a long ``inpaint``
    becomes a second bar, gone when the search ends; after the block ``method.progress`` is None again.
    """
    if not title:
        yield lambda done: None
        return
    text = TextColumn("{task.description}", markup=False)  # names may hold brackets
    with Progress(text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), transient=True) as bars:
        whole = bars.add_task(title, total=total)
        inner = bars.add_task("  search", total=None, visible=False)

        def search(done: int, of: int) -> None:
            bars.update(inner, completed=done, total=of, visible=done < of)

        method.progress = search
        try:
            yield lambda done: bars.update(whole, completed=done)
        finally:
            method.progress = None
