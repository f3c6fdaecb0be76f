"""The kit on methods: what keeps the contract passes, and one that breaks it for each property."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inpaintkit import Batch, Loss, Method, Sample

from .toys import EVERY_KIND, broken_ids, cases, check_broken, check_good


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


GOOD: list[tuple[Any, set[str]]] = [
    (GoodMethod, {"draws from rng"}),
    (RandomMethod, {"trains", "training repeats", "resumes", "meta device"}),
    (ClassicalMethod, {"draws from rng", "trains", "training repeats", "resumes", "meta device"}),
]

BROKEN: list[tuple[str, Any, str]] = [
    *EVERY_KIND,
    ("inpaints", DrawsLarge, r"inpaint returned values up to .*: pictures are in \[-1, 1\]"),
    ("inpaints", DrawsNothing, "returned a dict, not a picture"),
    ("inpaints", WritesMask, "inpaint modifies its input in place: mask"),
    ("odd sizes", EvenOnly, "filling a picture of 13 x 25 raised OptionError"),
    ("known pixels bit-exact", Widens, "known pixels changed: work on copies of masked and mask"),
    ("hidden pixels ignored", Peeks, r"result of preview\(batch\) changes with hidden pixels"),
    ("independent of the batch", Averages, "when only the other images of the batch change"),
    ("unusual masks", ScalesByHole, "first of two masks is empty, the result of inpaint has .* NaN"),
    ("unusual masks", NeedsHole, "where all masks are empty, inpaint.* raised IndexError"),
    ("unusual masks", ScalesByKnown, r"masks are 1 everywhere\), the result of inpaint has .* NaN"),
    ("unusual masks", NeedsKnown, r"1 everywhere\), inpaint raised IndexError.*Raise an InpaintkitError"),
    ("draws from rng", DrawsAnew, "different pictures for two generators of the same seed"),
    ("draws from rng", DrawsTwice, "draws from the global generator of torch although rng is given"),
    ("trains", NeverSteps, "the step of stage 'first' changes no parameter"),
    ("trains", HoldsNothing, "no optimizer holds layer.weight, layer.bias"),
    ("trains", SpareInMethod, "no stage changes spare.weight, spare.bias"),
    ("trains", LogsVectors, "stage 'first' logs 'each', which is not a scalar"),
    ("trains", SecondStageIdle, "the step of stage 'second' changes no parameter"),
    ("trains", BreaksInSecond, r"training_step\(batch, 10\) of stage 'second' raised KeyError"),
    ("training repeats", DrawsFromPython, "give different weights: use no random numbers but torch's"),
    ("resumes", KeepsCounter, "training resumed from a checkpoint gives different weights"),
    ("resumes", ForgetsMoments, "training resumed from a checkpoint gives different weights"),
    ("state round-trips", HidesColor, "the loaded method returns different pictures"),
    ("meta device", MethodAsks, "stage 'first' and 'second': "),
]  # fmt: skip


@pytest.mark.parametrize(("factory", "skipped"), GOOD, ids=[each[0].__name__ for each in GOOD])
def test_passes_what_keeps_the_contract(factory: Any, skipped: set[str], tmp_path: Path) -> None:
    check_good("method", factory, skipped, tmp_path)


@pytest.mark.parametrize(("name", "factory", "message"), BROKEN, ids=broken_ids(BROKEN))
def test_fails_what_breaks_it(name: str, factory: Any, message: str, tmp_path: Path) -> None:
    check_broken("method", name, factory, message, tmp_path)


def test_a_method_that_needs_what_loading_leaves_out(tmp_path: Path) -> None:
    found = cases("method", NeedsLoss, options={"tried": {"loss": "l1"}})
    found["trains"].run(tmp_path)
    with pytest.raises(AssertionError, match=r"cannot be loaded without loss .its training_only options."):
        found["state round-trips"].run(tmp_path)
