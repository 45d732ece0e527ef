"""From initial states to stored frames."""

import pytest
import torch

from pdenca.core import rollout
from pdenca.core.errors import BadInputError, NonFiniteError, StabilityError
from pdenca.solvers import (
    INITIAL_CONDITIONS,
    INTEGRATORS,
    GrayScott,
    Grid,
    Heat,
    RungeKutta,
    SpectralETDRK4,
    restrict,
    simulate,
)
from pdenca.solvers.integrators import options_of

EQUATION = GrayScott(0.029, 0.057, diffusivity_a=2e-4, diffusivity_b=1e-4)


FIXED_STEP = [name for name in INTEGRATORS if name != "adaptive"]


@pytest.mark.parametrize("method", FIXED_STEP)
def test_frames_are_the_steps_of_the_integrator(smooth_field, method):
    grid = Grid.uniform(16, 1 / 8)
    state = 0.3 * smooth_field(grid)
    options = {"stencil": "order-2"} if "stencil" in options_of(method) else {}
    solver = INTEGRATORS[method](EQUATION, grid, 0.5, **options)
    expected = rollout(solver, state, 12)[:, 3::4]
    frames = simulate(
        EQUATION,
        grid,
        state,
        num_frames=4,
        frame_interval=2.0,
        time_step=0.5,
        method=method,
        **options,
    )
    assert frames.shape == (1, 4, 2, 16, 16)
    assert torch.equal(frames[:, 0], state)
    torch.testing.assert_close(frames[:, 1:], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("method", FIXED_STEP)
@pytest.mark.parametrize("num_start_frames", [1, 2, 5])
def test_the_first_frames_may_have_a_step_of_their_own(smooth_field, method, num_start_frames):
    """One march with each step, the second from where the first one ends; the start may last to the end."""
    grid = Grid.uniform(8, 1 / 4)
    state = 0.3 * smooth_field(grid)
    options = {"stencil": "order-2"} if "stencil" in options_of(method) else {}
    small, large = (INTEGRATORS[method](EQUATION, grid, step, **options) for step in (0.25, 2.0))
    start = rollout(small, state, 8 * num_start_frames)[:, 7::8]
    expected = torch.cat((state[:, None], start, rollout(large, start[:, -1], 5)), 1)[:, :5]
    frames = simulate(
        EQUATION,
        grid,
        state,
        num_frames=5,
        frame_interval=2.0,
        time_step=2.0,
        start_time_step=0.25,
        num_start_frames=num_start_frames,
        method=method,
        **options,
    )
    torch.testing.assert_close(frames, expected, rtol=0, atol=1e-13)


def test_small_steps_are_needed_at_the_start_only():
    """A sharp start: steps of 2 are good enough afterwards, not at first."""
    grid = Grid.uniform(32, 1 / 64)
    state = INITIAL_CONDITIONS["gaussian-blobs"](grid, torch.Generator().manual_seed(0), 1)

    def solve(time_step, **start):
        maze = GrayScott(0.029, 0.057)
        return simulate(maze, grid, state, num_frames=9, frame_interval=10.0, time_step=time_step, **start)

    best = solve(0.125)
    deviation = best.std((1, 3, 4))[:, None]

    def errors(frames):
        return ((frames - best).square().mean((3, 4)).sqrt() / deviation).amax((0, 2))

    throughout, large = errors(solve(0.5)), errors(solve(2.0))
    mixed = errors(solve(2.0, start_time_step=0.5, num_start_frames=4))
    assert torch.equal(mixed[:5], throughout[:5])
    assert 5e-3 < float(large.max()) < 0.1
    assert 1e-6 < float(mixed.max()) < 1e-4
    assert float(large[-1]) > 20 * float(mixed[-1])


@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_refined_frames_are_restrictions_of_the_fine_solution(smooth_field, num_dims):
    grid = Grid.uniform(8, 1 / 4, num_dims=num_dims)
    fine = grid.refined(2)
    state = 0.3 * smooth_field(fine)
    frames = simulate(EQUATION, grid, state, num_frames=3, frame_interval=2.0, time_step=1.0, refine=2)
    solver = SpectralETDRK4(EQUATION, fine, 1.0)
    for number in range(3):
        expected = restrict(solver.march(state, 2 * number), fine, grid)
        torch.testing.assert_close(frames[:, number], expected, rtol=0, atol=1e-12)


def test_dealiasing_reaches_the_solver(smooth_field):
    grid = Grid.uniform(8, 1 / 4)
    state = 0.3 * smooth_field(grid)
    options = {"num_frames": 2, "frame_interval": 4.0, "time_step": 1.0}
    frames = simulate(EQUATION, grid, state, dealiasing=0.5, **options)
    expected = SpectralETDRK4(EQUATION, grid, 1.0, dealiasing=0.5).march(state, 4)
    torch.testing.assert_close(frames[:, 1], expected, rtol=0, atol=1e-13)
    assert float((frames - simulate(EQUATION, grid, state, **options)).abs().max()) > 1e-6


def test_no_flux_walls_with_a_stencil_method(generator):
    grid = Grid.uniform((8, 6), 0.25, "no-flux")
    state = torch.rand(2, 1, 8, 6, generator=generator, dtype=torch.float64)
    frames = simulate(
        Heat(0.01),
        grid,
        state,
        num_frames=5,
        frame_interval=1.0,
        time_step=0.25,
        method="rk4",
        stencil="order-2",
    )
    torch.testing.assert_close(frames[:, -1], RungeKutta(Heat(0.01), grid, 0.25, "order-2").march(state, 16))
    means = frames.mean((-1, -2))
    torch.testing.assert_close(means, means[:, :1].expand_as(means), rtol=0, atol=1e-14)
    assert bool((frames.std((-1, -2)).diff(dim=1) < 0).all())


def test_budget_of_a_solution(smooth_field):
    """The change of <A + B> is the integral of the budget: Simpson's rule over three frames."""
    grid = Grid.uniform(16, 1 / 8)
    frames = simulate(
        EQUATION, grid, 0.3 * smooth_field(grid), num_frames=3, frame_interval=0.25, time_step=0.125
    )
    total = frames.sum(2).mean((-1, -2))
    rates = torch.stack([EQUATION.budget(frames[:, number]) for number in range(3)], 1)
    integral = (rates * torch.tensor([1, 4, 1], dtype=torch.float64)).sum(1) / 12
    torch.testing.assert_close(total[:, 2] - total[:, 0], integral, rtol=1e-5, atol=0)


def test_computes_in_the_dtype_asked_for(smooth_field, dtype):
    grid = Grid.uniform(8, 1 / 4)
    frames = simulate(
        EQUATION,
        grid,
        0.3 * smooth_field(grid),
        num_frames=2,
        frame_interval=1.0,
        time_step=1.0,
        dtype=dtype,
    )
    assert frames.dtype == dtype


def test_progress_counts_frames():
    counts = []
    simulate(
        Heat(0.01),
        Grid.uniform(4, 1.0),
        torch.zeros(1, 1, 4, 4),
        num_frames=3,
        frame_interval=1.0,
        time_step=1.0,
        progress=counts.append,
    )
    assert counts == [1, 2, 3]


@pytest.mark.parametrize("method", ["etdrk4", "rk4"])
def test_a_blow_up_is_reported_where_it_arises(method):
    """B² A with huge concentrations explodes; trajectory 1 of 3 is the bad one."""
    grid = Grid.uniform(8, 1 / 4)
    state = torch.full((3, 2, 8, 8), 0.3, dtype=torch.float64)
    state[1] = -1e3
    with pytest.raises(
        NonFiniteError, match=r"trajectory 1, field 'A' is not finite at t = 20 .*smaller time_step"
    ):
        simulate(
            EQUATION,
            grid,
            state,
            num_frames=4,
            frame_interval=20.0,
            time_step=1.0,
            method=method,
        )


def test_a_bad_initial_state_is_reported_at_time_zero():
    state = torch.zeros(2, 1, 4)
    state[1, 0, 2] = float("nan")
    with pytest.raises(NonFiniteError, match="trajectory 1, field 'T' is not finite at t = 0 "):
        simulate(
            Heat(0.1),
            Grid.uniform(4, 1.0, num_dims=1),
            state,
            num_frames=1,
            frame_interval=1.0,
            time_step=1.0,
        )


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"num_frames": 0}, BadInputError, "num_frames must be at least 1"),
        ({"initial_state": torch.zeros(0, 1, 8, 8)}, BadInputError, "holds no trajectory"),
        ({"time_step": 0.3}, BadInputError, r"0\.3 does not divide frame_interval 1; .* 0\.3333"),
        ({"time_step": 3.0}, BadInputError, "the nearest that does is 1$"),
        ({"time_step": -1.0}, BadInputError, "must be positive times"),
        ({"frame_interval": float("inf")}, BadInputError, "must be positive times"),
        (
            {"start_time_step": 0.3, "num_start_frames": 1},
            BadInputError,
            r"start_time_step 0\.3 does not divide frame_interval 1; .* 0\.3333",
        ),
        (
            {"start_time_step": 0.0, "num_start_frames": 1},
            BadInputError,
            "frame_interval and start_time_step must be positive times, got 1.0 and 0.0",
        ),
        (
            {"start_time_step": 0.25},
            BadInputError,
            "start_time_step=0.25 and num_start_frames=0; usual cure: give both or neither",
        ),
        ({"num_start_frames": 2}, BadInputError, "start_time_step=None and num_start_frames=2"),
        ({"start_time_step": 0.25, "num_start_frames": -1}, BadInputError, "num_start_frames=-1"),
        (
            {"method": "rk4", "start_time_step": 1.0, "num_start_frames": 1, "equation": Heat(0.01)},
            StabilityError,
            "usual cure: a time_step",
        ),
        (
            {"method": "rk5"},
            BadInputError,
            "'rk5' is unknown; expected one of euler, midpoint, rk4, ",
        ),
        (
            {"refine": 2},
            BadInputError,
            r"given on the refined grid, shape \(batch, 1, 16, 16\).*refined\(2\)",
        ),
        (
            {"method": "rk4", "time_step": 1.0, "equation": Heat(1.0)},
            StabilityError,
            "usual cure: a time_step",
        ),
        ({"grid": Grid.uniform(8, 0.1, "dirichlet")}, BadInputError, "needs periodic or no-flux.*'adaptive'"),
        (
            {"grid": Grid.uniform(8, 0.1, "dirichlet"), "refine": 2, "method": "rk4"},
            BadInputError,
            "restricts frames spectrally.*without refinement",
        ),
        ({"stencil": "order-2"}, BadInputError, r"'etdrk4' has no stencil, .*it has dealiasing; usual cure"),
        (
            {"method": "rk4", "dealiasing": 0.5},
            BadInputError,
            "no dealiasing, .*has stencil, backend",
        ),
    ],
)
def test_refusals(changes, error, message):
    settings = {
        "equation": Heat(1e-3),
        "grid": Grid.uniform(8, 0.1),
        "initial_state": torch.zeros(1, 1, 8, 8),
        "num_frames": 2,
        "frame_interval": 1.0,
        "time_step": 0.5,
    }
    with pytest.raises(error, match=message):
        simulate(**{**settings, **changes})
