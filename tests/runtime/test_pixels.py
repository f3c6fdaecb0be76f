import pytest
import torch

from inpaintkit.runtime.pixels import to_float, to_uint8

LEVELS = torch.arange(256, dtype=torch.uint8)


def test_every_level_survives_the_round_trip():
    assert torch.equal(to_uint8(to_float(LEVELS)), LEVELS)


def test_the_range_is_minus_one_to_one():
    image = to_float(LEVELS)
    assert image.dtype == torch.float32
    assert image[[0, 255]].tolist() == [-1.0, 1.0]
    torch.testing.assert_close(image.double(), LEVELS.double() / 127.5 - 1, atol=1e-7, rtol=0)


def test_values_outside_are_clamped_and_nan_has_a_level():
    outside = torch.tensor([-3.0, 3.0, float("inf"), -float("inf"), float("nan")])
    assert to_uint8(outside).tolist() == [0, 255, 255, 0, 0]


def test_rounding_goes_to_the_nearest_level():
    between = (LEVELS[:-1].double() + torch.tensor([0.49]).double()) / 127.5 - 1
    assert torch.equal(to_uint8(between.float()), LEVELS[:-1])
    assert torch.equal(to_uint8((between + 0.02 / 127.5).float()), LEVELS[1:])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_types_are_taken(dtype):
    assert to_uint8(torch.tensor([-1.0, 0.0, 1.0], dtype=dtype)).tolist() == [0, 128, 255]


def test_the_input_stays_as_it_was():
    pixels, image = LEVELS.clone(), to_float(LEVELS)
    to_float(pixels), to_uint8(image)
    assert torch.equal(pixels, LEVELS)
    assert torch.equal(image, to_float(LEVELS))


def test_the_wrong_type_is_named():
    with pytest.raises(TypeError, match="float32"):
        to_float(torch.zeros(3))
    with pytest.raises(TypeError, match="uint8"):
        to_uint8(LEVELS)
