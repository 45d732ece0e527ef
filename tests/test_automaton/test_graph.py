"""Graphs as lattices: neighbourhood means, numbering of nodes, and the same automaton as on a grid."""

import pytest
import torch

from pdenca.automaton import (
    Automaton,
    FixedKernels,
    Graph,
    GraphPerception,
    HiddenChannels,
    Increment,
    IsotropicKernels,
    Lattice,
    PointwiseMLP,
    Replace,
    TransportReaction,
)
from pdenca.automaton.emission import Emission
from pdenca.automaton.lattice import shell_sums
from pdenca.core import BadInputError, rollout
from pdenca.solvers import Grid

EDGES = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 3)]  # a triangle with a tail that ends in a loop, and node 4


@pytest.fixture
def graph(generator):
    """Forty nodes near and far, weights on the edges, some nodes isolated."""
    near = Graph.random_geometric(40, 0.16, generator)
    weights = torch.rand(near.num_edges, generator=generator, dtype=torch.float64) + 0.1
    return Graph(40, near.source, near.target, weights)


@pytest.fixture
def make_automaton(randomise):
    def make(kernels=("identity", "mean"), told=(), **options):
        perception = GraphPerception(3, kernels)
        rule = PointwiseMLP(perception.num_features, len(told), 3, 6)
        update = options.pop("update", Increment())
        return randomise(
            Automaton(perception, rule, update, HiddenChannels(2, 1), context_names=told, **options), 0.3
        )

    return make


def random_states(generator, batch, nodes):
    return torch.randn(batch, 3, nodes, generator=generator, dtype=torch.float64)


def brute_mean(graph, state):
    """A loop over nodes and edges; states channels last."""
    result = state.clone()
    weights = [1.0] * graph.num_edges if graph.weights is None else graph.weights.tolist()
    for node in range(graph.num_nodes):
        arriving = [
            (weight, start)
            for weight, start, end in zip(weights, graph.source.tolist(), graph.target.tolist(), strict=True)
            if end == node
        ]
        if arriving:
            total = sum(weight for weight, _ in arriving)
            result[:, node] = sum(weight * state[:, start] for weight, start in arriving) / total
    return result


def test_the_mean_is_that_of_a_loop_over_nodes(graph, generator):
    state = random_states(generator, 2, 40).movedim(1, -1)
    assert 0 < len(graph.isolated) < 20
    torch.testing.assert_close(graph.mean(state), brute_mean(graph, state), rtol=1e-13, atol=1e-13)
    assert torch.equal(graph.mean(state)[:, graph.isolated], state[:, graph.isolated])
    ones = torch.ones(1, 40, 1, dtype=torch.float64)
    torch.testing.assert_close(graph.mean(ones), ones)  # a state that is the same everywhere is its own mean


def test_small_graph_by_hand():
    graph = Graph.from_edges(EDGES, num_nodes=5, weights=[1.0, 1.0, 2.0, 1.0, 3.0])
    state = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0], dtype=torch.float64).view(1, 5, 1)
    means = graph.mean(state).flatten().tolist()
    assert means == pytest.approx([(2 + 2 * 4) / 3, (1 + 4) / 2, (2 + 2 * 1 + 8) / 4, (4 + 3 * 8) / 4, 16])
    assert graph.num_edges == 9  # both directions, the loop once
    assert graph.num_incoming.tolist() == [2, 2, 3, 2, 0]
    one_way = Graph.from_edges(EDGES, directed=True)
    assert one_way.num_nodes == 4
    assert one_way.mean(state[:, :4]).flatten().tolist() == [4, 1, 2, 6]


def test_the_sparse_matrix_is_the_mean(graph, generator):
    state = random_states(generator, 1, 40).movedim(1, -1)
    matrix = graph.matrix()
    assert matrix.is_sparse
    torch.testing.assert_close(torch.sparse.mm(matrix, state[0])[None], graph.mean(state))
    torch.testing.assert_close(matrix.to_dense() @ state[0], graph.mean(state)[0])
    torch.testing.assert_close(matrix.to_dense().sum(1), torch.ones(40, dtype=torch.float64))


def test_numbering_the_nodes_anew_commutes_with_the_step(graph, generator, make_automaton):
    order = torch.randperm(40, generator=generator)  # new node i is the old node order[i]
    place = torch.argsort(order)
    renamed = Graph(40, place[graph.source], place[graph.target], graph.weights)
    field = torch.randn(2, 40, generator=generator, dtype=torch.float64)
    automaton = make_automaton(("identity", "mean", "difference"), ("supply",))
    state = random_states(generator, 2, 40)
    straight = automaton.bind(graph, {"supply": field}, num_steps=5)(state)
    turned = automaton.bind(renamed, {"supply": field[:, order]}, num_steps=5)(state[..., order])
    torch.testing.assert_close(turned, straight[..., order], rtol=0, atol=1e-12)
    assert (straight - state).abs().max() > 0.1


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("shape", [(6, 5), (7,), (3, 4, 2)])
def test_of_a_grid_it_sees_the_nearest_neighbours_mean(shape, boundary, generator):
    grid = Grid.uniform(shape, 0.5, boundary)
    state = torch.randn(2, *shape, 3, generator=generator, dtype=torch.float64)
    nearest = shell_sums(state, grid, 1)[1] / (2 * len(shape))
    graph = Graph.of_grid(grid)
    assert isinstance(grid, Lattice)
    assert isinstance(graph, Lattice)
    assert graph.shape == (grid.num_cells,)
    torch.testing.assert_close(graph.mean(state.flatten(1, -2)), nearest.flatten(1, -2))


def test_axes_of_different_spacing_weigh_as_the_laplacian_does(generator):
    grid = Grid((5, 6), (0.5, 1.0), ("periodic", "no-flux"))
    state = torch.randn(1, 5, 6, 1, generator=generator, dtype=torch.float64)
    padded = torch.cat((state[:, -1:], state, state[:, :1]), 1)
    padded = torch.cat((padded[:, :, :1], padded, padded[:, :, -1:]), 2)
    down, along = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1], padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    expected = (down * 4 + along) / 10
    torch.testing.assert_close(Graph.of_grid(grid).mean(state.flatten(1, 2)), expected.flatten(1, 2))


def test_the_automaton_of_a_graph_is_that_of_the_grid(generator, randomise):
    """Isotropic kernels of reach 1 are diffusion; on the graph the same rule takes the same steps."""
    grid = Grid.uniform((6, 5), 1.0, "no-flux")
    reaction = randomise(PointwiseMLP(2, 0, 2, 5))
    kernels = IsotropicKernels(2, 1, 0).double()  # its transport is Σ (neighbour - self) / 20 per channel
    on_grid = Automaton(kernels, TransportReaction(reaction), Increment(), HiddenChannels(2), time_step=0.1)

    class Scaled(TransportReaction):
        def forward(self, features, parameters):
            transport, reaction = self.parts(features, parameters)
            return 4 / 20 * transport + reaction  # a mean over four instead of their sum

    perception = GraphPerception(2, ("identity", "difference"))
    on_graph = Automaton(perception, Scaled(reaction), Increment(), HiddenChannels(2), time_step=0.1)
    state = torch.randn(2, 2, 6, 5, generator=generator, dtype=torch.float64)
    expected = on_grid.bind(grid, {}, num_steps=7)(state).flatten(2)
    found = on_graph.bind(Graph.of_grid(grid), {}, num_steps=7)(state.flatten(2))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_gradients(graph, generator, make_automaton):
    state = random_states(generator, 2, 40).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: graph.mean(z.movedim(1, -1)), state)
    automaton = make_automaton(("identity", "difference"), ("supply",))
    small = Graph.from_edges(EDGES, num_nodes=5)
    field = torch.randn(2, 5, generator=generator, dtype=torch.float64).requires_grad_()
    state = random_states(generator, 2, 5).requires_grad_()
    parameters = list(automaton.parameters())
    inputs = (state, field, *parameters)

    def steps(state, field, *_):
        return automaton.bind(small, {"supply": field}, num_steps=2)(state)

    assert torch.autograd.gradcheck(steps, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(steps, inputs, fast_mode=True)


@pytest.mark.parametrize("update", [Increment, Replace])
def test_masks_and_rollouts(update, graph, generator, make_automaton):
    automaton = make_automaton(update=update(0.5))
    state = random_states(generator, 4, 40)
    after = automaton.bind(graph, {}, generator, num_steps=1)(state)
    fired = (after != state).all(1)
    assert torch.equal(fired, (after != state).any(1))  # one decision per node, shared by its channels
    assert 0.3 < fired.double().mean() < 0.7
    frames = rollout(automaton.bind(graph, {}, generator, num_steps=1), state, 3)
    assert frames.shape == (4, 3, 3, 40)
    with pytest.raises(BadInputError, match="random masks"):
        automaton.bind(graph, {})


def test_many_states_at_once_take_the_same_steps_in_pieces(generator, make_automaton):
    graph = Graph.random_geometric(2000, 0.03, generator)
    state = random_states(generator, 40, 2000)
    field = torch.randn(40, generator=generator, dtype=torch.float64)
    step = make_automaton(told=("supply",)).bind(graph, {"supply": field}, num_steps=2)
    with torch.no_grad():
        together = step(state)
        chosen = torch.tensor([30, 3])
        torch.testing.assert_close(step.select(chosen)(state[chosen]), together[chosen])


def test_float32_and_moves(graph, generator, make_automaton):
    state = random_states(generator, 2, 40).movedim(1, -1)
    assert graph.mean(state.float()).dtype == torch.float32
    assert graph.to("cpu").num_edges == graph.num_edges
    lone = Graph.from_edges([], num_nodes=3)
    assert torch.equal(lone.mean(state[:, :3]), state[:, :3])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Graph.from_edges([(0, 5)], num_nodes=5), "edge 0 has target 5; expected 0 to 4"),
        (lambda: Graph.from_edges([(0, 1), (-1, 1)], num_nodes=5), "edge 1 has source -1"),
        (lambda: Graph.from_edges([]), "at least one node"),
        (lambda: Graph.from_edges(torch.zeros(2, 2, dtype=torch.int32)), "int64 node numbers"),
        (lambda: Graph.from_edges([(0, 1)], weights=[0.0]), "edge 0 weighs 0"),
        (lambda: Graph.from_edges([(0, 1)], weights=[float("nan")]), "edge 0 weighs nan"),
        (lambda: Graph.from_edges([(0, 1)], weights=[1.0, 2.0]), "one weight for each of 1 edges"),
        (lambda: Graph.of_grid(Grid.uniform(4, 1.0, "dirichlet(0)")), "nothing beyond its nodes"),
        (lambda: Graph.random_geometric(5, 0.0, torch.Generator()), "radius > 0"),
        (lambda: GraphPerception(2, ("identity", "means")), "kernel 'means' is unknown"),
        (lambda: GraphPerception(2, ()), "no kernel"),
    ],
)
def test_bad_graphs_are_refused(make, message):
    with pytest.raises(BadInputError, match=message):
        make()


def test_the_lattice_must_be_of_the_perceptions_kind(graph, generator, make_automaton):
    with pytest.raises(BadInputError, match="GraphPerception binds to a Graph, got Grid"):
        make_automaton().bind(Grid.uniform(8, 1.0), {})
    kernels = FixedKernels(3)
    rule = PointwiseMLP(kernels.num_features, 0, 3, 4)
    with pytest.raises(BadInputError, match="FixedKernels binds to a Grid, got Graph"):
        Automaton(kernels, rule, Increment(), HiddenChannels(3)).bind(graph, {})
    with pytest.raises(BadInputError, match="the state has 7 nodes, the graph 40"):
        make_automaton().bind(graph, {})(random_states(generator, 1, 7))
    with pytest.raises(BadInputError, match="an emission spreads on a Grid"):
        Automaton(
            GraphPerception(2),
            TransportReaction(PointwiseMLP(2, 0, 2, 4)),
            Increment(),
            HiddenChannels(2),
            emission=Emission(2),
        )
