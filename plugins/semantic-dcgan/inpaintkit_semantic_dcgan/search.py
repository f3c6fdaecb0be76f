"""The search for the latent whose picture fits the known pixels (Yeh et al. 2017, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import attrs
import torch
from annotated_types import Ge, Gt
from torch import Tensor
from torch.nn import functional as F

from inpaintkit import OptionError
from inpaintkit.nn import report_progress


@attrs.frozen
class Search:
    """How a latent is searched: what is minimized, and for how long.

    Args:
        steps: iterations of Adam; the latent is clamped to [-1, 1] after each.
        lr: Adam's rate.
        restarts: latents that are searched for each picture; the one with the lowest total is taken.
        norm: of the context loss: ``l2`` is the sum of W^2 (G(z) - y)^2, ``l1`` that of W |G(z) - y|.
        window: side of the window, odd; a known pixel is weighted by the part of its window that is hole. 0: every
            known pixel has weight 1.
        prior: weight of the sum of softplus(-logit) over critics (Yeh et al. 2017, eq. 5, in the form that does not
            saturate).
        consistency: the distance of critics' features between G(z) and the completed picture is weighed once, at the
            start, so that its gradient is this many times that of the context loss. 0: not used.
        patience: a picture's search ends early when none of its totals has fallen by 0.1 % in so many iterations.
            None: all ``steps`` are done.
        preview: iterations for the sample sheets and the validation of a training.
        compile: compiles the objective with ``torch.compile``: worth it on a GPU and for long searches.
    """

    steps: Annotated[int, Ge(1)] = 1500
    lr: Annotated[float, Gt(0)] = 0.01
    restarts: Annotated[int, Ge(1)] = 4
    norm: Literal["l1", "l2"] = "l2"
    window: Annotated[int, Ge(0)] = 7
    prior: Annotated[float, Ge(0)] = 0.003
    consistency: Annotated[float, Ge(0)] = 0.1
    patience: Annotated[int, Ge(1)] | None = None
    preview: Annotated[int, Ge(1)] = 100
    compile: bool = False

    def __attrs_post_init__(self) -> None:
        if self.window and (self.window % 2 == 0 or self.window == 1):
            text = f"window is {self.window}: use an odd side of at least 3, or 0 for no weighting"
            raise OptionError(text, ("window",))


@attrs.frozen(eq=False)
class Found:
    """What a search found.

    Attributes:
        z: (B, *latent), the best latent of each picture.
        total: (B,), its objective.
        steps: iterations done.
    """

    z: Tensor
    total: Tensor
    steps: int


def context_weights(mask: Tensor, window: int) -> Tensor:
    """The weight of each known pixel: the hole's share of the ``window`` around it (Yeh et al. 2017, eq. 3).

    0 in the hole, and where the window holds no hole. Pixels beyond the border of the picture do not count.

    Args:
        mask: (B, 1, H, W), 1 in the hole.
        window: an odd side; 0: every known pixel has weight 1.

    Returns:
        (B, 1, H, W), in [0, 1].
    """
    if not window:
        return 1 - mask
    share = F.avg_pool2d(mask, window, stride=1, padding=window // 2, count_include_pad=False)
    return (1 - mask) * share


def context_loss(drawn: Tensor, masked: Tensor, weights: Tensor, norm: str) -> Tensor:
    """The weighted difference of the known pixels, summed: (B,)."""
    difference = weights * (drawn - masked)
    return (difference.square() if norm == "l2" else difference.abs()).flatten(1).sum(1)


def feature_distance(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """The mean squared difference of each map, summed over maps: (B,)."""
    each = [(one - other).square().flatten(1).mean(1) for one, other in zip(found, wanted, strict=True)]
    return torch.stack(each).sum(0)


#: z (N, *latent) -> context, prior and consistency of each, (N,), unweighted.
Terms = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]


def search(terms: Terms, start: Tensor, how: Search) -> Found:
    """Minimizes context + prior + consistency from every latent of ``start``; the best one of each picture is kept.

    No picture's search depends on the others, and only the test of ``patience``, every tenth iteration, waits for the
    device.

    Args:
        terms: the three terms of some latents, in the order of ``start`` flattened over pictures and restarts.
        start: (B, restarts, *latent).
        how: the options.
    """
    count, restarts = start.shape[:2]
    z = start.flatten(0, 1).clone().requires_grad_()
    adam = torch.optim.Adam([z], lr=how.lr, fused=False)
    best, best_z = torch.full((len(z),), torch.inf, device=z.device), z.detach().clone()
    reference, since = best.clone(), torch.zeros(len(z), dtype=torch.long, device=z.device)
    frozen = torch.zeros(count, 1, dtype=torch.bool, device=z.device)
    scale = torch.zeros(len(z), device=z.device)
    done = 0

    def kept(total: Tensor) -> tuple[Tensor, Tensor]:
        """The best totals and their latents, after comparing those of ``z``."""
        better = (total.detach() < best) & ~frozen.expand(count, restarts).flatten()
        return (
            torch.where(better, total.detach(), best),
            torch.where(better.view(-1, *[1] * (z.ndim - 1)), z.detach(), best_z),
        )

    with torch.enable_grad():
        for at in range(how.steps):
            context, prior, consistency = terms(z)
            if at == 0 and how.consistency:
                scale = balanced(context, consistency, z, how.consistency, restarts)
            total = context + how.prior * prior + scale * consistency
            best, best_z = kept(total)
            (z.grad,) = torch.autograd.grad(total.sum(), z)
            adam.step()
            with torch.no_grad():
                z.clamp_(-1, 1)
            done = at + 1
            if how.patience is not None:
                fell = best < reference - 1e-3 * reference.abs()
                fell |= reference.isinf() & best.isfinite()
                reference = torch.where(fell, best, reference)
                since = torch.where(fell, 0, since + 1)
                frozen = frozen | (since >= how.patience).view(count, restarts).all(1, keepdim=True)
                if done % 10 == 0 and bool(frozen.all()):
                    break
            if done % 10 == 0:
                report_progress(done, how.steps)
        with torch.no_grad():
            context, prior, consistency = terms(z)
            best, best_z = kept(context + how.prior * prior + scale * consistency)
    report_progress(how.steps, how.steps)
    best = best.view(count, restarts)
    winner = best.argmin(1)
    each = torch.arange(count, device=z.device)
    return Found(best_z.view(start.shape)[each, winner], best[each, winner], done)


def balanced(context: Tensor, consistency: Tensor, z: Tensor, ratio: float, restarts: int) -> Tensor:
    """The weight that makes the gradient of ``consistency`` ``ratio`` times that of ``context``: (N,), one a picture.

    The norms are means over a picture's restarts, so that their totals can be compared. Where one of the gradients is 0
    (no hole, nothing known) the weight is 0.
    """
    norms = []
    for term in (context, consistency):
        (gradient,) = torch.autograd.grad(term.sum(), z, retain_graph=True)
        norms.append(gradient.flatten(1).norm(dim=1).view(-1, restarts).mean(1))
    weight = torch.where(norms[1] > 0, ratio * norms[0] / norms[1].clamp_min(1e-30), 0)
    return weight.repeat_interleave(restarts)
