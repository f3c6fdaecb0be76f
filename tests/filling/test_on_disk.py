"""fill_files: one bad file does not stop the others, several answers, warnings and progress."""

from __future__ import annotations

import io
import os
import resource
import signal
import struct
import time
import zlib

import numpy as np
import pytest
import torch
from PIL import BmpImagePlugin, Image
from rich.console import Console
from toy_methods import Noise

from inpaintkit.components.blending import PoissonBlended
from inpaintkit.core.errors import InpaintkitError
from inpaintkit.filling.in_memory import fill, fill_samples
from inpaintkit.filling.masks import holds_square
from inpaintkit.filling.on_disk import fill_files
from inpaintkit.filling.options import FillOptions
from inpaintkit.runtime import progress
from inpaintkit.runtime.execution import Execution
from inpaintkit.runtime.progress import report_progress

from .toys import MASK, Constant, MeanFill, bare_picture_of, files_in, folders, square


def test_damaged_files_are_named_and_the_rest_is_done(tmp_path):
    names = ["cut", "empty", "good", "maskcut", "masktext", "other", "text", "size", "fine"]
    images, masks, out = folders(tmp_path, names)
    for path in (images / "cut.png", masks / "maskcut.png"):
        path.write_bytes(path.read_bytes()[:-60])
    (images / "empty.png").write_bytes(b"")
    for path in (images / "text.png", masks / "masktext.png"):
        path.write_text("no picture")
    Image.new("L", (9, 7)).save(masks / "size.png")
    Image.new("LAB", (41, 30)).save(images / "other.tif")
    (images / "other.png").unlink()
    report = fill_files(MeanFill(), images, masks, out)
    reasons = {path.stem: reason for path, reason in report.failed}
    assert files_in(out) == ["fine.png", "good.png"]
    assert sorted(reasons) == sorted(set(names) - {"fine", "good"})
    assert "mask" in reasons["maskcut"]
    assert "mask" in reasons["masktext"]
    assert "41 x 30" in reasons["size"]
    assert "9 x 7" in reasons["size"]
    assert "LAB" in reasons["other"]
    assert report.exit_code == 1
    assert all(str(images / f"{name}.") in str(report) for name in reasons)


def test_a_method_that_fails_on_one_picture_does_the_others(tmp_path):
    images, masks, out = folders(tmp_path, ["a", "b", "c", "d"])
    Image.new("RGB", (41, 30), (255, 255, 255)).save(images / "b.png")
    Image.new("RGB", (41, 30)).save(images / "c.png")

    class Picky(MeanFill):
        def inpaint(self, masked, mask):
            output = super().inpaint(masked, mask)
            if (output > 0.99).any():
                raise RuntimeError("too bright")
            return torch.where(output < -0.99, torch.nan, output)

    report = fill_files(Picky(), images, masks, out)
    assert files_in(out) == ["a.png", "d.png"]
    reasons = {path.stem: reason for path, reason in report.failed}
    assert "RuntimeError: too bright" in reasons["b"]
    assert "NaN" in reasons["c"]
    assert np.array_equal(
        np.asarray(Image.open(out / "a.png")), np.asarray(fill(MeanFill(), Image.open(images / "a.png"), MASK))
    )


def test_nothing_filled_is_a_mistake_and_said_plainly(tmp_path):
    images, masks, out = folders(tmp_path, ["a"])
    Image.new("L", (9, 7)).save(masks / "a.png")

    class Refuses(MeanFill):
        def inpaint(self, masked, mask):
            raise InpaintkitError("too small for this method")

    report = fill_files(MeanFill(), images / "a.png", masks / "a.png", f"{out}/")
    assert report.exit_code == 2
    [(_, reason)] = report.failed
    assert reason.endswith("a.png: the picture is 41 x 30 (width x height) and its mask 9 x 7")
    Image.fromarray(MASK).save(masks / "a.png")
    assert fill_files(Refuses(), images, masks, out).failed[0][1] == "too small for this method"


def test_a_hole_larger_than_any_that_was_learned_is_doubted(tmp_path, photo, mask):
    photo.save(tmp_path / "photo.png")
    method = MeanFill()
    most = next(side for side in range(30, 0, -1) if holds_square(np.asarray(Image.open(mask)) > 0, side))
    for size, doubted in ((None, False), (4 * most // 3, True), (4 * (most + 1), False)):
        report = fill_files(method, tmp_path / "photo.png", mask, tmp_path / f"{size}.png", trained_size=size)
        assert ["has not seen holes as large" in warning for warning in report.warnings] == [True] * doubted
        assert report.exit_code == 0


def test_a_full_disk_leaves_no_half_file(tmp_path):
    """A limit on the size of files stands for the disk: the write itself stops half way."""
    images, masks, out = folders(tmp_path, ["a", "big", "z"])
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(images / "big.png")
    Image.fromarray(square(200, 200, 50, 50, 20)).save(masks / "big.png")
    out.mkdir()
    (out / "big.png").write_bytes(b"an older result")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        report = fill_files(MeanFill(), images, masks, out, existing="replace")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files_in(out) == ["a.png", "big.png", "z.png"]
    assert (out / "big.png").read_bytes() == b"an older result"
    assert [path.stem for path, _ in report.failed] == ["big"]
    assert "too large" in report.failed[0][1]
    assert len(report.filled) == 2


def test_grow_and_threshold_reach_the_pictures(tmp_path, photo):
    photo.save(tmp_path / "photo.png")
    soft = np.where(MASK, 100, 0).astype(np.uint8)
    Image.fromarray(soft).save(tmp_path / "mask.png")
    options = FillOptions(threshold=0.3, grow=2)
    fill_files(Constant(1.0), tmp_path / "photo.png", tmp_path / "mask.png", tmp_path / "a.png", options)
    wanted = fill(Constant(1.0), photo, MASK, FillOptions(grow=2))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), np.asarray(wanted))
    fill_files(Constant(1.0), tmp_path / "photo.png", tmp_path / "mask.png", tmp_path / "b.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "b.png")), np.asarray(photo))


def test_several_answers_are_several_files_and_a_sheet(tmp_path, mask, photo):
    photo.info.clear()
    photo.save(tmp_path / "photo.png")
    report = fill_files(Noise(), tmp_path / "photo.png", mask, tmp_path / "out.png", FillOptions(seed=4), samples=3)
    files = ["out-1.png", "out-2.png", "out-3.png", "out-sheet.png"]
    assert [path.name for _, path in report.filled] == files
    assert str(report) == "filled 1 of 1 pictures"
    assert sorted(path.name for path in tmp_path.glob("out*")) == files
    answers = fill_samples(Noise(), photo, MASK, 3, FillOptions(seed=4))
    for number, answer in enumerate(answers, 1):
        with Image.open(tmp_path / f"out-{number}.png") as written:
            assert np.array_equal(np.asarray(written), np.asarray(answer))
    with Image.open(tmp_path / "out-sheet.png") as written:
        page = np.asarray(written)
    wide, high = 41 * 2, 30 * 2  # small pictures are enlarged by whole pixels
    assert page.shape[1] == 4 + 4 * (wide + 4)
    top = page.shape[0] - (high + 4)  # below the names
    tiles = [page[top : top + high : 2, 4 + at * (wide + 4) : 4 + at * (wide + 4) + wide : 2] for at in range(4)]
    assert np.array_equal(tiles[0][~MASK], np.asarray(photo)[~MASK])
    assert np.ptp(tiles[0][MASK].astype(int)) == 0
    assert all(np.array_equal(tile, np.asarray(answer)) for tile, answer in zip(tiles[1:], answers, strict=True))


def test_answers_to_a_folder(tmp_path):
    images, masks, out = folders(tmp_path, ["a", "deep/b"])
    report = fill_files(PoissonBlended(Noise()), images, masks, out, samples=2)
    assert report.exit_code == 0
    assert str(report) == "filled 2 of 2 pictures"
    assert files_in(out) == [
        "a-1.png", "a-2.png", "a-sheet.png", "deep/b-1.png", "deep/b-2.png", "deep/b-sheet.png"
    ]  # fmt: skip


def test_the_sheet_of_a_large_picture_is_made_smaller_and_a_png(tmp_path):
    Image.new("RGB", (1500, 30), (200, 10, 10)).save(tmp_path / "wide.jpg")
    Image.fromarray(square(30, 1500, 5, 700, 20)).save(tmp_path / "mask.png")
    report = fill_files(Noise(), tmp_path / "wide.jpg", tmp_path / "mask.png", f"{tmp_path}/out/", samples=1)
    assert files_in(tmp_path / "out") == ["wide-1.jpg", "wide-sheet.png"]
    assert len(report.warnings) == 1
    with Image.open(tmp_path / "out" / "wide-sheet.png") as written:
        assert written.size == (4 + 2 * (512 + 4), 21 + 10 + 4)


def test_a_method_with_one_answer_writes_nothing(tmp_path, mask, photo):
    photo.save(tmp_path / "photo.png")
    with pytest.raises(InpaintkitError, match="gives only one answer"):
        fill_files(MeanFill(), tmp_path / "photo.png", mask, tmp_path / "out", samples=2)
    assert not (tmp_path / "out").exists()


def test_an_answer_that_fails_takes_no_other_picture_down(tmp_path):
    class Picky(Noise):
        def inpaint(self, masked, mask, *, rng=None):
            if len(masked) > 1 or masked[0, 0, 0, 0] > 0.99:
                raise ValueError("too many, or too white")
            return super().inpaint(masked, mask, rng=rng)

    images, masks, out = folders(tmp_path, ["a", "white", "z"])
    Image.new("RGB", (41, 30), "white").save(images / "white.png")
    report = fill_files(Picky(), images, masks, out, samples=2)
    assert [path.stem for path, _ in report.failed] == ["white"]
    assert "too white" in report.failed[0][1]
    assert files_in(out) == ["a-1.png", "a-2.png", "a-sheet.png", "z-1.png", "z-2.png", "z-sheet.png"]
    assert str(report).startswith("filled 2 of 3 pictures")


def test_a_full_disk_leaves_no_half_answer(tmp_path):
    images, masks, out = folders(tmp_path, ["a", "big"])
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(images / "big.png")
    Image.fromarray(square(200, 200, 50, 50, 20)).save(masks / "big.png")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        report = fill_files(Noise(), images, masks, out, samples=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files_in(out) == ["a-1.png", "a-2.png", "a-sheet.png"]
    assert [path.stem for path, _ in report.failed] == ["big"]
    assert {source.stem for source, _ in report.filled} == {"a"}


def test_a_bar_is_shown_when_asked_for_and_a_search_reports_how_far_it_is(tmp_path, mask, photo, monkeypatch):
    class Searches(MeanFill):
        def inpaint(self, masked, mask):
            report_progress(1, 7)
            time.sleep(0.25)  # bars are drawn ten times a second
            report_progress(7, 7)
            return super().inpaint(masked, mask)

    text = io.StringIO()
    terminal = Console(file=text, force_terminal=True, width=80)
    monkeypatch.setattr(progress, "Console", lambda stderr: terminal)
    photo.save(tmp_path / "photo.png")
    method = Searches()
    fill_files(method, tmp_path / "photo.png", mask, tmp_path / "a.png")
    assert text.getvalue() == ""
    fill_files(method, tmp_path / "photo.png", mask, tmp_path / "b.png", execution=Execution(progress=True))
    assert "filling" in text.getvalue()
    assert "1/7" in text.getvalue()
    assert "1/1" in text.getvalue()


FOREIGN = [
    struct.error("x"), TypeError("x"), IndexError("x"), RuntimeError("x"), AttributeError("x"),
    NotImplementedError("x"), KeyError("x"), zlib.error("x"), MemoryError(), RecursionError(), EOFError(),
    UnicodeDecodeError("ascii", b"", 0, 1, "x"),
]  # fmt: skip


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("broken", ["load", "getexif", "_open", "save"])
def test_no_exception_of_pillow_ends_a_folder(tmp_path, monkeypatch, foreign, broken):
    images, masks, out = folders(tmp_path, ["a", "b"])
    (images / "a.png").unlink()
    bare_picture_of("RGB").save(images / "a.bmp")

    def fail(*_, **__):
        raise foreign

    monkeypatch.setattr(BmpImagePlugin.BmpImageFile, broken, fail, raising=broken != "save")
    if broken == "save":
        monkeypatch.setitem(Image.SAVE, "BMP", fail)
    report = fill_files(MeanFill(), images, masks, out)
    if broken == "getexif":
        assert files_in(out) == ["a.bmp", "b.png"]
        assert any("EXIF data is damaged" in warning for warning in report.warnings)
    else:
        assert files_in(out) == ["b.png"]
        assert [path.name for path, _ in report.failed] == ["a.bmp"]
        assert "cannot be" in report.failed[0][1]


def test_a_folder_goes_on_after_a_kill(tmp_path):
    images, masks, out = folders(tmp_path, [f"{number:02}" for number in range(12)])
    wanted = fill_files(MeanFill(), images, masks, tmp_path / "wanted")
    assert wanted.exit_code == 0

    class Slow(MeanFill):
        def inpaint(self, masked, mask):
            time.sleep(0.05)
            return super().inpaint(masked, mask)

    child = os.fork()
    if child == 0:
        fill_files(Slow(), images, masks, out, execution=Execution(batch=2))
        os._exit(0)
    while len(list(out.glob("[0-9]*"))) < 3:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    done = {path: path.stat().st_mtime_ns for path in out.glob("[0-9]*")}
    assert 3 <= len(done) < 12
    (out / ".11.png.0123456789ab.part").write_bytes(b"half")  # as a kill during a write leaves it
    report = fill_files(MeanFill(), images, masks, out, existing="keep")
    assert report.exit_code == 0
    assert len(report.kept) == len(done)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert files_in(out) == files_in(tmp_path / "wanted")
    for name in files_in(out):
        assert (out / name).read_bytes() == (tmp_path / "wanted" / name).read_bytes()
