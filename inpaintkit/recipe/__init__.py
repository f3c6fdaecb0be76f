"""A recipe: one YAML file, checked in full before anything is built."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import attrs
import torch
from annotated_types import Ge, Lt, MinLen

from ..core.config.bundled import find
from ..core.config.nodes import Node, raise_problems
from ..core.config.spec import located
from ..core.config.structure import Spec, Structurer
from ..core.errors import KeyPath, OptionError, Problem, RecipeError, did_you_mean
from ..core.interfaces import MaskSampler, Method, Metric, Observer
from ..core.plugins import Plugins, installed, official
from ..data import AugmentationStep, Prepare, Source
from .variants import resolve_file

Count = Annotated[int, Ge(0)]
Positive = Annotated[int, Ge(1)]
T = TypeVar("T")


@attrs.frozen
class DataOptions:
    """``data:``: pictures and what is done to them.

    Attributes:
        train: a folder, a .zip, a single picture or ``{package:, files:}``; or a list of these.
        test: the same, read only by ``evaluate``.
        batch: pictures in a step, over all processes together.
        size: the side of the square that training sees, or ``[height, width]``.
        prepare: what is done once, before the cache.
        augment: augmentations in turn, in [0, 1]; the last one leaves ``size``.
        validation: the part of ``train`` that is held out, chosen by a hash of the names.
        strict: whether a picture that cannot be read is an error.
        cache: the folder of decoded pictures; the user's cache folder by default.
    """

    train: Source | list[Source]
    batch: Positive
    size: Positive | tuple[Positive, Positive]
    test: Source | list[Source] | None = None
    prepare: Prepare = attrs.Factory(Prepare)
    augment: Sequence[AugmentationStep] = ()
    validation: Annotated[float, Ge(0), Lt(1)] = 0.05
    strict: bool = False
    cache: Path | None = None

    @property
    def frame(self) -> tuple[int, int]:
        """``size`` as (height, width)."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size


@attrs.frozen
class ValidateOptions:
    """``validate:``: measures pictures of the validation part while training goes on.

    Attributes:
        every: in steps; 0: at the end only.
        images: so many pictures, always the same.
        metrics: what is measured and logged; by default ``psnr`` and ``l1``.
    """

    every: Count = 0
    images: Positive = 64
    metrics: Annotated[Sequence[Spec[Metric]], MinLen(1)] | None = None


@attrs.frozen
class RunOptions:
    """``run:``: how a run computes and what it writes; nothing here changes what is learned, up to rounding.

    Attributes:
        device: ``auto`` takes the fastest there is; or a name that torch knows, such as ``cuda:1``.
        precision: ``auto`` is bfloat16 where the device is fast at it.
        channels_last: None leaves it to the device.
        compile: whether networks are compiled in place.
        threads: of the CPU; None leaves it to torch.
        log_every, sample_every, checkpoint_every: in steps.
        keep: checkpoints that stay.
        observers: receive the log, the results and the end of the run.
    """

    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    channels_last: bool | None = None
    compile: bool = False
    threads: Positive | None = None
    log_every: Positive = 50
    sample_every: Positive = 1000
    checkpoint_every: Positive = 1000
    keep: Positive = 2
    observers: Sequence[Observer] = ()

    def __attrs_post_init__(self) -> None:
        if self.device != "auto":
            try:
                torch.device(self.device)
            except RuntimeError as error:
                message = f"{self.device!r} is no device: write auto, cpu, cuda, cuda:1 or mps"
                raise OptionError(message, ("device",)) from error


@attrs.frozen(kw_only=True)
class RecipeKeys:
    """The keys of a recipe; ``extends:`` and ``profiles:`` are resolved before.

    Attributes:
        name: of the run's folder; the file's own name by default.
        paper, description: for people.
        requires: plugins that must be there.
        seed: of everything random.
        data, masks: what a method that is trained learns from.
        method: what is trained.
        validate, run: how training goes.
        evaluate: protocols: bundled names, files or mappings.
        baselines: what is evaluated beside the method: bundled names or files of recipes that need no training, or that
            come with weights; by default ``mean-color`` alone.
        init_from: a checkpoint, a run, or a recipe with ``weights``, whose weights are the start.
        weights: trained weights that come with the recipe: a safetensors file, or ``{package:, files: [name]}`` for one
            inside a package. With them the recipe's name serves like a run, to fill holes and in comparisons.
    """

    method: Spec[Method]
    name: str = ""
    paper: str = ""
    description: str = ""
    requires: Sequence[str] = ()
    seed: Count = 0
    data: DataOptions | None = None
    masks: Spec[MaskSampler] | None = None
    validate: ValidateOptions = attrs.Factory(ValidateOptions)
    evaluate: Sequence[str | Mapping[str, Any]] = ()
    baselines: Sequence[str] = ()
    run: RunOptions = attrs.Factory(RunOptions)
    init_from: Path | None = None
    weights: Source | None = None

    def __attrs_post_init__(self) -> None:
        if self.name in (".", "..") or set(self.name) & set('/\\:*?"<>|\0\n'):
            raise OptionError(f"{self.name!r} cannot be the name of a folder", ("name",))


@attrs.frozen(kw_only=True)
class Recipe(RecipeKeys):
    """A valid recipe: every value is checked, ``method`` and ``masks`` not yet built.

    ``tree`` is the plain tree after extends, profile and ``--set``: written with ``core.config.nodes.dump`` it is a
    recipe by itself. ``source`` is the same with every value's place; ``profiles`` are the names of its profiles.
    """

    tree: Mapping[str, Any] = attrs.field(repr=False)
    source: Node = attrs.field(repr=False)
    profiles: tuple[str, ...] = ()

    @cached_property
    def method_on_meta(self) -> Method:
        """The method without memory for its weights, built once: for its attributes and for trial steps.

        Raises:
            RecipeError: constructors refused values.
        """
        with torch.device("meta"):
            return build_method(self)

    @property
    def is_trained(self) -> bool:
        """Whether the method has training steps."""
        return self.method_on_meta.steps > 0


def load_recipe(
    source: str | Path,
    profile: str | None = None,
    sets: Sequence[str] = (),
    plugins: Plugins | None = None,
    check_protocol: Callable[[Mapping[str, Any], Structurer, KeyPath], object] | None = None,
) -> Recipe:
    """The recipe of a file or bundled name, with a profile and ``key=value`` changes applied to it.

    A recipe does not know the keys of protocols: ``check_protocol`` reports to a structurer what is wrong with one that
    is written in the recipe.

    Raises:
        RecipeError: everything that is wrong, each with its place.
    """
    plugins = plugins or installed()
    path = find("recipe", source, plugins)
    problems: list[Problem] = []
    root, profiles, complete = resolve_file(
        path, lambda name, folder: find("recipe", name, plugins, folder), problems, profile, sets
    )
    structurer = Structurer(plugins, root)
    spec = structurer.structure(root.plain(), RecipeKeys)
    if check_protocol is not None:
        for at, protocol in _items(spec.options.get("evaluate"), dict):
            check_protocol(protocol, structurer, ("evaluate", at))
    # without a base or a profile, what is missing may be in the part that could not be read
    problems += [each for each in structurer.problems if complete or each.kind != "missing"]
    keys = spec.attempt(problems)
    problems += _missing_plugins(spec.options.get("requires"), plugins)
    problems += _missing_protocols(spec.options.get("evaluate"), plugins)
    validate = spec.options.get("validate")
    metrics = validate.options.get("metrics") if isinstance(validate, Spec) else None
    for part in (spec.options.get("masks"), *(metrics if isinstance(metrics, tuple) else ())):  # built later
        if isinstance(part, Spec):
            part.attempt(problems)
    if problems and isinstance(method := spec.options.get("method"), Spec):
        # constructors check more than types: try them now, so that all problems are reported at once
        with torch.device("meta"):
            method.attempt(problems, trial=True)
    raise_problems([located(problem, root) for problem in problems])
    name = (keys.name or path.stem) + (f"-{profile}" if profile else "")
    tree = {"name": name} | {key: value for key, value in root.plain().items() if key != "name"}
    fields = {field.name: getattr(keys, field.name) for field in attrs.fields(RecipeKeys)}
    return Recipe(**fields | {"name": name}, tree=tree, source=root, profiles=profiles)


def build_method(recipe: RecipeKeys, without: Collection[str] = ()) -> Method:
    """The recipe's method, without the options named in ``without`` (``Method.training_only``, to apply it).

    Raises:
        RecipeError: everything that constructors refused, each with its place.
    """
    return recipe.method.build(without)


def _missing_plugins(requires: Any, plugins: Plugins) -> list[Problem]:
    problems = []
    # where a second plugin of one name was refused, the first is the one that counts
    reports = {report.name: report for report in sorted(plugins.reports, key=lambda report: not report.error)}
    for at, name in _items(requires, str):
        if name not in reports:
            known = {*reports, *official()}
            fix = f": pip install {official()[name]}" if name in official() else did_you_mean(name, known)
            problems.append(Problem(f"plugin {name!r} is not installed{fix}", ("requires", at)))
        elif reports[name].error:
            problems.append(Problem(f"plugin {name!r} cannot be used: {reports[name].error}", ("requires", at)))
    return problems


def _missing_protocols(evaluate: Any, plugins: Plugins) -> list[Problem]:
    problems: list[Problem] = []
    for at, name in _items(evaluate, str):
        try:
            find("protocol", name, plugins)
        except RecipeError as error:
            problems += [attrs.evolve(problem, path=("evaluate", at)) for problem in error.problems]
    return problems


def _items(items: Any, kind: type[T]) -> list[tuple[int, T]]:
    """The items of that type with their indices, whatever else is in a recipe that is not valid."""
    return [(at, item) for at, item in enumerate(items) if isinstance(item, kind)] if isinstance(items, tuple) else []
