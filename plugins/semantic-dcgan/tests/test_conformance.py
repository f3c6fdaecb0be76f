"""The plugin keeps inpaintkit's contract."""

from inpaintkit.testing import conformance

test_conformance = conformance(
    "semantic-dcgan",
    options={
        "dcgan-latent": {"size": 16, "width": 4},
        "dcgan-patch": {"size": 32, "width": 4, "hidden": 8},
        "latent-search": {
            "generator": {"use": "dcgan-latent", "size": 32, "width": 4},
            "critics": {
                "image": {
                    "net": {"use": "dcgan-patch", "size": 32, "width": 4, "hidden": 8},
                    "on": "output",
                    "objective": "non-saturating",
                }
            },
            "stages": [{"name": "all", "steps": 3, "weights": {"image": 1}}],
            "search": {"steps": 4, "restarts": 2, "preview": 2},
        },
    },
)
