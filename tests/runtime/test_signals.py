"""Signals between two steps."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from inpaintkit.runtime.signals import stop_signals

Write = Callable[..., Path]


def test_a_second_interrupt_does_not_wait() -> None:
    with stop_signals() as stopped:
        assert stopped() == 0
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped() == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
