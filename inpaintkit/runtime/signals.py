"""Ctrl-C and SIGTERM: noted, and acted on between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from . import distributed


@contextmanager
def stop_signals() -> Iterator[Callable[[], int]]:
    """Gives a function that tells the number of the signal that came, Ctrl-C or SIGTERM, or 0.

    A second Ctrl-C interrupts at once (not with several processes: torchrun passes on what the terminal sent already).
    """
    received: list[int] = []

    def note(number: int, frame: object) -> None:
        if received and number == signal.SIGINT and distributed.world() == 1:
            raise KeyboardInterrupt
        received.append(number)

    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield lambda: 0
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: received[0] if received else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
