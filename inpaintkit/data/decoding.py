"""Picture files: finding them in folders, archives and packages, and decoding one of any mode to RGB."""

from __future__ import annotations

import io
import os
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..core.errors import DataError, did_you_mean
from .sources import PackageFiles, Prepare, Source

Pixels = NDArray[np.uint8]

# fmt: off
EXTENSIONS = frozenset([
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".ppm", ".pgm",
    ".pbm", ".pnm", ".tga", ".avif", ".jp2", ".j2k", ".heic", ".heif",
])
# fmt: on
#: Decoders that are tried, whatever the extension: none of them runs another program (the one for EPS would).
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM", "TGA", "AVIF", "JPEG2000", "HEIF")
MAX_BYTES = 512 * 2**20  # of one file, unpacked: an archive entry cannot fill the memory
MAX_PIXELS = 178_956_970  # of one picture: Pillow's own limit against decompression bombs


class Unreadable(Exception):
    """The reason why one picture cannot be used; the caller lists it by name."""


@attrs.frozen
class Entry:
    """One picture file.

    Attributes:
        name: as messages and the cache show it.
        mark: changes when the file does.
        read: returns the bytes of the file.
    """

    name: str
    mark: tuple[str | int, ...]
    read: Callable[[], bytes] = attrs.field(eq=False, repr=False)


def find(sources: Sequence[Source]) -> list[Entry]:
    """The pictures of every source, sorted by name within each; names that occur in several sources get a prefix.

    Raises:
        DataError: a source is missing, unreadable, or holds no pictures; names all such sources.
    """
    entries: list[Entry] = []
    problems: list[str] = []
    taken: set[str] = set()
    for source in sources:
        try:
            for entry in sorted(_entries(source), key=lambda entry: entry.name):
                name, copy = entry.name, 1
                while name in taken:
                    copy += 1
                    name = f"{_label(source)}:{entry.name}" if copy == 2 else f"{_label(source)}[{copy}]:{entry.name}"
                taken.add(name)
                entries.append(attrs.evolve(entry, name=name))
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("\n".join(problems))
    return entries


def _label(source: Source) -> str:
    return source.package if isinstance(source, PackageFiles) else source.name


def _entries(source: Source) -> list[Entry]:
    if isinstance(source, PackageFiles):
        return [_file_entry(name, path) for name, path in source.paths().items()]
    try:
        if source.is_dir():
            entries, others = _of_folder(source)
        elif source.is_file() and source.suffix.lower() == ".zip":
            entries, others = _of_zip(source)
        elif source.is_file():
            return [_file_entry(source.name, source)]
        else:
            near = did_you_mean(source.name, os.listdir(source.parent) if source.parent.is_dir() else [])
            raise DataError(f"no folder, .zip or picture {str(source)!r}{near} (looked in {Path.cwd()})")
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror or error}") from error
    if not entries:
        hint = f"; it has {len(others)} other files, such as {min(others)!r}" if others else "; it is empty"
        raise DataError(f"{source} holds no pictures (known extensions: {' '.join(sorted(EXTENSIONS))}){hint}")
    return entries


def _is_picture(name: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in name.parts)
    return not hidden and name.suffix.lower() in EXTENSIONS


def _of_folder(folder: Path) -> tuple[list[Entry], list[str]]:
    entries, others = [], []
    for path in _walk(folder, set()):
        name = PurePosixPath(path.relative_to(folder).as_posix())
        if _is_picture(name):
            entries.append(_file_entry(str(name), path))
        else:
            others.append(str(name))
    return entries, others


def _walk(folder: Path, visited: set[str]) -> Iterator[Path]:
    """All files in a folder and below; links to folders are followed, each folder once."""
    real = os.path.realpath(folder)
    if real in visited:
        return
    visited.add(real)
    with os.scandir(folder) as found:
        for item in sorted(found, key=lambda item: item.name):
            if item.is_dir():
                yield from _walk(Path(item.path), visited)
            else:
                yield Path(item.path)


def _file_entry(name: str, path: Path) -> Entry:
    def read() -> bytes:
        with open(path, "rb") as file:
            _require_size(os.fstat(file.fileno()).st_size)
            return file.read(MAX_BYTES + 1)

    try:
        facts = path.stat()
        mark = (str(path.absolute()), facts.st_size, facts.st_mtime_ns)
    except OSError:  # a dangling link: read() says so
        mark = (str(path.absolute()), -1, -1)
    return Entry(_printable(name), mark, read)


def _of_zip(path: Path) -> tuple[list[Entry], list[str]]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no readable .zip: {error}") from error
    opened = threading.local()  # one file handle for each thread, so that reads run in parallel

    def entry(member: zipfile.ZipInfo) -> Entry:
        def read() -> bytes:
            _require_size(member.file_size)
            if not hasattr(opened, "archive"):
                opened.archive = zipfile.ZipFile(path)
            data: bytes = opened.archive.read(member)
            return data

        return Entry(_printable(member.filename), (member.CRC, member.file_size), read)

    pictures = [member for member in members if _is_picture(PurePosixPath(member.filename))]
    others = [member.filename for member in members if not _is_picture(PurePosixPath(member.filename))]
    return [entry(member) for member in pictures], others


def _printable(name: str) -> str:
    """A file name that can be written to logs: bytes that are not text on this system are escaped."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _require_size(size: int) -> None:
    if size == 0:
        raise Unreadable("the file is empty")
    if size > MAX_BYTES:
        raise Unreadable(f"{size / 2**20:.0f} MiB unpacked is over the limit of {MAX_BYTES // 2**20} MiB for one file")


@cache
def formats() -> tuple[str, ...]:
    """Those of ``FORMATS`` that this Pillow decodes."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def decode(entry: Entry, prepare: Prepare) -> list[tuple[str, Pixels]]:
    """One file -> its prepared pictures, ``(name, (3, H, W))``; several where it is cut into tiles.

    Raises:
        Unreadable: says why in a few words; every error of a decoder ends here.
    """
    try:
        return prepared(entry.name, open_rgb(entry.read(), draft=prepare.short_side), prepare)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable("no picture of a known format, or damaged") from None
    except Image.DecompressionBombError:
        raise Unreadable(f"more than {MAX_PIXELS:,} pixels, the limit for one picture") from None
    except MemoryError:
        raise Unreadable("not enough memory to decode it") from None
    except Exception as error:  # decoders fail in many ways: OSError, SyntaxError, struct.error, ValueError, zlib.error
        text = getattr(error, "strerror", None) or str(error) or "cannot be decoded"
        raise Unreadable(f"{text} ({type(error).__name__})") from None


def open_rgb(data: bytes, draft: int | None = None) -> Image.Image:
    """The bytes of a picture file of any mode -> RGB, upright by its EXIF orientation.

    16 bits become 8 by rounding, transparent parts are composited over white, and the first of several frames is taken;
    color profiles are not applied. ``draft``: the short side that is needed (a larger JPEG is decoded at a fraction of
    its size).
    """
    image: Image.Image = Image.open(io.BytesIO(data), formats=formats())
    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError
    if draft and min(image.size) > 2 * draft:  # at twice the size needed: the rest is left to the better filter
        scale = 2 * draft / min(image.size)
        image.draft(None, (round(image.width * scale), round(image.height * scale)))
    image.load()
    with suppress(Exception):  # damaged EXIF data has no orientation; the pixels are usable
        image = ImageOps.exif_transpose(image)
    return to_rgb(image)


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB.

    Raises:
        Unreadable: floating-point pixels outside [0, 255], or a mode that cannot be converted to RGB.
    """
    if image.mode.startswith("I"):  # Pillow's integer modes hold 16-bit gray, in either byte order
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise Unreadable(f"integer pixels from {values.min()} to {values.max()} do not fit in 16 bits")
        return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        floats = np.asarray(image)
        low, high = float(floats.min()), float(floats.max())
        if not (low >= 0 and high <= 255):  # NaN fails both
            raise Unreadable(f"floating-point pixels from {low:g} to {high:g} have no known range")
        return Image.fromarray(np.rint(floats * (255 if high <= 1 else 1)).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        overlaid = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", overlaid.size, "white"), overlaid).convert("RGB")
    return image.convert("RGB")


def prepared(name: str, image: Image.Image, prepare: Prepare) -> list[tuple[str, Pixels]]:
    """One RGB picture after the steps of ``prepare``; tiles are named ``name#row,column``.

    Raises:
        Unreadable: the picture is smaller than ``crop`` or ``tiles``, or so long that resizing would exceed the limit.
    """
    if prepare.short_side and min(image.size) != prepare.short_side:
        scale = prepare.short_side / min(image.size)
        width, height = (max(prepare.short_side, round(side * scale)) for side in image.size)
        if width * height > MAX_PIXELS:
            raise Unreadable(f"{image.width}x{image.height} is too long: resized it has {width * height:,} pixels")
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    for step, side in (("crop", prepare.crop), ("tiles", prepare.tiles)):
        if side and min(image.size) < side:
            raise Unreadable(f"{image.width}x{image.height} is smaller than {step} ({side})")
    if prepare.crop:
        left, top = (image.width - prepare.crop) // 2, (image.height - prepare.crop) // 2
        image = image.crop((left, top, left + prepare.crop, top + prepare.crop))
    pixels = np.asarray(image).transpose(2, 0, 1)
    side = prepare.tiles
    if not side:
        return [(name, pixels)]
    rows, columns = image.height // side, image.width // side
    top, left = (image.height - rows * side) // 2, (image.width - columns * side) // 2
    tiles = []
    for row in range(rows):
        for column in range(columns):
            y, x = top + row * side, left + column * side
            tiles.append((f"{name}#{row},{column}", pixels[:, y : y + side, x : x + side]))
    return tiles
