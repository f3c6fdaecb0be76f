"""Two paths through one training step (Zhao and Zhao 2020, section 3.1); a hole is filled by the generation path."""

from __future__ import annotations

from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from inpaintkit import Adversarial, Batch, Generator, OptionError, Sample, TrainingOptions

from .generator import DualPathGenerator


class DualPath(Adversarial):
    """The ``adversarial`` training step with another path beside the generator, which sees the hidden pixels.

    The generation path, the generator, sees the masked picture alone and draws the view ``output``. The reconstruction
    path encodes the complement, the pixels inside the hole, and draws the whole picture from the latents of both: the
    view ``reconstruction``, in as many scales. What the paths share is the latent and the features of the masked
    picture, so that the reconstruction path teaches the generation path's encoder. One step trains both; only the
    generation path is loaded to fill holes.

    Args:
        generator: the generation path, ``dual-path``.
        stages: what happens when.
        losses: terms, by the names that stages weigh; ``on: reconstruction`` is the reconstruction path's.
        critics: terms that learn, by the names that stages weigh.
        optimizer: of both paths.
        ema: keeps an average of the generation path, and fills holes with it; see ``adversarial``.
        clip: the largest norm of both paths' gradient together.
        accumulate: in how many equal parts a batch goes through, to save memory.
        log_gradients: logs the norm of every term's gradient at the raw output of the generation path.
        reconstruction: trains a reconstruction path beside it, of the generator's own options.
        sampling: a hole is filled from noise, another way each time, instead of from one z for all.
    """

    training_only: ClassVar[tuple[str, ...]] = (*Adversarial.training_only, "reconstruction")

    def __init__(
        self,
        generator: Generator,
        *,
        reconstruction: bool = False,
        sampling: bool = False,
        **training: Unpack[TrainingOptions],
    ) -> None:
        if not isinstance(generator, DualPathGenerator):
            raise OptionError(f"two paths need the generator dual-path, not {type(generator).__name__}", ("generator",))
        super().__init__(generator, **training)
        terms = {place[-1]: term for place, term in self.terms().items()}
        readers = [name for name, term in terms.items() if any("reconstruction" in of for of in term.views.values())]
        if readers and not reconstruction:
            text = (
                f"{', '.join(readers)}: the view 'reconstruction' is drawn only where this is true; set it, or leave "
            )
            raise OptionError(text + "out what reads it, and the weights", ("reconstruction",))
        if reconstruction and self.stages and not readers:
            text = "no loss and no critic reads the view 'reconstruction': nothing would train that path, leave it out"
            raise OptionError(text, ("reconstruction",))
        self.reconstruction = generator.twin() if reconstruction else None
        self.randomness = "always" if sampling else "on request"

    @property
    def networks(self) -> list[nn.Module]:
        """Encoders, decoders and critics: what :meth:`sample` calls, so that compiling has an effect."""
        paths = [path for path in (self.generator, self.reconstruction) if isinstance(path, DualPathGenerator)]
        parts = [part for path in paths for part in (path.encoder, path.decoder)]
        return [*parts, *(network for network in super().networks if network not in paths)]

    def sample(self, batch: Batch) -> Sample:
        """The views ``output`` and, with a reconstruction path, ``reconstruction``; hidden pixels reach only that."""
        generation, reconstruction = self.generator, self.reconstruction
        if reconstruction is None:
            return super().sample(batch)
        assert isinstance(generation, DualPathGenerator)  # the constructor takes no other
        features, latent = generation.encode(batch.masked)
        views = {"output": generation.draw(features, latent, batch.mask)}
        _, complement = reconstruction.encode(batch.image * batch.mask)
        views["reconstruction"] = reconstruction.draw(features, latent, batch.mask, complement)
        return Sample.of(batch, views)

    def inpaint(self, masked: Tensor, mask: Tensor, *, rng: torch.Generator | None = None) -> Tensor:
        if rng is None and self.randomness != "always":
            return super().inpaint(masked, mask)
        path = self.averaged or self.generator
        assert isinstance(path, DualPathGenerator)
        features, latent = path.encode(masked)
        return path.draw(features, latent, mask, path.noise(latent, rng))[-1]
