"""Starts whose end is known: they come to rest, die, run away, move for ever or sit on a saddle."""

import math
from dataclasses import dataclass

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.solvers import Grid
from pdenca.tasks.steady import SettleSettings, settle, translations

GRID = Grid.uniform(8, 0.5, "no-flux", 2)
TORUS = Grid.uniform(16, 0.5, "periodic", 2)
PATTERN = torch.cos(math.pi * (torch.arange(8, dtype=torch.float64) + 0.5) / 8)[:, None].expand(8, 8)


@dataclass(frozen=True, eq=False)
class Flow:
    """z ← z + Δt rate(z), the rate depending on a kind per trajectory."""

    kinds: tuple[str, ...]
    lattice: Grid = GRID
    time_step: float = 0.5
    deterministic: bool = True

    def select(self, trajectories):
        return Flow(tuple(self.kinds[i] for i in trajectories.tolist()), self.lattice, self.time_step)

    def __call__(self, state):
        return torch.stack(
            [one + self.time_step * RATES[kind](one) for kind, one in zip(self.kinds, state, strict=True)]
        )


def turned(z):
    """Two fields that turn into each other for ever, at a constant size."""
    square = z.square().mean()
    return torch.stack((-z[1], z[0])) * 0.2 + z * (PATTERN.square().mean() - square)


def part(z):
    """How much of the pattern is in each field."""
    return ((z * PATTERN).sum((-2, -1)) / PATTERN.square().sum())[..., None, None]


def saddle(z):
    """The pattern with v = 0 is a saddle, which the mean of v grows from, to one side or the other."""
    mean = z[1].mean()
    return torch.stack((0.1 * (PATTERN - z[0]), 0.02 * mean * (1 - mean.square()) + 0.1 * (mean - z[1])))


RATES = {
    "slow": lambda z: 0.002 * (PATTERN - z),  # a stable pattern, hundreds of time units away
    "dead": lambda z: 0.05 * (0.7 - z),
    "blow up": lambda z: z * z,
    "turning": turned,
    # a homogeneous state that a pattern grows from
    "growing": lambda z: 0.1 * (0.7 - z) + 0.15 * part(z) * PATTERN * (1 - part(z).square()),
    "saddle": lambda z: saddle(z),
}


def starts(count, seed=0):
    return 0.3 + 0.1 * torch.rand(
        count, 2, 8, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def test_each_start_gets_the_verdict_of_its_own_end():
    kinds = ("slow", "dead", "blow up", "turning")
    found = settle(Flow(kinds), starts(4), SettleSettings(max_time=2000.0))
    assert found.verdicts == ("steady", "dead", "not finite", "unsettled")
    assert found.found.tolist() == [True, True, False, False]
    torch.testing.assert_close(found.state[0], PATTERN.expand(2, 8, 8), rtol=0, atol=1e-5)
    assert found.rates[0] <= 1e-8
    assert found.growth_rates[0] == pytest.approx(math.log(1 - 0.001) / 0.5, rel=1e-3)
    assert found.reasons[3] == "it still moves"
    assert found.times[3] == 2000


@pytest.mark.parametrize("method", ["newton-krylov", "anderson", "broyden"])
def test_a_solver_saves_most_of_the_roll_out(method):
    settings = SettleSettings(max_time=20_000.0, solve_below=0.02, largest_move=2.0)
    fast = settle(Flow(("slow",)), starts(1), settings.replace(method=method))
    alone = settle(Flow(("slow",)), starts(1), settings.replace(method="picard"))
    assert fast.verdicts == alone.verdicts == ("steady",)
    torch.testing.assert_close(fast.state, alone.state, rtol=0, atol=1e-4)
    assert alone.products[0] == 0
    assert (fast.evaluations + fast.products)[0] * 10 < alone.evaluations[0]


def test_a_solution_far_away_is_not_taken_for_the_end_of_the_roll_out():
    settings = SettleSettings(
        method="newton-krylov", max_time=60.0, first_time=60.0, solve_below=1.0, largest_move=0.05
    )
    found = settle(Flow(("slow",)), starts(1), settings)
    assert found.verdicts == ("unsettled",)
    assert "of the state's size away" in found.reasons[0]


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_saddle_is_left_for_where_the_roll_out_goes(side):
    v = torch.full((8, 8), side * 1e-6, dtype=torch.float64)
    start = torch.stack((PATTERN + 0.01, v))[None]
    settings = SettleSettings(max_time=3000.0)
    found = settle(Flow(("saddle",)), start, settings)
    assert found.verdicts == ("steady",)
    assert found.times[0] == 0  # nothing had to be rolled out
    torch.testing.assert_close(found.state[0, 1], side * torch.ones_like(v), rtol=0, atol=1e-5)
    alone = settle(Flow(("saddle",)), start, settings.replace(method="picard"))
    torch.testing.assert_close(found.state, alone.state, rtol=0, atol=1e-5)


def test_a_saddle_is_no_answer():
    start = torch.stack((PATTERN + 0.01, torch.full((8, 8), 1e-4, dtype=torch.float64)))[None]
    settings = SettleSettings(
        method="newton-krylov", first_time=20.0, solve_below=1.0, max_time=20.0, largest_move=10.0
    )
    short = settle(Flow(("saddle",)), start, settings)
    assert short.verdicts == ("unsettled",)
    assert "no stable equilibrium" in short.reasons[0]
    longer = settle(Flow(("saddle",)), start, settings.replace(max_time=3000.0))
    assert longer.verdicts == ("steady",)
    torch.testing.assert_close(longer.state[0, 1], torch.ones(8, 8, dtype=torch.float64), rtol=0, atol=1e-5)


@pytest.mark.slow
def test_a_homogeneous_state_that_a_pattern_grows_from_is_not_dead():
    # at first nothing moves: implicit steps jump to the homogeneous state, which is an equilibrium
    start = 0.7 + 1e-5 * PATTERN.expand(1, 2, 8, 8)
    found = settle(Flow(("growing",)), start, SettleSettings(max_time=3000.0))
    assert found.verdicts == ("steady",)
    assert float(found.state.std()) > 0.3
    # nor where nothing moves at all
    found = settle(Flow(("growing",)), torch.full((1, 2, 8, 8), 0.7, dtype=torch.float64))
    assert found.verdicts == ("unstable",)


def test_stability_is_not_claimed_unasked():
    found = settle(
        Flow(("slow",)), starts(1), SettleSettings(check_stability=False, solve_below=0.1, largest_move=2)
    )
    assert found.verdicts == ("undecided",)


def test_a_stochastic_step_is_refused():
    with pytest.raises(BadInputError, match="never comes to rest"):
        settle(Flow(("slow",), deterministic=False), starts(1))


def test_translations_are_the_slopes_along_periodic_axes():
    assert translations(GRID) is None
    place = torch.arange(16, dtype=torch.float64) * 2 * math.pi / 16
    wave = torch.sin(place)[:, None].expand(1, 1, 16, 16)
    across, along = translations(TORUS)(wave)
    torch.testing.assert_close(across, torch.cos(place)[:, None].expand_as(wave) * math.sin(2 * math.pi / 16))
    assert along.abs().max() == 0
    mixed = Grid((8, 8), (0.5, 0.5), ("periodic", "no-flux"))
    assert len(translations(mixed)(wave)) == 1
