"""The plugin keeps inpaintkit's contract."""

from inpaintkit.testing import conformance

SMALL = {"use": "unet", "widths": [4, 6], "blocks": [1, 1]}
test_conformance = conformance(
    "photo",
    options={
        "unet": {"widths": [4, 6, 8], "blocks": [1, 1, 1]},
        "residual": {"generator": SMALL, "levels": 1},
        "photo-patch": {"width": 4},
    },
)
