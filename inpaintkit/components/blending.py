"""Poisson blending: fits what a method drew to the known pixels around the hole, so that no seam is left."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import torch
from torch import Tensor, nn

from ..core.errors import OptionError
from ..core.interfaces import Batch, Loss, Method, Sample, composite
from ..runtime import draw_padded
from .multigrid import harmonic_extension

TOLERANCE = 1e-6  # of the equations: far below a level of 8 bits


def poisson_blend(output: Tensor, masked: Tensor, mask: Tensor) -> Tensor:
    """Completes pictures with the gradients of ``output`` instead of its colors.

    In the hole u solves Poisson's equation, Laplace(u) = Laplace(output) with the four neighbors of each pixel; known
    pixels beside the hole are Dirichlet data, and Neumann's condition holds at the picture's border. So u has the
    gradients nearest to those of ``output``, across the seam too (Perez, Gangnet and Blake 2003, Poisson image editing,
    equation 4; Yeh et al. 2017, Semantic image inpainting with deep generative models, equation 6). It is
    ``output + h``, where h is the harmonic extension into the hole of ``masked - output`` beside it; a color cast of
    ``output`` cancels out.

    All pictures are solved at once by conjugate gradients with a multigrid preconditioner, in float32 (float64 if they
    are); the result does not depend on the batch, up to rounding. Values are clipped to [-1, 1].

    Args:
        output: (B, 3, H, W), the full frame: its pixels in the hole and beside it count.
        masked: (B, 3, H, W) in [-1, 1]; pixels under the mask are not read.
        mask: (B, 1, H, W), 1 in the hole.

    Returns:
        (B, 3, H, W) of the type of ``masked``, known pixels bit by bit. A picture without known pixels is ``output``
        unchanged. Where ``output`` is not finite in the hole or beside it, the channel is NaN in the hole.

    >>> masked = torch.tensor([0.0, 0.2, 0.0, 0.0, 0.5]).expand(1, 3, 1, 5)
    >>> mask = torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0]).expand(1, 1, 1, 5)
    >>> poisson_blend(torch.full((1, 3, 1, 5), -0.7), masked, mask)[0, 0, 0]
    tensor([0.0000, 0.2000, 0.3000, 0.4000, 0.5000])
    """
    if output.shape != masked.shape or mask.shape != (len(masked), 1, *masked.shape[2:]):
        shapes = ", ".join(str(tuple(each.shape)) for each in (output, masked, mask))
        raise OptionError(f"output and masked are (B, 3, H, W) and the mask is (B, 1, H, W), not {shapes}")
    hole = mask.bool()
    unknown = hole.flatten(1).all(1).view(-1, 1, 1, 1)
    kind = torch.promote_types(torch.promote_types(output.dtype, masked.dtype), torch.float32)
    drawn = output.detach().to(kind)
    misfit = (masked.to(kind) - drawn).masked_fill(hole, 0)
    fitted = drawn + harmonic_extension(misfit, hole & ~unknown, TOLERANCE)
    return composite(torch.where(unknown, drawn, fitted.clamp(-1, 1)), masked, mask)


class PoissonBlended(Method):
    """Another method, whose output is fitted to the known pixels beside the hole: see :func:`poisson_blend`.

    Everything but ``inpaint`` and ``preview`` is the other method's: it is trained as it would be alone. Pictures of
    any size are taken, unless the other method is tied to one: they are padded for it, and blended without the padding.

    Args:
        method: what draws.
    """

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method
        self.randomness = method.randomness

    @property
    def steps(self) -> int:
        return self.method.steps

    @property
    def size(self) -> int | None:
        return self.method.size

    @property
    def coarse_to_fine(self) -> bool:
        return self.method.coarse_to_fine

    @property
    def optimizers(self) -> Mapping[str, torch.optim.Optimizer]:
        return self.method.optimizers

    @property
    def networks(self) -> list[nn.Module]:
        return self.method.networks

    def terms(self) -> Mapping[tuple[str, ...], Loss]:
        return {("method", *place): term for place, term in self.method.terms().items()}

    def sample(self, batch: Batch) -> Sample:
        return self.method.sample(batch)

    def setup(self) -> None:
        self.method.setup()

    def training_step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        return self.method.training_step(batch, step)

    def trial_steps(self) -> dict[str, int]:
        return self.method.trial_steps()

    def describe(self, step: int) -> dict[str, float | str]:
        return self.method.describe(step)

    def preview(self, batch: Batch) -> Sample:
        """What the method shows, with its output blended in the view ``completed``."""
        sample = self.method.preview(batch)
        blended = poisson_blend(sample.output, batch.masked, batch.mask)
        return attrs.evolve(sample, views={**sample.views, "completed": blended})

    def inpaint(self, masked: Tensor, mask: Tensor, *, rng: torch.Generator | None = None) -> Tensor:
        return poisson_blend(draw_padded(self.method, masked, mask, rng), masked, mask)
