"""Files and folders that are written completely or not at all, and survive a power cut; locks between processes."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import BinaryIO, TextIO
from uuid import uuid4

from rich.console import Console

from ..core.errors import InpaintkitError
from .json_files import require_regular

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"  # the file that a process holds while it uses a folder


def open_regular(path: Path) -> BinaryIO:
    """Opens a file to read its bytes. A pipe or a device, which may give bytes without end or none at all, is refused.

    Raises:
        OSError: it is no regular file, or cannot be opened.
    """
    require_regular(path)
    return open(path, "rb")


def write_atomically(path: Path, content: bytes | str) -> None:
    """Writes a temporary file, flushes it and renames it: ``path`` holds the old content or the new, never a part."""
    temporary = _temporary(path)
    try:
        temporary.write_bytes(content if isinstance(content, bytes) else content.encode())
        _flush(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """A temporary folder to write files into; at the end of the block they are flushed and it is renamed to ``path``.

    After an exception nothing is left of it.

    Args:
        replace: an older ``path`` is removed; otherwise it is an OSError if there is one.
    """
    temporary = _temporary(path)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for file in temporary.iterdir():
            _flush(file)
        if replace and path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
        if hasattr(os, "O_DIRECTORY"):  # not on Windows
            _flush(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def file_lock(path: Path, message: str = "") -> Iterator[bool]:
    """Waits until no other process holds the lock, and yields True; False where the file system has no locks.

    Args:
        message: printed on stderr before it waits.
    """
    if fcntl is None:
        yield False
        return
    with open(path, "ab") as file:
        locked = True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if message:
                Console(stderr=True).print(message)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            locked = False
        yield locked


@contextmanager
def sole_use(folder: Path) -> Iterator[None]:
    """Keeps other processes out of a folder. The lock ends with the process, however that ends.

    Raises:
        InpaintkitError: another process uses the folder; names it.
    """
    path = folder / LOCK
    if path.exists():
        require_regular(path)
    with open(path, "a+", encoding="utf-8", errors="replace") as file:
        if not _locked(file):
            file.seek(0)
            holder = file.read(200) or "another process"
            raise InpaintkitError(f"{folder} is in use by {holder}: wait until it has ended, or name another folder")
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _locked(file: TextIO) -> bool:
    """Takes the lock of an open file, unless another process has it."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(2**20)  # beyond the text: what is locked cannot be read
        with suppress(OSError):
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            return True
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: the process that the file names counts while it runs
        file.seek(0)
        holder = re.match(r"process (\d+) on (.*) since", file.read(200))
        return holder is None or holder[2] != platform.node() or not _runs(int(holder[1]))
    return True


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user
        return True
    return True


def remove_unfinished(path: Path) -> None:
    """Removes what processes that were killed while they wrote ``path`` have left."""
    for temporary in path.parent.glob(f".{escape(path.name)}.*.part"):
        temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid4().hex[:12]}.part")


def _flush(path: Path) -> None:
    """Makes the content of a file, or a rename in a folder, last through a power cut."""
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
