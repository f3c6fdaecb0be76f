"""Pixel losses against loops over pixels, torch and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.nn import functional as F
from torchmetrics.functional.image import total_variation as reference_tv

from inpaintkit.components.losses import L1, L2, SmoothL1, TotalVariation, l1, l2, smooth_l1, total_variation
from inpaintkit.core.interfaces import Batch, Sample

PER_PIXEL = {
    "l1": abs,
    "l2": lambda d: d * d,
    "smooth_l1": lambda d: 0.5 * d * d if abs(d) < 1 else abs(d) - 0.5,
}
FUNCTIONS = {"l1": l1, "l2": l2, "smooth_l1": smooth_l1}


def pictures(seed: int, count: int = 2, height: int = 5, width: int = 4) -> tuple[torch.Tensor, ...]:
    rng = torch.Generator().manual_seed(seed)
    output = torch.randn(count, 3, height, width, generator=rng) * 2  # beyond beta as well as below
    image = torch.rand(count, 3, height, width, generator=rng) * 2 - 1
    mask = (torch.rand(count, 1, height, width, generator=rng) < 0.4).float()
    return output, image, mask


def brute_force(name, output, image, mask, region, reduction):
    """Loops over images, channels and pixels in numpy, in double precision."""
    output, image, mask = (t.double().numpy() for t in (output, image, mask))
    per_image = []
    for b in range(len(output)):
        values = [
            PER_PIXEL[name](output[b, c, y, x] - image[b, c, y, x])
            for c in range(output.shape[1])
            for y in range(output.shape[2])
            for x in range(output.shape[3])
            if region == "whole" or (mask[b, 0, y, x] == 1) == (region == "hole")
        ]
        per_image.append((np.mean if reduction == "mean" else np.sum)(values) if values else 0.0)
    return np.mean(per_image)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("region", ["hole", "known", "whole"])
@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 3), height=st.integers(1, 6), width=st.integers(1, 6))
def test_a_loss_is_what_a_loop_over_pixels_gives(name, region, reduction, seed, count, height, width):
    output, image, mask = pictures(seed, count, height, width)
    expected = brute_force(name, output, image, mask, region, reduction)
    value = FUNCTIONS[name](output, image, mask, region, reduction)
    assert value.dtype == torch.float32
    assert value.shape == ()
    assert value.item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_means_are_per_image_not_per_pixel_of_the_batch():
    output, image = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    mask = torch.zeros(2, 1, 4, 4)
    mask[0, :, 0, 0] = 1  # one pixel, off by 1
    mask[1] = 1  # sixteen pixels, exact
    output[0] = 1
    assert l1(output, image, mask, "hole").item() == pytest.approx(0.5)  # a mean over pixels would give 1/17


def test_an_empty_region_adds_nothing():
    output, image, _ = pictures(0)
    nothing, everything = torch.zeros(2, 1, 5, 4), torch.ones(2, 1, 5, 4)
    output.requires_grad_()
    for loss in FUNCTIONS.values():
        for mask, region in ((nothing, "hole"), (everything, "known")):
            value = loss(output, image, mask, region)
            assert value.item() == 0
            (gradient,) = torch.autograd.grad(value, output)
            assert gradient.abs().max() == 0


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("region", ["hole", "known"])
def test_no_gradient_and_no_nan_from_outside_the_region(name, region):
    output, image, mask = pictures(3)
    outside = (mask == 0) if region == "hole" else (mask == 1)
    output = torch.where(outside, torch.nan, output).requires_grad_()
    value = FUNCTIONS[name](output, image, mask, region)
    (gradient,) = torch.autograd.grad(value, output)
    assert value.isfinite()
    outside = outside.expand_as(gradient)
    assert (gradient[outside] == 0).all()
    assert (gradient[~outside] != 0).all()


def test_sum_and_mean_gradients_differ_by_the_number_of_values():
    output, image, mask = pictures(4)
    output.requires_grad_()
    (by_sum,) = torch.autograd.grad(l2(output, image, mask, "whole", "sum"), output)
    (by_mean,) = torch.autograd.grad(l2(output, image, mask, "whole", "mean"), output)
    torch.testing.assert_close(by_sum, by_mean * 3 * 5 * 4)


def test_smooth_l1_with_another_beta_matches_torch():
    output, image, mask = pictures(5)
    expected = F.smooth_l1_loss(output, image, beta=0.3)
    torch.testing.assert_close(smooth_l1(output, image, mask, "whole", beta=0.3), expected)
    sample = Sample.of(Batch(image, mask), output)
    torch.testing.assert_close(SmoothL1(beta=0.3)(sample), expected)


def test_half_precision_is_summed_in_float32():
    output = torch.full((1, 3, 256, 256), 1.0, dtype=torch.float16)
    image, mask = torch.zeros(1, 3, 256, 256), torch.ones(1, 1, 256, 256)
    assert l2(output, image, mask, "hole", "sum").item() == 3 * 256 * 256  # beyond float16's 65504


def test_shapes_that_do_not_fit_are_named():
    output, image, mask = pictures(6)
    with pytest.raises(ValueError, match="2 x 3 x 5 x 4 and 2 x 1 x 5 x 4"):
        l1(output, image[:, :1], mask)
    with pytest.raises(ValueError, match="is 2 x 1 x 5 x 4, not 2 x 3 x 5 x 4"):
        l1(output, image, mask.expand(-1, 3, -1, -1), "hole")
    with pytest.raises(ValueError, match="needs a mask"):
        l1(output, image, None, "hole")
    with pytest.raises(ValueError, match="region is"):
        l1(output, image, mask, "holes")
    with pytest.raises(ValueError, match="reduction is"):
        l1(output, image, mask, "hole", "average")


def test_modules_look_where_they_are_told():
    output, image, mask = pictures(7)
    coarse = torch.randn_like(output)
    sample = Sample.of(Batch(image, mask), {"output": output, "coarse": coarse})
    for module, function in ((L1, l1), (L2, l2), (SmoothL1, smooth_l1)):
        torch.testing.assert_close(module()(sample), function(output, image, mask, "whole"))
        chosen = module(on="coarse", against="output", region="known", reduction="sum")
        torch.testing.assert_close(chosen(sample), function(coarse, output, mask, "known", "sum"))
    assert L1(on="completed", region="known")(sample).item() == 0


def test_an_unknown_view_is_named_with_those_there_are():
    output, image, mask = pictures(8)
    with pytest.raises(KeyError, match=r"no view 'coarse'.*completed, output"):
        L1(on="coarse")(Sample.of(Batch(image, mask), output))


# --- total variation -----------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), height=st.integers(2, 6), width=st.integers(2, 6))
def test_total_variation_of_the_whole_matches_torchmetrics(seed, height, width):
    output, _, _ = pictures(seed, 2, height, width)
    expected = reference_tv(output, reduction="mean")  # summed over an image, mean over the batch
    torch.testing.assert_close(total_variation(output, reduction="sum"), expected)
    pairs = 3 * ((height - 1) * width + height * (width - 1))
    torch.testing.assert_close(total_variation(output), expected / pairs)


@pytest.mark.parametrize("region", ["hole", "known"])
def test_total_variation_counts_the_seam_as_hole(region):
    output, _, mask = pictures(11)
    per_image = []
    for b in range(2):
        values = []
        for y in range(5):
            for x in range(4):
                for dy, dx in ((0, 1), (1, 0)):
                    if y + dy < 5 and x + dx < 4:
                        touches = bool(mask[b, 0, y, x] or mask[b, 0, y + dy, x + dx])
                        if touches == (region == "hole"):
                            values += (output[b, :, y + dy, x + dx] - output[b, :, y, x]).abs().tolist()
        per_image.append(np.mean(values))
    assert total_variation(output, mask, region).item() == pytest.approx(np.mean(per_image), rel=1e-5)


def test_total_variation_module_defaults_to_the_hole_of_the_completed_picture():
    output, image, mask = pictures(12)
    sample = Sample.of(Batch(image, mask), output)
    torch.testing.assert_close(TotalVariation()(sample), total_variation(sample.completed, mask, "hole"))
    assert TotalVariation()(Sample.of(Batch(image * 0, mask), output * 0)).item() == 0
