"""Solver baselines at equal error and at equal time."""

import math

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.evaluation import CostPoint, compare_costs, milliseconds_per_frame

EMULATOR = CostPoint("nca", 2.0, 0.01)
SOLVERS = [
    CostPoint("coarse", 0.5, 0.3),
    CostPoint("fair", 1.5, 0.05),
    CostPoint("fine", 6.0, 0.008),
    CostPoint("finest", 20.0, 0.001),
    CostPoint("unstable", 0.1, math.nan),
]


def test_the_cheapest_of_equal_error_and_the_best_of_equal_time():
    found = compare_costs(EMULATOR, SOLVERS)
    assert (found.cheapest.name, found.best.name) == ("fine", "fair")
    assert (found.speed_up, found.error_ratio) == pytest.approx((3.0, 5.0))


def test_equality_counts_and_nothing_is_said_without_a_match():
    exact = compare_costs(EMULATOR, [CostPoint("same", 2.0, 0.01)])
    assert exact.cheapest == exact.best == CostPoint("same", 2.0, 0.01)
    slow = compare_costs(EMULATOR, [CostPoint("slow", 3.0, 0.02)])
    assert slow.cheapest is None
    assert slow.best is None
    assert slow.speed_up == slow.error_ratio == math.inf


def test_a_table_without_solvers_or_numbers_is_refused():
    with pytest.raises(BadInputError, match="no solver"):
        compare_costs(EMULATOR, [])
    with pytest.raises(BadInputError, match="did not diverge"):
        compare_costs(CostPoint("nca", 2.0, math.nan), SOLVERS)


def test_time_is_the_median_per_trajectory_after_a_warm_up():
    class Timed:
        time_step, deterministic, calls = 1.0, True, 0

        def __call__(self, state):
            self.calls += 1
            now[0] += {1: 100.0, 3: 50.0}.get(self.calls, 0.4)
            return state

    now, step = [0.0], Timed()
    assert milliseconds_per_frame(step, torch.zeros(4, 1, 2, 2), clock=lambda: now[0]) == pytest.approx(100)
    assert step.calls == 6
