"""Option classes: where pictures come from, and the preparation done to each of them once, before the cache."""

from __future__ import annotations

import os
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Annotated

import attrs
from annotated_types import MinLen

from ..core.errors import DataError, OptionError, did_you_mean
from ..runtime import open_regular

# fmt: off
EXTENSIONS = frozenset([
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".ppm", ".pgm",
    ".pbm", ".pnm", ".tga", ".avif", ".jp2", ".j2k", ".heic", ".heif",
])
# fmt: on
PIECE = 4096  # bytes that are unpacked at once
BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)  # what a piece unpacks to is limited
MAX_BYTES = 512 * 2**20  # of one file, unpacked: an archive member cannot fill the memory


@attrs.frozen
class PackageFiles:
    """Files that ship inside an installed package: ``{package: skimage, files: [data/astronaut.png]}``."""

    package: Annotated[str, MinLen(1)]
    files: Annotated[list[str], MinLen(1)]

    def __attrs_post_init__(self) -> None:
        problems = [
            OptionError(f"{name!r} is not a path inside the package: write it as in data/astronaut.png", ("files", at))
            for at, name in enumerate(self.files)
            if not name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name
        ]
        if problems:
            raise OptionError.join(problems)

    def paths(self) -> dict[str, Path]:
        """``package:file`` -> the path of the file.

        Raises:
            DataError: the package is not installed, or some of the files are missing.
        """
        try:
            module = import_module(self.package)
        except ImportError as error:
            raise DataError(f"package {self.package!r} holds the files, but cannot be imported ({error})") from error
        roots = [Path(root) for root in getattr(module, "__path__", [])]
        if not roots:
            raise DataError(f"{self.package!r} is a single module, which holds no files")
        found: dict[str, Path] = {}
        for name in self.files:
            if places := [root / name for root in roots if (root / name).is_file()]:
                found[name] = places[0]
        missing = [name for name in self.files if name not in found]
        if missing:
            raise DataError(f"package {self.package!r} has no file {', '.join(missing)} (looked in {roots[0]})")
        return {f"{self.package}:{name}": path for name, path in found.items()}


#: Where pictures come from: a folder, a .zip, a single picture, or files of an installed package.
Source = Path | PackageFiles


class Unreadable(Exception):
    """The reason why one picture cannot be used; the caller lists it by name."""


@attrs.frozen
class ImageFile:
    """One picture file.

    Attributes:
        name: as messages and the cache show it.
        version: changes when the file does.
        read: returns the bytes of the file.
    """

    name: str
    version: tuple[str | int, ...]
    read: Callable[[], bytes] = attrs.field(eq=False, repr=False)


def find(sources: Source | Sequence[Source]) -> list[ImageFile]:
    """The pictures of every source, sorted by name within each; names that occur in several sources get a prefix.

    Raises:
        DataError: a source is missing, unreadable, or holds no pictures; names all such sources.
    """
    files: dict[str, ImageFile] = {}
    errors: list[str] = []
    for source in [sources] if isinstance(sources, Source) else sources:
        label = source.package if isinstance(source, PackageFiles) else source.name
        try:
            found = _files_of(source)
        except DataError as error:
            errors.append(str(error))
            continue
        for file in sorted(found, key=lambda file: file.name):
            name, copy = file.name, 1
            while name in files:
                copy += 1
                name = f"{label}:{file.name}" if copy == 2 else f"{label}[{copy}]:{file.name}"
            files[name] = attrs.evolve(file, name=name)
    if errors:
        raise DataError("\n".join(errors))
    return list(files.values())


def _files_of(source: Source) -> list[ImageFile]:
    if isinstance(source, PackageFiles):
        return [_on_disk(name, path) for name, path in source.paths().items()]
    try:
        if source.is_dir():
            files = [_on_disk(path.relative_to(source).as_posix(), path) for path in walk(source)]
        elif source.is_file() and source.suffix.lower() == ".zip":
            files = _in_zip(source)
        elif source.is_file():
            return [_on_disk(source.name, source)]
        else:
            near = did_you_mean(source.name, os.listdir(source.parent) if source.parent.is_dir() else [])
            raise DataError(f"no folder, .zip or picture {str(source)!r}{near} (looked in {Path.cwd()})")
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror or error}") from error
    pictures = [file for file in files if _is_picture(PurePosixPath(file.name))]
    if not pictures:
        example = min((file.name for file in files), default="")
        hint = f"; it has {len(files)} other files, such as {example!r}" if files else "; it is empty"
        raise DataError(f"{source} holds no pictures (known extensions: {' '.join(sorted(EXTENSIONS))}){hint}")
    return pictures


def _is_picture(name: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in name.parts)
    return not hidden and name.suffix.lower() in EXTENSIONS


def walk(folder: Path) -> Iterator[Path]:
    """All files in a folder and below; links to folders are followed, each folder once."""

    def fail(error: OSError) -> None:
        raise error

    visited: set[str] = set()
    for root, folders, files in os.walk(folder, onerror=fail, followlinks=True):
        real = os.path.realpath(root)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders.sort()  # of two links to a folder the first counts
        yield from (Path(root, name) for name in files)


def _on_disk(name: str, path: Path) -> ImageFile:
    def read() -> bytes:
        with open_regular(path) as file:
            _require_size(os.fstat(file.fileno()).st_size)
            return file.read(MAX_BYTES + 1)

    try:
        facts = path.stat()
        size, changed = facts.st_size, facts.st_mtime_ns
    except OSError:  # a dangling link: read() says so
        size, changed = -1, -1
    return ImageFile(printable(name), (str(path.absolute()), size, changed), read)


def _in_zip(path: Path) -> list[ImageFile]:
    opened = threading.local()  # one file handle for each thread, so that reads run in parallel

    def file(member: zipfile.ZipInfo) -> ImageFile:
        def read() -> bytes:
            _require_size(member.file_size)
            if member.compress_type not in BOUNDED:
                raise Unreadable("its compression may unpack a few bytes to gigabytes: pack it with deflate")
            if not hasattr(opened, "archive"):
                opened.archive = zipfile.ZipFile(path)
            with opened.archive.open(member) as packed:  # small pieces: the header may lie about the unpacked size
                return b"".join(iter(lambda: packed.read(PIECE), b""))

        return ImageFile(printable(member.filename), (member.CRC, member.file_size), read)

    try:
        with zipfile.ZipFile(path) as archive:
            return [file(member) for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no readable .zip: {error}") from error


def printable(name: str) -> str:
    """A file name that can be written to logs: bytes that are not text on this system are escaped."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _require_size(size: int) -> None:
    if size == 0:
        raise Unreadable("the file is empty")
    if size > MAX_BYTES:
        raise Unreadable(f"{size / 2**20:.0f} MiB unpacked is over the limit of {MAX_BYTES // 2**20} MiB for one file")
