"""Frozen feature networks of timm and torchvision, and the features of their named layers."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import attrs
import torch
from torch import Tensor, nn

from inpaintkit import InpaintkitError, OptionError
from inpaintkit.core.errors import did_you_mean
from inpaintkit.runtime import seed_of

from .packaged import Package, package_of, package_weights
from .pretrained import read_weights, timm_weights, torchvision_weights
from .taps import count_calls, find_layers, find_unused, for_reading, freeze, tap, trim

Pretrained = Literal["hub", "package", "random"] | Path


@attrs.frozen
class Network:
    """The name of a network: the library that defines it, the model, and which of its pretrained weights."""

    library: Literal["timm", "torchvision"]
    model: str
    tag: str  # "" is the library's default

    @property
    def name(self) -> str:
        return f"{self.model}.{self.tag}" if self.tag else self.model

    def __str__(self) -> str:
        return f"{self.library}/{self.name}"


def find_network(name: str) -> Network:
    """Looks a name up in timm, then in torchvision; ``timm/`` or ``torchvision/`` before it picks one of them.

    A tag after a dot picks among several pretrained weights: ``vgg16.tv_in1k``, ``torchvision/resnet50.IMAGENET1K_V1``.

    Raises:
        OptionError: neither library has such a model, or the model has no such weights.
    """
    import timm
    from torchvision import models  # type: ignore[import-untyped]

    library, _, bare = name.rpartition("/")
    model, _, tag = bare.partition(".")
    if library not in ("", "timm", "torchvision"):
        text = f"{library!r} is not a library of networks: write timm/{bare} or torchvision/{bare}"
        raise OptionError(text, ("backbone",))
    torchvision_models = models.list_models(module=models)
    if library in ("", "timm") and timm.is_model(model):
        tags = [known.partition(".")[2] for known in timm.list_models(f"{model}.*", pretrained=True)]
        network = Network("timm", model, tag)
    elif library in ("", "torchvision") and model in torchvision_models:
        tags = [weights.name for weights in models.get_model_weights(model)]
        network = Network("torchvision", model, tag)
    else:
        known = {"timm": timm.list_models(), "torchvision": torchvision_models}
        known[""] = known["timm"] + torchvision_models
        where = f"{library} has no" if library else "neither timm nor torchvision has a"
        raise OptionError(f"{where} network {model!r}{did_you_mean(model, known[library])}", ("backbone",))
    if tag and tag not in tags:
        text = f"{network.library} has no weights {tag!r} of {model}{did_you_mean(tag, tags)}; it has {', '.join(tags)}"
        raise OptionError(text, ("backbone",))
    return network


class Backbone(nn.Module):
    """The features of a frozen network: ``forward(image) -> [features of each layer]``.

    ``image`` is (B, 3, H, W) in [-1, 1]; it is normalized by the mean and deviation that the network was trained with.
    Weights are buffers outside the ``state_dict``: they follow ``.to()``, are in no optimizer and in no checkpoint. The
    network is always in eval mode. What comes after the last of the layers is neither kept nor run.

    The constructor reads no weights; until :meth:`setup` the network runs on the meta device only.

    Args:
        name: a network of timm or torchvision, see :func:`find_network`.
        layers: usual names (``relu3_3`` of a VGG, ``relu3`` of AlexNet, ``relu1`` and ``fire2`` to ``fire9`` of a
            SqueezeNet) or paths of modules (``features.12``, ``layer2.0``). A module that runs several times gives the
            output of its last run.
        pretrained: ``hub``: the library's weights, from its cache or downloaded; ``package``: those of an installed
            package, which ``tf_efficientnet_lite0`` has; ``random``: the library's own initialization with a fixed
            seed; or the path of a ``.safetensors`` file with the network's keys.

    Raises:
        OptionError: an unknown network, layer or kind of weights, at ``backbone``, ``layers`` or ``pretrained``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, layers: Collection[str], pretrained: Pretrained | str = "hub") -> None:
        super().__init__()
        wrong: list[OptionError] = []
        with collecting(wrong):
            self.pretrained = check_pretrained(pretrained)
        with collecting(wrong):
            self.network = find_network(name)
            with torch.device("meta"):
                blueprint = for_reading(build(self.network))
            self.layers = dict(zip(layers, find_layers(blueprint, layers, str(self.network)), strict=True))
        if wrong:
            raise OptionError.join(wrong)
        self.package: Package | None = None
        if self.pretrained == "package":
            self.package = package_of(self.network.library, self.network.name)
        mean, std, side = expected_input(self.network, blueprint, self.package)
        picture = torch.empty(1, 3, side, side, device="meta")
        self.calls = count_calls(blueprint, picture, self.layers, layers, str(self.network))
        self.unused = find_unused(blueprint, picture, self.calls)
        trim(blueprint, self.unused)
        self.shapes = {
            layer: tuple(feature.shape[1:])
            for layer, feature in zip(self.layers, tap(blueprint, picture, self.calls), strict=True)
        }
        self._blueprint: tuple[nn.Module, ...] = (freeze(blueprint),)  # in a tuple, so that .to() leaves it on meta
        self.net: nn.Module | None = None
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def setup(self) -> None:
        """Reads the weights, once; a network on the meta device needs none.

        Raises:
            CheckpointError: the weights are missing, cannot be downloaded, or do not fit; says what to fetch.
        """
        if self.net is not None or self.mean.is_meta:
            return
        # Initialization draws random numbers: from a fixed seed, without advancing the run's own generator.
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.manual_seed(seed_of("backbone", str(self.network)))
            net = for_reading(self._build_with_weights())
        known = net.state_dict().keys()
        trim(net, self.unused)
        if isinstance(self.pretrained, Path):
            read_weights(net, self.pretrained, str(self.network), known)
        elif self.pretrained == "random":
            text = f"{self.network} has random weights: its features are not those of the literature"
            warnings.warn(text, stacklevel=2)
        self.net = freeze(net).to(self.mean.device, self.mean.dtype)
        self._blueprint = ()

    def _build_with_weights(self) -> nn.Module:
        if self.package is not None:
            net = build(self.network)
            net.load_state_dict(package_weights(net, self.package))
            return net
        if self.pretrained != "hub":
            return build(self.network)
        if self.network.library == "timm":
            return build(self.network, pretrained=True, pretrained_cfg_overlay=timm_weights(self.network.name))
        state = torchvision_weights(self.network.model, self.network.tag)
        net = build(self.network)
        net.load_state_dict(state)
        return net

    def check_maps(self, option: str, advice: str) -> None:
        """Refuses layers whose features have no height and width.

        Args:
            option: where the error belongs.
            advice: what to do instead.

        Raises:
            OptionError: names those layers.
        """
        # The shapes are those of a square picture: in a map (C, H, W), height and width are equal.
        flat = [name for name, shape in self.shapes.items() if len(shape) != 3 or shape[1] != shape[2]]
        if flat:
            raise OptionError(f"features of {', '.join(flat)} are not maps (C, H, W): {advice}", (option,))

    @property
    def variant(self) -> tuple[str, ...]:
        """For the labels of metrics: ``package``, ``random`` or the name of the file; empty for the library's own."""
        if isinstance(self.pretrained, Path):
            return (self.pretrained.stem,)
        return () if self.pretrained == "hub" else (self.pretrained,)

    def train(self, mode: bool = True) -> Backbone:
        return super().train(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        net = self.net
        if net is None:
            if not image.is_meta:
                raise InpaintkitError(f"the weights of {self.network} are not loaded: call setup() first")
            net = self._blueprint[0]
        picture = ((image.to(self.mean.dtype) + 1) / 2 - self.mean) / self.std
        return tap(net, picture, self.calls)

    def extra_repr(self) -> str:
        return f"{self.network}, layers={list(self.layers)}, pretrained={self.pretrained}"


@contextmanager
def collecting(wrong: list[OptionError]) -> Iterator[None]:
    """Adds an OptionError of the block to ``wrong``, so that several can be raised together."""
    try:
        yield
    except OptionError as error:
        wrong.append(error)


def check_pretrained(pretrained: Pretrained | str) -> Pretrained:
    """``hub``, ``package``, ``random``, or the path of a ``.safetensors`` file, which need not exist yet.

    Raises:
        OptionError: anything else, for example a ``.pth``, which can run code when it is read.
    """
    if pretrained == "hub":
        return "hub"
    if pretrained == "package":
        return "package"
    if pretrained == "random":
        return "random"
    path = Path(pretrained)
    if path.suffix != ".safetensors":
        hint = did_you_mean(str(pretrained), ["hub", "package", "random"])
        given = str(pretrained)
        text = f"pretrained is 'hub', 'package', 'random' or the path of a .safetensors file, not {given!r}{hint}"
        raise OptionError(text, ("pretrained",))
    return path


def build(network: Network, **options: Any) -> nn.Module:
    """The network as its library builds it, on the current default device."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the libraries
        if network.library == "timm":
            import timm

            net: nn.Module = timm.create_model(network.name, **options)
            return net
        from torchvision import models

        # Both were trained with transformed inputs; torchvision sets this only together with its own weights.
        if network.model in ("inception_v3", "googlenet"):
            options |= {"transform_input": True, "init_weights": False}
        net = models.get_model(network.model, weights=None, **options)
        return net


def expected_input(
    network: Network, net: nn.Module, package: Package | None
) -> tuple[tuple[float, ...], tuple[float, ...], int]:
    """Mean, deviation and side of the pictures that a network was trained with."""
    from timm import data

    if network.library == "timm":
        config: dict[str, Any] = data.resolve_model_data_config(net)  # type: ignore
        mean, std = config["mean"], config["std"]
        if package is not None:
            mean, std = (package.mean,) * 3, (package.std,) * 3
        return mean, std, max(config["input_size"][1:])
    return (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 299 if network.model == "inception_v3" else 224  # ImageNet's
