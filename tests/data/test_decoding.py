"""Decoding picture files of every mode and with every kind of damage, and the steps done to each picture."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from inpaintkit.core.errors import OptionError
from inpaintkit.data.decoding import Prepare, decode, formats, open_rgb
from inpaintkit.data.sources import ImageFile, Unreadable

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (12, 20, 3), dtype=np.uint8)
GRAY = RGB[..., 0]
SMOOTH = np.stack(np.meshgrid(np.linspace(40, 200, 40), np.linspace(10, 240, 24)), -1)[..., [0, 1, 0]].astype(np.uint8)


def encode(image, kind="PNG", **options):
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def pixels_of(data, **prepare):
    file = ImageFile("a", (), lambda: data)
    [(_, pixels)] = decode(file, Prepare(**prepare))
    return pixels.transpose(1, 2, 0)


def gray(values):
    return np.repeat(values[..., None], 3, -1)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF", "TGA", "WEBP"])
def test_lossless_formats_come_back_bit_by_bit(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    np.testing.assert_array_equal(pixels_of(encode(RGB, kind, **options)), RGB)


def test_jpeg_is_near():
    assert np.abs(pixels_of(encode(SMOOTH, "JPEG", quality=95)).astype(int) - SMOOTH).max() < 12


def test_gray_is_three_equal_channels():
    np.testing.assert_array_equal(pixels_of(encode(GRAY)), gray(GRAY))


def test_one_bit_is_black_and_white():
    bits = Image.fromarray(GRAY > 127)
    assert bits.mode == "1"
    np.testing.assert_array_equal(pixels_of(encode(bits)), gray(np.where(GRAY > 127, 255, 0)))


def test_a_palette_is_looked_up():
    picture = Image.fromarray(RGB).quantize(16)
    np.testing.assert_array_equal(pixels_of(encode(picture)), np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("value", [0, 128, 129, 257 * 100 + 128, 257 * 100 + 129, 65535])
def test_sixteen_bits_are_rounded_to_eight(value):
    deep = np.full((3, 4), value, np.uint16)
    assert np.unique(pixels_of(encode(deep))).tolist() == [round(value / 65535 * 255)]
    assert np.unique(pixels_of(encode(deep, "TIFF"))).tolist() == [round(value / 65535 * 255)]


def test_alpha_lies_over_white():
    alpha = np.array([0, 51, 255], np.uint8)
    picture = np.dstack([np.full((1, 3, 3), 100, np.uint8), alpha[None]])
    assert pixels_of(encode(picture))[0, :, 0].tolist() == [255, round(0.2 * 100 + 0.8 * 255), 100]
    la = Image.fromarray(picture).convert("LA")
    assert pixels_of(encode(la))[0, :, 0].tolist() == [255, round(0.2 * 100 + 0.8 * 255), 100]


def test_a_transparent_color_of_a_palette_lies_over_white():
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putpixel((1, 0), 1)
    assert pixels_of(encode(picture, transparency=0)).tolist() == [[[255, 255, 255], [200, 100, 50]]]


def test_cmyk():
    picture = Image.fromarray(SMOOTH).convert("CMYK")
    expected = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(pixels_of(encode(picture, "TIFF")).astype(int) - expected).max() == 0
    assert np.abs(pixels_of(encode(picture, "JPEG", quality=95)).astype(int) - expected).max() < 20


@pytest.mark.parametrize(("floats", "expected"), [([0, 0.5, 1], [0, 128, 255]), ([0, 100.4, 255], [0, 100, 255])])
def test_floating_point_of_a_known_range(floats, expected):
    assert pixels_of(encode(np.array([floats], np.float32), "TIFF"))[0, :, 0].tolist() == expected


@pytest.mark.parametrize("values", [[-1.0, 1.0], [0.0, 300.0], [0.0, float("nan")]])
def test_floating_point_of_no_known_range_is_refused(values):
    with pytest.raises(Unreadable, match="no known range"):
        pixels_of(encode(np.array([values], np.float32), "TIFF"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_turns_the_picture_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = {  # how a camera would have stored RGB
        1: RGB,
        2: RGB[:, ::-1],
        3: RGB[::-1, ::-1],
        4: RGB[::-1],
        5: RGB.transpose(1, 0, 2),
        6: np.rot90(RGB, 1),
        7: RGB[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(RGB, -1),
    }
    data = encode(np.ascontiguousarray(stored[orientation]), exif=exif)
    np.testing.assert_array_equal(pixels_of(data), RGB)


def test_damaged_exif_does_not_cost_the_picture():
    data = encode(RGB, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    np.testing.assert_array_equal(pixels_of(data), RGB)


def test_of_several_frames_the_first_counts():
    frames = [Image.fromarray(GRAY), Image.fromarray(255 - GRAY)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(pixels_of(data), gray(GRAY))


def test_decoders_that_run_programs_are_not_asked():
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n"
    with pytest.raises(Unreadable, match="known format"):
        pixels_of(script)
    assert "EPS" not in formats()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"])
@pytest.mark.parametrize("keep", [0.02, 0.5, 0.9])
def test_truncated_files_are_refused_with_a_reason(kind, keep):
    noise = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(noise, kind)
    with pytest.raises(Unreadable) as caught:
        pixels_of(data[: int(len(data) * keep)])
    assert str(caught.value)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0" + b"\xff" * 40])
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(Unreadable):
        pixels_of(data)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_picture_of_a_billion_pixels_is_refused_before_it_is_unpacked():
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    with pytest.raises(Unreadable, match="more than 178,956,970 pixels"):
        pixels_of(b"\x89PNG\r\n\x1a\n" + body)


def test_large_jpegs_are_decoded_small_and_look_the_same():
    large = Image.fromarray(SMOOTH).resize((1600, 960), Image.Resampling.BICUBIC)
    data = encode(large, "JPEG", quality=95)
    assert min(open_rgb(data, draft=48).size) < 960
    quick = pixels_of(data, short_side=48).astype(int)
    exact = np.asarray(open_rgb(data).resize((80, 48), Image.Resampling.BICUBIC)).astype(int)
    assert quick.shape == exact.shape
    assert np.abs(quick - exact).max() <= 3


@pytest.mark.parametrize(
    ("prepare", "shape"),
    [
        ({}, (12, 20)),
        ({"short_side": 6}, (6, 10)),
        ({"short_side": 24}, (24, 40)),
        ({"crop": 8}, (8, 8)),
        ({"short_side": 9, "crop": 9}, (9, 9)),
        ({"rectangle": (10, 16)}, (10, 16)),
        ({"short_side": 6, "rectangle": (6, 9)}, (6, 9)),
        ({"landscape": True}, (12, 20)),
    ],
)
def test_prepare_sets_the_size(prepare, shape):
    assert pixels_of(encode(RGB), **prepare).shape == (*shape, 3)


def test_the_crop_is_the_center():
    np.testing.assert_array_equal(pixels_of(encode(RGB), crop=8), RGB[2:10, 6:14])


def test_the_rectangle_is_the_center():
    np.testing.assert_array_equal(pixels_of(encode(RGB), rectangle=(6, 14)), RGB[3:9, 3:17])
    with pytest.raises(Unreadable, match=r"20x12 is smaller than rectangle \(13x14, width x height\)"):
        pixels_of(encode(RGB), rectangle=(14, 13))


@given(st.integers(1, 9), st.integers(1, 9))
def test_landscape_turns_what_stands_upright_and_nothing_else(height, width):
    pixels = np.arange(3 * height * width, dtype=np.uint8).reshape(height, width, 3)
    expected = np.rot90(pixels) if height > width else pixels
    np.testing.assert_array_equal(pixels_of(encode(pixels), landscape=True), expected)


def test_tiles_are_centered_and_do_not_overlap():
    [first, second, *rest] = decode(ImageFile("a.png", (), lambda: encode(RGB)), Prepare(tiles=9))
    assert not rest
    assert [first[0], second[0]] == ["a.png#0,0", "a.png#0,1"]
    np.testing.assert_array_equal(first[1].transpose(1, 2, 0), RGB[1:10, 1:10])
    np.testing.assert_array_equal(second[1].transpose(1, 2, 0), RGB[1:10, 10:19])


@pytest.mark.parametrize("option", ["crop", "tiles"])
def test_too_small_for_prepare_says_both_sizes(option):
    with pytest.raises(Unreadable, match=rf"20x12 is smaller than {option} \(13\)"):
        pixels_of(encode(RGB), **{option: 13})


def test_a_thread_of_pixels_is_not_blown_up():
    with pytest.raises(Unreadable, match="too long"):
        pixels_of(encode(np.zeros((1, 30_000, 3), np.uint8)), short_side=256)


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        ({"short_side": 0}, [("short_side",)]),
        ({"short_side": 0, "tiles": -1}, [("short_side",), ("tiles",)]),
        ({"short_side": 64, "crop": 65}, [("crop",)]),
        ({"short_side": 64, "crop": 70, "tiles": 80}, [("crop",), ("tiles",), ("tiles",)]),
        ({"crop": 1.5}, [("crop",)]),
        ({"crop": True}, [("crop",)]),
        ({"rectangle": (0, 4)}, [("rectangle", 0)]),
        ({"rectangle": (4, 6), "crop": 4, "tiles": 2}, [("rectangle",), ("rectangle",)]),
        ({"rectangle": (4, 6), "short_side": 3}, [("rectangle",)]),
        ({"rectangle": (6, 4), "landscape": True}, [("rectangle",)]),
    ],
)
def test_prepare_refuses_what_cannot_be(options, paths):
    with pytest.raises(OptionError) as caught:
        Prepare(**options)
    assert [error.path for error in caught.value.problems] == paths


def test_a_tag_that_cannot_be_written_does_not_cost_the_orientation():
    entries = struct.pack("<HHII", 0x0112, 3, 1, 6) + struct.pack("<HHI4s", 0x0128, 2, 4, b"abc\0")
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0)
    np.testing.assert_array_equal(pixels_of(encode(np.rot90(RGB, 1), exif=exif)), RGB)
