"""Steady states: exact ones are found, and what does not rest is not called steady."""

import math

import pytest
import torch

from pdenca.core.errors import BadInputError
from pdenca.solvers import (
    REGIMES,
    AllenCahn,
    CahnHilliard,
    GrayScott,
    Grid,
    Heat,
    Schnakenberg,
    SpectralDerivatives,
    find_steady_state,
)
from pdenca.solvers.initial_conditions import INITIAL_CONDITIONS


def line(cells: int, spacing: float, boundary: str = "periodic") -> Grid:
    return Grid.uniform(cells, spacing, boundary, num_dims=1)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_heat_ends_at_its_mean(boundary, generator):
    grid = line(32, 0.1, boundary)
    start = torch.rand(2, 1, 32, generator=generator, dtype=torch.float64)
    found = find_steady_state(Heat(0.5), grid, start, time_step=0.1, max_time=100.0)
    assert found.converged == (True, True)
    torch.testing.assert_close(found.state, start.mean(2, keepdim=True).expand_as(start), rtol=0, atol=1e-10)
    assert found.state.mean(2).sub(start.mean(2)).abs().max() < 1e-14


def test_dirichlet_walls_hold_a_straight_line():
    grid = Grid((24,), (1 / 24,), ("dirichlet(0.5)",))
    start = torch.zeros(1, 1, 24, dtype=torch.float64)
    found = find_steady_state(Heat(1.0), grid, start, time_step=2e-4, max_time=1.0)
    assert found.converged == (True,)
    torch.testing.assert_close(found.state, torch.full_like(start, 0.5), rtol=0, atol=1e-10)


def test_allen_cahn_kink_is_the_hyperbolic_tangent():
    grid = line(128, 0.25, "no-flux")
    x = grid.coordinates()[0] - 16
    found = find_steady_state(
        AllenCahn(), grid, torch.tanh(x)[None, None], time_step=0.1, max_time=200.0, newton_below=1.0
    )
    assert found.converged == (True,)
    # the walls at 16 √2 widths change it by e^(-16 √2)
    assert (found.state[0, 0] - torch.tanh(x / math.sqrt(2))).abs().max() < 1e-6
    assert float(found.relative_rate) < 1e-11


@pytest.fixture(scope="module")
def stripes():
    """Five waves of a Schnakenberg pattern, steady: (equation, grid, what was found)."""
    equation, grid = Schnakenberg(diffusivity_v=40.0), line(64, 0.75)
    x = grid.coordinates()[0] * 2 * math.pi * 5 / 48
    u = 1 + 0.1 * torch.cos(x + 0.3)
    start = torch.stack((u, 0.9 * torch.ones_like(u)))[None]
    return equation, grid, find_steady_state(equation, grid, start, time_step=0.1, max_time=500.0)


def test_residual_is_that_of_the_reference_operator(stripes):
    equation, grid, found = stripes
    assert found.converged == (True,)
    rate = equation.rate(found.state, SpectralDerivatives(grid))
    assert rate.abs().max() < 1e-10
    torch.testing.assert_close(rate.flatten(2).pow(2).mean(2).sqrt(), found.rate_rms)
    torch.testing.assert_close(rate.flatten(2).abs().amax(2), found.rate_max)
    assert found.state.std(2).min() > 0.03


def test_newton_converges_faster_than_linearly(stripes):
    *_, found = stripes
    newton = [record.relative_rate for record in found.history[0] if record.stage == "newton"]
    orders = [
        math.log(after / before) / math.log(before / earlier)
        for earlier, before, after in zip(newton[:-2], newton[1:-1], newton[2:], strict=True)
        if 1e-8 < before < 0.3 * earlier
    ]
    assert orders
    assert max(orders) > 1.4


def test_gray_scott_holes_become_steady_within_seconds():
    regime = REGIMES["bubbles"]
    equation, grid = GrayScott(regime.feed_rate, regime.kill_rate), Grid.uniform(32, 1 / 64)
    start = INITIAL_CONDITIONS["gaussian-blobs"](grid, torch.Generator().manual_seed(1), 1)
    found = find_steady_state(equation, grid, start, time_step=2.0, max_time=50_000.0)
    assert found.converged == (True,)
    assert float(found.rate_max.max()) < 1e-10
    assert found.state.flatten(2).std(2).min() > 0.05


def test_cahn_hilliard_keeps_its_mass():
    grid = line(64, 0.5)
    x = grid.coordinates()[0]
    start = (0.2 + 0.3 * torch.cos(2 * math.pi * x / 32))[None, None]
    found = find_steady_state(CahnHilliard(), grid, start, time_step=0.2, max_time=2000.0)
    assert found.converged == (True,), found.reasons
    assert found.state.mean().sub(start.mean()).abs() < 1e-13
    assert found.state.std() > 0.5


def test_each_trajectory_has_its_own_constants():
    supply = torch.tensor([0.1, 0.2], dtype=torch.float64)
    equation = Schnakenberg(supply_u=supply, supply_v=0.9, diffusivity_v=1.0)
    start = torch.tensor([[1.1, 0.8]], dtype=torch.float64)[..., None].expand(2, 2, 16).clone()
    found = find_steady_state(equation, line(16, 0.5), start, time_step=0.05, max_time=300.0)
    assert found.converged == (True, True)
    u = supply + 0.9
    exact = torch.stack((u, 0.9 / u**2), 1)[..., None].expand(2, 2, 16)
    torch.testing.assert_close(found.state, exact, rtol=0, atol=1e-9)
    with pytest.raises(BadInputError, match="constants for 2 trajectories, the state has 3"):
        find_steady_state(equation, line(16, 0.5), start[[0, 0, 1]], time_step=0.05, max_time=300.0)


def test_what_has_no_time_to_settle_is_not_called_steady(generator):
    start = torch.rand(1, 1, 32, generator=generator, dtype=torch.float64)
    found = find_steady_state(
        Heat(1e-6), line(32, 1.0), start, time_step=1.0, max_time=10.0, newton_below=0.0
    )
    assert found.converged == (False,)
    assert "max_time" in found.reasons[0]
    assert float(found.relative_rate) > 1e-11


@pytest.mark.parametrize(
    "change", [{"time_step": -1.0}, {"max_time": 0.01}, {"tolerance": 0.0}, {"method": "magic"}]
)
def test_bad_arguments_are_refused(change):
    arguments = {"time_step": 0.1, "max_time": 1.0, **change}
    with pytest.raises(BadInputError):
        find_steady_state(Heat(1.0), line(8, 1.0), torch.zeros(1, 1, 8, dtype=torch.float64), **arguments)
