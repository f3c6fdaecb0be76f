"""The multigrid solver's parts: grids, the V-cycle, and how it ends."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from inpaintkit.components.multigrid import Grid, Multigrid, harmonic_extension, laplacian

HOLES = ("center", "corner", "scattered", "two known")


def noise(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1


def hole(kind: str, height: int, width: int) -> Tensor:
    """(1, 1, H, W) in float64."""
    known = torch.ones(height, width, dtype=torch.float64)
    if kind == "scattered":
        known[torch.rand(height, width, generator=torch.Generator().manual_seed(7)) < 0.8] = 0
    elif kind == "two known":
        known.zero_()[[2, height - 4], [3, width - 2]] = 1
    else:
        known[3 : height - 5 if kind == "center" else height, 4 : width - 3 if kind == "center" else width] = 0
    return (1 - known).view(1, 1, height, width)


@pytest.mark.parametrize("kind", HOLES)
def test_the_finest_grid_is_the_laplacian_in_the_hole(kind: str) -> None:
    mask = hole(kind, 14, 17)
    u = noise(14, 17) * mask
    torch.testing.assert_close(Grid.finest(mask)(u) * mask, laplacian(u) * mask)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 10), (1, 5)])
def test_a_coarser_grid_is_half_the_galerkin_operator_of_its_cells(height: int, width: int) -> None:
    mask = (torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(3)) < 0.7).double()
    mask[..., 0, 0] = 0
    fine = Grid.finest(mask)
    coarse = fine.coarser()
    tall, wide = coarse.inside.shape[-2:]
    cells = torch.eye(tall * wide, dtype=torch.float64).view(-1, 1, tall, wide)
    cells = cells.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., :height, :width] * mask
    expected = torch.einsum("ichw,jchw->ij", cells, torch.cat([fine(cell[None]) for cell in cells])) / 2
    units = torch.eye(tall * wide, dtype=torch.float64).view(1, -1, tall, wide) * coarse.inside
    found = (coarse(units) * coarse.inside)[0].flatten(1)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kind", ["center", "scattered", "two known"])
def test_a_v_cycle_is_symmetric_positive_and_near_the_inverse(kind: str) -> None:
    mask = hole(kind, 22, 27)
    cycle = Multigrid(mask)
    assert len(cycle.grids) == 3
    hidden = mask.flatten().bool()
    units = torch.eye(22 * 27, dtype=torch.float64).view(-1, 1, 22, 27)[hidden]
    matrix = cycle(units.transpose(0, 1)).flatten(2)[0][:, hidden]
    torch.testing.assert_close(matrix, matrix.T)
    laplace = laplacian(units).flatten(1)[:, hidden]
    values = torch.linalg.eigvals(matrix @ laplace).real
    assert 0 < float(values.max()) < 8 * float(values.min())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_tiny_is_no_division_by_zero(dtype: torch.dtype) -> None:
    mask = hole("center", 16, 16).bool()
    for size in (0.0, 1e-30, 1e-20, 1e-12):
        values = (noise(16, 16) * size).to(dtype).masked_fill(mask, 0)
        found = harmonic_extension(values, mask, 1e-6)
        assert found.isfinite().all()
        assert found.abs().max() <= values.abs().max() * 1.001


def test_what_is_not_finite_far_from_the_hole_stays_there() -> None:
    mask, values = hole("center", 16, 18).bool(), noise(16, 18)
    wanted = harmonic_extension(values, mask, 1e-8)
    values[0, 0, 0, 0] = values[0, 1, 2, 3] = torch.nan  # beside no hidden pixel: the second at its corner
    values[0, 2, 2, 8] = torch.nan  # beside one
    found = harmonic_extension(values, mask, 1e-8)
    assert torch.equal(found[:, :2, 3:11, 4:15], wanted[:, :2, 3:11, 4:15])
    assert found[0, 2, 3:11, 4:15].isnan().all()
    assert int(found[:, :2].isnan().sum()) == 2
