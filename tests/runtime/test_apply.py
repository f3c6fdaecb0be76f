"""A method applied to pictures of any size: padded to its stride, blanked, composited."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from inpaintkit.core.errors import OptionError
from inpaintkit.core.interfaces import Method
from inpaintkit.runtime.apply import inpaint_padded, pad_by_reflection

from ..filling.toys import Constant, Conv8, Fixed64, MeanFill


@pytest.mark.parametrize("size", [(129, 131), (128, 128), (3, 5), (1, 1)])
def test_padding_to_the_stride(size):
    torch.manual_seed(0)
    image, mask = torch.rand(2, 3, *size) * 2 - 1, (torch.rand(2, 1, *size) < 0.2).float()
    method = Conv8()
    result = inpaint_padded(method, image * (1 - mask), mask)
    assert method.shapes[0][2:] == tuple(-(-side // 8) * 8 for side in size)
    assert result.shape == image.shape
    assert torch.equal(result * (1 - mask), image * (1 - mask))
    assert not result.requires_grad


@given(length=st.integers(1, 9), to=st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_reflection_is_numpy_s(length, to):
    row = torch.arange(float(length))[None, None, None]
    to = max(length, to)
    wanted = np.pad(row.numpy(), [(0, 0)] * 3 + [(0, to - length)], mode="reflect" if length > 1 else "edge")
    assert np.array_equal(pad_by_reflection(row, 1, to), wanted)


def test_the_padding_is_known_except_where_it_mirrors_the_hole():
    method = MeanFill()
    type(method).stride = property(lambda self: 8)
    try:
        mask = torch.zeros(1, 1, 8, 10)
        mask[..., 2, 2] = 1
        inpaint_padded(method, torch.ones(1, 3, 8, 10), mask)
        assert method.shown[0][1].sum() == 1
        mask[..., 5, 9] = 1  # at the border
        mask[..., 5, 8] = 1
        inpaint_padded(method, torch.ones(1, 3, 8, 10), mask)
    finally:
        del type(method).stride
    masked, shown = method.shown[1]
    assert torch.equal(shown[0, 0, 5, 8:12], torch.tensor([1.0, 1, 1, 0]))
    assert torch.equal(masked, 1 - shown.expand_as(masked))  # nothing blank is called known


def test_inpaint_padded_blanks_once_more_and_keeps_nan_in_the_hole():
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 1, 1] = 1
    image = torch.full((1, 3, 4, 4), 0.5)
    method = MeanFill()
    assert torch.equal(inpaint_padded(method, image.masked_fill(mask.bool(), torch.nan), mask), image)
    result = inpaint_padded(Constant(torch.nan), image, mask)
    assert torch.equal(result.isnan(), mask.bool().expand(1, 3, 4, 4))


@pytest.mark.parametrize(
    ("method", "image", "mask", "said"),
    [
        (MeanFill(), torch.zeros(3, 4, 4), torch.zeros(1, 1, 4, 4), r"\(B, 3, H, W\)"),
        (MeanFill(), torch.zeros(1, 3, 4, 4, dtype=torch.uint8), torch.zeros(1, 1, 4, 4), "uint8"),
        (MeanFill(), torch.zeros(2, 3, 4, 4), torch.zeros(1, 1, 4, 4), r"\(2, 1, 4, 4\)"),
        (
            Fixed64(),
            torch.zeros(1, 3, 32, 64),
            torch.zeros(1, 1, 32, 64),
            "tied to 64 x 64 and the pictures are 32 x 64",
        ),
    ],
)
def test_inpaint_padded_refuses_what_does_not_fit(method, image, mask, said):
    with pytest.raises(OptionError, match=said):
        inpaint_padded(method, image, mask)


def test_a_method_that_returns_another_shape_is_named():
    class Wrong(Method):
        def inpaint(self, masked, mask):
            return masked[..., :-1]

    with pytest.raises(OptionError, match=r"Wrong\.inpaint returned \(1, 3, 4, 3\) where \(1, 3, 4, 4\)"):
        inpaint_padded(Wrong(), torch.zeros(1, 3, 4, 4), torch.ones(1, 1, 4, 4))
