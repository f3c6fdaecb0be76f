"""Checks the inputs of a comparison in full before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import attrs

from inpaintkit.core.errors import DataError, InpaintkitError, Problem, RecipeError, did_you_mean
from inpaintkit.core.plugins import Plugins
from inpaintkit.data import ImageSet, Source
from inpaintkit.evaluation import Protocol, ProtocolSource, TestSet, build_metrics, load_protocol
from inpaintkit.runtime import Execution

from .candidates import Candidate, MethodSource, collect_problems, load_candidates
from .comparison import Comparison, best_of_name
from .reuse import Given, Reused, read_earlier, require_fit, reused_rows

BLENDS = ("poisson",)

Images = Source | Sequence[Source] | ImageSet


@attrs.frozen
class ComparisonOptions:
    """What a comparison measures.

    Attributes:
        best_of: for methods that draw at random, also a row with the best of so many samples for each picture, chosen
            by the truth under the first metric; at least 2.
        blend: ``"poisson"`` gives each row a twin, ``NAME + Poisson``, in which the same outputs are blended with the
            known pixels beside the hole: see :class:`inpaintkit.components.blending.PoissonBlended`.
        limit: at most so many pictures, spread evenly over all.
        pictures: rows of the grid, spread evenly over the pictures.
        cache: the folder of decoded pictures.
        reuse: earlier comparisons, whose rows are taken over after those of the sources instead of being measured:
            folders, a folder with several of them beneath, or comparisons. They must be under the same protocol and on
            the same pictures. A row whose name a source has is measured anew.
    """

    best_of: int | None = None
    blend: Literal["poisson"] | None = None
    limit: int | None = None
    pictures: int = 8
    cache: Path | None = None
    reuse: Sequence[str | Path | Comparison] = ()


def prepare(
    sources: MethodSource | Iterable[MethodSource],
    protocols: Sequence[ProtocolSource],
    images: Images | None,
    options: ComparisonOptions,
    execution: Execution,
    plugins: Plugins | None = None,
) -> tuple[list[Candidate], list[TestSet], list[Reused]]:
    """The candidates, the test sets, and for each of them what is reused; see :func:`inpaintkit_compare.compare`.

    Raises:
        RecipeError: everything that is wrong.
    """
    problems: list[Problem] = []
    candidates: list[Candidate] = []
    loaded: list[Protocol] = []
    earlier: list[Given] = []
    with collect_problems(problems):
        candidates = load_candidates(sources, plugins)
    for source in protocols:
        with collect_problems(problems):
            loaded.append(load_protocol(source, plugins))
    for given in options.reuse:
        with collect_problems(problems):
            earlier.append(read_earlier(given))
    if options.blend not in (None, *BLENDS):
        near = did_you_mean(str(options.blend), BLENDS)
        problems.append(Problem(f"there is no blending {options.blend!r}{near}"))
    for name, number, least in (("best of", options.best_of, 2), ("limit", options.limit, 1)):
        if number is not None and number < least:
            problems.append(Problem(f"{name} {number}: at least {least} is needed"))
    if options.best_of and candidates and not any(candidate.stochastic for candidate in candidates):
        problems.append(Problem("best of several samples: none of these methods is random, so leave it out"))
    if problems:  # the pictures depend on both
        raise RecipeError(problems)
    test_sets = []
    for protocol in loaded:
        with collect_problems(problems):
            test_set = _open(protocol, images, candidates, options, execution.progress)
            test_sets.append(test_set)
            build_metrics(test_set, execution.device)  # refused now, not after the work is done
            height, width = test_set.frame
            problems += [
                Problem(
                    f"{one.name} works at {one.size} x {one.size} only, and {protocol.name} is at {height} x {width}"
                )
                for one in candidates
                if one.size is not None and (one.size, one.size) != test_set.frame
            ]
    if earlier:
        with collect_problems(problems):
            require_fit(earlier, test_sets)
    if problems:
        raise RecipeError(problems)
    if options.blend:
        candidates = [twin for one in candidates for twin in (one, one.blended(options.blend))]
    measured = {one.name for one in candidates}
    if options.best_of:
        measured |= {best_of_name(one.name, options.best_of) for one in candidates if one.stochastic}
    return candidates, test_sets, [reused_rows(earlier, test_set, measured) for test_set in test_sets]


def _open(
    protocol: Protocol,
    images: Images | None,
    candidates: Sequence[Candidate],
    options: ComparisonOptions,
    progress: bool,
) -> TestSet:
    """The protocol on the pictures given, its own, or else those of a run's recipe."""
    if options.limit is not None:
        protocol = attrs.evolve(protocol, limit=min(options.limit, protocol.limit or options.limit))
    images = images if images is not None else protocol.images
    if images is not None:
        return TestSet.open(protocol, images, cache=options.cache, progress=progress)
    data = next((one.data for one in candidates if one.data is not None and one.data.test is not None), None)
    if data is None:
        raise DataError(
            f"protocol {protocol.name} names no pictures, and no run here has a recipe with `data: {{test: ...}}`: "
            "say which with --images"
        )
    cache = options.cache or data.cache
    return TestSet.open(protocol, data.test, cache=cache, strict=data.strict, progress=progress)


def empty_folder(folder: Path) -> Path:
    """The folder, made if need be.

    Raises:
        InpaintkitError: it is not empty, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        filled = any(folder.iterdir())
    except OSError as error:
        raise InpaintkitError(f"the folder {folder} cannot be made: {error}") from error
    if filled:
        raise InpaintkitError(f"{folder} is not empty: nothing is overwritten; name another folder")
    return folder
