"""Metrics against scikit-image, torchmetrics, and loops over pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torchmetrics.functional.image as tm_functional
import torchmetrics.image as tm
from hypothesis import given, settings, strategies as st
from scipy import ndimage
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from inpaintkit.components.metrics import L1, L2, PSNR, SSIM, GradientEnergy, region_of
from inpaintkit.components.torch_metric import TorchMetric
from inpaintkit.core.errors import InpaintkitError
from inpaintkit.core.interfaces import Batch, Sample
from inpaintkit.runtime.pixels import to_float, to_uint8

ALL = [
    lambda: L1("hole"), lambda: L1("ring"), lambda: L1("whole"), lambda: L2("hole"), lambda: PSNR("hole"),
    lambda: PSNR("ring"), lambda: PSNR("whole"), lambda: SSIM("whole"), lambda: SSIM("hole"), GradientEnergy,
]  # fmt: skip


def smooth_pictures(seed, count, side):
    """Pictures with structure, uint8 (count, 3, side, side): SSIM of mere noise is too easy."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(count, 3, side, side)), (0, 0, 2, 2))
    noise = (noise - noise.min()) / (noise.max() - noise.min())
    return torch.from_numpy((noise * 255).astype(np.uint8))


def sample_of(seed=0, count=3, side=24, holes=True):
    truth, drawn = smooth_pictures(seed, count, side), smooth_pictures(seed + 1, count, side)
    mask = torch.zeros(count, 1, side, side)
    if holes:
        for index in range(count):
            mask[index, :, 3 + index : 17 + index, 6 : 20 - index] = 1
    image, output = to_float(truth), to_float(drawn)
    return Sample.of(Batch(image, mask), output)


def as_numpy(picture):
    return to_uint8(picture).permute(0, 2, 3, 1).numpy()  # (B, H, W, 3)


# --- values --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_psnr_and_l2_of_the_whole_match_scikit_image(seed):
    sample = sample_of(seed)
    pairs = list(zip(as_numpy(sample.completed), as_numpy(sample.image), strict=True))
    expected = [peak_signal_noise_ratio(truth, drawn, data_range=255) for drawn, truth in pairs]
    np.testing.assert_allclose(PSNR("whole").update(sample), expected)
    expected = [mean_squared_error(truth, drawn) for drawn, truth in pairs]
    np.testing.assert_allclose(L2("whole", "byte").update(sample), expected)


@pytest.mark.parametrize("seed", range(3))
def test_psnr_is_a_mean_of_per_image_values_as_torchmetrics_has_it_per_image(seed):
    sample = sample_of(seed)
    theirs = tm.PeakSignalNoiseRatio(data_range=255.0, reduction="elementwise_mean", dim=(1, 2, 3))
    theirs.update(to_uint8(sample.completed).float(), to_uint8(sample.image).float())
    mine = PSNR("whole")
    mine.update(sample)
    assert mine.compute() == pytest.approx(theirs.compute().item(), rel=1e-5)
    one_mse = 10 * math.log10(255**2 / L2("whole", "byte").update(sample).mean())
    assert mine.compute() > one_mse + 1e-3  # Jensen: the ratio of the mean error is another number


@pytest.mark.parametrize("seed", range(3))
def test_ssim_matches_scikit_image_and_torchmetrics(seed):
    sample = sample_of(seed, side=29)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    whole, hole = [], []
    for drawn, truth, mask in zip(as_numpy(sample.completed), as_numpy(sample.image), sample.mask, strict=True):
        mean, by_pixel = structural_similarity(truth, drawn, channel_axis=2, full=True, **options)
        whole.append(mean)
        hole.append(by_pixel[mask[0].numpy() == 1].mean())
    np.testing.assert_allclose(SSIM("whole").update(sample), whole, rtol=1e-6)
    np.testing.assert_allclose(SSIM("hole").update(sample), hole, rtol=1e-6)
    # What torchmetrics says of the windows within the picture; whether it counts those at the border, versions differ.
    _, by_pixel = tm_functional.structural_similarity_index_measure(
        to_uint8(sample.completed).double(), to_uint8(sample.image).double(), data_range=255.0, return_full_image=True
    )
    within = by_pixel[..., 5:-5, 5:-5].mean((1, 2, 3))
    np.testing.assert_allclose(SSIM("whole").update(sample), within, rtol=1e-6)


def region_by_hand(mask, region):
    height, width = mask.shape
    chosen = np.zeros_like(mask, bool)
    for y in range(height):
        for x in range(width):
            around = mask[max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5]
            chosen[y, x] = region == "whole" or (mask[y, x] == 1 and (region == "hole" or (around == 0).any()))
    return chosen


@pytest.mark.parametrize("region", ["hole", "ring", "whole"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_regions_are_what_a_loop_over_pixels_finds(region, seed):
    rng = np.random.default_rng(seed)
    mask = ndimage.binary_dilation(rng.random((24, 24)) < 0.01, iterations=6).astype(np.float32)
    sample = sample_of(seed % 7, count=1)
    chosen = region_by_hand(mask, region)
    given_mask = torch.from_numpy(mask)[None, None]
    assert (region_of(given_mask, region)[0, 0].numpy() == chosen).all()
    difference = (as_numpy(sample.output)[0].astype(float) - as_numpy(sample.image)[0])[chosen]
    sample = Sample(sample.image, given_mask, sample.views)
    if not chosen.any():
        assert L1(region, on="output").update(sample).isnan().all()
        return
    for metric, expected in (
        (L1(region, "byte", on="output"), np.abs(difference).mean()),
        (L1(region, on="output"), np.abs(difference).mean() / 127.5),
        (L1(region, "unit", on="output"), np.abs(difference).mean() / 255),
        (L2(region, on="output"), (difference**2).mean() / 127.5**2),
        (PSNR(region, on="output"), 10 * np.log10(255**2 / (difference**2).mean())),
    ):
        assert metric.update(sample).item() == pytest.approx(expected, rel=1e-9)


def test_the_hole_and_the_whole_of_a_composite_differ_by_the_fraction_of_the_hole():
    sample = sample_of()
    fraction = sample.mask.mean((1, 2, 3)).double()
    expected = PSNR("hole").update(sample) - 10 * fraction.log10()
    torch.testing.assert_close(PSNR("whole").update(sample), expected)


def test_equal_pictures_have_the_cap_and_one_level_off_has_not():
    sample = sample_of()
    same = Sample.of(Batch(sample.image, sample.mask), sample.image)
    assert PSNR("hole").update(same).tolist() == [100.0] * 3
    off = to_uint8(sample.image).float()
    off = torch.where(off > 127, off - 1, off + 1) / 127.5 - 1
    one = PSNR("whole", on="output").update(Sample.of(Batch(sample.image, sample.mask), off))
    np.testing.assert_allclose(one, 20 * np.log10(255))


def test_pictures_are_rounded_as_they_would_be_saved():
    sample = sample_of()
    nearly = Sample.of(Batch(sample.image, sample.mask), sample.image + 0.4 / 127.5)
    assert L1("whole", on="output").update(nearly).max() == 0
    more = Sample.of(Batch(sample.image, sample.mask), (sample.image + 0.6 / 127.5).clamp(max=1))
    assert L1("hole", "byte").update(more).min() > 0.9


# --- sharpness -----------------------------------------------------------------------------------------------------


def test_gradient_energy_is_that_of_a_loop_over_pairs():
    sample = sample_of(4)
    expected = []
    for drawn, truth, mask in zip(as_numpy(sample.completed), as_numpy(sample.image), sample.mask[:, 0], strict=True):
        energies = []
        for picture in (drawn.astype(int), truth.astype(int)):
            energy = 0
            for y in range(24):
                for x in range(24):
                    for dy, dx in ((0, 1), (1, 0)):
                        if y + dy < 24 and x + dx < 24 and mask[y, x] and mask[y + dy, x + dx]:
                            energy += ((picture[y + dy, x + dx] - picture[y, x]) ** 2).sum()
            energies.append(energy)
        expected.append(energies[0] / energies[1])
    np.testing.assert_allclose(GradientEnergy().update(sample), expected)


def test_gradient_energy_is_one_for_the_truth_zero_for_flat_and_less_for_blur():
    sample = sample_of(5)
    batch = Batch(sample.image, sample.mask)
    assert GradientEnergy().update(Sample.of(batch, sample.image)).tolist() == [1, 1, 1]
    assert GradientEnergy().update(Sample.of(batch, torch.full_like(sample.image, 0.9))).tolist() == [0, 0, 0]
    blurred = torch.nn.functional.avg_pool2d(sample.image, 5, 1, 2, count_include_pad=False)
    values = GradientEnergy().update(Sample.of(batch, blurred))
    assert (values > 0).all()
    assert (values < 0.9).all()


# --- what all share ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ALL)
def test_images_without_the_region_have_no_value_and_do_not_count(make):
    sample = sample_of(6)
    sample.mask[1] = 0
    metric, without = make(), make()
    values = metric.update(Sample.of(Batch(sample.image, sample.mask), sample.output))
    kept = [0, 2]
    alone = Sample.of(Batch(sample.image[kept], sample.mask[kept]), sample.output[kept])
    without.update(alone)
    if "whole" in metric.label or "valid" in metric.label:
        assert values.isfinite().all()
    else:
        assert values.isnan().tolist() == [False, True, False]
        assert metric.compute() == pytest.approx(without.compute(), rel=1e-12)


@pytest.mark.parametrize("make", ALL)
def test_the_split_into_batches_does_not_matter(make):
    sample = sample_of(7, count=5)
    together, apart = make(), make()
    values = together.update(sample)
    assert values.shape == (5,)
    for part in (slice(0, 2), slice(2, 3), slice(3, 5)):
        views = {name: view[part] for name, view in sample.views.items()}
        apart.update(Sample(sample.image[part], sample.mask[part], views))
    assert together.compute() == pytest.approx(apart.compute(), rel=1e-12)
    assert together.compute() == pytest.approx(values.mean().item(), rel=1e-12)


def test_labels_name_variant_and_range():
    labels = [make().label for make in ALL]
    assert len(set(labels)) == len(labels)
    assert PSNR("hole").label == "psnr[hole,255]"
    assert SSIM().label == "ssim[gauss11,valid,rgb]"
    assert L1("ring").label == "l1[ring,-1..1]"
    assert L2(range="unit").label == "l2[hole,0..1]"
    assert PSNR("whole", on="output").label == "psnr[whole,255,output]"
    assert GradientEnergy().label == "gradient-energy[hole]"
    assert [make().higher_is_better for make in ALL] == [False] * 4 + [True] * 5 + [None]


def test_nothing_measured_is_nan_and_too_small_is_said():
    assert math.isnan(PSNR().compute())
    tiny = sample_of(side=24)
    small = Sample(tiny.image[..., :9, :9], tiny.mask[..., :9, :9], {"completed": tiny.image[..., :9, :9]})
    with pytest.raises(InpaintkitError, match="11 x 11 at least, not 9 x 9"):
        SSIM().update(small)
    with pytest.raises(InpaintkitError, match="11 x 11 at least"):
        SSIM("hole").update(small)
    uneven = Sample(tiny.image, tiny.mask, {"completed": tiny.image[..., :9, :9]})
    with pytest.raises(InpaintkitError, match="cannot be compared"):
        PSNR().update(uneven)


def test_a_torchmetric_serves():
    sample = sample_of(8, count=4)
    metric = TorchMetric(tm.StructuralSimilarityIndexMeasure(data_range=1.0))
    metric.setup(torch.device("cpu"))
    for part in (slice(0, 1), slice(1, 4)):
        views = {name: view[part] for name, view in sample.views.items()}
        assert metric.update(Sample(sample.image[part], sample.mask[part], views)) is None
    pictures = [to_uint8(picture).float() / 255 for picture in (sample.completed, sample.image)]
    expected = tm_functional.structural_similarity_index_measure(*pictures, data_range=1.0)
    assert metric.compute() == pytest.approx(expected.item(), rel=1e-5)
    assert metric.label == "structural-similarity-index-measure[0..1]"
    assert metric.higher_is_better is True


def test_a_torchmetric_that_does_not_fit_says_so():
    from torchmetrics.classification import BinaryF1Score

    sample = sample_of(9)
    with pytest.raises(InpaintkitError, match="cannot compare two batches"):
        TorchMetric(BinaryF1Score()).update(sample)
    each = TorchMetric(tm.StructuralSimilarityIndexMeasure(data_range=1.0, reduction=None))
    each.update(sample)
    with pytest.raises(InpaintkitError, match="no single number"):
        each.compute()
