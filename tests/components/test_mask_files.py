import warnings
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from inpaintkit.components import mask_files as maskfiles
from inpaintkit.components.mask_files import MaskFiles
from inpaintkit.core.errors import DataError, OptionError
from inpaintkit.runtime.seeds import generator


def corner_masks(folder, count=6, size=(12, 20)):
    """One gray file each, with a white corner of (at + 1) x 5 pixels: no symmetry hides a flipped polarity or axis."""
    folder.mkdir()
    drawn = []
    for at in range(count):
        mask = np.zeros(size, np.uint8)
        mask[: at + 1, :5] = 255
        Image.fromarray(mask).save(folder / f"{at}.png")
        drawn.append(mask > 0)
    return drawn


@pytest.fixture
def files(tmp_path):
    return tmp_path / "masks", corner_masks(tmp_path / "masks")


def test_white_is_hole_where_it_is_said(files):
    folder, drawn = files
    masks = MaskFiles(folder, "white")(40, (12, 20), generator(0))
    assert masks.shape == (40, 1, 12, 20)
    assert masks.dtype == torch.float32
    kinds = {mask.numpy().tobytes() for mask in masks[:, 0]}
    assert kinds == {hole.astype(np.float32).tobytes() for hole in drawn}


def test_black_is_hole_where_it_is_said(files):
    folder, drawn = files
    with pytest.warns(UserWarning, match="hide more than half.*say `hole: white`"):
        masks = MaskFiles(folder, "black")(40, (12, 20), generator(0))
    kinds = {mask.numpy().tobytes() for mask in masks[:, 0]}
    assert kinds == {(~hole).astype(np.float32).tobytes() for hole in drawn}


@pytest.mark.parametrize("size", [(6, 10), (24, 40), (7, 13), (12, 40)])
def test_masks_are_resized_by_nearest_neighbor(files, size):
    folder, drawn = files
    rows = (np.arange(size[0]) + 0.5) * 12 / size[0]
    columns = (np.arange(size[1]) + 0.5) * 20 / size[1]
    expected = {hole[rows.astype(int)][:, columns.astype(int)].astype(np.float32).tobytes() for hole in drawn}
    masks = MaskFiles(folder, "white")(60, size, generator(1))
    assert {mask.numpy().tobytes() for mask in masks[:, 0]} == expected


@pytest.mark.parametrize("resident", [0, 2**30])
def test_the_generator_alone_decides(files, monkeypatch, resident):
    monkeypatch.setattr(maskfiles, "RESIDENT", resident)
    sampler = MaskFiles(files[0], "white")
    first = sampler(8, (12, 20), generator(3))
    sampler(8, (24, 24), generator(0))
    assert torch.equal(first, sampler(8, (12, 20), generator(3)))
    assert torch.equal(first, MaskFiles(files[0], "white")(8, (12, 20), generator(3)))
    assert not torch.equal(first, sampler(8, (12, 20), generator(4)))


def test_masks_that_do_not_stay_on_the_device_are_the_same(files, monkeypatch):
    resident = MaskFiles(files[0], "white")(8, (9, 9), generator(0))
    monkeypatch.setattr(maskfiles, "RESIDENT", 0)
    assert torch.equal(MaskFiles(files[0], "white")(8, (9, 9), generator(0)), resident)


def test_a_drawn_mask_may_be_written_to(files):
    sampler = MaskFiles(files[0], "white")
    first = sampler(8, (12, 20), generator(0))
    kept = first.clone()
    first.zero_()
    assert torch.equal(sampler(8, (12, 20), generator(0)), kept)


def test_the_threshold_is_where_white_begins(tmp_path):
    ramp = np.tile(np.arange(0, 250, 10, dtype=np.uint8), (2, 1))
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    for threshold in (0.51, 0.8):
        mask = MaskFiles(tmp_path / "ramp.png", "white", threshold)(1, ramp.shape, generator(0))[0, 0]
        assert torch.equal(mask, torch.from_numpy(ramp >= threshold * 255).float())


def test_an_archive_serves_as_a_folder_does(files, tmp_path):
    with zipfile.ZipFile(tmp_path / "masks.zip", "w") as archive:
        for path in files[0].iterdir():
            archive.write(path, f"deep/{path.name}")
    of_zip = MaskFiles(tmp_path / "masks.zip", "white")(9, (12, 20), generator(0))
    assert torch.equal(of_zip, MaskFiles(files[0], "white")(9, (12, 20), generator(0)))


def test_nothing_is_read_before_the_first_call(tmp_path):
    sampler = MaskFiles(tmp_path / "masks", "white")
    with pytest.raises(DataError, match=r"no folder, \.zip or picture"):
        sampler(1, (8, 8), generator(0))
    corner_masks(tmp_path / "masks")
    assert sampler(1, (8, 8), generator(0)).shape == (1, 1, 8, 8)


def test_files_are_read_once(files, monkeypatch):
    sampler = MaskFiles(files[0], "white")
    sampler(1, (8, 8), generator(0))
    monkeypatch.setattr(maskfiles, "find", lambda _: pytest.fail("read again"))
    sampler(2, (9, 8), generator(0))


def test_large_and_empty_masks_are_named(tmp_path):
    corner_masks(tmp_path / "masks")
    Image.fromarray(np.full((9, 9), 255, np.uint8)).save(tmp_path / "masks" / "full.png")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "masks" / "empty.png")
    with pytest.warns(UserWarning, match="hide") as caught:
        MaskFiles(tmp_path / "masks", "white")(1, (8, 8), generator(0))
    told = [str(warning.message) for warning in caught]
    assert len(told) == 2
    assert "1 of 8" in told[0]
    assert "full.png (100%)" in told[0]
    assert "hide nothing: empty.png" in told[1]


def test_exactly_half_is_no_reason_to_warn(tmp_path):
    Image.fromarray(np.repeat([[0, 255]], 4, 0).astype(np.uint8)).save(tmp_path / "half.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MaskFiles(tmp_path / "half.png", "white")(1, (4, 2), generator(0))


def test_unreadable_masks_are_named_and_left_out(files):
    (files[0] / "bad.png").write_bytes(b"no")
    sampler = MaskFiles(files[0], "white")
    with pytest.warns(UserWarning, match=r"1 of 7 masks .* left out: bad.png \("):
        sampler(1, (8, 8), generator(0))
    for path in files[0].iterdir():
        path.write_bytes(b"no")
    with pytest.raises(DataError, match="no mask in"):
        MaskFiles(files[0], "white")(1, (8, 8), generator(0))


def test_options_are_checked(tmp_path):
    with pytest.raises(OptionError, match="did you mean 'white'") as caught:
        MaskFiles(tmp_path, "whit")
    assert caught.value.path == ("hole",)
    with pytest.raises(OptionError) as several:
        MaskFiles(tmp_path, "white", 1.0)
    assert several.value.problems[0].path == ("threshold",)
