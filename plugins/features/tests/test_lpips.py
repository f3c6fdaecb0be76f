"""LPIPS against torchmetrics' port, with its learned weights, and against eq. 1 written out."""

from __future__ import annotations

from importlib.resources import files

import pytest
import torch
import torchmetrics.functional.image as tm
from inpaintkit_features.lpips import LPIPS, VARIANTS, channel_weights
from safetensors.torch import save_file
from torchvision import models

from inpaintkit import Batch, CheckpointError, Sample
from inpaintkit.runtime import to_float

CPU = torch.device("cpu")


def learned(net):
    """The authors' weights of the channels, which torchmetrics carries."""
    with (files("torchmetrics") / "functional" / "image" / "lpips_models" / f"{net}.pth").open("rb") as file:
        return torch.load(file, map_location="cpu", weights_only=True)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return models.squeezenet1_1(weights=None).eval()


@pytest.fixture
def supplied(tmp_path, network):
    save_file(network.state_dict(), tmp_path / "network.safetensors")
    return {"net": "squeeze", "pretrained": tmp_path / "network.safetensors"}


def sample_of(count=3, side=64):
    rng = torch.Generator().manual_seed(1)
    image, output = (
        to_float(torch.randint(0, 256, (count, 3, side, side), generator=rng, dtype=torch.uint8)) for _ in range(2)
    )
    mask = torch.zeros(count, 1, side, side)
    mask[..., 20:50, 10:40] = 1
    return Sample.of(Batch(image, mask), output)


def test_it_computes_what_torchmetrics_computes(supplied, network, monkeypatch):
    """Both on the same SqueezeNet, which torchmetrics would otherwise download."""
    mine = LPIPS(**supplied)
    mine.setup(CPU)
    sample = sample_of()
    values = mine.update(sample)

    def same_network(*args, **kwargs):
        return network

    monkeypatch.setattr(models, "squeezenet1_1", same_network)
    expected = [
        tm.learned_perceptual_image_patch_similarity(
            sample.completed[i : i + 1], sample.image[i : i + 1], net_type="squeeze"
        ).item()
        for i in range(3)
    ]
    assert values.tolist() == pytest.approx(expected, rel=1e-4)
    assert mine.compute() == pytest.approx(sum(expected) / 3, rel=1e-4)
    assert min(expected) > 0


def test_it_is_equation_one_written_out(supplied, network):
    mine = LPIPS(**supplied)
    mine.setup(CPU)
    sample = sample_of()
    weights = [weight.flatten() for weight in learned("squeeze").values()]
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    one, other = (((picture + 1) / 2 - mean) / std for picture in (sample.completed, sample.image))
    total, taps = torch.zeros(3), 0
    with torch.no_grad():
        for place, layer in enumerate(network.features):
            one, other = layer(one.clone()), layer(other.clone())
            if place in (1, 4, 7, 9, 10, 11, 12):
                a, b = (torch.nn.functional.normalize(x, dim=1) for x in (one, other))
                total += torch.einsum("bchw,c->bhw", (a - b) ** 2, weights[taps]).mean((1, 2))
                taps += 1
    assert taps == 7
    assert mine.update(sample).tolist() == pytest.approx(total.tolist(), rel=1e-4)


def test_equal_pictures_have_no_distance_and_the_split_does_not_matter(supplied):
    mine, apart = LPIPS(**supplied), LPIPS(**supplied)
    mine.setup(CPU)
    apart.setup(CPU)
    sample = sample_of()
    same = Sample.of(Batch(sample.image, sample.mask), sample.image)
    assert mine.values(*(torch.zeros(1, 3, 64, 64, dtype=torch.uint8),) * 2, same.mask).tolist() == [0]
    mine.update(sample)
    for at in range(3):
        views = {name: view[at : at + 1] for name, view in sample.views.items()}
        apart.update(Sample(sample.image[at : at + 1], sample.mask[at : at + 1], views))
    assert mine.compute() == pytest.approx(apart.compute(), rel=1e-5)


@pytest.mark.parametrize("net", ["alex", "vgg", "squeeze"])
def test_the_authors_weights_fit_the_layers_of_every_variant(net):
    metric = LPIPS(net)
    expected = learned(net)
    assert [weight.shape for weight in channel_weights(net, CPU)] == [
        (1, shape[0], 1, 1) for shape in metric.backbone.shapes.values()
    ]
    assert all(map(torch.equal, channel_weights(net, CPU), expected.values()))
    assert metric.label == f"lpips[{net},v0.1]"
    assert list(metric.backbone.layers) == list(VARIANTS[net][1])


def test_it_says_what_it_needs(tmp_path, supplied, monkeypatch):
    monkeypatch.setattr("inpaintkit_features.pretrained.unreachable", lambda url: "no connection")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"Fetch https://.*alexnet.*\.pth"):
        LPIPS().setup(CPU)
    with pytest.raises(CheckpointError, match="does not fit torchvision/alexnet"):
        LPIPS(**supplied | {"net": "alex"}).setup(CPU)
    with pytest.raises(CheckpointError, match=r"not loaded: call setup\(device\)"):
        LPIPS(**supplied).update(sample_of())
