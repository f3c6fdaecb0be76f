"""The properties of metrics."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

import attrs
import torch
from torch import Tensor
from torch.nn import functional as F

from ..components.torch_metric import TorchMetric
from ..core.config.checks import bare, is_union
from ..core.config.schema import signature_of
from ..core.interfaces import Batch, Sample
from .component import Check, Component, NotApplicable, Violation, doing, require, shape
from .losses import tensors
from .options import builds, options_are_typed
from .pictures import holes, noise, pictures, require_unchanged

COUNT = 6  # images, or as many as the metric needs at least
MAX_COUNT = 200


def noisy_sample(component: Component) -> Sample:
    """Smooth pictures with holes, and noisy copies of them."""
    side, count = component.side, max(COUNT, component.build().min_images)
    if count > MAX_COUNT:
        raise NotApplicable(f"it needs at least {count} images")
    image = F.interpolate(noise((count, 3, 4, 4)), (side, side), mode="bilinear")
    shown = Batch(image, holes(count, side, side))
    amount = torch.linspace(0.1, 0.6, count).reshape(-1, 1, 1, 1)  # so that no two images have the same value
    return Sample.of(shown, ((1 - amount) * shown.image + amount * pictures(count, side, side)).clamp(-1, 1))


def part(sample: Sample, start: int, stop: int) -> Sample:
    """The images from ``start`` to ``stop`` of a sample."""
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
        require(
            fine,
            f"update returned {got}, expected one value per image ({size},), or None for a metric of the whole set",
        )
        returned.append(values)
        start += size
    return computed(component, metric), returned


def computed(component: Component, metric: Any) -> float:
    """The result of ``compute``; fails unless it is a number."""
    with doing("compute()"):
        value = metric.compute()
    single = isinstance(value, int | float) or (isinstance(value, Tensor) and value.ndim == 0)
    require(single, f"compute() returned a {type(value).__name__}, expected a float")
    return float(value)


def is_number(component: Component) -> None:
    """A finite number for ordinary pictures and for a single image, and a better one for a better picture."""
    sample = noisy_sample(component)
    value, _ = run(component, sample, [len(sample.image)])
    require(math.isfinite(value), f"it is {value} for ordinary pictures")
    metric = component.ready()
    require(
        metric.higher_is_better in (True, False, None),
        f"higher_is_better is {metric.higher_is_better!r}: expected True, False or None",
    )
    if metric.higher_is_better is not None:
        other = pictures(len(sample.image), component.side, component.side, "other")
        worse = Sample.of(Batch(sample.image, sample.mask), other)
        found, _ = run(component, worse, [len(sample.image)])
        right = value > found if metric.higher_is_better else value < found
        require(
            right,
            f"it is {value:.4g} for pictures close to the ground truth and {found:.4g} for noise, but declares "
            f"higher_is_better = {metric.higher_is_better}",
        )


def any_split(component: Component) -> None:
    """The result does not depend on how the images are split into batches."""
    sample = noisy_sample(component)
    count = len(sample.image)
    whole, returned = run(component, sample, [count])
    for splits in ([1] * count, [2, 1, count - 3], [count - 1, 1]):
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
            f"the values of update have the mean {mean:.8g}, compute() returns {whole:.8g}: return None from update if "
            "the metric is not the mean over images",
        )


def value_per_image(component: Component) -> None:
    """The values that ``update`` returns are those of the images, in their order."""
    sample = noisy_sample(component)
    count = len(sample.image)
    _, together = run(component, sample, [count])
    if together[0] is None:
        raise NotApplicable("it has no values per image")
    _, apart = run(component, sample, [1] * count)
    singles = torch.cat([value for value in apart if value is not None])
    require(
        len(singles) == count
        and torch.allclose(together[0].double(), singles.double(), rtol=1e-4, atol=1e-7, equal_nan=True),
        "an image's value depends on the other images of its batch",
    )


def inputs_unchanged(component: Component) -> None:
    """``update`` does not modify its inputs."""
    sample = noisy_sample(component)
    copies = [(name, tensor, tensor.clone()) for name, tensor in tensors(sample)]
    run(component, sample, [len(sample.image)])  # part() returns views of these tensors
    require_unchanged(copies, "update")


def label_states_variant(component: Component) -> None:
    """The label names the variant, ``name[...]``, and another choice of a named option has another label."""
    metric = component.build()
    label = metric.label
    fine = isinstance(label, str) and re.fullmatch(r"[^\[\]\s]+\[[^\[\]]+\]", label)
    require(
        bool(fine),
        f"it has the label {label!r}: write name[variant,range], like 'ssim[gauss11,valid,rgb]', so that "
        "all numbers with the same label can be compared",
    )
    if isinstance(metric, TorchMetric):  # its label is the class name, for any options
        return
    for name, (given, others) in choices_of(component).items():
        for other in others:
            try:
                changed = attrs.evolve(component, options={**component.options, name: other}).construct()
            except Violation:  # this choice is not compatible with the other options
                continue
            same = (
                f"{name}={other!r} and {name}={given!r} have the same label {label!r}: the label must name this option"
            )
            require(changed.label != label, same)


def choices_of(component: Component) -> dict[str, tuple[Any, list[Any]]]:
    """Options that choose from names, with the chosen name and the others; includes the view ``on``."""
    found = {}
    for option in signature_of(component.factory):
        kind = bare(option.type)
        members = [bare(member) for member in (get_args(kind) if is_union(kind) else (kind,))]
        names = [name for member in members if get_origin(member) is Literal for name in get_args(member)]
        names = ["completed", "output"] if option.name == "on" and kind is str else names
        given = component.options.get(option.name, option.default)
        if given in names:
            found[option.name] = (given, [name for name in names if name != given])
    return found


METRIC: dict[str, Check] = {
    "options typed": options_are_typed,
    "builds": builds,
    "a number": is_number,
    "any split into batches": any_split,
    "a value for each image": value_per_image,
    "inputs unchanged": inputs_unchanged,
    "label states the variant": label_states_variant,
}
