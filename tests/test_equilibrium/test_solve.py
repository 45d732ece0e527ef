"""Fixed points are found where they are, by every method."""

import numpy as np
import pytest
import scipy.optimize
import torch

from pdenca.equilibrium import REASONS, SOLVERS, solve

METHODS = sorted(SOLVERS)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("radius", [0.3, 0.9, 0.99])
def test_linear_maps_are_solved_whatever_the_radius(method, radius, linear_map):
    step = linear_map([radius] * 3)
    found = solve(step, step.start, method=method, tolerance=1e-7, max_evaluations=2500)
    assert found.reason == ("converged",) * 3
    assert bool(found.converged.all())
    # the error is at most the residual times the norm of (I - W)^-1
    inverse = torch.linalg.matrix_norm(torch.linalg.inv(torch.eye(8).double() - step.weight), 2)
    error = (found.state - step.solution).norm(dim=1)
    assert bool((error <= 1.01e-7 * inverse * found.state.norm(dim=1) + 1e-13).all())


@pytest.mark.parametrize("method", METHODS)
def test_single_precision(method, linear_map):
    step = linear_map([0.3, 0.9]).to(torch.float32)
    found = solve(step, step.start, method=method, max_evaluations=300)
    assert found.state.dtype == torch.float32
    assert bool(found.converged.all())
    assert (found.state - step.solution).abs().max() < 1e-4


@pytest.mark.parametrize("method", METHODS)
def test_complex_eigenvalues(method, rotation):
    offset = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    found = solve(
        lambda z: rotation(z) + offset, torch.zeros_like(offset), method=method, max_evaluations=500
    )
    assert bool(found.converged.all())
    fixed = rotation(found.state) + offset
    assert (fixed - found.state).norm() <= 1e-6 * fixed.norm()


def test_acceleration_is_worth_it(linear_map):
    step = linear_map([0.99])
    used = {
        method: int(solve(step, step.start, method=method, max_evaluations=5000).evaluations)
        for method in METHODS
    }
    assert used["picard"] > 300
    assert all(count < 60 for method, count in used.items() if method != "picard")


def test_acceleration_costs_nothing_on_strong_contractions(linear_map):
    """A regularisation that is not relative makes Anderson slower than plain iteration here."""
    step = linear_map([0.3])
    for scale in (1e-6, 1.0, 1e6):
        scaled = type(step)(step.weight, scale * step.bias)
        used = {
            method: int(solve(scaled, scaled.start, method=method, tolerance=1e-10).evaluations)
            for method in ("picard", "anderson", "broyden")
        }
        assert used["anderson"] <= used["picard"]
        assert used["broyden"] <= used["picard"]


@pytest.mark.parametrize("method", METHODS)
def test_a_start_at_the_solution_is_left_there(method, linear_map):
    step = linear_map([0.9, 0.5])
    solution = step.solution
    found = solve(step, solution, method=method)
    assert torch.equal(found.state, solution)
    assert found.evaluations.tolist() == [1, 1]
    assert bool(found.converged.all())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("most", [1, 2, 3])
def test_small_budgets_are_kept_and_used(method, most, linear_map):
    step = linear_map([0.5, 0.6])
    calls = []
    found = solve(lambda z: calls.append(1) or step(z), step.start, method=method, max_evaluations=most)
    assert found.evaluations.tolist() == [most] * 2
    assert found.reason == ("max evaluations",) * 2
    assert found.history.shape == (most, 2)
    by_products = method in {"newton-krylov", "pseudo-transient"}  # which run the map as well
    if not by_products:
        assert len(calls) == most + 1
    # what is returned is the best of what was seen, and its residual is true
    values = step(found.state)
    true = (values - found.state).norm(dim=1) / values.norm(dim=1)
    torch.testing.assert_close(found.residuals, true)
    torch.testing.assert_close(found.residuals, found.history.amin(0))
    if most > 1 and not by_products:
        assert bool((found.residuals < found.history[0]).all())


@pytest.mark.parametrize("method", METHODS)
def test_history_ends_where_a_sample_ends(method, linear_map):
    step = linear_map([0.2, 0.95])
    found = solve(step, step.start, method=method, max_evaluations=1000)
    for sample, count in enumerate(found.evaluations.tolist()):
        assert bool(found.history[:count, sample].isfinite().all())
        assert bool(found.history[count:, sample].isnan().all())
    assert len(found.history) == int(found.evaluations.max())


def test_damping_slows_down_and_is_not_in_the_residual(linear_map):
    step = linear_map([0.5])
    plain, damped = (solve(step, step.start, method="picard", damping=d, tolerance=1e-9) for d in (1.0, 0.3))
    assert damped.evaluations > plain.evaluations
    for found in (plain, damped):
        values = step(found.state)
        assert (values - found.state).norm() <= 1e-9 * values.norm()


def test_damping_turns_an_oscillation_into_a_solution():
    def step(z):
        return 1 - 1.5 * z

    start = torch.zeros(1, 2, dtype=torch.float64)
    assert solve(step, start, method="picard").reason == ("diverged",)
    found = solve(step, start, method="picard", damping=0.5)
    torch.testing.assert_close(found.state, torch.full_like(start, 0.4))


@pytest.mark.parametrize("method", METHODS)
def test_several_starts_and_a_roll_out_agree(method, tanh_cell, generator):
    cell = tanh_cell().requires_grad_(False)
    given = torch.randn(1, 5, generator=generator, dtype=torch.float64)
    starts = torch.randn(6, 5, generator=generator, dtype=torch.float64) * 3
    found = solve(lambda z: cell(z, given), starts, method=method, tolerance=1e-12)
    assert bool(found.converged.all())
    rolled = starts[:1]
    for _ in range(1000):
        rolled = cell(rolled, given)
    torch.testing.assert_close(found.state, rolled.expand(6, 5), rtol=0, atol=1e-10)


def test_the_time_step_of_a_step_is_used():
    class Halving:
        time_step = 0.25
        deterministic = True

        def __call__(self, state):
            return 0.5 * state + 1

    found = solve(Halving(), torch.zeros(1, 2))
    torch.testing.assert_close(found.rates, found.residuals / 0.25)


def test_samples_that_are_done_are_left_out_where_the_map_can(linear_map):
    whole = linear_map([0.2, 0.3, 0.95, 0.2])
    sizes = []

    class Counting:
        def __init__(self, inner):
            self.inner = inner

        def __call__(self, state):
            sizes.append(len(state))
            return self.inner(state)

        def select(self, rows):
            return Counting(type(self.inner)(self.inner.weight[rows], self.inner.bias[rows]))

    for method in METHODS:
        sizes.clear()
        found = solve(Counting(whole), whole.start, method=method, tolerance=1e-8, max_evaluations=1000)
        plain = solve(whole, whole.start, method=method, tolerance=1e-8, max_evaluations=1000)
        assert bool(found.converged.all())
        assert 1 in sizes or method != "picard"
        torch.testing.assert_close(found.state, plain.state)


def test_states_of_any_shape(generator):
    for shape in ((2, 3), (2, 3, 4), (2, 1, 4, 5), (1, 2, 3, 2, 2)):
        offset = torch.rand(shape, generator=generator)
        found = solve(lambda z, offset=offset: 0.5 * z + offset, torch.zeros(shape))
        torch.testing.assert_close(found.state, 2 * offset, rtol=1e-5, atol=1e-5)


def test_scipy_finds_the_same_root(tanh_cell, generator):
    cell = tanh_cell(6, 0.95).requires_grad_(False)
    given = torch.randn(1, 6, generator=generator, dtype=torch.float64)

    def residual(z):
        state = torch.from_numpy(np.atleast_2d(z))
        return (cell(state, given) - state).numpy().reshape(-1)

    first = np.zeros(6)
    theirs = [
        scipy.optimize.anderson(residual, first, f_tol=1e-11, maxiter=300),
        scipy.optimize.newton_krylov(residual, first, f_tol=1e-11),
    ]
    for method in METHODS:
        start = torch.zeros(1, 6, dtype=torch.float64)
        ours = solve(lambda z: cell(z, given), start, method=method, tolerance=1e-12, max_evaluations=1000)
        assert bool(ours.converged.all())
        for one in theirs:
            np.testing.assert_allclose(ours.state[0].numpy(), one, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_rotated_and_shifted_problems_have_rotated_and_shifted_solutions(method, generator):
    ring = torch.tensor([[0.5, 1.0, 0.5], [1.0, -2.0, 1.0], [0.5, 1.0, 0.5]], dtype=torch.float64) * 0.11
    source = torch.randn(2, 1, 8, 8, generator=generator, dtype=torch.float64)

    def solved(source):
        def step(z):
            padded = torch.nn.functional.pad(z, (1, 1, 1, 1), mode="circular")
            return torch.tanh(torch.nn.functional.conv2d(padded, ring[None, None]) + source)

        found = solve(step, torch.zeros_like(source), method=method, tolerance=1e-13, max_evaluations=500)
        assert bool(found.converged.all())
        return found.state

    plain = solved(source)
    for move in (
        lambda z: z.rot90(1, (-2, -1)),
        lambda z: z.flip(-1),
        lambda z: z.roll((2, -3), (-2, -1)),
    ):
        assert (solved(move(source)) - move(plain)).abs().max() < 1e-12


def test_nothing_of_the_search_needs_gradients(linear_map):
    step = linear_map([0.5])
    start = step.start.requires_grad_()
    for method in METHODS:
        found = solve(step, start, method=method)
        assert not found.state.requires_grad
        assert set(found.reason) <= set(REASONS)


@pytest.mark.parametrize("line_search", [False, True])
def test_broyden_with_and_without_line_search(line_search):
    """A scalar cubic from far away; z = 1 is the only real root of z = z - (z^3 - 1) / 5."""
    found = solve(
        lambda z: z - (z**3 - 1) / 5,
        torch.tensor([[0.4], [1.7], [-1.0]], dtype=torch.float64),
        method="broyden",
        line_search=line_search,
    )
    assert bool(found.converged.all())
    torch.testing.assert_close(found.state, torch.ones_like(found.state), rtol=1e-5, atol=0)


def test_newton_converges_faster_than_linearly(tanh_cell, generator):
    cell = tanh_cell(6, 0.99).requires_grad_(False)
    given = 0.1 * torch.randn(1, 6, generator=generator, dtype=torch.float64)
    start = torch.zeros(1, 6, dtype=torch.float64)
    found = solve(lambda z: cell(z, given), start, method="newton-krylov", tolerance=1e-13)
    assert found.evaluations.item() <= 8
    history = found.history[:, 0]
    assert history[-1] < 1e-3 * history[-2]
    assert found.products.item() > 0
