"""Progress: bars for work on many pictures, and for a training a bar on a terminal or a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_EVERY = 20.0  # seconds between lines where there is no terminal

_inner_bar: ContextVar[Callable[[int, int], None] | None] = ContextVar("inner_bar", default=None)


def report_progress(done: int, total: int) -> None:
    """A method whose ``inpaint`` takes long reports how far it is; does nothing when no progress bar is shown."""
    show = _inner_bar.get()
    if show is not None:
        show(done, total)


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows a bar on stderr inside the block, and a second one for what a method reports with :func:`report_progress`.

    Yields a function that takes how many of ``total`` are done. Without a title no bar is shown.
    """
    if not title:
        yield lambda done: None
        return
    text = TextColumn("{task.description}", markup=False)  # names may hold brackets
    columns = (text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        outer = bars.add_task(title, total=total)
        inner = bars.add_task("  this batch", total=None, visible=False)

        def show_inner(done: int, of: int) -> None:
            bars.update(inner, completed=done, total=of, visible=done < of)

        before = _inner_bar.get()
        _inner_bar.set(show_inner)
        try:
            yield lambda done: bars.update(outer, completed=done)
        finally:
            _inner_bar.set(before)


class RunProgress(Progress):
    """A bar with loss terms, images a second and the time left; silent with ``show=False``."""

    def __init__(self, name: str, steps: int, done: int, show: bool = True) -> None:
        console = Console(stderr=True, quiet=not show, highlight=False)
        super().__init__(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[terms]}"),
            console=console,
            disable=not (show and console.is_terminal),
        )
        self._bar = self.add_task(name, total=steps, completed=done, terms="")
        self._name, self._steps, self._first = name, steps, done
        self._began = time.monotonic()
        self._last_line = 0.0

    def step(self, done: int) -> None:
        """Moves the bar: ``done`` steps are done."""
        self.update(self._bar, completed=done)

    def terms(self, done: int, stage: str, logs: Mapping[str, float], images_per_second: float) -> None:
        """Shows the newest values; without a terminal, prints them with the time left every 20 seconds."""
        shown = {key: value for key, value in logs.items() if key.startswith(("generator/", "critic/"))}
        text = "  ".join(
            f"{key.removeprefix('generator/').removesuffix('/loss')} {value:.4g}"
            for key, value in shown.items()
            if key.startswith("generator/") or key.endswith("/loss")
        )
        text = f"{stage}  {text}  {images_per_second:.0f} images/s"
        self.update(self._bar, completed=done, terms=text)
        now = time.monotonic()
        if not self.console.is_terminal and (now - self._last_line >= LINE_EVERY or done == self._steps):
            self._last_line = now
            left = (now - self._began) / max(done - self._first, 1) * (self._steps - done)
            self.say(f"{self._name}: step {done}/{self._steps}  {text}  {left:.0f} s left")

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        self.console.print(text, markup=False, soft_wrap=True)
