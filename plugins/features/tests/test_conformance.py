"""The plugin keeps inpaintkit's contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
from torchvision.models import squeezenet1_1

from inpaintkit.testing import conformance


def lpips_weights(folder: Path) -> dict[str, Any]:
    """A network of random weights: what LPIPS must do does not depend on their values."""
    save_file(squeezenet1_1(weights=None).state_dict(), folder / "squeezenet.safetensors")
    return {"net": "squeeze", "pretrained": folder / "squeezenet.safetensors"}


FEATURES = {"backbone": "squeezenet1_0", "layer": "fire4", "pretrained": "random", "size": None}

test_conformance = pytest.mark.filterwarnings("ignore:.*has random weights")(
    conformance(
        "features",
        options={
            "perceptual": {"backbone": "squeezenet1_0", "layers": ["relu1", "fire4"], "pretrained": "random"},
            "kid": FEATURES,
            "fid": FEATURES,
            "lpips": lpips_weights,
            "feature-distance": {"backbone": "squeezenet1_0", "layers": ["relu1", "fire4"], "pretrained": "random"},
        },
        size=32,
    )
)
