"""`pdenca metanca`: train, evaluate, sample, show."""

import json

import pytest
import torch
from safetensors import safe_open
from torch import nn

from pdenca.datasets.tables import iris, stratified_folds

QUICK = ("--set", "num_steps=4", "--set", "validate_every=2", "--set", "rule.num_steps=2")


@pytest.fixture(scope="module")
def run(call, tmp_path_factory):
    folder = tmp_path_factory.mktemp("metanca") / "run"
    result = call("metanca", "train", *QUICK, "--networks", "4-5-3,4-3", "--out", folder)
    assert result.exit_code == 0, result.output
    assert f"next: pdenca metanca evaluate {folder}" in result.stdout
    return folder


def test_networks_are_judged(call, run):
    options = ("--networks", "4-5-3,4-6-3", "--samples", "3", "--signals", "all,no neighbours,untrained")
    result = call("metanca", "evaluate", run, *options)
    assert result.exit_code == 0, result.output
    assert "30 test examples, 3 samples of every network" in result.stdout
    assert "| 4-5-3 | yes | all |" in result.stdout
    assert "| 4-6-3 | no | no neighbours |" in result.stdout
    found = json.loads(call("metanca", "evaluate", run, *options, "--json").stdout)
    assert [item["signals"] for item in found] == 2 * ["all"] + 2 * ["no neighbours"] + 2 * ["untrained"]


def test_sampled_networks_are_those_that_are_judged(call, run, tmp_path):
    out = tmp_path / "networks.safetensors"
    assert call("metanca", "sample", run, "4-6-3", "--samples", "3", "--out", out).exit_code == 0
    judged = call("metanca", "evaluate", run, "--networks", "4-6-3", "--samples", "3", "--json")
    (found,) = json.loads(judged.stdout)
    flowers = iris()
    test = flowers.select(stratified_folds(flowers.labels, 5, 0)[0])
    right = []
    with safe_open(out, "pt") as file:
        told = file.metadata()
        mean, deviation = (torch.tensor(json.loads(told[name])) for name in ("mean", "deviation"))
        assert told["activation"] == "relu"
        for sample in range(3):
            module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
            names = [name for layer in (0, 2) for name in (f"{layer}.weight", f"{layer}.bias")]
            module.load_state_dict({name: file.get_tensor(f"{sample}.{name}") for name in names})
            guess = module((test.inputs - mean) / deviation).argmax(-1)
            right.append(float((guess == test.labels).double().mean()))
    assert found["accuracy"] == pytest.approx(sum(right) / 3)


def test_a_course_is_drawn(call, run, tmp_path):
    png = tmp_path / "course.png"
    options = ("--updates", "6", "--zero-outs", "2", "--samples", "3", "--png", png)
    result = call("metanca", "show", run, "4-5-3", *options)
    assert result.exit_code == 0, result.output
    assert "right after 6 updates" in result.stdout
    assert png.stat().st_size > 10_000


def test_images_go_through(call, tmp_path):
    run = tmp_path / "run"
    small = ("--set", "num_steps=1", "--set", "validate_every=1", "--set", "rule.num_steps=1")
    options = (*small, "--set", "batch_size=16", "--set", "fold=2", "--networks", "196-10")
    result = call("metanca", "train", "--model", "mnist-14", "--sample", *options, "--out", run)
    assert result.exit_code == 0, result.output
    result = call("metanca", "evaluate", run, "--sample", "--samples", "2")
    assert result.exit_code == 0, result.output
    assert "300 test examples" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("evaluate", "RUN", "--networks", "4-x-3"), "expected widths, inputs first"),
        (("evaluate", "RUN", "--networks", "5-3"), "4 inputs and 3 classes, got the network 5-3"),
        (("evaluate", "RUN", "--signals", "none"), "there is no signal 'none'"),
        (("evaluate", "nowhere"), "holds no run of a rule that writes networks"),
        (("sample", "RUN", "4-3", "--out", "networks.pt"), "expected .safetensors"),
        (("show", "RUN", "4-3", "--png", "course.gif"), "expected .png, .pdf or .svg"),
        (("show", "RUN", "4-3", "--updates", "3", "--zero-outs", "3", "--png", "a.png"), "do not fit"),
        (("train", "--out", "RUN"), "already holds a training run"),
        (("train", "--out", "new", "--networks", "4-2"), "4 inputs and 3 classes, got the network 4-2"),
        (("train", "--out", "new", "--set", "data=iris", "--model", "mnist"), "no test set of their own"),
        (("train", "--out", "new", "--model", "irish"), "did you mean 'iris'?"),
        (("train", "--out", "new", "--device", "gpu"), "there is no device 'gpu'"),
    ],
)
def test_what_does_not_fit_is_told(refused, run, tmp_path, arguments, named):
    places = {"RUN": run, "new": tmp_path / "new", "nowhere": tmp_path / "nowhere"}
    assert named in refused("metanca", *(places.get(argument, argument) for argument in arguments))
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_all_of_it_goes_through(call, tmp_path):
    result = call("metanca", "reproduce", "--sample", "--quick", "--out", tmp_path / "all")
    assert result.exit_code == 0, result.output
    for heading in ("Irises", "What a rule can know", "Stability", "Robustness", "Architectures"):
        assert f"## {heading}" in result.stdout


def test_a_rule_that_learns_is_taught_other_data(call, run, tmp_path):
    learner = tmp_path / "learner"
    quick = ("--set", "rule.lesson_size=50", "--set", "batch_size=64", "--networks", "196-10,196-6-10")
    result = call("metanca", "train", "--model", "learner", "--sample", *QUICK, *quick, "--out", learner)
    assert result.exit_code == 0, result.output
    result = call("metanca", "evaluate", learner, "--samples", "2", "--taught", "iris")
    assert result.exit_code == 0, result.output
    assert "30 test examples, 2 samples" in result.stdout
    assert "| 4-6-3 | yes | all |" in result.stdout
    for folder, wanted in ((run, "nothing: this rule does not learn"), (learner, "one of iris, mnist,")):
        result = call("metanca", "evaluate", folder, "--taught", "roses")
        assert result.exit_code == 2
        assert wanted in result.stderr
    out, png = tmp_path / "networks.safetensors", tmp_path / "course.png"
    for command, options in (("sample", ("--out", out)), ("show", ("--updates", "2", "--png", png))):
        result = call("metanca", command, learner, "196-5-10", "--samples", "2", "--sample", *options)
        assert result.exit_code == 0, result.output
    assert out.is_file()
    assert png.is_file()
