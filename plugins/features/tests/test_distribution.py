"""KID and FID against closed forms, scipy and plain loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from inpaintkit_features.distribution import FID, KID, kernel_distance, pooled
from scipy import linalg
from torchmetrics.image import kid as reference_kid

from inpaintkit import Batch, CheckpointError, InpaintkitError, OptionError, Sample
from inpaintkit.runtime import to_float


def gaussian(seed, count, dimension, mean=0.0, spread=1.0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(count, dimension, generator=rng, dtype=torch.float64) * spread + mean


def sample_of(seed, count, side=64):
    rng = torch.Generator().manual_seed(seed)
    image, output = (
        to_float(torch.randint(0, 256, (count, 3, side, side), generator=rng, dtype=torch.uint8)) for _ in range(2)
    )
    mask = torch.zeros(count, 1, side, side)
    mask[..., 16:48, 16:48] = 1
    return Sample.of(Batch(image, mask), output)


def test_kernel_distance_is_the_u_statistic_of_a_double_loop():
    one, other = gaussian(0, 7, 5), gaussian(1, 6, 5, mean=0.5)

    def kernel(x, y):
        return (float(x @ y) / 5 + 1) ** 3

    expected = (
        sum(kernel(a, b) for a, b in itertools.permutations(one, 2)) / (7 * 6)
        + sum(kernel(a, b) for a, b in itertools.permutations(other, 2)) / (6 * 5)
        - 2 * sum(kernel(a, b) for a in one for b in other) / (7 * 6)
    )
    assert kernel_distance(one, other) == pytest.approx(expected, rel=1e-10)
    assert kernel_distance(one, other, block=3) == pytest.approx(expected, rel=1e-10)


def test_kernel_distance_matches_torchmetrics():
    one, other = gaussian(2, 40, 8), gaussian(3, 40, 8, spread=1.3)
    expected = reference_kid.poly_mmd(one, other).item()
    assert kernel_distance(one, other) == pytest.approx(expected, rel=1e-8)


def test_kernel_distance_has_no_bias():
    same = [kernel_distance(gaussian(2 * seed, 12, 4), gaussian(2 * seed + 1, 12, 4)) for seed in range(600)]
    assert abs(np.mean(same)) < 4 * np.std(same) / np.sqrt(600)
    assert min(same) < 0 < max(same)
    assert kernel_distance(gaussian(0, 200, 4), gaussian(1, 200, 4, mean=1.0)) > 1


def test_features_are_averaged_over_places_wherever_the_channels_are():
    features = torch.randn(2, 5, 3, 3)
    expected = features.mean((2, 3))
    torch.testing.assert_close(pooled(features, (5, 3, 3)), expected)
    torch.testing.assert_close(pooled(features.permute(0, 2, 3, 1), (3, 3, 5)), expected)
    torch.testing.assert_close(pooled(features.flatten(2).transpose(1, 2), (9, 5)), expected)
    torch.testing.assert_close(pooled(expected, (5,)), expected)


@pytest.fixture(scope="module")
def metric_options():
    return {"backbone": "squeezenet1_0", "layer": "fire3", "pretrained": "random", "size": None}


@pytest.fixture
def kid(metric_options):
    metric = KID(**metric_options)
    with pytest.warns(UserWarning, match="random weights"):
        metric.setup(torch.device("cpu"))
    return metric


def test_kid_of_pictures_is_that_of_their_features(kid):
    sample = sample_of(0, 6)
    for part in (slice(0, 2), slice(2, 6)):
        views = {name: view[part] for name, view in sample.views.items()}
        assert kid.update(Sample(sample.image[part], sample.mask[part], views)) is None
    with torch.no_grad():
        drawn, true = (kid.features.backbone(picture)[0].mean((2, 3)) for picture in (sample.completed, sample.image))
    assert kid.compute() == pytest.approx(kernel_distance(drawn, true), rel=1e-4)
    assert kid.label == "kid[torchvision/squeezenet1_0,fire3,random]"


def test_pictures_are_scaled_to_the_side_asked_for(metric_options):
    metric = KID(**metric_options | {"size": 96})
    with pytest.warns(UserWarning, match="random weights"):
        metric.setup(torch.device("cpu"))
    seen = []
    metric.features.backbone.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape))
    metric.update(sample_of(0, 2))
    assert seen == [(2, 3, 96, 96)] * 2
    assert metric.label == "kid[torchvision/squeezenet1_0,fire3,96,random]"
    assert FID(on="output").label == "fid[torchvision/inception_v3,avgpool,299,output]"


def test_kid_looks_at_the_view_and_needs_two_images(kid):
    sample = sample_of(1, 1)
    kid.update(sample)
    with pytest.raises(InpaintkitError, match="at least 2 images, not 1"):
        kid.compute()
    kid.on = "image"
    kid.setup(torch.device("cpu"))
    kid.update(sample_of(2, 4))
    assert kid.compute() < 0  # equal sets: the unbiased estimate lies below 0


@pytest.fixture
def fid(metric_options):
    metric = FID(**metric_options)
    with pytest.warns(UserWarning, match="random weights"):
        metric.setup(torch.device("cpu"))
    return metric


def closed_form(one, other):
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), the root by scipy."""
    a, b = one.double().numpy(), other.double().numpy()
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(ca @ cb).real
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb - 2 * root)


def test_fid_is_refused_below_two_thousand_images(fid):
    fid.update(sample_of(3, 4))
    with pytest.raises(InpaintkitError, match=r"at least 2000 images, not 4.*use kid"):
        fid.compute()


def test_fid_is_the_closed_form_in_the_features_of_the_backbone(fid, monkeypatch):
    monkeypatch.setattr(FID, "min_images", 40)
    samples = [sample_of(seed, 24, side=48) for seed in range(8)]
    drawn, true = [], []
    for sample in samples:
        fid.update(sample)
        with torch.no_grad():
            drawn.append(fid.features.backbone(sample.completed)[0].mean((2, 3)))
            true.append(fid.features.backbone(sample.image)[0].mean((2, 3)))
    expected = closed_form(torch.cat(drawn), torch.cat(true))
    assert fid.features.num_features == drawn[0].shape[1] == 128
    assert expected > 0
    assert fid.compute() == pytest.approx(expected, rel=1e-3)
    assert fid.label == "fid[torchvision/squeezenet1_0,fire3,random]"


@pytest.mark.parametrize("count", [100, 20])  # more and fewer images than features
def test_fid_of_given_features(fid, monkeypatch, count):
    monkeypatch.setattr(FID, "min_images", 20)
    mix = gaussian(5, 30, 30)
    one, other = gaussian(3, count, 30) @ mix, gaussian(4, count, 30, mean=0.3)
    features = iter([one, other])
    fid.features.num_features = 30
    fid.setup(torch.device("cpu"))
    monkeypatch.setattr(fid.features, "forward", lambda picture: next(features))
    picture = torch.zeros(count, 3, 8, 8)
    fid.update(Sample.of(Batch(picture, picture[:, :1]), picture))
    assert fid.compute() == pytest.approx(closed_form(one, other), rel=1e-6)


def test_fid_is_that_of_two_gaussians(fid, monkeypatch):
    features = iter([gaussian(0, 200_000, 3, mean=1.0, spread=2.0), gaussian(1, 200_000, 3)])
    fid.features.num_features = 3
    fid.setup(torch.device("cpu"))
    monkeypatch.setattr(fid.features, "forward", lambda picture: next(features))
    picture = torch.zeros(200_000, 3, 1, 1)
    fid.update(Sample.of(Batch(picture, picture[:, :1]), picture))
    assert fid.compute() == pytest.approx(3 * 1.0 + 3 * (2 - 1) ** 2, rel=0.01)


def test_it_asks_plainly_for_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setattr("inpaintkit_features.pretrained.unreachable", lambda url: "no connection")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"Fetch https://.*inception_v3.*\.pth"):
        KID().setup(torch.device("cpu"))
    with pytest.raises(OptionError, match="did you mean 'inception_v3'"):
        FID(backbone="torchvision/inceptoin_v3")
