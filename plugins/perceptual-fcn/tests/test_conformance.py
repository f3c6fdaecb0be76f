"""The plugin keeps inpaintkit's contract."""

from inpaintkit.testing import conformance

test_conformance = conformance(
    "perceptual-fcn", options={"dilated-fcn": {"width": 16}, "dcgan": {"size": 64, "width": 8}}
)
