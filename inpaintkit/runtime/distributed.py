"""Training in several processes: collectives, each process's share of a batch, and their single-process fallbacks.

Start with ``torchrun --nproc-per-node=N -m inpaintkit run ...``. The recipe's ``batch`` is the global one: draws are
made for all of it in every process, from the same seed, and each keeps its share: N processes compute what one does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed as dist

from ..core.errors import InpaintkitError


def rank() -> int:
    return dist.get_rank() if world() > 1 else 0


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
def rank0_first() -> Iterator[None]:
    """Rank 0 runs the block before the others, which then find what it has written to the disk."""
    if world() > 1 and rank():
        dist.barrier()
    try:
        yield
    finally:
        if world() > 1 and not rank():
            dist.barrier()


def broadcast_from_rank0(make: Callable[[], str]) -> str:
    """Calls ``make`` in rank 0; every process returns its result, or raises its InpaintkitError."""
    if world() == 1:
        return make()
    message: list[str | None] = [None, None]  # result, error
    if rank() == 0:
        try:
            message = [make(), None]
        except InpaintkitError as error:
            message = [None, str(error)]
    dist.broadcast_object_list(message, 0)
    result, error_text = message
    if result is None:
        raise InpaintkitError(error_text)
    return result


def share(count: int) -> slice:
    """The part of a global batch of ``count`` that belongs to this process.

    Raises:
        InpaintkitError: ``count`` is not divisible (the mean of unequal parts' means would not be the batch's mean).
    """
    if count % world():
        raise InpaintkitError(f"a batch of {count} cannot be shared equally by {world()} processes")
    each = count // world()
    return slice(rank() * each, (rank() + 1) * each)


def per_image(draw: Callable[[int], Tensor], count: int) -> Tensor:
    """Calls ``draw(n)``, which returns one row per image, for the global batch; returns this process's ``count`` rows.

    >>> per_image(torch.rand, 4).shape
    torch.Size([4])
    """
    everywhere = count * world()
    return draw(everywhere)[share(everywhere)]


def all_reduce_mean(tensor: Tensor) -> None:
    """Replaces a tensor by its mean over the processes, in place."""
    if world() > 1:
        dist.all_reduce(tensor)
        tensor /= world()


def all_reduce_min(tensor: Tensor) -> None:
    """Replaces a tensor by its elementwise minimum over the processes, in place."""
    if world() > 1:
        dist.all_reduce(tensor, op=dist.ReduceOp.MIN)


def all_reduce_max(number: int, device: torch.device) -> int:
    """The largest of the processes' numbers."""
    if world() == 1:
        return number
    largest = torch.tensor(number, device=device)
    dist.all_reduce(largest, op=dist.ReduceOp.MAX)
    return int(largest)


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Averages gradients over the processes in one message, before an optimizer's step.

    DistributedDataParallel is not used: it expects every parameter to get a gradient in every step, and stages leave
    terms out.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if world() == 1 or not gradients:
        return
    flat = torch.cat([gradient.reshape(-1).float() for gradient in gradients])
    all_reduce_mean(flat)
    for gradient, mean in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))
