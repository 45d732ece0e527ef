"""Networks over many local updates."""

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.datasets.tables import Standardising, iris
from pdenca.tasks.metanca import WeightRuleSettings, build_rule, load_meta, writer
from pdenca.tasks.metanca.baselines import random_network, train_by_gradients
from pdenca.tasks.metanca.course import Course, follow
from pdenca.tasks.metanca.data import load_examples
from pdenca.training import step_generator

SETTINGS = WeightRuleSettings(num_hidden=2, units=(6,), num_waves=1)
FLOWERS = Standardising.of(iris())(iris())


@pytest.fixture
def bound():
    rule = build_rule(SETTINGS, ())
    with torch.no_grad():
        rule.rule.weights[-1].normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    return writer(rule, SETTINGS, ((4, 5, 3),))


def test_a_course_is_that_of_the_writer(bound):
    course = follow(bound, FLOWERS, num_updates=7, every=3, num_samples=4)
    assert course.updates.tolist() == [0, 3, 6, 7]
    generator = step_generator(0, "samples")
    states = bound.begin(4, generator)
    for _ in range(7):
        states = bound.advance(states, 1, generator)
    scores = bound.scores(states, FLOWERS.inputs, 0)
    for sample, one in enumerate(scores):
        loss = torch.nn.functional.cross_entropy(one, FLOWERS.labels)
        assert float(course.cross_entropy[-1, sample]) == pytest.approx(float(loss))
        right = (one.argmax(-1) == FLOWERS.labels).double().mean()
        assert float(course.accuracy[-1, sample]) == pytest.approx(float(right))


def test_zero_outs_happen_where_they_are_asked_for(bound):
    calm = follow(bound, FLOWERS, num_updates=6, num_samples=3)
    hurt = follow(bound, FLOWERS, num_updates=6, num_samples=3, zero_outs=(4,))
    assert torch.equal(calm.cross_entropy[:5], hurt.cross_entropy[:5])
    assert not torch.isclose(calm.cross_entropy[5], hurt.cross_entropy[5]).any()


def test_a_stay_ends_where_the_loss_is_a_tenth_above_its_least():
    losses = torch.tensor([[3.0, 1.0], [2.0, 2.0], [2.1, 2.0], [2.19, 2.0], [2.3, 2.0], [2.0, 2.0]])
    course = Course(torch.tensor([0, 2, 4, 6, 8, 10]), torch.zeros(6, 2), losses)
    best, stays = course.stays()
    assert best.tolist() == [2, 0]
    assert stays.tolist() == [4, 0]  # up to update 6; the second leaves at once
    calm = Course(torch.tensor([0, 5]), torch.zeros(2, 1), torch.tensor([[1.0], [1.05]]))
    assert calm.stays()[1].tolist() == [5]


def test_bad_input(bound):
    with pytest.raises(BadInputError, match="zero-outs before the last"):
        follow(bound, FLOWERS, num_updates=3, zero_outs=(3,))
    several = writer(bound.automaton, SETTINGS, ((4, 5, 3), (4, 3)))
    with pytest.raises(BadInputError, match="one network is followed at a time, got 2"):
        follow(several, FLOWERS, num_updates=3)


def test_folds_cut_all_examples_in_five():
    settings = load_meta("iris")
    parts = [load_examples(settings.replace(fold=fold), "test") for fold in range(5)]
    assert sorted(row for part in parts for row in part.inputs.tolist()) == sorted(iris().inputs.tolist())
    own = load_examples(settings, "train")
    assert len(own) == 120
    assert own.labels.bincount().tolist() == [40, 40, 40]


def test_mnist_has_splits_of_its_own_and_folds():
    settings = load_meta("mnist-14")
    assert len(load_examples(settings, "train", sample=True)) == 1000
    assert len(load_examples(settings, "test", sample=True)) == 500
    folded = settings.replace(fold=1)
    assert [len(load_examples(folded, split, sample=True)) for split in ("train", "test")] == [1200, 300]


def test_a_network_trained_by_gradients_knows_the_irises():
    settings = load_meta("iris")
    own, test = (load_examples(settings, split) for split in ("train", "test"))
    network = train_by_gradients(own, (4, 10, 3), num_epochs=60, batch_size=16)
    found = network.score(test)
    assert found.network == "4-10-3"
    assert found.accuracy >= 0.9
    assert train_by_gradients(own, (4, 10, 3), num_epochs=1).score(test).accuracy < found.accuracy
    at_the_start = train_by_gradients(own, (4, 10, 3), num_epochs=0)
    assert at_the_start.held_out > 2 * network.held_out
    with pytest.raises(BadInputError, match="4 inputs and 3 classes"):
        train_by_gradients(own, (4, 2))


def test_weights_are_copied_where_both_networks_have_them():
    own = load_examples(load_meta("iris"), "train")
    network = train_by_gradients(own, (4, 6, 5, 3), num_epochs=2)
    same = network.copied((4, 6, 5, 3), seed=7)
    for mine, theirs in zip(network.layers.parameters(), same.layers.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    wider = network.copied((4, 8, 3), seed=7)
    fresh = random_network((4, 8, 3), seed=7)
    first, last = wider.layers[0], wider.layers[-1]
    assert torch.equal(first.weight[:6], network.layers[0].weight)
    assert torch.equal(first.weight[6:], fresh[0].weight[6:])
    assert torch.equal(last.weight[:, :5], network.layers[-1].weight), "the last for the last"
    assert torch.equal(last.weight[:, 5:], fresh[-1].weight[:, 5:])
    assert torch.equal(last.bias, network.layers[-1].bias)
