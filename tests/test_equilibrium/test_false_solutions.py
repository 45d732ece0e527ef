"""What has no solution is not solved, and every way to fail has a name."""

import math

import pytest
import torch

from pdenca.core import BadInputError, IncompleteError, PdencaError
from pdenca.equilibrium import SOLVERS, solve

METHODS = sorted(SOLVERS)


@pytest.mark.parametrize("method", METHODS)
def test_a_hard_sample_and_a_broken_one_leave_the_others_alone(method, linear_map):
    step = linear_map([0.3, 0.99, 0.5])
    spoilt = step.start.clone()
    spoilt[2] = math.nan

    def broken(state):
        values = step(state)
        return torch.cat((values[:2], values[2:] * math.nan))

    for map, start in ((step, spoilt), (broken, step.start)):
        found = solve(map, start, method=method, max_evaluations=3000)
        assert found.reason == ("converged", "converged", "not finite")
        assert found.converged.tolist() == [True, True, False]
        assert math.isinf(found.residuals[2])
        if method in ("picard", "anderson"):
            assert found.evaluations[0] < found.evaluations[1]
        alone = solve(
            lambda z: (step.weight[:1] @ z[..., None])[..., 0] + step.bias[:1],
            step.start[:1],
            method=method,
            max_evaluations=3000,
        )
        torch.testing.assert_close(found.state[:1], alone.state, rtol=1e-10, atol=1e-12)
        assert found.evaluations[0] == alone.evaluations[0]


@pytest.mark.parametrize("method", METHODS)
def test_infinity_is_flagged_too(method):
    found = solve(lambda z: z / 0, torch.ones(1, 3), method=method)
    assert found.reason == ("not finite",)
    assert not found.converged.item()


def test_an_unstable_root_diverges_under_iteration_but_not_under_newton(generator):
    weight = 3 * torch.randn(6, 6, generator=generator, dtype=torch.float64)
    assert torch.linalg.eigvals(weight).abs().max() > 2

    def step(z):
        return z @ weight.T + 1

    start = torch.zeros(1, 6, dtype=torch.float64)
    assert solve(step, start, method="picard").reason == ("diverged",)
    found = solve(step, start, method="newton-krylov", tolerance=1e-10)
    assert bool(found.converged.all())
    assert (step(found.state) - found.state).norm() < 1e-8


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("most", [50, 300])
def test_a_map_without_fixed_points_is_never_solved(method, most):
    """Of z + 1 the relative residual falls like 1 / z: only a look at the absolute one tells."""
    found = solve(lambda z: z + 1, torch.zeros(2, 3), method=method, tolerance=1e-2, max_evaluations=most)
    assert not found.converged.any()
    assert not {"converged", "not repeatable"} & set(found.reason)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("tolerance", [5e-2, 1e-6])
def test_wild_steps_do_not_solve_what_has_no_solution(method, tolerance, dtype, generator):
    """Quasi-Newton steps on singular maps jump far out, where rounding eats what is left of the residual."""
    offset = torch.randn(12, 6, generator=generator).to(dtype)
    offset = offset / offset.norm(dim=1, keepdim=True)
    start = torch.randn(12, 6, generator=generator).to(dtype)
    start[::3] = 0
    scale = 10.0 ** torch.randint(-6, 6, (12, 1), generator=generator).to(dtype)
    for step in (
        lambda z: z + scale * offset,
        lambda z: z + 0.1 * scale * (1 + (z / scale) ** 2),
        lambda z: torch.relu(z) + scale * offset.abs(),
        lambda z: z.roll(1, 1) + scale * offset.abs(),
    ):
        found = solve(step, scale * start, method=method, tolerance=tolerance, max_evaluations=60)
        assert not found.converged.any()
        assert not {"converged", "not repeatable"} & set(found.reason)


@pytest.mark.parametrize("method", METHODS)
def test_a_dead_state_is_a_fixed_point(method):
    """Relative to a state that decays to zero no residual ever falls; the floor ends that."""
    found = solve(lambda z: 0.5 * z, torch.ones(1, 4, dtype=torch.float64), method=method)
    assert bool(found.converged.all())
    assert found.state.abs().max() < 1e-12
    slow = solve(lambda z: 0.5 * z, torch.ones(1, 4, dtype=torch.float64), method="picard", floor=0.0)
    assert slow.reason == ("max evaluations",)


@pytest.mark.parametrize("method", METHODS)
def test_small_time_steps_do_not_fake_convergence(method):
    """One explicit Euler step of dz/dt = 1 - z is nearly the identity."""
    time_step = 1e-5

    def step(z):
        return z + time_step * (1 - z)

    start = torch.full((1, 2), 0.5, dtype=torch.float64)
    careless = solve(step, start, method=method, tolerance=1e-4)
    assert bool(careless.converged.all())
    assert careless.rates is None
    told = solve(step, start, method=method, tolerance=1e-4, time_step=time_step)
    assert told.rates.item() == pytest.approx(1.0, rel=1e-3)
    strict = solve(
        step,
        start,
        method=method,
        tolerance=1e-4,
        rate_tolerance=1e-4,
        time_step=time_step,
        max_evaluations=50,
    )
    if method == "picard":
        assert strict.reason == ("max evaluations",)
    else:
        torch.testing.assert_close(strict.state, torch.ones_like(start), rtol=2e-4, atol=0)
        assert strict.rates.item() <= 1e-4


def test_a_step_that_is_not_repeatable_is_found_out():
    calls = []

    def step(z):
        calls.append(1)
        return torch.ones_like(z) * (1 if len(calls) < 3 else 2)

    found = solve(step, torch.zeros(1, 3))
    assert found.reason == ("not repeatable",)
    assert not found.converged.item()
    assert found.residuals.item() == pytest.approx(0.5)


@pytest.mark.parametrize("method", METHODS)
def test_a_search_that_stops_getting_better_says_so(method):
    """z -> -z + 1 + a kink: a two-cycle for plain iteration."""
    found = solve(lambda z: z.abs() + 1e-3, torch.ones(1, 1), method=method, patience=10, max_evaluations=500)
    assert found.reason[0] in {"stagnated", "diverged"}
    assert found.evaluations.item() < 500


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "andersen"}, "did you mean 'anderson'"),
        ({"method": "simplex"}, "known methods: picard"),
        ({"memroy": 3}, "did you mean 'memory'"),
        ({"method": "picard", "damping": 0.0}, "damping"),
        ({"method": "picard", "memory": 3}, "unknown setting 'memory'"),
        ({"tolerance": -1.0}, "tolerance"),
        ({"tolerance": math.nan}, "tolerance"),
        ({"max_evaluations": 0}, "max_evaluations"),
        ({"rate_tolerance": 1e-3}, "time_step"),
        ({"time_step": 0.0}, "time_step"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, message):
    with pytest.raises(BadInputError, match=message):
        solve(lambda z: 0.5 * z, torch.ones(1, 2), **changes)


def test_maps_that_cannot_have_fixed_points_here_are_refused():
    class Random:
        deterministic = False

        def __call__(self, state):
            return state

    with pytest.raises(BadInputError, match="deterministic"):
        solve(Random(), torch.ones(1, 2))
    with pytest.raises(BadInputError, match="in place"):
        solve(lambda z: z.mul_(0.5), torch.ones(1, 2))
    with pytest.raises(BadInputError, match="must return states"):
        solve(lambda z: z[:, :1], torch.ones(1, 2))
    with pytest.raises(BadInputError, match="must return states"):
        solve(lambda z: z.double(), torch.ones(1, 2))
    with pytest.raises(BadInputError, match="batch axis"):
        solve(lambda z: z, torch.ones(3))
    with pytest.raises(BadInputError, match="float32 or float64"):
        solve(lambda z: z, torch.ones(1, 3, dtype=torch.float16))


def test_failure_can_be_made_an_error(linear_map):
    step = linear_map([0.3, 0.99])
    found = solve(step, step.start, method="picard", max_evaluations=20)
    with pytest.raises(IncompleteError, match="sample 1: max evaluations") as caught:
        found.require_converged()
    assert isinstance(caught.value, PdencaError)
    assert solve(step, step.start).require_converged().converged.all()
