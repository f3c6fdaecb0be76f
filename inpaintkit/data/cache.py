"""The cache: decodes pictures in threads into one flat uint8 file with an index, written atomically."""

from __future__ import annotations

import errno
import json
import os
import shutil
import warnings
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import attrs
import PIL
import platformdirs

from ..core.errors import DataError
from ..runtime import file_lock, new_folder, progress_bar, read_sealed, require_regular, sealed
from .decoding import Pixels, Prepare, decode, formats
from .sources import ImageFile, Unreadable

FORMAT = 3
MAX_INDEX = 2**30  # bytes: of millions of pictures
_PIXELS, _INDEX = "pixels.u8", "index.json"


@attrs.frozen
class Index:
    """What lies in the pixel file: picture after picture, each (3, H, W) without gaps."""

    names: list[str] = attrs.Factory(list)
    sizes: list[Sequence[int]] = attrs.Factory(list)  # (height, width)
    digests: list[str] = attrs.Factory(list)  # of each picture's pixels
    unreadable: dict[str, str] = attrs.Factory(dict)  # name: reason
    checksum: int = 0  # of the pixel file


def default_folder() -> Path:
    """``$INPAINTKIT_CACHE``, or the place that this system has for caches."""
    if named := os.environ.get("INPAINTKIT_CACHE"):
        return Path(named)
    return platformdirs.user_cache_path("inpaintkit", appauthor=False)


def cached(files: Sequence[ImageFile], prepare: Prepare, folder: Path, *, progress: bool) -> tuple[Path, Index]:
    """The pixel file and index of ``files``, from an earlier run or decoded now.

    Raises:
        DataError: the cache cannot be written (no space, no permission); no incomplete file is left behind.
    """
    home = folder / _key(files, prepare)
    index = _read(home)
    if index is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            wait = "another process is decoding these pictures; waiting for it" if progress else ""
            with file_lock(folder / f"{home.name}.lock", wait) as locked:
                index = _read(home) or _decode_all(files, prepare, home, locked=locked, progress=progress)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                why = "there is no space left for the decoded pictures"
            else:
                why = f"the decoded pictures cannot be written: {error.strerror or error}"
            raise DataError(f"{why} in {folder}; name another folder with `cache:` or INPAINTKIT_CACHE") from error
    return home / _PIXELS, index


def _key(files: Sequence[ImageFile], prepare: Prepare) -> str:
    """Changes with any file, with ``prepare`` and with the versions of the decoders."""
    versions = [(file.name, *file.version) for file in files]
    facts = [FORMAT, PIL.__version__, formats(), attrs.astuple(prepare), versions]
    return blake2b(json.dumps(facts).encode(), digest_size=12).hexdigest()


def _read(home: Path) -> Index | None:
    """The index of a complete cache; None where there is none, or where a byte of it is not as it was written."""
    try:
        index = Index(**read_sealed(home / _INDEX, MAX_INDEX))
        return index if _checksum(home / _PIXELS) == index.checksum else None
    except (OSError, ValueError, TypeError):
        return None


def _checksum(file: Path) -> int:
    """A CRC of a file: many times faster than the digests of its pictures, and made to notice damage."""
    require_regular(file)
    value = 0
    with open(file, "rb") as stream:
        while block := stream.read(1 << 24):
            value = zlib.crc32(block, value)
    return value


def _decode_all(files: Sequence[ImageFile], prepare: Prepare, home: Path, *, locked: bool, progress: bool) -> Index:
    """Publishes the pixel file and its index at ``home``, both complete."""
    for leftover in home.parent.glob(f".{home.name}.*") if locked else ():  # of a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    if home.exists():
        warnings.warn(f"the decoded pictures in {home} are damaged: they are decoded again", UserWarning, stacklevel=4)
        shutil.rmtree(home, ignore_errors=True)
    try:
        with new_folder(home) as temporary:
            return _write(temporary, files, prepare, progress)
    except OSError:
        if index := _read(home):  # of another process, where there are no locks
            return index
        raise


def _write(folder: Path, files: Sequence[ImageFile], prepare: Prepare, progress: bool) -> Index:
    index, checksum = Index(), 0
    with open(folder / _PIXELS, "wb") as pixel_file:
        for file, result in zip(files, _decoded(files, prepare, progress), strict=True):
            if isinstance(result, Unreadable):
                index.unreadable[file.name] = str(result)
                continue
            for name, pixels in result:
                data = pixels.tobytes()
                pixel_file.write(data)
                checksum = zlib.crc32(data, checksum)
                index.names.append(name)
                index.sizes.append(pixels.shape[1:])
                index.digests.append(blake2b(data, digest_size=16).hexdigest())
    index = attrs.evolve(index, checksum=checksum)
    (folder / _INDEX).write_text(sealed(attrs.asdict(index)))
    return index


def _decoded(
    files: Sequence[ImageFile], prepare: Prepare, progress: bool
) -> Iterator[list[tuple[str, Pixels]] | Unreadable]:
    """Each file's pictures or error, in order, decoded in as many threads as there are cores.

    Pillow's decoders release the interpreter's lock. Only a few pictures per thread are held at a time.
    """

    def decode_one(file: ImageFile) -> list[tuple[str, Pixels]] | Unreadable:
        try:
            return decode(file, prepare)
        except Unreadable as error:
            return error

    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    title = "decoding pictures" if progress else ""
    with warnings.catch_warnings(), progress_bar(title, len(files)) as show, ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter("ignore")  # decoders warn about odd metadata, which changes no pixel
        futures = (pool.submit(decode_one, file) for file in files)
        waiting = deque(islice(futures, 4 * workers))
        try:
            for done in range(len(files)):
                yield waiting.popleft().result()
                waiting.extend(islice(futures, 1))
                show(done + 1)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after an error or Ctrl-C
