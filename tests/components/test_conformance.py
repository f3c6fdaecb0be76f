"""The builtins keep the contract that plugins keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from inpaintkit.components.kornia_names import KORNIA
from inpaintkit.testing import conformance


def mask_files(folder: Path) -> dict[str, Any]:
    """Three masks of other sizes than the pictures."""
    for number in range(3):
        white = np.zeros((20 + number, 30), np.uint8)
        white[2 + number : 9, 3 : 12 + number] = 255
        Image.fromarray(white).save(folder / f"{number}.png")
    return {"path": folder, "hole": "white"}


ADVERSARIAL = {
    "generator": {"use": "dilated-fcn", "width": 8},
    "losses": {"pixels": {"use": "l1"}, "smooth": {"use": "total-variation"}},
    "critics": {
        "image": {"net": {"use": "dcgan", "size": 32, "width": 4}, "objective": {"use": "non-saturating"}},
        "output": {"net": {"use": "dcgan", "size": 32, "width": 4}, "objective": {"use": "hinge"}, "on": "output"},
    },
    "stages": [
        {"name": "coarse", "steps": 2, "weights": {"pixels": 1}},
        {"name": "warm", "steps": 2, "weights": {"pixels": 1, "image": 0}},
        {
            "name": "fine",
            "steps": 8,
            "generator_every": 2,
            "weights": {
                "pixels": 1,
                "smooth": {"start": 0.1, "end": 0.2, "over": 4},
                "image": {"match": "pixels", "scale": 0.1, "hold": 2},
                "output": 0.1,
            },
        },
    ],
    "ema": 0.9,
    "clip": 1.0,
    "accumulate": 2,
}

test_conformance = conformance(
    "inpaintkit",
    options={
        "multi-scale": {"loss": "l1"},
        "center-square": {"side": 24},
        "random-square": {"min": 12, "max": 32},
        "random-rectangles": {"min": 8, "max": 24, "most": 3},
        "random-pixels": {"ratio": 0.8},
        "mixture": {"samplers": [{"use": "center-square", "side": 24}, "strokes"], "weights": [1, 2]},
        "files": mask_files,
        "adversarial": ADVERSARIAL,
        "poisson-blended": {"method": {"use": "adversarial", **ADVERSARIAL}},
    },
    without=dict.fromkeys(KORNIA, "a class of kornia, not ours"),
    size=32,
)
