"""Kernels agree with torch's own steps on every equation, boundary, stencil and dtype."""

import itertools

import pytest
import torch

from pdenca.solvers import (
    EQUATIONS,
    EULER,
    MIDPOINT,
    RK4,
    STENCILS,
    GrayScott,
    Grid,
    RungeKutta,
    StencilDerivatives,
    largest_stable_step,
    preset_of,
)
from pdenca.solvers.kernels import UntraceableError, flushed_denormals, trace_rate

TWO_FIELDS = GrayScott(0.03, 0.06, diffusivity_a=2e-4, diffusivity_b=1e-4)
BOUNDARIES = ["periodic", "no-flux", "dirichlet(1, 0.25)"]


def _eager(solver, state, num_steps):
    """Steps with temporary tensors, the plain way."""
    with flushed_denormals():
        return solver._march_allocating(state, num_steps)


def _assert_agree(equation, grid, state, stencil="order-4", tableau=RK4, num_steps=7, time_step=None):
    """Both "eager" (in place) and "numba" against the plain way, within a few roundings."""
    time_step = time_step or min(0.5, 0.6 * largest_stable_step(equation, grid, stencil, tableau))
    solvers = {
        name: RungeKutta(equation, grid, time_step, stencil, tableau, name) for name in ("eager", "numba")
    }
    expected = _eager(solvers["eager"], state, num_steps)
    atol = 20 * torch.finfo(state.dtype).eps * max(1.0, float(expected.abs().max()))
    for name, solver in solvers.items():
        assert solver.backend_for(state, num_steps) == name
        result = solver.march(state, num_steps)
        torch.testing.assert_close(result, expected, rtol=0, atol=atol)
    assert float((expected - state).abs().max()) > 100 * atol


def _crossed(*axes, quick):
    """All combinations, those beyond a few marked slow: each form of kernel compiles in a second or two."""
    return [
        pytest.param(*item, marks=[] if item in quick else pytest.mark.slow)
        for item in itertools.product(*axes)
    ]


@pytest.mark.parametrize(
    ("tableau", "boundary", "dtype"),
    _crossed(
        [EULER, MIDPOINT, RK4],
        BOUNDARIES,
        [torch.float32, torch.float64],
        quick=[
            (RK4, "periodic", torch.float32),
            (MIDPOINT, "no-flux", torch.float64),
            (EULER, "dirichlet(1, 0.25)", torch.float32),
        ],
    ),
)
def test_kernels_agree_for_schemes_and_boundaries(generator, tableau, boundary, dtype):
    grid = Grid((9, 12), (0.2, 0.25), (boundary, "no-flux" if boundary == "periodic" else "periodic"))
    state = torch.rand(3, 2, 9, 12, generator=generator, dtype=dtype)
    _assert_agree(TWO_FIELDS, grid, state, tableau=tableau)


@pytest.mark.parametrize("boundaries", list(itertools.product(BOUNDARIES, repeat=2)))
@pytest.mark.parametrize("stencil", STENCILS)
def test_in_place_steps_agree_for_all_stencils_and_boundaries(generator, stencil, boundaries):
    grid = Grid((6, 7), (0.2, 0.2), boundaries)
    state = torch.rand(3, 2, 6, 7, generator=generator, dtype=torch.float64)
    solver = RungeKutta(TWO_FIELDS, grid, 0.4, stencil)
    torch.testing.assert_close(solver.march(state, 7), _eager(solver, state, 7), rtol=0, atol=1e-14)


@pytest.mark.parametrize("stencil", STENCILS)
def test_kernels_agree_for_stencils_where_two_walls_meet(generator, stencil):
    """Different held values on both axes, so that the corners of the padding matter."""
    grid = Grid((7, 8), (0.2, 0.2), ("dirichlet(1, 0.25)", "dirichlet(-0.5, 2)"))
    state = torch.rand(2, 2, 7, 8, generator=generator, dtype=torch.float64)
    _assert_agree(TWO_FIELDS, grid, state, stencil, EULER)


@pytest.mark.parametrize(
    ("stencil", "num_dims"),
    _crossed(
        ["order-2-isotropic", "order-2-binomial", "order-4"],
        [1, 3],
        quick=[("order-2-isotropic", 1), ("order-2-binomial", 1), ("order-4", 3)],
    ),
)
def test_kernels_agree_in_one_and_three_dimensions(generator, stencil, num_dims):
    boundaries = ("dirichlet(1, 0.25)", "periodic", "no-flux")[:num_dims]
    shape = (6, 5, 4)[:num_dims]
    grid = Grid(shape, (0.2,) * num_dims, boundaries)
    state = torch.rand(2, 2, *shape, generator=generator, dtype=torch.float64)
    _assert_agree(TWO_FIELDS, grid, state, stencil, EULER)


def test_kernels_agree_with_constants_per_trajectory(generator, dtype):
    feed = torch.linspace(0.02, 0.05, 5, dtype=torch.float64)
    equation = GrayScott(feed, 0.06, diffusivity_a=(1e-3 * feed, 2e-4), diffusivity_b=4e-3 * feed)
    state = torch.rand(5, 2, 8, 9, generator=generator, dtype=dtype)
    _assert_agree(equation, Grid.uniform((8, 9), 0.2), state, tableau=EULER)


@pytest.mark.parametrize("name", _crossed(EQUATIONS, quick=[("complex-ginzburg-landau",)]))
def test_every_equation_agrees_or_says_why_not(generator, name):
    """A new equation is covered on arrival: its kernel is right, or its reason is one of the known ones."""
    preset = preset_of(EQUATIONS[name])
    equation = EQUATIONS[name].from_parameters(preset.parameters)
    grid = Grid.uniform(10, preset.spacing)
    state = 0.2 + 0.5 * torch.rand(2, len(equation.fields), 10, 10, generator=generator, dtype=torch.float64)
    derivatives = StencilDerivatives(grid)
    try:
        trace_rate(equation, derivatives, state)
    except UntraceableError as reason:
        assert str(reason) in {  # noqa: PT017
            "it takes the Laplacian of a function of the fields",
            "it takes fourth derivatives",
        }
        solver = RungeKutta(equation, grid, 0.5 * largest_stable_step(equation, grid))
        assert torch.equal(solver.march(state, 3), _eager(solver, state, 3))
        return
    limit = largest_stable_step(equation, grid, tableau=EULER)
    _assert_agree(equation, grid, state, tableau=EULER, time_step=min(1e-2, 0.5 * limit))
