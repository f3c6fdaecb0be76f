"""Backbones: their layers and features against the libraries' own forward passes, and their weights."""

from __future__ import annotations

import time

import pytest
import timm
import torch
from inpaintkit_features import pretrained as weights_of
from inpaintkit_features.backbones import Backbone, find_network
from inpaintkit_features.perceptual import Perceptual
from inpaintkit_features.taps import usual_names
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from inpaintkit import CheckpointError, InpaintkitError, Method, OptionError

from .squeezenet import LAYERS, features_of, sample_of


@pytest.fixture
def no_network(monkeypatch):
    """Says that there is no network, and lets nobody try."""
    monkeypatch.setattr(weights_of, "unreachable", lambda url: f"no connection to {url}: on purpose")

    def fail(*args, **kwargs):
        raise AssertionError("tried to download")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)


def test_usual_names_point_at_the_layers_of_the_literature():
    with torch.device("meta"):
        vgg16, vgg16_bn = timm.create_model("vgg16"), timm.create_model("vgg16_bn")
        vgg19 = models.vgg19()
        alex, squeeze, squeeze11 = models.alexnet(), models.squeezenet1_0(), models.squeezenet1_1()
    names = usual_names(vgg16)
    wanted = {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22, "relu5_3": 29, "conv1_1": 0, "pool5": 30}
    assert {name: names[name] for name in wanted} == {name: f"features.{at}" for name, at in wanted.items()}
    assert len(names) == len(vgg16.features)
    assert usual_names(vgg16_bn)["relu3_3"] == "features.22"
    assert usual_names(vgg16_bn)["bn1_1"] == "features.1"
    assert usual_names(vgg19)["relu3_1"] == "features.11"
    assert usual_names(vgg19)["relu5_4"] == "features.35"
    assert [usual_names(alex)[f"relu{i}"] for i in range(1, 6)] == [f"features.{i}" for i in (1, 4, 7, 9, 11)]
    wanted = {"conv1": 0, "relu1": 1, "pool1": 2, "fire2": 3, "fire4": 5, "pool4": 6, "fire8": 10, "pool8": 11}
    assert {name: usual_names(squeeze)[name] for name in wanted} == {n: f"features.{at}" for n, at in wanted.items()}
    assert (usual_names(squeeze)["fire9"], usual_names(squeeze11)["fire4"]) == ("features.12", "features.6")


def test_names_are_timms_first_then_torchvisions():
    assert str(find_network("vgg16.tv_in1k")) == "timm/vgg16.tv_in1k"
    assert str(find_network("vgg16")) == "timm/vgg16"
    assert str(find_network("torchvision/vgg16")) == "torchvision/vgg16"
    assert str(find_network("squeezenet1_0")) == "torchvision/squeezenet1_0"
    assert str(find_network("torchvision/resnet50.IMAGENET1K_V1")) == "torchvision/resnet50.IMAGENET1K_V1"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vgg61", "did you mean 'vgg1"),
        ("torchvision/squeezenet10", "did you mean 'squeezenet1_0'"),
        ("timm/squeezenet1_0", "timm has no network"),
        ("vgg16.tv_in2k", "did you mean 'tv_in1k'"),
        ("keras/vgg16", "timm/vgg16 or torchvision/vgg16"),
    ],
)
def test_an_unknown_network_is_named_with_the_nearest(name, message):
    with pytest.raises(OptionError, match=message) as caught:
        Perceptual(name)
    assert caught.value.path == ("backbone",)


def test_unknown_layers_are_located_all_at_once():
    with pytest.raises(OptionError) as caught:
        Perceptual("vgg16", ["relu3_4", "relu1_1", "features.99", "features.1"])
    assert [error.path for error in caught.value.problems] == [("layers", 0), ("layers", 2), ("layers", 3)]
    first, _, third = (str(error) for error in caught.value.problems)
    assert "did you mean 'relu3_" in first
    assert "relu5_3" in first
    assert "'features.1' and 'relu1_1' are one layer" in third
    with pytest.raises(OptionError, match="did you mean 'relu2_1'") as single:
        Perceptual("vgg16", {"relu1_1": 1.0, "rleu2_1": 0.5})
    assert single.value.path == ("layers", "rleu2_1")
    with pytest.raises(OptionError, match="at least one"):
        Perceptual("vgg16", [])
    with pytest.raises(OptionError) as caught:
        Perceptual("vgg16", ["relu3_4"], "random.pth")
    assert [error.path for error in caught.value.problems] == [("pretrained",), ("layers", 0)]


@pytest.mark.parametrize("value", ["hubb", "weights.pth", "none"])
def test_pretrained_is_hub_random_or_safetensors(value):
    with pytest.raises(OptionError, match=r"\.safetensors") as caught:
        Perceptual("vgg16", pretrained=value)
    assert caught.value.path == ("pretrained",)
    assert ("did you mean 'hub'" in str(caught.value)) == (value == "hubb")


def test_features_are_those_of_the_library(reference, weights):
    backbone = Backbone("squeezenet1_0", LAYERS, weights)
    backbone.setup()
    picture = sample_of()[0].image
    with torch.no_grad():
        for mine, theirs in zip(backbone(picture), features_of(reference, picture), strict=True):
            torch.testing.assert_close(mine, theirs)
    assert {name: shape[0] for name, shape in backbone.shapes.items()} == {"relu1": 96, "fire3": 128, "fire5": 256}


def test_layers_come_in_the_order_asked_for(reference, weights):
    backbone = Backbone("squeezenet1_0", ["fire5", "features.1"], weights)
    backbone.setup()
    deep, shallow = backbone(sample_of()[0].image)
    assert (deep.shape[1], shallow.shape[1]) == (256, 96)


def test_a_layer_before_a_relu_keeps_its_negative_values(weights):
    backbone = Backbone("squeezenet1_0", ["conv1", "relu1"], weights)
    backbone.setup()
    before, after = backbone(sample_of()[0].image)
    assert before.min() < 0
    torch.testing.assert_close(after, before.clamp(min=0))


def test_what_comes_after_the_last_layer_is_neither_kept_nor_run(weights):
    class Fail(nn.Module):
        def forward(self, x):
            raise AssertionError("ran past the last layer")

    backbone = Backbone("squeezenet1_0", LAYERS, weights)
    backbone.setup()
    kept = {name.split(".")[2] for name, _ in backbone.named_buffers() if name.startswith("net.")}
    assert kept == {"0", "3", "4", "5", "7"}
    backbone.net.features[8] = backbone.net.classifier = Fail()
    backbone(sample_of()[0].image)


def test_a_module_that_runs_twice_gives_its_last_run():
    backbone = Backbone("torchvision/resnet18", ["layer1.0.relu", "layer1.0"], "random")
    with pytest.warns(UserWarning, match="random"):
        backbone.setup()
    relu, block = backbone(sample_of()[0].image)
    assert torch.equal(relu, block)


@pytest.mark.parametrize("name", ["test_vit.r160_in1k", "test_resnet.r160_in1k", "test_convnext.r160_in1k"])
def test_timm_networks_compute_what_timm_computes(name, tmp_path):
    """Constants that no checkpoint holds, batch norm's statistics and the mapping of the input included."""
    torch.manual_seed(1)
    theirs = timm.create_model(name).eval()
    for buffer in theirs.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    save_file(theirs.state_dict(), tmp_path / "w.safetensors")
    layer = {"test_vit": "blocks.3", "test_resnet": "layer3", "test_convnext": "stages.2"}[name.partition(".")[0]]
    expected = []
    theirs.get_submodule(layer).register_forward_hook(lambda module, args, output: expected.append(output))
    picture = torch.rand(1, 3, 160, 160) * 2 - 1
    mean, std = (torch.tensor(theirs.pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    mine = Backbone(name, [layer], tmp_path / "w.safetensors")
    mine.setup()
    with torch.no_grad():
        theirs(((picture + 1) / 2 - mean) / std)
        torch.testing.assert_close(mine(picture)[0], expected[0])


def test_weights_follow_to_and_stay_out_of_checkpoints_and_optimizers(weights):
    loss = Perceptual("squeezenet1_0", LAYERS, weights)
    assert loss.state_dict() == {}
    loss.setup()
    assert loss.state_dict() == {}
    assert list(loss.parameters()) == []
    assert not any(module.training for module in loss.train().backbone.modules())
    loss.to(torch.float64)
    assert loss.backbone.net.features[0].weight.dtype == torch.float64
    before = Perceptual("squeezenet1_0", LAYERS, weights).to(torch.float64)
    before.setup()
    assert before.backbone.net.features[0].weight.dtype == torch.float64


def test_the_constructor_reads_nothing_and_setup_reads_once(tmp_path, reference):
    path = tmp_path / "later.safetensors"
    loss = Perceptual("squeezenet1_0", LAYERS, path)
    with pytest.raises(InpaintkitError, match=r"call setup\(\)"):
        loss(sample_of()[0])
    with pytest.raises(CheckpointError, match=r"later\.safetensors is missing"):
        loss.setup()
    save_file(reference.state_dict(), path)
    method = Method()
    method.loss = loss
    method.setup()
    path.unlink()
    method.setup()
    assert loss(sample_of()[0]) > 0


def test_a_damaged_file_and_one_of_another_network_are_told_apart(tmp_path, reference):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"\x10\0\0\0\0\0\0\0 not safetensors")
    with pytest.raises(CheckpointError, match="is not a readable safetensors file"):
        Perceptual("squeezenet1_0", LAYERS, path).setup()
    state = reference.state_dict()
    del state["features.0.bias"]
    state["features.0.weight"] = torch.zeros(64, 3, 3, 3)
    state["stem.weight"] = torch.zeros(2)
    save_file(state, path)
    with pytest.raises(CheckpointError) as caught:
        Perceptual("squeezenet1_0", LAYERS, path).setup()
    assert str(caught.value).splitlines()[0].endswith("does not fit torchvision/squeezenet1_0:")
    assert "1 missing in the file: features.0.bias" in str(caught.value)
    assert "1 of another shape: features.0.weight: [64, 3, 3, 3] in the file, [96, 3, 7, 7] here" in str(caught.value)
    assert "1 only in the file: stem.weight\n" in str(caught.value)  # not the classifier, which is not used


def test_weights_of_the_layers_in_use_are_enough(tmp_path, reference, weights):
    few = {key: value for key, value in reference.state_dict().items() if key.split(".")[1] in ("0", "3")}
    save_file(few, tmp_path / "few.safetensors")
    a = Perceptual("squeezenet1_0", ["fire2"], tmp_path / "few.safetensors")
    b = Perceptual("squeezenet1_0", ["fire2"], weights)
    a.setup()
    b.setup()
    torch.testing.assert_close(a(sample_of()[0]), b(sample_of()[0]))


def test_random_weights_warn_and_are_the_same_every_time():
    values = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        untouched = torch.get_rng_state()
        loss = Perceptual("squeezenet1_0", ["fire3"], "random")
        with pytest.warns(UserWarning, match="squeezenet1_0 has random weights"):
            loss.setup()
        assert torch.equal(torch.get_rng_state(), untouched)
        values.append(loss(sample_of()[0]))
    assert torch.equal(*values)
    assert values[0] > 0


def test_hub_reads_timms_cache_without_asking_the_network(tmp_path, monkeypatch, no_network):
    torch.manual_seed(3)
    theirs = timm.create_model("test_resnet.r160_in1k").eval()
    repository = tmp_path / "models--timm--test_resnet.r160_in1k"
    snapshot = repository / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    save_file(theirs.state_dict(), snapshot / "model.safetensors")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    backbone = Backbone("test_resnet.r160_in1k", ["layer1"], "hub")
    backbone.setup()
    torch.testing.assert_close(backbone.net.get_submodule("conv1.0").weight, theirs.conv1[0].weight.detach())


def test_hub_reads_torchs_cache_without_asking_the_network(tmp_path, monkeypatch, no_network, reference):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(reference.state_dict(), folder / models.SqueezeNet1_0_Weights.DEFAULT.url.rpartition("/")[2])
    backbone = Backbone("squeezenet1_0", LAYERS, "hub")
    backbone.setup()
    torch.testing.assert_close(backbone.net.features[0].weight, reference.features[0].weight.detach())


@pytest.mark.parametrize(
    ("name", "fetch"),
    [
        ("vgg16.tv_in1k", "Fetch .*/timm/vgg16.tv_in1k/resolve/main/model.safetensors"),
        ("squeezenet1_0", r"Fetch https://.*/squeezenet1_0-\w+\.pth and put it into .*checkpoints"),
    ],
)
def test_hub_without_network_says_what_to_fetch_and_where_to_put_it(name, fetch, tmp_path, monkeypatch, no_network):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    loss = Perceptual(name, ["features.1"])
    start = time.perf_counter()
    with pytest.raises(CheckpointError, match=fetch) as caught:
        loss.setup()
    assert time.perf_counter() - start < 3
    assert str(tmp_path) in str(caught.value)
    assert ".safetensors" in str(caught.value)


def test_a_server_that_does_not_answer_is_given_up_after_seconds():
    import socket

    with socket.socket() as silent:  # takes the connection and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        start = time.perf_counter()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(weights_of, "TIMEOUT", 0.3)
            patch.setenv("no_proxy", "127.0.0.1")
            assert "timed out" in weights_of.unreachable(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.perf_counter() - start < 3
