"""Adversarial objectives: non-saturating, least squares, hinge, and Wasserstein with gradient penalty.

Scores are unbounded logits (B, *), higher for real. The critic scores real and fake pictures as separate batches, so
that batch norm never mixes them; several fakes are averaged. All values are computed in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import attrs
import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn import functional as F

from ..core.config.checks import checked
from ..core.errors import OptionError
from ..core.interfaces import AdversarialInputs, Objective
from ..nn import autocast_off
from ..runtime import per_image


@attrs.frozen
class Smooth:
    """Label smoothing: each label is drawn from a range, for every image and every step.

    Only the critic's labels are smoothed, never the generator's. Salimans et al., "Improved Techniques for
    Training GANs", 2016, section 3.4, smooth the real side alone, which is the default when only ``real`` is given.

    Args:
        real: lowest and highest label of a real picture, within [0, 1].
        fake: lowest and highest label of a fake.
    """

    real: tuple[float, float] = (1.0, 1.0)
    fake: tuple[float, float] = (0.0, 0.0)

    def __attrs_post_init__(self) -> None:
        wrong = [
            OptionError(f"labels range over [low, high] with 0 <= low <= high <= 1, not [{low:g}, {high:g}]", (side,))
            for side, (low, high) in (("real", self.real), ("fake", self.fake))
            if not 0 <= low <= high <= 1
        ]
        if not wrong and self.fake[1] > self.real[0]:
            text = f"fake labels of up to {self.fake[1]:g} lie above real ones of {self.real[0]:g}"
            wrong.append(OptionError(text, ("fake",)))
        if wrong:
            raise OptionError.join(wrong)


class ScoreObjective(Objective):
    """Base of the objectives whose losses are means of functions of the scores; subclasses add the three functions."""

    def __init__(self) -> None:  # nn.Module's own takes any arguments
        super().__init__()

    def real_loss(self, score: Tensor) -> Tensor:
        """The critic's loss for the scores (B, *) of real pictures."""
        raise TypeError(f"{type(self).__name__} does not define real_loss(score)")

    def fake_loss(self, score: Tensor) -> Tensor:
        """The critic's loss for the scores (B, *) of generated pictures."""
        raise TypeError(f"{type(self).__name__} does not define fake_loss(score)")

    def generator_loss(self, score: Tensor) -> Tensor:
        """The generator's loss for the scores (B, *) of generated pictures."""
        raise TypeError(f"{type(self).__name__} does not define generator_loss(score)")

    def generator(self, inputs: AdversarialInputs) -> Tensor:
        return _mean([self.generator_loss(inputs.score(fake).float()) for fake in inputs.fakes])

    def critic(self, inputs: AdversarialInputs) -> dict[str, Tensor]:
        real = inputs.score(inputs.real).float()
        fakes = [inputs.score(fake).float() for fake in inputs.fakes]
        loss = self.real_loss(real) + _mean([self.fake_loss(fake) for fake in fakes])
        of_real, of_fakes = real.detach().mean(), _mean([fake.detach().mean() for fake in fakes])
        return {"loss": loss, "real": of_real, "fake": of_fakes, "gap": of_real - of_fakes}


class NonSaturating(ScoreObjective):
    """Goodfellow et al., "Generative Adversarial Nets", 2014, section 3; the generator's loss does not saturate.

    The critic minimizes 1/2 [BCE(D(x), real label) + BCE(D(fake), fake label)], the generator softplus(-D(fake)); both
    are computed from logits, which cannot overflow. The factor 1/2 (Isola et al., "Image-to-Image Translation with
    Conditional Adversarial Networks", 2017, section 3.3) makes no difference to Adam.

    Args:
        smooth: ranges of the critic's labels; by default the labels are 1 and 0.
    """

    def __init__(self, smooth: Smooth | None = None) -> None:
        super().__init__()
        self.smooth = smooth or Smooth()

    def real_loss(self, score: Tensor) -> Tensor:
        return 0.5 * F.binary_cross_entropy_with_logits(score, _labels(score, self.smooth.real))

    def fake_loss(self, score: Tensor) -> Tensor:
        return 0.5 * F.binary_cross_entropy_with_logits(score, _labels(score, self.smooth.fake))

    def generator_loss(self, score: Tensor) -> Tensor:
        return F.softplus(-score).mean()

    def extra_repr(self) -> str:
        return f"smooth={self.smooth}"


class LeastSquares(ScoreObjective):
    """Mao et al., "Least Squares Generative Adversarial Networks", 2017, eq. 9: a = 0, b = c = 1."""

    def real_loss(self, score: Tensor) -> Tensor:
        return 0.5 * (score - 1).square().mean()

    def fake_loss(self, score: Tensor) -> Tensor:
        return 0.5 * score.square().mean()

    def generator_loss(self, score: Tensor) -> Tensor:
        return 0.5 * (score - 1).square().mean()


class Hinge(ScoreObjective):
    """Lim and Ye, "Geometric GAN", 2017; Miyato et al., "Spectral Normalization", 2018, eqs. 16 and 17."""

    def real_loss(self, score: Tensor) -> Tensor:
        return F.relu(1 - score).mean()

    def fake_loss(self, score: Tensor) -> Tensor:
        return F.relu(1 + score).mean()

    def generator_loss(self, score: Tensor) -> Tensor:
        return -score.mean()


class WGANGP(ScoreObjective):
    """Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, eq. 3.

    The critic minimizes E D(fake) - E D(real) + penalty * E (|grad D(x^)| - 1)^2 with x^ = a x + (1 - a) fake and one
    a ~ U[0, 1] for each image; the generator minimizes -E D(fake). For a patch critic D is the mean of each image's
    map, so that the target norm 1 means the same for every map size. The critic must not use batch norm (section 4).

    Args:
        penalty: weight of the gradient penalty; at 0 the norms are logged but not penalized.
        region: ``hole`` penalizes the gradient in the hole only (Yu et al., "Generative Image Inpainting with
            Contextual Attention", 2018, section 3.2).
    """

    @checked
    def __init__(self, penalty: Annotated[float, Ge(0)] = 10.0, region: Literal["whole", "hole"] = "whole") -> None:
        super().__init__()
        self.penalty, self.region = penalty, region

    def real_loss(self, score: Tensor) -> Tensor:
        return -score.mean()

    def fake_loss(self, score: Tensor) -> Tensor:
        return score.mean()

    def generator_loss(self, score: Tensor) -> Tensor:
        return -per_image_score(score).mean()

    def critic(self, inputs: AdversarialInputs) -> dict[str, Tensor]:
        terms = super().critic(inputs)
        region = inputs.mask if self.region == "hole" else None
        penalized = self.penalty > 0
        norms = torch.stack(
            [gradient_norms(inputs.score, inputs.real, fake, region, penalized) for fake in inputs.fakes]
        )
        penalty = (norms - 1).square().mean()
        if penalized:
            terms["loss"] = terms["loss"] + self.penalty * penalty
        return {**terms, "penalty": penalty.detach(), "gradient_norm": norms.detach().mean()}

    def extra_repr(self) -> str:
        return f"penalty={self.penalty}, region={self.region}"


def gradient_norms(
    score: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    mask: Tensor | None = None,
    differentiable: bool = True,
) -> Tensor:
    """|grad of the mean score| at a random point between each real picture and its fake.

    Runs without torch.compile, which cannot differentiate twice, and in float32, because half precision overflows.

    Args:
        score: picture (B, C, H, W) -> logits (B, *).
        real, fake: (B, C, H, W).
        mask: (B, 1, H, W); the gradient is measured where it is 1.
        differentiable: whether the result can be differentiated by the critic's parameters (second derivatives).

    Returns:
        (B,), float32.
    """
    real, fake = real.detach().float(), fake.detach().float()
    alpha = per_image(lambda n: torch.rand(n, 1, 1, 1, device=real.device), len(real))
    point = (alpha * real + (1 - alpha) * fake).requires_grad_()
    with torch.compiler.set_stance("force_eager"), autocast_off(point.device):
        (gradient,) = torch.autograd.grad(per_image_score(score(point)).sum(), point, create_graph=differentiable)
        if mask is not None:
            gradient = gradient * mask
        # The square root has an infinite derivative at 0, which the gradient of an untrained critic can be.
        return (gradient.reshape(len(point), -1).square().sum(1) + 1e-12).sqrt()


def per_image_score(scores: Tensor) -> Tensor:
    """Logits (B, *) -> the mean of each image's map, (B,), float32."""
    return scores.float().reshape(len(scores), -1).mean(1)


def _labels(score: Tensor, between: tuple[float, float]) -> Tensor:
    """Labels of the shape of ``score`` (B, *): one for each image, shared by its patches."""
    low, high = between
    if low == high:
        return torch.full_like(score, low)
    shape = (1,) * (score.ndim - 1)
    drawn = per_image(lambda n: torch.rand(n, *shape, device=score.device), len(score))
    return (low + (high - low) * drawn).expand_as(score)


def _mean(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean()
