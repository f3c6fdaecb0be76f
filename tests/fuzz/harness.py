"""What all kinds of fuzzing share: cases that a seed and a number make, and a watch over each of them."""

from __future__ import annotations

import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inpaintkit.core.errors import InpaintkitError

#: What a case does; it returns False where the program refused in its own words, or raises an InpaintkitError.
Case = Callable[[], bool]
MakeCase = Callable[[random.Random], Case]

OUTCOMES = ("ok", "refused", "traceback", "hang", "memory")
FAULTS = OUTCOMES[2:]
MOST_SECONDS = 10
MOST_MEMORY = 2**30  # bytes above what the process had before the case
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Hang(BaseException):
    """Raised in a case that takes too long; no ``except Exception`` catches it."""


def run_cases(kind: str, make_case: MakeCase, seed: int, seconds: float, only: int | None = None) -> Counter[str]:
    """Runs cases for so many seconds, at least one, and counts their outcomes; each fault is told on stderr.

    Args:
        make_case: makes a case of random numbers; the same seed and number make the same case.
        only: the number of the one case that is run, to look at a fault.
    """
    counts: Counter[str] = Counter()
    end, number = time.monotonic() + seconds, only or 0
    while True:
        outcome, told = watched(make_case(random.Random(f"{seed}/{number}")))
        counts[outcome] += 1
        if outcome in FAULTS:
            print(f"{kind}, seed {seed}, case {number}: {outcome}\n{told}", file=sys.stderr, flush=True)
        number += 1
        if only is not None or time.monotonic() >= end:
            return counts


def watched(case: Case) -> tuple[str, str]:
    """The outcome of a case, and the traceback of a fault."""
    before = memory_of("VmRSS")
    try:
        with time_limit(MOST_SECONDS):
            outcome, told = ("ok" if case() else "refused"), ""
    except InpaintkitError:
        outcome, told = "refused", ""
    except Hang:
        outcome, told = "hang", traceback.format_exc()
    except Exception:
        outcome, told = "traceback", traceback.format_exc()
    extra = memory_of("VmHWM") - before
    if extra > MOST_MEMORY and outcome not in FAULTS:
        return "memory", f"{extra / 2**20:.0f} MiB more than before"
    return outcome, told


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises Hang in the block after so many seconds of computing, or six times as many of waiting."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def end(*_: Any) -> None:
        raise Hang

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, seconds), signal.SIGALRM: (signal.ITIMER_REAL, 6 * seconds)}
    before = {number: signal.signal(number, end) for number in timers}
    for timer, after in timers.values():
        signal.setitimer(timer, after)
    try:
        yield
    finally:
        for number, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


def memory_of(line: str) -> int:
    """Bytes that Linux counts for this process; VmRSS also begins a new peak, VmHWM. 0 on other systems."""
    if not STATUS.exists():
        return 0
    if line == "VmRSS":
        CLEAR.write_text("5")
    found = next(each for each in STATUS.read_text().splitlines() if each.startswith(line))
    return int(found.split()[1]) * 1024
