"""What "auto" picks, whether its solutions are as good as it says, and what it says."""

import re

import pytest
import torch

from pdenca.core.errors import BadInputError, NonFiniteError, StabilityError
from pdenca.solvers import (
    AdvectionDiffusion,
    CahnHilliard,
    ComplexGinzburgLandau,
    GrayScott,
    Grid,
    Heat,
    RungeKutta,
    SpectralETDRK4,
    SwiftHohenberg,
    choose_method,
    restrict,
    simulate,
)

MAZE = GrayScott(0.029, 0.057, diffusivity_a=2e-4, diffusivity_b=1e-4)
VARYING = GrayScott(0.029, 0.057, diffusivity_a=torch.full((1, 12), 2e-4), diffusivity_b=1e-4)


def _state(equation, grid, smooth_field):
    return 0.4 * smooth_field(grid, len(equation.fields))


@pytest.mark.parametrize(
    ("equation", "boundary", "method", "why"),
    [
        (MAZE, "periodic", "etdrk4", "periodic, and the linear part, a number for each wave and field"),
        (MAZE, "no-flux", "etdrk4", "end at the walls as cosines"),
        (MAZE, "dirichlet(1, 0)", "adaptive", "no spectral method.*got .*dirichlet.*finite differences"),
        (VARYING, "periodic", "adaptive", r"diffusivities that are constant in space.*\(1, 12\)"),
        (ComplexGinzburgLandau(), "periodic", "etdrk4", "a matrix for each wave"),
        (SwiftHohenberg(), "no-flux", "etdrk4", "integrated exactly"),
        (CahnHilliard(), "dirichlet", "adaptive", "stable steps are at most 0.0"),
        (AdvectionDiffusion(velocity_x=0.1), "periodic", "etdrk4", "integrated exactly"),
        (AdvectionDiffusion(velocity_x=0.1), "no-flux", "adaptive", "turns cosines into sines"),
    ],
)
def test_the_method_is_picked_by_equation_and_boundary(smooth_field, equation, boundary, method, why):
    grid = Grid.uniform(12, 1 / 6 if equation.name == "gray-scott" else 1.0, boundary, 1)
    state = _state(equation, grid, smooth_field)
    choice = choose_method(equation, grid, state, frame_interval=0.5, tolerance=1e-5)
    assert choice.method == method
    assert (choice.time_step is None) == (method == "adaptive")
    assert choice.tolerance == (pytest.approx(1e-7) if method == "adaptive" else None)
    assert str(choice).startswith(method)
    assert re.search(why, choice.reason)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux", "dirichlet(1, 0)"])
def test_the_error_is_within_the_tolerance_and_not_far_below(smooth_field, boundary):
    grid = Grid.uniform(16, 1 / 8, boundary, 1)
    state = _state(MAZE, grid, smooth_field)
    if boundary.startswith("dirichlet"):
        best = RungeKutta(MAZE, grid, 0.02).march(state, 500)
    else:
        best = SpectralETDRK4(MAZE, grid, 0.02).march(state, 500)
    for tolerance in (1e-3, 1e-6):
        frames = simulate(
            MAZE, grid, state, num_frames=2, frame_interval=10.0, method="auto", tolerance=tolerance
        )
        error = float(((frames[:, 1] - best).square().mean(2).sqrt() / best.std(2)).max())
        assert 1e-4 * tolerance < error < tolerance


def test_the_longest_step_that_is_good_enough_is_taken(smooth_field):
    grid = Grid.uniform(16, 1 / 8, num_dims=1)
    state = _state(MAZE, grid, smooth_field)
    choices = {
        tolerance: choose_method(MAZE, grid, state, frame_interval=8.0, tolerance=tolerance)
        for tolerance in (1e-2, 1e-5, 1e-8)
    }
    steps = [choice.time_step for choice in choices.values()]
    assert steps[0] > steps[1] > steps[2]
    for tolerance, choice in choices.items():
        if choice.time_step < 4:
            coarse = SpectralETDRK4(MAZE, grid, 2 * choice.time_step).march(
                state, round(4 / choice.time_step)
            )
            fine = SpectralETDRK4(MAZE, grid, choice.time_step).march(state, round(8 / choice.time_step))
            assert float(((fine - coarse).square().mean(2).sqrt() / fine.std(2)).max()) > tolerance
    limited = choose_method(MAZE, grid, state, frame_interval=8.0, tolerance=1e-2, longest_step=0.3)
    assert limited.time_step == 0.25


class Saturation(Heat):
    """dT/dt = D ∇²T + T - T³, the growth in the linear part."""

    def reaction(self, state):
        return state - state**3

    def linear_rate(self):
        return (1.0,)


def test_a_calm_start_does_not_lull_it():
    """Ripples of 1e-9 whose growth is integrated exactly, long before anything nonlinear happens."""
    grid = Grid.uniform(8, 1.0, num_dims=1)
    state = 1e-9 * torch.cos(torch.arange(8, dtype=torch.float64) * 0.7853981633974483)[None, None]
    options = {"num_frames": 10, "frame_interval": 4.0}
    said = []
    frames = simulate(Saturation(0.1), grid, state, method="auto", report=said.append, **options)
    best = simulate(Saturation(0.1), grid, state, time_step=0.05, **options)
    first = choose_method(Saturation(0.1), grid, state, frame_interval=4.0)
    assert first.time_step == 2.0
    with pytest.raises(NonFiniteError):
        simulate(Saturation(0.1), grid, state, time_step=first.time_step, **options)
    errors = (frames - best).square().mean((0, 2, 3)).sqrt() / best.std((0, 2, 3))
    assert float(errors.max()) < 2e-4
    assert " to 2" in said[-1]


def test_steps_grow_after_a_sharp_start():
    grid = Grid.uniform(32, 1 / 32, num_dims=1)
    x = grid.coordinates()[0]
    blob = torch.exp(-300 * (x - 0.5) ** 2)
    state = torch.stack((1 - blob, blob))[None]
    said = []
    simulate(
        GrayScott(0.03, 0.06),
        grid,
        state,
        num_frames=12,
        frame_interval=10.0,
        method="auto",
        report=said.append,
    )
    assert len(said) == 2
    assert said[0].startswith("etdrk4, time step ")
    assert "10 time units the step errs by" in said[0]
    shortest, longest = (float(word) for word in said[1].removeprefix("etdrk4, time step ").split(" to "))
    assert shortest < longest


def test_adaptive_says_what_it_did(smooth_field):
    grid = Grid.uniform(12, 1 / 6, "dirichlet(1, 0)", 1)
    state = _state(MAZE, grid, smooth_field)
    said = []
    options = {"num_frames": 3, "frame_interval": 2.0, "report": said.append}
    simulate(MAZE, grid, state, method="adaptive", tolerance=1e-5, stencil="order-2", **options)
    assert len(said) == 1
    with pytest.raises(
        AssertionError, match=r"tolerance 1e-05: \d+ steps kept and \d+ tried again.* evaluations"
    ):
        raise AssertionError(said[0])
    simulate(
        MAZE, grid, state, method="rk4", time_step=0.5, start_time_step=0.25, num_start_frames=1, **options
    )
    assert said[1] == "rk4, time step 0.5 (0.25 in the first 1 intervals)"


def test_no_flux_frames_are_restricted_from_a_finer_grid(smooth_field):
    grid = Grid.uniform(8, 1 / 4, "no-flux")
    fine = grid.refined(2)
    state = 0.3 * smooth_field(fine)
    frames = simulate(MAZE, grid, state, num_frames=2, frame_interval=2.0, time_step=0.5, refine=2)
    expected = restrict(SpectralETDRK4(MAZE, fine, 0.5).march(state, 4), fine, grid)
    torch.testing.assert_close(frames[:, 1], expected, rtol=0, atol=1e-12)


class Explosion(Heat):
    """dT/dt = D ∇²T + T², infinite at t = 1 / T₀."""

    def reaction(self, state):
        return state * state


def test_errors_name_the_frame(monkeypatch):
    monkeypatch.setattr("pdenca.solvers.choice._MOST_STEPS", 64)
    state = torch.tensor([0.1, 0.4], dtype=torch.float64)[:, None, None].expand(2, 1, 6)
    options = {"num_frames": 5, "frame_interval": 1.0}
    walls = Grid.uniform(6, 1.0, "no-flux", 1)
    with pytest.raises(StabilityError, match=r"from t = 2: trajectory 1: .* after 0\.(5|49999\d*) time"):
        simulate(Explosion(0.1), walls, state, method="adaptive", **options)
    with pytest.raises(StabilityError, match="from t = 2: no step of 1 / 64 or longer is accurate"):
        simulate(Explosion(0.1), Grid.uniform(6, 1.0, num_dims=1), state, method="auto", **options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tolerance": 2.0}, "tolerance must be between 0 and 1, got 2"),
        ({"stencil": "order-2"}, "'auto' has no stencil, .*it has tolerance"),
        ({"start_time_step": 0.5, "num_start_frames": 1}, "'auto' finds the steps of the start itself"),
        ({"method": "adaptive", "start_time_step": 0.5, "num_start_frames": 1}, "'adaptive' finds the steps"),
        ({"time_step": -1.0}, "time_step must be a positive time, got -1"),
        ({"method": "adaptive", "frame_interval": 0.0}, "frame_interval must be a positive time, got 0"),
        ({"method": "etdrk4"}, "'etdrk4' needs a time_step; usual cure: that of the equation's preset"),
        ({"method": "rk4", "time_step": 0.5, "tolerance": 1e-3}, "'rk4' has no tolerance"),
        ({"method": "etdrk4", "time_step": 0.5, "backend": "eager"}, "'etdrk4' has no backend"),
    ],
)
def test_refusals(changes, message):
    settings = {"num_frames": 2, "frame_interval": 1.0, "method": "auto", **changes}
    with pytest.raises(BadInputError, match=message):
        simulate(Heat(1e-3), Grid.uniform(8, 0.1), torch.zeros(1, 1, 8, 8), **settings)
