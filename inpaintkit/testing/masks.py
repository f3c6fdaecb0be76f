"""The properties of mask samplers."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..runtime import generator
from .component import Check, Component, Violation, doing, require, seeded, shape
from .options import builds, options_are_typed

COUNT = 8


def sampled(component: Component, sampler: Any, rng: torch.Generator, count: int = COUNT) -> Tensor:
    """Masks that the sampler draws; fails unless they have the expected shape."""
    size = (component.side, component.side + 16)
    who = f"sampler({count}, {size}, rng)"
    with doing(who):
        masks = sampler(count, size, rng)
    require(isinstance(masks, Tensor), f"{who} returned a {type(masks).__name__}, not a tensor of masks")
    expected = (count, 1, *size)
    require(tuple(masks.shape) == expected, f"{who} returned {shape(masks)}, expected {expected}")
    return masks  # type: ignore[no-any-return]


def binary(component: Component) -> None:
    """Masks are float32, 0 and 1 only, and not all empty; for any count."""
    sampler = component.ready()
    for count in (1, COUNT):
        masks = sampled(component, sampler, generator(0), count)
        require(masks.dtype == torch.float32, f"it returned {masks.dtype}, expected float32: add .float()")
        others = masks[(masks != 0) & (masks != 1)].tolist()
        between = sorted({f"{value:.3g}" for value in others})
        require(not between, f"masks contain {', '.join(between[:3])}: only 1 (hole) and 0 (known) are allowed")
    require(bool(masks.any()), f"all {COUNT} masks are empty: 1 is the hole, 0 is known")
    require(not masks.all(), f"all {COUNT} masks are full: 1 is the hole, 0 is known")


def repeats(component: Component) -> None:
    """A seed always gives the same masks: after other draws, and from another instance."""
    sampler = component.ready()
    first = sampled(component, sampler, generator(1))
    sampled(component, sampler, generator(2))
    again = sampled(component, sampler, generator(1))
    require(
        torch.equal(first, again),
        "the same seed gave different masks the second time: draw everything with generator=rng and keep "
        "no state between calls",
    )
    other = sampled(component, component.ready(1), generator(1))
    require(torch.equal(first, other), "two instances give different masks for one seed")


def deterministic(component: Component, sampler: Any) -> bool:
    """Whether the sampler draws nothing from ``rng``, so that all its masks are the same."""
    rng = generator(3)
    before = rng.get_state()
    sampled(component, sampler, rng)
    return bool(torch.equal(rng.get_state(), before))


def per_image(component: Component) -> None:
    """Each image of a batch has its own mask, and each seed its own masks, unless the sampler is deterministic."""
    sampler = component.ready()
    masks = sampled(component, sampler, generator(0))
    alike = bool((masks == masks[:1]).all())
    if deterministic(component, sampler):
        require(alike, "it draws nothing from rng, but the masks of a batch differ: draw with generator=rng")
        return
    require(not alike, f"all {COUNT} masks of a batch are the same: draw one for each image")
    other = sampled(component, sampler, generator(4))
    require(not torch.equal(masks, other), "two seeds give the same masks: draw with generator=rng")


def global_random_state() -> list[Any]:
    """The state of torch's, Python's own and NumPy's generator, comparable."""
    name, keys, *rest = np.random.get_state()
    return [torch.get_rng_state().tolist(), random.getstate(), [name, np.asarray(keys).tolist(), *rest]]


def global_generators(component: Component) -> None:
    """The global generators of torch, NumPy and Python are neither read nor advanced."""
    sampler = component.ready()
    sampled(component, sampler, generator(5))  # the first call may have side effects, such as reading files
    before = global_random_state()
    sampled(component, sampler, generator(5))
    for name, was, now in zip(("torch", "random", "numpy.random"), before, global_random_state(), strict=True):
        require(was == now, f"it draws from the global generator of {name}: pass generator=rng everywhere")
    results = []
    for seed in (1, 2):
        with seeded("global", seed):
            results.append(sampled(component, sampler, generator(5)))
    require(torch.equal(*results), "masks depend on the global generator of torch, not only on rng")


def on_device(component: Component) -> None:
    """Masks and all intermediate tensors are on ``rng.device``, whatever the default device is."""
    sampler = component.ready()
    hint = "create every tensor with device=rng.device"
    try:
        with torch.device("meta"):  # reveals a missing device= on any machine
            masks = sampled(component, sampler, generator(0, "cpu"))
    except Violation as error:
        raise Violation(f"{error}. The default device is 'meta', rng.device is 'cpu': {hint}") from error
    require(masks.device.type == "cpu", f"the masks are not on rng.device: {hint}")
    if torch.cuda.is_available():
        masks = sampled(component, sampler, generator(0, "cuda"))
        require(masks.is_cuda, f"with rng on cuda, the masks are on {masks.device}: {hint}")


MASK_SAMPLER: dict[str, Check] = {
    "options typed": options_are_typed,
    "builds": builds,
    "binary": binary,
    "seeded": repeats,
    "one mask per image": per_image,
    "global generators untouched": global_generators,
    "on the generator's device": on_device,
}
