"""Fill picture files: one, or a folder of them, each with its mask; one bad file does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import attrs
from PIL import Image

from ..core.errors import DataError, InpaintkitError
from ..core.interfaces import Method
from ..runtime import Execution, progress_bar
from .masked_image import MaskedImage, answer_sheet, sample_images
from .masks import holds_square
from .options import DEFAULTS, FillOptions, check_samples, default_execution
from .pairs import Pair, batches, find_pairs
from .picture_files import Metadata, open_upright, write_picture


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
        """0 when every picture was filled and every mask used, 2 when no picture was filled, else 1."""
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
    options: FillOptions = DEFAULTS,
    execution: Execution | None = None,
    *,
    samples: int | None = None,
    trained_size: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> FillReport:
    """Fill one picture, or every picture in a folder; see :func:`inpaintkit.fill` for what happens to each.

    Pictures and masks are taken **as they are seen**: the EXIF orientation is applied first, to both, so that a mask
    painted in a viewer fits; the result is stored upright. EXIF (without orientation and thumbnail), color profile and
    resolution go into the result. A JPEG is written with the quantization of its source, yet no JPEG keeps known pixels
    exactly: a warning says so, as for every result that would not read back as it was. WebP is written lossless.

    Args:
        method, options, execution: see :func:`inpaintkit.fill`.
        images: a picture, or a folder (searched recursively).
        masks: a mask, which then serves all pictures, or a folder: ``faces/7.jpg`` goes with ``faces/7.png``.
        out: a folder, made if need be, in which results have the names of the pictures; for one picture also a file,
            whose suffix is the format. An older result there is replaced.
        samples: so many answers to each hole, see :func:`inpaintkit.fill_samples`, in ``NAME-1.png``, ``NAME-2.png``
            and so on; and ``NAME-sheet.png`` with the masked picture and all of them side by side, each at most 512
            pixels wide and high.
        trained_size: the short side of the pictures that the method was trained on. Where the hole is larger than what
            it can have seen there, a warning says so.
        on_progress: called with (pictures done, all pictures) as the work goes on.

    Returns:
        A report. A file that is damaged, does not fit its mask or cannot be written is named there, and the others
        are done; so are pictures without a mask and masks without a picture. No half-written file is left behind.

    Raises:
        InpaintkitError: nothing to do: a path does not exist or holds no picture, a result would overwrite one of the
            inputs, or the method cannot draw samples.
    """
    if samples is not None:
        check_samples(method, samples)
    execution = execution or default_execution(method)
    found = find_pairs(Path(images), Path(masks), Path(out), samples)
    filled: list[tuple[Path, Path]] = []
    failed = list(found.ambiguous)
    warnings: list[str] = []
    work = partial(sample_images, method, samples=samples, options=options, execution=execution)
    done = len(found) - len(found.pairs)
    with progress_bar("filling" if execution.progress else "", len(found)) as show:
        for batch in batches(found.pairs, execution.batch):
            opened: list[tuple[Pair, MaskedImage, Metadata]] = []
            for pair in batch:
                try:
                    masked, metadata = _open(pair, options)
                    opened.append((pair, masked, metadata))
                    warnings += _warnings(pair, masked, metadata, None if method.size else trained_size)
                except InpaintkitError as error:
                    failed.append((pair.image, _reason(error)))
            results = _fill_all(work, [masked for _, masked, _ in opened])
            for (pair, _, metadata), answers in zip(opened, results, strict=True):
                try:
                    warnings += _write(answers, metadata, pair.targets)
                    filled += [(pair.image, target) for target in pair.targets]
                except (InpaintkitError, OSError) as error:
                    failed.append((pair.image, _reason(error)))
            done += len(batch)
            show(done)
            if on_progress is not None:
                on_progress(done, len(found))
    return FillReport(tuple(filled), tuple(failed), found.without_mask, found.without_image, tuple(warnings))


def _open(pair: Pair, options: FillOptions) -> tuple[MaskedImage, Metadata]:
    image, metadata = open_upright(pair.image)
    try:
        mask, _ = open_upright(pair.mask, any_depth=True)
        return MaskedImage.read("", image, mask, options), metadata
    except InpaintkitError as error:
        raise DataError(f"with its mask {pair.mask}: {error}") from error


def _warnings(pair: Pair, masked: MaskedImage, metadata: Metadata, trained_size: int | None) -> Iterator[str]:
    """What a user may not have meant."""
    if metadata.frames > 1:
        yield f"{pair.image}: only the first of its {metadata.frames} frames is filled and kept"
    if (part := float(masked.hole.mean())) > 0.5:
        yield f"{pair.mask}: {part:.0%} is hole; white is what is filled: invert the mask if that is not meant"
    if trained_size and holds_square(masked.hole, 3 * trained_size // 4):
        yield (
            f"{pair.mask}: the method was trained on pictures of {trained_size} pixels and has not seen holes as large "
            "as this one: make the picture smaller first, or train at a larger size"
        )


def _fill_all(
    work: Callable[[list[MaskedImage]], list[list[MaskedImage]]], images: list[MaskedImage]
) -> list[list[MaskedImage]]:
    """Fills all pictures together; if that fails one by one, so that only those fail that are at fault."""
    try:
        return work(images)
    except Exception:
        results = []
        for image in images:
            try:
                results += work([image])
            except Exception as error:
                kind = "" if isinstance(error, InpaintkitError) else f"{type(error).__name__}: "
                image.error = kind + _reason(error)
                results.append([image])
        return results


def _write(answers: Sequence[MaskedImage], metadata: Metadata, targets: Sequence[Path]) -> Iterator[str]:
    """Writes the answers to one hole, and their sheet if there is one more target; yields warnings.

    Raises:
        DataError: an answer failed, or the format cannot hold it.
        OSError: the disk is full.
    """
    for answer in answers:
        if answer.error:
            raise DataError(answer.error)
    for answer, target in zip(answers, targets, strict=False):
        if not write_picture(answer.result(), metadata, target):
            yield f"{target}: this format changes the pixels a little, known ones too; .png does not"
    if len(targets) > len(answers):
        write_picture(answer_sheet(answers), Metadata(Image.Exif(), {}), targets[-1])


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
