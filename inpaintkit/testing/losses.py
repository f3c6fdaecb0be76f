"""The properties of losses."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..core.errors import listed
from ..core.interfaces import Batch, Sample
from .component import Check, Component, Violation, doing, require, shape
from .options import builds, options_are_typed
from .pictures import batch, pictures, require_finite, require_unchanged

VIEWS = ("output", "coarse", "reconstruction")


def sample_of(shown: Batch, scales: bool = False, views: tuple[str, ...] = VIEWS) -> tuple[Sample, list[Tensor]]:
    """A sample with the usual views, and its leaf tensors, which require gradients."""
    count, _, height, width = shown.image.shape
    made: dict[str, Tensor | tuple[Tensor, ...]] = {}
    leaves: list[Tensor] = []
    for name in views:
        sizes = [(height // 2, width // 2), (height, width)] if scales else [(height, width)]
        of_view = [pictures(count, *size, name).to(shown.image.device).requires_grad_() for size in sizes]
        made[name] = tuple(of_view) if scales else of_view[0]
        leaves += of_view
    return Sample.of(shown, made), leaves


def value_of(component: Component, loss: nn.Module, sample: Sample, what: str = "") -> Tensor:
    """The value of a loss; fails unless it is a scalar tensor.

    ``what`` says in messages how the sample was made.
    """
    who = f"forward(sample){what}"
    with doing(who):
        try:
            value = loss(sample)
        except KeyError as error:
            options = f"{{{component.entry.name!r}: {{'on': 'output'}}}}"
            raise Violation(
                f"{who}: {error.args[0] if error.args else error}. If it reads a view that only its own method "
                f"returns, make the name an option: conformance(..., options={options})"
            ) from error
    require(isinstance(value, Tensor), f"{who} returned a {type(value).__name__}, not a scalar tensor")
    require(value.ndim == 0, f"{who} returned {shape(value)}: reduce it to a scalar, shape ()")
    return value  # type: ignore[no-any-return]


def is_scalar(component: Component) -> None:
    """The value is a float32 scalar, also under bfloat16 autocast and for views with several scales."""
    loss = component.ready()
    for scales in (False, True):
        sample, _ = sample_of(batch(2, component.side, component.side + 8), scales)
        for what, reduced in (("", False), (" under bfloat16 autocast", True)):
            with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
                value = value_of(component, loss, sample, what)
            fine = value.dtype == torch.float32
            require(fine, f"it is {value.dtype}{what}: compute losses in float32, with .float() on the inputs")


def is_finite(component: Component) -> None:
    """Value and gradient are finite for ordinary, empty and full masks, and where the output equals the image."""
    loss = component.ready()
    shown = batch(2, component.side, component.side)
    ones = torch.ones_like(shown.mask)
    some = torch.cat([shown.mask[:1], 0 * ones[:1]])
    cases = {"": shown.mask, " with empty masks": 0 * ones, " with full masks": ones, " with one empty mask": some}
    for what, mask in cases.items():
        sample, leaves = sample_of(Batch(shown.image, mask))
        check_finite(component, loss, sample, leaves, f" for pictures{what}" if what else "")
    truth = shown.image.clone().requires_grad_()
    same = Sample.of(shown, dict.fromkeys(VIEWS, truth))
    check_finite(component, loss, same, [truth], " where the output equals the image")


def check_finite(component: Component, loss: nn.Module, sample: Sample, leaves: list[Tensor], what: str) -> None:
    """The value of this sample and the gradients of the leaves are finite."""
    value = value_of(component, loss, sample, what)
    require(bool(value.isfinite()), f"it is {value.item()}{what}: guard divisions, logarithms and roots")
    if value.requires_grad:
        with doing(f"backward(){what}"):
            value.backward()  # type: ignore[no-untyped-call]
    for leaf in leaves:
        if leaf.grad is not None:
            require_finite(leaf.grad, f"its gradient{what}")


def gradient_flows(component: Component) -> None:
    """Some view gets a gradient, for every image of the batch."""
    loss = component.ready()
    sample, leaves = sample_of(batch(3, component.side, component.side))
    value = value_of(component, loss, sample)
    require(value.requires_grad, "it has no gradient: it detaches the views of the sample")
    with doing("backward()"):
        value.backward()  # type: ignore[no-untyped-call]
    reached = [leaf for leaf in leaves if leaf.grad is not None and leaf.grad.any()]
    require(bool(reached), "its gradient reaches no view: the generator cannot learn from it")
    every = any(bool(leaf.grad.flatten(1).any(1).all()) for leaf in reached if leaf.grad is not None)
    require(every, "its gradient reaches only some images of a batch")


def sample_unchanged(component: Component) -> None:
    """The sample is not modified, image and mask require no gradient, and a detached sample has the same value."""
    loss = component.ready()
    sample, _ = sample_of(batch(2, component.side, component.side))
    copies = [(name, tensor, tensor.detach().clone()) for name, tensor in tensors(sample)]
    value = value_of(component, loss, sample)
    require_unchanged(copies, "forward")
    wants = [name for name in ("image", "mask") if getattr(sample, name).requires_grad]
    require(not wants, f"it turns on gradients of {listed(wants)}: use a detached copy")
    with torch.no_grad():
        again = value_of(component, loss, sample.detach(), " of a detached sample")
    once, twice = value.item(), again.item()
    same = math.isclose(once, twice, rel_tol=1e-5, abs_tol=1e-7)
    require(same, f"it is {once} for a sample and {twice} for the same sample detached")


def tensors(sample: Sample) -> list[tuple[str, Tensor]]:
    """All tensors of a sample with their names."""
    views = [(name, scale) for name in sample.views for scale in sample.scales(name)]
    return [("image", sample.image), ("mask", sample.mask), *views]


def mean_over_batch(component: Component) -> None:
    """A batch repeated twice has the same value, as gradient accumulation and several processes need it."""
    loss = component.ready()
    shown = batch(2, component.side, component.side)
    twice = Batch(torch.cat([shown.image] * 2), torch.cat([shown.mask] * 2))
    sample, _ = sample_of(shown)
    views = {name: torch.cat([sample.view(name)] * 2) for name in VIEWS}
    once, double = (value_of(component, loss, each).item() for each in (sample, Sample.of(twice, views)))
    require(
        math.isclose(once, double, rel_tol=1e-4, abs_tol=1e-6),
        f"it is {once:.6g} for two images and {double:.6g} for the same two repeated: take the mean over "
        "the batch, or gradient accumulation and several processes change the loss",
    )


def nothing_to_train(component: Component) -> None:
    """It has no trainable parameters; feature networks are frozen and not in checkpoints."""
    loss = component.ready()
    trained = [name for name, parameter in loss.named_parameters() if parameter.requires_grad]
    require(
        not trained,
        f"it has trainable parameters, which no optimizer updates: {listed(trained, 8)}. Make the weights of a feature "
        "network buffers (register_buffer(..., persistent=False)); a network that is trained must be a critic",
    )


def meta_device(component: Component) -> None:
    """It runs on the meta device."""
    loss = component.on_meta()
    shown = batch(2, component.side, component.side)
    sample, _ = sample_of(Batch(shown.image.to("meta"), shown.mask.to("meta")))
    value = value_of(component, loss, sample, " on the meta device")
    require(value.is_meta, "its value is not on the meta device: create tensors on the device of the sample")


LOSS: dict[str, Check] = {
    "options typed": options_are_typed,
    "builds": builds,
    "scalar in float32": is_scalar,
    "finite": is_finite,
    "gradient flows": gradient_flows,
    "sample unchanged": sample_unchanged,
    "mean over the batch": mean_over_batch,
    "nothing to train": nothing_to_train,
    "meta device": meta_device,
}
