"""Fill picture files: one, or a folder of them, each with its mask; one bad file does not stop the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..core.errors import DataError, InpaintkitError
from ..core.interfaces import Method
from ..runtime import Execution, progress_bar, remove_unfinished
from .holes import Box, Color
from .masked_image import MaskedImage, answer_sheet, fill_images
from .masks import holds_square
from .options import DEFAULTS, FillOptions, as_method, check_samples, default_execution
from .pairs import Existing, Pair, batches, find_pairs
from .picture_files import Metadata, format_of, open_upright, write_picture
from .report import FillReport

INVISIBLE = 0.05  # the part of a hole that may stay transparent, as its rim does, without a warning


def fill_files(
    method: Method | str | Path,
    images: Path | str,
    masks: Path | str | Box | Color,
    out: Path | str,
    options: FillOptions = DEFAULTS,
    execution: Execution | None = None,
    *,
    existing: Existing = "refuse",
    samples: int | None = None,
    trained_size: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> FillReport:
    """Fill one picture, or every picture in a folder; see :func:`inpaintkit.fill` for what happens to each.

    Pictures and masks are taken **as they are seen**: the EXIF orientation is applied first, to both, so that a mask
    painted in a viewer fits; the result is stored upright. EXIF (without orientation and thumbnail), color profile and
    resolution go into the result; a warning names what is damaged or what the format does not hold. A JPEG is written
    with the quantization of its source, yet does not keep known pixels exactly: a warning says so, as for every result
    that does not read back as it was. WebP is written lossless.

    Args:
        method, options, execution: see :func:`inpaintkit.fill`.
        images: a picture, or a folder (searched recursively).
        masks: a mask, which then serves all pictures, or a folder: ``faces/7.jpg`` goes with ``faces/7.png``. Or a
            :class:`Box` or a :class:`Color`, in every picture.
        out: a folder, made if need be, in which results have the names of the pictures; for one picture a file, whose
            suffix is the format, or a folder that exists or is written with a slash at its end.
        existing: what is done where a result is there already. "refuse" raises an error before anything is done, "keep"
            leaves it and fills the other pictures, as after a call that was stopped; "replace" replaces it.
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
            inputs or is there already, or the method cannot draw samples.
    """
    method = as_method(method, execution)
    if samples is not None:
        check_samples(method, samples)
    execution = execution or default_execution(method)
    places = masks if isinstance(masks, Box | Color) else Path(masks)
    target = Path(out)
    if str(out).endswith(("/", os.sep)) and not Path(images).is_dir():
        target /= Path(images).name
    pairs, report = find_pairs(Path(images), places, target, existing, samples)
    if existing == "keep":
        for target in (target for pair in pairs for target in pair.targets):
            remove_unfinished(target)
    done = len(report.kept) + len(report.failed) + len(report.without_mask)
    total = done + len(pairs)
    with progress_bar("filling" if execution.progress else "", total) as show:
        for batch in batches(pairs, execution.batch):
            opened: list[tuple[Pair, MaskedImage, Metadata]] = []
            for pair in batch:
                try:
                    masked, metadata = _open(pair, options)
                    opened.append((pair, masked, metadata))
                    report.warnings += _warnings(pair, masked, metadata, None if method.size else trained_size)
                except Exception as error:
                    report.failed.append((pair.image, _reason(error)))
            results = _fill_all(method, [masked for _, masked, _ in opened], options, execution, samples)
            for (pair, _, metadata), answers in zip(opened, results, strict=True):
                try:
                    report.warnings += _write(answers, metadata, pair.targets)
                    report.filled += [(pair.image, target) for target in pair.targets]
                except Exception as error:
                    report.failed.append((pair.image, _reason(error)))
            done += len(batch)
            show(done)
            if on_progress is not None:
                on_progress(done, total)
    return report


def _open(pair: Pair, options: FillOptions) -> tuple[MaskedImage, Metadata]:
    format_of(pair.targets[0])
    image, metadata = open_upright(pair.image)
    try:
        mask: Any = pair.mask
        if isinstance(mask, Path):
            mask, _ = open_upright(mask, mask_of=image.size)
        return MaskedImage.read(image, mask, options), metadata
    except InpaintkitError as error:
        raise DataError(f"with its mask {pair.mask}: {error}" if isinstance(pair.mask, Path) else str(error)) from error


def _warnings(pair: Pair, masked: MaskedImage, metadata: Metadata, trained_size: int | None) -> Iterator[str]:
    """What a user may not have meant."""
    if metadata.frames > 1:
        yield f"{pair.image}: only the first of its {metadata.frames} frames is filled and kept"
    if metadata.damaged:
        yield f"{pair.image}: {metadata.damaged}"
    if not (pixels := np.count_nonzero(masked.hole)):
        yield f"{pair.mask}: it marks no pixel, so the picture stays as it is: the hole is white, or brighter than half"
    elif (hidden := np.count_nonzero(masked.hole & masked.raster.transparent()) / pixels) > INVISIBLE:
        yield f"{pair.image}: {hidden:.0%} of the hole is transparent and stays so: make it opaque to see what is drawn"
    if (part := pixels / masked.hole.size) > 0.5:
        yield f"{pair.mask}: {part:.0%} is hole; white is what is filled: invert the mask if that is not intended"
    if trained_size and holds_square(masked.hole, 3 * trained_size // 4):
        yield (
            f"{pair.mask}: the method was trained on pictures of {trained_size} pixels and has not seen holes as large "
            "as this one: make the picture smaller first, or train at a larger size"
        )


def _fill_all(
    method: Method, images: list[MaskedImage], options: FillOptions, execution: Execution, samples: int | None
) -> list[list[MaskedImage]]:
    """Fills all pictures together; if that fails one by one, so that only those fail that are at fault."""
    try:
        return fill_images(method, images, options, execution, samples)
    except Exception as error:
        if len(images) == 1:
            images[0].error = _reason(error)
            return [images]
        return [answers for image in images for answers in _fill_all(method, [image], options, execution, samples)]


def _write(answers: Sequence[MaskedImage], metadata: Metadata, targets: Sequence[Path]) -> list[str]:
    """Writes the answers to one hole, and their sheet if there is one more target; returns warnings.

    Raises:
        DataError: an answer failed, or the format cannot hold it.
        OSError: the disk is full.
    """
    for answer in answers:
        if answer.error:
            raise DataError(answer.error)
    written = list(zip(answers, targets, strict=False))
    told = [
        f"{target}: {what}" for answer, target in written for what in write_picture(answer.result(), metadata, target)
    ]
    if len(targets) > len(answers):
        write_picture(answer_sheet(answers), Metadata(Image.Exif()), targets[-1])
    return told


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, InpaintkitError | OSError) and text else f"{type(error).__name__}: {text}"
