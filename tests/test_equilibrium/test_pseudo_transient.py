"""Implicit steps go where the roll-out goes, in a small part of its evaluations."""

from dataclasses import dataclass

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.equilibrium import Preconditioned, solve

ANSWER = {"method": "pseudo-transient", "tolerance": 1e-12, "max_evaluations": 300}


@dataclass(frozen=True, eq=False)
class Diffusion:
    """z ← z + Δt (D z + g) on a line between walls."""

    factor: float = 1.0
    cells: int = 32

    @property
    def matrix(self):
        entry = 1 + torch.arange(self.cells - 1, dtype=torch.float64) * 0
        laplacian = torch.diag_embed(entry, 1) + torch.diag_embed(entry, -1)
        return 0.4 * (laplacian - torch.diag(laplacian.sum(0)))

    def select(self, rows):
        return self

    def __call__(self, state):
        x = torch.linspace(-1, 1, self.cells, dtype=torch.float64)
        return state + state @ self.matrix - 4e-3 * (state - x)


class Helped(Diffusion):
    """The same with the inverse of its own Jacobian, up to a factor."""

    def preconditioner(self, states):
        return Inverse(self)


@dataclass(frozen=True, eq=False)
class Inverse:
    step: Diffusion
    products: int = 3

    def __call__(self, right, shift):
        identity = torch.eye(self.step.cells, dtype=torch.float64)
        matrices = (4e-3 + shift)[:, None, None] * identity - self.step.matrix
        return self.step.factor * torch.linalg.solve(matrices, right[..., None])[..., 0]


def line_starts(count):
    return torch.randn(count, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_stiff_line_takes_a_fiftieth_of_the_roll_out():
    alone = solve(Diffusion(), line_starts(2), method="picard", tolerance=1e-12, max_evaluations=100_000)
    found = solve(Diffusion(), line_starts(2), **ANSWER)
    assert bool(found.converged.all())
    assert bool(alone.converged.all())
    torch.testing.assert_close(found.state, alone.state, rtol=0, atol=1e-8)
    assert bool((50 * found.evaluations < alone.evaluations).all())
    assert bool((5 * (found.evaluations + found.products) < alone.evaluations).all())


@pytest.mark.parametrize("factor", [1.0, -0.3])
def test_a_preconditioner_saves_products_and_changes_nothing_else(factor):
    plain = solve(Diffusion(), line_starts(3), **ANSWER)
    helped = solve(Helped(factor), line_starts(3), **ANSWER)
    assert isinstance(Helped(), Preconditioned)
    assert not isinstance(Diffusion(), Preconditioned)
    torch.testing.assert_close(helped.state, plain.state, rtol=0, atol=1e-9)
    # two products per step for GMRES, and the three that the preconditioner says it cost
    assert helped.products.tolist() == (5 * (helped.evaluations - 1)).tolist()
    assert bool((2 * 2 * (helped.evaluations - 1) < plain.products).all())


class Hills:
    """z ← z - Δt V'(z), V' = y (y² - 1)(y² - 4), y = z - 4: rest at 2, 4, 6 (stable), 3, 5 (not)."""

    time_step = 0.02

    def __call__(self, state):
        y = state - 4
        return state - self.time_step * y * (y**2 - 1) * (y**2 - 4)


def test_it_ends_where_the_roll_out_ends_and_not_on_the_hill_in_between():
    start = torch.linspace(1.4, 6.6, 41, dtype=torch.float64)[:, None]
    end = solve(Hills(), start, method="picard", tolerance=1e-12, max_evaluations=20_000)
    found = solve(Hills(), start, accuracy=1e-3, **ANSWER)
    assert bool(found.converged.all())
    torch.testing.assert_close(found.state, end.state, rtol=0, atol=1e-6)
    # less exactly it may step over a hill that it starts close to, but not stay on top
    rough = solve(Hills(), start, **ANSWER)
    assert bool(rough.converged.all())
    assert int(((rough.state - end.state).abs() > 1e-6).sum()) <= 3
    assert not bool(((rough.state - 3).abs() < 0.5).any() | ((rough.state - 5).abs() < 0.5).any())


def test_where_the_flow_never_rests_nothing_is_claimed():
    def turning(state):
        x, y = state.unbind(1)
        return torch.stack((x - 0.1 * y, y + 0.1 * x), 1) * (1 + 0.1 * (1 - (x * x + y * y)))[:, None]

    found = solve(turning, torch.tensor([[1.0, 0.0]], dtype=torch.float64), **ANSWER)
    assert not bool(found.converged.any())
    assert float(found.residuals) > 1e-3


def test_a_step_out_of_the_domain_is_taken_back():
    # log of a negative number: a long step from here leaves the domain, shorter ones do not
    found = solve(
        lambda z: z - 0.1 * torch.log(z),
        torch.tensor([[0.01]], dtype=torch.float64),
        first_step=1000.0,
        **ANSWER,
    )
    assert bool(found.converged.all())
    assert float(found.state) == pytest.approx(1, abs=1e-10)


def test_samples_do_not_see_each_other(linear_map):
    step = linear_map([0.9, 0.5, 0.99])
    found = solve(step, step.start, **ANSWER)
    assert bool(found.converged.all())
    torch.testing.assert_close(found.state, step.solution, rtol=0, atol=1e-9)
    for number in range(3):
        one = type(step)(step.weight[number : number + 1], step.bias[number : number + 1])
        alone = solve(one, step.start[number : number + 1], **ANSWER)
        torch.testing.assert_close(alone.state[0], found.state[number], rtol=0, atol=1e-11)
        assert int(alone.evaluations) == int(found.evaluations[number])


@pytest.mark.parametrize(
    ("options", "named"),
    [({"accuracy": 0}, "accuracy"), ({"first_step": -1}, "first_step"), ({"forcing": 1}, "forcing")],
)
def test_options_out_of_range_are_refused(options, named):
    with pytest.raises(BadInputError, match=named):
        solve(torch.cos, torch.ones(1, 1), method="pseudo-transient", **options)


def test_it_is_newtons_method_near_the_end():
    # cos(z) = z: each residual falls by more than the last one did, as δ grows
    found = solve(torch.cos, torch.ones(1, 1, dtype=torch.float64), forcing=1e-8, **ANSWER)
    assert bool(found.converged.all())
    assert float(found.state) == pytest.approx(0.7390851332151607, abs=1e-12)
    logs = found.history[:, 0].log()
    assert bool((logs.diff()[3:-1] < logs.diff()[2:-2]).all())
    assert len(logs) < 20
