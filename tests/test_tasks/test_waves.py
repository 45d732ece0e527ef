"""An automaton's own waves: the symbol is what it does to them, and solving by that saves products."""

import math

import pytest
import torch

from pdenca.automaton import (
    Automaton,
    HiddenChannels,
    Increment,
    IsotropicKernels,
    LocalRule,
    TransportReaction,
)
from pdenca.equilibrium import Learning, Preconditioned, Selectable, solve
from pdenca.solvers import Grid
from pdenca.tasks.steady import cells
from pdenca.tasks.steady.cells import CellStep, coloured_jacobians
from pdenca.tasks.steady.settle import GridStep
from pdenca.tasks.steady.waves import WaveSolve, kernel_symbol

SHAPE = (8, 10)
BOUNDARIES = [
    ("periodic", "periodic"),
    ("no-flux", "no-flux"),
    ("no-flux", "periodic"),
    ("periodic", "no-flux"),
]


class Brusselating(LocalRule):
    """du/dt = (p - u + u v / 4) / T, dv/dt = (u - v - u v / 4) / T."""

    def __init__(self, time=1.0):
        super().__init__()
        self.time = time

    def forward(self, features, parameters):
        u, v = features.unbind(-1)
        supply = parameters[..., 0]
        return torch.stack((supply - u + u * v / 4, u - v - u * v / 4), dim=-1) / self.time


class Nothing(LocalRule):
    """No reaction."""

    def forward(self, features, parameters):
        return torch.zeros_like(features)


def bind(rule, boundaries, context, diffusion=(3.0, 9.0), shape=SHAPE):
    kernels = IsotropicKernels(2, 2, 1).double()
    with torch.no_grad():
        kernels.transport[0] = torch.tensor(diffusion)
        kernels.transport[1] = 0.2
    automaton = Automaton(
        kernels,
        TransportReaction(rule),
        Increment(),
        HiddenChannels(2),
        context_names=("supply",),
        time_step=0.3,
    )
    return automaton.bind(Grid(shape, (1.0, 1.0), boundaries), context, num_steps=1)


@pytest.fixture
def field(generator):
    return torch.rand(3, *SHAPE, generator=generator, dtype=torch.float64)


def wave(grid, index):
    """cos(k x) along each axis, as it fits between walls or around."""
    result = torch.ones(grid.shape, dtype=torch.float64)
    for axis, (size, number) in enumerate(zip(grid.shape, index, strict=True)):
        periodic = grid.boundaries[axis] == "periodic"
        x = torch.arange(size, dtype=torch.float64) + (0 if periodic else 0.5)
        angle = (2 if periodic else 1) * math.pi * number / size * x
        result = result * torch.cos(angle).view(-1, *(1,) * (len(grid.shape) - 1 - axis))
    return result


@pytest.mark.parametrize("boundaries", BOUNDARIES)
def test_the_symbol_is_what_the_automaton_does_to_a_wave(boundaries):
    supply = torch.tensor([0.5, 1.5], dtype=torch.float64)
    step = bind(Brusselating(), boundaries, {"supply": supply})
    states = torch.tensor([[0.4, 0.9], [1.2, 0.6]], dtype=torch.float64)[:, :, None, None].expand(
        -1, -1, *SHAPE
    )
    symbol = kernel_symbol(step, states.contiguous())
    for index in ((0, 0), (1, 0), (2, 3), (3, 5)):
        form = wave(step.lattice, index)
        for channel in range(2):
            tiny = torch.zeros_like(states)
            tiny[:, channel] = 1e-6 * form
            with torch.no_grad():
                moved = (step(states + tiny) - step(states - tiny)) / 2e-6
            expected = symbol[:, :, channel, index[0], index[1]][:, :, None, None] * form
            torch.testing.assert_close(moved, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("boundaries", BOUNDARIES)
def test_pure_diffusion_is_solved_exactly(boundaries, field):
    step = bind(Nothing(), boundaries, {"supply": field})
    states = torch.rand(3, 2, *SHAPE, dtype=torch.float64)
    shift = torch.tensor([0.01, 1.0, 100.0], dtype=torch.float64)
    solved = CellStep(step).preconditioner(states)(states, shift)
    with torch.no_grad():
        back = (1 + shift)[:, None, None, None] * solved - step(solved)
    torch.testing.assert_close(back, states, rtol=0, atol=1e-10)


def test_a_wave_that_cannot_be_solved_for_is_left_alone():
    symbol = torch.zeros(1, 2, 2, 4, 3, dtype=torch.float64)
    symbol[..., 0, 0] = torch.eye(2)  # no reaction, so c = 0
    symbol[..., 1, 1] = 1.5 * torch.eye(2)  # and with σ = 1/2 this wave's matrix is 0
    right = torch.rand(1, 2, 4, 4, dtype=torch.float64)
    made = WaveSolve(symbol, Grid.uniform(4, 1.0))
    solved = made(right, torch.tensor([0.5], dtype=torch.float64))
    assert made.products == 2
    assert bool(solved.isfinite().all())


@pytest.mark.parametrize("boundaries", BOUNDARIES)
def test_the_jacobian_is_found_by_colours(boundaries, field, generator):
    step = bind(Brusselating(), boundaries, {"supply": field})
    states = torch.rand(3, 2, *SHAPE, dtype=torch.float64, generator=generator)
    exact = torch.stack(
        [
            torch.func.jacrev(
                lambda row, n=n: step.select(torch.tensor([n]))(row.view(1, 2, *SHAPE)).flatten()
            )(states[n].flatten())
            for n in range(3)
        ]
    ).detach()
    # every cell has a colour of its own: nothing is mixed
    found, cost = coloured_jacobians(step, states, reach=5)
    assert cost == 2 * 8 * 10
    for matrix, true in zip(found, exact, strict=True):
        torch.testing.assert_close(torch.from_numpy(matrix.toarray()), true, rtol=0, atol=2e-7)
    # the step reaches four cells, the kernel's far ends being slight
    near, cost = coloured_jacobians(step, states, reach=2)
    assert cost == 2 * 5 * 5
    for matrix, true in zip(near, exact, strict=True):
        assert (torch.from_numpy(matrix.toarray()) - true).norm() < 0.1 * (true - torch.eye(len(true))).norm()


def test_what_becomes_dear_is_solved_by_cells(field, generator):
    step = CellStep(bind(Brusselating(), BOUNDARIES[1], {"supply": field}))
    states = 3 * torch.rand(3, 2, *SHAPE, dtype=torch.float64, generator=generator)
    shift = torch.full((3,), 0.02, dtype=torch.float64)
    right = torch.rand(states.shape, dtype=torch.float64, generator=generator)

    def errors(made):
        with torch.no_grad():
            solved = made(right, shift)
            product = torch.func.jvp(step, (states,), (solved,))[1]
        return ((1 + shift)[:, None, None, None] * solved - product - right).flatten(1).norm(dim=1)

    made = step.preconditioner(states)
    assert isinstance(made, Learning)
    assert made.products.tolist() == [2, 2, 2]
    before = errors(made)
    made.told(torch.tensor([3, 90, 25]))
    made = step.preconditioner(states)
    # 8 x 10 cells have 7 x 7 colours of 2 channels
    assert made.products.tolist() == [2, 98, 2]
    after = errors(made)
    assert after[1] < 0.3 * before[1]
    torch.testing.assert_close(after[[0, 2]], before[[0, 2]])
    # it serves on, and the same trajectory is known when it is chosen
    assert step.preconditioner(states).products.tolist() == [2, 0, 2]
    chosen = torch.tensor([2, 1])
    assert step.select(chosen).preconditioner(states[chosen]).products.tolist() == [2, 0]


def test_large_grids_keep_their_waves(monkeypatch, field):
    monkeypatch.setattr(cells, "_LARGEST", 159)
    step = CellStep(bind(Brusselating(), BOUNDARIES[1], {"supply": field}))
    states = torch.rand(3, 2, *SHAPE, dtype=torch.float64)
    step.preconditioner(states).told(torch.tensor([99, 99, 99]))
    assert step.preconditioner(states).products.tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    "boundaries", [BOUNDARIES[0], *(pytest.param(pair, marks=pytest.mark.slow) for pair in BOUNDARIES[1:])]
)
def test_patterns_are_found_with_fewer_products_and_are_the_same(boundaries, field):
    step = bind(Brusselating(time=50), boundaries, {"supply": 0.5 + field}, diffusion=(5.0, 15.0))
    helped = CellStep(step)
    assert isinstance(helped, GridStep)
    assert isinstance(helped, Preconditioned)
    assert isinstance(helped, Selectable)
    assert helped.time_step == step.time_step
    assert helped.deterministic
    start = torch.ones(3, 2, *SHAPE, dtype=torch.float64)
    torch.testing.assert_close(helped(start), step(start), rtol=0, atol=0)
    plain, quick = (solve(one, start, method="pseudo-transient", tolerance=1e-11) for one in (step, helped))
    assert bool(plain.converged.all())
    assert bool(quick.converged.all())
    torch.testing.assert_close(quick.state, plain.state, rtol=0, atol=1e-8)
    assert bool((1.5 * quick.products < plain.products).all())


def test_a_selected_step_solves_for_its_own_trajectories(field):
    step = CellStep(bind(Brusselating(), BOUNDARIES[0], {"supply": field}))
    states, shift = torch.rand(3, 2, *SHAPE, dtype=torch.float64), torch.full((3,), 0.1, dtype=torch.float64)
    chosen = torch.tensor([2, 0])
    all_three = step.preconditioner(states)(states, shift)
    two = step.select(chosen).preconditioner(states[chosen])(states[chosen], shift[chosen])
    torch.testing.assert_close(two, all_three[chosen], rtol=0, atol=1e-12)
