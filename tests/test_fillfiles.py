"""fill_files: folders of pictures as people have them, some of them damaged."""

from __future__ import annotations

import io
import os
import resource
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image, ImageOps
from rich.console import Console

from inpaintkit.core.errors import DataError, InpaintkitError
from inpaintkit.core.interfaces import Method
from inpaintkit.filling.in_memory import fill
from inpaintkit.filling.masks import holds_square
from inpaintkit.filling.on_disk import fill_files
from inpaintkit.runtime.progress import report_progress


class Constant(Method):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def inpaint(self, masked, mask):
        return torch.full_like(masked, self.value)


class MeanFill(Method):
    def __init__(self):
        super().__init__()
        self.shown = []

    def inpaint(self, masked, mask):
        self.shown.append((masked, mask))
        return (masked.sum((-2, -1), keepdim=True) / (1 - mask).sum((-2, -1), keepdim=True).clamp(min=1)).expand_as(
            masked
        )


def square(height, width, top, left, side):
    hole = np.zeros((height, width), bool)
    hole[top : top + side, left : left + side] = True
    return hole


def picture_of(mode):
    color = Image.fromarray(skimage.data.astronaut()).resize((41, 30))
    gray = np.asarray(color.convert("L"))
    if mode.startswith("I;16"):
        deep = (gray.astype(np.uint32) * 257 + 3).clip(0, 65535)
        return Image.frombytes(mode, color.size, deep.astype(">u2" if mode.endswith("B") else "<u2").tobytes())
    if mode in "IF":
        return Image.fromarray(gray.astype(np.int32) * 257 if mode == "I" else gray.astype(np.float32) / 255)
    image = color.quantize(17) if mode == "P" else color.convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(gray))
    return image


HOLE = square(30, 41, 8, 10, 9)


@pytest.fixture
def photo():
    return picture_of("RGB")


@pytest.fixture
def mask(tmp_path):
    path = tmp_path / "mask.png"
    Image.fromarray(HOLE).save(path)
    return path


def folders(tmp_path, names, holes=None):
    (tmp_path / "in").mkdir()
    (tmp_path / "masks").mkdir()
    for name in names:
        for folder, image in (("in", picture_of("RGB")), ("masks", Image.fromarray(HOLE))):
            path = (tmp_path / folder / name).with_suffix(".png")
            path.parent.mkdir(parents=True, exist_ok=True)
            image.info.clear()
            image.save(path)
    return tmp_path / "in", tmp_path / "masks", tmp_path / "out"


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [
        *((".png", mode) for mode in ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]),
        *((".tif", mode) for mode in ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I;16B", "I", "F"]),
        *((".webp", mode) for mode in ["RGB", "RGBA"]),
        (".bmp", "RGB"), (".gif", "P"), (".gif", "L"), (".ppm", "RGB"), (".tga", "RGBA"),
    ],
)  # fmt: skip
def test_lossless_formats_keep_known_pixels_exactly(tmp_path, mask, suffix, mode):
    source, out = tmp_path / f"photo{suffix}", tmp_path / "out"
    image = picture_of(mode)
    image.info.clear()
    image.save(source, **({"lossless": True} if suffix == ".webp" else {}))
    report = fill_files(MeanFill(), source, mask, out)
    assert report.filled == ((source, out / source.name),)
    assert (report.exit_code, report.warnings) == (0, ())
    with Image.open(source) as stored, Image.open(out / source.name) as written:
        assert written.mode == stored.mode
        kept, before = (np.asarray(each.convert("RGBA") if each.mode == "P" else each) for each in (written, stored))
        assert kept[~HOLE].tobytes() == before[~HOLE].tobytes()
        wanted = fill(MeanFill(), stored, HOLE)
        assert np.array_equal(np.asarray(written.convert("RGB")), np.asarray(wanted.convert("RGB")))


def test_jpeg_is_near_and_says_so(tmp_path, photo, mask):
    source, out = tmp_path / "photo.jpg", tmp_path / "result.jpg"
    photo.save(source, quality=60)
    report = fill_files(MeanFill(), source, mask, out)
    assert "changes the pixels a little, known ones too" in report.warnings[0]
    assert report.exit_code == 0
    with Image.open(source) as stored, Image.open(out) as written:
        assert written.quantization == stored.quantization
        assert 0 < np.abs(np.asarray(stored).astype(int) - np.asarray(written))[~HOLE].mean() < 4


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8, 5])
def test_a_turned_photograph_takes_the_mask_as_it_is_seen(tmp_path, photo, suffix, orientation):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a camera", orientation
    photo.info.clear()
    source, out = tmp_path / f"photo{suffix}", tmp_path / f"result{suffix}"
    options = {"lossless": True} if suffix == ".webp" else {}
    photo.save(source, exif=exif, icc_profile=b"a profile" * 20, dpi=(300, 300), **options)
    with Image.open(source) as stored:
        seen = ImageOps.exif_transpose(stored)
    hole = square(seen.height, seen.width, 3, 5, 9)  # nowhere near symmetric
    Image.fromarray(hole).save(tmp_path / "mask.png")
    report = fill_files(Constant(1.0), source, tmp_path / "mask.png", out)
    assert report.exit_code == 0, str(report)
    with Image.open(out) as written:
        assert written.getexif()[0x010F] == "a camera"
        assert written.getexif().get(0x0112, 1) == 1
        assert written.info["icc_profile"] == b"a profile" * 20
        assert written.size == seen.size
        if suffix in (".png", ".tif"):
            assert np.allclose([float(each) for each in written.info["dpi"]], 300, atol=0.1)
        result, before = np.asarray(written).astype(int), np.asarray(seen).astype(int)
    inside = np.zeros_like(hole)
    inside[5:10, 7:12] = True
    assert result[inside].min() > 200
    if suffix == ".jpg":
        assert np.abs(result - before)[~hole].mean() < 4
    else:
        assert np.array_equal(result[~hole], before[~hole])


def test_a_turned_mask_is_turned_too(tmp_path, photo):
    photo.save(tmp_path / "photo.png")
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(HOLE[::-1, ::-1].copy()).save(tmp_path / "mask.png", exif=exif)
    fill_files(Constant(1.0), tmp_path / "photo.png", tmp_path / "mask.png", tmp_path / "out.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out.png")), np.asarray(fill(Constant(1.0), photo, HOLE)))


def test_a_thumbnail_of_the_picture_before_does_not_survive(tmp_path, photo, mask):
    """EXIF may hold a small picture that still shows what was removed."""
    marker = b"the object that was removed"
    entry = struct.pack("<HHII", 0x0201, 4, 1, 0x40) + struct.pack("<HHII", 0x0202, 4, 1, len(marker))
    first = struct.pack("<H", 1) + struct.pack("<HHI4s", 0x010F, 2, 4, b"abc\0") + struct.pack("<I", 26)
    second = struct.pack("<H", 2) + entry + struct.pack("<I", 0)
    block = b"II*\0" + struct.pack("<I", 8) + first + second
    block += b"\0" * (0x40 - len(block)) + marker
    photo.save(tmp_path / "photo.jpg", exif=b"Exif\0\0" + block)
    assert marker in (tmp_path / "photo.jpg").read_bytes()
    report = fill_files(MeanFill(), tmp_path / "photo.jpg", mask, tmp_path / "out.jpg")
    assert report.exit_code == 0
    assert marker not in (tmp_path / "out.jpg").read_bytes()
    with Image.open(tmp_path / "out.jpg") as written:
        assert written.getexif()[0x010F] == "abc"


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
    assert report.without_mask == (images / "deep" / "d.png",)
    assert report.without_image == (masks / "deep" / "e.png",)
    assert report.failed == ()
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
    Image.fromarray(HOLE).save(masks / "a.bmp")
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
    report = fill_files(method, images, masks, out, batch=3)
    assert report.exit_code == 0
    assert sorted(len(masked) for masked, _ in method.shown) == [1, 1, 3]
    assert len(report.warnings) == 1
    assert "100% is hole" in report.warnings[0]


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
        np.asarray(Image.open(out / "a.png")), np.asarray(fill(MeanFill(), Image.open(images / "a.png"), HOLE))
    )


def test_nothing_filled_is_a_mistake_and_said_plainly(tmp_path):
    images, masks, out = folders(tmp_path, ["a"])
    Image.new("L", (9, 7)).save(masks / "a.png")

    class Refuses(MeanFill):
        def inpaint(self, masked, mask):
            raise InpaintkitError("too small for this method")

    report = fill_files(MeanFill(), images / "a.png", masks / "a.png", out)
    assert report.exit_code == 2
    [(_, reason)] = report.failed
    assert reason.endswith("a.png: the picture is 41 x 30 (width x height) and its mask 9 x 7")
    Image.fromarray(HOLE).save(masks / "a.png")
    assert fill_files(Refuses(), images, masks, out).failed[0][1] == "too small for this method"


def test_a_hole_larger_than_any_that_was_learned_is_doubted(tmp_path, photo, mask):
    photo.save(tmp_path / "photo.png")
    method = MeanFill()
    most = next(side for side in range(30, 0, -1) if holds_square(np.asarray(Image.open(mask)) > 0, side))
    for size, doubted in ((None, False), (4 * most // 3, True), (4 * (most + 1), False)):
        report = fill_files(method, tmp_path / "photo.png", mask, tmp_path / "out", trained_size=size)
        assert ["a hole so large it never saw" in warning for warning in report.warnings] == [True] * doubted
        assert report.exit_code == 0


def png16(path, pixels):
    """A 16-bit color PNG, which Pillow does not write."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def test_sixteen_bits_a_color_channel_are_refused_and_not_halved(tmp_path, mask):
    images = tmp_path / "in"
    images.mkdir()
    pixels = np.random.default_rng(0).integers(0, 65536, (30, 41, 3))
    png16(images / "deep.png", pixels)
    (images / "deep.ppm").write_bytes(b"P6\n41 30\n65535\n" + pixels.astype(">u2").tobytes())
    Image.new("RGB", (41, 30)).save(images / "plain.ppm")
    Image.new("RGB", (41, 30)).save(images / "plain.bmp")
    report = fill_files(MeanFill(), images, mask, tmp_path / "out")
    assert [(path.name, "16 bits" in reason) for path, reason in report.failed] == [
        ("deep.png", True),
        ("deep.ppm", True),
    ]
    assert files_in(tmp_path / "out") == ["plain.bmp", "plain.ppm"]
    png16(tmp_path / "mask16.png", np.repeat(HOLE[..., None] * 65535, 3, -1))
    fill_files(Constant(1.0), images / "plain.bmp", tmp_path / "mask16.png", tmp_path / "white.png")
    with Image.open(tmp_path / "white.png") as written:  # a mask may lose depth
        assert np.array_equal(np.asarray(written)[..., 0] == 255, HOLE)


def test_frames_that_are_left_out_are_said(tmp_path, photo, mask):
    photo.save(tmp_path / "moving.gif", save_all=True, append_images=[photo.rotate(90)])
    report = fill_files(MeanFill(), tmp_path / "moving.gif", mask, tmp_path / "out")
    assert any("first of its 2 frames" in warning for warning in report.warnings)


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
        report = fill_files(MeanFill(), images, masks, images / "filled")
        assert report.exit_code == 0, str(report)
        assert files_in(images / "filled") == ["a.png", "b.png"]


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
        report = fill_files(MeanFill(), images, masks, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files_in(out) == ["a.png", "big.png", "z.png"]
    assert (out / "big.png").read_bytes() == b"an older result"
    assert [path.stem for path, _ in report.failed] == ["big"]
    assert "too large" in report.failed[0][1]
    assert len(report.filled) == 2


def test_modes_that_a_format_cannot_hold_name_one_that_can(tmp_path, mask):
    picture_of("RGBA").save(tmp_path / "photo.png")
    report = fill_files(MeanFill(), tmp_path / "photo.png", mask, tmp_path / "out.jpg")
    assert "mode RGBA cannot be written as JPEG: fill it into a file such as out.png" in report.failed[0][1]
    assert not (tmp_path / "out.jpg").exists()


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
    with pytest.raises(InpaintkitError, match="batch is 0"):
        fill_files(MeanFill(), tmp_path / "photo.png", mask, tmp_path / "out", batch=0)


def test_grow_and_threshold_reach_the_pictures(tmp_path, photo):
    photo.save(tmp_path / "photo.png")
    soft = np.where(HOLE, 100, 0).astype(np.uint8)
    Image.fromarray(soft).save(tmp_path / "mask.png")
    fill_files(Constant(1.0), tmp_path / "photo.png", tmp_path / "mask.png", tmp_path / "a.png", threshold=0.3, grow=2)
    wanted = fill(Constant(1.0), photo, HOLE, grow=2)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), np.asarray(wanted))
    fill_files(Constant(1.0), tmp_path / "photo.png", tmp_path / "mask.png", tmp_path / "b.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "b.png")), np.asarray(photo))


class Noise(Method):
    randomness = "always"

    def inpaint(self, masked, mask, *, rng=None):
        return torch.rand(len(masked), 3, 1, 1, generator=rng).expand_as(masked)


def test_several_answers_are_several_files_and_a_sheet(tmp_path, mask, photo):
    photo.info.clear()
    photo.save(tmp_path / "photo.png")
    report = fill_files(Noise(), tmp_path / "photo.png", mask, tmp_path / "out.png", samples=3, seed=4)
    files = ["out-1.png", "out-2.png", "out-3.png", "out-sheet.png"]
    assert [path.name for _, path in report.filled] == files
    assert str(report) == "filled 1 of 1 pictures"
    assert sorted(path.name for path in tmp_path.glob("out*")) == files
    answers = fill(Noise(), photo, HOLE, samples=3, seed=4)
    for number, answer in enumerate(answers, 1):
        with Image.open(tmp_path / f"out-{number}.png") as written:
            assert np.array_equal(np.asarray(written), np.asarray(answer))
    with Image.open(tmp_path / "out-sheet.png") as written:
        page = np.asarray(written)
    wide, high = 41 * 2, 30 * 2  # small pictures are enlarged by whole pixels
    assert page.shape[1] == 4 + 4 * (wide + 4)
    tiles = [page[16 : 16 + high : 2, 4 + at * (wide + 4) : 4 + at * (wide + 4) + wide : 2] for at in range(4)]
    assert np.array_equal(tiles[0][~HOLE], np.asarray(photo)[~HOLE])
    assert np.ptp(tiles[0][HOLE].astype(int)) == 0
    assert all(np.array_equal(tile, np.asarray(answer)) for tile, answer in zip(tiles[1:], answers, strict=True))


def test_answers_to_a_folder(tmp_path):
    images, masks, out = folders(tmp_path, ["a", "deep/b"])
    report = fill_files(Noise(), images, masks, out, samples=2, blend="poisson")
    assert report.exit_code == 0
    assert str(report) == "filled 2 of 2 pictures"
    assert files_in(out) == [
        "a-1.png", "a-2.png", "a-sheet.png", "deep/b-1.png", "deep/b-2.png", "deep/b-sheet.png"
    ]  # fmt: skip


def test_the_sheet_of_a_large_picture_is_made_smaller_and_a_png(tmp_path):
    Image.new("RGB", (1500, 30), (200, 10, 10)).save(tmp_path / "wide.jpg")
    Image.fromarray(square(30, 1500, 5, 700, 20)).save(tmp_path / "mask.png")
    report = fill_files(Noise(), tmp_path / "wide.jpg", tmp_path / "mask.png", tmp_path / "out", samples=1)
    assert files_in(tmp_path / "out") == ["wide-1.jpg", "wide-sheet.png"]
    assert len(report.warnings) == 1
    with Image.open(tmp_path / "out" / "wide-sheet.png") as written:
        assert written.size == (4 + 2 * (512 + 4), 16 + 10 + 4)


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


def test_a_method_with_one_answer_writes_nothing(tmp_path, mask, photo):
    photo.save(tmp_path / "photo.png")
    with pytest.raises(InpaintkitError, match="draws only one answer"):
        fill_files(MeanFill(), tmp_path / "photo.png", mask, tmp_path / "out", samples=2)
    with pytest.raises(InpaintkitError, match="did you mean 'poisson'"):
        fill_files(MeanFill(), tmp_path / "photo.png", mask, tmp_path / "out", blend="poissson")
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
    monkeypatch.setattr("rich._console", Console(file=text, force_terminal=True, width=80))
    photo.save(tmp_path / "photo.png")
    method = Searches()
    fill_files(method, tmp_path / "photo.png", mask, tmp_path / "a.png")
    assert text.getvalue() == ""
    fill_files(method, tmp_path / "photo.png", mask, tmp_path / "b.png", progress=True)
    assert "filling" in text.getvalue()
    assert "1/7" in text.getvalue()
    assert "1/1" in text.getvalue()
