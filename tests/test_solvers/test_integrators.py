"""Every integrator of the dictionary: order in time, exact solutions, symmetry, batches, refusals."""

import dataclasses
import math
from typing import ClassVar

import pytest
import torch

from pdenca.core import Field, Step
from pdenca.core.errors import BadInputError, StabilityError
from pdenca.solvers import (
    EULER,
    INTEGRATORS,
    MIDPOINT,
    RK4,
    STENCILS,
    Brusselator,
    GrayScott,
    Grid,
    Heat,
    ReactionDiffusion,
    RungeKutta,
    SpectralETDRK4,
    interpolate,
    laplacian,
    largest_stable_step,
    restrict,
)
from pdenca.solvers.integrators import options_of

ORDERS = {"euler": 1, "midpoint": 2, "rk4": 4, "etdrk2": 2, "etdrk4": 4, "semi-implicit": 2}
FIXED_STEP = tuple(ORDERS)  # "adaptive" has tests of its own
MAZE = GrayScott(0.029, 0.057, diffusivity_a=2e-4, diffusivity_b=1e-4)


def _build(name, equation, grid, time_step, dtype=torch.float64):
    options = {"dtype": dtype} if "dtype" in options_of(name) else {}
    return INTEGRATORS[name](equation, grid, time_step, **options)


def test_every_integrator_has_an_order():
    assert {*ORDERS, "adaptive"} == set(INTEGRATORS)
    for name, order in ORDERS.items():
        assert _build(name, Heat(1e-3), Grid.uniform(8, 0.1), 0.1).order == order


@pytest.mark.parametrize("name", FIXED_STEP)
@pytest.mark.parametrize("num_dims", [1, 2])
def test_order_in_time(fitted_order, smooth_field, name, num_dims):
    """Against the same scheme with a much smaller step, so that only the error in time is seen."""
    grid = Grid.uniform(16, 1 / 8, num_dims=num_dims)
    state = 0.4 * smooth_field(grid)
    steps = [12, 16, 24, 32] if ORDERS[name] == 4 else [16, 24, 32, 48]
    reference = "etdrk4" if "dealiasing" in options_of(name) else "rk4"
    best = _build(reference, MAZE, grid, 8 / 128).march(state, 128)
    errors = [float((_build(name, MAZE, grid, 8 / n).march(state, n) - best).abs().max()) for n in steps]
    assert max(errors) < 0.1
    order = fitted_order([8 / n for n in steps], errors)
    assert ORDERS[name] - 0.3 < order < ORDERS[name] + 0.4


class Decay(ReactionDiffusion):
    """dT/dt = -T³, without diffusion: T = T₀ / sqrt(1 + 2 T₀² t), an exact nonlinear solution."""

    name: ClassVar[str] = "decay"
    fields: ClassVar[tuple[Field, ...]] = (Field("T"),)

    def parameters(self):
        return {}

    def diffusivities(self):
        return (0.0,)

    def reaction(self, state):
        return -(state**3)


@pytest.mark.parametrize("name", FIXED_STEP)
def test_order_against_an_exact_nonlinear_solution(fitted_order, generator, name):
    """All contour coefficients at cΔt = 0, where the closed formulas would be 0/0."""
    grid = Grid.uniform(6, 1.0, num_dims=1)
    state = 0.3 + 0.3 * torch.rand(2, 1, 6, generator=generator, dtype=torch.float64)
    exact = state / torch.sqrt(1 + 2 * state**2)
    steps = [12, 16, 24, 32]
    errors = [float((_build(name, Decay(), grid, 1 / n).march(state, n) - exact).abs().max()) for n in steps]
    order = fitted_order([1 / n for n in steps], errors)
    assert ORDERS[name] - 0.3 < order < ORDERS[name] + 0.4


@pytest.mark.parametrize("cells", [8, 9])
@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_etdrk4_solves_the_heat_equation_exactly(dtype, cells, num_dims):
    grid = Grid.uniform(cells, 1 / cells, num_dims=num_dims)
    mode = (1, -2, 1)[:num_dims]
    phase = torch.full((), 0.4, dtype=torch.float64)
    for m, x in zip(mode, grid.coordinates(), strict=True):
        phase = phase[..., None] + 2 * math.pi * m * x
    state = (1 + torch.cos(phase))[None, None]
    decay = math.exp(-0.01 * sum((2 * math.pi * m) ** 2 for m in mode) * 3 * 0.7)
    result = SpectralETDRK4(Heat(0.01), grid, 0.7, dtype=dtype).march(state.to(dtype), 3)
    atol = 1e-13 if dtype == torch.float64 else 1e-6
    torch.testing.assert_close(
        result, (1 + decay * torch.cos(phase))[None, None].to(dtype), rtol=0, atol=atol
    )


# errors in space of higher orders lie below those in time here; test_stencils measures the orders themselves
MARCHED = [name for name, stencil in STENCILS.items() if stencil.order <= 6]


@pytest.mark.parametrize("stencil", MARCHED)
@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_stencil_methods_solve_the_heat_equation_at_their_order(fitted_order, stencil, boundary, num_dims):
    cells, errors = [8, 12, 16], []
    for number in cells:
        grid = Grid.uniform(number, 1 / number, boundary, num_dims)
        wave, k2 = torch.ones((), dtype=torch.float64), 0.0
        for x in grid.coordinates():
            k = (2 if boundary == "periodic" else 1) * math.pi
            wave, k2 = wave[..., None] * torch.cos(k * x), k2 + k**2
        time = 0.5 / k2
        solver = RungeKutta(Heat(1.0), grid, time / 30, stencil)
        error = solver.march(wave[None, None], 30) - math.exp(-0.5) * wave
        errors.append(float(error.abs().max() / wave.max()))
    order = fitted_order([1 / number for number in cells], errors)
    assert STENCILS[stencil].order - 0.3 < order < STENCILS[stencil].order + 0.3


@pytest.mark.parametrize("stencil", MARCHED)
def test_stencil_and_spectral_solutions_meet_at_the_order_of_the_stencil(fitted_order, smooth_field, stencil):
    equation = GrayScott(0.029, 0.057, diffusivity_a=4e-4, diffusivity_b=2e-4)
    coarsest, cells = Grid.uniform(16, 1 / 8), [24, 32, 48]
    fine = Grid.uniform(64, 1 / 32)
    best = restrict(SpectralETDRK4(equation, fine, 0.1).march(0.3 * smooth_field(fine), 20), fine, coarsest)
    errors = []
    for number in cells:
        grid = Grid.uniform(number, 2 / number)
        result = RungeKutta(equation, grid, 0.1, stencil).march(0.3 * smooth_field(grid), 20)
        errors.append(float((restrict(result, grid, coarsest) - best).abs().max()))
    order = fitted_order([1 / number for number in cells], errors)
    assert STENCILS[stencil].order - 0.4 < order < STENCILS[stencil].order + 0.4


@pytest.mark.parametrize("name", INTEGRATORS)
@pytest.mark.parametrize("cells", [16, 15])
def test_a_symmetric_start_stays_symmetric(name, cells):
    """All eight symmetries of the square, after 200 time units of pattern formation."""
    grid = Grid.uniform(cells, 1 / 8)
    x = grid.coordinates()[0]
    line = torch.exp(-20 * (x - grid.extent[0] / 2) ** 2)
    blob = line[:, None] * line
    state = torch.stack((1 - 0.5 * blob, 0.25 * blob))[None]
    result = _build(name, MAZE, grid, 1.0).march(state, 200)
    assert float(result.std()) > 0.05
    for turns in range(4):
        turned = result.rot90(turns, (-2, -1))
        torch.testing.assert_close(turned, result, rtol=0, atol=1e-9)
        torch.testing.assert_close(turned.mT, result, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", INTEGRATORS)
def test_commutes_with_translations(generator, name):
    grid = Grid.uniform((12, 10), 0.2)
    state = 0.5 * torch.rand(1, 2, 12, 10, generator=generator, dtype=torch.float64)
    solver = _build(name, MAZE, grid, 1.0)
    moved = solver.march(state.roll((3, 4), (-2, -1)), 10)
    torch.testing.assert_close(moved, solver.march(state, 10).roll((3, 4), (-2, -1)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", INTEGRATORS)
@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_homogeneous_steady_states_stay(name, num_dims):
    """The bare state, and the reacted one of the regime "bubbles"."""
    feed, kill = 0.098, 0.057
    root = math.sqrt(1 - 4 * (feed + kill) ** 2 / feed)
    reacted = ((1 - root) / 2, feed * (1 + root) / (2 * (feed + kill)))
    grid = Grid.uniform(6, 0.1, num_dims=num_dims)
    state = torch.tensor([(1.0, 0.0), reacted], dtype=torch.float64).reshape(2, 2, *(1,) * num_dims)
    state = state.expand(2, 2, *grid.shape)
    result = _build(name, GrayScott(feed, kill), grid, 1.0).march(state, 100)
    torch.testing.assert_close(result, state.contiguous(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", INTEGRATORS)
def test_constants_per_trajectory_equal_separate_runs(generator, name, dtype):
    """With more trajectories than the spectral method takes at a time."""
    feed = torch.linspace(0.02, 0.05, 5, dtype=torch.float64)
    diffusivity = torch.linspace(1e-4, 3e-4, 5, dtype=torch.float64)
    grid = Grid.uniform((12, 9), 0.2)
    state = 0.5 * torch.rand(5, 2, 12, 9, generator=generator, dtype=dtype)
    together = _build(name, GrayScott(feed, 0.06, diffusivity_a=diffusivity), grid, 1.0, dtype)
    result = together.march(state, 10)
    assert result.dtype == dtype
    for number in range(5):
        equation = GrayScott(float(feed[number]), 0.06, diffusivity_a=float(diffusivity[number]))
        alone = _build(name, equation, grid, 1.0, dtype).march(state[number : number + 1], 10)
        torch.testing.assert_close(
            result[number : number + 1], alone, rtol=0, atol=50 * torch.finfo(dtype).eps
        )


@pytest.mark.parametrize("batched", [False, True])
def test_etdrk4_gives_the_same_however_few_trajectories_fit_the_cache(generator, monkeypatch, batched):
    grid = Grid.uniform(8, 0.2)
    state = 0.5 * torch.rand(5, 2, 8, 8, generator=generator, dtype=torch.float64)
    feed = torch.linspace(0.02, 0.05, 5) if batched else 0.03
    solver = SpectralETDRK4(GrayScott(feed, 0.06), grid, 1.0)
    expected = solver.march(state, 5)
    for size in (1, 2, 4):
        monkeypatch.setattr(SpectralETDRK4, "_trajectories_at_once", lambda self, number, size=size: size)
        torch.testing.assert_close(solver.march(state, 5), expected, rtol=0, atol=1e-14)


def test_etdrk4_takes_parameters_that_vary_in_space(generator):
    """A feed rate field, against RK4 with a stencil on a grid that resolves both."""
    grid = Grid.uniform(48, 2 / 48)
    x, y = grid.coordinates()
    feed = (0.03 + 0.01 * torch.cos(math.pi * x)[:, None] * torch.sin(math.pi * y))[None]
    equation = GrayScott(feed, 0.06, diffusivity_a=4e-4, diffusivity_b=2e-4)
    state = torch.stack((1 - 0.4 * torch.cos(math.pi * x)[:, None] ** 2 * torch.ones_like(y), 10 * feed[0]))[
        None
    ]
    spectral = SpectralETDRK4(equation, grid, 0.5).march(state, 40)
    stencil = RungeKutta(equation, grid, 0.5, "order-6").march(state, 40)
    assert float((spectral - state).abs().max()) > 0.05
    torch.testing.assert_close(spectral, stencil, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", INTEGRATORS)
def test_marching_is_stepping_and_leaves_the_state_alone(generator, name):
    grid = Grid.uniform((8, 7), 0.2)
    state = 0.5 * torch.rand(2, 2, 8, 7, generator=generator, dtype=torch.float64)
    before = state.clone()
    solver = _build(name, MAZE, grid, 0.5)
    assert isinstance(solver, Step)
    assert (solver.time_step, solver.deterministic) == (0.5, True)
    stepped = solver(solver(solver(state)))
    atol = 1e-5 if name == "adaptive" else 1e-13  # every call chooses steps of its own
    torch.testing.assert_close(solver.march(state, 3), stepped, rtol=0, atol=atol)
    torch.testing.assert_close(solver.march(state, 0), state, rtol=0, atol=1e-14)
    assert torch.equal(state, before)


@pytest.mark.parametrize("dealiasing", [1.0, 2 / 3, 1 / 2])
def test_dealiasing_removes_the_short_waves_of_the_nonlinear_term(dealiasing):
    """A wave of index 3 on 16 cells: its cube holds index 9, which folds onto 7, beyond both cuts."""
    grid = Grid.uniform(16, 1 / 16, num_dims=1)
    state = (0.5 + 0.4 * torch.cos(2 * math.pi * 3 * grid.coordinates()[0]))[None, None]
    result = SpectralETDRK4(Decay(), grid, 0.1, dealiasing).march(state, 1)
    waves = torch.fft.rfft(result[0, 0]).abs() / 16
    assert float(waves[3]) > 0.1
    kept = waves > 1e-12
    assert bool(kept[6]) == bool(kept[7]) == (dealiasing == 1)


def test_half_dealiasing_of_a_cubic_term_is_free_of_aliasing(smooth_field):
    """Cut at 1/2, the cubic term is that of any finer grid, cut at the same wave."""
    start = Grid.uniform(7, 2 / 7)  # waves up to 3, all of them kept
    grid, fine = Grid.uniform(16, 1 / 8), Grid.uniform(32, 1 / 16)
    state, on_fine = (interpolate(0.3 * smooth_field(start, 1), start, target) for target in (grid, fine))
    coarse = SpectralETDRK4(Decay(), grid, 0.5, dealiasing=1 / 2).march(state, 4)
    finer = SpectralETDRK4(Decay(), fine, 0.5, dealiasing=1 / 4).march(on_fine, 4)
    torch.testing.assert_close(restrict(finer, fine, grid), coarse, rtol=0, atol=1e-13)
    aliased = SpectralETDRK4(Decay(), grid, 0.5, dealiasing=2 / 3).march(state, 4)
    assert float((aliased - coarse).abs().max()) > 1e-8


def test_runge_kutta_can_be_differentiated():
    grid = Grid.uniform(6, 0.5, "no-flux", 1)
    feed = torch.tensor(0.03, dtype=torch.float64, requires_grad=True)
    state = torch.full((1, 2, 6), 0.3, dtype=torch.float64)
    solver = RungeKutta(GrayScott(feed, 0.06), grid, 1.0)
    solver.march(state, 2).sum().backward()
    shift = 1e-6
    up, down = (
        RungeKutta(GrayScott(0.03 + s, 0.06), grid, 1.0).march(state, 2).sum() for s in (shift, -shift)
    )
    assert feed.grad is not None
    assert float(feed.grad) == pytest.approx(float(up - down) / (2 * shift), rel=1e-6)


@pytest.mark.parametrize("tableau", [EULER, MIDPOINT, RK4])
@pytest.mark.parametrize("stencil", STENCILS)
def test_the_stability_limit_is_sharp(tableau, stencil):
    """At the limit the stiffest wave does not grow; 2 % beyond it does."""
    grid = Grid.uniform(8, 0.1)
    limit = largest_stable_step(Heat(0.5), grid, stencil, tableau)
    signs = [torch.cos(mode * math.pi * torch.arange(8, dtype=torch.float64)) for mode in (0, 1)]
    candidates = [(signs[i][:, None] * signs[j])[None, None] for i, j in [(0, 1), (1, 1)]]
    wave = max(candidates, key=lambda u: float(laplacian(u, grid, stencil).abs().max()))
    solver = RungeKutta(Heat(0.5), grid, limit, stencil, tableau)
    assert float(solver.march(wave, 50).abs().max()) < 1 + 1e-9
    unguarded = dataclasses.replace(tableau, real_axis_limit=math.inf)
    faster = RungeKutta(Heat(0.5), grid, 1.02 * limit, stencil, unguarded)
    assert float(faster.march(wave, 50).abs().max()) > 1.5


def test_evaluations_per_step():
    grid = Grid.uniform(8, 0.1)
    counts = [
        RungeKutta(Heat(1e-3), grid, 0.1, tableau=t).evaluations_per_step for t in (EULER, MIDPOINT, RK4)
    ]
    assert counts == [1, 2, 4]


def test_too_large_a_step_is_refused_with_the_largest_one():
    grid = Grid.uniform(128, 1 / 64)
    limit = largest_stable_step(GrayScott(0.03, 0.06), grid, "order-2", EULER)
    assert limit == pytest.approx(2 / (2e-5 * 8 * 64**2))
    with pytest.raises(
        StabilityError, match=r"largest eigenvalue .* = 3\.277 exceeds 2, the limit of euler"
    ) as error:
        INTEGRATORS["euler"](GrayScott(0.03, 0.06), grid, 5.0, stencil="order-2")
    assert f"a time_step of at most {limit:.4g}" in str(error.value)
    assert largest_stable_step(Heat(0.0), grid) == math.inf
    with pytest.raises(StabilityError, match="the limit of rk4"):  # the fastest trajectory decides
        RungeKutta(Heat(torch.tensor([1e-5, 1.0])), grid, 1.0)


def test_refusals():
    grid = Grid.uniform(8, 0.1)
    for name in INTEGRATORS:
        with pytest.raises(BadInputError, match="time_step must be positive, got 0"):
            _build(name, Heat(1e-3), grid, 0.0)
        with pytest.raises(BadInputError, match="time_step must be positive, got inf"):
            _build(name, Heat(1e-3), grid, math.inf)
        with pytest.raises(BadInputError, match=r"has shape \(batch, 1, 8, 8\), got \(1, 2, 8, 8\)"):
            _build(name, Heat(1e-3), grid, 0.1).march(torch.zeros(1, 2, 8, 8, dtype=torch.float64), 1)
        with pytest.raises(BadInputError, match="num_steps must be at least 0, got -1"):
            _build(name, Heat(1e-3), grid, 0.1).march(torch.zeros(1, 1, 8, 8, dtype=torch.float64), -1)
    with pytest.raises(BadInputError, match="'order-5' is unknown"):
        RungeKutta(Heat(1e-3), grid, 0.1, "order-5")
    with pytest.raises(BadInputError, match="a stencil of radius 3 needs axes of at least as many cells"):
        RungeKutta(Heat(1e-3), Grid.uniform((8, 2), 0.1), 0.1, "order-6")
    with pytest.raises(BadInputError, match=r"ETDRK4 needs periodic or no-flux .*'rk4' or 'adaptive'"):
        SpectralETDRK4(Heat(1e-3), Grid.uniform(8, 0.1, "dirichlet"), 0.1)
    with pytest.raises(BadInputError, match=r"in \(0, 1\], got 1.5"):
        SpectralETDRK4(Heat(1e-3), grid, 0.1, dealiasing=1.5)
    with pytest.raises(BadInputError, match=r"torch.float32 or torch.float64, got torch.float16"):
        SpectralETDRK4(Heat(1e-3), grid, 0.1, dtype=torch.float16)
    with pytest.raises(BadInputError, match="diffusivities that are constant in space"):
        SpectralETDRK4(Heat(torch.zeros(1, 8, 8)), grid, 0.1)
    with pytest.raises(BadInputError, match="a diffusivity must not be negative, got -1"):
        RungeKutta(Heat(-1.0), grid, 0.1)
    solver = SpectralETDRK4(Heat(torch.tensor([1e-3, 2e-3])), grid, 0.1)
    with pytest.raises(BadInputError, match="parameters for 2 trajectories, the state has 3"):
        solver.march(torch.zeros(3, 1, 8, 8, dtype=torch.float64), 1)
    # constants of the product alone, which the coefficients of a step do not show
    crossed = SpectralETDRK4(Brusselator(supply_b=torch.tensor([5.0, 6.0, 7.0])), grid, 0.01)
    for batch in (1, 2):
        with pytest.raises(BadInputError, match=f"parameters for 3 trajectories, the state has {batch}"):
            crossed.march(torch.ones(batch, 2, 8, 8, dtype=torch.float64), 1)
    with pytest.raises(BadInputError, match=r"was built for torch\.float64"):
        solver.march(torch.zeros(2, 1, 8, 8), 1)
    with pytest.raises(BadInputError, match="has no gradients"):
        solver.march(torch.zeros(2, 1, 8, 8, dtype=torch.float64, requires_grad=True), 1)
