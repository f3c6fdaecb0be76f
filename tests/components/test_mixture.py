"""Masks of several kinds in one batch."""

from __future__ import annotations

import pytest
import torch

from inpaintkit.components.masks import CenterSquare, RandomRectangles, Strokes
from inpaintkit.components.mixture import Mixture
from inpaintkit.core.errors import OptionError

SIZE = (32, 40)


def drawn(mixture: Mixture, count: int, seed: int = 0) -> torch.Tensor:
    return mixture(count, SIZE, torch.Generator().manual_seed(seed))


def test_every_mask_is_one_of_the_samplers_and_they_are_mixed_as_weighed() -> None:
    one, other = CenterSquare(8), CenterSquare(20)
    sides = drawn(Mixture([one, other], [1.0, 3.0]), 4000).sum((1, 2, 3)).sqrt()
    assert set(sides.tolist()) == {8.0, 20.0}
    assert (sides == 20).float().mean().item() == pytest.approx(0.75, abs=4 * (0.75 * 0.25 / 4000) ** 0.5)
    assert (drawn(Mixture([one, other], [0.0, 1.0]), 50).sum((1, 2, 3)) == 400).all()
    even = drawn(Mixture([one, other]), 4000).sum((1, 2, 3)) == 64
    assert even.float().mean().item() == pytest.approx(0.5, abs=4 * (0.25 / 4000) ** 0.5)


def test_pictures_of_one_kind_have_masks_of_their_own() -> None:
    masks = drawn(Mixture([RandomRectangles(4, 20, 1, 3), Strokes()]), 60)
    assert len({mask.numpy().tobytes() for mask in masks}) == 60
    assert torch.equal(masks, drawn(Mixture([RandomRectangles(4, 20, 1, 3), Strokes()]), 60))
    assert not torch.equal(masks, drawn(Mixture([RandomRectangles(4, 20, 1, 3), Strokes()]), 60, seed=1))


@pytest.mark.parametrize(
    ("samplers", "weights", "option"),
    [([], None, "samplers"), ([Strokes()], [1.0, 2.0], "weights"), ([Strokes()], [0.0], "weights")],
)
def test_what_cannot_be_mixed_is_refused(samplers, weights, option) -> None:
    with pytest.raises(OptionError) as caught:
        Mixture(samplers, weights)
    assert caught.value.path == (option,)
