"""Harmonic and biharmonic filling against direct sparse solves, scikit-image, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from inpaintkit_classical.diffusion import Biharmonic, Harmonic
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import binary_dilation
from scipy.sparse.linalg import spsolve
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from inpaintkit import InpaintkitError
from inpaintkit.components import multigrid


def smooth(height: int, width: int, seed: int = 0, count: int = 1) -> Tensor:
    """(B, 3, H, W) in float64: noise, smoothed a little."""
    rng = torch.Generator().manual_seed(seed)
    noise = torch.rand(count, 3, height + 4, width + 4, generator=rng, dtype=torch.float64) * 2 - 1
    return torch.nn.functional.avg_pool2d(noise, 5, 1) * 2


def hole(kind: str, height: int, width: int) -> Tensor:
    mask = torch.zeros(1, 1, height, width, dtype=torch.float64)
    if kind == "center":
        mask[..., height // 4 : -height // 4, width // 4 : -width // 4] = 1
    elif kind == "corner":
        mask[..., : height // 2, : width // 3] = 1
    elif kind == "three sides":
        mask[..., height // 3 :, :] = 1
    elif kind == "several":
        mask[..., 1:4, 2:9] = 1
        mask[..., height - 9 :, width - 5 :] = 1
        mask[..., 7:11, 5] = 1
    elif kind == "scattered":
        mask[:] = torch.rand(height, width, generator=torch.Generator().manual_seed(7)) < 0.8
    elif kind == "two known":
        mask[:] = 1
        mask[..., 2, 3] = mask[..., height - 4, width - 2] = 0
    elif kind == "one hidden":
        mask[..., 0, width - 1] = 1
    return mask


HOLES = ("center", "corner", "three sides", "several", "scattered", "two known", "one hidden")


def differences(length: int) -> sparse.csr_matrix:
    return sparse.diags([-np.ones(length - 1), np.ones(length - 1)], [0, 1], shape=(length - 1, length))


def solved(picture: Tensor, mask: Tensor, order: int) -> NDArray[np.float64]:
    """(3, H, W): the same equations in one sparse matrix, solved directly."""
    values, hidden = picture[0].numpy().reshape(3, -1).copy(), mask.bool().numpy().ravel()
    height, width = mask.shape[-2:]
    rows = sparse.kron(differences(height), sparse.eye(width))
    columns = sparse.kron(sparse.eye(height), differences(width))
    gradient = sparse.vstack([rows, columns]).tocsr()
    matrix = ((gradient.T @ gradient) ** order).tocsr()
    inner, outer = matrix[hidden][:, hidden].tocsc(), matrix[hidden][:, ~hidden]
    known = values[:, ~hidden]
    values[:, hidden] = spsolve(inner, -outer @ known.T).reshape(-1, 3).T
    values = values.clip(known.min(1, keepdims=True), known.max(1, keepdims=True))
    return values.reshape(3, height, width)


@pytest.mark.parametrize("kind", HOLES)
@pytest.mark.parametrize("method", [Harmonic, Biharmonic])
def test_equals_a_direct_solve(method: type[Harmonic], kind: str) -> None:
    picture, mask = smooth(28, 37), hole(kind, 28, 37)
    found = method().inpaint(picture * (1 - mask), mask)
    np.testing.assert_allclose(found[0], solved(picture, mask, method.order), atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(1, 40), (40, 1), (2, 31), (3, 3), (11, 64)])
@pytest.mark.parametrize("method", [Harmonic, Biharmonic])
def test_narrow_pictures_equal_a_direct_solve(method: type[Harmonic], height: int, width: int) -> None:
    picture = smooth(height, width)
    mask = torch.ones(1, 1, height, width, dtype=torch.float64)
    mask[..., 0, 0] = mask[..., -1, -1] = mask[..., height // 2, width // 2] = 0
    found = method().inpaint(picture * (1 - mask), mask)
    np.testing.assert_allclose(found[0], solved(picture, mask, method.order), atol=1e-5)


@pytest.mark.parametrize("side", [48, pytest.param(128, marks=pytest.mark.slow)])
def test_a_large_hole_equals_a_direct_solve(side: int) -> None:
    picture, mask = smooth(2 * side, 2 * side), torch.zeros(1, 1, 2 * side, 2 * side, dtype=torch.float64)
    mask[..., 9 : 9 + side, side // 2 : side // 2 + side] = 1
    for method in (Harmonic, Biharmonic):
        found = method().inpaint(picture * (1 - mask), mask)
        np.testing.assert_allclose(found[0], solved(picture, mask, method.order), atol=1e-5)


@pytest.mark.parametrize("kind", HOLES)
def test_biharmonic_equals_scikit_image_also_at_the_border(kind: str) -> None:
    picture, mask = smooth(23, 30, seed=1), hole(kind, 23, 30)
    expected = inpaint_biharmonic(picture[0].numpy(), mask[0, 0].bool().numpy(), channel_axis=0)
    found = Biharmonic().inpaint(picture * (1 - mask), mask)
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


def axes(height: int, width: int) -> tuple[Tensor, Tensor]:
    rows, columns = (torch.linspace(-1, 1, length, dtype=torch.float64) for length in (height, width))
    return torch.meshgrid(rows, columns, indexing="ij")


def test_harmonic_reproduces_harmonic_polynomials() -> None:
    y, x = axes(25, 25)
    picture = torch.stack([(x + 2 * y) / 3, x * y, (x**2 - y**2) / 2])[None]
    mask = hole("center", 25, 25)
    torch.testing.assert_close(Harmonic().inpaint(picture * (1 - mask), mask), picture, atol=1e-7, rtol=0)


def test_biharmonic_reproduces_cubics() -> None:
    y, x = axes(26, 21)
    picture = torch.stack([(x**3 - y) / 2, x**2 * y, (y**3 + x**2 + 2 * x) / 4])[None]
    mask = hole("center", 26, 21)
    torch.testing.assert_close(Biharmonic().inpaint(picture * (1 - mask), mask), picture, atol=1e-7, rtol=0)


def test_harmonic_reproduces_a_ramp_through_a_border_that_it_does_not_cross() -> None:
    picture = torch.linspace(-1, 1, 30, dtype=torch.float64).expand(1, 3, 20, 30)
    mask = torch.zeros(1, 1, 20, 30, dtype=torch.float64)
    mask[..., :, 5:22] = 1  # from the upper border to the lower one
    torch.testing.assert_close(Harmonic().inpaint(picture * (1 - mask), mask), picture, atol=1e-7, rtol=0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), height=st.integers(2, 15), width=st.integers(2, 15), share=st.floats(0.05, 0.98))
def test_harmonic_keeps_the_maximum_principle(seed: int, height: int, width: int, share: float) -> None:
    rng = torch.Generator().manual_seed(seed)
    picture = torch.rand(1, 3, height, width, generator=rng) * 2 - 1
    mask = (torch.rand(1, 1, height, width, generator=rng) < share).float()
    mask[..., int(rng.initial_seed() % height), 0] = 0
    beside = binary_dilation(mask[0, 0].numpy()) & ~mask[0, 0].bool().numpy()
    found = Harmonic().inpaint(picture * (1 - mask), mask)[0]
    if beside.any():
        rim = picture[0][:, torch.from_numpy(beside)]
        inside = found[:, mask[0, 0].bool()]
        assert (inside >= rim.amin(1, keepdim=True) - 1e-6).all()
        assert (inside <= rim.amax(1, keepdim=True) + 1e-6).all()


def test_biharmonic_overshoots_to_the_known_range_and_not_beyond() -> None:
    x = torch.linspace(-1, 1, 24, dtype=torch.float64)
    picture = (1 - x**2).expand(1, 3, 24, 24).clone()
    mask = torch.zeros(1, 1, 24, 24, dtype=torch.float64)
    mask[..., 8:16] = 1  # the parabola's top: a cubic, which would come back whole
    found = Biharmonic().inpaint(picture * (1 - mask), mask)
    top = float((picture * (1 - mask)).max())
    torch.testing.assert_close(found, picture.clamp(max=top), atol=1e-7, rtol=0)


def test_tolerance_is_how_near_the_solution_is() -> None:
    picture, mask = smooth(40, 40), hole("center", 40, 40)
    expected = torch.from_numpy(solved(picture, mask, 2))
    rough, fine = (
        float((Biharmonic(tolerance).inpaint(picture * (1 - mask), mask)[0] - expected).abs().max())
        for tolerance in (1e-1, 1e-6)
    )
    assert fine < 1e-4 < 1e-3 < rough


@pytest.mark.parametrize("method", [Harmonic, Biharmonic])
def test_nan_stays_in_its_picture(method: type[Harmonic]) -> None:
    picture = smooth(16, 16, count=2)
    mask = hole("center", 16, 16).expand(2, -1, -1, -1)
    alone = method().inpaint((picture * (1 - mask))[1:], mask[1:])
    picture[0, 1, 0, 0] = picture[0, 1, 3, 3] = torch.nan
    found = method().inpaint(picture * (1 - mask), mask)
    torch.testing.assert_close(found[1:], alone, atol=1e-7, rtol=0)
    assert found[0, 1, 4:12, 4:12].isnan().all()
    assert found[0, (0, 2)].isfinite().all()


def test_an_unsolved_equation_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multigrid, "ITERATIONS", 2)
    mask = hole("center", 40, 40)
    with pytest.raises(InpaintkitError, match="not solved to a tolerance of 1e-08 after 2 iterations"):
        Biharmonic().inpaint(smooth(40, 40) * (1 - mask), mask)
