"""Weights of feature networks: from a file, from a cache, or from the network where there is one."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..core.errors import CheckpointError

TIMEOUT = 4.0  # seconds to find out that there is no network


def read_file(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read as safetensors: {error}") from error


def read_weights(net: nn.Module, path: Path, name: str, known: Collection[str] = ()) -> None:
    """Loads a safetensors file into ``net``; other keys in it are left aside, ``known`` ones without a word.

    Raises:
        CheckpointError: the file is missing or damaged, or lacks weights or has them in other shapes: names them.
    """
    state, wanted = read_file(path), net.state_dict()
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    shapes = [key for key, tensor in wanted.items() if key in state and state[key].shape != tensor.shape]
    if missing or shapes:
        lines = [f"{path} does not fit {name}"]
        lines += [f"  missing: {_few([f'{key} {_shape(wanted[key])}' for key in missing])}"] * bool(missing)
        lines += [
            f"  other shapes: {_few([f'{key} is {_shape(state[key])}, not {_shape(wanted[key])}' for key in shapes])}"
        ] * bool(shapes)
        spare = [key for key in state if key not in wanted and key not in known]
        lines += [f"  unknown: {_few([f'{key} {_shape(state[key])}' for key in spare])}"] * bool(spare)
        raise CheckpointError("\n".join(lines))
    net.load_state_dict({key: state[key] for key in wanted if key in state}, strict=False)


def timm_weights(name: str) -> dict[str, Any]:
    """What timm is told so that it reads the weights of ``name`` from this machine.

    They are looked for in the caches first: timm itself asks the network even for what it has, and without one retries
    for most of a minute.

    Raises:
        CheckpointError: not in the cache, and not to be had; says what to fetch and where to put it.
    """
    import timm
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

    config = timm.get_pretrained_cfg(name)
    repository = config.hf_hub_id if config else None
    if not config or not (repository or isinstance(config.url, str)):
        raise CheckpointError(f"timm has no pretrained weights of {name}: give a .safetensors file")
    if not repository:
        return {"state_dict": url_weights(name, str(config.url))}
    file = config.hf_hub_filename or "model.safetensors"
    cached = try_to_load_from_cache(repository, file)
    if isinstance(cached, str):
        return {"file": cached}
    fetch = (
        f"Fetch {constants.ENDPOINT}/{repository}/resolve/main/{file} and name the file in `pretrained`, or run "
        f"`hf download {repository} {file}` where there is a network and copy its cache to {constants.HF_HUB_CACHE}"
    )
    reason = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else unreachable(constants.ENDPOINT)
    if not reason:
        try:
            return {"file": hf_hub_download(repository, file)}
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
    raise CheckpointError(f"the weights of {name} are not on this machine and cannot be fetched ({reason}). {fetch}")


def torchvision_weights(model: str, tag: str = "") -> dict[str, Tensor]:
    """The weights that torchvision publishes for a model, from torch's cache or downloaded.

    Raises:
        CheckpointError: not in the cache, and not to be had; says what to fetch and where to put it.
    """
    from torchvision.models import get_model_weights  # type: ignore[import-untyped]

    choices = get_model_weights(model)
    if not len(choices):
        raise CheckpointError(f"torchvision has no pretrained weights of {model}: give a .safetensors file")
    weights: Any = choices[tag] if tag else choices.DEFAULT
    return url_weights(f"torchvision/{model}", weights.url)


def url_weights(name: str, url: str) -> dict[str, Tensor]:
    """The tensors behind a URL, kept in torch's cache; read with ``weights_only``, so that no code in it runs."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    cached = folder / url.rpartition("/")[2]
    reason = "" if cached.exists() else unreachable(url)
    if not reason:
        try:
            state: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
                url, map_location="cpu", check_hash=True, weights_only=True
            )
            return state
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
    raise CheckpointError(
        f"the weights of {name} are not on this machine and cannot be fetched ({reason}). "
        f"Fetch {url} and put it into {folder}, or name a .safetensors file in `pretrained`"
    )


def unreachable(url: str) -> str:
    """Why a server cannot be reached, after a few seconds at most; "" when it answers, whatever it says."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=TIMEOUT).close()
    except urllib.error.HTTPError:
        return ""
    except (OSError, ValueError) as error:  # URLError, time-outs, certificates
        return f"no connection to {url}: {getattr(error, 'reason', error)}"
    return ""


def _few(items: list[str], count: int = 6) -> str:
    more = f" and {len(items) - count} more" if len(items) > count else ""
    return ", ".join(items[:count]) + more


def _shape(tensor: Tensor) -> str:
    return "x".join(str(side) for side in tensor.shape) or "scalar"
