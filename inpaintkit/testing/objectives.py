"""The properties of objectives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import listed
from ..core.interfaces import AdversarialInputs, Batch, Objective, Sample
from .component import Check, Component, doing, require, shape
from .options import builds, options_are_typed
from .pictures import batch, pictures, require_finite, require_unchanged


class Patches(nn.Module):
    """A small critic without batch norm: logits (B, 1, H/4, W/4), or (B,) when ``flat``."""

    def __init__(self, flat: bool, device: str = "cpu") -> None:
        super().__init__()
        self.flat = flat
        layers = nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 4, 2, 1))
        self.layers = layers.to(device)

    def forward(self, picture: Tensor) -> Tensor:
        scores: Tensor = self.layers(picture)
        return scores.flatten(1).mean(1) if self.flat else scores


def inputs_of(score: Callable[[Tensor], Tensor], fakes: int, with_grad: bool, device: str = "cpu") -> AdversarialInputs:
    """Inputs of noise; ``with_grad``: the fakes require gradients, as when the generator is updated."""
    shown = batch(3, 16, 16)
    moved = Batch(shown.image.to(device), shown.mask.to(device))
    made = (pictures(3, 16, 16, "fake", number).to(device).requires_grad_(with_grad) for number in range(fakes))
    drawn = tuple(made)
    return AdversarialInputs(score, moved.image, drawn, moved.mask, Sample.of(moved, {"output": drawn[0]}))


def generator_loss(objective: Objective, inputs: AdversarialInputs, what: str) -> Tensor:
    """The generator's loss; fails unless it is a scalar tensor. ``what`` describes the inputs in messages."""
    with doing(f"generator(inputs){what}"):
        value: Any = objective.generator(inputs)
    fine = isinstance(value, Tensor) and value.ndim == 0
    got = shape(value) if isinstance(value, Tensor) else type(value).__name__
    require(fine, f"generator(inputs){what} returned {got}, not a scalar tensor")
    return value  # type: ignore[no-any-return]


def critic_losses(objective: Objective, inputs: AdversarialInputs, what: str) -> dict[str, Tensor]:
    """The critic's loss and logs; fails unless they are scalar tensors. ``what`` describes the inputs in messages."""
    with doing(f"critic(inputs){what}"):
        values: Any = objective.critic(inputs)
    fine = isinstance(values, dict) and "loss" in values
    got = f"keys {', '.join(map(str, values)) or 'none'}" if isinstance(values, dict) else type(values).__name__
    require(fine, f"critic(inputs){what} returned {got}, expected a dict with 'loss', which the critic minimizes")
    for name, value in values.items():
        scalar = isinstance(value, Tensor) and value.ndim == 0
        require(scalar, f"critic(inputs)[{name!r}]{what} is not a scalar tensor")
    return values  # type: ignore[no-any-return]


def is_finite(component: Component) -> None:
    """Losses and gradients are finite: for scores of any shape, several fakes, a critic of zeros, and huge scores."""
    objective = component.ready()
    for flat, fakes, factor in ((False, 1, 1.0), (True, 2, 1.0), (True, 1, 0.0), (False, 1, 1e4)):
        net = Patches(flat)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.mul_(1.0 if factor else 0.0)

        def score(picture: Tensor, net: nn.Module = net, factor: float = factor) -> Tensor:
            return net(picture) * (factor or 1.0)  # type: ignore[no-any-return]

        what = " of scores (B,)" if flat else " of scores (B, 1, h, w)"
        what += {0.0: ", all 0", 1.0: "", 1e4: ", multiplied by 10,000"}[factor] + f", {fakes} fakes" * (fakes > 1)
        inputs = inputs_of(score, fakes, with_grad=True)
        value = generator_loss(objective, inputs, what)
        parts = critic_losses(objective, inputs_of(score, fakes, with_grad=False), what)
        named = {f"critic(inputs)[{key!r}]": part for key, part in parts.items()} | {"generator(inputs)": value}
        for name, each in named.items():
            fine = bool(each.isfinite()) and each.dtype == torch.float32
            require(fine, f"{name} is {each.item()} ({each.dtype}){what}: compute it in float32, on logits")
        for side in (value, parts["loss"]):
            net.zero_grad()
            if side.requires_grad:
                with doing(f"backward(){what}"):
                    side.backward()  # type: ignore[no-untyped-call]
            for name, parameter in net.named_parameters():
                if parameter.grad is not None:
                    require_finite(parameter.grad, f"the gradient{what} at the critic's {name}")


def gradient_reaches_fakes(component: Component) -> None:
    """The generator's loss has a gradient at every fake."""
    objective = component.ready()
    inputs = inputs_of(Patches(flat=False), 2, with_grad=True)
    value = generator_loss(objective, inputs, "")
    require(value.requires_grad, "generator(inputs) has no gradient: it detaches the fakes")
    with doing("generator(inputs).backward()"):
        value.backward()  # type: ignore[no-untyped-call]
    missed = [f"fakes[{n}]" for n, fake in enumerate(inputs.fakes) if fake.grad is None or not fake.grad.any()]
    require(not missed, f"generator(inputs) does not reach {listed(missed, 8)}: use every fake")


def critic_learns(component: Component) -> None:
    """The critic's loss has a gradient at its parameters."""
    objective, net = component.ready(), Patches(flat=True)
    loss = critic_losses(objective, inputs_of(net, 1, with_grad=False), "")["loss"]
    require(loss.requires_grad, "critic(inputs)['loss'] has no gradient: only the fakes may be detached")
    with doing("critic(inputs)['loss'].backward()"):
        loss.backward()  # type: ignore[no-untyped-call]
    weights = {name: each.grad for name, each in net.named_parameters() if name.endswith("weight")}
    missed = [name for name, gradient in weights.items() if gradient is None or not gradient.any()]
    require(not missed, f"critic(inputs)['loss'] gives the critic no gradient at {listed(missed, 8)}")


def leaves_no_gradient(component: Component) -> None:
    """The critic's loss leaves no gradient on the pictures and does not modify them."""
    objective = component.ready()
    inputs = inputs_of(Patches(flat=False), 2, with_grad=False)
    named = [("real", inputs.real), *((f"fakes[{number}]", fake) for number, fake in enumerate(inputs.fakes))]
    copies = [(name, picture, picture.clone()) for name, picture in named]
    loss = critic_losses(objective, inputs, "")["loss"]
    with doing("critic(inputs)['loss'].backward()"):
        loss.backward()  # type: ignore[no-untyped-call]
    require_unchanged(copies, "critic(inputs)")
    left = [name for name, picture in named if picture.requires_grad or picture.grad is not None]
    require(
        not left,
        f"critic(inputs) leaves a gradient on {listed(left, 8)}: compute a penalty at a "
        "detached copy, picture.detach().requires_grad_()",
    )


def higher_is_real(component: Component) -> None:
    """Starting from equal scores, the critic's loss falls if real pictures score higher than fakes, and the
    generator's loss falls if fakes score higher."""
    objective = component.ready()
    slope = torch.zeros((), requires_grad=True)

    def score(picture: Tensor) -> Tensor:
        return slope * picture.mean((1, 2, 3))

    real, fake = torch.full((2, 3, 16, 16), 0.5), torch.full((2, 3, 16, 16), -0.5)
    mask = torch.ones(2, 1, 16, 16)
    inputs = AdversarialInputs(score, real, (fake,), mask, Sample(real, mask, {"output": fake, "completed": fake}))
    for side, value, sign in (
        ("critic(inputs)['loss']", critic_losses(objective, inputs, "")["loss"], -1),
        ("generator(inputs)", generator_loss(objective, inputs, ""), 1),
    ):
        found = torch.autograd.grad(value, slope, allow_unused=True)[0] if value.requires_grad else None
        require(
            found is not None and float(found) * sign > 0,
            f"{side} changes the scores in the wrong direction, or not at all: a higher score means real",
        )


def meta_device(component: Component) -> None:
    """Both losses run on the meta device."""
    objective, net = component.on_meta(), Patches(flat=False, device="meta")
    values = critic_losses(objective, inputs_of(net, 1, False, "meta"), " on the meta device")
    value = generator_loss(objective, inputs_of(net, 1, True, "meta"), " on the meta device")
    meta = value.is_meta and all(each.is_meta for each in values.values())
    require(meta, "its losses are not on the meta device: create tensors on the device of the scores")


OBJECTIVE: dict[str, Check] = {
    "options typed": options_are_typed,
    "builds": builds,
    "finite": is_finite,
    "generator's gradient reaches the fakes": gradient_reaches_fakes,
    "critic learns": critic_learns,
    "critic's loss leaves no gradient": leaves_no_gradient,
    "higher is real": higher_is_real,
    "meta device": meta_device,
}
