"""Reading features out of a network: finding layers by name, running up to the last one, and removing the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from torch import Tensor, nn

from inpaintkit import OptionError
from inpaintkit.core.errors import did_you_mean


def for_reading(net: nn.Module) -> nn.Module:
    """Sets eval mode, and turns off in-place layers, which would overwrite the features before them."""
    for module in net.modules():
        if getattr(module, "inplace", False) is True:
            setattr(module, "inplace", False)  # noqa: B010
    return net.eval()


def find_layers(net: nn.Module, layers: Collection[str], network: str) -> list[str]:
    """The module path of each layer.

    Raises:
        OptionError: no layers, unknown ones, and two names for one layer.
    """
    if not layers:
        raise OptionError("name at least one layer", ("layers",))
    usual = usual_names(net)
    paths = [path for path, _ in net.named_modules() if path]
    found: list[str] = []
    wrong = []
    for index, layer in enumerate(layers):
        path = usual.get(layer, layer)
        if path not in paths:
            near = did_you_mean(layer, [*usual, *paths])
            known = ", ".join(usual) if usual else ", ".join(dict(net.named_children()))
            text = f"{network} has no layer {layer!r}{near}; it has {known}, and every path of a module"
            wrong.append(OptionError(text, option_path(layers, index)))
        elif path in found:
            twin = list(layers)[found.index(path)]
            wrong.append(OptionError(f"{layer!r} and {twin!r} are one layer of {network}", option_path(layers, index)))
        found.append(path)
    if wrong:
        raise OptionError.join(wrong)
    return found


def usual_names(net: nn.Module) -> dict[str, str]:
    """The names of the literature for the layers of VGG, AlexNet and SqueezeNet -> paths of modules.

    VGG: ``relu3_2`` is the second of the third block, likewise ``conv``, ``bn``, and ``pool3`` after the block.
    AlexNet: ``conv1`` to ``conv5``, ``relu1`` ... SqueezeNet: ``conv1``, ``relu1``, ``fire2`` to ``fire9``, and
    ``pool`` with the number of the layer before it.
    """
    family = type(net).__name__
    features = getattr(net, "features", None)
    if family not in ("VGG", "AlexNet", "SqueezeNet") or not isinstance(features, nn.Sequential):
        return {}
    vgg = family == "VGG"
    names: dict[str, str] = {}
    block, index = int(vgg), 0
    for number, layer in features.named_children():
        kind = type(layer).__name__
        path = f"features.{number}"
        if isinstance(layer, nn.MaxPool2d):
            names[f"pool{block}"] = path
            if vgg:
                block, index = block + 1, 0
            continue
        if kind in ("Conv2d", "Fire"):
            block, index = (block, index + 1) if vgg else (block + 1, 0)
        prefix = {"Conv2d": "conv", "BatchNorm2d": "bn", "ReLU": "relu", "Fire": "fire"}.get(kind)
        if prefix:
            names[f"{prefix}{block}_{index}" if vgg else f"{prefix}{block}"] = path
    return names


class _Stop(Exception):
    """Ends the forward pass after the last of the layers."""


def run_until(net: nn.Module, picture: Tensor, calls: Mapping[str, float]) -> dict[str, list[Any]]:
    """Runs ``net`` until each module of ``calls`` has run that many times; the outputs of each, by its path."""
    outputs: dict[str, list[Any]] = {path: [] for path in calls}

    def keep(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            outputs[path].append(output)
            if all(len(outputs[other]) >= count for other, count in calls.items()):
                raise _Stop

        return hook

    with ExitStack() as hooks:
        for path in calls:
            hooks.callback(net.get_submodule(path).register_forward_hook(keep(path)).remove)
        with suppress(_Stop):
            net(picture)
    return outputs


def tap(net: nn.Module, picture: Tensor, calls: Mapping[str, int]) -> list[Tensor]:
    """The features of the layers: of each module of ``calls`` the output of its last run."""
    return [outputs[calls[path] - 1] for path, outputs in run_until(net, picture, calls).items()]


def count_calls(
    net: nn.Module, picture: Tensor, layers: Mapping[str, str], given: Collection[str], network: str
) -> dict[str, int]:
    """The number of times that each layer runs in one forward pass, by its path.

    Args:
        layers: names -> paths.
        given: the option as the user wrote it, for the places of errors.

    Raises:
        OptionError: the network does not run on a picture, or layers that do not run or give no tensor.
    """
    try:
        outputs = run_until(net, picture, dict.fromkeys(layers.values(), math.inf))
    except Exception as error:
        text = f"{network} does not run on a {picture.shape[-2]} x {picture.shape[-1]} picture: {error}"
        raise OptionError(text, ("backbone",)) from error
    wrong = []
    for index, (layer, path) in enumerate(layers.items()):
        last = outputs[path][-1] if outputs[path] else None
        if not isinstance(last, Tensor):
            what = f"gives a {type(last).__name__}, not a tensor" if outputs[path] else "does not run"
            wrong.append(OptionError(f"layer {layer!r} of {network} {what}", option_path(given, index)))
    if wrong:
        raise OptionError.join(wrong)
    return {path: len(runs) for path, runs in outputs.items()}


def find_unused(net: nn.Module, picture: Tensor, calls: Mapping[str, int]) -> list[str]:
    """Paths of the modules that are not entered before the last layer has run.

    All modules below one that ran to its end are kept: it may use a child's weights without calling the child.
    """
    entered, finished = set[nn.Module](), set[nn.Module]()
    with ExitStack() as hooks:
        for module in net.modules():
            hooks.callback(module.register_forward_pre_hook(lambda module, args: entered.add(module)).remove)
            hooks.callback(module.register_forward_hook(lambda module, args, output: finished.add(module)).remove)
        tap(net, picture, calls)
    finished.update(net.get_submodule(path) for path in calls)  # the last one ended the pass in a hook before ours
    kept = {inner for module in finished for inner in module.modules()}
    return [
        path
        for path, module in net.named_modules(remove_duplicate=False)
        if module not in kept and entered.isdisjoint(module.modules())
    ]


def trim(net: nn.Module, unused: Sequence[str]) -> None:
    """Replaces modules by an ``Identity``: a forward pass may still look them up."""
    for path in reversed(unused):  # what lies below another one comes first
        parent, _, name = path.rpartition(".")
        setattr(net.get_submodule(parent), name, nn.Identity())


def freeze(net: nn.Module) -> nn.Module:
    """Turns parameters and buffers into buffers that are not in the ``state_dict``."""
    for module in net.modules():
        for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            delattr(module, name)
            module.register_buffer(name, tensor.detach(), persistent=False)
    return net


def option_path(layers: Collection[str], index: int) -> tuple[str | int, ...]:
    """The path of a layer in the options: lists have indices, mappings have names."""
    return ("layers", list(layers)[index] if isinstance(layers, Mapping) else index)
