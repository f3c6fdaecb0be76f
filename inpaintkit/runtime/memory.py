"""The peak memory of a block of code, where the platform can measure it."""

from __future__ import annotations

import ctypes
import gc
import re
from contextlib import suppress
from pathlib import Path

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """``with PeakMemory(device) as peak: ...``; then ``peak.extra`` is the memory that the block needed at its peak.

    On CUDA this is the memory of tensors. On the CPU of Linux it is the growth of the process's peak resident memory,
    of all threads, in pages: free memory is returned to the system before, and no garbage is collected inside, since
    memory that is used again would not be measured. Elsewhere, and where the kernel does not reset the peak, it is
    None.

    Attributes:
        extra: bytes; None before the end of the block, and where it cannot be measured.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.extra: int | None = None
        self._before: int | None = None

    def __enter__(self) -> PeakMemory:
        self._collecting = gc.isenabled()
        gc.disable()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = torch.cuda.memory_allocated(self.device)
        elif self.device.type == "cpu":
            with suppress(OSError, AttributeError, TypeError):  # another C library
                ctypes.CDLL(None).malloc_trim(0)  # so that memory that is used again is measured
            self._before = resident() if reset_peak() else None
        return self

    def __exit__(self, *_: object) -> None:
        if self._collecting:
            gc.enable()
        if self._before is None:
            return
        peak = torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else resident("VmHWM")
        self.extra = None if peak is None else max(0, peak - self._before)


def reset_peak() -> bool:
    """Sets the process's peak memory to its present memory; False where that is not possible."""
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
