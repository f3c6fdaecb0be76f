"""The strips of pictures that a report shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from inpaintkit.core.plugins import Plugins
from inpaintkit.evaluation.pictures import strip
from inpaintkit.evaluation.protocol import load_protocol
from inpaintkit.evaluation.testset import TestSet

from .toys import SIDE, read, tree


def test_strips_of_large_pictures_have_wider_gaps(plugins: Plugins, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    Image.new("RGB", (96, 96), (10, 20, 30)).save(folder / "a.png")
    test_set = TestSet.open(load_protocol(tree(), plugins), folder)
    content = strip(test_set.batch([0]), [np.zeros((3, 96, 96), np.uint8)])
    (tmp_path / "strip.png").write_bytes(content)
    assert read(tmp_path / "strip.png").shape == (96, 4 * 96 + 3 * 3, 4)


def test_baselines_are_shown_inside_the_hole_only_before_the_truth(
    plugins: Plugins, test_set: TestSet, tmp_path: Path
) -> None:
    given = test_set.batch([3])
    levels = (10, 20, 30)
    (tmp_path / "strip.png").write_bytes(strip(given, [np.full((3, SIDE, SIDE), level, np.uint8) for level in levels]))
    shown = read(tmp_path / "strip.png")
    tiles = [shown[:, (SIDE + 1) * at : (SIDE + 1) * at + SIDE, :3] for at in range(6)]
    hole = given.mask[0, 0].bool().numpy()
    assert (tiles[1] == levels[0]).all()
    for tile, level in zip(tiles[2:5], levels, strict=True):
        assert (tile[hole] == level).all()
        assert np.array_equal(tile[~hole], tiles[5][~hole])
