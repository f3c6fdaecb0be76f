"""The sum of a loss over the scales of a view."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from inpaintkit.components.losses import L1, L2, SmoothL1, TotalVariation
from inpaintkit.components.multi_scale import MultiScale, at_scale
from inpaintkit.core.interfaces import Batch, Loss, Sample


class Keep(Loss):
    """Returns 1 and keeps what it was given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, sample):
        self.seen.append(sample)
        return sample.output.new_ones(())


def pyramid():
    rng = torch.Generator().manual_seed(1)
    image = torch.rand(2, 3, 8, 8, generator=rng) * 2 - 1
    mask = torch.zeros(2, 1, 8, 8)
    mask[:, :, 3, 5] = 1
    scales = tuple(torch.rand(2, 3, side, side, generator=rng) * 2 - 1 for side in (2, 4, 8))
    return image, mask, scales


def test_multi_scale_sums_over_scales_of_averaged_pictures():
    image, mask, scales = pyramid()
    sample = Sample.of(Batch(image, mask), {"output": scales})
    expected = sum(
        F.l1_loss(scale, image.unfold(2, k, k).unfold(3, k, k).mean((-1, -2)))
        for scale, k in zip(scales, (4, 2, 1), strict=True)
    )
    torch.testing.assert_close(MultiScale(L1())(sample), expected)


def test_a_coarse_mask_pixel_that_touches_the_hole_is_hole():
    image, mask, scales = pyramid()
    keep = Keep()
    MultiScale(keep)(Sample.of(Batch(image, mask), {"output": scales}))
    assert [s.mask.sum().item() for s in keep.seen] == [2, 2, 2]  # one pixel an image, at every scale
    assert keep.seen[0].mask[0, 0, 0, 1] == 1
    assert keep.seen[1].mask[0, 0, 1, 2] == 1
    uneven = at_scale(Sample.of(Batch(image, mask), image), "output", torch.zeros(2, 3, 3, 3))
    rows = [(i * 8 // 3, -(-(i + 1) * 8 // 3)) for i in range(3)]  # the pixels that each coarse one overlaps
    for i, (top, bottom) in enumerate(rows):
        for j, (left, right) in enumerate(rows):
            assert uneven.mask[0, 0, i, j] == float(top <= 3 < bottom and left <= 5 < right)


def test_each_scale_has_its_own_composite_and_the_matching_scales_of_other_views():
    image, mask, scales = pyramid()
    coarse = tuple(scale + 1 for scale in scales)
    keep = Keep()
    total = MultiScale(keep, on="coarse")(Sample.of(Batch(image, mask), {"output": scales, "coarse": coarse}))
    assert total.item() == 3
    for seen, scale in zip(keep.seen, coarse, strict=True):
        assert seen.output is scale
        assert seen.view("coarse") is scale
        hole = seen.mask.bool().expand_as(scale)
        assert torch.equal(seen.completed[hole], scale[hole])
        assert torch.equal(seen.completed[~hole], seen.image[~hole])
    keep.seen.clear()
    MultiScale(keep, on="coarse")(Sample.of(Batch(image, mask), {"output": scales, "coarse": coarse, "x": scales}))
    assert [s.view("x") is scale for s, scale in zip(keep.seen, scales, strict=True)] == [True] * 3


def test_multi_scale_of_one_scale_is_the_loss_itself():
    image, mask, (*_, output) = pyramid()
    sample = Sample.of(Batch(image, mask), output)
    torch.testing.assert_close(MultiScale(L2(region="hole"))(sample), L2(region="hole")(sample))


def test_losses_run_on_the_meta_device():
    image, mask, scales = (pyramid()[0].to("meta"), pyramid()[1].to("meta"), [s.to("meta") for s in pyramid()[2]])
    sample = Sample.of(Batch(image, mask), {"output": tuple(scales)})
    for loss in (L1(region="hole"), L2(), SmoothL1(), TotalVariation(), MultiScale(L1(region="hole"))):
        assert loss(sample).shape == ()
