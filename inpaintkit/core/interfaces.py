"""The conventions of the whole package, stated once, and the interfaces that plugins implement.

- **image**: float ``(B, 3, H, W)`` in [-1, 1], RGB.
- **mask**: float ``(B, 1, H, W)``, 1 inside the hole and 0 where the pixel is known; binary.
- **masked**: ``image * (1 - mask)``, what a method is given; a hidden pixel is 0.
- **output**: what a generator returns, full frame; **completed**: the output inside the hole, the known pixels outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import attrs
import torch
from torch import Tensor, nn

from .hookspecs import KINDS
from .samples import Batch as Batch, Sample as Sample, Views as Views, composite as composite, finest as finest

#: How a method's ``inpaint`` draws random numbers. ``none``: it does not. ``always``: from ``rng``, a
#: ``torch.Generator`` on the device of the pictures, or from torch's global generator when ``rng`` is None.
#: ``on request``: only when it is given an ``rng``, that is when several answers to a hole are asked for.
Randomness = Literal["none", "on request", "always"]


@attrs.frozen(eq=False)
class AdversarialInputs:
    """What an adversarial objective is computed from.

    ``score(picture) -> logits (B, *)`` is the discriminator with the mask bound; ``fakes`` are the views that it takes
    for drawn ones. When the critic is updated, the pictures are detached from the generator.
    """

    score: Callable[[Tensor], Tensor]
    real: Tensor
    fakes: tuple[Tensor, ...]
    mask: Tensor
    sample: Sample


class Generator(nn.Module):
    """``forward(masked, mask) -> output``, or a mapping of named views with ``output`` among them.

    Any ``nn.Module`` with this ``forward`` serves; this base class only adds the declarations. ``stride``: height and
    width must be multiples of it (``fill`` pads). ``size``: the one side it can draw, if it is tied to one.
    ``coarse_to_fine``: it fills large holes in steps, so they may be larger than those of the training. A generator
    that draws pictures from latents instead, ``forward(z) -> output``, declares ``size`` and the shape of a latent.
    """

    stride: int = 1
    size: int | None = None
    coarse_to_fine: bool = False
    latent_shape: tuple[int, ...] | None = None


class Discriminator(nn.Module):
    """``forward(image, mask) -> scores``: unbounded logits ``(B, *)``, higher for real."""


class FeatureDiscriminator(Discriminator):
    """A discriminator whose feature maps can be compared as well as its scores."""

    def features(self, image: Tensor) -> Sequence[Tensor]:
        """The feature maps (B, C, h, w) of a picture, without a score."""
        raise TypeError(f"{type(self).__name__} does not define features(image)")

    def scores_and_features(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """What ``forward`` and :meth:`features` return, in one pass."""
        raise TypeError(f"{type(self).__name__} does not define scores_and_features(image, mask)")


class Loss(nn.Module):
    """``forward(sample) -> scalar``, in float32, differentiable where the sample is."""

    @property
    def views(self) -> Mapping[str, tuple[str, ...]]:
        """The names of the views that the loss reads, by the option that gives them, as in ``{"on": ("output",)}``."""
        return {}

    def forward(self, sample: Sample) -> Tensor:
        raise TypeError(f"{type(self).__name__} does not define forward(sample)")


class Objective(nn.Module):
    """An adversarial objective: a loss for the generator and one for the critic, computed from the same inputs."""

    def generator(self, inputs: AdversarialInputs) -> Tensor:
        """The scalar that the generator minimizes."""
        raise TypeError(f"{type(self).__name__} does not define generator(inputs)")

    def critic(self, inputs: AdversarialInputs) -> dict[str, Tensor]:
        """``{"loss": what the critic minimizes}``, and scalars worth logging beside it."""
        raise TypeError(f"{type(self).__name__} does not define critic(inputs)")


class MaskSampler:
    """``(count, (height, width), rng) -> masks`` (count, 1, H, W) float32, binary, 1 in the hole, on ``rng.device``.

    Each mask of the batch is its own draw, and the whole is a function of the generator's state alone.
    """

    added: ClassVar[tuple[str, ...]] = ()  # options added later: left out of a protocol's hash at their defaults

    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Tensor:
        raise TypeError(f"{type(self).__name__} does not define __call__(count, size, rng)")


class Metric:
    """``update(sample)`` over batches, then ``compute()``; the result does not depend on how batches are split.

    ``update`` returns the values of the images one by one, (B,), when the metric is their mean, and None when it
    belongs to the set as a whole. ``label`` names variant and range, as in ``ssim[gauss11,valid,rgb]``;
    ``min_images`` is the smallest set that it is defined for.
    """

    label: str = ""
    higher_is_better: bool | None = None
    min_images: int = 0

    def setup(self, device: torch.device) -> None:
        """Reads what the metric needs (a backbone's weights); called once, before the first update."""

    def update(self, sample: Sample) -> Tensor | None:
        raise TypeError(f"{type(self).__name__} does not define update(sample)")

    def compute(self) -> float:
        raise TypeError(f"{type(self).__name__} does not define compute()")


class Method(nn.Module):
    """The one thing that the training loop, ``evaluate`` and ``fill`` know.

    A method without training (a classical one) leaves ``steps`` at 0 and defines ``inpaint`` alone.
    """

    training_only: ClassVar[tuple[str, ...]] = ()  # options that `load` leaves out: no critic is built to fill a hole
    randomness: Randomness = "none"  # whether `inpaint` takes `rng`, and when it draws from it

    @property
    def steps(self) -> int:
        """How many training steps there are; 0 for a method that needs none."""
        return 0

    @property
    def stride(self) -> int:
        """Height and width that ``inpaint`` accepts are multiples of this."""
        return 1

    @property
    def size(self) -> int | None:
        """The one side that ``inpaint`` accepts, or None for any."""
        return None

    @property
    def coarse_to_fine(self) -> bool:
        """Whether holes may be larger than those of the training."""
        return False

    @property
    def optimizers(self) -> Mapping[str, torch.optim.Optimizer]:
        """By name, for checkpoints. Created at first access, after the module is on its device."""
        return {}

    @property
    def networks(self) -> list[nn.Module]:
        """The modules that ``run: {compile: true}`` compiles: those whose ``forward`` training calls."""
        return []

    def terms(self) -> Mapping[tuple[str, ...], Loss]:
        """The losses and critics, by their place in the options; ``check`` compares their views with ``sample``'s."""
        return {}

    def sample(self, batch: Batch) -> Sample:
        """Draws the views of a training step that the terms read."""
        raise TypeError(f"{type(self).__name__} does not define sample(batch)")

    def setup(self) -> None:
        """Reads pretrained weights; constructors do no I/O."""
        for module in self.modules():
            if module is not self and callable(setup := getattr(module, "setup", None)):
                setup()

    def training_step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """One step of training; returns scalars to log, still on the device."""
        raise TypeError(f"{type(self).__name__} is not trained: it has no training_step")

    def trial_steps(self) -> dict[str, int]:
        """The step of each stage that ``check`` tries, by name; it updates everything that the stage trains."""
        return {"training": 0} if self.steps else {}

    def describe(self, step: int) -> dict[str, float | str]:
        """What is known of a step beforehand, for the log: its ``stage``, learning rates."""
        return {}

    def preview(self, batch: Batch) -> Sample:
        """What sample sheets and validation use: the batch completed as ``inpaint`` does it, without gradients."""
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                return Sample.of(batch, self.inpaint(batch.masked, batch.mask))
        finally:
            self.train(was_training)

    def inpaint(self, masked: Tensor, mask: Tensor) -> Tensor:
        """``masked`` (B, 3, H, W) with 0 in the hole and ``mask`` (B, 1, H, W) -> raw output (B, 3, H, W) in [-1, 1].

        The caller has set eval mode and composites the result. A method whose ``randomness`` is ``"always"`` or
        ``"on request"`` defines ``inpaint(masked, mask, *, rng=None)``: see :data:`Randomness`.
        """
        raise TypeError(f"{type(self).__name__} does not define inpaint(masked, mask)")


class Augmentation(nn.Module):
    """``forward(pictures) -> pictures``: float (B, 3, H, W) in [0, 1], of the same dtype; the size may change.

    Each picture is changed on its own. All random numbers come from torch's global generators. Any ``nn.Module`` with
    this ``forward`` serves, such as those of ``kornia.augmentation``.
    """


class Observer:
    """Receives the events of a run, for example to pass them to an experiment tracker.

    ``started`` comes first and ``ended`` last. Training and evaluation start and end each on their own, and so does a
    run that is resumed: its folder says which run it is. Only the first process of a distributed run has observers. An
    exception is reported once and does not stop the run. The constructor opens nothing: ``started`` does.
    """

    def started(self, run_folder: Path, recipe: Mapping[str, Any]) -> None:
        """A training or an evaluation starts or goes on; ``recipe`` is the resolved recipe as plain values."""

    def logged(self, step: int, values: Mapping[str, float], words: Mapping[str, str]) -> None:
        """A line was written to the log: numbers by name, and words such as the name of the stage."""

    def evaluated(self, results: Mapping[str, Any]) -> None:
        """The results under one protocol, as in ``results.json``."""

    def ended(self, reason: str) -> None:
        """``finished``, ``stopped`` by a signal, or ``failed: ...`` with the error."""


#: The interfaces by kind: each is the class of that name, ``mask sampler`` is ``MaskSampler``.
INTERFACES: dict[str, Any] = {kind: globals()[kind.title().replace(" ", "")] for kind in KINDS}
