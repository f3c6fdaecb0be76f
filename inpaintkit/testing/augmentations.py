"""The properties of augmentations."""

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
SEEDS = range(8)  # several, since an augmentation may be applied with a probability


def pictures(component: Component, count: int = COUNT, dtype: torch.dtype = torch.float32) -> Tensor:
    """Pictures of noise in [0, 1], wider than high."""
    return ((noise((count, 3, component.side, component.side + 16), "augmentation") + 1) / 2).to(dtype)


def augmented(augmentation: Any, images: Tensor, seed: int) -> Tensor:
    """The augmented pictures, with torch's global generator at ``seed``."""
    who = f"augmentation(pictures {shape(images)})"
    with doing(who), torch.no_grad(), seeded("augmentation", seed):
        result = augmentation(images.clone())
    require(isinstance(result, Tensor), f"{who} returned a {type(result).__name__}, not a tensor of pictures")
    return result  # type: ignore[no-any-return]


def keeps_batch_and_channels(component: Component) -> None:
    """It maps (B, 3, H, W) to (B, 3, h, w) for any B, where the size is not random."""
    augmentation = component.ready()
    for count in (1, COUNT):
        images = pictures(component, count)
        results = [augmented(augmentation, images, seed) for seed in SEEDS]
        for result in results:
            fits = result.ndim == 4 and result.shape[:2] == images.shape[:2]
            require(fits, f"pictures {shape(images)} became {shape(result)}, expected ({count}, 3, height, width)")
        sizes = sorted({tuple(result.shape[-2:]) for result in results})
        require(len(sizes) == 1, f"the size of the result is random: {', '.join(map(str, sizes))} for one input size")


def keeps_range_and_dtype(component: Component) -> None:
    """The result is finite, in [0, 1] and of the dtype of the input."""
    augmentation = component.ready()
    for dtype in (torch.float32, torch.float64):
        for seed in SEEDS:
            result = augmented(augmentation, pictures(component, dtype=dtype), seed)
            require(result.dtype == dtype, f"pictures of {dtype} became {result.dtype}")
            require_finite(result, "the result")
            low, high = float(result.min()), float(result.max())
            inside = low > -1e-4 and high < 1 + 1e-4
            require(inside, f"pictures in [0, 1] became values from {low:.3g} to {high:.3g}: clamp them to [0, 1]")


def input_unchanged(component: Component) -> None:
    """``forward`` does not modify its input."""
    augmentation = component.ready()
    for seed in SEEDS:
        images = pictures(component)
        with doing("forward()"), torch.no_grad(), seeded("augmentation", seed):
            augmentation(images)
        require_unchanged([("pictures", images, pictures(component))], "forward()")


def repeats(component: Component) -> None:
    """The state of torch's global generator determines the result, in every instance; NumPy's and Python's do not."""
    images = pictures(component)
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
            "the same state of torch's global generator gave a different result: draw all random numbers from it and "
            "keep no state between calls",
        )
        require(torch.equal(result, augmented(second, images, seed)), "two instances give different results")


def independent_of_batch(component: Component) -> None:
    """The result of a picture does not depend on the other pictures of the batch."""
    augmentation = component.ready()
    images = pictures(component)
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
    "independent of the batch": independent_of_batch,
}
