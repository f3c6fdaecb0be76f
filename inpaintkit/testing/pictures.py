"""Inputs for the tests of components, and checks that several kinds of networks share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..core.errors import listed
from ..core.interfaces import Batch
from ..runs import contiguous
from ..runtime import generator, round_up, seed_of
from .component import Component, NotApplicable, doing, require, seeded, shape


def noise(dimensions: tuple[int, ...], *seed: int | str) -> Tensor:
    """Uniform noise in [-1, 1]."""
    return torch.rand(dimensions, generator=generator(seed_of("noise", *seed))) * 2 - 1


def pictures(count: int, height: int, width: int, *seed: int | str) -> Tensor:
    """Pictures (B, 3, H, W) of uniform noise in [-1, 1]."""
    return noise((count, 3, height, width), *seed)


def holes(count: int, height: int, width: int) -> Tensor:
    """Masks (B, 1, H, W) with one rectangle each, of different sizes and at different places, none centered."""
    mask = torch.zeros(count, 1, height, width)
    for number in range(count):
        tall, wide = max(1, height // 4 + number % 3), max(1, width // 3 - number % 2)
        top, left = (1 + 3 * number) % max(1, height - tall), (2 + 5 * number) % max(1, width - wide)
        mask[number, :, top : top + tall, left : left + wide] = 1
    return mask


def batch(count: int, height: int, width: int, *seed: int | str) -> Batch:
    """A batch of noise with rectangular holes."""
    return Batch(pictures(count, height, width, *seed), holes(count, height, width))


def picture_size(made: Any, side: int) -> tuple[int, int]:
    """Height and width of test pictures for a generator or method.

    They are its ``size``, if it declares one, else different multiples of its ``stride`` near ``side``.
    """
    size, stride = getattr(made, "size", None), getattr(made, "stride", 1)
    for name, value in (("size", size), ("stride", stride)):
        fine = (name == "size" and value is None) or (type(value) is int and value >= 1)
        require(fine, f"it declares {name} = {value!r}: an integer of at least 1 is expected")
    if size is not None:
        return size, size
    side = round_up(side, stride)
    return side, side + round_up(8, stride)


@torch.no_grad()
def perturb(module: nn.Module) -> None:
    """Adds noise to every trainable parameter: one that starts at 0 (a gate, a last weight) blocks gradients."""
    rng = generator(seed_of("stir"))
    for parameter in module.parameters():
        if parameter.requires_grad:
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=rng))


def require_finite(tensor: Tensor, what: str) -> None:
    """``tensor`` has no NaN and no infinite value."""
    bad = int((~tensor.isfinite()).sum())
    require(not bad, f"{what} has {bad} of {tensor.numel()} values that are NaN or infinite")


def require_unchanged(named: Iterable[tuple[str, Tensor, Tensor]], who: str) -> None:
    """Each tensor equals its earlier copy; ``named`` holds (name, tensor, copy)."""
    changed = [name for name, now, before in named if not torch.equal(now, before)]
    require(
        not changed,
        f"{who} modifies its input in place: {listed(changed, 8)}. Other code uses the same tensors: modify a copy",
    )


def require_gradients(module: nn.Module, total: Callable[[int], Tensor]) -> None:
    """Every trainable parameter gets a gradient in at least one of three backward passes from ``total(seed)``."""
    trained = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    if not trained:
        raise NotApplicable("it has no trainable parameters")
    without: list[str] = []
    for seed in range(3):
        value = total(seed)
        require(value.requires_grad, "no parameter has a gradient: forward detaches its result")
        with doing("backward()"):
            value.backward()  # type: ignore[no-untyped-call]
        for name, parameter in trained:
            if parameter.grad is not None:
                require_finite(parameter.grad, f"the gradient of {name}")
        without = [name for name, parameter in trained if parameter.grad is None or not parameter.grad.any()]
        if not without:
            return
    require(
        False,
        f"no gradient reaches {listed(without, 8)}. Use them in forward without detach(), or do not "
        "make them trainable (register_buffer, requires_grad_(False))",
    )


def require_same_state(
    component: Component, run: Callable[[Any], Sequence[Tensor]], train: Callable[[Any], object]
) -> None:
    """A second instance that loads the ``state_dict`` of the first through safetensors gives the same results."""
    first, second = component.ready(1), component.ready(2)
    perturb(first)
    with seeded("train"):
        train(first.train())
    file = component.folder / "state.safetensors"
    with doing("saving its state_dict() as safetensors"):
        save_file(contiguous(first.state_dict()), file)
    with doing("load_state_dict() of another instance's state"):
        second.load_state_dict(load_file(file))
    results = []
    for module in (first, second):
        with seeded("compare"), torch.no_grad():
            results.append(run(module.eval()))
    require(
        all(torch.equal(one, other) for one, other in zip(*results, strict=True)),
        "two instances with the same state_dict give different results in eval mode: forward uses a value that "
        "is not in it. Store tensors and random numbers with register_buffer",
    )


def require_state_kept(module: nn.Module, run: Callable[[], object]) -> None:
    """A forward pass in eval mode does not modify the ``state_dict``."""
    module.eval()
    before = contiguous(module.state_dict())
    with torch.no_grad():
        run()
    changed = [name for name, value in module.state_dict().items() if not torch.equal(value.cpu(), before[name])]
    require(
        not changed,
        f"forward in eval mode modifies {listed(changed, 8)}, so results depend on earlier inputs. "
        "Update state only if self.training is set",
    )


def require_independent(
    run: Callable[[tuple[Tensor, ...]], Tensor],
    inputs: tuple[Tensor, ...],
    others: tuple[Tensor, ...],
) -> None:
    """The first image is the same in both batches, so its result must be the same."""
    results = []
    for shown in (inputs, others):
        with seeded("mates"), torch.no_grad():
            results.append(run(shown)[0])
    difference = float((results[0] - results[1]).abs().max())
    require(
        difference <= 1e-5 * max(1e-3, float(results[0].abs().max())),
        f"in eval mode the first image's result changes by {difference:.3g} when only the other images of the batch "
        "change. Let batch norm use its running statistics, and do not sum over the batch in forward",
    )


def require_meta(found: Mapping[str, tuple[Tensor, ...]], expected: Mapping[str, tuple[Tensor, ...]]) -> None:
    """The tensors are on the meta device and have the expected shapes."""
    for name, scales in expected.items():
        for scale in found[name]:
            require(scale.is_meta, f"{name} is not on the meta device: create tensors on the device of the input")
        shapes, wanted = [shape(scale) for scale in found[name]], [shape(scale) for scale in scales]
        require(shapes == wanted, f"{name} is {' '.join(shapes)} on the meta device, {' '.join(wanted)} on the CPU")
