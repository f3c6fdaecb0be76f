"""The properties of discriminators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..components.objectives import WGANGP
from ..core.interfaces import AdversarialInputs, Sample
from .component import Check, Component, NotApplicable, doing, require, shape
from .options import builds, options_are_typed
from .pictures import (
    holes,
    noise,
    perturb,
    pictures,
    require_finite,
    require_gradients,
    require_independent,
    require_meta,
    require_same_state,
    require_state_kept,
    require_unchanged,
)

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
#: Names of operations that reshape or average scores, which may follow the last layer.
RESHAPING = (
    "View",
    "Unsafe",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Mean",
    "Select",
    "Slice",
    "Alias",
    "Permute",
    "Transpose",
)


def inputs_for(component: Component, net: nn.Module, count: int, *seed: int | str) -> tuple[Tensor, Tensor]:
    """Pictures and masks for a discriminator, of its ``size`` if it declares one."""
    side = getattr(net, "size", None) or component.side
    return pictures(count, side, side, *seed), holes(count, side, side)


def scores_of(net: nn.Module, image: Tensor, mask: Tensor) -> Tensor:
    """The scores of the pictures; fails unless they are floats (B, *)."""
    who = f"forward(image {shape(image)}, mask {shape(mask)})"
    hint = "" if getattr(net, "size", None) else "; if it takes pictures of one size only, declare an attribute `size`"
    with doing(who + hint):
        scores = net(image, mask)
    require(isinstance(scores, Tensor), f"{who} returned a {type(scores).__name__}, not a tensor of logits (B, *)")
    fine = scores.ndim >= 1 and len(scores) == len(image) and scores.numel() > 0 and scores.is_floating_point()
    require(fine, f"{who} returned {scores.dtype} {shape(scores)}, expected logits ({len(image)}, *)")
    return scores  # type: ignore[no-any-return]


def scores_are_logits(component: Component) -> None:
    """It returns finite, unbounded scores for each image."""
    net = component.ready()
    for count in (2, 3):
        for mode in (True, False):
            scores = scores_of(net.train(mode), *inputs_for(component, net, count))
            require_finite(scores, "its scores")
            last = last_operation(scores)
            require(
                not last.startswith(("Sigmoid", "Softmax", "Tanh")),
                f"its last operation is a {last.removesuffix('Backward0').lower()}: return logits, since "
                "objectives expect them",
            )


def last_operation(scores: Tensor) -> str:
    """The name of the last operation that does more than reshape or average the scores."""
    node: Any = scores.grad_fn
    while node is not None and node.name().startswith(RESHAPING) and node.next_functions:
        node = node.next_functions[0][0]
    return "" if node is None else str(node.name())


def batch_of_one(component: Component) -> None:
    """It takes a batch of one picture in eval mode."""
    net = component.ready().eval()
    with torch.no_grad():
        scores = scores_of(net, *inputs_for(component, net, 1))
    require_finite(scores, "the scores of a batch of one")


def independent_of_batch(component: Component) -> None:
    """In eval mode the scores of an image do not depend on the other images of the batch."""
    net = component.ready().eval()
    inputs, others = inputs_for(component, net, 3, 0), inputs_for(component, net, 3, 1)
    mixed = torch.cat([inputs[0][:1], others[0][1:]])
    require_independent(lambda shown: scores_of(net, *shown), inputs, (mixed, inputs[1]))


def gradients_reach_parameters(component: Component) -> None:
    """Every trainable parameter gets a gradient from the scores."""
    net = component.ready().train()
    perturb(net)

    def total(seed: int) -> Tensor:
        scores = scores_of(net, *inputs_for(component, net, 4, seed))
        return (scores * noise(tuple(scores.shape), seed)).sum()

    require_gradients(net, total)


def gradient_reaches_picture(component: Component) -> None:
    """The scores have a gradient with respect to every picture of the batch."""
    net = component.ready().train()
    perturb(net)
    image, mask = inputs_for(component, net, 3)
    image.requires_grad_()
    scores = scores_of(net, image, mask)
    weights = torch.arange(1, scores.numel() + 1).reshape(scores.shape)  # equal ones cancel under batch norm
    with doing("backward() to the picture"):
        (scores * weights).sum().backward()  # type: ignore[no-untyped-call]
    reached = image.grad is not None and bool(image.grad.flatten(1).any(1).all())
    require(reached, "no gradient reaches the picture: a generator cannot learn from its scores")
    assert image.grad is not None
    require_finite(image.grad, "the gradient at the picture")


def double_backward(component: Component) -> None:
    """A gradient penalty (WGAN-GP) can be minimized; does not apply to networks with batch norm."""
    net = component.ready().train()
    if any(isinstance(module, BATCH_NORMS) for module in net.modules()):
        raise NotApplicable("it has batch norm, which rules out a gradient penalty (Gulrajani et al. 2017, section 4)")
    perturb(net)
    image, mask = inputs_for(component, net, 2, 0)
    fake = inputs_for(component, net, 2, 1)[0]
    sample = Sample(image, mask, {"output": fake, "completed": fake})
    inputs = AdversarialInputs(lambda picture: scores_of(net, picture, mask), image, (fake,), mask, sample)
    with doing(
        "differentiating the gradient penalty of wgan-gp, which needs operations that can be differentiated twice,"
    ):
        WGANGP().critic(inputs)["loss"].backward()  # type: ignore[no-untyped-call]
    for name, parameter in net.named_parameters():
        if parameter.grad is not None:
            require_finite(parameter.grad, f"the penalty's gradient at {name}")


def inputs_unchanged(component: Component) -> None:
    """``forward`` does not modify its inputs, in training and eval mode."""
    net = component.ready()
    for mode in (True, False):
        inputs = inputs_for(component, net.train(mode), 2)
        copies = [value.clone() for value in inputs]
        with torch.no_grad():
            scores_of(net, *inputs)
        require_unchanged(zip(("image", "mask"), inputs, copies, strict=True), "forward")


def eval_mode_keeps_state(component: Component) -> None:
    """``forward`` in eval mode does not modify the state_dict."""
    net = component.ready().eval()
    require_state_kept(net, lambda: scores_of(net, *inputs_for(component, net, 2)))


def state_round_trips(component: Component) -> None:
    """Another instance that loads its state_dict from safetensors gives the same scores."""
    require_same_state(
        component,
        lambda net: [scores_of(net, *inputs_for(component, net, 2))],
        lambda net: scores_of(net, *inputs_for(component, net, 4)),
    )


def meta_device(component: Component) -> None:
    """It runs on the meta device and returns the same shapes as on the CPU."""
    real, net = component.ready(), component.on_meta()
    inputs = inputs_for(component, real, 2)
    found = scores_of(net, *(value.to("meta") for value in inputs))
    require_meta({"scores": (found,)}, {"scores": (scores_of(real, *inputs),)})


DISCRIMINATOR: dict[str, Check] = {
    "options typed": options_are_typed,
    "builds": builds,
    "scores are logits": scores_are_logits,
    "batch of one": batch_of_one,
    "independent of the batch": independent_of_batch,
    "gradients reach every parameter": gradients_reach_parameters,
    "gradient reaches the picture": gradient_reaches_picture,
    "double backward": double_backward,
    "inputs unchanged": inputs_unchanged,
    "eval mode keeps state": eval_mode_keeps_state,
    "state round-trips": state_round_trips,
    "meta device": meta_device,
}
