"""Dispersion relations against formulas, thresholds against formulas, growth in simulations against both."""

import math

import pytest
import torch

from pdenca.core.errors import BadInputError
from pdenca.solvers import (
    AdvectionDiffusion,
    AllenCahn,
    Brusselator,
    CahnHilliard,
    ComplexGinzburgLandau,
    FisherKPP,
    FitzHughNagumo,
    GiererMeinhardt,
    GrayScott,
    Grid,
    Heat,
    Schnakenberg,
    SpectralDerivatives,
    SwiftHohenberg,
    dispersion,
    instability_threshold,
    most_unstable,
    simulate,
)
from pdenca.solvers.linear_stability import jacobians

K = torch.linspace(0, 2, 9, dtype=torch.float64)
SCALAR = [
    (Heat(0.3), (0.0,), -0.3 * K**2),
    (SwiftHohenberg(0.2, 0.7), (0.0,), 0.2 - (1 - K**2) ** 2),
    (SwiftHohenberg(0.2, 0.7), (0.5,), 0.2 - (1 - K**2) ** 2 + 2 * 0.7 * 0.5 - 3 * 0.5**2),
    (CahnHilliard(0.8, 0.5), (0.3,), -0.8 * K**2 * (3 * 0.3**2 - 1 + 0.5 * K**2)),
    (AllenCahn(0.5, 0.1), (0.4,), 1 - 3 * 0.4**2 - 0.5 * K**2),
    (FisherKPP(1.2, 0.4), (0.0,), 1.2 - 0.4 * K**2),
    (FisherKPP(1.2, 0.4), (1.0,), -1.2 - 0.4 * K**2),
    (AdvectionDiffusion(0.7, diffusivity=0.2), (0.0,), -0.7j * K - 0.2 * K**2),
]


@pytest.mark.parametrize(("equation", "state", "expected"), SCALAR)
def test_dispersion_of_one_field(equation, state, expected):
    found = dispersion(equation, state, K)
    torch.testing.assert_close(found[:, 0], expected.to(torch.complex128))


def test_dispersion_of_schnakenberg_is_that_of_its_jacobian():
    a, b, du, dv = 0.1, 0.9, 1.0, 10.0
    found = jacobians(Schnakenberg(a, b, du, dv), (a + b, b / (a + b) ** 2), K)
    u, v = a + b, b / (a + b) ** 2
    expected = torch.zeros(len(K), 2, 2, dtype=torch.complex128)
    expected[:, 0, 0], expected[:, 0, 1] = -1 + 2 * u * v - du * K**2, u**2
    expected[:, 1, 0], expected[:, 1, 1] = -2 * u * v, -(u**2) - dv * K**2
    torch.testing.assert_close(found, expected)


def test_dispersion_of_oscillators_turns_with_the_dispersion_constant():
    """About A = 0: σ = 1 - k² ± i b k²."""
    found = dispersion(ComplexGinzburgLandau(1.5, 0.3), (0.0, 0.0), K)
    torch.testing.assert_close(found.real, (1 - K**2)[:, None].expand(-1, 2))
    torch.testing.assert_close(found.imag.abs(), (1.5 * K**2)[:, None].expand(-1, 2))


def test_the_bare_state_of_gray_scott_is_always_stable():
    wave = most_unstable(GrayScott(0.03, 0.06), (1.0, 0.0), 1000.0)
    assert wave.growth_rate == pytest.approx(-0.03)
    assert wave.wavenumber == 0.0


def test_wavevectors_and_wavenumbers_agree():
    equation, state = Schnakenberg(), (1.0, 0.9)
    slanted = torch.stack((0.6 * K, 0.8 * K), dim=1)
    torch.testing.assert_close(dispersion(equation, state, slanted), dispersion(equation, state, K))
    anisotropic = Schnakenberg(diffusivity_u=(1.0, 2.0), diffusivity_v=(10.0, 20.0))
    along_y = torch.stack((0 * K, K), dim=1)
    doubled = Schnakenberg(diffusivity_u=2.0, diffusivity_v=20.0)
    torch.testing.assert_close(dispersion(anisotropic, state, along_y), dispersion(doubled, state, K))


@pytest.mark.parametrize(("a", "b"), [(0.1, 0.9), (0.2, 1.3)])
def test_turing_threshold_of_schnakenberg(a, b):
    """d (b - a)/(a + b) - (a + b)² = 2 √d (a + b), and k² = (a + b)/√(D_u D_v) there."""
    found = instability_threshold(Schnakenberg(a, b), "diffusivity_v", (2.0, 500.0), 3.0)
    s, f = a + b, (b - a) / (a + b)
    root = (s + math.sqrt(s**2 + f * s**2)) / f
    assert found == pytest.approx(root**2, rel=1e-8)
    wave = most_unstable(Schnakenberg(a, b, 1.0, found), (s, b / s**2), 3.0)
    assert wave.growth_rate == pytest.approx(0, abs=1e-9)
    assert wave.wavenumber**2 == pytest.approx(s / math.sqrt(found), rel=1e-5)


@pytest.mark.parametrize(("a", "du", "dv"), [(4.5, 2.0, 16.0), (3.0, 1.0, 10.0)])
def test_turing_threshold_of_the_brusselator(a, du, dv):
    """B = (1 + A √(D_u/D_v))², k² = A/√(D_u D_v)."""
    found = instability_threshold(Brusselator(a, 1.0, du, dv), "supply_b", (2.0, 1 + a**2), 3.0)
    assert found == pytest.approx((1 + a * math.sqrt(du / dv)) ** 2, rel=1e-8)
    wave = most_unstable(Brusselator(a, found, du, dv), (a, found / a), 3.0)
    assert wave.wavenumber**2 == pytest.approx(a / math.sqrt(du * dv), rel=1e-5)


def test_turing_threshold_of_the_default_gierer_meinhardt_equations_is_the_documented_one():
    found = instability_threshold(GiererMeinhardt(), "diffusivity_h", (5.0, 30.0), 3.0)
    assert found == pytest.approx(12.1, abs=0.05)


def test_turing_condition_of_fitzhugh_nagumo():
    """d f - εγ = 2 √(d ε (1 - γ f)) with f = 1 - 3u², at PDEBench's constants."""
    equation = FitzHughNagumo(5e-3)
    found = instability_threshold(equation, "diffusivity_v", (1e-3, 5e-3), 100.0)
    ((u, _),) = equation.homogeneous_states()
    f, d = 1 - 3 * u**2, found / 1e-3
    assert d * f - 1 == pytest.approx(2 * math.sqrt(d * (1 - f)), rel=1e-6)


def test_hopf_threshold_of_the_brusselator():
    """B = 1 + A², with frequency A and the same phase everywhere."""
    found = instability_threshold(Brusselator(1.5, 1.0, 1.0, 1.0), "supply_b", (2.0, 5.0), 3.0)
    assert found == pytest.approx(1 + 1.5**2, rel=1e-9)
    wave = most_unstable(Brusselator(1.5, found, 1.0, 1.0), (1.5, found / 1.5), 3.0)
    assert wave.wavenumber == 0
    assert abs(wave.eigenvalue.imag) == pytest.approx(1.5)


GROWTH = [
    *(Schnakenberg(0.1, 0.9, 1.0, ratio * 8.5676) for ratio in (0.95, 1.0, 1.05, 1.2)),
    *(Brusselator(4.5, ratio * 6.7130, 2.0, 16.0) for ratio in (0.97, 1.0, 1.03, 1.1)),
]


@pytest.mark.parametrize("equation", GROWTH)
def test_the_most_unstable_wave_grows_as_predicted(equation):
    """Below, at and above the Turing threshold, in a box of one wavelength."""
    (state,) = equation.homogeneous_states()
    wave = most_unstable(equation, state, 3.0)
    length, duration = 2 * math.pi / wave.wavenumber, 2.0
    grid = Grid((16,), (length / 16,), ("periodic",))
    assert wave.eigenvalue.imag == pytest.approx(0, abs=1e-12)
    profile = torch.cos(wave.wavenumber * grid.coordinates()[0])
    ripple = torch.stack([amplitude.real * profile for amplitude in wave.amplitudes])
    still = torch.tensor(state, dtype=torch.float64)[:, None]
    start = (still + 1e-6 * ripple)[None]
    frames = simulate(equation, grid, start, num_frames=2, frame_interval=duration, time_step=0.01)
    heights = (((frames[0] - still) * ripple).sum((1, 2)) / (ripple**2).sum()).tolist()
    growth = math.log(heights[1] / heights[0]) / duration
    assert growth == pytest.approx(wave.growth_rate, abs=2e-6)


def test_eigenvectors_are_those_of_the_full_equation():
    """The change of a small ripple is σ times the ripple."""
    equation = Brusselator(4.5, 7.0, 2.0, 16.0)
    wave = most_unstable(equation, equation.homogeneous_states()[0], 3.0)
    grid = Grid((24,), (2 * math.pi / wave.wavenumber / 24,), ("periodic",))
    profile = torch.cos(wave.wavenumber * grid.coordinates()[0])
    ripple = torch.stack([amplitude.real * profile for amplitude in wave.amplitudes])[None]
    still = torch.tensor(equation.homogeneous_states(), dtype=torch.float64)[..., None]
    rate = equation.rate(still + 1e-7 * ripple, SpectralDerivatives(grid)) / 1e-7
    torch.testing.assert_close(rate, wave.growth_rate * ripple, rtol=0, atol=1e-5)


def test_refusals():
    with pytest.raises(BadInputError, match="has 2 values, got 1"):
        dispersion(Schnakenberg(), (1.0,), K)
    with pytest.raises(BadInputError, match="one homogeneous state, got a tensor of 3"):
        dispersion(Schnakenberg(), (torch.ones(3), 1.0), K)
    with pytest.raises(BadInputError, match="one set of constants, got 3 trajectories"):
        dispersion(Heat(torch.ones(3)), (1.0,), K)
    with pytest.raises(BadInputError, match="largest_wavenumber must be positive, got 0"):
        most_unstable(Schnakenberg(), (1.0, 0.9), 0.0)
    with pytest.raises(BadInputError, match="has 1 known homogeneous states at supply_b = 1, got"):
        instability_threshold(Brusselator(), "supply_b", (1.0, 9.0), 3.0, state_number=1)
    with pytest.raises(BadInputError, match="stable at both diffusivity_v = 1 and 2"):
        instability_threshold(Schnakenberg(), "diffusivity_v", (1.0, 2.0), 3.0)
