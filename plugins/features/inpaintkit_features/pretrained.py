"""Weights of feature networks: from a file, a cache, or a download."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from inpaintkit import CheckpointError
from inpaintkit.runtime import key_difference, read_tensors

Fetched = TypeVar("Fetched")
TIMEOUT = 4.0  # seconds to find out that there is no network


def read_weights(net: nn.Module, path: Path, name: str, known: Collection[str] = ()) -> None:
    """Loads a safetensors file into ``net``; other keys in it are ignored.

    ``known``: keys of the full network that ``net`` does not use; an error message does not list them as unknown.

    Raises:
        CheckpointError: the file is missing or damaged, or keys are missing or have other shapes; names them.
    """
    found, wanted = read_tensors(path), net.state_dict()
    needed = {key: value for key, value in wanted.items() if key in found or not key.endswith("num_batches_tracked")}
    if key_difference(needed, found, partly=True):
        unknown = {key: value for key, value in found.items() if key in needed or key not in known}
        raise CheckpointError(f"{path} does not fit {name}:\n{key_difference(needed, unknown)}")
    net.load_state_dict({key: found[key] for key in needed}, strict=False)


def timm_weights(name: str) -> dict[str, Any]:
    """Options with which timm reads the weights of ``name`` from a local file.

    The caches are tried first: timm itself contacts the server even for cached files, and without a network it retries
    for most of a minute.

    Raises:
        CheckpointError: not cached, and the download failed; says what to fetch and where to put it.
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
    hint = (
        f"Fetch {constants.ENDPOINT}/{repository}/resolve/main/{file} and name the file in `pretrained`, or run "
        f"`hf download {repository} {file}` where there is a network and copy its cache to {constants.HF_HUB_CACHE}"
    )
    obstacle = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else unreachable(constants.ENDPOINT)
    return {"file": fetched(name, lambda: hf_hub_download(repository, file), obstacle, hint)}


def torchvision_weights(model: str, tag: str = "") -> dict[str, Tensor]:
    """The weights that torchvision publishes for a model, from torch's cache or downloaded.

    Raises:
        CheckpointError: not cached, and the download failed; says what to fetch and where to put it.
    """
    from torchvision.models import get_model_weights  # type: ignore[import-untyped]

    choices = get_model_weights(model)
    if not len(choices):
        raise CheckpointError(f"torchvision has no pretrained weights of {model}: give a .safetensors file")
    weights: Any = choices[tag] if tag else choices.DEFAULT
    return url_weights(f"torchvision/{model}", weights.url)


def url_weights(name: str, url: str) -> dict[str, Tensor]:
    """The tensors behind a URL, kept in torch's cache; read with ``weights_only``, so that no code in the file runs."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    read = partial(torch.hub.load_state_dict_from_url, url, map_location="cpu", check_hash=True, weights_only=True)
    hint = f"Fetch {url} and put it into {folder}, or name a .safetensors file in `pretrained`"
    return fetched(name, read, "" if (folder / Path(url).name).exists() else unreachable(url), hint)


def fetched(name: str, fetch: Callable[[], Fetched], obstacle: str, hint: str) -> Fetched:
    """The weights that ``fetch`` returns, unless there is an obstacle; errors end with the hint."""
    if not obstacle:
        try:
            return fetch()
        except Exception as error:
            obstacle = f"{type(error).__name__}: {error}"
    raise CheckpointError(f"the weights of {name} are not on this machine and cannot be fetched ({obstacle}). {hint}")


def unreachable(url: str) -> str:
    """Why a server cannot be reached, after ``TIMEOUT`` seconds at most; "" when it answers, whatever the status."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=TIMEOUT).close()
    except urllib.error.HTTPError:
        return ""
    except (OSError, ValueError) as error:  # URLError, time-outs, certificates
        return f"no connection to {url}: {getattr(error, 'reason', error)}"
    return ""
