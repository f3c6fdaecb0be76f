"""Pairs each picture file with its mask file and its output files; refuses what would overwrite an input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs
from PIL import Image

from ..core.errors import DataError, did_you_mean
from .holes import Box, Color
from .report import FillReport


@attrs.frozen
class Pair:
    """A picture, its mask, and the files that are written for it."""

    image: Path
    mask: Path | Box | Color
    targets: tuple[Path, ...]


def find_pairs(
    images: Path, masks: Path | Box | Color, out: Path, samples: int | None
) -> tuple[list[Pair], FillReport]:
    """Pairs pictures with masks: two files, or by their paths in two folders without the suffix; one mask serves all.

    Returns:
        The pairs, and a report that names every other file.

    Raises:
        DataError: nothing can be done: a path does not exist, a folder holds no picture, or results would overwrite an
            input or one another.
    """
    files = (masks,) if isinstance(masks, Path) else ()
    if missing := [str(path) for path in (images, *files) if not path.exists()]:
        raise DataError(f"there is no file or folder {' and no '.join(missing)}")
    sources = _pictures_in(images, without=(*files, out))
    found = [mask for place in files for mask in _pictures_in(place, without=(images, out))]
    targets = {source: _targets(images, source, out, samples) for source in sources}
    _check_places(images, files, out, targets)
    _check_targets(targets, [*sources, *found])
    if not isinstance(masks, Path) or masks.is_file():
        return [Pair(source, masks, targets[source]) for source in sources], FillReport()
    stems = {source: _stem(source, images) for source in sources}
    by_stem: dict[Path, list[Path]] = {stem: [] for stem in stems.values()}
    pairs, report = [], FillReport()
    for mask in found:
        if (stem := _stem(mask, masks)) in by_stem:
            by_stem[stem].append(mask)
        elif images.is_dir():
            report.without_image.append(mask)
    for source, stem in stems.items():
        match by_stem[stem]:
            case [mask]:
                pairs.append(Pair(source, mask, targets[source]))
            case []:
                report.without_mask.append(source)
            case several:
                report.failed.append((source, f"several masks have its name: {', '.join(map(str, several))}"))
    return pairs, report


def batches(pairs: Iterable[Pair], batch: int) -> Iterator[list[Pair]]:
    """At most ``batch`` pictures of one size at a time; sizes are read from the files' headers."""
    by_size: dict[tuple[int, ...], list[Pair]] = {}
    for pair in pairs:
        try:
            with Image.open(pair.image) as header:
                size: tuple[int, ...] = header.size
        except Exception:  # reported when the picture is opened
            size = ()
        by_size.setdefault(size, []).append(pair)
    for some in by_size.values():
        for start in range(0, len(some), batch):
            yield some[start : start + batch]


def _pictures_in(place: Path, without: Iterable[Path]) -> list[Path]:
    """The pictures in a folder, sorted; its subfolders in ``without`` are skipped."""
    if place.is_file():
        return [place]
    Image.init()
    skipped = [other.resolve() for other in without if place.resolve() in other.resolve().parents]
    return sorted(
        path
        for path in place.rglob("*")
        if path.suffix.lower() in Image.EXTENSION
        and not path.name.startswith(".")
        and path.is_file()
        and not any(path.resolve().is_relative_to(other) for other in skipped)
    )


def _stem(path: Path, place: Path) -> Path:
    return (path.relative_to(place) if place.is_dir() else Path(path.name)).with_suffix("")


def _targets(images: Path, source: Path, out: Path, samples: int | None) -> tuple[Path, ...]:
    """The files for one picture: the result; or the answers, numbered, and their sheet."""
    if images.is_dir():
        target = out / source.relative_to(images)
    else:
        target = out if out.suffix and not out.is_dir() else out / source.name
    if samples is None:
        return (target,)
    numbered = (target.with_stem(f"{target.stem}-{number}") for number in range(1, samples + 1))
    return (*numbered, target.with_name(f"{target.stem}-sheet.png"))


def _check_places(images: Path, masks: Sequence[Path], out: Path, targets: Mapping[Path, Sequence[Path]]) -> None:
    if images.is_dir() and out.is_file():
        raise DataError(f"{out} is a file: the results of a folder need a folder")
    if images.resolve() in [place.resolve() for place in masks]:
        raise DataError(f"{images} is given for the pictures and for their masks: keep masks in a place of their own")
    if images.is_dir() and not targets:
        raise DataError(f"{images} holds no picture")
    if images.is_file() and (suffix := targets[images][0].suffix).lower() not in Image.registered_extensions():
        near = did_you_mean(suffix, (".png", ".tif", ".webp", ".jpg")) or ": .png is one"
        raise DataError(f"{out}: the suffix {suffix!r} names no picture format{near}")


def _check_targets(targets: Mapping[Path, Sequence[Path]], inputs: Sequence[Path]) -> None:
    writers: dict[Path, Path] = {}
    for source, paths in targets.items():
        for path in paths:
            if writers.setdefault(path, source) != source:
                raise DataError(f"{writers[path]} and {source} would both be written to {path}: rename one of them")
    known = {_identity(path) for path in inputs}
    if hit := [path for path in writers if path.exists() and _identity(path) in known]:
        more = f" and {len(hit) - 1} more" if len(hit) > 1 else ""
        raise DataError(f"the result would overwrite an input, {hit[0]}{more}: name another place")


def _identity(path: Path) -> tuple[int, int]:
    """The same for all names of one file, links included."""
    status = path.stat()
    return status.st_dev, status.st_ino
