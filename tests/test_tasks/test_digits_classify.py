"""The implicit classifier: its cell contracts, its gradient is right, it learns and resumes."""

import json
import shutil

import pytest
import torch

from pdenca.core import BadInputError, FormatError
from pdenca.datasets.digits import Digits, load_digits, split_digits
from pdenca.equilibrium import convolution_norm
from pdenca.tasks.digits import (
    EXPERIMENTS,
    ClassifierSettings,
    evaluate_classifier,
    load_classifier,
    load_digit_experiment,
    train_classifier,
)
from pdenca.tasks.digits.augmentation import Jitter
from pdenca.tasks.digits.classifier import DigitClassifier, iterate
from pdenca.tasks.digits.classify import with_classes_of
from pdenca.tasks.digits.judging import cross_entropy, judge, wilson_interval
from pdenca.tasks.digits.settings import NetworkSettings
from pdenca.training import Classification
from pdenca.training.checkpoint import load_tree, parameters_equal
from pdenca.training.loop import BEST, LAST

SMALL = {
    "network.num_channels": "8",
    "num_valid": "200",
    "num_epochs": "2",
    "batch_size": "16",
    "learning_rate": "0.02",
}
EXACT = {"tolerance": 1e-12, "max_evaluations": 500, "backward_tolerance": 1e-12}


@pytest.fixture(scope="module")
def digits():
    return load_digits("train", sample=True)


def some(digits, number):
    return digits.images[:number].double() / 255


def network(**changes):
    return NetworkSettings.parse({"num_channels": 4, **changes})


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_experiments_have_at_most_15000_parameters(name):
    settings = load_digit_experiment(name)
    model = DigitClassifier(settings.network)
    assert settings.network.kind == name
    assert 13_500 < model.num_parameters <= 15_000
    assert settings.num_epochs <= 10


@pytest.mark.parametrize("training", [True, False])
def test_the_cell_is_a_contraction_however_large_its_weights(digits, training):
    model = DigitClassifier(network(largest_norm=0.8)).double().train(training)
    cell = model.body.cell
    with torch.no_grad():
        cell.perception.weight.mul_(50)
        injected = model.encode(some(digits, 3))
        step = cell.step(injected)
        first, second = torch.randn(2, *injected.shape, dtype=torch.float64)
        assert float((step(first) - step(second)).norm()) <= 0.8 * 1.002 * float((first - second).norm())
    assert float(convolution_norm(step.weight, cell.grid.shape)) == pytest.approx(0.8, rel=2e-3)


def test_the_implicit_gradient_is_that_of_many_iterations(digits):
    gradients = []
    for kind in ("implicit", "unrolled"):
        told = {"equilibrium": {"method": "anderson", "gradient": "implicit", **EXACT}}
        told = told if kind == "implicit" else {"num_iterations": 200}
        model = DigitClassifier(network(kind=kind, largest_norm=0.7, **told), seed=1).double()
        model.eval()  # the exact cap
        if kind == "implicit":
            model.body.judging = model.body.learning
        torch.nn.functional.cross_entropy(model(some(digits, 3)), digits.labels[:3]).backward()
        gradients.append(torch.cat([value.grad.flatten() for value in model.parameters()]))
    assert float(gradients[0].norm()) > 0.1
    torch.testing.assert_close(*gradients, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(("gradient", "worst"), [("jacobian-free", 0.9), ("phantom", 0.98)])
def test_cheap_gradients_point_the_same_way(digits, gradient, worst):
    found = []
    for kind in ("implicit", gradient):
        told = {"gradient": kind, "phantom_steps": 3, **EXACT}
        model = DigitClassifier(network(equilibrium=told), seed=1).double()
        torch.nn.functional.cross_entropy(model(some(digits, 3)), digits.labels[:3]).backward()
        found.append(model.body.cell.perception.weight.grad.flatten())
    assert float(torch.cosine_similarity(*found, dim=0)) > worst


def test_the_same_seed_makes_the_same_model_and_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    first, second = (DigitClassifier(network(), seed=5) for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert parameters_equal(dict(first.named_parameters()), dict(second.named_parameters()))
    other = DigitClassifier(network(), seed=6)
    assert not torch.equal(first.body.cell.perception.weight, other.body.cell.perception.weight)


def test_jitter_moves_turns_and_stretches(digits):
    images = digits.images[:4].float() / 255
    generator = torch.Generator().manual_seed(0)
    torch.testing.assert_close(Jitter()(images, generator), images, atol=1e-5, rtol=0)
    moved = Jitter(2.0, 10.0, 0.1)(images, torch.Generator().manual_seed(1))
    again = Jitter(2.0, 10.0, 0.1)(images, torch.Generator().manual_seed(1))
    assert torch.equal(moved, again)
    assert float((moved - images).abs().mean()) > 0.01
    # a dot in the middle goes nowhere but by the shift
    dot = torch.zeros(50, 29, 29)
    dot[:, 14, 14] = 1
    turned = Jitter(rotation=30.0, scale=0.1)(dot, generator)
    assert torch.all(turned.flatten(1).argmax(1) == 14 * 29 + 14)
    far = (Jitter(shift=2.0)(dot, generator).flatten(1).argmax(1)[:, None] - 14 * 29 - 14).abs()
    assert set(far.flatten().tolist()) <= {abs(29 * i + j) for i in range(-2, 3) for j in range(-2, 3)}


def test_batches_are_a_function_of_seed_and_step(digits):
    def make(seed):
        told = {"batch_size": 64, "augment": Jitter(shift=1.0), "seed": seed}
        return Classification(torch.nn.Flatten(), digits.images, digits.labels, **told)

    first, second = make(1), make(1)
    for step in (0, 3, 15, 2):
        _ = first.batch(step)
    for one, other in zip(first.batch(17), second.batch(17), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(first.batch(17)[1], make(2).batch(17)[1])
    assert first.steps_per_epoch == 15


def test_an_epoch_sees_every_digit_at_most_once(digits):
    part = digits.select(torch.arange(100))
    objective = Classification(torch.nn.Flatten(), part.images, torch.arange(100), batch_size=30)
    seen = torch.cat([objective.batch(step)[1] for step in range(3)])
    assert len(set(seen.tolist())) == 90
    with pytest.raises(BadInputError, match="smaller batch_size"):
        Classification(torch.nn.Flatten(), part.images, part.labels, batch_size=101)
    with pytest.raises(BadInputError, match="label_smoothing"):
        Classification(torch.nn.Flatten(), part.images, part.labels, batch_size=1, label_smoothing=1.0)


@pytest.fixture(scope="module")
def run(digits, tmp_path_factory):
    """A small implicit model, trained for a moment."""
    settings = load_digit_experiment("implicit", SMALL)
    return train_classifier(digits, tmp_path_factory.mktemp("digits") / "run", settings)


def test_a_short_training_tells_digits_apart(run, digits):
    found = evaluate_classifier(run, load_digits("test", sample=True), num_spectra=1)
    assert found.accuracy > 0.6  # chance is 0.1
    assert found.low < found.accuracy < found.high
    assert found.accuracy_after_one < found.accuracy
    assert found.share_converged == 1
    assert found.residual_median <= found.residual_worst <= 1e-4
    assert 0 < found.spectral_radius < 0.9
    assert 2 < found.iterations_mean <= found.iterations_most < 100
    # chosen by the held-out part, and saved as it was chosen
    held_out = split_digits(digits, 200, 0)[1]
    assert cross_entropy(load_classifier(run), held_out) == load_tree(run / BEST)["validation"]


class KilledError(Exception):
    """What ends a training from outside."""


def test_a_killed_training_resumes_bit_for_bit(digits, tmp_path):
    settings = load_digit_experiment("implicit", {**SMALL, "batch_size": "100"})

    def kill(now):
        if now.step == 11:
            raise KilledError

    run = train_classifier(digits, tmp_path / "whole", settings)
    with pytest.raises(KilledError):
        train_classifier(digits, tmp_path / "cut", settings, progress=kill, checkpoint_seconds=0.0)
    train_classifier(digits, tmp_path / "cut", settings, resume=True)
    for name in (LAST, BEST):
        cut, whole = (load_tree(folder / name)["parameters"] for folder in (tmp_path / "cut", run))
        assert parameters_equal(cut, whole), name


def test_a_run_is_neither_overwritten_nor_mixed(run, digits):
    settings = load_digit_experiment("implicit", SMALL)
    with pytest.raises(BadInputError, match="already holds a training run"):
        train_classifier(digits, run, settings)
    with pytest.raises(BadInputError, match="other settings or data"):
        train_classifier(digits, run, settings.replace(seed=1), resume=True)
    with pytest.raises(BadInputError, match="other settings or data"):
        train_classifier(digits.select(torch.arange(999)), run, settings, resume=True)


def test_damaged_runs_are_told(tmp_path):
    with pytest.raises(FormatError, match="holds no run of a digit classifier"):
        load_classifier(tmp_path)
    (tmp_path / "settings.json").write_text('{"num_cells": 3}', encoding="utf-8")
    with pytest.raises(FormatError, match="not of a digit classifier"):
        load_classifier(tmp_path)


@pytest.mark.parametrize("kind", ["unrolled", "explicit"])
def test_the_rivals_are_judged_alike(kind, digits):
    model = DigitClassifier(network(kind=kind))
    found = judge(model, digits.select(torch.arange(30)))
    assert found.share_converged is None
    assert (found.accuracy_after_one is None) == (kind == "explicit")
    assert model.training
    with pytest.raises(BadInputError, match="no digit"):
        judge(model, digits.select(torch.arange(0)))


def test_one_iteration_from_nothing_is_what_is_injected(digits):
    model = DigitClassifier(network())
    injected = model.encode(digits.images[:2].float())
    assert torch.equal(iterate(model.body.cell.step(injected), injected, 1), torch.relu(injected))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"network": {"kind": "explicit", "num_iterations": 3}}, "num_iterations plays no role"),
        ({"network": {"kind": "unrolled", "tolerance": 0.1}}, "tolerance plays no role"),
        ({"network": {"kind": "explicit", "largest_norm": 0.5}}, "largest_norm plays no role"),
        ({"network": {"largest_norm": 1.0}}, "less than 1"),
        ({"network": {"num_chanels": 3}}, "num_channels"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes, named):
    with pytest.raises(BadInputError, match=named):
        ClassifierSettings.parse(changes)


def test_classifiers_of_other_numbers_of_classes(digits, tmp_path):
    few = Digits(digits.images, digits.labels % 3, ("a", "b", "c"))
    settings = load_digit_experiment("explicit", {**SMALL, "num_epochs": "1", "network.num_layers": "1"})
    with pytest.raises(BadInputError, match=r"of 3 classes, the settings say 10; .* --set num_classes=3"):
        train_classifier(few, tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()
    assert with_classes_of(few, settings).num_classes == 3
    assert with_classes_of(few, settings.replace(num_classes=4)).num_classes == 4  # as it was told
    run = train_classifier(few, tmp_path / "run", with_classes_of(few, settings))
    model = load_classifier(run)
    assert model(some(digits, 2).float()).shape == (2, 3)
    assert evaluate_classifier(run, few).num_images == 1000
    with pytest.raises(BadInputError, match="tells 3 classes apart, the test digits are of 10"):
        judge(model, digits)


def test_runs_from_before_there_were_other_classes_are_read(run, digits, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(run, old)
    told = json.loads((old / "settings.json").read_text(encoding="utf-8"))
    assert told.pop("num_classes") == 10
    (old / "settings.json").write_text(json.dumps(told), encoding="utf-8")
    assert torch.equal(
        load_classifier(old)(some(digits, 3).float()), load_classifier(run)(some(digits, 3).float())
    )
    assert train_classifier(digits, old, load_digit_experiment("implicit", SMALL), resume=True) == old


def test_wilson_s_interval():
    # 95 of 100: the textbook's 0.888 to 0.978
    assert wilson_interval(95, 100) == pytest.approx((0.8882, 0.9785), abs=1e-4)
    assert wilson_interval(10, 10)[1] == pytest.approx(1.0)
    assert wilson_interval(0, 10)[0] == pytest.approx(0.0)


def test_digits_keep_images_and_labels_together(digits):
    chosen = digits.select(torch.tensor([5, 2]))
    assert isinstance(chosen, Digits)
    assert chosen.labels.tolist() == digits.labels[[5, 2]].tolist()
    assert torch.equal(chosen.images[1], digits.images[2])
