"""The feature distance against its formula written out over the layers of torchvision's SqueezeNet."""

from __future__ import annotations

import pytest
import torch
from inpaintkit_features.feature_distance import FeatureDistance
from inpaintkit_features.lpips import LPIPS
from inpaintkit_features.perceptual import Perceptual
from inpaintkit_features.unit import unit_squares

from inpaintkit import Batch, CheckpointError, OptionError, Sample
from inpaintkit.runtime import to_float, to_uint8

from .squeezenet import LAYERS, features_of, sample_of

CPU = torch.device("cpu")


def rounded_sample():
    """The pictures as a metric sees them: rounded to 256 levels."""
    sample = sample_of()[0]
    image, output = (to_float(to_uint8(picture)) for picture in (sample.image, sample.output))
    return Sample.of(Batch(image, sample.mask), output)


def written_out(reference, sample, region):
    """Place by place, in float64: unit vectors of both pictures, and the squared length of their difference."""
    totals = []
    with torch.no_grad():
        drawn, truth = (features_of(reference, picture) for picture in (sample.completed, sample.image))
    for index in range(len(sample.image)):
        total = 0.0
        for one, other in zip(drawn, truth, strict=True):
            height, width = one.shape[-2:]
            distances = []
            for row in range(height):
                for column in range(width):
                    if region == "hole":
                        top, bottom = row * 40 // height, -(-(row + 1) * 40 // height)
                        left, right = column * 40 // width, -(-(column + 1) * 40 // width)
                        if not sample.mask[index, 0, top:bottom, left:right].any():
                            continue
                    a, b = one[index, :, row, column].double(), other[index, :, row, column].double()
                    distances.append(float((a / a.norm() - b / b.norm()).square().sum()))
            total += sum(distances) / len(distances)
        totals.append(total)
    return totals


@pytest.mark.parametrize("region", ["hole", "whole"])
def test_it_is_the_formula_written_out(reference, weights, region):
    metric = FeatureDistance("squeezenet1_0", LAYERS, weights, region)
    metric.setup(CPU)
    sample = rounded_sample()
    expected = written_out(reference, sample, region)
    assert metric.update(sample).tolist() == pytest.approx(expected, rel=1e-4)
    assert metric.compute() == pytest.approx(sum(expected) / 2, rel=1e-4)
    assert min(expected) > 0


def test_the_loss_with_unit_features_is_the_same_distance(weights):
    sample = rounded_sample()
    for region in ("hole", "whole"):
        metric = FeatureDistance("squeezenet1_0", LAYERS, weights, region)
        metric.setup(CPU)
        metric.update(sample)
        loss = Perceptual("squeezenet1_0", LAYERS, weights, "unit-l2", region=region)
        loss.setup()
        assert float(loss(sample)) == pytest.approx(metric.compute(), rel=1e-5)


def test_unit_features_do_not_know_their_length_and_have_gradients():
    rng = torch.Generator().manual_seed(3)
    one, other = (torch.randn(2, 5, 4, 3, generator=rng).requires_grad_(True) for _ in range(2))
    squares = unit_squares(one, other)
    torch.testing.assert_close(unit_squares(7 * one, other / 3), squares)
    assert squares.shape == (2, 1, 4, 3)
    assert float(squares.detach().max()) <= 4
    squares.sum().backward()
    assert one.grad is not None
    torch.testing.assert_close((one.grad * one).sum(1), torch.zeros(2, 4, 3), rtol=0, atol=1e-5)  # across the length


def test_a_picture_without_a_hole_has_no_value_in_the_hole(weights):
    sample = rounded_sample()
    mask = sample.mask.clone()
    mask[1] = 0
    empty = Sample.of(Batch(sample.image, mask), sample.output)
    metric = FeatureDistance("squeezenet1_0", LAYERS, weights)
    metric.setup(CPU)
    values = metric.update(empty)
    assert values[1].isnan()
    assert metric.compute() == pytest.approx(float(values[0]))
    whole = FeatureDistance("squeezenet1_0", LAYERS, weights, "whole")
    whole.setup(CPU)
    assert whole.update(empty)[1] == 0


def test_labels_tell_variants_apart(weights):
    metric = FeatureDistance("squeezenet1_0", ["fire2"], weights, "whole")
    assert metric.label == "feature-distance[squeezenet1_0,fire2,squeezenet,whole]"
    assert FeatureDistance().label.startswith("feature-distance[squeezenet1_1,relu1+fire3+")
    assert list(FeatureDistance().backbone.layers) == list(LPIPS("squeeze").backbone.layers)


def test_refusals(weights):
    with pytest.raises(OptionError, match="features of blocks are not maps") as caught:
        FeatureDistance("test_vit.r160_in1k", ["blocks"], "random")
    assert caught.value.path == ("layers",)
    with pytest.raises(OptionError, match="not maps") as caught:
        Perceptual("test_vit.r160_in1k", ["blocks"], "random", "unit-l2")
    assert caught.value.path == ("distance",)
    with pytest.raises(CheckpointError, match=r"not loaded: call setup\(device\)"):
        FeatureDistance("squeezenet1_0", LAYERS, weights).update(rounded_sample())
