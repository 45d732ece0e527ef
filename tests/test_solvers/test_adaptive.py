"""The method that chooses its steps: errors follow the tolerance, trajectories go their own ways."""

import math

import pytest
import torch
from scipy.integrate import solve_ivp

from pdenca.core.errors import BadInputError, NonFiniteError, StabilityError
from pdenca.solvers import (
    AdaptiveRungeKutta,
    AllenCahn,
    ComplexGinzburgLandau,
    GrayScott,
    Grid,
    Heat,
    RungeKutta,
    StencilDerivatives,
    largest_stable_step,
)
from pdenca.solvers.integrators import DORMAND_PRINCE

MAZE = GrayScott(0.029, 0.057, diffusivity_a=2e-4, diffusivity_b=1e-4)


def test_the_tableau_is_of_fifth_order_and_its_limit_is_sharp():
    z = torch.tensor([1e-2, -1e-2, 1e-2j], dtype=torch.complex128)
    assert float((DORMAND_PRINCE.stability(z) - torch.exp(z)).abs().max()) < 1e-13
    limit = torch.tensor([DORMAND_PRINCE.real_axis_limit], dtype=torch.float64)
    assert 0.999 < abs(float(DORMAND_PRINCE.stability(-limit))) <= 1
    for row, node in zip(DORMAND_PRINCE.stages, (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1), strict=True):
        assert sum(row) == pytest.approx(node)
    assert sum(DORMAND_PRINCE.weights) == pytest.approx(1)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux", "dirichlet(1, 0)"])
def test_the_error_follows_the_tolerance(fitted_order, smooth_field, boundary):
    """Error in proportion to the tolerance, work to its fifth root."""
    grid = Grid.uniform(16, 1 / 8, boundary, 1)
    state = 0.4 * smooth_field(grid)
    best = RungeKutta(MAZE, grid, 0.02).march(state, 1000)
    tolerances, errors, works = [1e-4, 1e-6, 1e-8], [], []
    for tolerance in tolerances:
        solver = AdaptiveRungeKutta(MAZE, grid, 20.0, tolerance, 1e-3 * tolerance)
        result, history = solver.march_with_history(state, 1)
        errors.append(float((result - best).abs().max()))
        works.append(float(history.num_evaluations))
        assert errors[-1] < 20 * tolerance
    assert 0.7 < fitted_order(tolerances, errors) < 1.3
    assert -0.3 < fitted_order(tolerances, works) < -0.1


@pytest.mark.parametrize("boundary", ["periodic", "no-flux", "dirichlet(0.5)"])
@pytest.mark.parametrize("equation", [AllenCahn(), ComplexGinzburgLandau(0.5, -0.7)])
def test_agrees_with_scipy(smooth_field, equation, boundary):
    grid = Grid.uniform((5, 6), 1.3, boundary)
    state = smooth_field(grid, len(equation.fields)) - 1
    derivatives = StencilDerivatives(grid, "order-2")

    def rate(_, values):
        return equation.rate(torch.from_numpy(values).reshape(state.shape), derivatives).numpy().ravel()

    found = solve_ivp(rate, (0, 2), state.numpy().ravel(), method="DOP853", rtol=1e-9, atol=1e-11)
    expected = torch.from_numpy(found.y[:, -1].copy()).reshape(state.shape)
    result = AdaptiveRungeKutta(equation, grid, 1.0, 1e-8, stencil="order-2").march(state, 2)
    assert float((expected - state).abs().max()) > 0.1
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)


def _sharp(grid, amplitudes):
    """Blobs, the last of which needs the shortest steps."""
    x = grid.coordinates()[0]
    blob = torch.exp(-40 * (x - grid.extent[0] / 2) ** 2)
    return torch.stack([torch.stack((1 - a * blob, a * blob)) for a in amplitudes])


def test_a_trajectory_does_not_depend_on_its_companions():
    """To the last bit, with constants of its own, in any order and however long the others take."""
    grid = Grid.uniform(16, 1 / 16, num_dims=1)
    state = _sharp(grid, [0.05, 0.9, 3.0])
    feed = torch.tensor([0.02, 0.05, 0.08], dtype=torch.float64)
    together, history = AdaptiveRungeKutta(GrayScott(feed, 0.06), grid, 10.0).march_with_history(state, 1)
    assert len(set(history.num_accepted.tolist())) == 3
    for order in ([0], [1], [2], [2, 0], [1, 2, 0]):
        equation = GrayScott(feed[order], 0.06)
        alone, own = AdaptiveRungeKutta(equation, grid, 10.0).march_with_history(state[order], 1)
        assert torch.equal(alone, together[order])
        assert torch.equal(own.num_accepted, history.num_accepted[order])


def test_the_history_adds_up():
    grid = Grid.uniform(16, 1 / 16, num_dims=1)
    state = _sharp(grid, [0.05, 4.0])
    equation = GrayScott(0.03, 0.06)  # the second one ignites on the way
    _, history = AdaptiveRungeKutta(equation, grid, 3.5, 1e-5).march_with_history(state, 2)
    taken = torch.where(history.accepted, history.steps, 0.0).sum(0)
    torch.testing.assert_close(taken, torch.full((2,), 7.0, dtype=torch.float64), rtol=1e-13, atol=0)
    assert torch.equal(history.num_accepted + history.num_rejected, (history.steps > 0).sum(0))
    assert torch.equal(history.num_evaluations, 2 + 6 * (history.num_accepted + history.num_rejected))
    still, empty = AdaptiveRungeKutta(equation, grid, 3.5).march_with_history(state, 0)
    assert torch.equal(still, state)
    assert empty.num_accepted.tolist() == [0, 0]


def test_steps_stay_within_the_stability_limit_and_the_limit_given():
    grid = Grid.uniform(16, 1 / 32)
    equation = Heat(0.01)
    still = torch.full((1, 1, 16, 16), 0.5, dtype=torch.float64)
    limit = largest_stable_step(equation, grid, "order-4", DORMAND_PRINCE)
    solver = AdaptiveRungeKutta(equation, grid, 40 * limit)
    assert solver.stability_limit == limit
    _, history = solver.march_with_history(still, 1)
    assert float(history.steps.max()) == pytest.approx(limit)
    _, history = AdaptiveRungeKutta(equation, grid, 40 * limit, longest_step=limit / 3).march_with_history(
        still, 1
    )
    assert float(history.steps.max()) == pytest.approx(limit / 3)


def test_float32(smooth_field):
    grid = Grid.uniform(16, 1 / 8, num_dims=1)
    state = 0.4 * smooth_field(grid)
    double = AdaptiveRungeKutta(MAZE, grid, 5.0, 1e-5).march(state, 1)
    single = AdaptiveRungeKutta(MAZE, grid, 5.0, 1e-5).march(state.float(), 1)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, rtol=0, atol=2e-5)


class Explosion(Heat):
    """dT/dt = D ∇²T + T², infinite at t = 1 / T₀."""

    def reaction(self, state):
        return state * state


def test_a_blow_up_is_found_with_its_time_and_trajectory():
    grid = Grid.uniform(6, 1.0, num_dims=1)
    state = torch.tensor([0.1, 0.5, 0.2], dtype=torch.float64)[:, None, None].expand(3, 1, 6)
    with pytest.raises(
        StabilityError, match=r"trajectory 1: .* after (2 |1\.9999\d*).*grows without bound.*usual cure"
    ):
        AdaptiveRungeKutta(Explosion(0.1), grid, 4.0).march(state, 1)
    near = AdaptiveRungeKutta(Explosion(0.1), grid, 1.9).march(state, 1)
    torch.testing.assert_close(near[1, 0, 0].item(), 0.5 / (1 - 0.5 * 1.9), rtol=1e-4, atol=0)


def test_refusals():
    grid = Grid.uniform(8, 0.1)
    with pytest.raises(BadInputError, match="tolerance must be between 0 and 1, got 0"):
        AdaptiveRungeKutta(Heat(1e-3), grid, 1.0, 0.0)
    with pytest.raises(BadInputError, match="absolute_tolerance must be between 0 and 1, got -1"):
        AdaptiveRungeKutta(Heat(1e-3), grid, 1.0, absolute_tolerance=-1.0)
    with pytest.raises(BadInputError, match="longest_step must be positive, got 0"):
        AdaptiveRungeKutta(Heat(1e-3), grid, 1.0, longest_step=0.0)
    with pytest.raises(BadInputError, match="time_step must be positive, got nan"):
        AdaptiveRungeKutta(Heat(1e-3), grid, math.nan)
    with pytest.raises(BadInputError, match="'order-5' is unknown"):
        AdaptiveRungeKutta(Heat(1e-3), grid, 1.0, stencil="order-5")
    solver = AdaptiveRungeKutta(Heat(1e-3), grid, 1.0)
    bad = torch.zeros(2, 1, 8, 8)
    bad[1, 0, 3, 3] = math.inf
    with pytest.raises(NonFiniteError, match="trajectory 1: the rate of change is not finite"):
        solver.march(bad, 1)
    with pytest.raises(BadInputError, match="has no gradients"):
        solver.march(torch.zeros(1, 1, 8, 8, requires_grad=True), 1)
