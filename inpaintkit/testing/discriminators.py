"""Properties of discriminators."""

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
    pictures,
    require_finite,
    require_gradients,
    require_independent,
    require_meta,
    require_same_state,
    require_state_kept,
    require_unchanged,
    stir,
)

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
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


def shown_to(component: Component, net: nn.Module, count: int, *seed: int | str) -> tuple[Tensor, Tensor]:
    """Picture and mask for a discriminator, of the ``size`` that it says it is tied to."""
    side = getattr(net, "size", None) or component.side
    return pictures(count, side, side, *seed), holes(count, side, side)


def score(net: nn.Module, image: Tensor, mask: Tensor) -> Tensor:
    """The scores; fails unless they are (B, *)."""
    who = f"forward(image {shape(image)}, mask {shape(mask)})"
    tied = "" if getattr(net, "size", None) else "; if it is tied to one side, let it say so in an attribute `size`"
    with doing(who + tied):
        scores = net(image, mask)
    require(isinstance(scores, Tensor), f"{who} returned a {type(scores).__name__}, not a tensor of logits (B, *)")
    fine = scores.ndim >= 1 and len(scores) == len(image) and scores.numel() > 0 and scores.is_floating_point()
    require(fine, f"{who} returned {scores.dtype} {shape(scores)}: logits ({len(image)}, *) are due")
    return scores  # type: ignore[no-any-return]


def scores_are_logits(component: Component) -> None:
    """One finite set of unbounded scores for each image."""
    net = component.ready()
    for count in (2, 3):
        for mode in (True, False):
            scores = score(net.train(mode), *shown_to(component, net, count))
            require_finite(scores, "its scores")
            last = last_operation(scores)
            require(
                not last.startswith(("Sigmoid", "Softmax", "Tanh")),
                f"its scores end in {last.removesuffix('Backward0').lower()}: return logits, the "
                "objective knows what to do with them",
            )


def last_operation(scores: Tensor) -> str:
    """The last operation that made the values, not only reshaped or averaged them."""
    node: Any = scores.grad_fn
    while node is not None and node.name().startswith(RESHAPING) and node.next_functions:
        node = node.next_functions[0][0]
    return "" if node is None else str(node.name())


def one_scored(component: Component) -> None:
    """In eval mode a batch of one picture works."""
    net = component.ready().eval()
    with torch.no_grad():
        scores = score(net, *shown_to(component, net, 1))
    require_finite(scores, "the scores of a batch of one")


def scored_apart(component: Component) -> None:
    """In eval mode an image's scores do not depend on the others in its batch."""
    net = component.ready().eval()
    inputs, others = shown_to(component, net, 3, 0), shown_to(component, net, 3, 1)
    mixed = torch.cat([inputs[0][:1], others[0][1:]])
    require_independent(lambda shown: score(net, *shown), inputs, (mixed, inputs[1]))


def gradients_of_discriminator(component: Component) -> None:
    """Every trained parameter gets a gradient from the scores."""
    net = component.ready().train()
    stir(net)

    def total(seed: int) -> Tensor:
        scores = score(net, *shown_to(component, net, 4, seed))
        return (scores * noise(tuple(scores.shape), seed)).sum()

    require_gradients(net, total)


def gradient_at_picture(component: Component) -> None:
    """The scores have a gradient at the picture, for every image of the batch."""
    net = component.ready().train()
    stir(net)
    image, mask = shown_to(component, net, 3)
    image.requires_grad_()
    scores = score(net, image, mask)
    apart = torch.arange(1, scores.numel() + 1).reshape(scores.shape)  # batch norm would cancel equal weights
    with doing("backward() to the picture"):
        (scores * apart).sum().backward()  # type: ignore[no-untyped-call]
    reached = image.grad is not None and bool(image.grad.flatten(1).any(1).all())
    require(reached, "no gradient reaches the picture, so no generator can learn from its scores")
    assert image.grad is not None
    require_finite(image.grad, "the gradient at the picture")


def double_backward(component: Component) -> None:
    """A gradient penalty (WGAN-GP) can be minimized, unless there is batch norm, which it does not allow."""
    net = component.ready().train()
    if any(isinstance(module, BATCH_NORMS) for module in net.modules()):
        raise NotApplicable("it has batch norm, with which no gradient penalty goes (Gulrajani et al. 2017, section 4)")
    stir(net)
    image, mask = shown_to(component, net, 2, 0)
    fake = shown_to(component, net, 2, 1)[0]
    sample = Sample(image, mask, {"output": fake, "completed": fake})
    inputs = AdversarialInputs(lambda picture: score(net, picture, mask), image, (fake,), mask, sample)
    with doing(
        "differentiating the gradient penalty of wgan-gp, which needs operations that can be differentiated twice,"
    ):
        WGANGP().critic(inputs)["loss"].backward()  # type: ignore[no-untyped-call]
    for name, parameter in net.named_parameters():
        if parameter.grad is not None:
            require_finite(parameter.grad, f"the penalty's gradient at {name}")


def inputs_of_discriminator(component: Component) -> None:
    """Picture and mask are not modified, in either mode."""
    net = component.ready()
    for mode in (True, False):
        inputs = shown_to(component, net.train(mode), 2)
        copies = [value.clone() for value in inputs]
        with torch.no_grad():
            score(net, *inputs)
        require_unchanged(zip(("image", "mask"), inputs, copies, strict=True), "forward")


def scoring_keeps_state(component: Component) -> None:
    """Scoring in eval mode leaves the state_dict as it is."""
    net = component.ready().eval()
    require_state_kept(net, lambda: score(net, *shown_to(component, net, 2)))


def state_of_discriminator(component: Component) -> None:
    """Saved as safetensors and loaded into another instance, it scores the same."""
    require_same_state(
        component,
        lambda net: [score(net, *shown_to(component, net, 2))],
        lambda net: score(net, *shown_to(component, net, 4)),
    )


def meta_discriminator(component: Component) -> None:
    """Shapes on the meta device are those of the CPU."""
    real, net = component.ready(), component.on_meta()
    inputs = shown_to(component, real, 2)
    found = score(net, *(value.to("meta") for value in inputs))
    require_meta({"scores": (found,)}, {"scores": (score(real, *inputs),)})


DISCRIMINATOR: dict[str, Check] = {
    "options typed": options_are_typed,
    "builds": builds,
    "scores are logits": scores_are_logits,
    "batch of one": one_scored,
    "independent of batch mates": scored_apart,
    "gradients reach every parameter": gradients_of_discriminator,
    "gradient reaches the picture": gradient_at_picture,
    "double backward": double_backward,
    "inputs unchanged": inputs_of_discriminator,
    "eval mode keeps state": scoring_keeps_state,
    "state round-trips": state_of_discriminator,
    "meta device": meta_discriminator,
}
