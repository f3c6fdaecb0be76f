"""Fill files: one picture, or a folder of them, each with the mask of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import attrs
import torch
from PIL import Image

from ..components.blending import find_blend
from ..core.errors import DataError, InpaintkitError, did_you_mean
from ..core.interfaces import Method
from ..runtime import progress_bar
from .files import Stored, open_upright, write
from .in_memory import check_options
from .job import Job, answer_sheet, answers, require_random
from .masks import holds_square

Pair = tuple[Path, Path]  # a picture and its mask


@attrs.frozen
class FillReport:
    """What became of the files."""

    filled: tuple[tuple[Path, Path], ...] = ()  # the picture, and what was written; with samples, all that was
    failed: tuple[tuple[Path, str], ...] = ()  # the picture, and why there is no result
    without_mask: tuple[Path, ...] = ()
    without_image: tuple[Path, ...] = ()  # masks
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 when every picture and every mask found its place, 2 when no picture was filled, else 1."""
        if not self.filled and (self.failed or self.without_mask):
            return 2
        return int(bool(self.failed or self.without_mask or self.without_image))

    def __str__(self) -> str:
        filled = len({source for source, _ in self.filled})
        total = filled + len(self.failed) + len(self.without_mask)
        lines = [f"filled {filled} of {total} pictures"]
        lines += [f"warning: {warning}" for warning in self.warnings]
        lines += [f"not filled: {path}: {reason}" for path, reason in self.failed]
        lines += [f"not filled: {path}: no mask of that name" for path in self.without_mask]
        lines += [f"not used: {path}: no picture of that name" for path in self.without_image]
        return "\n".join(lines)


def fill_files(
    method: Method,
    images: Path | str,
    masks: Path | str,
    out: Path | str,
    *,
    grow: int = 0,
    batch: int = 8,
    threshold: float = 0.5,
    seed: int = 0,
    blend: Literal["poisson"] | None = None,
    samples: int | None = None,
    device: torch.device | str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    progress: bool = False,
    trained_size: int | None = None,
) -> FillReport:
    """Fill one picture, or every picture in a folder; see :func:`inpaintkit.fill` for what happens to each.

    Pictures and masks are taken **as they are seen**: the EXIF orientation is applied first, to both, so that a mask
    painted in a viewer fits; the result is stored upright. EXIF (without orientation and thumbnail), color profile and
    resolution go into the result. A JPEG is written with the quantization of its source, yet no JPEG keeps known pixels
    exactly: a warning says so, as for every result that would not read back as it was. WebP is written lossless.

    Args:
        method: see :func:`inpaintkit.fill`, and there ``grow``, ``batch``, ``threshold``, ``seed``, ``blend`` and
            ``device``.
        images: a picture, or a folder (searched recursively).
        masks: a mask, which then serves all pictures, or a folder: ``faces/7.jpg`` goes with ``faces/7.png``.
        out: a folder, made if need be, in which results have the names of the pictures; for one picture also a file,
            whose suffix is the format. An older result there is replaced.
        samples: of a method that draws at random, or can when asked: so many answers to each hole, in ``NAME-1.png``,
            ``NAME-2.png`` and so on, drawn from ``seed``, ``seed + 1`` ...; and ``NAME-sheet.png`` with the masked
            picture and all of them side by side, each at most 512 pixels wide and high.
        on_progress: called with (pictures done, all pictures) as the work goes on.
        progress: show a bar while it does, and one of a long search inside.
        trained_size: the short side of the pictures that the method was trained on: a much larger hole gives a warning.

    Returns:
        A report. A file that is damaged, does not fit its mask or cannot be written is named there, and the others
        are done; so are pictures without a mask and masks without a picture. No half-written file is left behind.

    Raises:
        InpaintkitError: nothing to do: a path does not exist or holds no picture, a result would overwrite one of the
            inputs, or an option is out of range.
    """
    check_options(grow, batch, threshold, samples)
    if samples is not None:
        require_random(method)
    fit = find_blend(blend)
    images, masks, out = Path(images), Path(masks), Path(out)
    if missing := [str(path) for path in (images, masks) if not path.exists()]:
        raise DataError(f"there is no file or folder {' and no '.join(missing)}")
    sources, found = _pictures_in(images, without=(masks, out)), _pictures_in(masks, without=(images, out))
    targets = {source: _results(_target(images, source, out), samples) for source in sources}
    _check_places(images, masks, out, targets, [*sources, *found])
    pairs, without_mask, without_image, failed = _pair(images, sources, masks, found)
    done = len(failed) + len(without_mask)
    filled: list[tuple[Path, Path]] = []
    warnings: list[str] = []
    complete = partial(answers, method, samples=samples, batch=batch, seed=seed, device=device, blend=fit)
    with progress_bar("filling" if progress else "", len(sources)) as show:
        for chunk in _equal_sized(pairs, batch):
            opened: list[tuple[Path, Job, Stored]] = []
            for source, mask in chunk:
                try:
                    job, stored = _open(source, mask, grow, threshold)
                    opened.append((source, job, stored))
                    warnings += _doubts(source, mask, job, stored, None if method.size else trained_size)
                except InpaintkitError as error:
                    failed.append((source, _reason(error)))
            found_answers = _complete_each(complete, [job for _, job, _ in opened])
            for (source, _, stored), jobs in zip(opened, found_answers, strict=True):
                try:
                    _write_all(jobs, stored, targets[source], warnings)
                    filled += [(source, target) for target in targets[source]]
                except (InpaintkitError, OSError) as error:
                    failed.append((source, _reason(error)))
            done += len(chunk)
            show(done)
            if on_progress is not None:
                on_progress(done, len(sources))
    return FillReport(tuple(filled), tuple(failed), tuple(without_mask), tuple(without_image), tuple(warnings))


def _write_all(jobs: Sequence[Job], stored: Stored, targets: Sequence[Path], warnings: list[str]) -> None:
    """Writes the answers to one hole, and where there is one target more, their sheet.

    Raises:
        DataError: an answer is missing, or the format cannot hold it.
        OSError: the disk is full; of no file a part is left.
    """
    for job in jobs:
        if job.error:
            raise DataError(job.error)
    for job, target in zip(jobs, targets, strict=False):
        if not write(job.picture.result(), stored, target):
            warnings.append(f"{target}: this format changes the pixels a little, known ones too; .png does not")
    if len(targets) > len(jobs):
        write(answer_sheet(jobs), Stored(Image.Exif(), {}), targets[-1])


def _pictures_in(place: Path, without: Iterable[Path] = ()) -> list[Path]:
    """The pictures in a folder, in order; of folders inside it, those in ``without`` are passed over."""
    if place.is_file():
        return [place]
    Image.init()
    inner = [other.resolve() for other in without if other.resolve().is_relative_to(place.resolve())]
    inner = [other for other in inner if other != place.resolve()]
    return sorted(
        path
        for path in place.rglob("*")
        if path.suffix.lower() in Image.EXTENSION
        and not path.name.startswith(".")
        and path.is_file()
        and not any(path.resolve().is_relative_to(other) for other in inner)
    )


def _pair(
    images: Path, sources: list[Path], masks: Path, found: list[Path]
) -> tuple[list[Pair], list[Path], list[Path], list[tuple[Path, str]]]:
    """Pairs, pictures without a mask, masks without a picture, and pictures for which two masks are there."""
    if masks.is_file():
        return [(source, masks) for source in sources], [], [], []
    by_stem: dict[Path, list[Path]] = {}
    for mask in found:
        by_stem.setdefault(mask.relative_to(masks).with_suffix(""), []).append(mask)
    pairs, without, failed = [], [], []
    used = set()
    for source in sources:
        stem = (source.relative_to(images) if images.is_dir() else Path(source.name)).with_suffix("")
        fitting = by_stem.get(stem, [])
        used.add(stem)
        if len(fitting) == 1:
            pairs.append((source, fitting[0]))
        elif fitting:
            failed.append((source, f"several masks have its name: {', '.join(map(str, fitting))}"))
        else:
            without.append(source)
    left = [mask for stem, some in by_stem.items() if stem not in used for mask in some] if images.is_dir() else []
    return pairs, without, left, failed


def _target(images: Path, source: Path, out: Path) -> Path:
    if images.is_dir():
        return out / source.relative_to(images)
    return out if out.suffix and not out.is_dir() else out / source.name


def _results(target: Path, samples: int | None) -> list[Path]:
    """What is written for one picture: the result; or the answers, numbered, and their sheet."""
    if samples is None:
        return [target]
    return [
        *(target.with_stem(f"{target.stem}-{number}") for number in range(1, samples + 1)),
        target.with_name(f"{target.stem}-sheet.png"),
    ]


def _check_places(
    images: Path, masks: Path, out: Path, targets: Mapping[Path, Sequence[Path]], inputs: Sequence[Path]
) -> None:
    """Refuses what would go wrong for every picture, before anything is done."""
    if images.is_dir() and out.is_file():
        raise DataError(f"{out} is a file: the results of a folder need a folder")
    if images.resolve() == masks.resolve():
        raise DataError(f"{images} is given for the pictures and for their masks: keep masks in a place of their own")
    if images.is_dir() and not targets:
        raise DataError(f"{images} holds no picture")
    if (
        images.is_file()
        and (suffix := _target(images, images, out).suffix).lower() not in Image.registered_extensions()
    ):
        near = did_you_mean(suffix, (".png", ".tif", ".webp", ".jpg")) or ": .png is one"
        raise DataError(f"{out}: the suffix {suffix!r} names no picture format{near}")
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


def _equal_sized(pairs: list[Pair], batch: int) -> Iterator[list[Pair]]:
    """Chunks of pictures of equal size, which the method can be given together; sizes are read from the headers."""
    by_size: dict[tuple[int, ...], list[Pair]] = {}
    for pair in pairs:
        try:
            with Image.open(pair[0]) as header:
                size: tuple[int, ...] = header.size
        except Exception:  # it is read again, and reported, where pictures are opened
            size = ()
        by_size.setdefault(size, []).append(pair)
    for some in by_size.values():
        for start in range(0, len(some), batch):
            yield some[start : start + batch]


def _complete_each(complete: Callable[[list[Job]], list[list[Job]]], jobs: list[Job]) -> list[list[Job]]:
    """Completes all jobs together; where that fails, one by one, so that one picture takes no other down."""
    try:
        return complete(jobs)
    except Exception:
        found = []
        for job in jobs:
            try:
                found += complete([job])
            except Exception as error:
                kind = "" if isinstance(error, InpaintkitError) else f"{type(error).__name__}: "
                job.error = kind + _reason(error)
                found.append([job])
        return found


def _open(source: Path, mask: Path, grow: int, threshold: float) -> tuple[Job, Stored]:
    image, stored = open_upright(source)
    try:
        seen, _ = open_upright(mask, any_depth=True)
        return Job.of("", image, seen, grow, threshold), stored
    except InpaintkitError as error:
        raise DataError(f"with its mask {mask}: {error}") from error


def _doubts(source: Path, mask: Path, job: Job, stored: Stored, trained_at: int | None) -> Iterator[str]:
    """What a user may not have meant."""
    if stored.frames > 1:
        yield f"{source}: only the first of its {stored.frames} frames is filled and kept"
    if (part := float(job.hole.mean())) > 0.5:
        yield f"{mask}: {part:.0%} is hole; white is what is filled: invert the mask if that is not meant"
    if trained_at and holds_square(job.hole, 3 * trained_at // 4):
        yield (
            f"{mask}: the method has learned from pictures of {trained_at} pixels, and a hole so large it never saw: "
            "make the picture smaller first, or train at a larger size"
        )


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
