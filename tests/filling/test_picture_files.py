"""Formats, depths and metadata of files: what a picture had, its result has."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageOps

from inpaintkit.core.errors import DataError
from inpaintkit.filling.holes import Box
from inpaintkit.filling.in_memory import fill
from inpaintkit.filling.on_disk import fill_files

from .toys import MASK, Constant, MeanFill, bare_picture_of, files_in, square


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
    out.mkdir()
    image = bare_picture_of(mode)
    image.info.clear()
    image.save(source, **({"lossless": True} if suffix == ".webp" else {}))
    report = fill_files(MeanFill(), source, mask, out)
    assert report.filled == [(source, out / source.name)]
    assert (report.exit_code, report.warnings) == (0, [])
    with Image.open(source) as stored, Image.open(out / source.name) as written:
        assert written.mode == stored.mode
        kept, before = (np.asarray(each.convert("RGBA") if each.mode == "P" else each) for each in (written, stored))
        assert kept[~MASK].tobytes() == before[~MASK].tobytes()
        wanted = fill(MeanFill(), stored, MASK)
        assert np.array_equal(np.asarray(written.convert("RGB")), np.asarray(wanted.convert("RGB")))


def test_jpeg_is_near_and_says_so(tmp_path, photo, mask):
    source, out = tmp_path / "photo.jpg", tmp_path / "result.jpg"
    photo.save(source, quality=60)
    report = fill_files(MeanFill(), source, mask, out)
    assert "changes the pixels a little, known ones too" in report.warnings[0]
    assert report.exit_code == 0
    with Image.open(source) as stored, Image.open(out) as written:
        assert written.quantization == stored.quantization
        assert 0 < np.abs(np.asarray(stored).astype(int) - np.asarray(written))[~MASK].mean() < 4


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
    Image.fromarray(MASK[::-1, ::-1].copy()).save(tmp_path / "mask.png", exif=exif)
    fill_files(Constant(1.0), tmp_path / "photo.png", tmp_path / "mask.png", tmp_path / "out.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out.png")), np.asarray(fill(Constant(1.0), photo, MASK)))


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
    png16(tmp_path / "mask16.png", np.repeat(MASK[..., None] * 65535, 3, -1))
    fill_files(Constant(1.0), images / "plain.bmp", tmp_path / "mask16.png", tmp_path / "white.png")
    with Image.open(tmp_path / "white.png") as written:  # a mask may lose depth
        assert np.array_equal(np.asarray(written)[..., 0] == 255, MASK)


def test_frames_that_are_left_out_are_said(tmp_path, photo, mask):
    photo.save(tmp_path / "moving.gif", save_all=True, append_images=[photo.rotate(90)])
    report = fill_files(MeanFill(), tmp_path / "moving.gif", mask, f"{tmp_path}/out/")
    assert any("first of its 2 frames" in warning for warning in report.warnings)


def test_modes_that_a_format_cannot_hold_name_one_that_can(tmp_path, mask):
    bare_picture_of("RGBA").save(tmp_path / "photo.png")
    report = fill_files(MeanFill(), tmp_path / "photo.png", mask, tmp_path / "out.jpg")
    assert "mode RGBA cannot be written as JPEG: fill it into a file such as out.png" in report.failed[0][1]
    assert not (tmp_path / "out.jpg").exists()


def odd_exif(orientation, tag):
    """EXIF data with an orientation and a tag that holds text where numbers belong: it can be read and not written."""
    entries = struct.pack("<HHII", 0x0112, 3, 1, orientation) + struct.pack("<HHI4s", tag, 2, 4, b"abc\0")
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0)


@pytest.mark.parametrize(("tag", "is_lost"), [(0x0128, False), (0x0129, True)])
def test_exif_data_that_cannot_be_written_does_not_cost_the_picture(tmp_path, photo, tag, is_lost):
    photo.save(tmp_path / "photo.jpg", exif=odd_exif(6, tag))
    hole = square(41, 30, 3, 5, 9)  # as the turned picture is seen
    Image.fromarray(hole).save(tmp_path / "mask.png")
    report = fill_files(Constant(1.0), tmp_path / "photo.jpg", tmp_path / "mask.png", tmp_path / "out.png")
    assert report.exit_code == 0, str(report)
    assert ["EXIF data is damaged and left out" in warning for warning in report.warnings] == [True] * is_lost
    with Image.open(tmp_path / "photo.jpg") as stored, Image.open(tmp_path / "out.png") as written:
        assert written.size == (30, 41)
        assert written.getexif().get(0x0112, 1) == 1
        seen = np.rot90(np.asarray(stored), -1)
        assert np.array_equal(np.asarray(written)[~hole], seen[~hole])


def test_frames_that_are_damaged_do_not_cost_the_first(tmp_path, photo, mask):
    photo.save(tmp_path / "moving.gif", save_all=True, append_images=[photo.rotate(90), photo.rotate(180)])
    data = (tmp_path / "moving.gif").read_bytes()
    (tmp_path / "moving.gif").write_bytes(data[: len(data) * 2 // 5])
    report = fill_files(MeanFill(), tmp_path / "moving.gif", mask, tmp_path / "out.png")
    assert report.exit_code == 0, str(report)


def test_no_other_program_is_started_for_a_picture(tmp_path, photo, mask, monkeypatch):
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: pytest.fail("Ghostscript was started"))
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 41 30\n%%EndComments\n"
    images = tmp_path / "in"
    images.mkdir()
    photo.save(images / "good.png")
    for name in ("a.png", "a.jpg", "a.eps", "a.ps"):
        (images / name).write_bytes(script)
    report = fill_files(MeanFill(), images, mask, tmp_path / "out")
    assert files_in(tmp_path / "out") == ["good.png"]
    assert len(report.failed) == 4
    (tmp_path / "mask.png").write_bytes(script)
    assert fill_files(MeanFill(), images / "good.png", tmp_path / "mask.png", tmp_path / "x.png").exit_code == 2


def test_a_format_that_is_not_read_back_is_not_written(tmp_path, photo, mask):
    photo.save(tmp_path / "photo.png")
    for suffix in (".eps", ".pdf", ".psd", ".palm"):
        with pytest.raises(DataError, match=r"a format that is not written|no picture format"):
            fill_files(MeanFill(), tmp_path / "photo.png", mask, tmp_path / f"out{suffix}")


@pytest.mark.parametrize(
    "suffix", [".png", ".webp", ".bmp", ".tif", ".tga", ".gif", ".jp2", ".ppm", ".pcx", ".sgi", ".jpg"]
)
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_the_verdict_about_what_was_written_is_true(tmp_path, mask, suffix, mode):
    """Compared with Pillow's own conversion to RGBA."""
    image = bare_picture_of(mode)
    image.info.clear()
    image.save(tmp_path / "photo.tif")
    report = fill_files(MeanFill(), tmp_path / "photo.tif", mask, tmp_path / f"out{suffix}")
    if report.failed:
        assert f"mode {mode} cannot be written" in report.failed[0][1]
        return
    wanted = fill(MeanFill(), image, MASK)
    with Image.open(tmp_path / f"out{suffix}") as written:
        is_equal = np.array_equal(np.asarray(written.convert("RGBA")), np.asarray(wanted.convert("RGBA")))
    assert ["changes the pixels" in warning for warning in report.warnings] == [True] * (not is_equal)
    if suffix in (".png", ".tif") or (suffix in (".bmp", ".webp") and mode in ("1", "L", "RGB")):
        assert is_equal


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
@pytest.mark.parametrize("suffix", [".gif", ".webp", ".avif"])
def test_sixteen_bits_are_not_ruined_by_a_format_of_eight(tmp_path, mask, mode, suffix):
    bare_picture_of(mode).save(tmp_path / "photo.tif")
    report = fill_files(MeanFill(), tmp_path / "photo.tif", mask, tmp_path / f"out{suffix}")
    assert "mode I" in report.failed[0][1]
    assert "cannot be written as" in report.failed[0][1]
    assert not (tmp_path / f"out{suffix}").exists()


@pytest.mark.parametrize(("suffix", "size"), [(".jpg", (66_000, 1)), (".webp", (16_400, 1)), (".ico", (300, 40))])
def test_a_size_that_a_format_cannot_hold_is_named(tmp_path, suffix, size):
    Image.new("RGB", size, "teal").save(tmp_path / "out.png")
    report = fill_files(MeanFill(), tmp_path / "out.png", Box(0, 0, 1, 1), tmp_path / f"out{suffix}")
    [(_, reason)] = report.failed
    assert f"a picture of {size[0]} x {size[1]} pixels cannot be written" in reason
    assert "mode" not in reason
    assert "such as out-filled.png" in reason  # and not the picture itself
    assert not (tmp_path / f"out{suffix}").exists()


def test_metadata_that_a_format_cannot_hold_is_left_out_and_named(tmp_path, photo):
    exif = Image.Exif()
    exif[0x010F] = "a camera" * 9000
    photo.save(tmp_path / "photo.tif", exif=exif, icc_profile=b"a profile" * 20)
    for suffix, lost in ((".jpg", ["EXIF data"]), (".bmp", ["EXIF data", "color profile"]), (".png", [])):
        report = fill_files(MeanFill(), tmp_path / "photo.tif", Box(0, 0, 1, 1), tmp_path / f"out{suffix}")
        assert report.exit_code == 0, str(report)
        told = " ".join(report.warnings)
        assert [name for name in ("EXIF data", "color profile") if f"does not keep its {name}" in told] == lost


@pytest.mark.parametrize("suffix", [".gif", ".dds"])
def test_a_few_bytes_that_say_to_be_a_huge_picture_are_not_decoded(tmp_path, suffix):
    Image.new("L", (1, 1)).save(tmp_path / f"photo{suffix}")
    data = bytearray((tmp_path / f"photo{suffix}").read_bytes())
    if suffix == ".gif":
        data[6:10] = struct.pack("<HH", 60_000, 2_000)
    else:
        data[12:20] = struct.pack("<II", 2_000, 60_000)
    (tmp_path / f"photo{suffix}").write_bytes(data)
    report = fill_files(MeanFill(), tmp_path / f"photo{suffix}", Box(0, 0, 1, 1), tmp_path / "out.png")
    assert "cannot be a picture of 60000 x 2000 pixels" in report.failed[0][1]
