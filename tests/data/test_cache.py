"""The cache of decoded pictures: exact, renewed when files change, complete or not there."""

import errno
import io
import json
import os
import random
import subprocess
import sys
import textwrap
import threading
import time
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from inpaintkit.core.errors import DataError
from inpaintkit.data import cache as caching
from inpaintkit.data.decoding import Prepare
from inpaintkit.data.image_set import ImageSet, load_images
from inpaintkit.data.sources import PackageFiles
from inpaintkit.runtime import files

RNG = np.random.default_rng(0)


def encode(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def picture(height=8, width=8):
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def caches(tmp_path):
    return [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


def test_pictures_come_back_bit_by_bit(photos, load):
    folder, held = photos
    images = load(folder)
    assert images.names == tuple(held)
    assert images.unreadable == ()
    for at, expected in enumerate(held.values()):
        np.testing.assert_array_equal(images.picture(at).numpy().transpose(1, 2, 0), expected)


def test_a_second_run_decodes_nothing(photos, load, monkeypatch, tmp_path):
    first = load(photos[0])
    monkeypatch.setattr(caching, "decode", lambda *_: pytest.fail("decoded again"))
    second = load(photos[0])
    assert second.digest == first.digest
    assert torch.equal(second.pixels, first.pixels)
    assert len(caches(tmp_path)) == 1


def test_unreadable_pictures_are_not_tried_again_but_still_listed(photos, load, monkeypatch):
    (photos[0] / "bad.png").write_bytes(b"no")
    first = load(photos[0])
    monkeypatch.setattr(caching, "decode", lambda *_: pytest.fail("decoded again"))
    assert load(photos[0]).unreadable == first.unreadable == (("bad.png", first.unreadable[0][1]),)


def test_a_changed_picture_is_seen(photos, load):
    before = load(photos[0])
    new = picture(8, 8)
    (photos[0] / "0.png").write_bytes(encode(new))
    os.utime(photos[0] / "0.png", ns=(1, 1))
    after = load(photos[0])
    np.testing.assert_array_equal(after.picture(0).numpy().transpose(1, 2, 0), new)
    assert after.digest != before.digest


def test_an_added_a_removed_and_a_renamed_picture_are_seen(photos, load):
    digests = [load(photos[0]).digest]
    (photos[0] / "new.png").write_bytes(encode(picture()))
    digests.append(load(photos[0]).digest)
    (photos[0] / "new.png").rename(photos[0] / "newer.png")
    digests.append(load(photos[0]).digest)
    (photos[0] / "newer.png").unlink()
    assert load(photos[0]).digest == digests[0]
    assert len(set(digests)) == 3


def test_another_prepare_is_another_cache(photos, load, tmp_path):
    assert load(photos[0], Prepare(short_side=4)).side == 4
    assert load(photos[0], Prepare(short_side=4, crop=4)).sizes.unique().tolist() == [4]
    assert load(photos[0]).side == 8
    assert len(caches(tmp_path)) == 3


def test_a_zip_with_a_changed_entry_is_seen_and_a_moved_one_reused(load, tmp_path, monkeypatch):
    def pack(path, pixels):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(zipfile.ZipInfo("a.png"), encode(pixels))  # always of the same date

    one, other = picture(), picture()
    pack(tmp_path / "a.zip", one)
    first = load(tmp_path / "a.zip")
    pack(tmp_path / "a.zip", other)
    second = load(tmp_path / "a.zip")
    np.testing.assert_array_equal(second.picture(0).numpy().transpose(1, 2, 0), other)
    pack(tmp_path / "moved.zip", one)
    monkeypatch.setattr(caching, "decode", lambda *_: pytest.fail("decoded again"))
    assert load(tmp_path / "moved.zip").digest == first.digest


def test_the_digest_depends_on_pixels_and_names_alone(photos, load, tmp_path):
    folder, held = photos
    with zipfile.ZipFile(tmp_path / "same.zip", "w") as archive:
        for name, pixels in held.items():
            archive.writestr(name, encode(pixels))
    assert load(tmp_path / "same.zip").digest == load(folder).digest
    images = load(folder)
    assert images.subset([0, 1]).digest != images.subset([1, 0]).digest
    assert images.subset(range(6)).digest == images.digest


def test_the_bundled_photographs_of_a_package(load):
    images = load(PackageFiles("skimage", ["data/astronaut.png", "data/coffee.png"]), Prepare(short_side=64, tiles=32))
    assert images.side == 32
    assert images.names[:2] == ("skimage:data/astronaut.png#0,0", "skimage:data/astronaut.png#0,1")


# what cannot be read


def test_unreadable_pictures_are_listed_with_reasons_and_the_rest_is_used(photos, load):
    folder, held = photos
    (folder / "cut.png").write_bytes(encode(picture(64, 64))[:2000])
    (folder / "empty.jpg").write_bytes(b"")
    images = load(folder)
    assert images.names == tuple(held)
    assert [name for name, _ in images.unreadable] == ["cut.png", "empty.jpg"]
    assert "truncated" in images.unreadable[0][1]
    assert "empty" in images.unreadable[1][1]


def test_the_list_is_printed_on_stderr(photos, load, capsys):
    (photos[0] / "bad[red].png").write_bytes(b"")
    load(photos[0], progress=True)
    assert "bad[red].png: the file is empty" in capsys.readouterr().err


def test_strict_refuses_and_names_them_all(photos, load):
    for at in range(25):
        (photos[0] / f"bad{at:02}.png").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        load(photos[0], strict=True)
    assert "25 pictures cannot be read (strict is set)" in str(caught.value)
    assert "bad00.png: the file is empty" in str(caught.value)
    assert str(caught.value).endswith("bad19.png: the file is empty\n  and 5 more")


def test_none_left_is_an_error(load, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"")
    with pytest.raises(DataError, match="no picture is left"):
        load(tmp_path / "bad.png")


# the cache on disk


DAMAGES = ["shorter", "longer", "no pixels", "no index", "cut index", "other index", "flipped pixel", "pipe", "deep"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_made_again_and_said_to_be(photos, load, tmp_path, damage):
    digest = load(photos[0]).digest
    [home] = caches(tmp_path)
    if damage == "shorter":
        os.truncate(home / "pixels.u8", 100)
    elif damage == "longer":
        with open(home / "pixels.u8", "ab") as file:
            file.write(b"0")
    elif damage == "flipped pixel":
        flip(home / "pixels.u8", 500)
    elif damage == "pipe":
        (home / "pixels.u8").unlink()
        os.mkfifo(home / "pixels.u8")
    elif damage.startswith("no "):
        (home / {"no pixels": "pixels.u8", "no index": "index.json"}[damage]).unlink()
    elif damage == "cut index":
        os.truncate(home / "index.json", 30)
    else:
        (home / "index.json").write_text(json.dumps({"names": 3}) if damage == "other index" else "[" * 200_000)
    with pytest.warns(UserWarning, match=f"{home.name} are damaged: they are decoded again"):
        images = load(photos[0])
    assert images.digest == digest
    np.testing.assert_array_equal(images.picture(0).numpy().transpose(1, 2, 0), photos[1]["0.png"])
    assert load(photos[0]).digest == digest


def flip(file, at):
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def test_every_flipped_byte_of_a_cache_is_noticed(photos, load, tmp_path):
    """A name, a size or a digest that changed is as bad as a pixel."""
    load(photos[0])
    [home] = caches(tmp_path)
    for file in (home / "index.json", home / "pixels.u8"):
        whole = file.read_bytes()
        for at in random.Random(0).sample(range(len(whole)), 40):
            flip(file, at)
            assert caching._read(home) is None, (file.name, at)
            file.write_bytes(whole)
    assert caching._read(home) is not None


def test_what_a_killed_process_left_is_neither_used_nor_kept(photos, load, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(caching.shutil, "rmtree", lambda *_, **__: None)  # as after kill -9
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            load(photos[0])
    [left] = caches(tmp_path)
    assert left.name.startswith(".")
    assert len(load(photos[0])) == 6
    [home] = caches(tmp_path)
    assert not home.name.startswith(".")


@pytest.mark.parametrize(
    ("code", "message"), [(errno.ENOSPC, "no space left"), (errno.EACCES, "cannot be written: Permission denied")]
)
def test_a_full_disk_is_reported_and_leaves_nothing(photos, load, tmp_path, monkeypatch, code, message):
    def full(_):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DataError, match=message) as caught:
            load(photos[0])
    assert "INPAINTKIT_CACHE" in str(caught.value)
    assert str(tmp_path / "cache") in str(caught.value)
    assert caches(tmp_path) == []
    assert len(load(photos[0])) == 6


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file size are POSIX")
def test_a_write_that_fails_half_way_leaves_nothing(tmp_path):
    """With a real limit of the system on file sizes, met in the middle of the pixels."""
    (tmp_path / "photos").mkdir()
    for at in range(8):
        (tmp_path / "photos" / f"{at}.png").write_bytes(encode(picture(64, 64)))
    script = """
        import resource, signal, sys
        from pathlib import Path
        from inpaintkit.data.cache import cached
        from inpaintkit.core.errors import DataError
        from inpaintkit.data.decoding import Prepare
        from inpaintkit.data.sources import find
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
        try:
            cached(find([Path(sys.argv[1])]), Prepare(), Path(sys.argv[2]), progress=False)
        except DataError as error:
            print(error)
    """
    output = run(script, tmp_path / "photos", tmp_path / "cache").communicate()[0]
    assert "cannot be written: File too large" in output
    assert caches(tmp_path) == []


def test_a_cache_folder_that_is_a_file_is_an_error(photos, load, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        load(photos[0], cache=tmp_path / "file")


def run(script, *arguments):
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_of_two_processes_one_decodes_and_both_have_the_pictures(tmp_path):
    (tmp_path / "photos").mkdir()
    for at in range(30):
        (tmp_path / "photos" / f"{at}.png").write_bytes(encode(picture()))
    script = """
        import sys, time
        from pathlib import Path
        from inpaintkit.data import cache, sources
        decode, count = cache.decode, 0
        def slow(file, prepare):
            global count
            count += 1
            time.sleep(0.02)
            return decode(file, prepare)
        cache.decode = slow
        files = sources.find(Path(sys.argv[1]))
        path, index = cache.cached(files, cache.Prepare(), Path(sys.argv[2]), progress=False)
        print(count, len(index.names), path.stat().st_size)
    """
    both = [run(script, tmp_path / "photos", tmp_path / "cache") for _ in range(2)]
    printed = sorted(process.communicate()[0].split() for process in both)
    assert printed == [["0", "30", str(30 * 192)], ["30", "30", str(30 * 192)]]


def test_without_file_locks_two_writers_still_agree(photos, load, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "fcntl", None)  # so both write, and neither may clear the other's folder away
    decode = caching.decode
    monkeypatch.setattr(caching, "decode", lambda *given: time.sleep(0.05) or decode(*given))
    results: list[ImageSet] = []
    threads = [threading.Thread(target=lambda: results.append(load(photos[0]))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({images.digest for images in results}) == 1
    assert len(results) == 2
    assert len(caches(tmp_path)) == 1


def test_the_folder_of_the_cache_can_be_named(monkeypatch, tmp_path, photos):
    monkeypatch.setenv("INPAINTKIT_CACHE", str(tmp_path / "here"))
    load_images(photos[0], progress=False)
    assert list((tmp_path / "here").glob("*/pixels.u8"))
    monkeypatch.delenv("INPAINTKIT_CACHE")
    assert caching.default_folder().name == "inpaintkit"
