"""Poisson blending against a direct sparse solve, closed forms and OpenCV's seamlessClone."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve
from torch import Tensor, nn

from inpaintkit import Batch, Method
from inpaintkit.components.blending import PoissonBlended, poisson_blend
from inpaintkit.core.errors import OptionError
from inpaintkit.runtime.apply import draw_padded, inpaint_padded

Array = NDArray[np.float64]
HEIGHT, WIDTH = 23, 31


def noise(seed: int, count: int = 1, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """(B, 3, H, W) in float64 in [-0.5, 0.5]: nothing is cut off at -1 and 1."""
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.5


def hole(kind: str, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    mask = torch.zeros(1, 1, height, width, dtype=torch.float64)
    if kind == "interior":
        mask[..., 5:-6, 7:-4] = 1
    elif kind == "at the border":
        mask[..., 9:, :12] = 1
    elif kind == "three sides":
        mask[..., 6:, :] = 1
    elif kind == "several":  # a corner, a ring around known pixels, single pixels, the whole last column
        mask[..., :4, :5] = mask[..., 8:19, 9:20] = mask[..., 5, 25] = mask[..., -1, 2] = mask[..., -1] = 1
        mask[..., 11:15, 12:17] = 0
    elif kind == "irregular":
        mask[:] = torch.rand(height, width, generator=torch.Generator().manual_seed(7)) < 0.6
    elif kind == "one known":
        mask[:] = 1
        mask[..., 4, 6] = 0
    elif kind == "one hidden":
        mask[..., 0, -1] = 1
    return mask


HOLES = ("interior", "at the border", "three sides", "several", "irregular", "one known", "one hidden")


def directly(output: Tensor, known: Tensor, mask: Tensor) -> Array:
    """The equation of one picture, pixel by pixel: the sum over neighbors of u's differences is that of output's."""
    g, u, inside = output.numpy(), known.numpy().copy(), mask[0].bool().numpy()
    height, width = inside.shape
    number = {place: at for at, place in enumerate(zip(*np.nonzero(inside), strict=True))}
    matrix = sparse.lil_matrix((len(number), len(number)))
    right = np.zeros((len(number), len(g)))
    for (y, x), at in number.items():
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            other = y + dy, x + dx
            if not (0 <= other[0] < height and 0 <= other[1] < width):
                continue
            matrix[at, at] += 1
            right[at] += g[:, y, x] - g[:, other[0], other[1]]
            if other in number:
                matrix[at, number[other]] -= 1
            else:
                right[at] += u[:, other[0], other[1]]
    u[:, inside] = spsolve(matrix.tocsc(), right).reshape(len(number), -1).T
    return u


@pytest.mark.parametrize("kind", HOLES)
def test_equals_a_direct_solve(kind: str) -> None:
    output, picture, mask = 0.3 * noise(0), noise(1), hole(kind)
    masked = picture * (1 - mask)
    expected = torch.from_numpy(directly(output[0], masked[0], mask[0]))
    found = poisson_blend(output, masked, mask)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found[0], expected.clamp(-1, 1), atol=1e-5, rtol=0)
    single = poisson_blend(output.float(), masked.float(), mask.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single[0].double(), expected.clamp(-1, 1), atol=2e-5, rtol=0)
    known = mask.expand_as(masked) == 0
    assert torch.equal(found[known], picture[known])
    assert torch.equal(single[known], picture.float()[known])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.floats(0.02, 0.95),
    height=st.integers(1, 24),
    width=st.integers(2, 24),
    cast=st.lists(st.floats(-0.4, 0.4), min_size=3, max_size=3),
)
def test_a_color_cast_is_removed(seed: int, share: float, height: int, width: int, cast: list[float]) -> None:
    picture = noise(seed, 2, height, width)
    mask = (torch.rand(2, 1, height, width, generator=torch.Generator().manual_seed(seed)) < share).double()
    mask[..., seed % height, 0] = 0
    masked = picture * (1 - mask)
    tinted = picture + torch.tensor(cast, dtype=torch.float64).view(1, 3, 1, 1)
    torch.testing.assert_close(poisson_blend(tinted, masked, mask), picture, atol=1e-5, rtol=0)
    output = noise(seed + 1, 2, height, width)
    shifted = poisson_blend(output + 0.25, masked, mask)
    torch.testing.assert_close(shifted, poisson_blend(output, masked, mask), atol=1e-5, rtol=0)


def test_hidden_pixels_are_not_read() -> None:
    output, picture = noise(0, 7), noise(1, 7)
    mask = torch.cat([hole(kind) for kind in HOLES])
    blank = poisson_blend(output, picture * (1 - mask), mask)
    for other in (noise(2, 7), torch.full_like(picture, torch.nan), torch.full_like(picture, torch.inf)):
        assert torch.equal(poisson_blend(output, torch.where(mask.bool(), other, picture), mask), blank)


def test_batch_mates_do_not_matter() -> None:
    output, picture = noise(0, 7).float(), noise(1, 7).float()
    mask = torch.cat([hole(kind) for kind in HOLES]).float()
    masked = picture * (1 - mask)
    together = poisson_blend(output, masked, mask)
    for at in range(7):
        alone = poisson_blend(output[at : at + 1], masked[at : at + 1], mask[at : at + 1])
        torch.testing.assert_close(alone[0], together[at], atol=1e-5, rtol=0)
    mixed = poisson_blend(
        torch.cat([output[:1], output[:1] * torch.nan]), masked[:1].repeat(2, 1, 1, 1), mask[:1].repeat(2, 1, 1, 1)
    )
    torch.testing.assert_close(mixed[0], together[0], atol=1e-5, rtol=0)
    assert mixed[1][mask[0].expand(3, -1, -1) == 1].isnan().all()
    assert mixed[1].isfinite()[mask[0].expand(3, -1, -1) == 0].all()


def test_without_known_pixels_and_without_a_hole() -> None:
    output, picture = 3 * noise(0, 3), noise(1, 3)
    mask = torch.cat([torch.ones_like(hole("")), hole("interior"), hole("")])
    found = poisson_blend(output, picture * (1 - mask), mask)
    assert torch.equal(found[0], output[0])
    assert torch.equal(found[2], picture[2])
    alone = poisson_blend(output[1:2], (picture * (1 - mask))[1:2], mask[1:2])
    torch.testing.assert_close(found[1], alone[0], atol=1e-5, rtol=0)
    assert found[1].abs().max() == 1  # cut off
    full = torch.ones(2, 1, HEIGHT, WIDTH)
    assert torch.equal(poisson_blend(output[:2], torch.zeros_like(picture[:2]), full), output[:2])


def test_what_stands_in_known_pixels_counts_beside_the_hole_alone() -> None:
    output, picture, mask = noise(0), noise(1), hole("interior")
    masked = picture * (1 - mask)
    before = poisson_blend(output, masked, mask)
    far = output.clone()
    far[..., :4, :] = far[..., 4, 6] = torch.nan  # diagonal neighbors do not count either
    assert torch.equal(poisson_blend(far, masked, mask), before)
    near = output.clone()
    near[..., 4, 7] += 1
    assert (poisson_blend(near, masked, mask) - before).abs().max() > 0.1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_worked_on_in_single(dtype: torch.dtype) -> None:
    output, picture, mask = noise(0).to(dtype), noise(1).to(dtype), hole("several").to(dtype)
    masked = picture * (1 - mask)
    found = poisson_blend(output, masked, mask)
    assert found.dtype == dtype
    exact = poisson_blend(output.double(), masked.double(), mask.double())
    torch.testing.assert_close(found.double(), exact, atol=4e-3, rtol=0)


def test_beside_opencv() -> None:
    """What agrees: an interior hole, when the patch shows the picture's own structure under another light.

    OpenCV takes the patch's gradients three pixels inside the mask that it is given, the target's own in the band
    around, and holds fast what is outside the band. So it is given the hole with four pixels more; its target is blank
    in the hole, as ours. What is left between the two is the band, which it may change, and its 8 bits.
    """
    cv2: Any = pytest.importorskip("cv2")
    photo = np.ascontiguousarray(skimage.data.astronaut()[100:164, 180:260])
    side, top, left, band = 24, 20, 28, 4
    light = np.linspace(-50, 10, 80)[None, :, None]
    drawn = (photo * 0.7 + 60 + light).clip(0, 255).astype(np.uint8)
    inside, box = np.zeros(photo.shape[:2], bool), np.zeros(photo.shape[:2], np.uint8)
    inside[top : top + side, left : left + side] = True
    box[top - band : top + side + band, left - band : left + side + band] = 255
    target = np.where(inside[..., None], 0, photo).astype(np.uint8)
    theirs = cv2.seamlessClone(drawn, target, box, (left + side // 2, top + side // 2), cv2.NORMAL_CLONE)
    output, masked = (
        torch.from_numpy(each / 127.5 - 1).permute(2, 0, 1)[None] for each in (drawn, target.astype(np.float64))
    )
    mask = torch.from_numpy(inside)[None, None].double()
    ours = ((poisson_blend(output, masked, mask)[0].permute(1, 2, 0) + 1) * 127.5).numpy()
    before, apart = (np.abs(each - theirs.astype(float))[inside] for each in (drawn, ours))
    assert before.mean() > 10
    assert apart.mean() < 2.5
    assert np.quantile(apart, 0.95) < 6


def test_shapes_that_do_not_fit_are_refused() -> None:
    output = noise(0)
    for other, mask in product((output, output[..., 1:]), (hole("interior"), hole("interior")[..., 1:])):
        if other is output and mask.shape == hole("").shape:
            continue
        with pytest.raises(OptionError, match=r"the mask is \(B, 1, H, W\), not"):
            poisson_blend(other, output, mask)


# --- the method that wraps another ------------------------------------------------------------------------------------


class Draws(Method):
    """Draws noise, and takes multiples of 8 only."""

    randomness = "on request"

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(0.25))

    @property
    def stride(self) -> int:
        return 8

    @property
    def steps(self) -> int:
        return 3

    @property
    def networks(self) -> list[nn.Module]:
        return [self]

    def training_step(self, batch: Batch, step: int) -> dict[str, Tensor]:
        return {"step": torch.tensor(step)}

    def inpaint(self, masked: Tensor, mask: Tensor, *, rng: torch.Generator | None = None) -> Tensor:
        assert masked.shape[2] % 8 == masked.shape[3] % 8 == 0
        if rng is None:
            return torch.linspace(-1, 1, masked.shape[3]).expand_as(masked) + self.shift
        return torch.rand(masked.shape, generator=rng)


def test_a_blended_method_draws_what_the_method_draws_and_blends_it() -> None:
    one = Draws()
    method = PoissonBlended(one)
    known, mask = noise(0) * (1 - hole("interior")), hole("interior")
    completed = inpaint_padded(method, known, mask)
    assert torch.equal(completed, poisson_blend(draw_padded(one, known, mask), known, mask))
    seeded = [torch.Generator().manual_seed(1) for _ in range(2)]
    answer = inpaint_padded(method, known, mask, seeded[0])
    assert torch.equal(answer, poisson_blend(draw_padded(one, known, mask, seeded[1]), known, mask))
    assert not torch.equal(answer, completed)
    batch = Batch(noise(0, 1, 24, 32), hole("interior", 24, 32))
    shown = method.preview(batch)
    assert torch.equal(shown.output, one.preview(batch).output)
    assert torch.equal(shown.completed, poisson_blend(shown.output, batch.masked, batch.mask))


def test_a_blended_method_is_trained_as_the_method_is() -> None:
    one = Draws()
    method = PoissonBlended(one)
    assert (method.steps, method.size, method.randomness) == (3, None, "on request")
    assert method.networks == [one]
    assert method.trial_steps() == {"training": 0}
    assert method.training_step(Batch(noise(0), hole("interior")), 2)["step"] == 2
    assert list(method.state_dict()) == ["method.shift"]
