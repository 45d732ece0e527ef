"""Rules that write networks: what they are told, how they are trained, and what they can and cannot know."""

import math

import pytest
import torch

from pdenca.automaton import FeedForward
from pdenca.core import BadInputError, FormatError
from pdenca.datasets.digits.families import load_family
from pdenca.datasets.tables import Examples, Standardising, flattened, iris
from pdenca.tasks.metanca import (
    EXPERIMENTS,
    WeightRuleSettings,
    build_rule,
    load_meta,
    load_meta_run,
    train_meta,
    writer,
)
from pdenca.tasks.metanca.codes import position_codes
from pdenca.tasks.metanca.evaluation import SIGNALS, judge_networks, with_signals
from pdenca.training import step_generator
from pdenca.training.checkpoint import load_tree

NETWORKS = ((4, 5, 3), (4, 3))
QUICK = {
    "num_steps": "6", "validate_every": "3", "batch_size": "20", "num_samples": "2", "rule.num_steps": "3",
    "networks": '["4-5-3", "4-3"]',
}  # fmt: skip


def trained(settings, seed=0, image_shape=()):
    """Return a rule that does something: its last layer is random."""
    rule = build_rule(settings, image_shape, seed)
    with torch.no_grad():
        last = rule.rule.weights[-1]
        last.copy_(0.3 * torch.randn(last.shape, generator=torch.Generator().manual_seed(seed)))
    return rule


def test_codes_tell_every_weight_of_a_network_from_every_other():
    lattice = FeedForward(((4, 5, 3), (6, 3)), biases=True)
    codes = position_codes(lattice, 2)[0].T
    for network in range(2):
        own = codes[lattice.cells_of(network)]
        assert len(own.unique(dim=0)) == len(own)
    assert codes[:, 4].sum() == 5 + 3 + 3  # biases
    first = lattice.layers[0]
    assert torch.equal(codes[first.cells][:, :2].unique(dim=0), torch.tensor([[1.0, 0.0]]))


def test_codes_of_pixels_are_cosines_of_rows_and_columns():
    lattice = FeedForward(((6, 2),))
    codes = position_codes(lattice, 1, (2, 3))[0].T.view(6, 2, -1)
    pixel = codes[5, 0, 5:9]  # row 1 of 2, column 2 of 3
    expected = [math.cos(math.pi * f * place) for place in (1.5 / 2, 2.5 / 3) for f in (1, 2)]
    assert pixel.tolist() == pytest.approx(expected, abs=1e-6)
    with pytest.raises(BadInputError, match="go into 6 inputs, got networks of 5"):
        position_codes(FeedForward(((5, 2),)), 1, (2, 3))


def test_sampled_modules_say_what_the_lattice_says():
    settings = WeightRuleSettings(num_steps=3)
    bound = writer(trained(settings), settings, NETWORKS)
    states = bound.write(4, torch.Generator().manual_seed(0))
    inputs = torch.randn(7, 4)
    for network in range(2):
        scores = bound.scores(states, inputs, network)
        for module, expected in zip(bound.modules(states, network), scores, strict=True):
            torch.testing.assert_close(module(inputs), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("perception", ["mean", "attention"])
def test_without_codes_inputs_and_outputs_are_all_alike(perception):
    """The rule commutes with any order of inputs, hidden neurons and outputs: none is special to it."""
    settings = WeightRuleSettings(codes="none", perception=perception, fire_rate=1.0, num_steps=4)
    bound = writer(trained(settings), settings, NETWORKS[:1])
    states = bound.begin(3, torch.Generator().manual_seed(0))
    ends = bound.advance(states, 4, torch.Generator())
    for layer, order in ((0, [2, 0, 3, 1]), (1, [4, 2, 0, 1, 3]), (2, [1, 2, 0])):
        cells = bound.lattice.permuted(0, layer, order)
        moved = bound.advance(states[..., cells], 4, torch.Generator())
        torch.testing.assert_close(moved, ends[..., cells], rtol=1e-4, atol=1e-5)


def test_without_codes_the_expected_accuracy_is_one_over_the_classes():
    """Starts are exchangeable: each order of the outputs is as likely, and what is written keeps the order.

    So the networks that are written from all orders of one start name each class once. With codes not.
    """
    settings = WeightRuleSettings(codes="none", fire_rate=1.0, num_steps=4)
    bound = writer(trained(settings), settings, ((4, 5, 3),))
    flowers = Standardising.of(iris())(iris())

    def mean_accuracy(bound):
        begun = bound.begin(4, torch.Generator().manual_seed(0))
        right = []
        for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):  # every class takes every place once
            cells = bound.lattice.permuted(0, 2, order)
            states = bound.advance(begun[..., cells], 4, torch.Generator())
            guess = bound.scores(states, flowers.inputs, 0).argmax(-1)
            right.append(float((guess == flowers.labels).double().mean()))
        return sum(right) / 3

    assert mean_accuracy(bound) == pytest.approx(1 / 3, abs=1e-12)
    told = settings.replace(codes="positions")
    assert mean_accuracy(writer(trained(told), told, ((4, 5, 3),))) != pytest.approx(1 / 3, abs=1e-3)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("meta") / "run"
    train_meta(iris(), folder, load_meta("iris", QUICK), checkpoint_seconds=0.0)
    return folder


def test_a_run_is_read_back(run):
    model, settings, scale = load_meta_run(run)
    assert settings.widths == NETWORKS
    assert scale.mean.shape == (4,)
    found = judge_networks(model, settings, scale, iris(), ((4, 5, 3), (4, 7, 3)), num_samples=5)
    assert [item.trained for item in found] == [True, False]
    assert all(0 <= item.lowest <= item.accuracy <= item.highest <= 1 for item in found)


def test_a_run_that_was_cut_short_ends_as_an_undisturbed_one(run, tmp_path):
    class StopError(Exception):
        pass

    def stop(progress):
        if progress.step == 4:
            raise StopError

    pooled = load_meta("iris", {**QUICK, "pool_size": "4", "num_damaged": "1"})
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_meta(iris(), whole, pooled, checkpoint_seconds=0.0)
    with pytest.raises(StopError):
        train_meta(iris(), cut, pooled, progress=stop, checkpoint_seconds=0.0)
    train_meta(iris(), cut, pooled, resume=True)
    ends = [load_tree(folder / "last.safetensors")["parameters"] for folder in (whole, cut)]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    with pytest.raises(BadInputError, match="already holds a training run"):
        train_meta(iris(), cut, pooled)


def test_disagreement_and_similarity_against_pairs(run):
    model, settings, scale = load_meta_run(run)
    (found,) = judge_networks(model, settings, scale, iris(), ((4, 5, 3),), num_samples=6, seed=2)
    bound = writer(model, settings.rule, ((4, 5, 3),))
    states = bound.write(6, step_generator(2, "samples"))
    guess = bound.scores(states, scale(iris()).inputs, 0).argmax(-1)
    weights = bound.weights(states)
    pairs = [(a, b) for a in range(6) for b in range(6) if a != b]
    differ = [float((guess[a] != guess[b]).double().mean()) for a, b in pairs]
    cosines = [float(torch.cosine_similarity(weights[a], weights[b], dim=0)) for a, b in pairs]
    assert found.disagreement == pytest.approx(sum(differ) / 30)
    assert found.similarity == pytest.approx(sum(cosines) / 30, abs=1e-6)
    assert found.accuracy == pytest.approx(float((guess == iris().labels).double().mean()))


def test_signals_that_are_taken_away():
    settings = WeightRuleSettings(fire_rate=1.0, num_steps=2)
    bound = writer(trained(settings), settings, ((4, 5, 3),))
    start = bound.begin(2, torch.Generator().manual_seed(0))
    ends = {name: with_signals(bound, name).advance(start, 2, torch.Generator()) for name in SIGNALS}
    assert torch.equal(ends["all"], bound.advance(start, 2, torch.Generator()))
    for name in ("codes permuted", "no codes", "no neighbours"):
        assert not torch.allclose(ends[name], ends["all"])
    permuted = with_signals(bound, "codes permuted").codes
    for layer in bound.lattice.layers:
        before, after = (codes[0, :, layer.cells].T for codes in (bound.codes, permuted))
        assert sorted(before.tolist()) == sorted(after.tolist())
    # alone, a weight does not care what the others are
    other = start.clone()
    other[..., 1:] = 7.0
    alone = with_signals(bound, "no neighbours").advance(other, 2, torch.Generator())
    assert torch.equal(alone[..., 0], ends["no neighbours"][..., 0])


def test_what_is_not_there_cannot_be_taken_away():
    blind = WeightRuleSettings(codes="none", perception="attention")
    bound = writer(build_rule(blind, ()), blind, ((4, 3),))
    with pytest.raises(BadInputError, match="no codes to change"):
        with_signals(bound, "no codes")
    with pytest.raises(BadInputError, match="listens by attention"):
        with_signals(bound, "no neighbours")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"networks": '["4-3-2"]'}, "4 inputs and 3 classes, got the network 4-3-2"),
        ({"num_damaged": "1"}, "0 of 2 samples come from the pool"),
        ({"held_out": "0.001"}, "cannot be held out"),
    ],
)
def test_settings_that_do_not_fit_leave_nothing(tmp_path, overrides, message):
    with pytest.raises(BadInputError, match=message):
        train_meta(iris(), tmp_path / "run", load_meta("iris", {**QUICK, **overrides}))
    assert not (tmp_path / "run").exists()


def test_idle_options_are_refused():
    with pytest.raises(BadInputError, match="head_size plays no role"):
        load_meta("iris", {"rule.head_size": "8"})
    with pytest.raises(BadInputError, match="expected widths, inputs first"):
        load_meta("iris", {"networks": '["4"]'})


def test_another_folder_is_no_run(tmp_path):
    with pytest.raises(FormatError, match="holds no run of a rule that writes networks"):
        load_meta_run(tmp_path)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments_fit_their_data(name):
    settings = load_meta(name)
    side = {"mnist": 28, "mnist-14": 14}.get(settings.data)
    data: Examples = iris()
    if side:
        data = flattened(load_family("mnist", "train", None, sample=True), side)
    bound = writer(
        build_rule(settings.rule, data.image_shape), settings.rule, settings.widths, data.image_shape
    ).shown(data)
    scores = bound.scores(bound.write(1, torch.Generator().manual_seed(0), 1), data.inputs[:2], 0)
    assert scores.shape == (1, 2, len(data.classes))


@pytest.mark.slow
def test_irises_are_learned(tmp_path):
    run = tmp_path / "run"
    train_meta(iris(), run, load_meta("iris", {"num_steps": "500", "networks": '["4-10-3", "4-5-10-3"]'}))
    model, settings, scale = load_meta_run(run)
    found = judge_networks(model, settings, scale, iris(), ((4, 10, 3), (4, 15, 3)), num_samples=20)
    assert all(item.accuracy > 0.9 for item in found)
