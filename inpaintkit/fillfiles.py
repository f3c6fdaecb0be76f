"""Fill files: one picture, or a folder of them, each with the mask of its name."""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import attrs
import numpy as np
from PIL import Image, ImageOps, JpegImagePlugin, UnidentifiedImageError

from .errors import DataError, InpaintkitError, OptionError
from .fill import Job, check_options, complete
from .types import Method

LOSSY = ("JPEG", "MPO", "AVIF")  # formats that Pillow cannot write without loss


@attrs.frozen
class FillReport:
    """What became of the files."""

    filled: tuple[tuple[Path, Path], ...] = ()  # the picture, and what was written
    failed: tuple[tuple[Path, str], ...] = ()  # the picture, and why there is no result
    without_mask: tuple[Path, ...] = ()
    without_image: tuple[Path, ...] = ()  # masks
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 when every picture and every mask found its place, else 1."""
        return int(bool(self.failed or self.without_mask or self.without_image))

    def __str__(self) -> str:
        lines = [
            f"filled {len(self.filled)} of {len(self.filled) + len(self.failed) + len(self.without_mask)} pictures"
        ]
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
    on_progress: Callable[[int, int], None] | None = None,
) -> FillReport:
    """Fill one picture, or every picture in a folder; see :func:`inpaintkit.fill` for what happens to each.

    Pictures and masks are taken **as they are seen**: the EXIF orientation is applied first, to both, so that a mask
    painted in a viewer fits; the result is stored upright. EXIF (without the orientation), color profile and resolution
    go into the result. A JPEG is written with the quantization of its source, yet no JPEG keeps known pixels exactly:
    a warning says so, as it does for every result that does not read back as it was written. WebP is written lossless.

    Args:
        method: see :func:`inpaintkit.fill`, and there ``grow``, ``batch`` and ``threshold``.
        images: a picture, or a folder (searched recursively).
        masks: a mask, which then serves all pictures, or a folder: ``faces/7.jpg`` goes with ``faces/7.png``.
        out: for one picture a file, whose suffix is the format, or an existing folder; for a folder the folder, made
            if need be, in which results have the names of the pictures. An older result there is replaced.
        on_progress: called with (pictures done, all pictures) as the work goes on.

    Returns:
        A report. A file that is damaged, does not fit its mask or cannot be written is named there, and the others
        are done; so are pictures without a mask and masks without a picture. No half-written file is left behind.

    Raises:
        InpaintkitError: nothing to do: a path does not exist or holds no picture, a result would overwrite one of the
            inputs, or an option is out of range.
    """
    check_options(grow, batch, threshold)
    images, masks, out = Path(images), Path(masks), Path(out)
    if missing := [str(path) for path in (images, masks) if not path.exists()]:
        raise DataError(f"there is no file or folder {' and no '.join(missing)}")
    sources = _pictures_in(images, without=(masks, out))
    if not sources:
        raise DataError(f"{images} holds no picture")
    pairs, without_mask, without_image, failed = _pair(images, sources, masks, _pictures_in(masks, (images, out)))
    results = {source: _result_path(images, source, out) for source in sources}
    _refuse_to_overwrite(results.values(), [*sources, *_pictures_in(masks, (images, out))])

    done = len(failed) + len(without_mask)
    filled: list[tuple[Path, Path]] = []
    warnings: list[str] = []
    for chunk in _equal_sized(pairs, batch):
        opened: list[tuple[Job, _File]] = []
        for source, its_mask in chunk:
            try:
                opened.append(_open(source, its_mask, grow, threshold))
            except (InpaintkitError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                failed.append((source, _reason(error)))
        _complete_each(method, [job for job, _ in opened], batch)
        for job, file in opened:
            try:
                if job.error:
                    raise DataError(job.error)
                warnings += _write(job, file, results[file.source])
                filled.append((file.source, results[file.source]))
            except (InpaintkitError, OSError, ValueError) as error:
                failed.append((file.source, _reason(error)))
        done += len(chunk)
        if on_progress is not None:
            on_progress(done, len(sources))
    return FillReport(tuple(filled), tuple(failed), tuple(without_mask), tuple(without_image), tuple(warnings))


@attrs.frozen(eq=False)
class _File:
    """A picture file that is open: what its result has to keep."""

    source: Path
    image: Image.Image  # upright
    format: str | None
    jpeg: dict[str, object]  # how it was compressed
    warnings: list[str]


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
) -> tuple[list[tuple[Path, Path]], list[Path], list[Path], list[tuple[Path, str]]]:
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


def _result_path(images: Path, source: Path, out: Path) -> Path:
    if images.is_dir():
        return out / source.relative_to(images)
    return out / source.name if out.is_dir() else out


def _refuse_to_overwrite(results: Iterable[Path], inputs: Sequence[Path]) -> None:
    known = {(status.st_dev, status.st_ino) for status in (path.stat() for path in inputs)}
    hit = [path for path in results if path.exists() and (path.stat().st_dev, path.stat().st_ino) in known]
    if hit:
        more = f" and {len(hit) - 1} more" if len(hit) > 1 else ""
        raise DataError(f"the result would overwrite an input, {hit[0]}{more}: name another place")


def _equal_sized(pairs: list[tuple[Path, Path]], batch: int) -> Iterable[list[tuple[Path, Path]]]:
    """Chunks of pictures of equal size, which the method can be given together; sizes are read from the headers."""
    by_size: dict[tuple[int, ...], list[tuple[Path, Path]]] = {}
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


def _open(source: Path, mask: Path, grow: int, threshold: float) -> tuple[Job, _File]:
    warnings = []
    with Image.open(source) as stored:
        if any("16" in str(tile[-1]) for tile in stored.tile) and not stored.mode.startswith(("I", "F")):
            raise DataError("it has 16 bits a color channel, of which only 8 can be read: save it with 8")
        if getattr(stored, "n_frames", 1) > 1 and stored.format != "MPO":
            warnings.append(f"{source}: only the first of its {getattr(stored, 'n_frames', 1)} frames is filled")
        jpeg: dict[str, object] = {}
        if isinstance(stored, JpegImagePlugin.JpegImageFile):
            sampling = JpegImagePlugin.get_sampling(stored)
            jpeg = {"qtables": stored.quantization} | ({"subsampling": sampling} if sampling >= 0 else {})
        stored.load()
        image = ImageOps.exif_transpose(stored)
    try:
        with Image.open(mask) as stored_mask:
            seen = ImageOps.exif_transpose(stored_mask)
    except UnidentifiedImageError as error:
        raise DataError(f"its mask {mask} is not a picture, or damaged") from error
    except OSError as error:
        raise DataError(f"its mask {mask} cannot be read ({error})") from error
    try:
        job = Job.of(source.name, image, seen, grow, threshold)
    except OptionError as error:
        raise DataError(f"with mask {mask}: {error}") from error
    if job.hole.mean() > 0.5:
        part = round(100 * float(job.hole.mean()))
        warnings.append(f"{mask}: {part} % is hole; white is what is filled, invert the mask if that is not meant")
    return job, _File(source, image, stored.format, jpeg, warnings)


def _complete_each(method: Method, jobs: list[Job], batch: int) -> None:
    """Completes all jobs together; where that fails, one by one, so that one picture takes no other down."""
    try:
        complete(method, jobs, batch)
    except Exception:
        for job in jobs:
            try:
                complete(method, [job], batch)
            except Exception as error:
                job.error = f"{type(error).__name__}: {_reason(error)}"


def _write(job: Job, file: _File, target: Path) -> list[str]:
    """Writes the result beside its place and renames it; returns what is to be said about it."""
    image = job.picture.result()
    form = Image.registered_extensions().get(target.suffix.lower())
    if form is None:
        raise DataError(f"{target} has no suffix of a picture format: name it as in {target.with_suffix('.png').name}")
    encoded = io.BytesIO()
    try:
        image.save(encoded, form, **_save_options(image, form, file))
    except (OSError, KeyError) as error:
        hint = f"{target.with_suffix('.png').name} can be"
        raise DataError(f"mode {image.mode} cannot be written as {form} ({error}): {hint}") from error
    said = list(file.warnings)
    if form in LOSSY or not _reads_back(encoded, image):
        said.append(f"{target}: {form} does not keep this picture exactly: known pixels differ slightly")
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with aside.open("xb") as stream:
            stream.write(encoded.getbuffer())
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return said


def _save_options(image: Image.Image, form: str, file: _File) -> dict[str, object]:
    options: dict[str, object] = {}
    if profile := image.info.get("icc_profile"):
        options["icc_profile"] = profile
    if exif := image.getexif():
        options["exif"] = exif.tobytes() if form != "TIFF" else exif
    if "dpi" in image.info:
        options["dpi"] = image.info["dpi"]
    if form == "JPEG":
        options |= file.jpeg or {"quality": 95, "subsampling": 0}
    if form == "WEBP":
        options |= {"lossless": True, "exact": True}
    return options


def _reads_back(encoded: io.BytesIO, image: Image.Image) -> bool:
    with Image.open(io.BytesIO(encoded.getvalue())) as back:
        back.load()
        return back.mode == image.mode and np.array_equal(np.asarray(back), np.asarray(image))


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
