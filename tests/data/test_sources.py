"""Picture files in folders, archives and packages: found in order, read within limits."""

import errno
import io
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from inpaintkit.core.errors import DataError, OptionError
from inpaintkit.data import sources
from inpaintkit.data.decoding import Prepare, decode
from inpaintkit.data.sources import PackageFiles, Unreadable, find

RGB = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def encode(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_a_folder_is_searched_in_order_and_hidden_files_are_passed_over(tmp_path):
    wanted = ["B.JPG", "a/ü 漢.png", "a/b/c.webp", "z.tiff"]
    for name in [*wanted, "notes.txt", ".hidden.png", "__MACOSX/x.png", "a/._c.png", ".git/d.png", "q.pdf"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(RGB))
    assert [file.name for file in find([tmp_path])] == sorted(wanted)


def test_linked_folders_are_followed_once(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").write_bytes(encode(RGB))
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "loop").symlink_to(tmp_path / "root")
    assert [file.name for file in find([tmp_path / "root"])] == ["link/a.png"]


def test_of_two_links_to_a_folder_the_first_counts(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").write_bytes(encode(RGB))
    (tmp_path / "root" / "m").mkdir(parents=True)
    for link in ("z", "b", "m/a"):
        (tmp_path / "root" / link).symlink_to(tmp_path / "elsewhere")
    assert [file.name for file in find([tmp_path / "root"])] == ["b/a.png"]


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "photos" / "closed").mkdir(parents=True)
    (tmp_path / "photos" / "a.png").write_bytes(encode(RGB))
    scandir = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="photos cannot be read: Permission denied"):
        find([tmp_path / "photos"])


def test_a_dangling_link_is_one_unreadable_picture(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    [file] = find([tmp_path])
    with pytest.raises(Unreadable, match="No such file"):
        decode(file, Prepare())


def test_an_archive_holds_what_a_folder_does(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/", "")
        archive.writestr("in/ü 漢.png", encode(RGB))
        archive.writestr("__MACOSX/in/._a.png", b"resource fork")
        archive.writestr("readme.md", "text")
        archive.writestr("in/.DS_Store", "x")
    [file] = find([tmp_path / "a.zip"])
    assert file.name == "in/ü 漢.png"
    np.testing.assert_array_equal(decode(file, Prepare())[0][1].transpose(1, 2, 0), RGB)


def test_an_archive_member_over_the_limit_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_BYTES", 2**20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.png", bytes(2**20 + 1))
    [file] = find([tmp_path / "bomb.zip"])
    with pytest.raises(Unreadable, match="over the limit of 1 MiB"):
        decode(file, Prepare())


def test_an_archive_member_that_lies_about_its_size_is_cut_off(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(100_000))
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 100_000), struct.pack("<I", 500)))
    [file] = find([path])
    with pytest.raises(Unreadable, match="BadZipFile"):
        decode(file, Prepare())


def test_an_encrypted_member_says_so(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", encode(RGB))
    data = bytearray(path.read_bytes())
    data[6] |= 1  # flag bits of the local header
    data[data.rindex(b"PK\x01\x02") + 8] |= 1  # and of the directory
    path.write_bytes(data)
    [file] = find([path])
    with pytest.raises(Unreadable, match="encrypted"):
        decode(file, Prepare())


def test_one_picture_is_a_source(tmp_path):
    (tmp_path / "a.png").write_bytes(encode(RGB))
    assert [file.name for file in find([tmp_path / "a.png"])] == ["a.png"]


def test_names_that_sources_share_get_a_prefix_and_the_first_keeps_its_own(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(encode(RGB))
    names = [file.name for file in find([tmp_path / "one", tmp_path / "two", tmp_path / "two"])]
    assert names == ["a.png", "two:a.png", "two[3]:a.png"]


def test_every_bad_source_is_named_at_once(tmp_path):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError) as caught:
        find([tmp_path / "facse", tmp_path / "faces", tmp_path / "empty", tmp_path / "broken.zip"])
    lines = str(caught.value).split("\n")
    assert len(lines) == 4
    assert "did you mean 'faces'?" in lines[0]
    assert "holds no pictures" in lines[1]
    assert "notes.txt" in lines[1]
    assert "it is empty" in lines[2]
    assert "no readable .zip" in lines[3]


def test_package_files():
    files = find([PackageFiles("skimage", ["data/astronaut.png", "data/coffee.png"])])
    assert [file.name for file in files] == ["skimage:data/astronaut.png", "skimage:data/coffee.png"]
    assert decode(files[0], Prepare())[0][1].shape == (3, 512, 512)


@pytest.mark.parametrize(
    ("package", "name", "message"),
    [
        ("no_such_package_here", "a.png", "cannot be imported"),
        ("skimage", "data/asronaut.png", "has no file data/asronaut.png"),
        ("this_is.not", "a.png", "cannot be imported"),
        ("abc", "a.png", "single module"),
    ],
)
def test_missing_package_files_say_what_is_missing(package, name, message):
    with pytest.raises(DataError, match=message):
        find([PackageFiles(package, [name])])


@pytest.mark.parametrize("file", ["/etc/passwd", "../x.png", "", "a\\b.png"])
def test_package_files_stay_inside_the_package(file):
    with pytest.raises(OptionError) as caught:
        PackageFiles("skimage", ["data/coffee.png", file])
    assert [error.path for error in caught.value.problems] == [("files", 1)]


@pytest.mark.parametrize("packed", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_member_that_lies_about_its_size_does_not_fill_the_memory(tmp_path, packed):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", packed) as archive, archive.open("a.png", "w", force_zip64=False) as member:
        for _ in range(100):
            member.write(bytes(2**20))
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 100 * 2**20), struct.pack("<I", 500)))
    [file] = find([path])
    tracemalloc.start()
    try:
        with pytest.raises(Unreadable):
            decode(file, Prepare())
        assert tracemalloc.get_traced_memory()[1] < 80 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("target", ["pipe", "/dev/zero", "a.png"])
def test_a_picture_that_is_no_regular_file_is_unreadable(tmp_path, target):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.png").symlink_to(target)
    [file] = find([tmp_path])
    with pytest.raises(Unreadable, match=r"not a regular file|symbolic links"):
        decode(file, Prepare())
