"""What flows through training and evaluation: batches, and samples with the named views that a method drew."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
import torch
from torch import Tensor

Views = Mapping[str, Tensor | tuple[Tensor, ...]]


def composite(output: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """``output`` where ``mask`` is 1, ``image`` elsewhere, bit-exact; a NaN in ``output`` stays inside the hole."""
    return torch.where(mask.bool(), output.to(image.dtype), image)


@attrs.frozen(eq=False)
class Batch:
    """What a training step is given: ``image`` (B, 3, H, W) in [-1, 1] and ``mask`` (B, 1, H, W), 1 in the hole."""

    image: Tensor
    mask: Tensor

    @property
    def masked(self) -> Tensor:
        return self.image * (1 - self.mask)

    def chunks(self, count: int) -> list[Batch]:
        return [Batch(i, m) for i, m in zip(self.image.chunk(count), self.mask.chunk(count), strict=True)]


@attrs.frozen(eq=False)
class Sample:
    """The truth, the mask, and the views that a method drew; what losses, critics and metrics look at."""

    image: Tensor
    mask: Tensor
    views: Views  # "output" is required; a tuple is the scales of one picture, coarse to fine

    @classmethod
    def of(cls, batch: Batch, drawn: Tensor | tuple[Tensor, ...] | Views) -> Sample:
        """The sample of what a generator returned: one picture, its scales, or named views with ``output`` among them.

        Views come in the image's dtype, whatever precision the network worked in.
        """
        named = {"output": drawn} if isinstance(drawn, Tensor | tuple) else drawn
        views = _each(named, lambda picture: picture.to(batch.image.dtype))
        if "completed" not in views:
            views["completed"] = composite(finest(views["output"]), batch.image, batch.mask)
        return cls(batch.image, batch.mask, views)

    def view(self, name: str) -> Tensor:
        """A view at its finest scale; ``image`` and ``masked`` are views too."""
        return finest(self.scales(name))

    def scales(self, name: str) -> tuple[Tensor, ...]:
        """All the scales of a view, coarse to fine; a single picture is its only scale."""
        if name == "masked":
            return (self.image * (1 - self.mask),)
        if name != "image" and name not in self.views:
            raise KeyError(f"no view {name!r} here: this method draws {', '.join(sorted(self.views))}")
        view = self.image if name == "image" else self.views[name]
        return (view,) if isinstance(view, Tensor) else view

    @property
    def output(self) -> Tensor:
        return self.view("output")

    @property
    def completed(self) -> Tensor:
        return self.view("completed")

    def detach(self) -> Sample:
        return attrs.evolve(self, views=_each(self.views, Tensor.detach))


def _each(views: Views, change: Callable[[Tensor], Tensor]) -> dict[str, Tensor | tuple[Tensor, ...]]:
    """All the pictures, changed."""
    return {
        name: change(view) if isinstance(view, Tensor) else tuple(map(change, view)) for name, view in views.items()
    }


def finest(view: Tensor | tuple[Tensor, ...]) -> Tensor:
    return view if isinstance(view, Tensor) else view[-1]
