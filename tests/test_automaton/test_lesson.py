"""Lessons: what weights are told, against networks of torch and one weight at a time."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from pdenca.automaton import (
    NUM_SIGNALS,
    Automaton,
    FeedForward,
    FixedKernels,
    HiddenChannels,
    Increment,
    LayeredMLP,
    Lesson,
    LessonPerception,
    WeightAttention,
    WeightPerception,
)
from pdenca.core import BadInputError

NETWORKS = ((3, 4, 5, 2), (3, 2))


@pytest.fixture
def lesson(generator):
    inputs = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    return Lesson(inputs, torch.randint(2, (7,), generator=generator), torch.tanh)


def as_modules(lattice, weights, network):
    parts = []
    for layer in lattice.layers_of(network):
        linear = nn.Linear(layer.num_sources - lattice.biases, layer.num_targets, lattice.biases).double()
        matrix = weights[layer.cells].view(layer.num_sources, layer.num_targets)
        with torch.no_grad():
            linear.weight.copy_(matrix[: linear.in_features].T)
            if lattice.biases:
                linear.bias.copy_(matrix[-1])
        parts += [linear, nn.Tanh()]
    return nn.Sequential(*parts[:-1])


@pytest.mark.parametrize("biases", [False, True])
def test_signals_are_those_of_backpropagation(lesson, biases, generator):
    lattice = FeedForward(NETWORKS, biases)
    weights = torch.randn(2, lattice.num_cells, generator=generator, dtype=torch.float64)
    told = lesson.signals(lattice, weights)
    assert told.shape == (2, lattice.num_cells, NUM_SIGNALS)
    for sample, network in ((0, 0), (1, 0), (0, 1), (1, 1)):
        model = as_modules(lattice, weights[sample], network)
        current, before, after = lesson.inputs, [], []
        for part in model:
            if isinstance(part, nn.Linear):
                before.append(current)
            current = part(current)
            if isinstance(part, nn.Linear):
                current.retain_grad()
                after.append(current)
        nn.functional.cross_entropy(current, lesson.labels).backward()
        linears = [part for part in model if isinstance(part, nn.Linear)]
        for number, layer in enumerate(lattice.layers_of(network)):
            own = told[sample, layer.cells].view(layer.num_sources, layer.num_targets, NUM_SIGNALS)
            gradient = linears[number].weight.grad.T
            if biases:
                gradient = torch.cat((gradient, linears[number].bias.grad[None]))
            size = gradient.square().mean().sqrt()
            torch.testing.assert_close(own[..., 0], gradient / size)
            assert own[..., 1].flatten().tolist() == pytest.approx(
                [math.log10(float(size)) / 2] * layer.num_weights
            )
            heard = before[number].detach().square().mean(0).sqrt()
            for source in range(layer.num_sources):
                expected = 1.0 if source == len(heard) else float(heard[source])
                assert own[source, :, 2].tolist() == pytest.approx([expected] * layer.num_targets)
            delta = after[number].grad.sum(0)
            delta = delta / delta.square().mean().sqrt()
            torch.testing.assert_close(own[..., 3], delta.expand(layer.num_sources, -1))


def test_no_gradient_flows_through_the_signals(lesson, generator):
    lattice = FeedForward(NETWORKS)
    weights = torch.randn(1, lattice.num_cells, generator=generator, dtype=torch.float64).requires_grad_()
    assert not lesson.signals(lattice, weights).requires_grad
    with torch.no_grad():  # and they are told where nothing is differentiated
        assert bool(lesson.signals(lattice, weights)[..., 0].abs().sum() > 0)


@pytest.mark.parametrize("kind", ["mean", "attention"])
def test_what_is_seen_stands_before_what_is_told(lesson, kind, generator):
    lattice = FeedForward(NETWORKS, lesson=lesson)
    state = torch.randn(2, lattice.num_cells, 3, generator=generator, dtype=torch.float64)
    seen = WeightPerception(3) if kind == "mean" else WeightAttention(3, generator=generator).double()
    perception = LessonPerception(seen)
    features = perception(state, lattice)
    assert features.shape[-1] == perception.num_features == seen.num_features + NUM_SIGNALS
    torch.testing.assert_close(features[..., :-NUM_SIGNALS], seen(state, lattice))
    told = lesson.signals(lattice, state[..., 0] * lattice.weight_scale)
    torch.testing.assert_close(features[..., -NUM_SIGNALS:], told)
    if kind == "mean":
        gathered = perception.gather(state, lattice)
        torch.testing.assert_close(perception.combine(gathered, 1.0), features)


def test_a_rule_that_follows_the_gradient_learns(generator):
    """The signals are enough: minus the first of them, as a rule, is gradient descent."""
    inputs = torch.randn(60, 3, generator=generator)
    labels = (inputs[:, 0] > 0.3 * inputs[:, 1]).long()
    lattice = FeedForward(((3, 6, 2),), True, Lesson(inputs, labels, torch.tanh))
    perception = LessonPerception(WeightPerception(1))
    rule = LayeredMLP(perception.num_features, 0, 1, (1,), activation="linear", generator=generator)
    with torch.no_grad():
        rule.weights[0].zero_()
        rule.weights[0][0, 3] = 1.0
        rule.weights[1].fill_(-0.1)
    automaton = Automaton(perception, rule, Increment(), HiddenChannels(1, 0))
    start = torch.randn(4, 1, lattice.num_cells, generator=generator)
    with torch.no_grad():
        end = automaton.bind(lattice, {}, num_steps=60)(start)
    for sample in range(4):
        scores = lattice.outputs(end[:, 0] * lattice.weight_scale, inputs, 0, torch.tanh)[sample]
        assert float((scores.argmax(-1) == labels).double().mean()) > 0.95


def test_refusals(lesson):
    with pytest.raises(BadInputError, match="without a lesson"):
        LessonPerception(WeightPerception(1))(torch.zeros(1, 8, 1), FeedForward(((3, 2, 1),)))
    with pytest.raises(BadInputError, match="FixedKernels of other cells"):
        LessonPerception(FixedKernels(1, ("identity",)))


def test_lattices_are_equal_whatever_they_are_shown(lesson):
    plain = FeedForward(NETWORKS)
    assert replace(plain, lesson=lesson) == plain
    assert hash(replace(plain, lesson=lesson)) == hash(plain)
