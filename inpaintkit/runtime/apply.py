"""Calls a method on pictures of any height and width: pads to its stride, crops back, composites."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..core.errors import OptionError
from ..core.interfaces import Method, composite
from .seeds import generator


def inpaint_padded(method: Method, masked: Tensor, mask: Tensor, rng: torch.Generator | None = None) -> Tensor:
    """Completes a batch with a method, whatever its stride.

    Picture and mask are padded below and on the right by reflection to a multiple of ``method.stride``, so that no
    blank pixel is taken for a known one. The method runs in eval mode and without gradients (one that needs them opens
    ``torch.enable_grad()``); afterwards each module has the mode that it had.

    Args:
        masked: (B, 3, H, W) floats in [-1, 1]; pixels under the mask are set to 0.
        mask: (B, 1, H, W), 1 in the hole and 0 where the pixel is known.
        rng: what the method draws from; see :func:`random_numbers`.

    Returns:
        (B, 3, H, W) of the type of ``masked``: known pixels bit-exact, and in the hole what the method drew, neither
        clamped nor rounded; a NaN stays in the hole.

    Raises:
        OptionError: the shapes do not fit each other, the method is tied to another ``size``, or it did not return one
            picture for each that it was given.

    >>> class Gray(Method):
    ...     @property
    ...     def stride(self):
    ...         return 8
    ...     def inpaint(self, masked, mask):
    ...         print(tuple(masked.shape))
    ...         return torch.zeros_like(masked)
    >>> mask = torch.zeros(1, 1, 5, 9)
    >>> mask[..., 2, 3] = 1
    >>> inpaint_padded(Gray(), torch.ones(1, 3, 5, 9), mask)[0, 0, 2, :5]
    (1, 3, 8, 16)
    tensor([1., 1., 1., 0., 1.])
    """
    return composite(draw_padded(method, masked, mask, rng), masked, mask)


def draw_padded(method: Method, masked: Tensor, mask: Tensor, rng: torch.Generator | None = None) -> Tensor:
    """The output (B, 3, H, W) that :func:`inpaint_padded` composites with the known pixels."""
    if masked.ndim != 4 or masked.shape[1] != 3 or not masked.is_floating_point():
        raise OptionError(f"the pictures are floats (B, 3, H, W), not {masked.dtype} {tuple(masked.shape)}")
    count, _, height, width = masked.shape
    if mask.shape != (count, 1, height, width):
        need = (count, 1, height, width)
        raise OptionError(f"the mask is {tuple(mask.shape)}: pictures {tuple(masked.shape)} need {need}")
    size = method.size
    if size is not None and (height, width) != (size, size):
        raise OptionError(
            f"the method is tied to {size} x {size} and the pictures are {height} x {width}: "
            f"prepare them at {size}, or use inpaintkit.fill, which scales"
        )
    masked = masked.masked_fill(mask.bool(), 0)
    stride = 1 if size is not None else method.stride
    tall, wide = round_up(height, stride), round_up(width, stride)
    padded, padded_mask = (pad_by_reflection(each, tall, wide) for each in (masked, mask.to(masked.dtype)))
    with evaluating(method), torch.no_grad():
        inpaint: Callable[..., Tensor] = method.inpaint
        random = {} if rng is None or method.randomness == "none" else {"rng": rng}
        output = inpaint(padded, padded_mask, **random)
    if not isinstance(output, Tensor) or output.shape != padded.shape:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise OptionError(f"{type(method).__name__}.inpaint returned {got} where {tuple(padded.shape)} is needed")
    return output.detach()[..., :height, :width]


def random_numbers(
    method: Method, seed: int, device: torch.device | str, several: bool = False
) -> torch.Generator | None:
    """The generator that ``inpaint`` is to draw from; None for a method that does not draw at random.

    Args:
        several: several answers are asked for, so that methods with randomness ``"on request"`` draw at random, too.
    """
    if method.randomness == "always" or (several and method.randomness == "on request"):
        return generator(seed, device)
    return None


def round_up(length: int, stride: int) -> int:
    """The smallest multiple of ``stride`` that is not less than ``length``."""
    return -(-length // stride) * stride


def pad_by_reflection(picture: Tensor, height: int, width: int) -> Tensor:
    """Pads below and on the right to ``height`` x ``width``, by repeated reflection if the picture is small."""
    for axis, length in ((-2, height), (-1, width)):
        have = picture.shape[axis]
        if have < length:
            wave = torch.arange(length, device=picture.device) % max(2 * have - 2, 1)  # 0 1 2 3 2 1 0 1 2 ...
            picture = picture.index_select(axis, torch.minimum(wave, 2 * have - 2 - wave) if have > 1 else wave)
    return picture


@contextmanager
def evaluating(method: Method) -> Iterator[None]:
    """Eval mode inside the block; afterwards each module has the mode that it had before."""
    training = [module for module in method.modules() if module.training]
    method.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
