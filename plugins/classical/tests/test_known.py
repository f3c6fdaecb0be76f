"""What the methods have in common: masks that are empty, full, or at the border; types; hidden pixels; batches."""

from __future__ import annotations

import pytest
import torch
from inpaintkit_classical.diffusion import Biharmonic, Harmonic
from inpaintkit_classical.known import levels, require_known
from inpaintkit_classical.opencv import NavierStokes, Telea
from inpaintkit_classical.total_variation import TotalVariation
from torch import Tensor

from inpaintkit import InpaintkitError, Method
from inpaintkit.components.crops import crops_around

METHODS = (Harmonic, Biharmonic, TotalVariation, Telea, NavierStokes)


@pytest.fixture(params=METHODS, ids=lambda method: method.__name__)
def method(request: pytest.FixtureRequest) -> Method:
    if request.param in (Telea, NavierStokes):
        pytest.importorskip("cv2")
    made: Method = request.param()
    made.setup()
    return made


def pictures(count: int, height: int = 13, width: int = 18) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(5)) * 2 - 1


def masks(height: int = 13, width: int = 18) -> Tensor:
    """Five kinds: none, at the border, several, one known pixel, one hidden pixel."""
    mask = torch.zeros(5, 1, height, width)
    mask[1, :, 8:, :7] = 1
    mask[2, :, 2:5, 3:9] = mask[2, :, 9:, 15:] = 1
    mask[3] = 1
    mask[3, :, 4, 11] = 0
    mask[4, :, 0, 0] = 1
    return mask


def test_known_pixels_and_pictures_without_a_hole_come_back_as_they_are(method: Method) -> None:
    image, mask = pictures(5), masks()
    found = method.inpaint(image * (1 - mask), mask)
    assert torch.equal(found[mask.expand_as(found) == 0], image[mask.expand_as(found) == 0])
    assert torch.equal(method.inpaint(image, torch.zeros_like(mask)), image)
    hidden = mask.expand_as(found) == 1
    assert found.isfinite().all()
    assert found[hidden].abs().max() <= 1
    assert not torch.equal(found[hidden], image[hidden])


def test_one_known_pixel_gives_its_color(method: Method) -> None:
    image, mask = pictures(5)[3:4], masks()[3:4]
    found = method.inpaint(image * (1 - mask), mask)
    tolerance = 1.5 / 127.5 if isinstance(method, Telea | NavierStokes) else 1e-6  # levels of 8 bits
    if not isinstance(method, Telea):  # it extrapolates with slopes, which one pixel does not have
        torch.testing.assert_close(found, image[..., 4:5, 11:12].expand_as(found), atol=tolerance, rtol=0)


def test_hidden_pixels_are_not_read(method: Method) -> None:
    image, mask = pictures(5), masks()
    blank = method.inpaint(image * (1 - mask), mask)
    for other in (pictures(6)[1:], torch.full_like(image, torch.nan)):
        assert torch.equal(method.inpaint(torch.where(mask.bool(), other, image), mask), blank)


def test_batch_mates_do_not_matter(method: Method) -> None:
    image, mask = pictures(5), masks()
    together = method.inpaint(image * (1 - mask), mask)
    for at in range(5):
        alone = method.inpaint((image * (1 - mask))[at : at + 1], mask[at : at + 1])
        torch.testing.assert_close(alone[0], together[at], atol=2e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_the_pictures_type_is_kept(method: Method, dtype: torch.dtype) -> None:
    image, mask = pictures(5).to(dtype), masks().to(dtype)
    found = method.inpaint(image * (1 - mask), mask)
    assert found.dtype == dtype
    exact = method.inpaint(image.double() * (1 - mask.double()), mask.double())
    torch.testing.assert_close(found.double(), exact, atol=8e-3 if dtype == torch.bfloat16 else 1e-3, rtol=0)


def test_nothing_known_is_refused(method: Method) -> None:
    image, mask = pictures(5), masks()
    mask[1] = mask[4] = 1
    with pytest.raises(InpaintkitError, match=r"nothing is known of pictures 1, 4 .*batch of 5.*the other way round"):
        method.inpaint(image * (1 - mask), mask)


def test_the_first_eight_without_known_pixels_are_named() -> None:
    require_known(torch.zeros(2, 1, 3, 3))
    with pytest.raises(InpaintkitError, match="nothing is known of picture 0 "):
        require_known(torch.ones(1, 1, 2, 2))
    with pytest.raises(InpaintkitError, match="0, 1, 2, 3, 4, 5, 6, 7 and 4 more"):
        require_known(torch.ones(12, 1, 2, 2))


def test_windows_hold_each_hole_with_its_margin() -> None:
    image, mask = pictures(5), masks()
    mask[3] = 0
    mask[3, :, 2:6, 10:12] = 1
    crops = crops_around(mask, margin=2)
    assert (crops.rows.shape[1], crops.columns.shape[1]) == (13, 18)  # the second and third need so many
    crops = crops_around(mask[3:], margin=2)
    assert crops.rows.tolist() == [list(range(8)), list(range(8))]
    assert crops.columns.tolist() == [list(range(8, 14)), list(range(6))]
    assert torch.equal(crops.take(image[3:])[0], image[3, :, :8, 8:14])
    assert torch.equal(crops.put(image[3:], crops.take(image[3:])), image[3:])
    assert torch.equal(
        crops.put(torch.zeros(2, 3, 13, 18), torch.ones(2, 3, 8, 6)).sum((1, 2, 3)).int(), torch.tensor([144, 144])
    )


def test_levels_are_those_of_known_pixels() -> None:
    image, mask = pictures(5), masks()
    lowest, mean, highest = levels(image, mask)
    known = image[2][:, mask[2, 0] == 0].double()
    for found, expected in ((lowest, known.amin(1)), (mean, known.mean(1)), (highest, known.amax(1))):
        torch.testing.assert_close(found[2].flatten(), expected)
