"""fill, fill_many and fill_samples: holes of any size, hidden pixels never read, mistakes named together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image
from torch import nn
from toy_methods import Noise

from inpaintkit.components.blending import PoissonBlended
from inpaintkit.core.errors import InpaintkitError, NonFiniteError, OptionError
from inpaintkit.filling.in_memory import fill, fill_many, fill_samples
from inpaintkit.filling.options import FillOptions
from inpaintkit.runtime.execution import Execution

from .toys import MASK, METHODS, Asked, Constant, Conv8, MeanFill, Search, picture_of, square


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    method=st.sampled_from(METHODS),
)
def test_any_size_any_hole_known_pixels_exact_and_hidden_ones_unread(data, height, width, method):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    hole = square(height, width, top, left, data.draw(st.integers(1, 60)))
    if data.draw(st.booleans()):
        hole |= rng.random((height, width)) < 0.02
    other = image.copy()
    other[hole] = rng.integers(0, 256, (int(hole.sum()), 3))
    model = method()
    one, two = fill(model, image, hole), fill(model, other, hole)
    assert np.array_equal(one[~hole], image[~hole])
    assert np.array_equal(one, two)


def test_an_empty_mask_gives_the_picture_back_and_calls_nothing():
    image = picture_of("RGB")
    method = MeanFill()
    result = fill(method, image, np.zeros((30, 41), bool))
    assert result is not image
    assert np.array_equal(np.asarray(result), np.asarray(image))
    assert method.shown == []


@pytest.mark.parametrize("method", METHODS[:3])
def test_an_all_hole_mask_shows_the_method_blanks_alone(method):
    one = fill(method(), np.full((70, 50, 3), 9, np.uint8), np.ones((70, 50), bool))
    two = fill(method(), np.full((70, 50, 3), 99, np.uint8), np.ones((70, 50), bool))
    assert np.array_equal(one, two)
    if method is MeanFill:
        assert (one == 128).all()  # rounded from 127.5: the middle of the range


def test_lists_and_batches():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (12, 10 + i % 2, 3), np.uint8) for i in range(5)]
    holes = [rng.random(image.shape[:2]) < 0.4 for image in images]
    method = MeanFill()
    together = fill_many(method, images, holes, execution=Execution(batch=2))
    assert sorted(len(masked) for masked, _ in method.shown) == [1, 2, 2]  # three of one size, two of the other
    assert isinstance(together, list)
    for image, hole, result in zip(images, holes, together, strict=True):
        assert np.array_equal(result, fill(MeanFill(), image, hole))
    stack, masks = np.stack(images[::2]), np.stack(holes[::2])
    for mask in (masks, masks[..., None], torch.from_numpy(masks), list(masks)):
        assert np.array_equal(fill_many(MeanFill(), stack, mask), np.stack(together[::2]))
    tensor = torch.from_numpy(stack).permute(0, 3, 1, 2)
    for mask in (masks, masks[:, None], torch.from_numpy(masks), torch.from_numpy(masks)[:, None]):
        batch = torch.stack(fill_many(MeanFill(), tensor, mask))
        assert np.array_equal(batch.permute(0, 2, 3, 1), np.stack(together[::2]))
    same = fill_many(MeanFill(), [Image.fromarray(image) for image in images[::2]], Image.fromarray(holes[0]))
    assert np.array_equal(np.asarray(same[0]), together[0])
    for one_mask in (holes[0], holes[0][None], [holes[0]], torch.from_numpy(holes[0])[None, None]):
        serves_all = fill_many(MeanFill(), stack, one_mask)
        assert all(np.array_equal(a, fill(MeanFill(), b, holes[0])) for a, b in zip(serves_all, stack, strict=True))
    assert fill_many(MeanFill(), [], []) == []


def test_a_result_does_not_depend_on_the_batch():
    images = [np.asarray(picture_of("RGB", (40, 32))), np.zeros((32, 40, 3), np.uint8)]
    holes = [square(32, 40, 5, 5, 12), square(32, 40, 15, 15, 12)]
    together = fill_many(Conv8(), images, holes)
    alone = [fill(Conv8(), image, hole) for image, hole in zip(images, holes, strict=True)]
    assert all(np.abs(a.astype(int) - b).max() <= 1 for a, b in zip(together, alone, strict=True))


def test_sizes_that_differ_are_named_together():
    images = [np.zeros((20, 30, 3), np.uint8)] * 3
    holes = [np.zeros((20, 30), bool), np.zeros((30, 20), bool), np.zeros((7, 8), bool)]
    with pytest.raises(OptionError) as caught:
        fill_many(MeanFill(), images, holes)
    text = str(caught.value)
    assert "image 1: the picture is 30 x 20 (width x height) and its mask 20 x 30" in text
    assert "image 2" in text
    assert "8 x 7" in text
    assert "image 0" not in text


@pytest.mark.parametrize(
    ("image", "mask", "said"),
    [
        (np.full((4, 4, 3), 200.0), np.eye(4), "divide by 255"),
        (np.full((4, 4, 3), -0.5), np.eye(4), r"\(x \+ 1\) / 2"),
        (np.full((4, 4, 3), 1.01), np.eye(4), "clip"),
        (np.full((4, 4, 3), np.nan), np.eye(4), "NaN outside the hole"),
        (torch.full((3, 4, 4), -1.0), np.eye(4), r"\[0, 1\]"),
        (np.zeros((4, 4, 3), np.int64), np.eye(4), "int64"),
        (np.zeros((4, 4), bool), np.eye(4), "bool"),
        (np.zeros((4, 4, 5), np.uint8), np.eye(4), "1 to 4 channels"),
        (np.zeros((3, 4, 9), np.uint8), np.zeros((4, 9)), r"\(3, 4, 9\)"),
        (np.zeros((0, 4), np.uint8), np.zeros((0, 4)), "at least one pixel"),
        (torch.zeros(5, 4, 4), np.eye(4), r"\(channels, H, W\)"),
        ("picture.png", np.eye(4), "not str"),
        (np.zeros((4, 4, 3)), "mask.png", "not str"),
        (np.zeros((4, 4, 3)), np.eye(4) * 255.0, "floats are 0"),
        (np.zeros((4, 4, 3)), -np.eye(4, dtype=int), "-1 to 0"),
        (np.zeros((4, 4, 3)), np.eye(4) * 1j, "complex"),
        (Image.new("LAB", (4, 4)), np.eye(4), "LAB"),
        (Image.new("RGBa", (4, 4)), np.eye(4), "RGBa"),
        (Image.fromarray(np.full((4, 4), 70000, np.int32)), np.eye(4), "0 to 65535"),
    ],
)
def test_what_cannot_be_used_is_said(image, mask, said):
    with pytest.raises(InpaintkitError, match=said):
        fill(MeanFill(), image, mask)


def test_there_is_one_mask_or_one_for_each_picture():
    with pytest.raises(OptionError, match="3 pictures and 2 masks"):
        fill_many(MeanFill(), [np.zeros((4, 4, 3))] * 3, [np.eye(4)] * 2)


def test_wrong_options_are_named_together():
    with pytest.raises(OptionError) as caught:
        FillOptions(grow=-1, threshold=1.0)
    assert [problem.path for problem in caught.value.problems] == [("grow",), ("threshold",)]
    with pytest.raises(OptionError, match=r"grow is 1\.5"):
        FillOptions(grow=1.5)
    for batch in (0, True, 1.5):
        with pytest.raises(OptionError, match="batch"):
            Execution(batch=batch)


def test_a_mask_of_the_stored_size_of_a_turned_photograph_is_explained():
    image = picture_of("RGB")
    image.getexif()[0x0112] = 6
    with pytest.raises(OptionError, match="exif_transpose"):
        fill(MeanFill(), image, MASK.T)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_from_a_method_is_an_error_that_names_the_picture(value):
    images = [np.zeros((8, 8, 3), np.uint8)] * 2
    with pytest.raises(NonFiniteError, match="image 1: the output of the method is NaN or infinite in 4 of its pixels"):
        fill_many(Constant(value), images, [np.zeros((8, 8), bool), square(8, 8, 2, 2, 2)])


def test_a_method_may_take_gradients_inside():
    image = np.full((20, 20, 3), 40, np.uint8)
    result = fill(Search(), image, square(20, 20, 4, 4, 8))
    assert (result == 40).all()


def test_modes_of_modules_are_put_back():
    method = Conv8().train()
    method.net[1].eval()
    fill(method, np.zeros((16, 16, 3), np.uint8), square(16, 16, 4, 4, 4))
    assert method.training
    assert method.net[0].training
    assert not method.net[1].training


def test_methods_run_without_gradients():
    class Watch(MeanFill):
        def inpaint(self, masked, mask):
            assert not torch.is_grad_enabled()
            assert not torch.is_inference_mode_enabled()
            return super().inpaint(masked, mask)

    fill(Watch(), np.zeros((8, 8)), np.eye(8))


@pytest.mark.gpu
def test_a_method_on_an_accelerator_fills_pictures_of_the_cpu():
    image, hole = np.asarray(picture_of("RGB")), square(30, 41, 8, 10, 9)
    there = fill(Conv8().to("cuda"), image, hole)
    assert np.abs(there.astype(int) - fill(Conv8(), image, hole)).max() <= 1
    tensor = torch.from_numpy(image.copy()).permute(2, 0, 1).to("cuda")
    result = fill(Conv8(), tensor, hole)
    assert result.device == tensor.device
    assert torch.equal(result.cpu()[:, ~hole], tensor.cpu()[:, ~hole])


def test_a_random_method_is_seeded_and_the_callers_numbers_stay():
    photo = np.full((8, 9, 3), 128, np.uint8)
    hole = square(8, 9, 2, 2, 4)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    once, again = fill(Noise(), photo, hole), fill(Noise(), photo, hole)
    other = fill(Noise(), photo, hole, FillOptions(seed=1))
    assert torch.equal(torch.rand(3), expected)
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_a_method_without_parameters_works_where_it_is_told():
    class Keeps(MeanFill):
        def inpaint(self, masked, mask):
            self.seen = masked.device.type
            return super().inpaint(masked, mask)

    method, photo = Keeps(), np.full((8, 9, 3), 128, np.uint8)
    with pytest.raises(NotImplementedError, match="meta"):  # a device without numbers: it got there
        fill(method, photo, square(8, 9, 2, 2, 4), execution=Execution(torch.device("meta")))
    assert method.seen == "meta"


def test_samples_are_those_of_the_seeds_one_by_one():
    image = picture_of("RGB")
    answers = fill_samples(Noise(), image, MASK, 3, FillOptions(seed=5))
    assert isinstance(answers, list)
    assert [type(each) for each in answers] == [type(image.copy())] * 3
    for number, answer in enumerate(answers):
        alone = fill(Noise(), image, MASK, FillOptions(seed=5 + number))
        assert np.array_equal(np.asarray(answer), np.asarray(alone))
        assert np.array_equal(np.asarray(answer)[~MASK], np.asarray(image)[~MASK])
    assert len({np.asarray(answer).tobytes() for answer in answers}) == 3


def test_a_method_that_draws_at_random_on_request_is_asked_for_several_answers_only():
    image, method = np.asarray(picture_of("RGB")), Asked()
    answers = fill_samples(method, image, MASK, 3)
    assert len({answer.tobytes() for answer in answers}) == 3
    assert (fill(method, image, MASK)[MASK] == 128).all()
    assert not any((answer[MASK] == 128).all() for answer in answers)


def test_samples_are_blended_too():
    image = np.asarray(picture_of("RGB"))
    answers = fill_samples(PoissonBlended(Asked()), image, MASK, 3)  # of one color each: the gradients are all 0
    assert all(np.abs(answer.astype(int) - answers[0]).max() <= 1 for answer in answers)


def test_a_method_with_one_answer_is_not_asked_for_more():
    with pytest.raises(OptionError, match="MeanFill gives only one answer to each hole: leave samples out"):
        fill_samples(MeanFill(), picture_of("RGB"), MASK, 2)
    for samples in (0, True, 1.5):
        with pytest.raises(OptionError, match=r"samples is .+: a whole number, at least 1"):
            fill_samples(Noise(), picture_of("RGB"), MASK, samples)


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        (
            (nn.Conv2d(4, 3, 1), np.zeros((4, 4)), np.ones((4, 4))),
            {},
            r"not Conv2d: a network becomes one as .*inpaint",
        ),
        ((MeanFill(), "photo.png", np.ones((4, 4))), {}, r"not str: open it with PIL\.Image\.open, or use fill_files"),
        (("photo.png", "mask.png"), {}, "the mask is missing"),
        ((MeanFill(), np.zeros((4, 4))), {}, "the mask is missing"),
        ((MeanFill(), np.zeros((4, 4)), np.ones((4, 4))), {"execution": "cuda"}, r'Execution\("cuda"\), not str'),
        ((MeanFill(), np.zeros((4, 4)), np.ones((4, 4)), {"grow": 1}), {}, r"FillOptions\(grow=4\), not dict"),
    ],
)
def test_what_is_given_in_place_of_something_else_names_the_fix(arguments, options, said):
    with pytest.raises(OptionError, match=said):
        fill(*arguments, **options)


@pytest.mark.parametrize("device", ["cuda:99", torch.device("cuda:99"), "nonsense", None])
def test_a_device_that_is_not_there_is_named_at_once(device):
    with pytest.raises(InpaintkitError, match="cannot be used here"):
        Execution(device)


def test_floats_that_leave_0_and_1_by_rounding_are_filled():
    image = np.random.default_rng(0).choice([-1e-7, 0.5, 1 + 1e-7], (9, 9, 3))
    hole = square(9, 9, 2, 2, 3)
    result = fill(MeanFill(), image, hole)
    assert np.array_equal(result[~hole], image[~hole])
    assert 0 <= result[hole].min() <= result[hole].max() <= 1
    with pytest.raises(OptionError, match="floating-point pictures are in"):
        fill(MeanFill(), image - 0.01, hole)
