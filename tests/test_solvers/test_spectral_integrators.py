"""Linear parts that are complex, coupled or of fourth order; walls; operators as coefficients."""

import itertools
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.linalg
import torch
from scipy.integrate import solve_ivp

from pdenca.core import Field
from pdenca.core.errors import BadInputError, StabilityError
from pdenca.solvers import (
    INTEGRATORS,
    AdvectionDiffusion,
    CahnHilliard,
    ComplexGinzburgLandau,
    Equation,
    Factored,
    GrayScott,
    Grid,
    Heat,
    ReactionDiffusion,
    RungeKutta,
    SemiImplicit,
    SpectralDerivatives,
    SpectralETDRK4,
    SwiftHohenberg,
    restrict,
)
from pdenca.solvers.integrators import options_of
from pdenca.solvers.integrators.phi import contour_means, matrix_phis
from pdenca.solvers.integrators.pseudo_spectral import PseudoSpectral

SPECTRAL = [name for name in INTEGRATORS if "dealiasing" in options_of(name)]


@dataclass(frozen=True, eq=False)
class Burgers(Equation):
    """∂u/∂t = ν ∂²u/∂x² - ∂(u²/2)/∂x: the coefficient of the product is an operator, and imaginary."""

    name: ClassVar[str] = "burgers"
    fields: ClassVar[tuple[Field, ...]] = (Field("u"),)

    viscosity: Any = 0.05

    def parameters(self):
        return {"viscosity": self.viscosity}

    def rate(self, state, derivatives):
        return self.viscosity * derivatives.second(state, 0) - derivatives.first(state * state / 2, 0)

    def linear_symbol(self, waves):
        return (self.viscosity * waves.second(0))[None, None]

    def factored_nonlinear(self):
        return Factored(lambda u: u * u / 2, (lambda waves: -waves.first(0),), (0.0,))


@dataclass(frozen=True, eq=False)
class Cascade(Equation):
    """B decays into A, which decays as fast: the matrix of every wave is a Jordan block."""

    name: ClassVar[str] = "cascade"
    fields: ClassVar[tuple[Field, ...]] = (Field("A"), Field("B"))

    decay: Any = 1.0
    source: Any = 0.0
    saturation: Any = 0.0

    def parameters(self):
        return {"decay": self.decay}

    def rate(self, state, derivatives):
        a, b = state.unbind(1)
        linear = torch.stack((b - self.decay * a, -self.decay * b), 1) + 0.01 * derivatives.laplacian(state)
        forced = torch.tensor([0.0, self.source], dtype=state.dtype).reshape(2, *(1,) * (state.ndim - 2))
        return linear + forced - self.saturation * (a * b * b)[:, None]

    def linear_symbol(self, waves):
        own = 0.01 * waves.laplacian - self.decay
        rows = (torch.stack((own, torch.ones_like(own))), torch.stack((torch.zeros_like(own), own)))
        return torch.stack(rows)[None]

    def factored_nonlinear(self):
        # one product for both fields
        return Factored(
            lambda u: u[:, :1] * u[:, 1:] ** 2, (-self.saturation, -self.saturation), (0.0, self.source)
        )


CASES = {
    "coupled": (ComplexGinzburgLandau(1.5, -0.7), 1.0, 3.0),
    "defective": (Cascade(0.8, 0.3, 2.0), 0.25, 2.0),
    "fourth order": (SwiftHohenberg(), 0.7, 4.0),
    "operator": (CahnHilliard(), 2.0, 8.0),
    "imaginary operator": (Burgers(), 0.2, 1.0),
}


def _start(grid, num_fields):
    """Smooth across the walls, too."""
    total = torch.zeros(num_fields, *(1,) * grid.num_dims, dtype=torch.float64)
    for axis, (x, length) in enumerate(zip(grid.coordinates(), grid.extent, strict=True)):
        angle = (2 if grid.boundaries[axis] == "periodic" else 1) * math.pi * x / length
        line = torch.stack(
            [torch.cos(angle) - channel * torch.cos(2 * angle) for channel in range(num_fields)]
        )
        total = total + 0.4 * line.reshape(
            num_fields, *(-1 if a == axis else 1 for a in range(grid.num_dims))
        )
    return (0.6 * torch.exp(total) - 0.3)[None]


def _independent(equation, grid, state, duration):
    """SciPy on the same waves."""
    derivatives = SpectralDerivatives(grid)

    def rate(_, values):
        return equation.rate(torch.from_numpy(values).reshape(state.shape), derivatives).numpy().ravel()

    found = solve_ivp(rate, (0, duration), state.numpy().ravel(), method="LSODA", rtol=1e-8, atol=1e-9)
    return torch.from_numpy(found.y[:, -1].copy()).reshape(state.shape)


# a first derivative needs a periodic axis
ON_GRIDS = [*itertools.product(CASES, ["periodic", "no-flux"])][:-1]


@pytest.mark.parametrize(("case", "boundary"), ON_GRIDS)
def test_order_in_time_and_agreement_with_scipy(fitted_order, case, boundary):
    equation, spacing, duration = CASES[case]
    grid = Grid.uniform(16, spacing, boundary, 1)
    state = _start(grid, len(equation.fields))
    best = SpectralETDRK4(equation, grid, duration / 512).march(state, 512)
    assert float((best - state).abs().max()) > 0.01
    torch.testing.assert_close(best, _independent(equation, grid, state, duration), rtol=0, atol=2e-6)
    for name in SPECTRAL:
        order = INTEGRATORS[name].order
        counts = [32, 48, 64] if order == 4 else [64, 96, 128]
        errors = []
        for n in counts:
            result = INTEGRATORS[name](equation, grid, duration / n).march(state, n)
            errors.append(float((result - best).abs().max()))
        fitted = fitted_order([1 / n for n in counts], errors)
        assert order - 0.4 < fitted < order + 0.6, (name, errors)
        assert errors[-1] < 0.01


@pytest.mark.parametrize("name", INTEGRATORS)
@pytest.mark.parametrize(
    "boundaries", [("no-flux", "no-flux"), ("periodic", "no-flux"), ("no-flux", "periodic")]
)
@pytest.mark.parametrize("shape", [(8, 6), (7, 9)])
def test_walls_are_mirrors(generator, name, boundaries, shape):
    """Exactly the solution on the doubled periodic domain; of waves beside each other, too."""
    equation = GrayScott(0.03, 0.06, diffusivity_a=(4e-4, 2e-4), diffusivity_b=1e-4)
    grid = Grid(shape, (0.1, 0.07), boundaries)
    state = 0.5 * torch.rand(2, 2, *shape, generator=generator, dtype=torch.float64)
    mirrored, cells = state, list(shape)
    for axis, boundary in enumerate(boundaries):
        if boundary == "no-flux":
            mirrored, cells[axis] = torch.cat((mirrored, mirrored.flip(axis + 2)), axis + 2), 2 * cells[axis]
    doubled = Grid(tuple(cells), grid.spacing, ("periodic", "periodic"))
    expected = INTEGRATORS[name](equation, doubled, 0.5).march(mirrored, 6)[..., : shape[0], : shape[1]]
    result = INTEGRATORS[name](equation, grid, 0.5).march(state, 6)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SPECTRAL)
def test_dealiasing_at_walls_is_that_of_the_mirrored_domain(generator, name):
    equation = GrayScott(0.03, 0.06)
    state = 0.5 * torch.rand(1, 2, 9, generator=generator, dtype=torch.float64)
    grid, doubled = Grid.uniform(9, 0.02, "no-flux", 1), Grid.uniform(18, 0.02, num_dims=1)
    mirrored = torch.cat((state, state.flip(2)), 2)
    cut = INTEGRATORS[name](equation, grid, 0.5, dealiasing=2 / 3).march(state, 4)
    expected = INTEGRATORS[name](equation, doubled, 0.5, dealiasing=2 / 3).march(mirrored, 4)[..., :9]
    torch.testing.assert_close(cut, expected, rtol=0, atol=1e-13)
    assert float((cut - INTEGRATORS[name](equation, grid, 0.5).march(state, 4)).abs().max()) > 1e-6


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("name", ["etdrk2", "etdrk4"])
def test_long_axes_take_another_transform_and_agree(name, boundary):
    """300 cells are beyond the cosine matrices; every second wave of them is zero at 150."""
    equation, time_step = GrayScott(0.03, 0.06, diffusivity_a=1e-3, diffusivity_b=5e-4), 0.5
    fine, coarse = Grid.uniform(300, 1 / 150, boundary, 1), Grid.uniform(150, 1 / 75, boundary, 1)

    def solve(grid):
        wave = torch.cos(2 * math.pi * grid.coordinates()[0])
        state = torch.stack((0.6 + 0.2 * wave, 0.3 - 0.2 * wave))[None]
        return INTEGRATORS[name](equation, grid, time_step).march(state, 4)

    torch.testing.assert_close(restrict(solve(fine), fine, coarse), solve(coarse), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["etdrk2", "etdrk4"])
def test_a_stain_is_carried_exactly(name, dtype):
    """Complex eigenvalues: c = exp(-Dk²t) cos(k·(x - vt)), in two steps as in one."""
    velocity, diffusivity, duration = (0.5, -0.3), (0.02, 0.01), 3.0
    equation = AdvectionDiffusion(velocity_x=0.5, velocity_y=-0.3, diffusivity=diffusivity)
    grid = Grid((12, 9), (0.25, 1 / 3), ("periodic", "periodic"))
    k = (2 * math.pi * 2 / 3, 2 * math.pi * 3 / 3)
    x, y = torch.meshgrid(*grid.coordinates(), indexing="ij")

    def stain(time):
        decay = math.exp(-sum(d * q * q for d, q in zip(diffusivity, k, strict=True)) * time)
        phase = k[0] * (x - velocity[0] * time) + k[1] * (y - velocity[1] * time)
        return (0.5 + decay * torch.cos(phase))[None, None].to(dtype)

    for steps in (1, 2):
        result = INTEGRATORS[name](equation, grid, duration / steps, dtype=dtype).march(stain(0), steps)
        atol = 1e-12 if dtype == torch.float64 else 2e-6
        torch.testing.assert_close(result, stain(duration), rtol=0, atol=atol)


@pytest.mark.parametrize("name", ["etdrk2", "etdrk4"])
def test_a_defective_matrix_is_integrated_exactly(name, smooth_field):
    """A gets t e^{-ct} of B; the constant source of B has its exact mean."""
    grid = Grid.uniform(8, 0.5)
    state = smooth_field(grid)
    decay, source, time = 0.7, 0.4, 5.0
    result = INTEGRATORS[name](Cascade(decay, source), grid, time).march(state, 1)
    spread = INTEGRATORS[name](Heat(0.01), grid, time).march(state.reshape(2, 1, 8, 8), 1).reshape(1, 2, 8, 8)
    a, b = (math.exp(-decay * time) * spread).unbind(1)
    rest = source / decay * (1 - math.exp(-decay * time))
    chain = source / decay**2 * (1 - (1 + decay * time) * math.exp(-decay * time))
    torch.testing.assert_close(result[:, 1], b + rest, rtol=0, atol=1e-13)
    torch.testing.assert_close(result[:, 0], a + time * b + chain, rtol=0, atol=1e-13)


def test_a_steady_state_of_a_coupled_equation_with_a_source_stays():
    """B = s / c, A = s / c²: sources and matrices in every method."""
    state = torch.tensor([0.3 / 0.64, 0.3 / 0.8], dtype=torch.float64).reshape(1, 2, 1, 1).expand(1, 2, 6, 5)
    for name, boundary in itertools.product(SPECTRAL, ["periodic", "no-flux"]):
        solver = INTEGRATORS[name](Cascade(0.8, 0.3), Grid.uniform((6, 5), 0.5, boundary), 0.5)
        torch.testing.assert_close(solver.march(state, 20), state.contiguous(), rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", SPECTRAL)
def test_constants_of_coupled_and_operator_parts_per_trajectory(name, generator, monkeypatch):
    """The product holds constants, too; and only some trajectories are computed at a time."""
    b = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    grid = Grid.uniform((8, 6), 0.7)
    monkeypatch.setattr(PseudoSpectral, "_trajectories_at_once", lambda self, number: 2)
    for family in (
        lambda value: ComplexGinzburgLandau(value, value),
        lambda value: CahnHilliard(1 + value**2),
    ):
        fields = len(family(0.5).fields)
        state = torch.rand(3, fields, 8, 6, generator=generator, dtype=torch.float64)
        together = INTEGRATORS[name](family(b), grid, 0.02).march(state, 5)
        for row in range(3):
            alone = INTEGRATORS[name](family(float(b[row])), grid, 0.02).march(state[row : row + 1], 5)
            torch.testing.assert_close(together[row : row + 1], alone, rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("stencil", ["order-2-isotropic", "order-4"])
def test_semi_implicit_solves_the_difference_equations_of_its_stencil(fitted_order, boundary, stencil):
    """Against RK4 on the same stencil, at steps far beyond what is stable there."""
    equation, grid = CahnHilliard(), Grid.uniform(6, 1.0, boundary)
    state = _start(grid, 1)
    best = RungeKutta(equation, grid, 0.5 / 120, stencil).march(state, 120)
    counts, errors = [16, 24, 32], []
    for n in counts:
        result = SemiImplicit(equation, grid, 0.5 / n, stencil=stencil).march(state, n)
        errors.append(float((result - best).abs().max()))
    assert 1.7 < fitted_order([1 / n for n in counts], errors) < 2.4
    exact = SemiImplicit(equation, grid, 0.5 / 32).march(state, 32)
    assert float((exact - best).abs().max()) > 10 * errors[-1]
    with pytest.raises(StabilityError, match="usual cure"):
        RungeKutta(equation, grid, 0.5, stencil)
    assert float(SemiImplicit(equation, grid, 0.5, stencil=stencil).march(state, 100).abs().max()) < 1.2


def test_semi_implicit_refuses_a_step_in_which_the_linear_part_explodes():
    class Growth(ReactionDiffusion):
        name: ClassVar[str] = "growth"
        fields: ClassVar[tuple[Field, ...]] = (Field("T"),)

        def parameters(self):
            return {}

        def diffusivities(self):
            return (0.1,)

        def reaction(self, state):
            return state

        def linear_rate(self):
            return (1.0,)

    grid = Grid.uniform(8, 0.5)
    with pytest.raises(StabilityError, match=r"by exp\(2\) in one step; .* at most 1\.707"):
        SemiImplicit(Growth(), grid, 2.0)
    grown = SemiImplicit(Growth(), grid, 0.01).march(torch.ones(1, 1, 8, 8, dtype=torch.float64), 100)
    assert float(grown.mean()) == pytest.approx(math.e, rel=1e-4)


def _phis_by_augmented_exponential(matrix):
    """φ_0 ... φ_3 from one matrix exponential four times as large."""
    n = len(matrix)
    large = np.zeros((4 * n, 4 * n), dtype=complex)
    large[:n, :n] = matrix
    for block in range(3):
        large[block * n : (block + 1) * n, (block + 1) * n : (block + 2) * n] = np.eye(n)
    found = scipy.linalg.expm(large)
    return [found[:n, block * n : (block + 1) * n] for block in range(4)]


@pytest.mark.parametrize(
    "matrix",
    [
        [[0.0, 0.0], [0.0, 0.0]],
        [[0.0, 1.0], [0.0, 0.0]],
        [[-1e-9, 3.0], [0.0, -1e-9]],
        [[-20.0, 5.0], [1.0, -0.01]],
        [[0.0, 9.0], [-9.0, 0.0]],
        [[2.0, -1.0, 0.3], [0.1, 1.0, 0.0], [-0.5, 0.2, -7.0]],
        [[1j, 2.0], [0.5, -3j]],
    ],
)
def test_phi_functions_of_matrices(matrix):
    values = torch.tensor(matrix, dtype=torch.complex128 if np.iscomplexobj(matrix) else torch.float64)
    expected = _phis_by_augmented_exponential(np.array(matrix))
    # beside a matrix that needs far more doublings
    both = matrix_phis(torch.stack((values, -1e5 * torch.eye(len(matrix), dtype=values.dtype))))
    for found, wanted in zip(both, expected, strict=True):
        np.testing.assert_allclose(
            found[0].numpy(), wanted, rtol=0, atol=2e-14 * max(1, np.abs(wanted).max())
        )
    for k, found in enumerate(both):  # of a large -z, φ_k = 1 / (z (k - 1)!) to first order
        limit = 0.0 if k == 0 else 1e-5 / math.factorial(k - 1)
        assert float(found[1, 0, 0].real) == pytest.approx(limit, rel=5e-5, abs=1e-300)


@pytest.mark.parametrize("z", [0.0, 1e-12, -1e-3, -1.0, 0.5, -30.0, 1j, -1e-8j, 2.5 - 14j, -3 + 0.1j])
def test_phi_functions_of_numbers(z):
    """Complex ones over the whole circle, real ones over half of it."""
    _, one, two, _ = (complex(value[0, 0]) for value in _phis_by_augmented_exponential(np.array([[z]])))

    def formulas(w):
        return (torch.exp(w) - 1) / w, (torch.exp(w) - 1 - w) / w**2

    number = torch.tensor([z], dtype=torch.complex128 if isinstance(z, complex) else torch.float64)
    found = [complex(value) for value in contour_means(formulas, number)]
    assert found == pytest.approx([one, two], rel=1e-13, abs=1e-14)


def test_refusals():
    no_flux = Grid.uniform(8, 0.5, "no-flux", 1)
    with pytest.raises(BadInputError, match=r"turns cosines into sines.*usual cure: boundary 'periodic'"):
        SpectralETDRK4(Burgers(), no_flux, 0.1)
    for name in SPECTRAL:
        with pytest.raises(BadInputError, match=r"needs periodic or no-flux boundaries.*'rk4' or 'adaptive'"):
            INTEGRATORS[name](Heat(0.1), Grid.uniform(8, 0.5, "dirichlet(1)"), 0.1)
        with pytest.raises(BadInputError, match="dealiasing is the fraction"):
            INTEGRATORS[name](Heat(0.1), no_flux, 0.1, dealiasing=0.0)
        with pytest.raises(BadInputError, match="has no gradients"):
            INTEGRATORS[name](Heat(0.1), no_flux, 0.1).march(
                torch.zeros(1, 1, 8, dtype=torch.float64, requires_grad=True), 1
            )


@pytest.mark.parametrize("name", ["etdrk2", "etdrk4", "semi-implicit"])
def test_rounding_does_not_grow_where_the_linear_part_does(name):
    """An unstable state held down by the nonlinear term: a long march stays on the solution of one wave."""

    @dataclass(frozen=True, eq=False)
    class Growth(ReactionDiffusion):
        name: ClassVar[str] = "growth"
        fields: ClassVar[tuple[Field, ...]] = (Field("u"),)

        def parameters(self):
            return {}

        def diffusivities(self):
            return (0.01,)

        def reaction(self, state):
            return state - state**3

        def linear_rate(self):
            return (1.0,)

    grid = Grid.uniform((16, 12), 0.5)
    x, y = grid.coordinates()
    state = (0.1 * torch.cos(2 * math.pi * x / 8)[:, None] * torch.cos(2 * math.pi * y / 6))[None, None]
    options = {"dtype": torch.float64}
    result = INTEGRATORS[name](Growth(), grid, 0.1, **options).march(state, 2000)
    assert float(result.abs().max()) < 1.1
