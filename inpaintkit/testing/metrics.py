"""Properties of metrics."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

import torch
from torch import Tensor
from torch.nn import functional as F

from ..signature import bare, is_union, signature_of
from ..types import Batch, Sample
from .component import Check, Component, NotApplicable, Violation, doing, require, shape
from .losses import tensors
from .options import builds, options_are_typed
from .pictures import holes, noise, pictures, require_unchanged

COUNT = 6


def measured(component: Component) -> Sample:
    """Smooth pictures with holes, and noisy copies of them."""
    side = component.side
    image = F.interpolate(noise((COUNT, 3, 4, 4)), (side, side), mode="bilinear")
    shown = Batch(image, holes(COUNT, side, side))
    amount = torch.linspace(0.1, 0.6, COUNT).reshape(-1, 1, 1, 1)  # so that no two images have the same value
    return Sample.of(shown, ((1 - amount) * shown.image + amount * pictures(COUNT, side, side)).clamp(-1, 1))


def part(sample: Sample, start: int, stop: int) -> Sample:
    views = {name: sample.view(name)[start:stop] for name in sample.views}
    return Sample(sample.image[start:stop], sample.mask[start:stop], views)


def run(component: Component, sample: Sample, splits: Sequence[int]) -> tuple[float, list[Tensor | None]]:
    """A new metric's result over batches of the sizes ``splits``, and what each ``update`` returned."""
    metric, returned, start = component.ready(), [], 0
    for size in splits:
        shown = part(sample, start, start + size)
        with doing(f"update(sample of {size} images)"):
            values = metric.update(shown)
        fine = values is None or (isinstance(values, Tensor) and tuple(values.shape) == (size,))
        got = shape(values) if isinstance(values, Tensor) else type(values).__name__
        require(fine, f"update returned {got}: the images' values ({size},), or None for a whole set's")
        returned.append(values)
        start += size
    return computed(component, metric), returned


def computed(component: Component, metric: Any) -> float:
    with doing("compute()"):
        value = metric.compute()
    single = isinstance(value, int | float) or (isinstance(value, Tensor) and value.ndim == 0)
    require(single, f"compute() returned a {type(value).__name__}: a float is due")
    return float(value)


def a_number(component: Component) -> None:
    """A finite number of ordinary pictures; of one image, too; and better where the picture is better."""
    sample = measured(component)
    value, _ = run(component, sample, [COUNT])
    require(math.isfinite(value), f"it is {value} for ordinary pictures")
    metric = component.ready()
    require(
        metric.higher_is_better in (True, False, None),
        f"higher_is_better is {metric.higher_is_better!r}: True, False, or None where neither",
    )
    if metric.higher_is_better is not None:
        worse = Sample.of(Batch(sample.image, sample.mask), pictures(COUNT, component.side, component.side, "other"))
        found, _ = run(component, worse, [COUNT])
        right = value > found if metric.higher_is_better else value < found
        require(
            right,
            f"it is {value:.4g} for pictures near the truth and {found:.4g} for noise, but says "
            f"higher_is_better = {metric.higher_is_better}",
        )


def any_split(component: Component) -> None:
    """However the images are split into batches, the result is the same."""
    sample = measured(component)
    whole, returned = run(component, sample, [COUNT])
    for splits in ([1] * COUNT, [2, 1, 3], [COUNT - 1, 1]):
        value, _ = run(component, sample, splits)
        require(
            math.isclose(value, whole, rel_tol=1e-4, abs_tol=1e-7),
            f"it is {whole:.8g} for one batch and {value:.8g} for batches of {splits}: keep sums over images "
            "and their count, not a mean of batches' means",
        )
    values = returned[0]
    if values is not None:
        mean = float(values.double().nanmean())
        require(
            math.isclose(mean, whole, rel_tol=1e-4, abs_tol=1e-7),
            f"update's values have the mean {mean:.8g}, compute() says {whole:.8g}: return None when "
            "the metric is not the mean over images",
        )


def each_its_own(component: Component) -> None:
    """The values that ``update`` returns belong to the images, in their order."""
    sample = measured(component)
    _, together = run(component, sample, [COUNT])
    if together[0] is None:
        raise NotApplicable("it has no value for each image")
    _, apart = run(component, sample, [1] * COUNT)
    singles = torch.cat([value for value in apart if value is not None])
    require(
        len(singles) == COUNT
        and torch.allclose(together[0].double(), singles.double(), rtol=1e-4, atol=1e-7, equal_nan=True),
        "an image's value depends on the other images of its batch",
    )


def leaves_sample(component: Component) -> None:
    sample = measured(component)
    copies = [(name, tensor, tensor.clone()) for name, tensor in tensors(sample)]
    run(component, sample, [COUNT])  # part() gives views of these tensors
    require_unchanged(copies, "update")


def label_says_which(component: Component) -> None:
    """The label names the variant, ``name[...]``, and another choice of a named option has another label."""
    metric = component.ready()
    label = metric.label
    fine = isinstance(label, str) and re.fullmatch(r"[^\[\]\s]+\[[^\[\]]+\]", label)
    require(
        bool(fine),
        f"it has the label {label!r}: write name[variant,range], like 'ssim[gauss11,valid,rgb]', so that "
        "two numbers under one label can be compared",
    )
    for option, choices in choices_of(component):
        for choice in choices:
            other = Component(
                component.entry,
                component.plugins,
                {**component.options, option: choice},
                component.side,
                component.folder,
            )
            try:
                changed = other.construct()
            except Violation:  # this choice does not go with the other options
                continue
            given = component.options.get(option, default_of(component, option))
            require(
                given not in choices or choice == given or changed.label != label,
                f"{option}={choice!r} and {option}={given!r} have the same label {label!r}: name it there",
            )


def choices_of(component: Component) -> list[tuple[str, tuple[Any, ...]]]:
    """Options that choose between names, perhaps beside something else (``hub``, ``random`` or a path)."""
    found = []
    for option in signature_of(component.factory):
        kind = bare(option.type)
        members = [bare(member) for member in (get_args(kind) if is_union(kind) else (kind,))]
        names = tuple(name for member in members if get_origin(member) is Literal for name in get_args(member))
        found += [(option.name, names)] if names else []
    return found


def default_of(component: Component, name: str) -> Any:
    return next(option.default for option in signature_of(component.factory) if option.name == name)


METRIC: dict[str, Check] = {
    "options typed": options_are_typed,
    "builds": builds,
    "a number": a_number,
    "any split into batches": any_split,
    "a value for each image": each_its_own,
    "inputs unchanged": leaves_sample,
    "label states the variant": label_says_which,
}
