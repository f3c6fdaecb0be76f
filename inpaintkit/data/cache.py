"""The cache of decoded pictures: a folder with one flat uint8 file and an index, written atomically."""

from __future__ import annotations

import errno
import json
import os
import shutil
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import attrs
import PIL
import platformdirs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..core.errors import DataError
from ..runtime import new_folder
from .decoding import Entry, Pixels, Unreadable, decode, formats
from .sources import Prepare

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FORMAT = 1
_PIXELS, _INDEX = "pixels.u8", "index.json"


@attrs.frozen
class Index:
    """What lies in the pixel file: picture after picture, each (3, H, W) without gaps."""

    names: list[str]
    sizes: list[tuple[int, int]]  # (height, width)
    digests: list[str]  # of each picture's pixels
    unreadable: list[tuple[str, str]]  # (name, reason)

    @property
    def nbytes(self) -> int:
        return sum(3 * height * width for height, width in self.sizes)


def default_folder() -> Path:
    """``$INPAINTKIT_CACHE``, or the place that this system has for caches."""
    if named := os.environ.get("INPAINTKIT_CACHE"):
        return Path(named)
    return platformdirs.user_cache_path("inpaintkit", appauthor=False)


def cached(entries: Sequence[Entry], prepare: Prepare, folder: Path, *, progress: bool) -> tuple[Path, Index]:
    """The pixel file and index of ``entries``, from an earlier run or decoded now.

    Raises:
        DataError: the cache cannot be written (no space, no permission); nothing half-written is left behind.
    """
    key = _key(entries, prepare)
    home = folder / key
    if index := _read(home):
        return home / _PIXELS, index
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder / f"{key}.lock", progress) as alone:
            if index := _read(home):  # another process was faster
                return home / _PIXELS, index
            for leftover in folder.glob(f".{key}.*") if alone else ():  # of a process that was killed
                shutil.rmtree(leftover, ignore_errors=True)
            shutil.rmtree(home, ignore_errors=True)  # damaged
            try:
                with new_folder(home) as temporary:
                    index = _write(temporary, entries, prepare, progress)
            except OSError:
                index = _read(home)  # of another process, where there are no locks
                if index is None:
                    raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            why = "there is no space left for the decoded pictures"
        else:
            why = f"the decoded pictures cannot be written: {error.strerror or error}"
        raise DataError(f"{why} in {folder}; name another folder with `cache:` or INPAINTKIT_CACHE") from error
    return home / _PIXELS, index


def _key(entries: Sequence[Entry], prepare: Prepare) -> str:
    """Changes with any file, with ``prepare`` and with what decodes."""
    marks = [(entry.name, *entry.mark) for entry in entries]
    facts = [FORMAT, PIL.__version__, formats(), attrs.astuple(prepare), marks]
    return blake2b(json.dumps(facts).encode(), digest_size=12).hexdigest()


def _read(home: Path) -> Index | None:
    """The index of a complete cache; None where there is none, or where it is damaged."""
    try:
        facts: dict[str, Any] = json.loads((home / _INDEX).read_text(encoding="utf-8"))
        index = Index(
            facts["names"],
            [(height, width) for height, width in facts["sizes"]],
            facts["digests"],
            [(name, reason) for name, reason in facts["unreadable"]],
        )
        complete = (home / _PIXELS).stat().st_size == index.nbytes
        return index if complete and len(index.names) == len(index.sizes) == len(index.digests) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(folder: Path, entries: Sequence[Entry], prepare: Prepare, progress: bool) -> Index:
    index = Index([], [], [], [])
    with open(folder / _PIXELS, "wb") as file:
        for entry, result in zip(entries, _decoded(entries, prepare, progress), strict=True):
            if isinstance(result, Unreadable):
                index.unreadable.append((entry.name, str(result)))
                continue
            for name, pixels in result:
                data = pixels.tobytes()
                file.write(data)
                index.names.append(name)
                index.sizes.append(pixels.shape[1:])
                index.digests.append(blake2b(data, digest_size=16).hexdigest())
    (folder / _INDEX).write_text(json.dumps(attrs.asdict(index)), encoding="utf-8")
    return index


def _decoded(
    entries: Sequence[Entry], prepare: Prepare, progress: bool
) -> Iterator[list[tuple[str, Pixels]] | Unreadable]:
    """Each entry's pictures or error, in order, decoded in as many threads as there are cores.

    Pillow's decoders release the interpreter's lock. Only a few pictures per thread are held at a time.
    """

    def one(entry: Entry) -> list[tuple[str, Pixels]] | Unreadable:
        try:
            return decode(entry, prepare)
        except Unreadable as error:
            return error

    workers = _cores()
    waiting: deque[Future[list[tuple[str, Pixels]] | Unreadable]] = deque()
    columns = (TextColumn("decoding pictures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), disable=not progress, transient=True)
    with warnings.catch_warnings(), bar, ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter("ignore")  # decoders warn about odd metadata, which changes no pixel
        task = bar.add_task("", total=len(entries))
        try:
            for entry in entries:
                waiting.append(pool.submit(one, entry))
                if len(waiting) > 4 * workers:
                    yield waiting.popleft().result()
                    bar.advance(task)
            while waiting:
                yield waiting.popleft().result()
                bar.advance(task)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after an error or Ctrl-C


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _lock(path: Path, progress: bool) -> Iterator[bool]:
    """Waits until no other process holds the lock, and yields True; False where the file system has no locks."""
    if fcntl is None:
        yield False
        return
    with open(path, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError:
            if progress:
                Console(stderr=True).print("another process is decoding these pictures; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
            alone = True
        except OSError:  # a file system without locks
            alone = False
        yield alone
