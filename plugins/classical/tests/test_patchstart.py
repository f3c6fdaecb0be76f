"""The smooth start, the weights of hidden pixels and the contrast features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from inpaintkit_classical.patchstart import contrast, smooth, worth
from scipy.ndimage import distance_transform_cdt

from .toys import centered


def test_worth_falls_with_the_depth_in_the_hole() -> None:
    hole = centered(17, 15, 9, count=2)
    hole[1, :, :, :5] = 1
    for plane, found in zip(hole[:, 0].numpy(), worth(hole)[:, 0], strict=True):
        depth = distance_transform_cdt(plane, metric="chessboard").astype(np.float64)
        np.testing.assert_allclose(found, 1.3**-depth, rtol=1e-5)


def test_smooth_start_is_within_the_known_colors_and_keeps_a_slope() -> None:
    hole = centered(32, 32, 12)
    slope = torch.linspace(-1, 1, 32).expand(1, 3, 32, 32)
    filled = smooth(slope * (1 - hole), hole, rounds=40)
    assert torch.equal(filled * (1 - hole), slope * (1 - hole))
    assert (filled - slope).abs().max() < 0.06  # a slope is what satisfies Laplace's equation
    noise = torch.rand(2, 3, 9, 7)
    most = torch.where(hole[..., 8:17, 8:15].bool(), -1, noise).amax((2, 3), keepdim=True)
    assert (smooth(noise * (1 - hole[..., 8:17, 8:15]), hole[..., 8:17, 8:15].expand(2, -1, -1, -1)) <= most).all()


def test_contrast_is_the_mean_over_known_pairs() -> None:
    hole = centered(9, 8, 3)
    torch.manual_seed(0)
    image = torch.rand(1, 3, 9, 8) * (1 - hole)
    found, gray, hidden = contrast(image, hole, 2)[0].numpy(), image[0].mean(0).numpy(), hole[0, 0].numpy()
    for row in range(9):
        for column in range(8):
            for axis, (down, right) in enumerate([(1, 0), (0, 1)]):
                pairs = [
                    abs(gray[r + down, c + right] - gray[r, c])
                    for r in range(max(0, row - 2), min(9, row + 3))
                    for c in range(max(0, column - 2), min(8, column + 3))
                    if r + down < 9 and c + right < 8 and not hidden[r, c] and not hidden[r + down, c + right]
                ]
                expected = 0 if hidden[row, column] or not pairs else np.mean(pairs)
                assert found[axis, row, column] == pytest.approx(expected, abs=1e-5)
