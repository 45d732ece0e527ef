"""Discrete Laplacians: order, isotropy, spectrum, symmetry."""

import itertools
import math

import pytest
import torch

from pdenca.core.errors import BadInputError
from pdenca.solvers import STENCILS, Grid, Heat, Stencil, laplacian, simulate
from pdenca.solvers.stencils import as_stencil, divergence_of_flux


def _cosine(grid, modes):
    """Π_d cos(2π m x / L) on periodic axes, cos(π m x / L) on no-flux axes, and its exact Laplacian."""
    total, eigenvalue = torch.ones((), dtype=torch.float64), 0.0
    for x, length, mode, boundary in zip(
        grid.coordinates(), grid.extent, modes, grid.boundaries, strict=True
    ):
        k = (2 if boundary == "periodic" else 1) * math.pi * mode / length
        total = total[..., None] * torch.cos(k * x + (0.7 if boundary == "periodic" else 0.0))
        eigenvalue -= k**2
    return total[None, None], eigenvalue * total[None, None]


@pytest.mark.parametrize("name", STENCILS)
@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_order_of_accuracy(fitted_order, name, boundary, num_dims):
    cells = [16, 24, 32, 48] if STENCILS[name].order <= 6 else [24, 28, 32, 40]
    modes = (1, 2, 1) if STENCILS[name].order <= 6 else (3, 3, 3)  # far from rounding
    errors = []
    for number in cells:
        grid = Grid.uniform(number, 1 / number, boundary, num_dims)
        waves = modes if boundary == "periodic" or max(modes) < 3 else [2 * mode for mode in modes]
        state, exact = _cosine(grid, tuple(waves[:num_dims]))
        errors.append(float((laplacian(state, grid, name) - exact).abs().max()))
    order = fitted_order([1 / number for number in cells], errors)
    # short waves, as high orders need to be seen at all, are not quite at the limit
    assert order == pytest.approx(STENCILS[name].order, abs=0.2 if STENCILS[name].order <= 6 else 0.75)


@pytest.mark.parametrize("name", STENCILS)
def test_every_derivative_of_a_wave_has_the_order_of_its_stencil(fitted_order, name):
    """Eigenvalues of first and second differences, and of the flux form with constant diffusivity."""
    stencil = STENCILS[name]
    angles = torch.tensor([0.4, 0.5, 0.6, 0.7], dtype=torch.float64)
    second = ((stencil.second_symbol(angles) + angles**2) / angles**2).abs()
    assert fitted_order(angles.tolist(), second.tolist()) == pytest.approx(stencil.order, abs=0.6)
    first = ((stencil.first_symbol(angles) - angles) / angles).abs()
    assert fitted_order(angles.tolist(), first.tolist()) == pytest.approx(stencil.order, abs=0.6)
    errors = []
    for cells in (24, 28, 32):
        grid = Grid.uniform(cells, 1 / cells, num_dims=1)
        state, exact = _cosine(grid, (3,))
        flux = divergence_of_flux(torch.ones(()).double(), state, 0, grid, stencil)
        errors.append(float((flux - exact).abs().max()))
    assert fitted_order([1 / 24, 1 / 28, 1 / 32], errors) == pytest.approx(stencil.order, abs=0.6)


def test_weights_of_eighth_order():
    expected = (-205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560)
    assert STENCILS["order-8"].weights == pytest.approx(expected, rel=1e-15)
    assert STENCILS["order-8"].first_weights == pytest.approx((4 / 5, -1 / 5, 4 / 105, -1 / 280), rel=1e-15)
    assert STENCILS["order-8"].radius == 4


@pytest.mark.parametrize("num_dims", [2, 3])
def test_leading_error_of_the_isotropic_stencil_is_h2_over_12_biharmonic(num_dims):
    grid = Grid.uniform(64, 1 / 64, num_dims=num_dims)
    for modes in itertools.product((1, 2), repeat=num_dims):
        angles = tuple(2 * math.pi * mode / 64 for mode in modes)
        k2 = sum((2 * math.pi * mode) ** 2 for mode in modes)
        error = STENCILS["order-2-isotropic"].symbol(angles, grid) + k2
        assert error == pytest.approx(k2**2 * grid.spacing[0] ** 2 / 12, rel=0.03)


def test_the_plain_stencil_is_not_isotropic():
    """The same wavelength along an axis and along the diagonal: errors differ by a factor of two."""
    grid = Grid.uniform(64, 1 / 64)
    k = 2 * math.pi * 4 / 64
    along = STENCILS["order-2"].symbol((k, 0.0), grid) + (k * 64) ** 2
    diagonal = STENCILS["order-2"].symbol((k / math.sqrt(2),) * 2, grid) + (k * 64) ** 2
    assert along / diagonal == pytest.approx(2.0, rel=0.05)
    along = STENCILS["order-2-isotropic"].symbol((k, 0.0), grid) + (k * 64) ** 2
    diagonal = STENCILS["order-2-isotropic"].symbol((k / math.sqrt(2),) * 2, grid) + (k * 64) ** 2
    assert along / diagonal == pytest.approx(1.0, rel=0.01)


def test_the_isotropic_stencil_is_the_nine_point_mehrstellen_stencil():
    grid = Grid.uniform(5, 0.5)
    impulse = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    impulse[0, 0, 2, 2] = 1
    weights = laplacian(impulse, grid, "order-2-isotropic")[0, 0, 1:4, 1:4] * 6 * 0.5**2
    expected = torch.tensor([[1.0, 4.0, 1.0], [4.0, -20.0, 4.0], [1.0, 4.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(weights, expected)


def test_the_binomial_stencil_is_that_of_the_founding_paper():
    """Its kernel, and one explicit Euler step of diffusion with it."""
    grid = Grid.uniform(5, 0.5)
    impulse = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    impulse[0, 0, 2, 2] = 1
    weights = laplacian(impulse, grid, "order-2-binomial")[0, 0, 1:4, 1:4] * 0.5**2
    expected = torch.tensor([[0.25, 0.5, 0.25], [0.5, -3.0, 0.5], [0.25, 0.5, 0.25]], dtype=torch.float64)
    torch.testing.assert_close(weights, expected)
    assert not STENCILS["order-2-binomial"].isotropic
    unit = Grid.uniform(5, 1.0)
    stepped = simulate(
        Heat(diffusivity=0.3), unit, impulse, num_frames=2, frame_interval=1.0, time_step=1.0,
        method="euler", stencil="order-2-binomial",
    )  # fmt: skip
    torch.testing.assert_close(stepped[0, 1, 0, 1:4, 1:4], 0.3 * expected + impulse[0, 0, 1:4, 1:4])


@pytest.mark.parametrize("name", STENCILS)
@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_largest_eigenvalue_is_that_of_the_periodic_matrix(name, num_dims):
    """The transformed Laplacian of an impulse is the whole spectrum; even axes reach the extreme."""
    grid = Grid.uniform(8, 0.25, num_dims=num_dims)
    impulse = torch.zeros(1, 1, *grid.shape, dtype=torch.float64)
    impulse.view(-1)[0] = 1
    dims = tuple(range(-num_dims, 0))
    spectrum = torch.fft.fftn(laplacian(impulse, grid, name), dim=dims)
    assert float(spectrum.imag.abs().max()) < 1e-10
    assert float(spectrum.real.max()) < 1e-10
    assert float(spectrum.real.abs().max()) == pytest.approx(STENCILS[name].largest_eigenvalue(grid))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order-2", 8.0),
        ("order-2-isotropic", 16 / 3),
        ("order-2-binomial", 4.0),
        ("order-4", 32 / 3),
        ("order-6", 544 / 45),
    ],
)
def test_known_largest_eigenvalues_in_two_dimensions(name, value):
    assert STENCILS[name].largest_eigenvalue(Grid.uniform(8, 0.5)) == pytest.approx(value / 0.25)


@pytest.mark.parametrize("name", STENCILS)
@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_cosines_are_eigenvectors_of_every_no_flux_stencil(name, num_dims):
    """DCT-II diagonalises the stencil at every radius: each cosine comes back times its symbol."""
    cells = 7
    grid = Grid.uniform(cells, 0.3, "no-flux", num_dims)
    for modes in itertools.product(range(0, cells, 2), repeat=num_dims):
        state, _ = _cosine(grid, modes)
        symbol = STENCILS[name].symbol(tuple(math.pi * mode / cells for mode in modes), grid)
        torch.testing.assert_close(laplacian(state, grid, name), symbol * state, rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", STENCILS)
@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_conserves_the_sum(generator, name, boundary):
    grid = Grid.uniform((6, 7), 0.5, boundary)
    state = torch.rand(2, 3, 6, 7, generator=generator, dtype=torch.float64)
    total = laplacian(state, grid, name).sum((-1, -2))
    torch.testing.assert_close(total, torch.zeros_like(total), rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", STENCILS)
@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_commutes_with_mirrors_bit_by_bit_and_with_transposing(generator, dtype, name, boundary):
    grid = Grid.uniform(9, 0.5, boundary)
    state = torch.rand(1, 2, 9, 9, generator=generator, dtype=dtype)
    result = laplacian(state, grid, name)
    assert result.dtype == dtype
    for move in (lambda u: u.flip(-1), lambda u: u.flip(-2)):
        assert torch.equal(laplacian(move(state), grid, name), move(result))
    atol = 1e-12 if dtype == torch.float64 else 2e-5
    torch.testing.assert_close(laplacian(state.mT, grid, name), result.mT, rtol=0, atol=atol)


@pytest.mark.parametrize("name", ["order-2", "order-4", "order-6"])
def test_spacing_may_differ_between_axes(name):
    grid = Grid((48, 40), (1 / 48, 1 / 20), ("periodic", "no-flux"))
    state, exact = _cosine(grid, (1, 2))
    torch.testing.assert_close(laplacian(state, grid, name), exact, rtol=0, atol=0.5)


def test_refusals():
    with pytest.raises(
        BadInputError, match="'order-3' is unknown; expected one of order-2, order-2-isotropic"
    ):
        as_stencil("order-3")
    with pytest.raises(BadInputError, match=r"order 2, 4, ... or 12 .* got order 3"):
        Stencil(3, 1, False, (-2.0, 1.0))
    with pytest.raises(BadInputError, match=r"one weight more than its radius, .* radius 2 and 2 weights"):
        Stencil(2, 2, False, (-2.0, 1.0))
    with pytest.raises(BadInputError, match="equal spacing on all axes"):
        laplacian(torch.zeros(1, 1, 4, 4), Grid((4, 4), (1.0, 0.5), ("periodic",) * 2), "order-2-isotropic")
    with pytest.raises(BadInputError, match="is not the grid's"):
        laplacian(torch.zeros(1, 1, 4, 5), Grid.uniform(4, 1.0), "order-2")
    with pytest.raises(BadInputError, match="cannot pad an axis of 2 cells by 3"):
        laplacian(torch.zeros(1, 1, 2), Grid.uniform(2, 1.0, num_dims=1), "order-6")
