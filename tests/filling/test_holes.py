"""Holes without a mask file: boxes and colors, in memory and on disk."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from inpaintkit import Box, Color, OptionError, fill, fill_files, fill_many

from .toys import MeanFill, bare_picture_of


def changed(before, after):
    """(H, W), True where a pixel differs."""
    return (np.asarray(before).astype(int) != np.asarray(after)).reshape(*np.asarray(before).shape[:2], -1).any(-1)


def test_a_box_is_the_mask_with_that_rectangle(photo):
    mask = np.zeros(np.asarray(photo).shape[:2], bool)
    mask[5:9, 3:10] = True
    assert np.array_equal(fill(MeanFill(), photo, Box(3, 5, 7, 4)), fill(MeanFill(), photo, mask))
    both = fill_many(MeanFill(), [photo, photo], Box(3, 5, 7, 4))
    assert np.array_equal(both[1], fill(MeanFill(), photo, mask))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "I;16"])
def test_a_color_is_where_the_picture_has_it(mode):
    picture = np.asarray(bare_picture_of(mode)).copy()
    white = 65535 if mode == "I;16" else 255
    picture[picture == white] = white - 1
    picture[4:8, 2:9] = white
    filled = fill(MeanFill(), picture, Color.parse("#ffffff"))
    inside = np.zeros(picture.shape[:2], bool)
    inside[4:8, 2:9] = True
    assert not changed(picture, filled)[~inside].any()
    assert changed(picture, filled)[inside].all()


def test_tolerance_is_in_levels():
    picture = np.full((6, 8, 3), 100, np.uint8)
    picture[2, 2], picture[3, 3] = (255, 0, 250), (255, 6, 255)
    near = {tolerance: fill(MeanFill(), picture, Color(255, 0, 255, tolerance)) for tolerance in (5, 6)}
    assert [int(changed(picture, each).sum()) for each in near.values()] == [1, 2]
    with pytest.raises(OptionError, match="no pixel has the color #ff00ff; the nearest is 5 levels away"):
        fill(MeanFill(), picture, Color(255, 0, 255, 4))


def test_mistakes():
    for text in ("1,2,3", "a,b,c,d", "1,2,3,-4", "1.5,2,3,4"):
        with pytest.raises(OptionError, match="is no box: write x,y,width,height"):
            Box.parse(text)
    for text in ("magenta", "#ff00f", "#ff00ff00"):
        with pytest.raises(OptionError, match="is no color: write six hexadecimal digits"):
            Color.parse(text)
    with pytest.raises(OptionError, match="width"):
        Box(0, 0, 0, 4)
    with pytest.raises(OptionError, match=r"reaches to column 9 and row 4, and the picture is 8 x 6"):
        fill(MeanFill(), np.zeros((6, 8, 3), np.uint8), Box(4, 0, 5, 4))


def test_files(tmp_path):
    small, large = np.full((6, 8, 3), 90, np.uint8), np.full((16, 18, 3), 90, np.uint8)
    large[9:12, 9:12] = (255, 0, 255)
    (tmp_path / "in").mkdir()
    for name, picture in {"small": small, "large": large}.items():
        Image.fromarray(picture).save(tmp_path / "in" / f"{name}.png")
    report = fill_files(MeanFill(), tmp_path / "in", Color(255, 0, 255), tmp_path / "out")
    assert [source.stem for source, _ in report.filled] == ["large"]
    assert [(source.stem, reason[:12]) for source, reason in report.failed] == [("small", "no pixel has")]
    assert (np.asarray(Image.open(tmp_path / "out" / "large.png")) == 90).all()
    assert fill_files(MeanFill(), tmp_path / "in" / "small.png", Box(0, 0, 2, 2), tmp_path / "one.png").exit_code == 0
