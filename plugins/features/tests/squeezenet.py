"""Features of a SqueezeNet by hand, and pictures to take them of; its weights are in conftest.py."""

from __future__ import annotations

import torch

from inpaintkit import Batch, Sample

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
LAYERS = ["relu1", "fire3", "fire5"]


def sample_of(side=40, count=2, grad=False):
    rng = torch.Generator().manual_seed(0)
    image, output = (torch.rand(count, 3, side, side, generator=rng) * 2 - 1 for _ in range(2))
    mask = torch.zeros(count, 1, side, side)
    mask[0, :, 8:20, 10:25] = 1
    mask[1, :, 20:36, 4:12] = 1
    output.requires_grad_(grad)
    return Sample.of(Batch(image, mask), output), output


def features_of(net, picture):
    """relu1, fire3 and fire5 of torchvision's SqueezeNet 1.0, by walking its layers."""
    x = ((picture + 1) / 2 - MEAN) / STD
    found = []
    for place, layer in enumerate(net.features):
        x = layer(x)
        if place in (1, 4, 7):
            found.append(x.clone())  # the libraries' ReLUs overwrite their inputs
    return found
