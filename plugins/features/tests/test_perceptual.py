"""Perceptual loss against torchvision's own forward pass."""

from __future__ import annotations

import warnings

import pytest
import torch
from inpaintkit_features.perceptual import Perceptual
from torch.nn import functional as F

from inpaintkit import Batch, OptionError, Sample

from .squeezenet import LAYERS, features_of, sample_of


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("distance", "pixel"), [
    ("smooth-l1", lambda d: torch.where(d.abs() < 1, d * d / 2, d.abs() - 0.5)),
    ("l2", lambda d: d * d),
    ("l1", lambda d: d.abs()),
])  # fmt: skip
def test_the_loss_is_the_weighted_sum_over_layers(reference, weights, distance, pixel, reduction):
    sample, _ = sample_of()
    layers = {"relu1": 0.5, "fire3": 2.0, "fire5": 1.0}
    loss = Perceptual("squeezenet1_0", layers, weights, distance=distance, reduction=reduction)
    loss.setup()
    with torch.no_grad():
        drawn, truth = features_of(reference, sample.completed), features_of(reference, sample.image)
        by_layer = [pixel(a - b).flatten(1) for a, b in zip(drawn, truth, strict=True)]
        expected = sum(
            weight * (values.mean() if reduction == "mean" else values.sum(1).mean())
            for weight, values in zip(layers.values(), by_layer, strict=True)
        )
        torch.testing.assert_close(loss(sample), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("region", ["hole", "known"])
def test_a_region_takes_the_features_that_cover_its_pixels(reference, weights, region):
    sample, _ = sample_of()
    loss = Perceptual("squeezenet1_0", ["fire5"], weights, distance="l2", on="output", region=region)
    loss.setup()
    with torch.no_grad():
        drawn, truth = (features_of(reference, picture)[2] for picture in (sample.output, sample.image))
        squared = (drawn - truth) ** 2
        values = []
        for b in range(2):
            height, width = squared.shape[-2:]
            for_image = []
            for i in range(height):
                for j in range(width):
                    top, bottom = i * 40 // height, -(-(i + 1) * 40 // height)
                    left, right = j * 40 // width, -(-(j + 1) * 40 // width)
                    touches = bool(sample.mask[b, 0, top:bottom, left:right].any())
                    if touches == (region == "hole"):
                        for_image.append(squared[b, :, i, j])
            values.append(torch.cat(for_image).mean())
        torch.testing.assert_close(loss(sample), torch.stack(values).mean(), rtol=1e-4, atol=1e-5)


def test_on_the_completed_picture_gradients_enter_through_the_hole_alone(weights):
    sample, output = sample_of(grad=True)
    loss = Perceptual("squeezenet1_0", LAYERS, weights)
    loss.setup()
    (gradient,) = torch.autograd.grad(loss(sample), output)
    hole = sample.mask.bool().expand_as(gradient)
    assert (gradient[~hole] == 0).all()
    assert gradient[hole].abs().mean() > 0
    same = Sample.of(Batch(sample.image, sample.mask), sample.image)
    assert loss(same).item() == 0


def test_it_looks_where_it_is_told(weights):
    sample, output = sample_of(grad=True)
    loss = Perceptual("squeezenet1_0", ["fire3"], weights, on="image", against="output")
    loss.setup()
    swapped = Perceptual("squeezenet1_0", ["fire3"], weights, on="output", against="image")
    swapped.setup()
    torch.testing.assert_close(loss(sample), swapped(sample))
    (gradient,) = torch.autograd.grad(loss(sample), output)  # `against` may be drawn too
    assert gradient.abs().max() > 0


def test_under_autocast_the_sums_are_float32(weights):
    sample, _ = sample_of()
    loss = Perceptual("squeezenet1_0", LAYERS, weights, distance="l2", reduction="sum")
    loss.setup()
    with torch.autocast("cpu", torch.bfloat16):
        rough = loss(sample)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, loss(sample), rtol=0.05, atol=0)


def test_tokens_have_no_region_but_a_whole():
    layers = ["blocks.1"]
    with pytest.raises(OptionError, match=r"blocks\.1 are not maps") as caught:
        Perceptual("test_vit", layers, "random", region="hole")
    assert caught.value.path == ("region",)
    loss = Perceptual("test_vit", layers, "random")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loss.setup()
    image = torch.rand(1, 3, 160, 160)
    value = loss(Sample.of(Batch(image, torch.ones(1, 1, 160, 160)), -image))
    a, b = (loss.backbone(picture)[0] for picture in (image, -image))
    torch.testing.assert_close(value, F.smooth_l1_loss(a, b))


def test_it_builds_and_runs_on_the_meta_device_with_nothing_to_read():
    with torch.device("meta"):
        loss = Perceptual("vgg16.tv_in1k", {"relu3_3": 1.0, "relu5_3": 2.0}, region="hole")
        loss.setup()
        image, mask = torch.rand(2, 3, 64, 64), torch.ones(2, 1, 64, 64)
        output = torch.rand(2, 3, 64, 64, requires_grad=True)
    value = loss(Sample.of(Batch(image, mask), output))
    value.backward()
    assert value.is_meta
    assert output.grad.shape == output.shape
