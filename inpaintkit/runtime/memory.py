"""How much memory a piece of work needs at its peak, where the platform can tell."""

from __future__ import annotations

import ctypes
import gc
import re
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """``with PeakMemory(device) as peak: ...``; then ``peak.extra`` is what was needed beyond what was there before.

    On CUDA this is what tensors took. On the CPU of Linux it is the growth of the process's peak resident memory: of
    all threads, in pages; what was free before is given back first, and garbage is collected after the block, so that
    nothing of it is used again unseen. Elsewhere, and where the kernel does not let the peak be reset, ``extra`` is
    None.

    Attributes:
        extra: bytes; None before the end of the block, and where nobody can tell.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.extra: int | None = None
        self._before: int | None = None
        self._collecting = gc.isenabled()

    def __enter__(self) -> PeakMemory:
        self._collecting = gc.isenabled()
        gc.disable()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = torch.cuda.memory_allocated(self.device)
        elif self.device.type == "cpu":
            trim()
            self._before = resident() if reset_peak() else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._collecting:
            gc.enable()
        if self._before is None:
            return
        peak = torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else resident("VmHWM")
        self.extra = None if peak is None else max(0, peak - self._before)


def trim() -> None:
    """Gives memory that the C library keeps back to the system, so that using it again is seen."""
    with suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def reset_peak() -> bool:
    """Makes the process's present memory its peak; False where that cannot be done."""
    try:
        CLEAR.write_text("5")
    except OSError:
        return False
    return True


def resident(which: str = "VmRSS") -> int | None:
    """The process's resident memory in bytes, now or (``VmHWM``) at its peak; None where the kernel does not say."""
    try:
        found = re.search(rf"^{which}:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
