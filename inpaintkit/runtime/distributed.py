"""Several processes as one: averages and shares, and what a single process does in their place.

Start with ``torchrun --nproc-per-node=N -m inpaintkit run ...``. The recipe's ``batch`` is the global one: draws are
made for all of it in every process, from the same seed, and each takes its share; N processes do what one would.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed as dist

from ..core.errors import InpaintkitError


def rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Joins the processes that ``torchrun`` started; does nothing otherwise."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def first_goes_first() -> Iterator[None]:
    """The first process does what stands inside before the others: they find what it has left on the disk."""
    if world() > 1 and rank():
        dist.barrier()
    try:
        yield
    finally:
        if world() > 1 and not rank():
            dist.barrier()


def from_first(make: Callable[[], str]) -> str:
    """What ``make`` returns in the first process, in all of them; the mistakes that it finds too."""
    if world() == 1:
        return make()
    told: list[str | None] = [None, None]
    if rank() == 0:
        try:
            told = [make(), None]
        except InpaintkitError as error:
            told = [None, str(error)]
    dist.broadcast_object_list(told, 0)
    value, mistake = told
    if value is None:
        raise InpaintkitError(mistake)
    return value


def share(count: int, rank: int, world: int) -> slice:
    """The part of a global batch of ``count`` that process ``rank`` of ``world`` works on.

    Raises:
        InpaintkitError: ``count`` cannot be shared equally (a mean of unequal means would not be the batch's mean).
    """
    if count % world:
        raise InpaintkitError(f"a batch of {count} cannot be shared equally by {world} processes")
    each = count // world
    return slice(rank * each, (rank + 1) * each)


def per_image(draw: Callable[[int], Tensor], count: int) -> Tensor:
    """``draw(n)`` gives one row an image: drawn for the global batch, this process's ``count`` rows of it.

    >>> per_image(torch.rand, 4).shape
    torch.Size([4])
    """
    everywhere = count * world()
    return draw(everywhere)[share(everywhere, rank(), world())]


def average(tensors: Iterable[Tensor]) -> None:
    """Replaces each tensor by its mean over the processes, in place."""
    if world() == 1:
        return
    for tensor in tensors:
        dist.all_reduce(tensor)
        tensor /= world()


def least(tensor: Tensor) -> None:
    """Replaces a tensor by its elementwise minimum over the processes, in place."""
    if world() > 1:
        dist.all_reduce(tensor, op=dist.ReduceOp.MIN)


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Averages the gradients where an optimizer is about to descend, in one message.

    Wrappers that hook the backward pass expect every parameter in every step and fail on stages that leave terms out.
    """
    if world() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return
    flat = torch.cat([gradient.reshape(-1).float() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= world()
    for gradient, mean in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))
