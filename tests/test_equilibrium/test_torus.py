"""A pattern on a torus: its fixed points come in families, and I - J is singular along them."""

import math

import pytest
import torch

from pdenca.equilibrium import (
    SOLVERS,
    EquilibriumRecord,
    EquilibriumSettings,
    fixed_point,
    perturbed_rollout,
    solve,
    stability_of,
)

CELLS, WAVES = 64, 4
TIGHT = {"tolerance": 1e-12, "max_evaluations": 400}


class SwiftHohenberg:
    """∂u/∂t = r u - (1 + ∂²/∂x²)² u + q u² - u³ on WAVES critical wavelengths, linear part implicit."""

    time_step = 0.5
    deterministic = True

    def __init__(self, growth, quadratic=0.3):
        self.growth, self.quadratic = growth, quadratic
        wavenumbers = torch.arange(CELLS // 2 + 1, dtype=torch.float64) / WAVES
        self.linear = (1 - wavenumbers**2) ** 2

    def __call__(self, state):
        known = state + self.time_step * (self.growth * state + self.quadratic * state**2 - state**3)
        waves = torch.fft.rfft(known) / (1 + self.time_step * self.linear)
        return torch.fft.irfft(waves, n=CELLS)


def slope(state):
    """∂u/∂x by Fourier: how the pattern changes when it is shifted."""
    waves = torch.fft.rfft(state)
    numbers = torch.arange(CELLS // 2 + 1, dtype=torch.float64) / WAVES
    numbers[-1] = 0
    return [torch.fft.irfft(1j * numbers * waves, n=CELLS)]


def near_pattern(shift=0.3):
    x = torch.arange(CELLS, dtype=torch.float64) * (2 * math.pi * WAVES / CELLS)
    return 0.5 * torch.cos(x - shift)[None, None] + 0.1


@pytest.fixture(scope="module")
def pattern():
    found = solve(SwiftHohenberg(0.3), near_pattern(), method="newton-krylov", **TIGHT)
    assert bool(found.converged.all())
    return found.state


@pytest.mark.parametrize("method", sorted(SOLVERS))
def test_every_method_finds_the_pattern(method, pattern):
    step = SwiftHohenberg(0.3)
    found = solve(step, near_pattern(), method=method, **TIGHT)
    assert bool(found.converged.all())
    assert found.state.var() > 0.05
    assert (step(found.state) - found.state).abs().max() < 1e-11
    # up to a shift it is one and the same
    one, other = (torch.fft.rfft(z).abs() for z in (found.state, pattern))
    torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(found.rates, found.residuals / 0.5)


def test_a_roll_out_ends_there_too(pattern):
    step, state = SwiftHohenberg(0.3), near_pattern()
    for _ in range(1000):
        state = step(state)
    torch.testing.assert_close(torch.fft.rfft(state).abs(), torch.fft.rfft(pattern).abs(), atol=1e-9, rtol=0)


def test_a_pattern_grows_out_of_faint_noise_by_plain_iteration(generator, dtype):
    """A thousand times smaller than the pattern, so that the state grows and the residual with it."""
    step = SwiftHohenberg(0.3)
    step.linear = step.linear.to(dtype)
    start = 1e-3 * torch.randn(2, 1, CELLS, generator=generator, dtype=torch.float64).to(dtype)
    found = solve(step, start, method="picard", tolerance=1e-5, max_evaluations=2000)
    assert bool(found.converged.all())
    assert found.state.var(dim=-1).min() > 0.05


@pytest.mark.parametrize("method", sorted(SOLVERS))
def test_a_shifted_start_gives_the_shifted_pattern(method):
    step, start = SwiftHohenberg(0.3), near_pattern()
    plain, shifted = (solve(step, z, method=method, **TIGHT).state for z in (start, start.roll(7, -1)))
    one, other = (torch.fft.rfft(z).abs() for z in (shifted, plain))
    torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    # nothing holds it in its place, so rounding can shift it
    assert (shifted - plain.roll(7, -1)).abs().max() < 1e-5


@pytest.mark.parametrize("method", ["dense", "arnoldi"])
def test_it_is_stable_but_for_its_place(method, pattern):
    step = SwiftHohenberg(0.3)
    (found,) = stability_of(step, pattern, null_modes=slope, method=method)
    assert found.verdict == "stable"
    assert found.num_neutral == 1
    assert found.num_marginal == 0
    assert found.kinds[0] == "neutral"
    assert found.pinning < 1e-9
    assert found.growth_rates[1] < -1e-3
    assert "1 along the null modes" in found.reason
    (untold,) = stability_of(step, pattern, method=method)
    assert untold.verdict == "neutral"


def test_the_homogeneous_state_is_an_unstable_fixed_point(generator):
    """The residual there is zero; only stability tells that no pattern ever ends in it."""
    step, state = SwiftHohenberg(0.3), torch.zeros(1, 1, CELLS, dtype=torch.float64)
    assert bool(solve(step, state).converged.all())
    (found,) = stability_of(step, state, null_modes=slope)
    assert found.verdict == "unstable"
    # the critical wave grows by (1 + r Δt) per step
    assert found.spectral_radius == pytest.approx(1 + 0.3 * 0.5)
    assert not perturbed_rollout(step, state, generator=generator).returned.any()


def test_a_pushed_pattern_comes_back_shifted(pattern, generator):
    pushed = perturbed_rollout(SwiftHohenberg(0.3), pattern, null_modes=slope, generator=generator)
    assert bool(pushed.returned.all())
    assert pushed.ratios.item() < 0.01


def variance(state):
    return state.var(unbiased=False)


@pytest.mark.parametrize("told", [True, False])
def test_gradients_of_invariant_losses_are_right(told, pattern):
    """Against a central difference of solved patterns, whether or not the null mode is told."""
    parameters = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.3, 0.3)]
    settings = EquilibriumSettings(
        method="newton-krylov", tolerance=1e-12, backward_tolerance=1e-10, max_evaluations=400
    )
    record = EquilibriumRecord()
    state = fixed_point(
        SwiftHohenberg(*parameters), pattern, settings, null_modes=slope if told else None, record=record
    )
    found = torch.autograd.grad(variance(state), parameters)
    assert bool(record.adjoint.converged.all())
    assert record.adjoint.reason == ("converged",)
    if told:
        assert record.adjoint.neutral_share.item() < 1e-9

    def solved(*values):
        end = solve(SwiftHohenberg(*values), pattern, method="newton-krylov", **TIGHT)
        assert bool(end.converged.all())
        return float(variance(end.state))

    h = 1e-4
    differences = (
        (solved(0.3 + h, 0.3) - solved(0.3 - h, 0.3)) / (2 * h),
        (solved(0.3, 0.3 + h) - solved(0.3, 0.3 - h)) / (2 * h),
    )
    for one, other in zip(found, differences, strict=True):
        assert float(one) == pytest.approx(other, rel=1e-6)


def test_the_place_of_a_pattern_has_no_gradient_and_that_is_said(pattern):
    growth = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    settings = EquilibriumSettings(method="newton-krylov", backward_tolerance=1e-10)
    record = EquilibriumRecord()
    for null_modes, reason in ((slope, "loss not invariant"), (None, "near-null direction")):
        state = fixed_point(SwiftHohenberg(growth), pattern, settings, null_modes=null_modes, record=record)
        state[0, 0, 5].backward()
        assert record.adjoint.reason == (reason,)
        assert bool(growth.grad.isfinite())
