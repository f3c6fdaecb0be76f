"""The properties of generators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..core.interfaces import Generator, finest
from ..filling import fill
from ..runtime import inpaint_padded
from ..training import Adversarial
from .component import Check, Component, NotApplicable, Violation, doing, require, shape
from .options import builds, options_are_typed
from .pictures import (
    batch,
    noise,
    perturb,
    picture_size,
    require_finite,
    require_gradients,
    require_independent,
    require_meta,
    require_same_state,
    require_state_kept,
    require_unchanged,
)

Views = dict[str, tuple[Tensor, ...]]


def latent(net: nn.Module) -> tuple[int, ...] | None:
    """The latent shape of a generator with ``forward(z)``; None for ``forward(masked, mask)``."""
    return net.latent_shape if isinstance(net, Generator) else None


def inputs_for(component: Component, net: nn.Module, count: int, *seed: int | str) -> tuple[Tensor, ...]:
    """Inputs for a generator: ``(masked, mask)``, or ``(z,)``, uniform in [-1, 1], if it takes a latent."""
    if (dimensions := latent(net)) is not None:
        return (noise((count, *dimensions), *seed),)
    shown = batch(count, *picture_size(net, component.side), *seed)
    return shown.masked, shown.mask


def call(net: nn.Module, inputs: tuple[Tensor, ...]) -> str:
    """The call of ``forward`` for messages, with the shapes of its inputs."""
    names = ("z",) if latent(net) is not None else ("masked", "mask")
    return f"forward({', '.join(f'{name} {shape(value)}' for name, value in zip(names, inputs, strict=True))})"


def views_of(net: nn.Module, inputs: tuple[Tensor, ...]) -> Views:
    """The views that a generator returns, each as a tuple of scales; fails if the result has another form."""
    who = call(net, inputs)
    with doing(who):
        result = net(*inputs)
    named = {"output": result} if isinstance(result, Tensor | tuple) else result
    require(
        isinstance(named, Mapping),
        f"{who} returned a {type(result).__name__}: expected a picture, a tuple of its scales, or a mapping of views",
    )
    require("output" in named, f"{who} returned views {', '.join(named) or 'none'}: a view 'output' is required")
    views = {name: view if isinstance(view, tuple) else (view,) for name, view in named.items()}
    count = len(inputs[0])
    for name, scales in views.items():
        valid = bool(scales) and all(isinstance(scale, Tensor) for scale in scales)
        require(valid, f"{who}: view {name!r} is neither a tensor nor a tuple of tensors")
        for scale in scales:
            fine = scale.ndim >= 1 and len(scale) == count and scale.is_floating_point()
            require(fine, f"{who}: view {name!r} is {scale.dtype} {shape(scale)}: expected floats for {count} images")
    output = finest(views["output"])
    size = inputs[0].shape[-2:] if latent(net) is None else output.shape[-2:]
    expected = (count, 3, *size)
    require(tuple(output.shape) == expected, f"{who} returned an output {shape(output)}, expected {expected}")
    return views


def output_of(net: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    """The view ``output`` at its full size."""
    return finest(views_of(net, inputs)["output"])


def returns_pictures(component: Component) -> None:
    """It returns pictures for any batch size, in training and eval mode, with scales from coarse to fine."""
    net = component.ready()
    if (dimensions := latent(net)) is not None:
        fine = all(type(side) is int and side >= 1 for side in dimensions)
        require(fine, f"it declares latent_shape = {net.latent_shape!r}: integers of at least 1 are expected")
        size = getattr(net, "size", None)
        require(type(size) is int, "it takes a latent: declare the `size` of its pictures")
    for count in (2, 3):
        for mode in (True, False):
            inputs = inputs_for(component, net.train(mode), count)
            views = views_of(net, inputs)
            for name, scales in views.items():
                for scale in scales:
                    require_finite(scale, f"view {name!r}")
                heights = [scale.shape[-2] for scale in scales]
                ordered = heights == sorted(heights)
                require(ordered, f"view {name!r} has scales of heights {heights}: the coarsest must come first")
            if latent(net) is not None:
                expected, found = (net.size, net.size), tuple(finest(views["output"]).shape[-2:])
                require(expected == found, f"it declares size {net.size} and returns pictures of {found}")


def output_range(component: Component) -> None:
    """The output stays in [-1, 1] for weights of any size, not only for small initial weights."""
    net = component.ready().eval()
    inputs = inputs_for(component, net, 2)
    for _ in range(11):
        with torch.no_grad():
            output = output_of(net, inputs)
            if not output.isfinite().all():
                return
            most = float(output.abs().max())
            require(
                most <= 1 + 1e-5,
                f"with larger weights its output has values up to {most:.4g}: pictures are in [-1, 1]. "
                "Use tanh or clamp at the end",
            )
            for parameter in net.parameters():
                parameter.mul_(2)


def multiples_of_stride(component: Component) -> None:
    """It takes any multiple of its stride as height and as width."""
    net = of_any_size(component)
    stride = net.stride if hasattr(net, "stride") else 1
    height, width = picture_size(net, component.side)
    for size in ((height, width), (width, height), (height + stride, height)):
        shown = batch(1, *size)
        try:
            with torch.no_grad():
                views_of(net.eval(), (shown.masked, shown.mask))
        except Violation as error:
            text = f"it declares stride {stride}, so {size[0]} x {size[1]} should work, but {error}"
            raise Violation(text) from error


def odd_sizes(component: Component) -> None:
    """Pictures whose sides are no multiples of the stride are filled, with padding by the core."""
    net = component.ready()
    if latent(net) is not None:
        raise NotApplicable("it takes a latent")
    height, width = picture_size(net, component.side)
    method = Adversarial(net)
    for rows, columns in ((height - 3, width + 1), (height + 1, width - 1)):
        shown = batch(1, rows, columns)
        with doing(f"filling a picture of {rows} x {columns}"):
            if method.size is None:
                completed = inpaint_padded(method, shown.masked, shown.mask)[0]
                truth = shown.image[0]
            else:
                truth = (shown.image[0] + 1) / 2
                completed = fill(method, truth, shown.mask[0])
        known = (shown.mask[0] == 0).expand(3, -1, -1)
        require(torch.equal(completed[known], truth[known]), f"known pixels changed at {rows} x {columns}")
        require_finite(completed, f"a picture of {rows} x {columns}")


def batch_of_one(component: Component) -> None:
    """It takes a batch of one picture in eval mode."""
    net = component.ready().eval()
    with torch.no_grad():
        output = output_of(net, inputs_for(component, net, 1))
    require_finite(output, "the output of a batch of one")


def independent_of_batch(component: Component) -> None:
    """In eval mode the result of an image does not depend on the other images of the batch."""
    net = component.ready().eval()
    inputs = inputs_for(component, net, 3, 0)
    others = tuple(
        torch.cat([value[:1], other[1:]]) for value, other in zip(inputs, inputs_for(component, net, 3, 1), strict=True)
    )
    require_independent(lambda shown: output_of(net, shown), inputs, others)


def gradients_reach_parameters(component: Component) -> None:
    """Every trainable parameter gets a gradient from some view."""
    net = component.ready().train()
    perturb(net)

    def total(seed: int) -> Tensor:
        views = views_of(net, inputs_for(component, net, 4, seed))
        scales = [scale for view in views.values() for scale in view if scale.requires_grad]
        parts = [(scale * noise(tuple(scale.shape), seed)).sum() for scale in scales]
        return torch.stack(parts).sum() if parts else torch.zeros(())

    require_gradients(net, total)


def inputs_unchanged(component: Component) -> None:
    """``forward`` does not modify its inputs, in training and eval mode."""
    net = component.ready()
    for mode in (True, False):
        inputs = inputs_for(component, net.train(mode), 2)
        copies = [value.clone() for value in inputs]
        with torch.no_grad():
            views_of(net, inputs)
        names = ("z",) if latent(net) is not None else ("masked", "mask")
        require_unchanged(zip(names, inputs, copies, strict=True), "forward")


def eval_mode_keeps_state(component: Component) -> None:
    """``forward`` in eval mode does not modify the state_dict."""
    net = component.ready().eval()
    require_state_kept(net, lambda: views_of(net, inputs_for(component, net, 2)))


def state_round_trips(component: Component) -> None:
    """Another instance that loads its state_dict from safetensors gives the same pictures."""

    def run(net: nn.Module) -> list[Tensor]:
        return [scale for view in views_of(net, inputs_for(component, net, 2)).values() for scale in view]

    require_same_state(component, run, lambda net: views_of(net, inputs_for(component, net, 4)))


def meta_device(component: Component) -> None:
    """It runs on the meta device and returns the same shapes as on the CPU."""
    real, net = component.ready(), component.on_meta()
    inputs = inputs_for(component, real, 2)
    found = views_of(net, tuple(value.to("meta") for value in inputs))
    expected = views_of(real, inputs)
    require_meta({name: found.get(name, ()) for name in expected}, expected)


def of_any_size(component: Component) -> Any:
    """The generator, if it takes pictures of different sizes."""
    net = component.ready()
    if latent(net) is not None:
        raise NotApplicable("it takes a latent")
    if getattr(net, "size", None) is not None:
        raise NotApplicable(f"it only takes pictures of {net.size} x {net.size}")
    return net


GENERATOR: dict[str, Check] = {
    "options typed": options_are_typed,
    "builds": builds,
    "returns pictures": returns_pictures,
    "output range": output_range,
    "multiples of stride": multiples_of_stride,
    "odd sizes": odd_sizes,
    "batch of one": batch_of_one,
    "independent of the batch": independent_of_batch,
    "gradients reach every parameter": gradients_reach_parameters,
    "inputs unchanged": inputs_unchanged,
    "eval mode keeps state": eval_mode_keeps_state,
    "state round-trips": state_round_trips,
    "meta device": meta_device,
}
