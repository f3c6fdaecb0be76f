"""Taps into a network: which layers there are, running it up to the last of some, and leaving out the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor, nn

from ..core.errors import OptionError, did_you_mean


def prepared(net: nn.Module) -> nn.Module:
    """In eval mode, and without layers that overwrite the features that are tapped before them."""
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
    for place, layer in enumerate(layers):
        path = usual.get(layer, layer)
        if path not in paths:
            near = did_you_mean(layer, [*usual, *paths])
            known = ", ".join(usual) if usual else ", ".join(dict(net.named_children()))
            text = f"{network} has no layer {layer!r}{near}; it has {known}, and whatever is a path of a module"
            wrong.append(OptionError(text, _at(layers, place)))
        elif path in found:
            twin = list(layers)[found.index(path)]
            wrong.append(OptionError(f"{layer!r} and {twin!r} are one layer of {network}", _at(layers, place)))
        found.append(path)
    if wrong:
        raise OptionError.join(wrong)
    return found


def usual_names(net: nn.Module) -> dict[str, str]:
    """The names that the literature has for the layers of VGG, AlexNet and SqueezeNet -> paths of modules.

    VGG: ``relu3_2`` is the second of the third block, likewise ``conv``, ``bn``, and ``pool3`` after the block.
    AlexNet: ``conv1`` to ``conv5``, ``relu1`` ... SqueezeNet: ``conv1``, ``relu1``, ``fire2`` to ``fire9``, and
    ``pool`` with the number of the layer before it.
    """
    family = type(net).__name__
    features = getattr(net, "features", None)
    if family not in ("VGG", "AlexNet", "SqueezeNet") or not isinstance(features, nn.Sequential):
        return {}
    names: dict[str, str] = {}
    block, index = (1, 0) if family == "VGG" else (0, 0)
    for place, layer in features.named_children():
        at = f"features.{place}"
        kind = type(layer).__name__
        if isinstance(layer, nn.MaxPool2d):
            names[f"pool{block}"] = at
            if family == "VGG":
                block, index = block + 1, 0
            continue
        if kind in ("Conv2d", "Fire"):
            block, index = (block, index + 1) if family == "VGG" else (block + 1, 0)
        prefix = {"Conv2d": "conv", "BatchNorm2d": "bn", "ReLU": "relu", "Fire": "fire"}.get(kind)
        if prefix:
            names[f"{prefix}{block}_{index}" if family == "VGG" else f"{prefix}{block}"] = at
    return names


class _Done(Exception):
    """Ends the forward pass behind the last layer that is asked for."""


def tap(net: nn.Module, picture: Tensor, calls: Mapping[str, int]) -> list[Tensor]:
    """Runs ``net`` until each module of ``calls`` has run that many times; the outputs of those runs."""
    found: dict[str, Tensor] = {}
    left = dict(calls)

    def keep(path: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Tensor) -> None:
            left[path] -= 1
            if left[path] == 0:
                found[path] = output
                if len(found) == len(calls):
                    raise _Done

        return hook

    handles = [net.get_submodule(path).register_forward_hook(keep(path)) for path in calls]
    try:
        net(picture)
    except _Done:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return [found[path] for path in calls]


def count_calls(
    net: nn.Module, picture: Tensor, layers: Mapping[str, str], asked: Collection[str], network: str
) -> dict[str, int]:
    """How often each layer runs in one forward pass, by its path.

    Raises:
        OptionError: the network does not run on a picture, or layers that do not run or give no tensor.
    """
    calls = dict.fromkeys(layers.values(), 0)
    given: dict[str, Any] = {}

    def count(path: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            calls[path] += 1
            given[path] = output

        return hook

    handles = [net.get_submodule(path).register_forward_hook(count(path)) for path in calls]
    try:
        net(picture)
    except Exception as error:
        text = f"{network} does not run on a {picture.shape[-2]} x {picture.shape[-1]} picture: {error}"
        raise OptionError(text, ("backbone",)) from error
    finally:
        for handle in handles:
            handle.remove()
    wrong = []
    for place, (layer, path) in enumerate(layers.items()):
        if not isinstance(given.get(path), Tensor):
            what = f"gives a {type(given[path]).__name__}, not a tensor" if path in given else "does not run"
            wrong.append(OptionError(f"layer {layer!r} of {network} {what}", _at(asked, place)))
    if wrong:
        raise OptionError.join(wrong)
    return calls


def find_unused(net: nn.Module, picture: Tensor, calls: Mapping[str, int]) -> list[str]:
    """Paths of the modules that are not reached before the last layer has run.

    Below a module that ran to its end everything stays: it may use a child's weights without calling it.
    """
    entered, finished = set[nn.Module](), set[nn.Module]()
    handles = []
    for module in net.modules():
        handles.append(module.register_forward_pre_hook(lambda module, args: entered.add(module)))
        handles.append(module.register_forward_hook(lambda module, args, output: finished.add(module)))
    for path in calls:  # the last one ends the pass before its own hook above would tell
        finished.add(net.get_submodule(path))
    try:
        tap(net, picture, calls)
    finally:
        for handle in handles:
            handle.remove()
    unused = []

    def visit(module: nn.Module, path: str) -> None:
        for name, child in module.named_children():
            at = f"{path}.{name}" if path else name
            if not any(inner in entered for inner in child.modules()):
                unused.append(at)
            elif child not in finished:
                visit(child, at)

    if net not in finished:
        visit(net, "")
    return unused


def trim(net: nn.Module, unused: Collection[str]) -> None:
    """Takes modules out by their paths; something stands in for each, because a forward may still look them up."""
    for path in unused:
        parent, _, name = path.rpartition(".")
        setattr(net.get_submodule(parent), name, nn.Identity())


def freeze(net: nn.Module) -> nn.Module:
    """Turns parameters and buffers into buffers that no ``state_dict`` holds."""
    for module in net.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, parameter.detach(), persistent=False)
        for name, buffer in list(module.named_buffers(recurse=False)):
            module.register_buffer(name, buffer, persistent=False)
    return net


def _at(layers: Collection[str], place: int) -> tuple[str | int, ...]:
    """Where in the options a layer stands: a list has places, a mapping has names."""
    return ("layers", list(layers)[place] if isinstance(layers, Mapping) else place)
