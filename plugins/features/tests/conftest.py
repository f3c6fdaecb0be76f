"""A SqueezeNet and its weights, made from nothing."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models


@pytest.fixture(scope="module")
def reference():
    """torchvision's own SqueezeNet."""
    torch.manual_seed(5)
    return models.squeezenet1_0(weights=None).eval()


@pytest.fixture(scope="module")
def weights(reference, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "squeezenet.safetensors"
    save_file(reference.state_dict(), path)
    return path
