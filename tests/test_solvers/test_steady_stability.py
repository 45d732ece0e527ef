"""Stability: eigenvalues known exactly, neutral modes counted, both methods alike."""

import math

import pytest
import torch

from pdenca.core.errors import BadInputError
from pdenca.solvers import (
    AllenCahn,
    CahnHilliard,
    ComplexGinzburgLandau,
    Grid,
    Heat,
    Schnakenberg,
    dispersion,
    find_steady_state,
    stability_of,
)


def line(cells: int, spacing: float, boundary: str = "periodic") -> Grid:
    return Grid.uniform(cells, spacing, boundary, num_dims=1)


METHODS = pytest.mark.parametrize("method", ["dense", "flow-map"])
SLOWER = pytest.mark.parametrize("method", ["dense", pytest.param("flow-map", marks=pytest.mark.slow)])


@SLOWER
def test_waves_of_heat_decay_as_they_should(method):
    grid = line(16, 0.5)
    found = stability_of(
        Heat(0.3), grid, torch.full((1, 1, 16), 2.0, dtype=torch.float64), num_eigenvalues=3, method=method
    )
    k = 2 * math.pi / 8
    exact = [0, -0.3 * k**2, -0.3 * k**2]
    torch.testing.assert_close(found.eigenvalues.real, torch.tensor(exact).double(), rtol=1e-6, atol=1e-9)
    assert found.verdict == "stable"
    assert (found.num_neutral, found.num_conserved, found.num_translations) == (1, 1, 0)


@METHODS
def test_homogeneous_state_agrees_with_the_dispersion_relation(method):
    grid, equation = line(48, 1.0), Schnakenberg(diffusivity_v=20.0)
    (values,) = equation.homogeneous_states()
    state = torch.tensor(values, dtype=torch.float64)[None, :, None].expand(1, 2, 48).clone()
    found = stability_of(equation, grid, state, method=method)
    waves = 2 * math.pi / 48 * torch.arange(25, dtype=torch.float64)
    branches = dispersion(equation, values, waves)
    # every wave but the constant and the shortest one comes as sine and cosine
    expected = torch.cat((branches[:1], branches[1:-1].repeat_interleave(2, 0), branches[-1:])).flatten()
    expected = expected[expected.real.argsort(descending=True)][: len(found.eigenvalues)]
    torch.testing.assert_close(found.eigenvalues.real, expected.real, rtol=1e-3, atol=1e-5)
    growing = int((branches[1:-1].real > 0).sum()) * 2
    assert growing > 0
    assert found.verdict == "unstable"
    assert found.num_unstable == min(growing, len(found.eigenvalues))


@SLOWER
def test_single_kink_between_walls_has_the_known_spectrum(method):
    grid = line(96, 0.25, "no-flux")
    x = grid.coordinates()[0] - 12
    kink = find_steady_state(
        AllenCahn(), grid, torch.tanh(x / math.sqrt(2))[None, None], time_step=0.1, max_time=20.0
    )
    assert kink.converged == (True,)
    found = stability_of(AllenCahn(), grid, kink.state, num_eigenvalues=3, method=method)
    # Pöschl-Teller: 0 for the translation, -3/2 for the shape, then waves from -2; walls at 12 attract it
    assert found.eigenvalues.real[0].abs() < 1e-5
    assert found.eigenvalues.real[1] == pytest.approx(-1.5, abs=1e-4)
    assert found.eigenvalues.real[2] < -2


@SLOWER
def test_two_kinks_on_a_ring_attract_each_other(method):
    grid = line(64, 0.25)
    x = grid.coordinates()[0]
    start = torch.tanh((x - 4) / math.sqrt(2)) - torch.tanh((x - 12) / math.sqrt(2)) - 1
    pair = find_steady_state(
        AllenCahn(), grid, start[None, None], time_step=0.1, max_time=1.0, newton_below=1.0
    )
    assert pair.converged == (True,)
    found = stability_of(AllenCahn(), grid, pair.state, method=method)
    assert found.verdict == "unstable"
    assert (found.num_unstable, found.num_neutral, found.num_translations) == (1, 1, 1)
    assert found.kinds[:2] == ("unstable", "neutral")
    # two kinks at a distance d: the rate of 24 √2 · √2 exp(-√2 d) to leading order
    assert found.eigenvalues.real[0] == pytest.approx(96 * math.exp(-math.sqrt(2) * 8), rel=0.05)


@METHODS
def test_turing_stripes_are_stable_with_one_neutral_mode(method):
    grid, equation = line(64, 0.75), Schnakenberg(diffusivity_v=40.0)
    x = grid.coordinates()[0] * 2 * math.pi * 3 / 48
    u = 1 + 0.1 * torch.cos(x + 0.3)
    start = torch.stack((u, 0.9 * torch.ones_like(u)))[None]
    stripes = find_steady_state(equation, grid, start, time_step=0.1, max_time=500.0)
    found = stability_of(equation, grid, stripes.state, method=method)
    assert found.verdict == "stable"
    assert (found.num_unstable, found.num_neutral, found.num_translations) == (0, 1, 1)
    assert found.eigenvalues[0].abs() < 1e-7
    # the pair that oscillates as it decays is among them
    assert found.eigenvalues.imag.max() > 1


def test_too_many_stripes_are_unstable_to_fewer():
    grid, equation = line(64, 0.75), Schnakenberg(diffusivity_v=40.0)
    x = grid.coordinates()[0] * 2 * math.pi * 5 / 48
    u = 1 + 0.1 * torch.cos(x + 0.3)
    start = torch.stack((u, 0.9 * torch.ones_like(u)))[None]
    stripes = find_steady_state(equation, grid, start, time_step=0.1, max_time=500.0)
    found = stability_of(equation, grid, stripes.state)
    assert found.verdict == "unstable"
    assert (found.num_unstable, found.num_translations) == (4, 1)


def test_stripes_in_two_dimensions_have_one_translation_and_spots_have_two():
    equation = Schnakenberg(diffusivity_v=40.0)
    grid = Grid.uniform(12, 4 / 3)
    x, y = torch.meshgrid(*grid.coordinates(), indexing="ij")
    k = 2 * math.pi / 16
    counts = []
    for bump in (torch.cos(k * x), torch.cos(k * x) + torch.cos(k * y)):
        u = 1 + 0.2 * bump
        start = torch.stack((u, 0.9 * torch.ones_like(u)))[None]
        found = find_steady_state(equation, grid, start, time_step=0.1, max_time=300.0)
        assert found.converged == (True,), found.reasons
        result = stability_of(equation, grid, found.state)
        counts.append(result.num_translations)
    assert counts == [1, 2]


def test_conserved_mass_and_translation_are_both_neutral():
    grid = line(48, 0.5)
    x = grid.coordinates()[0]
    start = (0.2 + 0.3 * torch.cos(2 * math.pi * x / 24))[None, None]
    drop = find_steady_state(CahnHilliard(), grid, start, time_step=0.2, max_time=1000.0)
    found = stability_of(CahnHilliard(), grid, drop.state)
    assert found.verdict == "stable"
    assert (found.num_neutral, found.num_translations, found.num_conserved) == (2, 1, 1)


def test_a_symmetry_that_nobody_knows_leaves_the_verdict_open():
    grid = line(32, 0.5)
    # 1 + 0i turned by any phase is steady too, if nothing rotates
    equation = ComplexGinzburgLandau(linear_dispersion=0.0, nonlinear_dispersion=0.0)
    state = torch.tensor([1.0, 0.0], dtype=torch.float64)[None, :, None].expand(1, 2, 32).clone()
    found = stability_of(equation, grid, state)
    assert (found.num_neutral, found.num_translations, found.num_unstable) == (1, 0, 0)
    assert found.verdict == "undecided"


@SLOWER
def test_travelling_wave_is_judged_in_its_own_frame(method):
    grid, k = line(32, 1.0), 2 * math.pi / 32
    equation = ComplexGinzburgLandau(linear_dispersion=0.5, nonlinear_dispersion=-0.5)
    x = grid.coordinates()[0]
    wave = math.sqrt(1 - k**2) * torch.stack((torch.cos(k * x), torch.sin(k * x)))[None]
    at_rest = stability_of(equation, grid, wave, method="dense")
    assert at_rest.verdict == "undecided"
    assert "no steady state" in at_rest.reason
    velocity = torch.tensor([(-0.5 + k**2) / k], dtype=torch.float64)
    found = stability_of(equation, grid, wave, velocity=velocity, method=method)
    assert found.relative_rate < 1e-12
    assert (found.verdict, found.num_translations) == ("stable", 1)
    # amplitude and phase of the longest disturbances, by the 2 x 2 problem of (a e^iqx, its conjugate)
    exact = max(float(value.real) for value in sideband_rates(0.5, -0.5, k, 2 * math.pi / 32))
    assert found.eigenvalues.real[1] == pytest.approx(exact, rel=1e-3)


def sideband_rates(linear: float, nonlinear: float, k: float, q: float) -> list[complex]:
    """Growth rates of disturbances e^{±iqx} of the plane wave, in a frame that turns and moves with it."""
    square = 1 - k**2
    own = [-(1 + 1j * linear) * (2 * sign * k * q + q**2) - (1 + 1j * nonlinear) * square for sign in (1, -1)]
    matrix = torch.tensor(
        [
            [own[0], -(1 + 1j * nonlinear) * square],
            [-(1 - 1j * nonlinear) * square, own[1].conjugate()],
        ]
    )
    return torch.linalg.eigvals(matrix.to(torch.complex128)).tolist()


def test_bad_arguments_are_refused():
    grid, state = line(8, 1.0), torch.zeros(1, 1, 8, dtype=torch.float64)
    for options in (
        {"method": "magic"},
        {"trajectory": 1},
        {"tolerance": -1e-6},
        {"num_eigenvalues": 0},
        {"velocity": torch.zeros(2, dtype=torch.float64)},
    ):
        with pytest.raises(BadInputError):
            stability_of(Heat(1.0), grid, state, **options)
    walls = line(8, 1.0, "no-flux")
    with pytest.raises(BadInputError, match="walls"):
        stability_of(Heat(1.0), walls, state, velocity=torch.ones(1, dtype=torch.float64))
    with pytest.raises(BadInputError, match="shape"):
        stability_of(Heat(1.0), grid, torch.zeros(1, 1, 9, dtype=torch.float64))
