"""The plugin keeps inpaintkit's contract."""

from inpaintkit.testing import conformance

test_conformance = conformance(
    "neural-features",
    options={
        "neural-features": {"size": 24},
        "neural-features-global": {"size": 24},
        "neural-features-local": {"size": 24},
    },
)
