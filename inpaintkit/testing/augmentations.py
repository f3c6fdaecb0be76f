"""Properties of augmentations."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .component import Check, Component, doing, require, seeded, shape
from .options import builds, options_are_typed
from .pictures import noise, require_finite, require_unchanged

COUNT = 4
SEEDS = range(8)  # what happens with a probability happens in some of them


def shown(component: Component, count: int = COUNT, dtype: torch.dtype = torch.float32) -> Tensor:
    """Pictures of noise in [0, 1], a little wider than high."""
    return ((noise((count, 3, component.side, component.side + 16), "augmentation") + 1) / 2).to(dtype)


def augmented(augmentation: Any, images: Tensor, seed: int) -> Tensor:
    """What the augmentation makes of the pictures, with torch's global generator at ``seed``."""
    who = f"augmentation(pictures {shape(images)})"
    with doing(who), torch.no_grad(), seeded("augmentation", seed):
        result = augmentation(images.clone())
    require(isinstance(result, Tensor), f"{who} returned a {type(result).__name__}, not a tensor of pictures")
    return result  # type: ignore[no-any-return]


def keeps_batch_and_channels(component: Component) -> None:
    """(B, 3, H, W) in and (B, 3, h, w) out, for any B, of a size that does not depend on chance."""
    augmentation = component.ready()
    for count in (1, COUNT):
        images = shown(component, count)
        results = [augmented(augmentation, images, seed) for seed in SEEDS]
        for result in results:
            fits = result.ndim == 4 and result.shape[:2] == images.shape[:2]
            require(fits, f"pictures {shape(images)} became {shape(result)}: ({count}, 3, height, width) is due")
        sizes = sorted({tuple(result.shape[-2:]) for result in results})
        require(len(sizes) == 1, f"the size depends on chance: {', '.join(map(str, sizes))} from one input size")


def keeps_range_and_dtype(component: Component) -> None:
    """Finite values in [0, 1], of the dtype that was given."""
    augmentation = component.ready()
    for dtype in (torch.float32, torch.float64):
        for seed in SEEDS:
            result = augmented(augmentation, shown(component, dtype=dtype), seed)
            require(result.dtype == dtype, f"pictures of {dtype} became {result.dtype}")
            require_finite(result, "the result")
            low, high = float(result.min()), float(result.max())
            inside = low > -1e-4 and high < 1 + 1e-4
            require(inside, f"pictures in [0, 1] became values from {low:.3g} to {high:.3g}: clamp them to [0, 1]")


def input_unchanged(component: Component) -> None:
    """The pictures that are given stay as they are."""
    augmentation = component.ready()
    for seed in SEEDS:
        images = shown(component)
        with doing("forward()"), torch.no_grad(), seeded("augmentation", seed):
            augmentation(images)
        require_unchanged([("pictures", images, shown(component))], "forward()")


def repeats(component: Component) -> None:
    """One state of torch's global generator, one result: whatever NumPy and Python would draw, in any instance."""
    images = shown(component)
    first, second = component.ready(), component.ready(1)
    for seed in SEEDS:
        result = augmented(first, images, seed)
        np_state, state = np.random.get_state(), random.getstate()
        try:
            np.random.seed(seed + 100)
            random.seed(seed + 100)
            again = augmented(first, images, seed)
        finally:
            np.random.set_state(np_state)
            random.setstate(state)
        require(
            torch.equal(result, again),
            "the same state of torch's global generator gave another result: draw all random numbers from it and keep "
            "no state between calls",
        )
        require(torch.equal(result, augmented(second, images, seed)), "two instances give different results")


def per_picture(component: Component) -> None:
    """Each picture is changed on its own: the others of the batch have no influence."""
    augmentation = component.ready()
    images = shown(component)
    others = images.clone()
    others[1:] = 1 - others[1:]
    for seed in SEEDS:
        first, again = augmented(augmentation, images, seed)[0], augmented(augmentation, others, seed)[0]
        require(
            torch.allclose(first, again, atol=1e-5), "a picture's result depends on the other pictures of the batch"
        )


AUGMENTATION: dict[str, Check] = {
    "options typed": options_are_typed,
    "builds": builds,
    "shape": keeps_batch_and_channels,
    "range and dtype": keeps_range_and_dtype,
    "input unchanged": input_unchanged,
    "seeded": repeats,
    "each picture on its own": per_picture,
}
