"""The plugin keeps inpaintkit's contract."""

import pytest

from inpaintkit.testing import conformance

pytest.importorskip("cv2", reason="telea and navier-stokes need OpenCV")

test_conformance = conformance(
    "classical",
    options={
        "total-variation": {"iterations": 20},
        "low-rank": {"max_rank": 2, "trials": 2, "growth": 1.5},
    },
)
