"""Wavenumbers and exact resampling."""

import math

import pytest
import scipy.fft
import torch

from pdenca.core.errors import BadInputError
from pdenca.solvers import (
    STENCILS,
    Grid,
    SpectralDerivatives,
    SpectralTransform,
    fourier_waves,
    interpolate,
    laplacian,
    restrict,
    wavenumbers,
    waves_of,
)
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


def _mirrored(state, grid):
    """The state and its mirror images on the periodic domain twice as long where there are walls."""
    shape = list(grid.shape)
    for axis, boundary in enumerate(grid.boundaries):
        if boundary == "no-flux":
            state, shape[axis] = torch.cat((state, state.flip(axis + 2)), axis + 2), 2 * shape[axis]
    return state, Grid(tuple(shape), grid.spacing, ("periodic",) * grid.num_dims)


def _corner(state, grid):
    return state[(..., *(slice(0, cells) for cells in grid.shape))]


WALLED = [
    Grid((9,), (0.3,), ("no-flux",)),
    Grid((8,), (0.3,), ("no-flux",)),
    Grid((8, 7), (0.3, 0.2), ("no-flux", "no-flux")),
    Grid((6, 9), (0.3, 0.2), ("periodic", "no-flux")),
    Grid((7, 6), (0.3, 0.2), ("no-flux", "periodic")),
    Grid((5, 4, 6), (0.3, 0.2, 0.25), ("no-flux", "periodic", "no-flux")),
]


@pytest.mark.parametrize("grid", WALLED)
def test_derivatives_between_walls_are_those_of_the_mirrored_domain(generator, grid):
    state = torch.rand(2, 3, *grid.shape, generator=generator, dtype=torch.float64)
    diffusivity = 1 + torch.rand(1, 1, *grid.shape, generator=generator, dtype=torch.float64)
    on_all, doubled = _mirrored(state, grid)
    spread, _ = _mirrored(diffusivity, grid)
    own, other = SpectralDerivatives(grid), SpectralDerivatives(doubled)
    pairs = [
        (own.laplacian(state), other.laplacian(on_all)),
        (own.laplacian_of(torch.exp, state), other.laplacian_of(torch.exp, on_all)),
        (own.biharmonic(state), other.biharmonic(on_all)),
    ]
    for axis in range(grid.num_dims):
        pairs.append((own.first(state, axis), other.first(on_all, axis)))
        pairs.append((own.second(state, axis), other.second(on_all, axis)))
        flux = own.divergence_of_flux(diffusivity, state, axis)
        pairs.append((flux, other.divergence_of_flux(spread, on_all, axis)))
        assert float(flux.flatten(2).sum(2).abs().max()) < 1e-9  # nothing leaves through a wall
    for found, expected in pairs:
        torch.testing.assert_close(found, _corner(expected, grid), rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("grid", WALLED)
def test_resampling_between_walls_is_that_of_the_mirrored_domain(generator, grid):
    fine = grid.refined(3)
    up, down = (torch.rand(2, 1, *g.shape, generator=generator, dtype=torch.float64) for g in (grid, fine))
    (up_all, doubled), (down_all, doubled_fine) = _mirrored(up, grid), _mirrored(down, fine)
    expected = interpolate(up_all, doubled, doubled_fine)
    torch.testing.assert_close(interpolate(up, grid, fine), _corner(expected, fine), rtol=0, atol=1e-12)
    expected = restrict(down_all, doubled_fine, doubled)
    torch.testing.assert_close(restrict(down, fine, grid), _corner(expected, grid), rtol=0, atol=1e-12)
    if "periodic" not in grid.boundaries:  # the grid holds all its cosines
        torch.testing.assert_close(restrict(interpolate(up, grid, fine), fine, grid), up, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cells", [5, 8, 192, 193, 200])
def test_cosine_transform_of_short_and_long_axes(generator, cells, dtype):
    """By matrix and by Fourier transform: against SciPy, and back."""
    state = torch.rand(2, cells, 3, generator=generator, dtype=dtype)
    transform = SpectralTransform(Grid((cells, 3), (1.0, 1.0), ("no-flux", "no-flux")), dtype)
    spectrum = transform.forward(state)
    expected = torch.from_numpy(scipy.fft.dctn(state.double().numpy(), axes=(1, 2)) / 4)
    atol = 2 * cells * torch.finfo(dtype).eps * cells**0.5
    torch.testing.assert_close(spectrum.double(), expected, rtol=0, atol=atol)
    torch.testing.assert_close(transform.inverse(spectrum), state, rtol=0, atol=atol)


@pytest.mark.parametrize("stencil", STENCILS)
@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_waves_are_eigenvectors_of_stencils(generator, boundary, stencil):
    grid = Grid.uniform((8, 7), 0.2, boundary)
    state = torch.rand(1, 1, 8, 7, generator=generator, dtype=torch.float64)
    waves, transform = waves_of(grid, stencil=stencil), SpectralTransform(grid)
    found = transform.inverse(transform.forward(state) * waves.laplacian)
    torch.testing.assert_close(found, laplacian(state, grid, stencil), rtol=0, atol=1e-10)
    with pytest.raises(BadInputError, match="waves need periodic"):
        fourier_waves(Grid.uniform(8, 0.2, "no-flux"))
