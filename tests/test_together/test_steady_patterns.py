"""The negative control: where no steady pattern exists, neither a rule nor an equation reports one."""

import pytest
import torch

from pdenca.solvers import INITIAL_CONDITIONS, REGIMES, Grid
from pdenca.tasks.pretrained import load_pretrained
from pdenca.tasks.steady import SettleSettings, one_step, settle, steady_of_equation


def settled(regime, state, max_time):
    emulator = load_pretrained("gray-scott", torch.float64)
    grid = Grid.uniform(state.shape[-1], emulator.scales.spacing)
    values = REGIMES[regime]
    context = {
        "feed_rate": torch.full((len(state),), values.feed_rate, dtype=torch.float64),
        "kill_rate": torch.full((len(state),), values.kill_rate, dtype=torch.float64),
    }
    step = one_step(emulator, grid, context)
    return settle(step, state, SettleSettings(first_time=200.0, max_time=max_time))


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["gliders", "spirals"])
def test_a_rule_reports_no_steady_pattern_where_nothing_settles(regime):
    grid = Grid.uniform(48, 1 / 64)
    starts = INITIAL_CONDITIONS["gaussian-blobs"](grid, torch.Generator().manual_seed(3), 2)
    found = settled(regime, starts, 1200.0)
    assert set(found.verdicts) <= {"unsettled", "dead"}
    assert "unsettled" in found.verdicts
    assert (found.rates[[name == "unsettled" for name in found.verdicts]] > 1e-5).all()


@pytest.mark.slow
def test_a_rule_reports_a_start_that_dies_out():
    state = torch.tensor([1.0, 0.0], dtype=torch.float64).view(1, 2, 1, 1).expand(1, 2, 32, 32).clone()
    state[:, 1, 10:14, 10:14] = 0.05
    found = settled("spirals", state, 4000.0)
    assert found.verdicts == ("dead",)
    torch.testing.assert_close(
        found.state[:, 1], torch.zeros(1, 32, 32, dtype=torch.float64), rtol=0, atol=0.02
    )


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["gliders", "spirals"])
def test_an_equation_reports_no_steady_pattern_where_nothing_settles(preset):
    report = steady_of_equation(
        "gray-scott", preset, changes={"num_cells": 48}, num_starts=2, max_time=3000.0
    )
    assert {item.verdict for item in report.patterns} <= {"unsettled", "dead", "travelling"}
    assert any(item.verdict != "dead" for item in report.patterns)
    assert "no stable patterned equilibrium from this start" in report.describe()
