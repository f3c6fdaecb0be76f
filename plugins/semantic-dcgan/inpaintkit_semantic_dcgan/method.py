"""The method: adversarial training of a latent generator, and a search in its latent that completes pictures."""

from __future__ import annotations

from typing import ClassVar, Unpack

import attrs
import torch
from torch import Tensor
from torch.nn import functional as F

from inpaintkit import Adversarial, Batch, FeatureDiscriminator, Generator, OptionError, Sample, TrainingOptions
from inpaintkit.nn import evaluating, per_image

from .search import Search, Terms, context_loss, context_weights, feature_distance, search


class LatentSearch(Adversarial):
    """Trains any generator that draws from a latent, without masks; then completes a picture with the latent
    whose picture fits its known pixels and scores high with the critics (Yeh et al. 2017, section 3).

    The search minimizes, for each picture,

        context(G(z), y) + prior * sum over critics softplus(-D(G(z))) + weight * |phi(G(z)) - phi(completed)|^2

    where y holds the known pixels, phi are features of the critics' networks that are a ``FeatureDiscriminator``, and
    the completed picture carries no gradient. Networks are in eval mode; the hidden pixels are never read.

    Args:
        generator: with ``latent_shape``, and ``forward(z)``.
        stages, losses, critics, optimizer, ema, clip, accumulate, log_gradients: of the training, as in `adversarial`.
        search: of the latent.
    """

    training_only: ClassVar[tuple[str, ...]] = ("stages", "losses", "optimizer")  # the search uses the critics
    randomness = "always"  # where the searches begin

    def __init__(
        self,
        generator: Generator,
        *,
        search: Search | None = None,
        **training: Unpack[TrainingOptions],
    ) -> None:
        super().__init__(generator, **training)
        self.search = search or Search()
        wrong = []
        if not isinstance(generator, Generator) or generator.latent_shape is None:
            text = f"{type(generator).__name__} has no latent_shape: a generator that draws from a latent is needed"
            wrong.append(OptionError(text, ("generator",)))
        if self.search.prior and not self.critics:
            wrong.append(OptionError("prior: there is no critic; set it to 0", ("search", "prior")))
        featured = [critic for critic in self.critics.values() if isinstance(critic.net, FeatureDiscriminator)]
        if self.search.consistency and not featured:
            text = "consistency: no critic's network has features (is a FeatureDiscriminator); set it to 0"
            wrong.append(OptionError(text, ("search", "consistency")))
        if wrong:
            raise OptionError.join(wrong)

    def sample(self, batch: Batch) -> Sample:
        """Pictures of random latents, one for each picture of the batch, whose mask only tells where patches are."""
        z = per_image(lambda count: self.draw((count,), batch.image.device), len(batch.image))
        return Sample.of(batch, self.generator(z))

    def draw(self, shape: tuple[int, ...], device: torch.device, rng: torch.Generator | None = None) -> Tensor:
        """Latents (*shape, *latent), uniform on [-1, 1]."""
        latent = self.generator.latent_shape
        assert latent is not None  # the constructor takes no other generator
        return torch.rand(*shape, *latent, generator=rng, device=device) * 2 - 1

    def preview(self, batch: Batch) -> Sample:
        """The batch completed by a short search, and ``drawn``, pictures of random latents."""
        device = batch.image.device
        rng = torch.Generator(device).manual_seed(0)
        with evaluating(self), torch.no_grad():
            drawn = self.drawer(self.draw((len(batch.image),), device, rng))
            how = attrs.evolve(self.search, steps=self.search.preview, restarts=1)
            output = self.searched(batch.masked, batch.mask, how, rng)
            return Sample.of(batch, {"output": output, "drawn": drawn})

    @property
    def drawer(self) -> torch.nn.Module:
        return self.averaged or self.generator

    def inpaint(self, masked: Tensor, mask: Tensor, *, rng: torch.Generator | None = None) -> Tensor:
        return self.searched(masked, mask, self.search, rng)

    def searched(self, masked: Tensor, mask: Tensor, how: Search, rng: torch.Generator | None = None) -> Tensor:
        """The pictures (B, 3, H, W) of the latents that the search finds."""
        start = self.draw((len(masked), how.restarts), masked.device, rng)
        terms = self.search_terms(masked, mask, how)
        if how.compile:
            terms = torch.compile(terms)
        found = search(terms, start, how)
        return self.drawer(found.z).to(masked.dtype)  # type: ignore[no-any-return]

    def search_terms(self, masked: Tensor, mask: Tensor, how: Search) -> Terms:
        """The three terms of latents, (B * restarts, *latent), where those of one picture are consecutive."""
        y, hole = (given.repeat_interleave(how.restarts, 0) for given in (masked, mask))
        weights = context_weights(hole, how.window)
        critics = list(self.critics.values()) if how.prior or how.consistency else []
        drawer = self.drawer

        def terms(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            drawn = drawer(z).to(y.dtype)
            context = context_loss(drawn, y, weights, how.norm)
            prior, consistency = torch.zeros_like(context), torch.zeros_like(context)
            for critic in critics:
                net = critic.net
                if how.consistency and isinstance(net, FeatureDiscriminator):
                    logits, features = net.scores_and_features(drawn, hole)
                    with torch.no_grad():
                        wanted = net.features(torch.where(hole.bool(), drawn, y))
                    consistency = consistency + feature_distance(features, wanted)
                else:
                    logits = net(drawn, hole)
                prior = prior + F.softplus(-logits.float()).reshape(len(drawn), -1).mean(1)
            return context, prior, consistency.to(context.dtype)

        return terms
