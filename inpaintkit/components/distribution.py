"""Distances between the sets of completed and of true pictures, in the features of a network: KID and FID."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn import functional as F

from ..core.errors import InpaintkitError
from ..core.interfaces import Metric, Sample
from ..runtime import to_float, to_uint8
from .backbones import Backbone

FID_IMAGES = 2000  # below that FID's bias outweighs most differences between methods


class FeatureDistance(Metric):
    """Collects one vector of features of each completed and each true picture."""

    higher_is_better = False
    min_images = 2

    def __init__(
        self,
        kind: str,
        backbone: str,
        layer: str,
        pretrained: Literal["hub", "random"] | Path,
        size: int | None,
        on: str,
    ) -> None:
        self.backbone = Backbone(backbone, [layer], pretrained)
        self.size, self.on = size, on
        variant = [str(self.backbone.source), layer, *([str(size)] if size else []), *self.backbone.variant]
        variant += [on] if on != "completed" else []
        self.label = f"{kind}[{','.join(variant)}]"
        self._drawn: list[Tensor] = []
        self._true: list[Tensor] = []

    def setup(self, device: torch.device) -> None:
        """Reads the backbone's weights; says what to fetch when they are not there."""
        self.backbone.to(device).setup()

    @torch.no_grad()
    def update(self, sample: Sample) -> None:
        self._drawn.append(self._features(sample.view(self.on)))
        self._true.append(self._features(sample.image))

    def _features(self, picture: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, D): features of the picture as it would be saved, averaged over places."""
        picture = to_float(to_uint8(picture))
        if self.size:
            picture = F.interpolate(picture, (self.size, self.size), mode="bilinear", antialias=True).clamp(-1, 1)
        (features,) = self.backbone(picture)
        return pooled(features.float(), self.backbone.shapes[next(iter(self.backbone.layers))]).cpu()

    def _sets(self) -> tuple[Tensor, Tensor]:
        count = sum(len(part) for part in self._drawn)
        if count < self.min_images:
            raise InpaintkitError(f"{self.label} needs at least {self.min_images} images, not {count}{self._instead()}")
        return torch.cat(self._drawn), torch.cat(self._true)

    def _instead(self) -> str:
        return ""


class KID(FeatureDistance):
    """Kernel distance, without bias for any number of images; 0 (or a little below) for equal distributions.

    Binkowski et al., "Demystifying MMD GANs", 2018, section 4: the squared maximum mean discrepancy under the kernel
    (x.y / d + 1)^3. Differs: of all the images at once, not a mean over random subsets; the expectation is the same.

    Args:
        backbone: a network of timm or torchvision, as in the perceptual loss.
        layer: its features, averaged over places.
        pretrained: ``hub``, ``random``, or the path of a ``.safetensors`` file.
        size: the side that pictures are scaled to (bilinear, antialiased); null leaves them as they are.
        on: the view that is measured.
    """

    def __init__(
        self,
        backbone: str = "torchvision/inception_v3",
        layer: str = "avgpool",
        pretrained: Literal["hub", "random"] | Path = "hub",
        size: Annotated[int, Ge(32)] | None = 299,
        on: str = "completed",
    ) -> None:
        super().__init__("kid", backbone, layer, pretrained, size, on)

    def compute(self) -> float:
        """The distance; an InpaintkitError below two images."""
        return kernel_distance(*self._sets())


class FID(FeatureDistance):
    """Frechet distance between Gaussians fitted to the features; refused below 2000 images.

    Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017, eq. 6. Its bias depends on the number of images
    and on the method, so that with few of them it ranks wrongly; KID has none. Numbers compare within one backbone
    only: those of the literature are of another port of Inception.

    Args:
        backbone: a network of timm or torchvision, as in the perceptual loss.
        layer: its features, averaged over places.
        pretrained: ``hub``, ``random``, or the path of a ``.safetensors`` file.
        size: the side that pictures are scaled to (bilinear, antialiased); null leaves them as they are.
        on: the view that is measured.
    """

    min_images = FID_IMAGES

    def __init__(
        self,
        backbone: str = "torchvision/inception_v3",
        layer: str = "avgpool",
        pretrained: Literal["hub", "random"] | Path = "hub",
        size: Annotated[int, Ge(32)] | None = 299,
        on: str = "completed",
    ) -> None:
        super().__init__("fid", backbone, layer, pretrained, size, on)

    def compute(self) -> float:
        """The distance; an InpaintkitError below 2000 images."""
        return frechet_distance(*self._sets())

    def _instead(self) -> str:
        return ": its bias would drown the difference; use kid"


def kernel_distance(one: Tensor, other: Tensor, block: int = 4096) -> float:
    """Unbiased squared maximum mean discrepancy of (N, D) and (M, D) under (x.y / D + 1)^3; N and M at least 2."""
    n, m = len(one), len(other)
    within = (_kernel_sum(one, one, block) - _kernel_diagonal(one)) / (n * (n - 1))
    within_other = (_kernel_sum(other, other, block) - _kernel_diagonal(other)) / (m * (m - 1))
    return within + within_other - 2 * _kernel_sum(one, other, block) / (n * m)


def frechet_distance(one: Tensor, other: Tensor) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of the means and covariances of (N, D) and (M, D)."""
    one, other = one.double(), other.double()
    side = one.shape[1]
    c1, c2 = torch.cov(one.T).view(side, side), torch.cov(other.T).view(side, side)
    # (C1 C2)^(1/2) has the trace of (C1^(1/2) C2 C1^(1/2))^(1/2), which is symmetric: no complex roots to drop.
    values, vectors = torch.linalg.eigh(c1)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    shared = torch.linalg.eigvalsh(root @ c2 @ root).clamp(min=0).sqrt().sum()
    return float((one.mean(0) - other.mean(0)).square().sum() + c1.trace() + c2.trace() - 2 * shared)


def pooled(features: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Features averaged over their places -> (B, D). ``shape``: of one square picture, without the batch."""
    if len(shape) == 3:  # height and width were equal: (C, H, H) or (H, H, C)
        return features.mean((2, 3)) if shape[1] == shape[2] else features.mean((1, 2))
    return features.mean(1) if len(shape) == 2 else features  # (tokens, C), or (C,)


def _kernel_sum(one: Tensor, other: Tensor, block: int) -> float:
    """The sum over all pairs, in blocks: the matrix of fifty thousand pictures would not fit."""
    one, other = one.double(), other.double()
    pairs = product(torch.split(one, block), torch.split(other, block))
    return float(sum((a @ b.T / one.shape[1] + 1).pow(3).sum() for a, b in pairs))


def _kernel_diagonal(one: Tensor) -> float:
    one = one.double()
    return float((one.square().sum(1) / one.shape[1] + 1).pow(3).sum())
