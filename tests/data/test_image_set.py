"""Image sets: crops, the validation part, and what is read ahead."""

import io
import zipfile
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image

from inpaintkit.core.errors import DataError
from inpaintkit.data import image_set as module
from inpaintkit.data.decoding import Prepare
from inpaintkit.data.image_set import ImageSet, load_images
from inpaintkit.runtime.seeds import generator

RNG = np.random.default_rng(0)


def encode(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def picture(height=8, width=8):
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_windows_are_cut_from_the_center_without_a_generator(photos, load):
    folder, held = photos
    drawn = load(folder).batch(torch.tensor([1, 2, 4]), "cpu")
    assert drawn.shape == (3, 3, 8, 8)
    assert drawn.dtype == torch.uint8
    for got, (name, top, left) in zip(drawn, [("1.png", 0, 1), ("2.png", 3, 0), ("4.png", 0, 11)], strict=True):
        np.testing.assert_array_equal(got.numpy().transpose(1, 2, 0), held[name][top : top + 8, left : left + 8])


def test_random_windows_lie_anywhere_along_the_long_side(photos, load):
    images = load(photos[0])
    wide = images.picture(4)
    places = [wide[:, :, left : left + 8].numpy().tobytes() for left in range(23)]
    drawn = images.batch(torch.full((500,), 4), "cpu", generator(0))
    counts = Counter(places.index(window.numpy().tobytes()) for window in drawn)
    assert set(counts) == set(range(23))
    assert max(counts.values()) < 60
    assert torch.equal(drawn, images.batch(torch.full((500,), 4), "cpu", generator(0)))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=5), st.integers(1, 4), st.data())
def test_the_gather_on_a_device_is_the_copy_on_the_cpu(shapes, side, data):
    sizes = torch.tensor([(side + extra, side) if tall else (side, side + extra) for extra, tall in shapes])
    lengths = 3 * sizes.prod(1)
    count = len(sizes)
    images = ImageSet(
        names=tuple(map(str, range(count))),
        unreadable=(),
        digests=("",) * count,
        sizes=sizes,
        offsets=lengths.cumsum(0) - lengths,
        pixels=torch.randint(0, 256, (int(lengths.sum()),), dtype=torch.uint8, generator=generator(0)),
    )
    indices = torch.tensor(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=6)))
    corner = torch.stack([(sizes[indices] - side)[:, axis] // 2 for axis in (0, 1)], 1)
    copied = images._cut(indices, corner, side)
    assert torch.equal(copied, images.batch(indices, "cpu"))
    gathered = module._windows(images.pixels, images.offsets[indices], sizes[indices], corner, side)
    assert torch.equal(copied, gathered)
    pixels, starts = images._streamed(indices, torch.device("cpu"))
    assert torch.equal(copied, module._windows(pixels, starts, sizes[indices], corner, side))


def test_different_short_sides_name_the_extremes_and_the_fix(photos, load):
    (photos[0] / "small.png").write_bytes(encode(picture(5, 8)))
    images = load(photos[0])
    assert images.picture(6).shape == (3, 5, 8)
    with pytest.raises(DataError, match=r"from 5 \(small.png\) to 8 \(0.png\): say `prepare: {short_side: 5}`"):
        images.batch(torch.tensor([0]), "cpu")


def test_whole_pictures_need_one_height_and_width(photos, load):
    folder, held = photos
    images = load(folder)
    np.testing.assert_array_equal(images.whole([4])[0].numpy().transpose(1, 2, 0), held["4.png"])
    assert images.subset([1]).size == (8, 11)
    with pytest.raises(DataError, match=r"heights and widths differ: \(8, 8\) \(0.png\), \(8, 11\) \(1.png\)"):
        _ = images.size
    with pytest.raises(DataError, match="no picture"):
        _ = images.subset([]).size


# the validation part


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    with zipfile.ZipFile(folder / "many.zip", "w") as archive:
        for at in range(400):
            archive.writestr(f"{at}.png", encode(picture(2, 2)))
    return load_images(folder / "many.zip", cache=folder / "cache", progress=False)


def test_the_split_is_a_partition_of_about_the_asked_share(many):
    train, validation = many.split(0.2)
    assert set(train.names) | set(validation.names) == set(many.names)
    assert len(train) + len(validation) == 400
    assert 50 < len(validation) < 110
    at = many.names.index(validation.names[3])
    assert torch.equal(validation.picture(3), many.picture(at))


def test_the_split_stays_when_pictures_are_added(many):
    few = many.subset(range(0, 400, 2))
    held = set(few.split(0.1)[1].names)
    assert held == set(many.split(0.1)[1].names) & set(few.names)


def test_a_larger_share_holds_the_smaller_one(many):
    assert set(many.split(0.05)[1].names) < set(many.split(0.1)[1].names)


@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("fraction", [1e-9, 0.5, 0.999999])
def test_neither_side_is_empty(many, count, fraction):
    for start in range(0, 40, count):
        train, validation = many.subset(range(start, start + count)).split(fraction)
        assert len(train) >= 1
        assert len(validation) >= 1
        assert len(train) + len(validation) == count


def test_no_share_and_one_picture_leave_everything_to_training(many):
    assert [len(part) for part in many.split(0)] == [400, 0]
    assert [len(part) for part in many.subset([3]).split(0.5)] == [1, 0]


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 2])
def test_an_impossible_share_is_refused(many, fraction):
    with pytest.raises(ValueError, match="at least 0 and less than 1"):
        many.split(fraction)


def test_tiles_of_one_picture_stay_together(load, tmp_path):
    (tmp_path / "p").mkdir()
    for at in range(12):
        (tmp_path / "p" / f"{at}.png").write_bytes(encode(picture(6, 6)))
    train, validation = load(tmp_path / "p", Prepare(tiles=2)).split(0.3)
    sides = [{name.split("#")[0] for name in part.names} for part in (train, validation)]
    assert not sides[0] & sides[1]
    assert len(train) + len(validation) == 12 * 9
    one = load(tmp_path / "p" / "3.png", Prepare(tiles=2)).split(0.3)
    assert min(len(part) for part in one) > 0


# on a device


def test_pictures_stay_where_they_are_on_the_cpu(photos, load):
    images = load(photos[0])
    assert images.to("cpu") is images


def test_what_was_read_ahead_is_used_once_and_never_piles_up(photos, load, monkeypatch):
    images = load(photos[0])
    wanted = [torch.tensor([at, 4]) for at in range(5)]
    expected = [images._streamed(indices, torch.device("cpu"))[0].clone() for indices in wanted]
    waiting = images._prefetcher.waiting
    images.prefetch(wanted[0], "cpu")
    assert not waiting  # nothing streams on the CPU
    for indices in wanted:
        images.prefetch(indices, "meta")
        images.prefetch(indices, "meta")
    assert list(waiting) == [(1, 4), (2, 4), (3, 4), (4, 4)]
    with monkeypatch.context() as patch:
        waiting[1, 4].result()
        patch.setattr(ImageSet, "_read", lambda *_: pytest.fail("read again"))
        assert torch.equal(images._streamed(wanted[1], torch.device("cpu"))[0], expected[1])
    assert torch.equal(images._streamed(wanted[1], torch.device("cpu"))[0], expected[1])
    assert list(waiting) == [(2, 4), (3, 4), (4, 4)]


def test_an_empty_set_says_so(photos, load):
    with pytest.raises(DataError, match="no picture"):
        load(photos[0]).subset([]).batch(torch.tensor([], dtype=torch.int64), "cpu")


@pytest.mark.gpu
def test_on_the_device_and_streamed_are_the_same(photos, load):
    images = load(photos[0])
    resident, streamed = images.to("cuda"), images.to("cuda", budget=10)
    assert resident.pixels.device.type == "cuda"
    assert streamed.pixels.device.type == "cpu"
    indices = torch.tensor([4, 1, 1, 0, 2])
    expected = images.batch(indices, "cpu", generator(0))
    streamed.prefetch(indices, "cuda")
    for made in (resident, streamed, streamed):
        drawn = made.batch(indices, "cuda", generator(0))
        assert drawn.device.type == "cuda"
        assert torch.equal(drawn.cpu(), expected)
