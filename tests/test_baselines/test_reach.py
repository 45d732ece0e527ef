"""How far equations look on a grid, and so which solver is a rule's equal."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from pdenca.baselines import EquationFamily, EquationsOnGrid
from pdenca.baselines.reach import reach_of
from pdenca.core.field import Field
from pdenca.solvers import EQUATIONS, Equation
from pdenca.solvers.equation import Factored


@pytest.mark.parametrize("name", list(EQUATIONS))
def test_a_biharmonic_looks_twice_as_far_as_a_laplacian(name):
    factor = 2 if name in ("swift-hohenberg", "cahn-hilliard") else 1
    for order in (2, 4, 6, 10):
        assert reach_of(name, f"order-{order}") == factor * order // 2
        assert EquationsOnGrid(name, 1.0, f"order-{order}").radius == factor * order // 2


@dataclass(frozen=True, eq=False)
class Growth(Equation):
    """Nothing moves; without a default for its rate."""

    name: ClassVar[str] = "growth"
    fields: ClassVar[tuple[Field, ...]] = (Field("u"),)

    growth_rate: float

    def parameters(self):
        return {"growth_rate": self.growth_rate}

    def rate(self, state, derivatives):
        return self.growth_rate * state

    def linear_symbol(self, waves):
        return torch.full_like(waves.laplacian, self.growth_rate)[None, None]

    def factored_nonlinear(self):
        return Factored(torch.zeros_like, coefficients=(1.0,), source=(0.0,))

    def budget(self, state):
        return None


@dataclass(frozen=True, eq=False)
class DefaultGrowth(Growth):
    growth_rate: float = 0.1


def test_equations_of_ones_own():
    assert reach_of(DefaultGrowth, "order-6") == 0
    assert reach_of(EquationFamily(DefaultGrowth, {"growth_rate": 0.2}), "order-6") == 0
    assert reach_of(Growth, "order-6") == 3  # no default to try it with: the stencil's own
