"""The plugin keeps inpaintkit's contract."""

from inpaintkit.testing import conformance

SMALL = {"use": "dual-path", "base": 4}
CRITIC = {"net": {"use": "dual-path-patch", "base": 4}, "objective": "wgan-gp"}

test_conformance = conformance(
    "dual-path",
    options={
        "generator/dual-path": {"base": 4},
        "dual-path-patch": {"base": 8},
        "method/dual-path": {
            "generator": SMALL,
            "reconstruction": True,
            "losses": {
                "l1_reconstruction": {"use": "multi-scale", "on": "reconstruction", "loss": "l1"},
                "l1": {"use": "multi-scale", "loss": "l1"},
            },
            "critics": {
                "reconstruction": {**CRITIC, "on": "reconstruction"},
                "generation": {**CRITIC, "on": ["output", "completed"]},
            },
            "stages": [
                {
                    "name": "both",
                    "steps": 10,
                    "generator_every": 2,
                    "weights": {"l1_reconstruction": 20, "l1": 20, "reconstruction": 1, "generation": 1},
                }
            ],
        },
    },
)
