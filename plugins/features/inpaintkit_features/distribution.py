"""Distances between the set of completed pictures and that of the true ones, in the features of a network: KID, FID."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.image.fid import FrechetInceptionDistance

from inpaintkit import InpaintkitError, Metric, Sample
from inpaintkit.runtime import to_float, to_uint8

from .backbones import Backbone


class Features(nn.Module):
    """One vector of features a picture: (B, 3, H, W) in [-1, 1] -> (B, ``num_features``) float32, on the CPU.

    The picture is rounded to 256 levels, as it would be saved, and scaled to ``size``; the features are averaged over
    height and width.
    """

    def __init__(
        self, backbone: str, layer: str, pretrained: Literal["hub", "package", "random"] | Path, size: int | None
    ):
        super().__init__()
        self.backbone = Backbone(backbone, [layer], pretrained)
        self.size = size
        (self.shape,) = self.backbone.shapes.values()
        one = torch.empty(1, *self.shape, device="meta")
        self.num_features = pooled(one, self.shape).shape[1]  # read by torchmetrics

    def forward(self, picture: Tensor) -> Tensor:
        picture = to_float(to_uint8(picture))
        if self.size:
            picture = F.interpolate(picture, (self.size, self.size), mode="bilinear", antialias=True).clamp(-1, 1)
        (features,) = self.backbone(picture)
        return pooled(features.float(), self.shape).cpu()


class SetDistance(Metric):
    """Base of the distances between two sets of features; subclasses add :meth:`add` and ``compute``.

    Args:
        backbone: a network of timm or torchvision, as in the perceptual loss.
        layer: its features, averaged over height and width.
        pretrained: ``hub``, ``package``, ``random``, or the path of a ``.safetensors`` file.
        size: the side that pictures are scaled to (bilinear, antialiased); null leaves them as they are.
        on: the view that is measured.
    """

    kind: ClassVar[str]
    higher_is_better = False
    min_images = 2
    hint: ClassVar[str] = ""  # what to do with fewer images

    def __init__(
        self,
        backbone: str = "torchvision/inception_v3",
        layer: str = "avgpool",
        pretrained: Literal["hub", "package", "random"] | Path = "hub",
        size: Annotated[int, Ge(32)] | None = 299,
        on: str = "completed",
    ) -> None:
        self.features = Features(backbone, layer, pretrained, size)
        self.on = on
        self.count = 0  # images seen
        source = self.features.backbone
        variant = [str(source.network), layer, *([str(size)] if size else []), *source.variant]
        variant += [on] if on != "completed" else []
        self.label = f"{self.kind}[{','.join(variant)}]"

    def setup(self, device: torch.device) -> None:
        """Reads the backbone's weights; a CheckpointError says what to fetch where they are missing."""
        self.features.to(device)
        self.features.backbone.setup()

    @torch.no_grad()
    def update(self, sample: Sample) -> None:
        self.add(sample.view(self.on), sample.image)
        self.count += len(sample.image)

    def add(self, drawn: Tensor, truth: Tensor) -> None:
        """Adds completed and true pictures, both (B, 3, H, W) in [-1, 1]."""
        raise TypeError(f"{type(self).__name__} does not define add(drawn, truth)")

    def require_images(self) -> None:
        if self.count < self.min_images:
            raise InpaintkitError(f"{self.label} needs at least {self.min_images} images, not {self.count}{self.hint}")


class KID(SetDistance):
    """Kernel distance, without bias for any number of images; 0 (or a little below) for equal distributions.

    Binkowski et al., "Demystifying MMD GANs", 2018, section 4: the squared maximum mean discrepancy under the kernel
    (x.y / d + 1)^3. Differs: of all the images at once, not a mean over random subsets; the expectation is the same.
    """

    kind = "kid"

    def setup(self, device: torch.device) -> None:
        super().setup(device)
        self._drawn: list[Tensor] = []
        self._true: list[Tensor] = []

    def add(self, drawn: Tensor, truth: Tensor) -> None:
        self._drawn.append(self.features(drawn))
        self._true.append(self.features(truth))

    def compute(self) -> float:
        """The distance; an InpaintkitError below two images."""
        self.require_images()
        return kernel_distance(torch.cat(self._drawn), torch.cat(self._true))


class FID(SetDistance):
    """Frechet distance between Gaussians fitted to the features; refused below 2000 images.

    Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017, eq. 6, computed by torchmetrics. Its bias
    depends on the number of images and on the method, so that with few of them it ranks wrongly; KID has none. Numbers
    compare within one backbone only: those of the literature are of another port of Inception.
    """

    kind = "fid"
    min_images = 2000  # below that the bias outweighs most differences between methods
    hint = ": the bias would exceed most differences; use kid"

    def setup(self, device: torch.device) -> None:
        super().setup(device)
        self._distance = FrechetInceptionDistance(feature=self.features)  # its sums stay on the CPU

    def add(self, drawn: Tensor, truth: Tensor) -> None:
        self._distance.update(drawn, real=False)
        self._distance.update(truth, real=True)

    def compute(self) -> float:
        """The distance; an InpaintkitError below 2000 images."""
        self.require_images()
        return float(self._distance.compute())


def kernel_distance(one: Tensor, other: Tensor, block: int = 4096) -> float:
    """Unbiased squared maximum mean discrepancy of (N, D) and (M, D) under (x.y / D + 1)^3; N and M at least 2."""
    n, m = len(one), len(other)
    within = (_kernel_sum(one, one, block) - _kernel_diagonal(one)) / (n * (n - 1))
    within_other = (_kernel_sum(other, other, block) - _kernel_diagonal(other)) / (m * (m - 1))
    return within + within_other - 2 * _kernel_sum(one, other, block) / (n * m)


def pooled(features: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Features averaged over height and width -> (B, D). ``shape``: of one square picture, without the batch."""
    if len(shape) == 3:  # (C, H, H) or (H, H, C): the two equal sides are height and width
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
