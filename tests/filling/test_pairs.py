"""Which picture goes with which mask, and where results may be written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import skimage.data
from PIL import Image
from toy_methods import Noise

from inpaintkit.core.errors import DataError, InpaintkitError
from inpaintkit.filling.on_disk import fill_files
from inpaintkit.runtime.execution import Execution

from .toys import MASK, MeanFill, files_in, folders


def test_folders_are_paired_by_stem(tmp_path):
    images, masks, out = folders(tmp_path, ["a", "b", "deep/c", "deep/d"])
    (images / "b.png").rename(images / "B.PNG")
    (masks / "b.png").rename(masks / "B.png")
    Image.open(masks / "a.png").save(masks / "a.bmp")
    (masks / "a.png").unlink()
    (masks / "deep" / "d.png").rename(masks / "deep" / "e.png")
    (images / "notes.txt").write_text("not a picture")
    (images / "._a.png").write_text("what another system leaves behind")
    seen = []
    report = fill_files(MeanFill(), images, masks, out, on_progress=lambda done, total: seen.append((done, total)))
    assert files_in(out) == ["B.PNG", "a.png", "deep/c.png"]
    assert sorted(str(target.relative_to(out)) for _, target in report.filled) == files_in(out)
    assert report.without_mask == [images / "deep" / "d.png"]
    assert report.without_image == [masks / "deep" / "e.png"]
    assert report.failed == []
    assert report.exit_code == 1
    assert "filled 3 of 4" in str(report)
    assert "no mask of that name" in str(report)
    assert "no picture of that name" in str(report)
    assert seen[-1] == (4, 4)
    assert seen == sorted(seen)


def test_one_mask_serves_all_and_one_picture_finds_its_mask(tmp_path, mask):
    images, masks, out = folders(tmp_path, ["a", "b"])
    assert fill_files(MeanFill(), images, mask, out).exit_code == 0
    assert files_in(out) == ["a.png", "b.png"]
    report = fill_files(MeanFill(), images / "a.png", masks, tmp_path / "one" / "x.png")
    assert report.exit_code == 0  # the other masks are not missed
    assert files_in(tmp_path / "one") == ["x.png"]


def test_two_masks_of_one_name_are_not_guessed_between(tmp_path):
    images, masks, out = folders(tmp_path, ["a", "b"])
    Image.fromarray(MASK).save(masks / "a.bmp")
    report = fill_files(MeanFill(), images, masks, out)
    assert files_in(out) == ["b.png"]
    assert "a.bmp" in report.failed[0][1]
    assert "a.png" in report.failed[0][1]
    assert report.exit_code == 1


def test_equal_sizes_are_batched(tmp_path):
    images, masks, out = folders(tmp_path, ["a", "b", "c", "d", "e"])
    Image.fromarray(skimage.data.camera()[:20, :20]).save(images / "b.png")
    Image.new("1", (20, 20), 1).save(masks / "b.png")
    method = MeanFill()
    report = fill_files(method, images, masks, out, execution=Execution(batch=3))
    assert report.exit_code == 0
    assert sorted(len(masked) for masked, _ in method.shown) == [1, 1, 3]
    assert len(report.warnings) == 1
    assert "100% is hole" in report.warnings[0]


def test_inputs_are_never_overwritten(tmp_path, mask, photo):
    images, masks, out = folders(tmp_path, ["a", "b"])
    before = {path: path.read_bytes() for path in [*images.iterdir(), *masks.iterdir()]}
    (tmp_path / "link").symlink_to(images)
    out.mkdir()
    os.link(images / "a.png", out / "b.png")  # a result's place that is an input by another name
    cases = [
        (images, masks, images),
        (images, masks, masks),
        (images, masks, tmp_path / "link"),
        (images, masks, tmp_path / "in" / ".." / "in"),
        (images, masks, out),
        (images / "a.png", mask, images / "a.png"),
        (images / "a.png", mask, images),
        (images / "a.png", mask, mask),
    ]
    for case in cases:
        with pytest.raises(DataError, match="would overwrite an input"):
            fill_files(MeanFill(), *case)
    assert {path: path.read_bytes() for path in before} == before
    assert files_in(images) == ["a.png", "b.png"]


def test_results_inside_the_folder_are_no_inputs_the_next_time(tmp_path):
    images, masks, _ = folders(tmp_path, ["a", "b"])
    masks = masks.rename(images / "masks")
    for _ in range(2):
        report = fill_files(MeanFill(), images, masks, images / "filled", existing="replace")
        assert report.exit_code == 0, str(report)
        assert files_in(images / "filled") == ["a.png", "b.png"]


def test_what_leaves_nothing_to_do_is_an_error(tmp_path, mask, photo):
    photo.save(tmp_path / "photo.png")
    (tmp_path / "empty").mkdir()
    cases = [
        (tmp_path / "nothing", tmp_path / "nor.png", tmp_path / "out", "nothing and no .*nor.png"),
        (tmp_path / "empty", mask, tmp_path / "out", "holds no picture"),
        (tmp_path / "photo.png", mask, tmp_path / "out.pgn", "did you mean '.png'"),
        (tmp_path, mask, tmp_path / "photo.png", "is a file"),
        (tmp_path, tmp_path / "empty" / "..", tmp_path / "out", "a place of their own"),
    ]
    for images, masks, out, said in cases:
        with pytest.raises(InpaintkitError, match=said):
            fill_files(MeanFill(), images, masks, out)


def test_answers_with_the_same_place_are_refused(tmp_path):
    images, masks, out = folders(tmp_path, ["a", "a-1"])
    assert fill_files(Noise(), images, masks, out, samples=2).exit_code == 0  # a-1.png, and a-1-1.png
    for folder in (images, masks):
        (folder / "a-1.png").rename(folder / "a.tif")  # a.tif has its sheet where a.png has it
    with pytest.raises(DataError, match=r"a\.png and .*a\.tif would both be written to .*a-sheet\.png: rename one"):
        fill_files(Noise(), images, masks, out, samples=2)
    (images / "a.tif").rename(images / "a-1.png")
    with pytest.raises(DataError, match="would overwrite an input"):
        fill_files(Noise(), images, masks, images, samples=2)


def test_what_is_there_is_replaced_or_kept_only_where_that_is_said(tmp_path, mask, photo):
    images, masks, out = folders(tmp_path, ["a", "b", "c"])
    out.mkdir()
    (out / "b.png").write_bytes(b"somebody's own")
    (out / "c.png").symlink_to(tmp_path / "nowhere")
    for arguments in ((images, masks, out), (images / "b.png", mask, out), (images / "b.png", mask, out / "b.png")):
        with pytest.raises(DataError, match=r"b\.png.* there already: --resume .* --overwrite"):
            fill_files(MeanFill(), *arguments)
    assert (out / "b.png").read_bytes() == b"somebody's own"
    assert files_in(out) == ["b.png"]
    report = fill_files(MeanFill(), images, masks, out, existing="keep")
    assert report.kept == [images / "b.png", images / "c.png"]
    assert (report.exit_code, str(report)) == (0, "filled 1 of 3 pictures; 2 had been filled before")
    assert (out / "b.png").read_bytes() == b"somebody's own"
    assert fill_files(MeanFill(), images, masks, out, existing="keep").exit_code == 0
    assert str(fill_files(MeanFill(), images, masks, out, existing="replace")) == "filled 3 of 3 pictures"
    with Image.open(out / "b.png") as written:
        assert written.size == (41, 30)
    assert not (tmp_path / "nowhere").exists()


def test_answers_are_kept_when_all_of_them_are_there(tmp_path):
    images, masks, out = folders(tmp_path, ["a", "b"])
    fill_files(Noise(), images, masks, out, samples=2)
    whole = {name: (out / name).read_bytes() for name in files_in(out)}
    (out / "a-sheet.png").unlink()
    with pytest.raises(DataError, match=r"a-1\.png and 4 more are there already"):
        fill_files(Noise(), images, masks, out, samples=2)
    report = fill_files(Noise(), images, masks, out, samples=2, existing="keep")
    assert report.kept == [images / "b.png"]
    assert {name: (out / name).read_bytes() for name in files_in(out)} == whole


def test_a_result_goes_where_it_was_said(tmp_path, photo, mask):
    photo.save(tmp_path / "photo.png")
    with pytest.raises(DataError, match=r"has no suffix that names a format: name a file such as .*out\.png, or a new"):
        fill_files(MeanFill(), tmp_path / "photo.png", mask, tmp_path / "out")
    assert files_in(tmp_path) == ["mask.png", "photo.png"]
    fill_files(MeanFill(), tmp_path / "photo.png", mask, f"{tmp_path}/out/")
    assert files_in(tmp_path / "out") == ["photo.png"]
    (tmp_path / "v1.2").mkdir()
    fill_files(MeanFill(), tmp_path / "photo.png", mask, tmp_path / "v1.2")
    assert files_in(tmp_path / "v1.2") == ["photo.png"]
    for out, said in (
        ("v1.3", "names no picture format"),
        ("new.png", "is the name of a file"),
        ("mask.png", "is a file"),
    ):
        with pytest.raises(DataError, match=said):
            fill_files(MeanFill(), tmp_path / ("v1.2" if ".png" in out else "photo.png"), mask, tmp_path / out)
    with pytest.raises(DataError, match="not a regular file"):
        fill_files(MeanFill(), tmp_path / "photo.png", mask, "/dev/null")


@pytest.fixture
def odd_files(tmp_path):
    """A folder with a good picture among what is no regular file, or whose name is no text."""
    images, masks, out = folders(tmp_path, ["good"])
    os.mkfifo(images / "pipe.png")
    (images / "endless.png").symlink_to("/dev/zero")
    (images / "itself.png").symlink_to(images / "itself.png")
    (images / "gone.png").symlink_to(tmp_path / "gone")
    (images / "round").symlink_to(images)
    (images / "folder.png").mkdir()
    Path(os.fsdecode(os.fsencode(images) + b"/\xff.png")).write_bytes(b"no picture")
    return images, masks, out


def test_only_regular_files_are_opened(odd_files, tmp_path, mask):
    images, _, out = odd_files
    report = fill_files(MeanFill(), images, mask, out)
    assert files_in(out) == ["good.png"]
    reasons = {path.name: reason for path, reason in report.failed}
    assert sorted(reasons) == sorted(["pipe.png", "endless.png", "itself.png", "gone.png", os.fsdecode(b"\xff.png")])
    assert "not a regular file" in reasons["pipe.png"]
    assert "not a regular file" in reasons["endless.png"]
    assert "No such file" in reasons["gone.png"]
    str(report).encode()  # can be printed
    for odd in (images / "pipe.png", "/dev/zero"):
        for given in ((odd, mask), (images / "good.png", odd)):
            with pytest.raises(DataError, match="not a regular file"):
                fill_files(MeanFill(), *given, tmp_path / "x.png")
    with pytest.raises(DataError, match=r"there is no file or folder .*itself\.png"):
        fill_files(MeanFill(), images / "itself.png", mask, tmp_path / "x.png")


def test_a_folder_that_is_linked_to_is_searched_once(tmp_path):
    images, masks, out = folders(tmp_path, ["in/a"])
    (images / "in").rename(tmp_path / "elsewhere")
    (images / "in").symlink_to(tmp_path / "elsewhere")
    (images / "twice").symlink_to(tmp_path / "elsewhere")
    assert fill_files(MeanFill(), images, masks, out).exit_code == 0
    assert files_in(out) == ["in/a.png"]
