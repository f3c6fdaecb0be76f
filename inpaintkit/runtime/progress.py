"""What a person sees while a run goes on: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_EVERY = 20.0  # seconds between lines where there is no terminal


class RunProgress:
    """A bar with loss terms, images a second and the time left; silent with ``show=False``."""

    def __init__(self, name: str, steps: int, done: int, show: bool = True) -> None:
        self.console = Console(stderr=True, quiet=not show, highlight=False)
        self._name, self._steps, self._first = name, steps, done
        self._began = time.monotonic()
        self._last_line = 0.0
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[terms]}"),
            console=self.console,
            disable=not (show and self.console.is_terminal),
        )
        self._task = self._bar.add_task(name, total=steps, completed=done, terms="")

    def __enter__(self) -> RunProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, done: int) -> None:
        """``done`` steps are done."""
        self._bar.update(self._task, completed=done)

    def terms(self, done: int, stage: str, logs: Mapping[str, float], images_per_second: float) -> None:
        """Shows the newest values; the time left is told where there is no bar."""
        shown = {key: value for key, value in logs.items() if key.startswith(("generator/", "critic/"))}
        text = "  ".join(
            f"{key.removeprefix('generator/').removesuffix('/loss')} {value:.4g}"
            for key, value in shown.items()
            if key.startswith("generator/") or key.endswith("/loss")
        )
        text = f"{stage}  {text}  {images_per_second:.0f} images/s"
        self._bar.update(self._task, completed=done, terms=text)
        now = time.monotonic()
        if not self.console.is_terminal and (now - self._last_line >= LINE_EVERY or done == self._steps):
            self._last_line = now
            left = (now - self._began) / max(done - self._first, 1) * (self._steps - done)
            self.say(f"{self._name}: step {done}/{self._steps}  {text}  {left:.0f} s left")

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)
