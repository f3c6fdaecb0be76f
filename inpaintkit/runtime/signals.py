"""Ctrl-C and SIGTERM: recorded when they come, and handled between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from . import distributed


@contextmanager
def stop_signals() -> Iterator[Callable[[], int]]:
    """Yields a function that returns the number of the signal that came, SIGINT or SIGTERM, or 0.

    A second Ctrl-C interrupts at once (not with several processes: each gets it from the terminal and from torchrun).
    """
    received: list[int] = []

    def record(number: int, frame: object) -> None:
        if received and number == signal.SIGINT and distributed.world() == 1:
            raise KeyboardInterrupt
        received.append(number)

    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield lambda: 0
        return
    before = {number: signal.signal(number, record) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: received[0] if received else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
