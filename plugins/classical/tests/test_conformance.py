"""The plugin keeps inpaintkit's contract."""

import pytest

from inpaintkit.testing import conformance

pytest.importorskip("cv2", reason="telea and navier-stokes need OpenCV")

test_conformance = conformance("classical", options={"total-variation": {"iterations": 20}})
