"""Weights as cells: neighbours, means and attention against loops over single weights."""

import itertools

import pytest
import torch
from torch import nn

from pdenca.automaton import (
    Automaton,
    FeedForward,
    HiddenChannels,
    Increment,
    LayeredMLP,
    Lesson,
    LessonPerception,
    PointwiseMLP,
    WeightAttention,
    WeightPerception,
    widths_from_name,
)
from pdenca.core import BadInputError

NETWORKS = ((3, 4, 2), (2, 1), (2, 3, 1, 2), (1, 1, 1))


def ends(lattice):
    """Return the backward and the forward neuron of every weight: (network, layer of neurons, number)."""
    found = []
    for network, widths in enumerate(lattice.networks):
        for layer, (sources, targets) in enumerate(itertools.pairwise(widths)):
            for source in range(sources + lattice.biases):
                constant = source == sources
                behind = (network, "constant", layer) if constant else (network, layer, source)
                found += [(behind, (network, layer + 1, target)) for target in range(targets)]
    return found


def neighbours(lattice):
    """Return the numbers of the forward and of the backward neighbours of every weight."""
    all_ends = ends(lattice)

    def others(neuron, own):
        return [n for n, pair in enumerate(all_ends) if neuron in pair and n != own]

    return [(others(ahead, n), others(behind, n)) for n, (behind, ahead) in enumerate(all_ends)]


@pytest.fixture(params=[False, True], ids=["plain", "biases"])
def lattice(request):
    return FeedForward(NETWORKS, request.param)


@pytest.fixture
def state(lattice, generator):
    return torch.randn(2, lattice.num_cells, 3, generator=generator, dtype=torch.float64)


def test_cells_are_counted(lattice):
    assert lattice.num_cells == len(ends(lattice))
    assert lattice.shape == (lattice.num_cells,)
    assert lattice.cells_of(0) == slice(0, 3 * 4 + 4 * 2 + 6 * lattice.biases)
    counts = [tuple(map(len, pair)) for pair in neighbours(lattice)]
    assert list(zip(*(side.int().tolist() for side in lattice.num_neighbours), strict=True)) == counts


def test_means_are_those_over_single_weights(lattice, state):
    forward, backward = lattice.means(state)
    for cell, sides in enumerate(neighbours(lattice)):
        for found, own in zip((forward, backward), sides, strict=True):
            expected = state[:, own].mean(1) if own else torch.zeros(2, 3, dtype=torch.float64)
            torch.testing.assert_close(found[:, cell], expected)


def test_attention_is_that_over_single_weights(lattice, state, generator):
    perception = WeightAttention(3, 2, 4, generator=generator).double()
    found = perception(state, lattice)
    assert found.shape == (2, lattice.num_cells, perception.num_features)
    assert torch.equal(found[..., :3], state)
    for side, projection in enumerate(perception.projection):
        projected = (state @ projection.T).unflatten(-1, (3, 2, 4))
        query, key, value = projected.unbind(2)
        query, key = nn.functional.elu(query) + 1, nn.functional.elu(key) + 1
        part = found[..., 3 + 8 * side : 11 + 8 * side].unflatten(-1, (2, 4))
        for cell, sides in enumerate(neighbours(lattice)):
            expected = torch.zeros(2, 2, 4, dtype=torch.float64)
            if sides[side]:
                weights = (query[:, cell, None] * key[:, sides[side]]).sum(-1, keepdim=True)
                expected = (weights * value[:, sides[side]]).sum(1) / weights.sum(1)
            torch.testing.assert_close(part[:, cell], expected)


def automaton(perception, generator):
    rule = LayeredMLP(perception.num_features, 0, 3, (8, 8), generator=generator)
    with torch.no_grad():  # so that it does something
        rule.weights[-1].copy_(torch.randn(3, 8, generator=generator))
    return Automaton(perception, rule, Increment(), HiddenChannels(1, 2)).double()


@pytest.mark.parametrize("kind", [WeightPerception, WeightAttention])
@pytest.mark.parametrize("layer", [0, 1, 2, 3])
def test_neurons_have_no_numbers(lattice, state, generator, kind, layer):
    perception = kind(3) if kind is WeightPerception else kind(3, generator=generator)
    step = automaton(perception, generator).bind(lattice, {}, num_steps=3)
    width = NETWORKS[2][layer]
    order = torch.randperm(width, generator=generator).tolist()
    order = order[::-1] if order == list(range(width)) else order
    cells = lattice.permuted(2, layer, order)
    channels_first = state.movedim(-1, 1)
    torch.testing.assert_close(step(channels_first[..., cells]), step(channels_first)[..., cells])
    if width > 1:
        assert not torch.equal(cells, torch.arange(lattice.num_cells))


def test_a_hidden_permutation_leaves_the_function_as_it_is(lattice, state):
    inputs = torch.randn(5, 2, dtype=torch.float64)
    weights = state[..., 0]
    cells = lattice.permuted(2, 1, [2, 0, 1])
    before, after = (lattice.outputs(w, inputs, 2, torch.tanh) for w in (weights, weights[:, cells]))
    torch.testing.assert_close(before, after)


def test_networks_do_not_see_each_other(lattice, state):
    alone = FeedForward((NETWORKS[2],), lattice.biases)
    own = lattice.cells_of(2)
    for together, apart in zip(lattice.means(state), alone.means(state[:, own]), strict=True):
        torch.testing.assert_close(together[:, own], apart)


def test_a_part_of_the_networks_is_as_in_their_company(lattice, state):
    part, cells = lattice.part((0, 2))
    assert part.networks == (NETWORKS[0], NETWORKS[2])
    for alone, together in zip(part.means(state[:, cells]), lattice.means(state), strict=True):
        torch.testing.assert_close(alone, together[:, cells], rtol=0, atol=1e-14)


def test_outputs_are_those_of_ordinary_networks(lattice, state):
    inputs = torch.randn(5, 3, dtype=torch.float64)
    weights = state[..., 0]
    found = lattice.outputs(weights, inputs, 0, torch.relu)
    for sample, own in zip(found, weights, strict=True):
        current = inputs
        for number, layer in enumerate(lattice.layers_of(0)):
            matrix = own[layer.cells].view(layer.num_sources, layer.num_targets)
            if lattice.biases:
                current = torch.cat((current, torch.ones(5, 1, dtype=torch.float64)), 1)
            current = current @ matrix
            current = current.relu() if number == 0 else current
        torch.testing.assert_close(sample, current)


def test_without_neighbours_every_weight_is_alone(lattice, state):
    seen = WeightPerception(3, neighbours=False)(state, lattice)
    assert torch.equal(seen[..., :3], state)
    assert not seen[..., 3:].any()


@pytest.mark.parametrize(
    ("networks", "named"), [((), "got none"), (((4,),), "two widths or more"), (((4, 0, 2),), "4-0-2")]
)
def test_no_networks_are_refused(networks, named):
    with pytest.raises(BadInputError, match=named):
        FeedForward(networks)


def test_bad_input(lattice, generator):
    with pytest.raises(BadInputError, match="3 weights, the networks"):
        lattice.means(torch.zeros(1, 3, 2))
    with pytest.raises(BadInputError, match="of at least 1, got 0, 4"):
        WeightAttention(3, 0)
    attention = WeightAttention(3)
    with pytest.raises(BadInputError, match="no part without parameters"):
        attention.gather(torch.zeros(1, lattice.num_cells, 3), lattice)
    with pytest.raises(BadInputError, match="weight by weight"):
        attention.combine((), 1.0)
    with pytest.raises(BadInputError, match="one hidden layer or more"):
        LayeredMLP(3, 0, 2, ())
    with pytest.raises(BadInputError, match="'cosh' is unknown"):
        LayeredMLP(3, 0, 2, (4,), output="cosh")
    assert widths_from_name("784-30-10") == (784, 30, 10)
    for name in ("784", "784-x-10", "4--3", "4-0-3"):
        with pytest.raises(BadInputError, match="expected widths, inputs first"):
            widths_from_name(name)


def test_an_untrained_rule_changes_nothing(generator):
    rule = LayeredMLP(6, 2, 3, (8,), output="tanh", scale=0.1, generator=generator)
    features, parameters = torch.randn(4, 5, 6), torch.randn(4, 1, 2)
    assert not rule(features, parameters).any()
    with torch.no_grad():
        rule.weights[-1].fill_(100.0)
    assert float(rule(features, parameters).detach().abs().max()) == pytest.approx(0.1)
    together = LayeredMLP(8, 0, 3, (8,), generator=torch.Generator().manual_seed(1))
    apart = LayeredMLP(6, 2, 3, (8,), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for one in (together, apart):
            one.weights[-1].fill_(1.0)
    both = torch.cat((features, parameters.expand(4, 5, 2)), -1)
    torch.testing.assert_close(apart(features, parameters), together(both, both[..., :0]))


@pytest.mark.parametrize("kind", ["mean", "alone", "attention", "lesson"])
def test_a_map_of_the_features_is_heard_without_laying_them_out(kind, lattice, state, generator):
    if kind == "attention":
        perception = WeightAttention(3, generator=generator).double()
    else:
        perception = WeightPerception(3, neighbours=kind != "alone")
    if kind == "lesson":
        networks = ((3, 4, 2), (3, 2), (3, 3, 1, 2))
        inputs = torch.randn(5, 3, generator=generator, dtype=torch.float64)
        lesson = Lesson(inputs, torch.tensor([0, 1, 1, 0, 1]), torch.tanh)
        lattice = FeedForward(networks, lattice.biases, lesson=lesson)
        state = torch.randn(2, lattice.num_cells, 3, generator=generator, dtype=torch.float64)
        perception = LessonPerception(perception)
    weight = torch.randn(5, perception.num_features, generator=generator, dtype=torch.float64)
    state, weight = state.requires_grad_(), weight.requires_grad_()
    wanted = nn.functional.linear(perception(state, lattice), weight)
    found = perception.heard(state, lattice, weight)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    turned = torch.randn(wanted.shape, generator=generator, dtype=torch.float64)
    for left, right in zip(
        *(torch.autograd.grad((turned * value).sum(), (state, weight)) for value in (found, wanted)),
        strict=True,
    ):
        assert right.abs().max() > 0.1
        torch.testing.assert_close(left, right, rtol=0, atol=1e-11)


def test_an_automaton_takes_the_same_step_in_both_ways(lattice, state, generator, randomise):
    perception = WeightPerception(3)
    rule = randomise(LayeredMLP(perception.num_features, 0, 3, (8, 8), generator=generator))
    assert PointwiseMLP(9, 0, 3, 4).first_map is None
    automaton = Automaton(perception, rule, Increment(), HiddenChannels(1, 2))
    changed = automaton.bind(lattice, {}, num_steps=1)(state.movedim(-1, 1)).movedim(1, -1)
    features = perception(state, lattice)
    wanted = state + rule(features, features[..., :0])
    torch.testing.assert_close(changed, wanted, rtol=0, atol=1e-12)
    with pytest.raises(BadInputError, match="hears the features themselves"):
        PointwiseMLP(9, 0, 3, 4).answer(features, features)
