"""Wavenumbers and exact resampling."""

import math

import pytest
import torch

from pdenca.core.errors import BadInputError
from pdenca.solvers import Grid, interpolate, restrict, wavenumbers
from pdenca.solvers.spectral import laplacian_symbol


def _waves(grid, modes):
    """A sum of products of waves with all combinations of signs and phases, sampled at the cell centres."""
    total = torch.zeros(grid.shape, dtype=torch.float64)
    for number, mode in enumerate(modes):
        phase = torch.full((), 0.3 + number, dtype=torch.float64)
        for m, x, length in zip(mode, grid.coordinates(), grid.extent, strict=True):
            phase = phase[..., None] + 2 * math.pi * m * x / length
        total = total + (1 + number) * torch.cos(phase)
    return total[None, None]


SIGNED_MODES = {
    1: [(0,), (1,), (3,)],
    2: [(0, 0), (3, -2), (-1, 3), (2, 0)],
    3: [(1, -1, 1), (0, 2, -3), (3, 0, 0)],
}


@pytest.mark.parametrize("cells", [8, 9])
@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_symbol_differentiates_exactly(cells, num_dims):
    grid = Grid.uniform(cells, 0.3, num_dims=num_dims)
    dims = tuple(range(-num_dims, 0))
    for mode in SIGNED_MODES[num_dims]:
        state = _waves(grid, [mode])
        k2 = sum((2 * math.pi * m / length) ** 2 for m, length in zip(mode, grid.extent, strict=True))
        spectrum = torch.fft.rfftn(state, dim=dims) * laplacian_symbol(grid)
        result = torch.fft.irfftn(spectrum, s=grid.shape, dim=dims)
        torch.testing.assert_close(result, -k2 * state, rtol=0, atol=1e-10)


def test_nyquist_wave_has_its_full_second_derivative():
    grid = Grid.uniform((8, 6), 0.5)
    assert [tuple(k.shape) for k in wavenumbers(grid)] == [(8, 1), (1, 4)]
    assert float(laplacian_symbol(grid).min()) == pytest.approx(-2 * (math.pi / 0.5) ** 2)


@pytest.mark.parametrize("coarse_cells", [8, 9])
@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_restrict_and_interpolate_sample_band_limited_fields_exactly(dtype, coarse_cells, factor, num_dims):
    coarse = Grid.uniform(coarse_cells, 0.25, num_dims=num_dims)
    fine = coarse.refined(factor)
    on_coarse, on_fine = (_waves(grid, SIGNED_MODES[num_dims]).to(dtype) for grid in (coarse, fine))
    atol = 1e-12 if dtype == torch.float64 else 1e-5
    down, up = restrict(on_fine, fine, coarse), interpolate(on_coarse, coarse, fine)
    assert down.dtype == up.dtype == dtype
    torch.testing.assert_close(down, on_coarse, rtol=0, atol=atol)
    torch.testing.assert_close(up, on_fine, rtol=0, atol=atol)


def test_restrict_drops_what_the_coarse_grid_cannot_hold():
    coarse = Grid.uniform(8, 0.25)
    fine = coarse.refined(2)
    for mode in [(4, 0), (4, 4), (1, 4), (6, 1), (-5, 5)]:  # the coarse Nyquist wave and shorter ones
        assert float(restrict(_waves(fine, [mode]), fine, coarse).abs().max()) < 1e-13


@pytest.mark.parametrize("cells", [(6, 12), (7, 14), (6, 15), (5, 12)])
def test_restrict_commutes_with_rotations_and_mirrors(generator, cells):
    coarse, fine = (Grid.uniform(number, 2.0 / number) for number in cells)
    state = torch.rand(2, 3, *fine.shape, generator=generator, dtype=torch.float64)
    moves = [lambda u: u.rot90(1, (-2, -1)), lambda u: u.flip(-1), lambda u: u.flip(-2), lambda u: u.mT]
    for move in moves:
        torch.testing.assert_close(
            restrict(move(state), fine, coarse), move(restrict(state, fine, coarse)), rtol=0, atol=1e-13
        )


def test_leading_axes_and_anisotropic_boxes():
    coarse = Grid((8, 6), (0.25, 0.5), ("periodic",) * 2)
    fine = Grid((16, 18), (0.125, 0.5 / 3), ("periodic",) * 2)
    modes = [(3, -2), (2, 1)]
    state = _waves(fine, modes).expand(2, 5, 3, *fine.shape)
    expected = _waves(coarse, modes).expand(2, 5, 3, *coarse.shape)
    torch.testing.assert_close(restrict(state, fine, coarse), expected, rtol=0, atol=1e-12)


def test_restrict_keeps_the_mean_and_equal_grids_change_nothing(generator):
    coarse = Grid.uniform(8, 0.25)
    fine = coarse.refined(4)
    state = torch.rand(1, 1, *fine.shape, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(restrict(state, fine, coarse).mean(), state.mean())
    assert restrict(state, fine, fine) is state


def test_refusals():
    coarse, fine = Grid.uniform(8, 0.25), Grid.uniform(16, 0.125)
    with pytest.raises(BadInputError, match="usual cure: interpolate"):
        restrict(torch.zeros(8, 8), coarse, fine)
    with pytest.raises(BadInputError, match="usual cure: restrict"):
        interpolate(torch.zeros(16, 16), fine, coarse)
    with pytest.raises(BadInputError, match="resampling keeps the domain"):
        restrict(torch.zeros(16, 16), fine, Grid.uniform(8, 0.3))
    with pytest.raises(BadInputError, match="is not the grid's"):
        restrict(torch.zeros(8, 16), fine, coarse)
    with pytest.raises(BadInputError, match="resampling keeps the domain"):
        restrict(torch.zeros(16, 16), fine, Grid.uniform(8, 0.25, "no-flux"))
    held = Grid.uniform(16, 0.125, "dirichlet(1)"), Grid.uniform(8, 0.25, "dirichlet(1)")
    with pytest.raises(BadInputError, match="resampling needs periodic or no-flux boundaries"):
        restrict(torch.zeros(16, 16), *held)
    with pytest.raises(BadInputError, match=r"needs periodic or no-flux boundaries, got \('dirichlet\(1\)'"):
        wavenumbers(held[1])
