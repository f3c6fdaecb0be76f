"""The conformance kit passes what keeps the contract and fails what breaks it: one broken component a property."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import attrs
import pytest
import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

import inpaintkit
from inpaintkit import (
    AdversarialInputs,
    Batch,
    Discriminator,
    Generator,
    Loss,
    MaskSampler,
    Method,
    Metric,
    Objective,
    OptionError,
    Sample,
    hookimpl,
)
from inpaintkit.core.hookspecs import KINDS
from inpaintkit.testing import PROPERTIES, Case, conformance
from inpaintkit.testing.component import NotApplicable

pytest_plugins = ("pytester",)


def plugin_of(kind: str, factory: Any, name: str = "tried") -> ModuleType:
    """A plugin that brings one component."""
    module = ModuleType("a_plugin")
    module.inpaintkit_api = 1  # type: ignore[attr-defined]

    def hook(register: Any) -> None:
        register(name, factory)

    setattr(module, KINDS[kind], hookimpl(hook))
    return module


def cases_of(plugin: Any, **arguments: Any) -> dict[str, Case]:
    [mark] = conformance(plugin, **arguments).pytestmark  # type: ignore[attr-defined]
    return {each.id: each.values[0] for each in mark.args[1]}


def cases(kind: str, factory: Any, **arguments: Any) -> dict[str, Case]:
    """The cases of one component, by property."""
    found = cases_of(plugin_of(kind, factory), **{"size": 16, **arguments})
    return {name.partition(": ")[2]: case for name, case in found.items()}


# What keeps the contract: small, and different from the builtins.


class GoodGenerator(Generator):
    """Down by four and up again."""

    stride = 4
    make_norm: Callable[[int], nn.Module] = nn.BatchNorm2d

    def __init__(self, width: Annotated[int, Ge(1)] = 4) -> None:
        super().__init__()
        self.down = nn.Conv2d(4, width, 4, 4)
        self.norm = type(self).make_norm(width)
        self.up = nn.ConvTranspose2d(width, 3, 4, 4)

    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return torch.tanh(self.up(F.leaky_relu(self.norm(self.down(torch.cat([masked, mask], 1))))))


class TiedGenerator(GoodGenerator):
    """Draws 24 x 24 alone, in two scales, and a second view that starts out silent."""

    size = 24

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(3, 24, 24))
        self.gate = nn.Parameter(torch.zeros(()))
        self.silent = nn.Conv2d(3, 3, 1)

    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        whole = torch.tanh(self.up(self.norm(self.down(torch.cat([masked, mask], 1)))) + self.place)
        return {"output": (F.avg_pool2d(whole, 2), whole), "coarse": whole + self.gate * self.silent(whole)}


class LatentGenerator(Generator):
    """Draws from a latent."""

    latent_shape = (5,)
    size = 8

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 3 * 8 * 8)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.layer(z)).reshape(len(z), 3, 8, 8)


class NoisyGenerator(GoodGenerator):
    """Draws something else each time."""

    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return super().forward(masked, mask) * torch.rand_like(mask)


class GoodDiscriminator(Discriminator):
    """Patches, without batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(4, 4, 4, 4), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 1))

    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return self.layers(torch.cat([image, mask], 1))


class TiedDiscriminator(Discriminator):
    """One logit of 20 x 20 pictures, with batch norm."""

    size = 20

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(100, 1))

    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return self.layers(image).squeeze(1)


class GoodLoss(Loss):
    """Mean of the absolute difference in the hole."""

    def __init__(self, on: str = "output") -> None:
        super().__init__()
        self.on = on

    def forward(self, sample: Sample) -> Any:
        return ((sample.view(self.on).float() - sample.image).abs() * sample.mask).mean()


class GoodObjective(Objective):
    """Relativistic: scores are compared with one another."""

    def generator(self, inputs: AdversarialInputs) -> Any:
        real = inputs.score(inputs.real)
        return torch.stack([F.softplus(real - inputs.score(fake)).mean() for fake in inputs.fakes]).mean()

    def critic(self, inputs: AdversarialInputs) -> Any:
        real = inputs.score(inputs.real)
        gaps = [F.softplus(inputs.score(fake) - real).mean() for fake in inputs.fakes]
        return {"loss": torch.stack(gaps).mean(), "real": real.mean()}


@attrs.frozen
class GoodMasks(MaskSampler):
    """The columns from a random one on."""

    least: Annotated[int, Ge(0)] = 1

    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        start = torch.randint(self.least, size[1], (count, 1, 1, 1), generator=rng, device=rng.device)
        return (torch.arange(size[1], device=rng.device) >= start).float().expand(count, 1, *size)


@attrs.frozen
class SameMasks(MaskSampler):
    """The left column, always."""

    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        mask = torch.zeros(count, 1, *size, device=rng.device)
        mask[..., 0] = 1
        return mask


class GoodMetric(Metric):
    """Mean difference, image by image."""

    higher_is_better = False

    def __init__(self, region: Literal["hole", "whole"] = "hole") -> None:
        self.region, self.label = region, f"distance[{region},-1..1]"
        self.found: list[Tensor] = []

    def values(self, sample: Sample) -> Tensor:
        weight = sample.mask if self.region == "hole" else torch.ones_like(sample.mask)
        return ((sample.output - sample.image).abs() * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3))

    def update(self, sample: Sample) -> Any:
        self.found.append(self.values(sample))
        return self.found[-1]

    def compute(self) -> Any:
        return float(torch.cat(self.found).mean())


class SetMetric(Metric):
    """Of the set as a whole; needs its setup."""

    label = "spread[all]"
    higher_is_better = None

    def __init__(self) -> None:
        self.count = 0

    def setup(self, device: torch.device) -> None:
        self.sums = torch.zeros(2, device=device, dtype=torch.float64)

    def update(self, sample: Sample) -> None:
        flat = sample.output.double().flatten()
        self.sums += torch.stack([flat.sum(), flat.square().sum()])
        self.count += len(flat)

    def compute(self) -> float:
        mean, square = self.sums / self.count
        return float(square - mean**2)


class GoodMethod(Method):
    """A convolution that learns to be the identity in the first stage, a bias in the second."""

    training_only: ClassVar[tuple[str, ...]] = ("loss",)
    make_norm: Callable[[int], nn.Module] = nn.BatchNorm2d

    def __init__(self, loss: Loss | None = None, rate: float = 0.01) -> None:
        super().__init__()
        self.layer = nn.Conv2d(4, 3, 3, padding=1)
        self.bias = nn.Parameter(torch.zeros(3, 1, 1))
        self.norm = type(self).make_norm(4)
        self.loss = loss
        self.rate = rate
        self._optimizers: dict[str, torch.optim.Optimizer] = {}

    @property
    def steps(self) -> int:
        return 20

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        if not self._optimizers:
            self._optimizers["all"] = torch.optim.Adam(self.named_parameters(), lr=self.rate)
        return self._optimizers

    def trial_steps(self) -> dict[str, int]:
        return {"first": 0, "second": 10}

    def draw(self, masked: Tensor, mask: Tensor) -> Tensor:
        drawn: Tensor = self.layer(self.norm(torch.cat([masked, mask], 1)))
        return drawn + self.bias

    def total(self, batch: Batch, step: int) -> Tensor:
        masked = batch.masked + 0.1 * torch.rand_like(batch.image)
        drawn = self.draw(masked, batch.mask) if step < 10 else batch.masked + self.bias
        return self.loss(Sample.of(batch, drawn)) if self.loss else (drawn - batch.image).abs().mean()  # type: ignore[no-any-return]

    def training_step(self, batch: Batch, step: int) -> Any:
        [optimizer] = self.optimizers.values()
        optimizer.zero_grad()
        total = self.total(batch, step)
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return {"total": total.detach()}

    def inpaint(self, masked: Tensor, mask: Tensor) -> Any:
        return torch.tanh(self.draw(masked, mask))


class ClassicalMethod(Method):
    """Mean color; nothing to train; 8 x 8 alone."""

    @property
    def size(self) -> int:
        return 8

    def inpaint(self, masked: Tensor, mask: Tensor) -> Any:
        return masked.mean((2, 3), keepdim=True).expand_as(masked)


class RandomMethod(Method):
    """One random color a picture."""

    randomness = "always"

    def inpaint(self, masked: Tensor, mask: Tensor, *, rng: torch.Generator | None = None) -> Any:
        return torch.rand(len(masked), 3, 1, 1, generator=rng).expand_as(masked)


GOOD = [
    ("generator", GoodGenerator, {}),
    ("generator", TiedGenerator, {"multiples of stride"}),
    ("generator", LatentGenerator, {"multiples of stride", "odd sizes"}),
    ("generator", NoisyGenerator, {}),
    ("discriminator", GoodDiscriminator, {}),
    ("discriminator", TiedDiscriminator, {"double backward"}),
    ("loss", GoodLoss, {}),
    ("objective", GoodObjective, {}),
    ("mask sampler", GoodMasks, {}),
    ("mask sampler", SameMasks, {}),
    ("metric", GoodMetric, {}),
    ("metric", SetMetric, {"a value for each image"}),
    ("method", GoodMethod, {"draws from rng"}),
    ("method", RandomMethod, {"trains", "training repeats", "resumes", "meta device"}),
    ("method", ClassicalMethod, {"draws from rng", "trains", "training repeats", "resumes", "meta device"}),
]


@pytest.mark.parametrize(("kind", "factory", "skipped"), GOOD, ids=[each[1].__name__ for each in GOOD])
def test_passes_what_keeps_the_contract(kind: str, factory: Any, skipped: set[str], tmp_path: Path) -> None:
    found = cases(kind, factory)
    assert list(found) == ["registers", *PROPERTIES[kind]]
    inapplicable = set()
    for name, case in found.items():
        folder = tmp_path / name
        folder.mkdir()
        try:
            case.run(folder)
        except NotApplicable:
            inapplicable.add(name)
    assert inapplicable == set(skipped)


# What breaks it.


class DrawsList(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return [super().forward(masked, mask)]


class DrawsNoOutput(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return {"picture": super().forward(masked, mask)}


class DrawsHalf(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return F.avg_pool2d(super().forward(masked, mask), 2)


class DrawsFineFirst(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        whole = super().forward(masked, mask)
        return {"output": whole, "scales": (whole, F.avg_pool2d(whole, 2))}


class DrawsNaN(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return super().forward(masked, mask) / mask


class TakesNoMask(GoodGenerator):
    def forward(self, masked: Tensor) -> Any:  # type: ignore[override]
        return masked


class LatentWithoutSize(LatentGenerator):
    size = None  # type: ignore[assignment]


class LatentOfOtherSize(LatentGenerator):
    size = 16


class Unbounded(GoodGenerator):
    """Small values at first, since its weights are small; nothing holds them back later."""

    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return 0.01 * self.up(self.norm(self.down(torch.cat([masked, mask], 1))))


class WrongStride(GoodGenerator):
    stride = 2


class FractionalStride(GoodGenerator):
    stride = 4.0  # type: ignore[assignment]


class TakesEights(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        if masked.shape[-1] % 8:
            raise ValueError("widths are divisible by 8 here")
        return super().forward(masked, mask)


class Squeezes(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return super().forward(masked, mask).squeeze(0)


class LooksAround(GoodGenerator):
    """Batch norm without running statistics."""

    make_norm = staticmethod(lambda width: nn.BatchNorm2d(width, track_running_stats=False))


class Spare(GoodGenerator):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Conv2d(3, 3, 1)


class Detaches(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return super().forward(masked, mask).detach()


class WritesInput(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return super().forward(masked.mul_(2), mask)


class Counts(GoodGenerator):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        self.calls += 1
        return super().forward(masked, mask)


class HidesState(GoodGenerator):
    def __init__(self) -> None:
        super().__init__()
        self.offset = torch.randn(3, 1, 1)  # no buffer

    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return (super().forward(masked, mask) + self.offset).clamp(-1, 1)


class AsksForValues(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return super().forward(masked, mask) if mask.mean().item() < 2 else masked


class StaysOnCPU(GoodGenerator):
    def forward(self, masked: Tensor, mask: Tensor) -> Any:
        return super().forward(masked, mask) * torch.ones(3, 1, 1, device="cpu")


class Probabilities(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return torch.sigmoid(super().forward(image, mask)).mean((1, 2, 3))


class OneForAll(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return super().forward(image, mask).mean()


class SilentlyTied(GoodDiscriminator):
    def __init__(self) -> None:
        super().__init__()
        self.layers.append(nn.Flatten())
        self.layers.append(nn.Linear(25, 1))


class OneByOne(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return super().forward(image, mask).squeeze().mean((1, 2))


class Compares(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        scores = super().forward(image, mask)
        return scores - scores.mean(0)


class SpareScore(GoodDiscriminator):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Conv2d(3, 3, 1)


class Blind(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return super().forward(image.detach(), mask)


class _Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 2 * ctx.saved_tensors[0] * gradient  # type: ignore[no-any-return]


class Once(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return super().forward(_Once.apply(image), mask)


class WritesPicture(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        mask.fill_(0)
        return super().forward(image, mask)


class CountsScores(GoodDiscriminator):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, image: Tensor, mask: Tensor) -> Any:
        self.calls += 1
        return super().forward(image, mask)


class HidesScale(GoodDiscriminator):
    def __init__(self) -> None:
        super().__init__()
        self.scale = float(torch.rand(()))

    def forward(self, image: Tensor, mask: Tensor) -> Any:
        return super().forward(image, mask) * self.scale


class CropsByValue(GoodDiscriminator):
    def forward(self, image: Tensor, mask: Tensor) -> Any:
        top = int(mask.flatten(2).argmax())
        return super().forward(image, mask) + 0 * top


class PerImage(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return (sample.output - sample.image).abs().mean((1, 2, 3))


class LowPrecision(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        flat = sample.output.flatten(1)
        return (flat @ flat.T).mean()


class OtherView(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return sample.view("attention").mean()


class FirstScale(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return (sample.views["output"] - sample.image).abs().mean()  # type: ignore[operator]


class DividesByHole(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return super().forward(sample) / sample.mask.mean()


class SteepAtZero(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return (sample.output - sample.image).square().sum((1, 2, 3)).sqrt().mean()


class Rounds(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return (sample.output.round() - sample.image).abs().mean()


class FirstImage(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return (sample.output[0] - sample.image[0]).abs().mean()


class WantsTruth(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        sample.image.requires_grad_()
        return super().forward(sample)


class WritesTruth(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        sample.image.clamp_(-0.5, 0.5)
        return super().forward(sample)


class OtherInTraining(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return super().forward(sample) * (2 if sample.output.requires_grad else 1)


class SumsBatch(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return super().forward(sample) * len(sample.image)


class Learns(GoodLoss):
    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Conv2d(3, 3, 1)

    def forward(self, sample: Sample) -> Any:
        return self.network(sample.output).square().mean()


class LossAsks(GoodLoss):
    def forward(self, sample: Sample) -> Any:
        return super().forward(sample) / max(sample.mask.mean().item(), 0.1)


class LogOfProbability(GoodObjective):
    def generator(self, inputs: AdversarialInputs) -> Any:
        return -torch.log(torch.sigmoid(inputs.score(inputs.fakes[0]))).mean()


class SteepPenalty(GoodObjective):
    """The root of a gradient that may be 0."""

    def critic(self, inputs: AdversarialInputs) -> Any:
        point = inputs.real.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(inputs.score(point).sum(), point, create_graph=True)
        penalty = (gradient.square().sum((1, 2, 3)).sqrt() - 1).square().mean()
        return {"loss": super().critic(inputs)["loss"] + penalty}


class NoLoss(GoodObjective):
    def critic(self, inputs: AdversarialInputs) -> Any:
        return super().critic(inputs)["loss"]


class ScoresInLogs(GoodObjective):
    def critic(self, inputs: AdversarialInputs) -> Any:
        return {**super().critic(inputs), "scores": inputs.score(inputs.real)}


class FirstFake(GoodObjective):
    def generator(self, inputs: AdversarialInputs) -> Any:
        return F.softplus(-inputs.score(inputs.fakes[0])).mean()


class CriticIdle(GoodObjective):
    def critic(self, inputs: AdversarialInputs) -> Any:
        return {"loss": super().critic(inputs)["loss"].detach()}


class LeavesGradient(GoodObjective):
    def critic(self, inputs: AdversarialInputs) -> Any:
        return {"loss": F.softplus(inputs.score(inputs.fakes[0].requires_grad_()) - inputs.score(inputs.real)).mean()}


class Flipped(GoodObjective):
    def generator(self, inputs: AdversarialInputs) -> Any:
        return -super().generator(inputs)


class FlippedCritic(GoodObjective):
    def critic(self, inputs: AdversarialInputs) -> Any:
        return {"loss": -super().critic(inputs)["loss"]}


class ObjectiveAsks(GoodObjective):
    def critic(self, inputs: AdversarialInputs) -> Any:
        values = super().critic(inputs)
        return {**values, "real": torch.tensor(values["real"].item())}


@attrs.frozen
class Soft(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return super().__call__(count, size, rng) * 0.5


@attrs.frozen
class Booleans(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return super().__call__(count, size, rng).bool()


@attrs.frozen
class NoChannel(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return super().__call__(count, size, rng)[:, 0]


@attrs.frozen
class Inverted(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return torch.zeros_like(super().__call__(count, size, rng))


class Remembers(MaskSampler):
    """Its holes wander."""

    calls = 0

    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        self.calls += 1
        return GoodMasks()(count, size, rng).roll(self.calls, -1)


@attrs.frozen
class OneForBatch(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return super().__call__(1, size, rng).expand(count, 1, *size)


@attrs.frozen
class IgnoresSeed(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        torch.rand(3, generator=rng)
        return super().__call__(count, size, torch.Generator().manual_seed(0))


@attrs.frozen
class GlobalTorch(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return super().__call__(count, size, rng) * (torch.rand(count, 1, 1, 1) < 2)


@attrs.frozen
class GlobalPython(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        random.random()
        return super().__call__(count, size, rng)


@attrs.frozen
class GlobalSeeds(GoodMasks):
    """Leaves the global generator alone, but starts from it."""

    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return super().__call__(count, size, torch.Generator().manual_seed(torch.initial_seed() % 997))


@attrs.frozen
class ForgetsDevice(GoodMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        return super().__call__(count, size, rng) * (torch.arange(size[1]) > 0)


@attrs.frozen
class LeavesDevice(SameMasks):
    def __call__(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Any:
        mask = torch.zeros(count, 1, *size)
        mask[..., 0] = 1
        return mask


class WrongDirection(GoodMetric):
    higher_is_better = True


class Infinite(GoodMetric):
    def compute(self) -> Any:
        return float("inf")


class NotOneNumber(GoodMetric):
    def compute(self) -> Any:
        return torch.cat(self.found)


class MeanOfMeans(GoodMetric):
    def update(self, sample: Sample) -> Any:
        self.found.append(self.values(sample).mean()[None])


class OtherMean(GoodMetric):
    def compute(self) -> Any:
        return float(torch.cat(self.found).median())


class ReturnsMean(GoodMetric):
    def update(self, sample: Sample) -> Any:
        return super().update(sample).mean()


class RelativeToBatch(GoodMetric):
    """Sorted values have the same mean."""

    def values(self, sample: Sample) -> Tensor:
        return super().values(sample).sort(descending=True).values


class ClampsSample(GoodMetric):
    def values(self, sample: Sample) -> Tensor:
        sample.output.clamp_(-0.5, 0.5)
        return super().values(sample)


class Unnamed(GoodMetric):
    def __init__(self, region: Literal["hole", "whole"] = "hole") -> None:
        super().__init__(region)
        self.label = "distance"


class OneNameForTwo(GoodMetric):
    def __init__(self, region: Literal["hole", "whole"] = "hole") -> None:
        super().__init__(region)
        self.label = "distance[-1..1]"


class OneNameForTwoViews(GoodMetric):
    def __init__(self, region: Literal["hole", "whole"] = "hole", on: str = "output") -> None:
        super().__init__(region)


class DrawsLarge(GoodMethod):
    def inpaint(self, masked: Tensor, mask: Tensor) -> Any:
        return 3 + super().inpaint(masked, mask)


class DrawsNothing(GoodMethod):
    def inpaint(self, masked: Tensor, mask: Tensor) -> Any:
        return {"output": super().inpaint(masked, mask)}


class WritesMask(GoodMethod):
    def inpaint(self, masked: Tensor, mask: Tensor) -> Any:
        return super().inpaint(masked, mask.zero_())


class EvenOnly(GoodMethod):
    def inpaint(self, masked: Tensor, mask: Tensor) -> Any:
        return F.interpolate(F.avg_pool2d(super().inpaint(masked, mask), 2), scale_factor=2)


class Widens(GoodMethod):
    def inpaint(self, masked: Tensor, mask: Tensor) -> Any:
        return super().inpaint(masked, mask.fill_(1))


class Peeks(GoodMethod):
    def preview(self, batch: Batch) -> Sample:
        return Sample.of(batch, batch.image * 0.9)


class Averages(GoodMethod):
    def inpaint(self, masked: Tensor, mask: Tensor) -> Any:
        drawn = super().inpaint(masked, mask)
        return (drawn + drawn.mean(0)) / 2


class NeverSteps(GoodMethod):
    def training_step(self, batch: Batch, step: int) -> Any:
        return {"total": self.total(batch, step).detach()}


class HoldsNothing(GoodMethod):
    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        if not self._optimizers:
            self._optimizers["all"] = torch.optim.Adam([("bias", self.bias)])
        return self._optimizers


class SpareInMethod(GoodMethod):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Conv2d(3, 3, 1)


class LogsVectors(GoodMethod):
    def training_step(self, batch: Batch, step: int) -> Any:
        return super().training_step(batch, step) | {"each": batch.image.mean((1, 2, 3))}


class SecondStageIdle(GoodMethod):
    def training_step(self, batch: Batch, step: int) -> Any:
        return super().training_step(batch, step) if step < 10 else {"total": batch.image.mean()}


class BreaksInSecond(GoodMethod):
    def training_step(self, batch: Batch, step: int) -> Any:
        return super().training_step(batch, step) if step < 10 else {}["no such term"]


class DrawsFromPython(GoodMethod):
    def total(self, batch: Batch, step: int) -> Tensor:
        return super().total(batch, step) * (1 + random.random())


class KeepsCounter(GoodMethod):
    """A learning rate that falls with every call, which no checkpoint knows."""

    calls = 0

    def training_step(self, batch: Batch, step: int) -> Any:
        self.calls += 1
        [optimizer] = self.optimizers.values()
        optimizer.param_groups[0]["lr"] = self.rate / self.calls
        return super().training_step(batch, step)


class ForgetsMoments(GoodMethod):
    """A second optimizer that nobody sees."""

    def training_step(self, batch: Batch, step: int) -> Any:
        logs = super().training_step(batch, step)
        if not hasattr(self, "moment"):
            self.moment = torch.zeros(3, 1, 1)
        self.moment += batch.image.mean((0, 2, 3)).reshape(3, 1, 1)
        with torch.no_grad():
            self.bias += self.moment
        return logs


class ScalesByHole(GoodMethod):
    """NaN where there is nothing to fill."""

    def inpaint(self, masked: Tensor, mask: Tensor) -> Any:
        share = mask.sum((2, 3), keepdim=True)
        return super().inpaint(masked, mask) * (share / share)


class NeedsHole(GoodMethod):
    """The box around the holes does not exist where there is none."""

    def inpaint(self, masked: Tensor, mask: Tensor) -> Any:
        assert mask.nonzero().amin(0)[1] == 0
        return super().inpaint(masked, mask)


class DrawsAnew(GoodMethod):
    """Draws from torch's global generator, whatever it is given."""

    randomness = "always"

    def inpaint(self, masked: Tensor, mask: Tensor, *, rng: torch.Generator | None = None) -> Any:
        return torch.rand_like(masked)


class DrawsTwice(GoodMethod):
    """Draws from what it is given, and moves torch's global generator as well."""

    randomness = "on request"

    def inpaint(self, masked: Tensor, mask: Tensor, *, rng: torch.Generator | None = None) -> Any:
        torch.rand(1)
        return torch.rand(masked.shape, generator=rng)


class ScalesByKnown(GoodMethod):
    """NaN where nothing is known."""

    def inpaint(self, masked: Tensor, mask: Tensor) -> Any:
        share = (1 - mask).sum((2, 3), keepdim=True)
        return super().inpaint(masked, mask) * (share / share)


class NeedsKnown(GoodMethod):
    """An error of torch's where nothing is known."""

    def inpaint(self, masked: Tensor, mask: Tensor) -> Any:
        assert (1 - mask).nonzero().amin(0)[1] == 0
        return super().inpaint(masked, mask)


class HidesColor(GoodMethod):
    def __init__(self, loss: Loss | None = None) -> None:
        super().__init__()
        self.color = float(torch.rand(()))

    def inpaint(self, masked: Tensor, mask: Tensor) -> Any:
        return super().inpaint(masked, mask) * self.color


class NeedsLoss(GoodMethod):
    """Cannot be built without what ``training_only`` leaves out."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(loss)


class MethodAsks(GoodMethod):
    def total(self, batch: Batch, step: int) -> Tensor:
        return super().total(batch, step) * max(1.0, batch.mask.mean().item())


def untyped(width=4) -> None:  # type: ignore[no-untyped-def]
    """Its option is not annotated."""


def refuses() -> None:
    """Does not build."""
    raise OptionError("never")


#: kind, property, what breaks it, and what the message says to its author.
BROKEN: list[tuple[str, str, Any, str]] = [
    *((kind, "options typed", untyped, "option 'width' is not annotated") for kind in KINDS),
    *((kind, "builds", refuses, "does not build: never") for kind in KINDS),
    ("generator", "draws pictures", DrawsList, "returned a list: return one picture, a tuple of its"),
    ("generator", "draws pictures", DrawsNoOutput, "returned views picture: 'output' must be among them"),
    ("generator", "draws pictures", DrawsHalf, r"output \(2, 3, 8, 12\) where \(2, 3, 16, 24\) is due"),
    ("generator", "draws pictures", DrawsFineFirst, "'scales' has scales of heights .16, 8.: coarse ones go first"),
    ("generator", "draws pictures", DrawsNaN, "view 'output' has .* NaN or infinite"),
    ("generator", "draws pictures", TakesNoMask, r"forward\(masked .*, mask .*\) raised TypeError: .* 3 were given"),
    ("generator", "draws pictures", LatentWithoutSize, "draws from a latent: declare the `size`"),
    ("generator", "draws pictures", LatentOfOtherSize, r"declares size 16 and draws pictures of \(8, 8\)"),
    ("generator", "draws pictures", FractionalStride, "declares stride = 4.0: a whole number"),
    ("generator", "output range", Unbounded, "drew values up to .* End with tanh, or clamp"),
    ("generator", "multiples of stride", WrongStride, "declares stride 2, so that 18 x 16 should do, but"),
    ("generator", "odd sizes", TakesEights, "filling a picture of 13 x 25 raised ValueError: widths are divisible"),
    ("generator", "batch of one", Squeezes, r"'output' is torch.float32 \(3, 16, 24\): floats for 1 images"),
    ("generator", "independent of batch mates", LooksAround, "Batch norm needs its running statistics"),
    ("generator", "gradients reach every parameter", Spare, "no gradient reaches spare.weight, spare.bias. Use them"),
    ("generator", "gradients reach every parameter", Detaches, "no parameter has a gradient; forward detaches"),
    ("generator", "inputs unchanged", WritesInput, "forward changes its input in place: masked"),
    ("generator", "eval mode keeps state", Counts, "eval mode changes calls"),
    ("generator", "state round-trips", HidesState, "same state_dict do not give the same result"),
    ("generator", "meta device", AsksForValues, "raised RuntimeError: .*meta"),
    ("generator", "meta device", StaysOnCPU, "raised RuntimeError: .*(meta|device)"),
    ("discriminator", "scores are logits", Probabilities, "scores end in sigmoid: return logits"),
    ("discriminator", "scores are logits", OneForAll, r"returned torch.float32 \(\): logits \(2, \*\) are due"),
    ("discriminator", "scores are logits", SilentlyTied, "let it say so in an attribute `size`"),
    ("discriminator", "batch of one", OneByOne, "raised IndexError"),
    ("discriminator", "independent of batch mates", Compares, "sums over the batch have no place in forward"),
    ("discriminator", "gradients reach every parameter", SpareScore, "no gradient reaches spare.weight, spare.bias"),
    ("discriminator", "gradient reaches the picture", Blind, "no generator can learn from its scores"),
    ("discriminator", "double backward", Once, "can be differentiated twice, raised RuntimeError"),
    ("discriminator", "inputs unchanged", WritesPicture, "forward changes its input in place: mask"),
    ("discriminator", "eval mode keeps state", CountsScores, "eval mode changes calls"),
    ("discriminator", "state round-trips", HidesScale, "same state_dict do not give the same result"),
    ("discriminator", "meta device", CropsByValue, "raised .*[Mm]eta"),
    ("loss", "scalar in float32", PerImage, r"returned \(2\): reduce it to a scalar"),
    ("loss", "scalar in float32", LowPrecision, "torch.bfloat16 under bfloat16 autocast: losses are summed in float32"),
    ("loss", "scalar in float32", OtherView, "no view 'attention' here.*options={'tried': {'on': 'output'}}"),
    ("loss", "scalar in float32", FirstScale, "raised TypeError"),
    ("loss", "finite", DividesByHole, "it is nan of pictures without a hole: guard divisions"),
    ("loss", "finite", SteepAtZero, "gradient where the output is the image has .* NaN"),
    ("loss", "gradient flows", Rounds, "its gradient does not reach any view"),
    ("loss", "gradient flows", FirstImage, "reaches only some images of a batch"),
    ("loss", "truth stays detached", WantsTruth, "turns on gradients of image"),
    ("loss", "truth stays detached", WritesTruth, "forward changes its input in place: image"),
    ("loss", "truth stays detached", OtherInTraining, "for the same sample detached"),
    ("loss", "mean over the batch", SumsBatch, "take the mean over the batch"),
    ("loss", "nothing to train", Learns, "parameters that no optimizer trains: network.weight"),
    ("loss", "meta device", LossAsks, "raised RuntimeError"),
    ("objective", "both sides finite", LogOfProbability, r"generator\(match\) is inf .* some thousands large: "),
    ("objective", "both sides finite", SteepPenalty, r"gradient of scores \(B,\), all 0 at the critic's .* NaN"),
    ("objective", "both sides finite", NoLoss, "returned Tensor: a dict with 'loss'"),
    ("objective", "both sides finite", ScoresInLogs, r"critic\(match\)\['scores'\] .* is no scalar tensor"),
    ("objective", "generator's gradient reaches the fakes", FirstFake, r"does not reach fakes\[1\]"),
    ("objective", "critic learns", CriticIdle, r"critic\(match\)\['loss'\] has no gradient"),
    ("objective", "critic's turn leaves no gradient", LeavesGradient, r"leaves a gradient on fakes\[0\]"),
    ("objective", "higher is real", Flipped, r"generator\(match\) moves scores the wrong way"),
    ("objective", "higher is real", FlippedCritic, r"critic\(match\)\['loss'\] moves scores the wrong way"),
    ("objective", "meta device", ObjectiveAsks, "on the meta device raised"),
    ("mask sampler", "binary", Soft, "masks hold 0.5: 1 in the hole, 0 elsewhere"),
    ("mask sampler", "binary", Booleans, "returned torch.bool: float32 is due"),
    ("mask sampler", "binary", NoChannel, r"returned \(1, 16, 32\) where \(1, 1, 16, 32\) is due"),
    ("mask sampler", "binary", Inverted, "hides nothing in 8 masks"),
    ("mask sampler", "seeded", Remembers, "the same seed gave other masks the second time"),
    ("mask sampler", "one mask per image", OneForBatch, "all 8 masks of a batch are the same"),
    ("mask sampler", "one mask per image", IgnoresSeed, "two seeds give the same masks"),
    ("mask sampler", "global generators untouched", GlobalTorch, "draws from torch's global generator"),
    ("mask sampler", "global generators untouched", GlobalPython, "draws from random's global generator"),
    ("mask sampler", "global generators untouched", GlobalSeeds, "masks depend on torch's global generator"),
    ("mask sampler", "on the generator's device", ForgetsDevice, "create every tensor with device=rng.device"),
    ("mask sampler", "on the generator's device", LeavesDevice, "masks are not on rng.device"),
    ("metric", "a number", WrongDirection, "says higher_is_better = True"),
    ("metric", "a number", Infinite, "is inf for ordinary pictures"),
    ("metric", "a number", NotOneNumber, r"compute\(\) returned a Tensor: a float is due"),
    ("metric", "any split into batches", MeanOfMeans, "not a mean of batches' means"),
    ("metric", "any split into batches", OtherMean, "return None when the metric is not the mean over images"),
    ("metric", "any split into batches", ReturnsMean, r"update returned \(\): the images' values \(6,\)"),
    ("metric", "a value for each image", RelativeToBatch, "depends on the other images of its batch"),
    ("metric", "inputs unchanged", ClampsSample, "update changes its input in place: output"),
    ("metric", "label states the variant", Unnamed, r"label 'distance': write name\[variant,range\]"),
    ("metric", "label states the variant", OneNameForTwo, "region='whole' and region='hole' have the same label"),
    ("metric", "label states the variant", OneNameForTwoViews, "on='completed' and on='output' have the same label"),
    ("method", "inpaints", DrawsLarge, r"inpaint drew values up to .*: pictures are in \[-1, 1\]"),
    ("method", "inpaints", DrawsNothing, "returned a dict, not a picture"),
    ("method", "inpaints", WritesMask, "inpaint changes its input in place: mask"),
    ("method", "odd sizes", EvenOnly, "filling a picture of 13 x 25 raised OptionError"),
    ("method", "known pixels bit-exact", Widens, "known pixels changed: does it write to masked or mask"),
    ("method", "hidden pixels unread", Peeks, r"preview\(batch\) draws something else when hidden pixels change"),
    ("method", "independent of batch mates", Averages, "when only the others of its batch change"),
    ("method", "unusual masks", ScalesByHole, "first of two masks is empty, what inpaint drew has .* NaN"),
    ("method", "unusual masks", NeedsHole, "where all masks are empty, inpaint.* raised IndexError"),
    ("method", "unusual masks", ScalesByKnown, r"mask is 1 everywhere\), what inpaint drew has .* NaN"),
    ("method", "unusual masks", NeedsKnown, r"1 everywhere\), inpaint raised IndexError.*raise InpaintkitError"),
    ("method", "draws from rng", DrawsAnew, "draws two pictures from two generators of one seed"),
    ("method", "draws from rng", DrawsTwice, "is given rng and draws from torch's global generator"),
    ("method", "trains", NeverSteps, "the step of stage 'first' changes no parameter"),
    ("method", "trains", HoldsNothing, "no optimizer holds layer.weight, layer.bias"),
    ("method", "trains", SpareInMethod, "no stage changes spare.weight, spare.bias"),
    ("method", "trains", LogsVectors, "stage 'first' logs 'each', which is no scalar"),
    ("method", "trains", SecondStageIdle, "the step of stage 'second' changes no parameter"),
    ("method", "trains", BreaksInSecond, r"training_step\(batch, 10\) of stage 'second' raised KeyError"),
    ("method", "training repeats", DrawsFromPython, "end in other weights: draw with torch's generators alone"),
    ("method", "resumes", KeepsCounter, "after a checkpoint training goes on otherwise"),
    ("method", "resumes", ForgetsMoments, "after a checkpoint training goes on otherwise"),
    ("method", "state round-trips", HidesColor, "the loaded method draws something else"),
    ("method", "meta device", MethodAsks, "stage 'first' and 'second': "),
]  # fmt: skip


IDS = [f"{kind} {name} {factory.__name__}" for kind, name, factory, _ in BROKEN]


@pytest.mark.parametrize(("kind", "name", "factory", "message"), BROKEN, ids=IDS)
def test_fails_what_breaks_it(kind: str, name: str, factory: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=f"(?s){kind} 'tried'.*{message}"):
        cases(kind, factory)[name].run(tmp_path)


def test_every_property_is_explained() -> None:
    unexplained = [(kind, name) for kind, named in PROPERTIES.items() for name in named if not named[name].__doc__]
    assert not unexplained


def test_every_property_has_something_that_breaks_it() -> None:
    elsewhere = {"augmentation", "observer"}  # in tests/testing
    found = {(kind, name) for kind, names in PROPERTIES.items() for name in names if kind not in elsewhere}
    assert found == {each[:2] for each in BROKEN}
    assert list(PROPERTIES) == list(KINDS)


def test_a_method_that_needs_what_loading_leaves_out(tmp_path: Path) -> None:
    found = cases("method", NeedsLoss, options={"tried": {"loss": "l1"}})
    found["trains"].run(tmp_path)
    with pytest.raises(AssertionError, match=r"cannot be loaded without loss .its training_only options."):
        found["state round-trips"].run(tmp_path)


def test_metrics_of_torchmetrics(tmp_path: Path) -> None:
    found = cases("metric", "torchmetrics.image:PeakSignalNoiseRatio", options={"tried": {"data_range": 1.0}})
    skipped = []
    for name, case in found.items():
        try:
            case.run(tmp_path)
        except NotApplicable:
            skipped.append(name)
    assert skipped == ["a value for each image"]


@pytest.mark.parametrize(("least", "runs"), [(9, True), (2000, False)])
def test_metrics_that_need_many_images(least: int, runs: bool, tmp_path: Path) -> None:
    class Many(SetMetric):
        """Refuses fewer."""

        min_images = least

        def compute(self) -> float:
            assert self.count >= least * 3 * 16 * 16
            return super().compute()

    case = cases("metric", Many)["any split into batches"]
    if runs:
        case.run(tmp_path)
    else:
        with pytest.raises(NotApplicable, match="needs at least 2000 images"):
            case.run(tmp_path)


# Options


class Documented(Loss):
    """Has one."""


@attrs.frozen
class Values:
    """Options of options."""

    weight: float = 1.0
    more: Mapping[str, Sequence[int]] | None = None


@attrs.frozen
class Loose:
    weight = attrs.field(default=1.0)  # type: ignore[var-annotated]


Name = TypeVar("Name")


def fine(
    a: int,
    b: Annotated[float, Ge(0)] = 1,
    c: Literal["x", "y"] = "x",
    d: Path | None = None,
    e: Sequence[str] | Mapping[str, float] = ("relu1",),
    f: Values | None = None,
    g: Loss | None = None,
    h: tuple[float, float] = (0.0, 1.0),
    i: Values = Values(),
    j: dict[str, Loss] | None = None,
) -> None:
    """All of it can be written in a recipe."""


def keywords(**options: int) -> None:
    """Hides them."""


def positional(*layers: str) -> None:
    """Hides them."""


def calls(make: Callable[[], int] = int) -> None:
    """Takes a function."""


def sets(names: set[str] = set()) -> None:  # noqa: B006
    """Takes a set."""


def kinds_of_number(precision: torch.dtype = torch.float32) -> None:
    """Takes a type."""


def any_module(network: nn.Module | None = None) -> None:
    """Takes what it does not name."""


def wrong_default(width: int = None) -> None:  # type: ignore[assignment]  # noqa: RUF013
    """Its default is no integer."""


def below_limit(width: Annotated[int, Ge(1)] = 0) -> None:
    """Its default is too small."""


def inside(values: list[Loose] | None = None) -> None:
    """Its options' options are not annotated."""


def unresolved(values: "NoSuchClass | None" = None) -> None:  # type: ignore[name-defined]  # noqa: F821, UP037
    """An annotation that names nothing."""


def undocumented(width: int = 1) -> None: ...


class Undocumented(GoodGenerator):
    def __init__(self, width: int = 1) -> None:
        super().__init__(width)


class LeavesOutNothing(GoodMethod):
    """Names an option that it does not have."""

    training_only = ("losses",)


class BareMethodOptions(Loss):
    """No options at all."""


@pytest.mark.parametrize("factory", [fine, BareMethodOptions], ids=lambda factory: factory.__name__)
def test_options_that_recipes_can_write(factory: Any, tmp_path: Path) -> None:
    cases("loss", factory)["options typed"].run(tmp_path)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (keywords, r"\*\*options hides options: write each one out"),
        (positional, r"\*layers hides options"),
        (calls, "option 'make' is annotated .*, for which a recipe cannot write a value"),
        (sets, "option 'names' is annotated .*, for which a recipe cannot write a value"),
        (kinds_of_number, "option 'precision'.*(cannot|hides)"),
        (any_module, "option 'network' is annotated Module, for which .* an interface .Generator"),
        (wrong_default, "option 'width': its default null is not what its annotation allows .integer."),
        (below_limit, "option 'width': its default 0 is not what its annotation allows .integer >= 1."),
        (inside, "option 'values': Loose.weight is not annotated"),
        (unresolved, "signature of unresolved cannot be read: .*NoSuchClass"),
        (undocumented, "no docstring of its own"),
        (Undocumented, "no docstring of its own"),
        (LeavesOutNothing, "training_only names 'losses', which is no option; it has loss, rate"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_options_that_recipes_cannot_write(factory: Any, message: str, tmp_path: Path) -> None:
    kind = "method" if factory is LeavesOutNothing else "loss"
    with pytest.raises(AssertionError, match=message):
        cases(kind, factory)["options typed"].run(tmp_path)


class Required(GoodLoss):
    """Has options that must be given."""

    def __init__(self, on: Literal["output", "completed"], path: Path, scale: Annotated[float, Ge(0)] = 1.0) -> None:
        super().__init__(on)
        assert path.exists()


def test_required_options_are_asked_for(tmp_path: Path) -> None:
    found = cases("loss", Required)
    with pytest.raises(AssertionError, match=r"options={'tried': {'on': 'output' or 'completed', 'path': path}}"):
        found["builds"].run(tmp_path)
    with pytest.raises(NotApplicable, match="does not build: see its case 'builds'"):
        found["finite"].run(tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"tried": lambda folder: {"on": "output", "path": folder}},
        {"loss/tried": lambda folder: {"on": "output", "path": str(folder)}},
        lambda folder: {"tried": {"on": "output", "path": folder}},
    ],
    ids=["by name", "by kind and name", "all at once"],
)
def test_options_from_files(options: Any, tmp_path: Path) -> None:
    found = cases("loss", Required, options=options)
    found["builds"].run(tmp_path)
    found["gradient flows"].run(tmp_path)


def test_options_are_checked_as_in_a_recipe(tmp_path: Path) -> None:
    found = cases("loss", Required, options={"tried": {"on": "ouput", "path": str(tmp_path), "skale": 1}})
    with pytest.raises(AssertionError, match=r"(?s)did you mean 'output'.*did you mean 'scale'|'scale'.*'output'"):
        found["builds"].run(tmp_path)


@pytest.mark.parametrize("kind", ["generator", "loss", "objective", "metric", "method", "mask sampler"])
def test_of_another_kind(kind: str, tmp_path: Path) -> None:
    def nothing() -> object:
        """Builds something else."""
        return object()

    with pytest.raises(
        AssertionError, match=f"{kind} 'tried'.*(not a torch.nn.Module|does not define|not an inpaintkit)"
    ):
        cases(kind, nothing)["builds"].run(tmp_path)


def test_setup_that_fails_is_told_once(tmp_path: Path) -> None:
    class NoWeights(GoodLoss):
        """Its weights are not there."""

        def setup(self) -> None:
            raise FileNotFoundError("no weights.safetensors")

    found = cases("loss", NoWeights)
    with pytest.raises(AssertionError, match=r"setup\(\) raised FileNotFoundError: no weights.safetensors"):
        found["builds"].run(tmp_path)
    with pytest.raises(NotApplicable, match="see its case 'builds'"):
        found["finite"].run(tmp_path)


# Plugins


def test_a_plugin_that_is_not_there(tmp_path: Path) -> None:
    found = cases_of("perceptual-fnc")
    assert list(found) == ["plugin/perceptual-fnc: registers"]
    with pytest.raises(AssertionError, match=r"no plugin 'perceptual-fnc' is installed, did you mean 'perceptual-fcn'"):
        found["plugin/perceptual-fnc: registers"].run(tmp_path)


def test_a_plugin_that_is_broken(tmp_path: Path) -> None:
    module = plugin_of("loss", GoodLoss)
    module.inpaintkit_api = 7  # type: ignore[attr-defined]
    found = cases_of(module, options={"tried": {}})
    assert list(found) == ["plugin/a_plugin: registers"]
    with pytest.raises(AssertionError, match=r"cannot be used: .*needs inpaintkit_api = 1"):
        found["plugin/a_plugin: registers"].run(tmp_path)


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    found = cases_of(plugin_of("loss", GoodLoss, "l1"), size=16)
    with pytest.raises(AssertionError, match="'l1' is claimed by"):
        found["plugin/a_plugin: registers"].run(tmp_path)
    found["loss/l1: gradient flows"].run(tmp_path)  # its own, not the builtin's


def test_a_component_that_cannot_be_imported(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"cannot be imported from no_such_module:Loss"):
        cases("loss", "no_such_module:Loss")["options typed"].run(tmp_path)


def test_options_and_reasons_name_components() -> None:
    with pytest.raises(OptionError) as caught:
        cases("loss", GoodLoss, options={"tired": {}}, without={"loss/tried": " ", "l2": "because"})
    messages = str(caught.value)
    assert "options names 'tired', which the plugin does not register, did you mean 'tried'?" in messages
    assert "without names 'l2', which the plugin does not register" in messages
    assert "without['loss/tried']: say why it is not tested" in messages
    with pytest.raises(OptionError, match="at least 16"):
        conformance("inpaintkit", size=8)


def test_without_says_why(tmp_path: Path) -> None:
    found = cases("loss", GoodLoss, without={"tried": "needs a licence"})
    assert list(found) == ["registers", "not tested"]
    with pytest.raises(NotApplicable, match="needs a licence"):
        found["not tested"].run(tmp_path)


def test_one_line_in_a_test_file(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        my_losses="""
        import torch
        from inpaintkit import Loss, hookimpl

        inpaintkit_api = 1

        @hookimpl
        def register_losses(register):
            register("good", "my_losses:Good")
            register("bad", "my_losses:Bad")

        class Good(Loss):
            "Mean distance."
            def forward(self, sample):
                return (sample.output - sample.image).abs().mean()

        class Bad(Good):
            "Fails in a line of its own."
            def forward(self, sample):
                return torch.ones(3) @ torch.ones(4)
        """,
        test_it="""
        import my_losses
        from inpaintkit.testing import conformance

        test_conformance = conformance(my_losses, size=16)
        """,
    )
    pytester.syspathinsert()
    random_state, threads = torch.get_rng_state(), torch.get_num_threads()
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-v")
    losses = len(PROPERTIES["loss"])
    failing = losses - 3  # options typed, builds and nothing to train do not call forward
    result.assert_outcomes(passed=1 + losses + 3, failed=failing)
    result.stdout.fnmatch_lines([r"test_it.py::test_conformance?plugin/my_losses: registers? PASSED*"])
    result.stdout.fnmatch_lines([r"test_it.py::test_conformance?loss/bad: gradient flows? FAILED*"])
    result.stdout.fnmatch_lines(["*return torch.ones(3) @ torch.ones(4)*"])  # where it failed, and
    result.stdout.fnmatch_lines(["E *loss 'bad' (my_losses:Bad): forward(sample) raised RuntimeError: *"])  # what
    assert torch.equal(random_state, torch.get_rng_state())
    assert threads == torch.get_num_threads()


def test_pytest_is_needed_by_the_kit_alone() -> None:
    package = Path(inpaintkit.__file__).parent
    using = [path for path in package.rglob("*.py") if re.search(r"^\s*(import|from) pytest", path.read_text(), re.M)]
    assert using == [package / "testing" / "__init__.py"]
    code = "import sys; sys.modules['pytest'] = None; import inpaintkit.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'inpaintkit[testing]'" in done.stderr
