"""An automaton iterated for ever and an equilibrium model are one: limits, gradients, memory, symmetry."""

import pytest
import torch

from pdenca.automaton import (
    Automaton,
    Graph,
    GraphPerception,
    HiddenChannels,
    Increment,
    IsotropicKernels,
    LocalRule,
    TransportReaction,
)
from pdenca.equilibrium import (
    SOLVERS,
    EquilibriumRecord,
    EquilibriumSettings,
    fixed_point,
    solve,
    stability_of,
)
from pdenca.solvers import Grid
from pdenca.symmetry import D4, act

CELLS = 6
BOUNDARIES = ["periodic", "no-flux"]


class Saturating(LocalRule):
    """du/dt = p - u + g tanh(2 v), dv/dt = u - 2 v: one steady state for every field p, and a stable one."""

    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64))

    def forward(self, features, parameters):
        u, v = features.unbind(-1)
        supply = parameters[..., 0]
        return torch.stack((supply - u + self.gain * torch.tanh(2 * v), u - 2 * v), dim=-1)


@pytest.fixture
def automaton():
    kernels = IsotropicKernels(2, 2, 1).double()
    with torch.no_grad():
        kernels.transport[0] = torch.tensor([4.0, 8.0])  # D / h² = 0.2 and 0.4 per time unit
        kernels.transport[1] = 0.2
        kernels.sample[0] = torch.tensor([0.3, 0.1])
    return Automaton(
        kernels,
        TransportReaction(Saturating()),
        Increment(),
        HiddenChannels(2),
        context_names=("supply",),
        time_step=0.3,
    )


@pytest.fixture
def supply(generator):
    """A parameter field for each of three trajectories."""
    return torch.rand(3, CELLS, CELLS, generator=generator, dtype=torch.float64) * 2 - 0.5


def bound(automaton, boundary, supply):
    return automaton.bind(Grid.uniform(CELLS, 1.0, boundary), {"supply": supply}, num_steps=1)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_limit_of_the_rollout_is_the_equilibrium(boundary, automaton, supply):
    step = bound(automaton, boundary, supply)
    start = torch.zeros(3, 2, CELLS, CELLS, dtype=torch.float64)
    state = start
    with torch.no_grad():
        for _ in range(300):
            state = step(state)
    spent = {}
    for method in SOLVERS:
        found = solve(step, start, method=method, tolerance=1e-12, max_evaluations=1000)
        assert bool(found.converged.all()), method
        torch.testing.assert_close(found.state, state, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(found.rates, found.residuals / 0.3)  # per unit of the automaton's time
        spent[method] = int((found.evaluations + found.products).max())
    assert spent["anderson"] < spent["picard"] / 2
    verdicts = stability_of(step, state)
    assert [item.verdict for item in verdicts] == ["stable"] * 3
    assert all(item.growth_rates.max() < 0 for item in verdicts)


def test_samples_that_are_done_are_left_out(automaton, supply):
    """One trajectory starts at its equilibrium and two far from theirs; then one alone is left."""
    step = bound(automaton, "periodic", supply)
    few = step.select(torch.tensor([2, 0]))
    state = torch.rand(2, 2, CELLS, CELLS, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    whole = torch.stack((state[1], torch.zeros_like(state[0]), state[0]))
    with torch.no_grad():
        torch.testing.assert_close(few(state), step(whole)[[2, 0]])
    start = torch.zeros(3, 2, CELLS, CELLS, dtype=torch.float64)
    start[1:] = solve(step, start, tolerance=1e-13).state[1:]
    sizes = []
    advance = automaton.advance
    automaton.advance = lambda state, *rest: sizes.append(len(state)) or advance(state, *rest)
    found = solve(step, start, tolerance=1e-10)
    assert bool(found.converged.all())
    assert found.evaluations[0] > 5 * found.evaluations[1]
    assert sizes.count(1) > 5


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_implicit_gradients_are_those_of_a_long_rollout(boundary, automaton, supply):
    """With respect to kernels, the reaction and the parameter field, without storing the way there."""
    target = torch.rand(3, 2, CELLS, CELLS, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    start = torch.zeros_like(target)

    def gradients(find):
        field = supply.clone().requires_grad_()
        stored = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: stored.append(0) or x, lambda x: x):
            loss = (find(bound(automaton, boundary, field)) - target).square().mean()
        inputs = [field, *automaton.parameters()]
        return torch.autograd.grad(loss, inputs), len(stored)

    def unrolled(step, count=280):
        state = start
        for _ in range(count):
            state = step(state)
        return state

    record = EquilibriumRecord()
    settings = EquilibriumSettings(tolerance=1e-13, backward_tolerance=1e-12, max_evaluations=1000)
    implicit, stored = gradients(lambda step: fixed_point(step, start, settings, record=record))
    assert bool(record.solution.converged.all())
    assert bool(record.adjoint.converged.all())
    expected, stored_by_rollout = gradients(unrolled)
    for one, two in zip(implicit, expected, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-8, atol=1e-12)
    slow = EquilibriumSettings(method="picard", tolerance=1e-13, max_evaluations=1000)
    _, stored_by_picard = gradients(lambda step: fixed_point(step, start, slow))
    assert stored == stored_by_picard < stored_by_rollout / 50


@pytest.mark.parametrize("method", list(SOLVERS))
def test_a_turned_field_has_the_turned_equilibrium(method, automaton, supply):
    def equilibrium(field):
        start = torch.zeros(1, 2, CELLS, CELLS, dtype=torch.float64)
        step = bound(automaton, "no-flux", field)
        found = solve(step, start, method=method, tolerance=1e-12, max_evaluations=1000)
        assert bool(found.converged.all())
        return found.state

    straight = equilibrium(supply[:1])
    for element in list(D4)[1::3]:  # a quarter turn among them, and a mirror
        turned = equilibrium(act(element, supply[:1, None])[:, 0])
        torch.testing.assert_close(turned, act(element, straight), rtol=0, atol=1e-11)


@pytest.fixture
def graph_step(automaton, generator):
    """The same reaction with diffusion along the edges of a graph that no grid is; node 20 has no edges."""
    graph = Graph.random_geometric(20, 0.35, generator)
    graph = Graph(21, graph.source, graph.target)
    perception = GraphPerception(2, ("identity", "difference"))
    on_graph = Automaton(
        perception,
        automaton.rule,
        Increment(),
        HiddenChannels(2),
        context_names=("supply",),
        time_step=0.3,
    )
    field = torch.rand(3, 21, generator=generator, dtype=torch.float64) * 2 - 0.5

    def bind(field):
        return on_graph.bind(graph, {"supply": field}, num_steps=1)

    return bind, field, list(on_graph.parameters())


@pytest.mark.parametrize("method", list(SOLVERS))
def test_on_a_graph_too_the_limit_of_the_rollout_is_the_equilibrium(method, graph_step):
    bind, field, _ = graph_step
    step = bind(field)
    start = state = torch.zeros(3, 2, 21, dtype=torch.float64)
    with torch.no_grad():
        for _ in range(300):
            state = step(state)
    found = solve(step, start, method=method, tolerance=1e-12, max_evaluations=1000)
    assert bool(found.converged.all())
    torch.testing.assert_close(found.state, state, rtol=1e-10, atol=1e-10)
    assert [item.verdict for item in stability_of(step, found.state)] == ["stable"] * 3
    # a node without edges keeps to itself: u = p + g tanh(u), v = u / 2
    u, v, gain = state[:, 0, -1], state[:, 1, -1], 0.5
    torch.testing.assert_close(u, field[:, -1] + gain * torch.tanh(2 * v))
    torch.testing.assert_close(v, u / 2)


def test_on_a_graph_implicit_gradients_are_those_of_a_long_rollout(graph_step):
    bind, field, parameters = graph_step
    field.requires_grad_()
    start = torch.zeros(3, 2, 21, dtype=torch.float64)
    settings = EquilibriumSettings(tolerance=1e-13, backward_tolerance=1e-12, max_evaluations=1000)
    inputs = [field, *parameters]
    implicit = torch.autograd.grad(fixed_point(bind(field), start, settings).square().mean(), inputs)
    step, state = bind(field), start
    for _ in range(280):
        state = step(state)
    for one, two in zip(implicit, torch.autograd.grad(state.square().mean(), inputs), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-8, atol=1e-12)
    small = EquilibriumSettings(tolerance=1e-14, backward_tolerance=1e-12, max_evaluations=1000)

    def equilibrium(column):
        moved = torch.cat((column, field.detach()[:1, 3:]), dim=1)
        return fixed_point(bind(moved), start[:1], small)

    assert torch.autograd.gradcheck(equilibrium, field[:1, :3].detach().clone().requires_grad_())
