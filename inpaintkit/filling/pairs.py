"""Pairs each picture file with its mask file and its output files; refuses what would overwrite an input."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import attrs
from PIL import Image

from ..core.errors import DataError, listed
from ..data import open_picture, walk
from ..runtime import open_regular
from .holes import Box, Color
from .picture_files import format_of
from .report import FillReport

Existing = Literal["refuse", "keep", "replace"]


@attrs.frozen
class Pair:
    """A picture, its mask, and the files that are written for it."""

    image: Path
    mask: Path | Box | Color
    targets: tuple[Path, ...]


def find_pairs(
    images: Path, masks: Path | Box | Color, out: Path, existing: Existing, samples: int | None
) -> tuple[list[Pair], FillReport]:
    """Pairs pictures with masks: two files, or by their paths in two folders without the suffix; one mask serves all.

    Returns:
        The pairs, and a report that names every other file.

    Raises:
        DataError: nothing can be done: a path does not exist, a folder holds no picture, or results would overwrite an
            input, one another, or what is there already.
    """
    files = (masks,) if isinstance(masks, Path) else ()
    if missing := [str(path) for path in (images, *files) if not path.exists()]:
        raise DataError(f"there is no file or folder {' and no '.join(missing)}")
    sources = _pictures_in(images, without=(*files, out))
    found = [mask for place in files for mask in _pictures_in(place, without=(images, out))]
    targets = {source: _targets(images, source, out, samples) for source in sources}
    _check_places(images, files, out, targets)
    _check_targets(targets, [*sources, *found])
    report = FillReport(kept=_kept(targets, existing))
    missing_results = [source for source in sources if source not in report.kept]
    if not isinstance(masks, Path) or masks.is_file():
        return [Pair(source, masks, targets[source]) for source in missing_results], report
    stems = {source: _stem(source, images) for source in sources}
    by_stem: dict[Path, list[Path]] = {stem: [] for stem in stems.values()}
    pairs = []
    for mask in found:
        if (stem := _stem(mask, masks)) in by_stem:
            by_stem[stem].append(mask)
        elif images.is_dir():
            report.without_image.append(mask)
    for source in missing_results:
        match by_stem[stems[source]]:
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
            with warnings.catch_warnings(action="ignore"), open_regular(pair.image) as file:
                size: tuple[int, ...] = open_picture(file).size
        except Exception:  # reported when the picture is opened
            size = ()
        by_size.setdefault(size, []).append(pair)
    for some in by_size.values():
        for start in range(0, len(some), batch):
            yield some[start : start + batch]


def _pictures_in(place: Path, without: Iterable[Path]) -> list[Path]:
    """The pictures in a folder, sorted; its subfolders in ``without`` are skipped."""
    if not place.is_dir():
        if not place.is_file():
            raise DataError(f"{place} is not a regular file")
        return [place]
    Image.init()
    top, skipped = _real(place), [_real(other) for other in without]
    skipped = [other for other in skipped if top in other.parents]
    return sorted(
        path
        for path in walk(place)
        if path.suffix.lower() in Image.EXTENSION
        and not path.name.startswith(".")
        and not any(_real(path).is_relative_to(other) for other in skipped)
    )


def _real(path: Path) -> Path:
    """Without links; ``Path.resolve`` raises where a link leads to itself."""
    return Path(os.path.realpath(path))


def _stem(path: Path, place: Path) -> Path:
    return (path.relative_to(place) if place.is_dir() else Path(path.name)).with_suffix("")


def _targets(images: Path, source: Path, out: Path, samples: int | None) -> tuple[Path, ...]:
    """The files for one picture: the result; or the answers, numbered, and their sheet."""
    target = out / source.relative_to(images) if images.is_dir() else out / source.name if out.is_dir() else out
    if samples is None:
        return (target,)
    numbered = (target.with_stem(f"{target.stem}-{number}") for number in range(1, samples + 1))
    return (*numbered, target.with_name(f"{target.stem}-sheet.png"))


def _check_places(images: Path, masks: Sequence[Path], out: Path, targets: Mapping[Path, Sequence[Path]]) -> None:
    if _real(images) in [_real(place) for place in masks]:
        raise DataError(f"{images} is given for the pictures and for their masks: keep masks in a place of their own")
    if out.exists() and not out.is_file() and not out.is_dir():
        raise DataError(f"{out} is not a regular file")
    if images.is_dir():
        if out.is_file() or (not out.exists() and out.suffix.lower() in Image.registered_extensions()):
            state = "is" if out.exists() else "is the name of"
            raise DataError(f"{out} {state} a file: the results of a folder need a folder")
        if not targets:
            raise DataError(f"{images} holds no picture")
    elif not out.is_dir() and not out.suffix:
        raise DataError(
            f"{out} is no folder and has no suffix that names a format: name a file such as {out}.png, or a new "
            f"folder as {out}/"
        )
    else:
        format_of(targets[images][0])


def _kept(targets: Mapping[Path, Sequence[Path]], existing: Existing) -> list[Path]:
    """The pictures whose results are all there and stay.

    Raises:
        DataError: results are there, and nobody said what to do with them.
    """
    if existing == "keep":
        return [source for source, paths in targets.items() if all(map(os.path.lexists, paths))]
    there = [path for paths in targets.values() for path in paths if os.path.lexists(path)]
    if there and existing == "refuse":
        raise DataError(
            f'{listed(there, 1)} {"is" if len(there) == 1 else "are"} there already: --resume (existing="keep") '
            'fills what is missing, --overwrite (existing="replace") replaces'
        )
    return []


def _check_targets(targets: Mapping[Path, Sequence[Path]], inputs: Sequence[Path]) -> None:
    writers: dict[Path, Path] = {}
    for source, paths in targets.items():
        for path in paths:
            if writers.setdefault(path, source) != source:
                raise DataError(f"{writers[path]} and {source} would both be written to {path}: rename one of them")
    known = {_identity(path) for path in inputs if path.exists()}
    if hit := [path for path in writers if path.exists() and _identity(path) in known]:
        more = f" and {len(hit) - 1} more" if len(hit) > 1 else ""
        raise DataError(f"the result would overwrite an input, {hit[0]}{more}: name another place")


def _identity(path: Path) -> tuple[int, int]:
    """The same for all names of one file, links included."""
    status = path.stat()
    return status.st_dev, status.st_ino
