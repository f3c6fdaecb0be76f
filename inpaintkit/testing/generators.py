"""Properties of generators."""

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
    frame,
    noise,
    require_finite,
    require_gradients,
    require_independent,
    require_meta,
    require_same_state,
    require_state_kept,
    require_unchanged,
    stir,
)

Drawn = dict[str, tuple[Tensor, ...]]


def latent(net: nn.Module) -> tuple[int, ...] | None:
    """The shape of the latent of a generator that draws from one, ``forward(z)``."""
    return net.latent_shape if isinstance(net, Generator) else None


def given(component: Component, net: nn.Module, count: int, *seed: int | str) -> tuple[Tensor, ...]:
    """The inputs of a generator: ``(masked, mask)``, or ``(z,)`` of a latent one, uniform on [-1, 1]."""
    if (dimensions := latent(net)) is not None:
        return (noise((count, *dimensions), *seed),)
    shown = batch(count, *frame(net, component.side), *seed)
    return shown.masked, shown.mask


def call(net: nn.Module, inputs: tuple[Tensor, ...]) -> str:
    names = ("z",) if latent(net) is not None else ("masked", "mask")
    return f"forward({', '.join(f'{name} {shape(value)}' for name, value in zip(names, inputs, strict=True))})"


def draw(net: nn.Module, inputs: tuple[Tensor, ...]) -> Drawn:
    """The views that a generator returns, each as a tuple of scales; fails on a value of any other form."""
    who = call(net, inputs)
    with doing(who):
        drawn = net(*inputs)
    named = {"output": drawn} if isinstance(drawn, Tensor | tuple) else drawn
    require(
        isinstance(named, Mapping),
        f"{who} returned a {type(drawn).__name__}: return one picture, a tuple of its scales, or a mapping of views",
    )
    require("output" in named, f"{who} returned views {', '.join(named) or 'none'}: 'output' must be among them")
    views = {name: view if isinstance(view, tuple) else (view,) for name, view in named.items()}
    count = len(inputs[0])
    for name, scales in views.items():
        whole = bool(scales) and all(isinstance(scale, Tensor) for scale in scales)
        require(whole, f"{who}: view {name!r} is neither a tensor nor a tuple of tensors")
        for scale in scales:
            fine = scale.ndim >= 1 and len(scale) == count and scale.is_floating_point()
            require(fine, f"{who}: view {name!r} is {scale.dtype} {shape(scale)}: floats for {count} images are needed")
    output = finest(views["output"])
    size = inputs[0].shape[-2:] if latent(net) is None else output.shape[-2:]
    due = (count, 3, *size)
    require(tuple(output.shape) == due, f"{who} returned an output {shape(output)} where {due} is due")
    return views


def output_of(net: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    return finest(draw(net, inputs)["output"])


def draws_pictures(component: Component) -> None:
    """Whole pictures for any batch size, in training and in eval mode; scales from coarse to fine."""
    net = component.ready()
    if (dimensions := latent(net)) is not None:
        fine = all(type(side) is int and side >= 1 for side in dimensions)
        require(fine, f"it declares latent_shape = {net.latent_shape!r}: whole numbers are needed")
        size = getattr(net, "size", None)
        require(type(size) is int, "it draws from a latent: declare the `size` of its pictures")
    for count in (2, 3):
        for mode in (True, False):
            inputs = given(component, net.train(mode), count)
            views = draw(net, inputs)
            for name, scales in views.items():
                for scale in scales:
                    require_finite(scale, f"view {name!r}")
                heights = [scale.shape[-2] for scale in scales]
                ordered = heights == sorted(heights)
                require(ordered, f"view {name!r} has scales of heights {heights}: coarse ones go first")
            if latent(net) is not None:
                due, got = (net.size, net.size), tuple(finest(views["output"]).shape[-2:])
                require(due == got, f"it declares size {net.size} and draws pictures of {got}")


def output_range(component: Component) -> None:
    """The output stays in [-1, 1] whatever the weights are, not by the luck of small initial ones."""
    net = component.ready().eval()
    inputs = given(component, net, 2)
    for _ in range(11):
        with torch.no_grad():
            output = output_of(net, inputs)
            if not output.isfinite().all():
                return
            most = float(output.abs().max())
            require(
                most <= 1 + 1e-5,
                f"it drew values up to {most:.4g} once its weights were larger: pictures are in [-1, 1]. "
                "End with tanh, or clamp",
            )
            for parameter in net.parameters():
                parameter.mul_(2)


def multiples_of_stride(component: Component) -> None:
    """Any multiple of its stride, height and width apart."""
    net = untied(component)
    stride = net.stride if hasattr(net, "stride") else 1
    height, width = frame(net, component.side)
    for size in ((height, width), (width, height), (height + stride, height)):
        shown = batch(1, *size)
        try:
            with torch.no_grad():
                draw(net.eval(), (shown.masked, shown.mask))
        except Violation as error:
            text = f"it declares stride {stride}, so that {size[0]} x {size[1]} should do, but {error}"
            raise Violation(text) from error


def odd_sizes(component: Component) -> None:
    """Sizes that the stride does not divide, through the core's padding."""
    net = component.ready()
    if latent(net) is not None:
        raise NotApplicable("it draws from a latent")
    height, width = frame(net, component.side)
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
    """In eval mode a batch of one picture works."""
    net = component.ready().eval()
    with torch.no_grad():
        output = output_of(net, given(component, net, 1))
    require_finite(output, "the output of a batch of one")


def batch_mates(component: Component) -> None:
    """In eval mode an image's result does not depend on the others in its batch."""
    net = component.ready().eval()
    inputs = given(component, net, 3, 0)
    others = tuple(
        torch.cat([value[:1], other[1:]]) for value, other in zip(inputs, given(component, net, 3, 1), strict=True)
    )
    require_independent(lambda shown: output_of(net, shown), inputs, others)


def gradients_of_generator(component: Component) -> None:
    """Every trained parameter gets a gradient from some view, even where a gate starts at 0."""
    net = component.ready().train()
    stir(net)

    def total(seed: int) -> Tensor:
        views = draw(net, given(component, net, 4, seed))
        scales = [scale for view in views.values() for scale in view if scale.requires_grad]
        parts = [(scale * noise(tuple(scale.shape), seed)).sum() for scale in scales]
        return torch.stack(parts).sum() if parts else torch.zeros(())

    require_gradients(net, total)


def inputs_of_generator(component: Component) -> None:
    """Neither masked picture nor mask is written to, whatever the mode."""
    net = component.ready()
    for mode in (True, False):
        inputs = given(component, net.train(mode), 2)
        copies = [value.clone() for value in inputs]
        with torch.no_grad():
            draw(net, inputs)
        names = ("z",) if latent(net) is not None else ("masked", "mask")
        require_unchanged(zip(names, inputs, copies, strict=True), "forward")


def state_in_eval(component: Component) -> None:
    """Drawing in eval mode leaves the state_dict as it is."""
    net = component.ready().eval()
    require_state_kept(net, lambda: draw(net, given(component, net, 2)))


def state_of_generator(component: Component) -> None:
    """Saved as safetensors and loaded into another instance, it draws the same."""

    def run(net: nn.Module) -> list[Tensor]:
        return [scale for view in draw(net, given(component, net, 2)).values() for scale in view]

    require_same_state(component, run, lambda net: draw(net, given(component, net, 4)))


def meta_generator(component: Component) -> None:
    """Shapes on the meta device are those of the CPU."""
    real, net = component.ready(), component.on_meta()
    inputs = given(component, real, 2)
    found = draw(net, tuple(value.to("meta") for value in inputs))
    expected = draw(real, inputs)
    require_meta({name: found.get(name, ()) for name in expected}, expected)


def untied(component: Component) -> Any:
    net = component.ready()
    if latent(net) is not None:
        raise NotApplicable("it draws from a latent")
    if getattr(net, "size", None) is not None:
        raise NotApplicable(f"it is tied to {net.size} x {net.size}")
    return net


GENERATOR: dict[str, Check] = {
    "options typed": options_are_typed,
    "builds": builds,
    "draws pictures": draws_pictures,
    "output range": output_range,
    "multiples of stride": multiples_of_stride,
    "odd sizes": odd_sizes,
    "batch of one": batch_of_one,
    "independent of batch mates": batch_mates,
    "gradients reach every parameter": gradients_of_generator,
    "inputs unchanged": inputs_of_generator,
    "eval mode keeps state": state_in_eval,
    "state round-trips": state_of_generator,
    "meta device": meta_generator,
}
