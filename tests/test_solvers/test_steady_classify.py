"""Ends of trajectories: known ones of each kind, and Lyapunov exponents known exactly."""

import math

import pytest
import torch

from pdenca.core.errors import BadInputError, NonFiniteError
from pdenca.solvers import (
    REGIMES,
    Brusselator,
    ComplexGinzburgLandau,
    GrayScott,
    Grid,
    Heat,
    SpectralETDRK4,
    classify_end,
    largest_lyapunov_exponent,
    simulate,
)
from pdenca.solvers.initial_conditions import INITIAL_CONDITIONS
from pdenca.solvers.steady.shift import best_shift


def line(cells: int, spacing: float, boundary: str = "periodic") -> Grid:
    return Grid.uniform(cells, spacing, boundary, num_dims=1)


def waves(grid: Grid, times: torch.Tensor, shape) -> torch.Tensor:
    """A trajectory "1 time 1 space" of shape(x, t)."""
    return torch.stack([shape(grid.coordinates()[0], t) for t in times])[None, :, None]


TIMES = torch.linspace(0, 20, 101, dtype=torch.float64)


def test_logistic_map_has_exponent_log_two():
    state = torch.full((3, 1, 1), 0.3, dtype=torch.float64)
    state += torch.tensor([0.0, 0.1, 0.21], dtype=torch.float64).reshape(3, 1, 1)
    found = largest_lyapunov_exponent(
        lambda x: 4 * x * (1 - x), state, num_intervals=2000, time_step=0.5, separation=1e-9
    )
    assert (found.exponent - 2 * math.log(2)).abs().max() < 5 * float(found.standard_error.max())
    assert float(found.standard_error.max()) < 0.03
    assert found.duration == 1000.0
    # the window of period 3 has a negative one
    calm = largest_lyapunov_exponent(
        lambda x: 3.835 * x * (1 - x), state, num_intervals=300, num_discarded=300, time_step=1.0
    )
    assert float(calm.exponent.max()) < -0.1


def test_heat_has_the_exponent_of_its_slowest_wave():
    grid = Grid.uniform(16, 0.5, "dirichlet(0)", num_dims=1)
    symbol = -0.3 * (math.pi / 8) ** 2
    x = grid.coordinates()[0]

    def step(state):  # the exact decay of the first sine, all others gone at once
        first = torch.sin(math.pi * x / 8)
        share = (state * first).sum(-1, keepdim=True) / (first**2).sum()
        return share * first * math.exp(symbol * 0.5)

    found = largest_lyapunov_exponent(
        step, torch.rand(1, 1, 16, dtype=torch.float64), num_intervals=20, num_discarded=2, time_step=0.5
    )
    assert float(found.exponent) == pytest.approx(symbol, abs=1e-6)


def test_bad_lyapunov_arguments_are_refused():
    state = torch.rand(1, 1, 4, dtype=torch.float64)
    with pytest.raises(BadInputError, match="num_intervals"):
        largest_lyapunov_exponent(lambda x: x, state, num_intervals=3, time_step=1.0)
    with pytest.raises(BadInputError, match="float64"):
        largest_lyapunov_exponent(lambda x: x, state.float(), num_intervals=20, time_step=1.0)
    with pytest.raises(NonFiniteError):
        largest_lyapunov_exponent(lambda x: x * math.inf, state, num_intervals=20, time_step=1.0)


@pytest.mark.parametrize("shift", [0.0, 0.37, -3.3])
@pytest.mark.parametrize("num_dims", [1, 2])
def test_shift_is_found_to_a_fraction_of_a_cell(shift, num_dims):
    grid = Grid.uniform(32, 0.5, num_dims=num_dims)
    k = 2 * math.pi / 16

    def field(at: float) -> torch.Tensor:
        total = torch.ones((), dtype=torch.float64)
        for axis, x in enumerate(grid.coordinates()):
            place = x - at * (axis + 1)
            total = total[..., None] * (1 + 0.5 * torch.cos(k * place) + 0.2 * torch.sin(2 * k * place))
        return total[None]

    found, rest = best_shift(field(0.0), field(shift), grid)
    exact = torch.tensor([shift * (axis + 1) for axis in range(num_dims)], dtype=torch.float64)
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-6)
    assert rest < 1e-6


def test_walls_are_not_shifted():
    grid = Grid((16, 16), (1.0, 1.0), ("periodic", "no-flux"))
    x, y = torch.meshgrid(*grid.coordinates(), indexing="ij")
    first = (torch.cos(2 * math.pi * x / 16) * torch.cos(math.pi * y / 16))[None]
    found, rest = best_shift(first, first.roll((2, 3), (1, 2)), grid)
    assert found.tolist() == pytest.approx([2.0, 0.0], abs=1e-6)
    assert rest > 0.1


def test_travelling_standing_and_breathing_waves_are_told_apart():
    grid, k = line(48, 0.5), 2 * math.pi * 2 / 24
    travelling = waves(grid, TIMES, lambda x, t: 1 + torch.cos(k * (x - 0.7 * t)))
    standing = waves(grid, TIMES, lambda x, t: 1 + torch.cos(k * x) * torch.cos(3 * t))
    breathing = waves(
        grid, TIMES, lambda x, t: 1 + (1 + 0.5 * torch.cos(3 * t)) * torch.cos(k * (x - 0.17 * t))
    )
    ends = classify_end(torch.cat((travelling, standing, breathing)), grid, 0.2)
    assert [end.verdict for end in ends] == ["travelling", "periodic", "periodic"]
    assert ends[0].velocity == pytest.approx((0.7,), rel=1e-6)
    assert ends[1].period == pytest.approx(2 * math.pi / 3, rel=1e-3)
    assert "moving frame" not in ends[1].reason
    assert ends[2].period == pytest.approx(2 * math.pi / 3, rel=1e-2)
    assert "moving frame" in ends[2].reason


def test_slow_is_not_steady_if_it_grows_and_short_intervals_do_not_make_it_steady():
    grid = line(16, 1.0)
    leaving = waves(grid, TIMES, lambda x, t: 1 + 1e-6 * torch.exp(0.3 * t) * torch.cos(0.4 * x))
    settling = waves(grid, TIMES, lambda x, t: 2 + torch.cos(0.4 * x) * (1 + torch.exp(-t)))
    ends = classify_end(torch.cat((leaving, settling)), grid, 0.2)
    assert [end.verdict for end in ends] == ["undecided", "steady"]
    assert "grows" in ends[0].reason
    # a wave looked at a thousand times in a moment hardly changes from frame to frame
    close = waves(grid, TIMES / 1000, lambda x, t: 2 + torch.cos(0.4 * x) * torch.cos(50 * t))
    assert classify_end(close, grid, 2e-4)[0].verdict != "steady"


def test_an_oscillation_that_dies_down_is_not_periodic():
    grid = line(16, 1.0)
    decaying = waves(grid, TIMES, lambda x, t: 2 + torch.cos(0.4 * x) * torch.cos(3 * t) * torch.exp(-t / 30))
    (end,) = classify_end(decaying, grid, 0.2)
    assert end.verdict == "undecided"


def test_two_incommensurate_periods_are_neither_periodic_nor_chaotic():
    grid = line(16, 1.0)
    golden = (1 + math.sqrt(5)) / 2

    def shape(x, t):
        return 2 + torch.cos(0.4 * x) * torch.cos(3 * t) + torch.sin(0.4 * x) * torch.cos(3 * golden * t)

    torus = waves(grid, TIMES, shape)
    (end,) = classify_end(torus, grid, 0.2)
    assert end.verdict == "undecided"
    assert "comes back" in end.reason


def test_heat_dies_and_a_frozen_pattern_does_not(generator):
    grid = line(16, 0.1)
    start = 1 + torch.rand(1, 1, 16, generator=generator, dtype=torch.float64)
    frames = simulate(Heat(0.1), grid, start, num_frames=41, frame_interval=0.2, time_step=0.1)
    frozen = start[:, None].expand(1, 41, 1, 16)
    ends = classify_end(torch.cat((frames, frozen)), grid, 0.2)
    assert [end.verdict for end in ends] == ["dead", "steady"]
    assert ends[0].contrast < 1e-6 < 0.05 < ends[1].contrast


@pytest.mark.parametrize(
    ("name", "verdict"), [pytest.param("bubbles", "steady", marks=pytest.mark.slow), ("dead", "dead")]
)
def test_gray_scott_ends_as_its_regime_says(name, verdict):
    regime = REGIMES["bubbles"]
    interval = 200.0 if name == "bubbles" else 20.0
    feed, kill = (regime.feed_rate, regime.kill_rate) if name == "bubbles" else (0.06, 0.07)
    grid = Grid.uniform(32 if name == "bubbles" else 16, 1 / 64)
    start = INITIAL_CONDITIONS["gaussian-blobs"](grid, torch.Generator().manual_seed(1), 1)
    frames = simulate(
        GrayScott(feed, kill), grid, start, num_frames=31, frame_interval=interval, time_step=2.0
    )
    (end,) = classify_end(frames, grid, interval)
    assert end.verdict == verdict, end


def test_brusselator_oscillates_with_its_period():
    grid, equation = line(8, 0.5), Brusselator(1.0, 3.0, 1.0, 1.0)
    start = torch.tensor([1.0, 2.0], dtype=torch.float64)[None, :, None].expand(1, 2, 8).clone()
    frames = simulate(equation, grid, start, num_frames=301, frame_interval=0.2, time_step=0.05)
    (end,) = classify_end(frames, grid, 0.2)
    assert end.verdict == "periodic", end
    # of the limit cycle of a = 1, b = 3 in a single point, found by solve_ivp at tolerance 1e-12
    assert end.period == pytest.approx(7.1569, abs=0.01)
    assert end.contrast < 1e-6


def test_plane_wave_travels_at_its_phase_velocity():
    grid, k = line(32, 1.0), 2 * math.pi / 32
    equation = ComplexGinzburgLandau(linear_dispersion=0.5, nonlinear_dispersion=-0.5)
    x = grid.coordinates()[0]
    wave = math.sqrt(1 - k**2) * torch.stack((torch.cos(k * x), torch.sin(k * x)))[None]
    frames = simulate(equation, grid, wave, num_frames=41, frame_interval=0.5, time_step=0.05)
    (end,) = classify_end(frames, grid, 0.5)
    assert end.verdict == "travelling"
    assert end.velocity == pytest.approx(((-0.5 + k**2) / k,), rel=1e-4)


def test_defect_turbulence_is_chaotic_only_by_its_exponent(generator):
    grid = line(64, 1.0)
    equation = ComplexGinzburgLandau(linear_dispersion=2.0, nonlinear_dispersion=-1.4)
    start = 0.1 * torch.randn(1, 2, 64, generator=generator, dtype=torch.float64)
    step = SpectralETDRK4(equation, grid, 0.1)
    frames = simulate(
        equation, grid, step.march(start, 300), num_frames=61, frame_interval=1.0, time_step=0.1
    )
    (blind,) = classify_end(frames, grid, 1.0)
    assert blind.verdict == "undecided"
    (end,) = classify_end(frames, grid, 1.0, step=step, time_step=0.1, num_intervals=40)
    assert end.verdict == "chaotic", end
    assert end.lyapunov > 0.1


def test_frames_that_are_not_finite_or_too_few_are_not_judged():
    grid = line(8, 1.0)
    frames = torch.full((1, 20, 1, 8), math.nan, dtype=torch.float64)
    (end,) = classify_end(frames, grid, 1.0)
    assert end.verdict == "undecided"
    assert "not finite" in end.reason
    with pytest.raises(BadInputError, match="16 frames"):
        classify_end(frames[:, :5], grid, 1.0)
    with pytest.raises(BadInputError, match="frame_interval"):
        classify_end(frames, grid, 0.0)
