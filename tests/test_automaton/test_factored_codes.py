"""What a rule hears of the two neurons of a weight."""

import pytest
import torch

from pdenca.automaton import FactoredCodes, FeedForward, LayeredMLP, PointwiseMLP
from pdenca.core import BadInputError

NETWORKS = ((4, 3), (4, 5, 2, 3))
SOURCE, TARGET = (0, 1, 2), (0, 3, 4)


def codes_of(lattice, generator):
    """A number of the layer, two of the source and two of the target."""
    parts = []
    for layer in lattice.layers:
        shape = layer.num_sources, layer.num_targets
        source = torch.randn(shape[0], 1, 2, generator=generator, dtype=torch.float64)
        target = torch.randn(1, shape[1], 2, generator=generator, dtype=torch.float64)
        place = torch.full((1, 1, 1), float(layer.number), dtype=torch.float64)
        every = [part.expand(*shape, -1) for part in (place, source, target)]
        parts.append(torch.cat(every, dim=-1).flatten(0, 1))
    return torch.cat(parts)[None]


@pytest.fixture
def rule(generator, randomise):
    inner = LayeredMLP(6, 7, 2, (5,), generator=generator)
    return randomise(FactoredCodes(inner, SOURCE, TARGET, (8, 7), generator=generator))


def test_codes_are_heard_as_a_product(rule, generator):
    features, codes = (torch.randn(2, 9, size, generator=generator, dtype=torch.float64) for size in (6, 5))

    def heard(layers, columns):
        first, second = layers.weights
        hidden = codes[..., list(columns)] @ first.T + layers.biases[0]
        return hidden * torch.sigmoid(hidden) @ second.T + layers.biases[1]

    product = heard(rule.of_source, SOURCE) * heard(rule.of_target, TARGET)
    torch.testing.assert_close(rule(features, codes), rule.rule(features, product))


@pytest.mark.parametrize("biases", [True, False])
def test_neuron_by_neuron_is_weight_by_weight(rule, biases, generator):
    lattice = FeedForward(NETWORKS, biases)
    codes = codes_of(lattice, generator)
    wanted = rule.prepare(codes)
    found = rule.prepare(codes, lattice)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-13)
    parameters = [rule.of_source.weights[0], rule.of_target.biases[1], rule.rule.weights[0]]
    turned = torch.randn(wanted.shape, generator=generator, dtype=torch.float64)
    gradients = [torch.autograd.grad((turned * value).sum(), parameters) for value in (found, wanted)]
    for left, right in zip(*gradients, strict=True):
        assert right.abs().max() > 1e-3
        torch.testing.assert_close(left, right, rtol=1e-11, atol=1e-11)


def test_layers_are_called_once_per_neuron(rule, generator):
    lattice = FeedForward(NETWORKS, biases=True)
    seen = []
    rule.of_source.register_forward_hook(lambda module, given, found: seen.append(found.shape))
    codes = codes_of(lattice, generator)
    rule.prepare(codes, lattice)
    assert seen == [(1, 5 + 5 + 6 + 3, 7)]


@pytest.mark.parametrize("column", [1, 3])
def test_codes_that_neurons_do_not_share_are_heard_weight_by_weight(rule, column, generator):
    lattice = FeedForward(NETWORKS)
    codes = codes_of(lattice, generator)
    codes[0, 3, column] += 1.0
    torch.testing.assert_close(rule.prepare(codes, lattice), rule.prepare(codes), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"units": ()}, "units of one layer or more"),
        ({"source": ()}, "codes of sources and targets"),
        ({"activation": "sine"}, "'sine' is unknown"),
    ],
)
def test_bad_input(told, message):
    given = {"source": SOURCE, "target": TARGET, "units": (4,), **told}
    with pytest.raises(BadInputError, match=message):
        FactoredCodes(PointwiseMLP(3, 4, 2, 5), **given)
