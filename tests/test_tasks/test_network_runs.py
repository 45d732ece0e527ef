"""Networks through the same door as automata: settings, training, resuming, loading."""

import csv
import importlib.util
import json

import pytest
import torch

from pdenca.baselines.networks import FrameHistory, FrameNetwork
from pdenca.core import BadInputError, Emulator, FormatError
from pdenca.solvers import Grid
from pdenca.tasks.emulation import train_emulator
from pdenca.tasks.models import SETTINGS, build_model, load_run
from pdenca.tasks.settings import EXPERIMENTS, EmulationSettings, load_experiment
from pdenca.training import Training
from pdenca.training.checkpoint import load_tree, parameters_equal
from pdenca.training.loop import BEST, LAST, METRICS

STAGE = {"objective": "rollout", "fitter": "first-order", "learning_rate": 3e-3, "schedule": "cosine"}
needs_library = pytest.mark.skipif(
    importlib.util.find_spec("neuralop") is None, reason="needs the extra `baselines`"
)
NETWORKS = {
    "cnn": {"architecture": "dilated-cnn", "width": 8, "num_blocks": 1, "dilations": [1, 2, 1]},
    "unet": {"architecture": "u-net", "width": 4, "num_levels": 2, "num_given_frames": 3},
    "fno": {"architecture": "fno", "width": 6, "num_modes": 8, "num_layers": 2},
}


def settings(name, num_steps=12, stage=None, **changes):
    stages = [{**STAGE, "num_steps": num_steps, "num_windows": 8, "validate_every": 4, **(stage or {})}]
    values = {"network": NETWORKS[name], "stages": stages, "dtype": "float32", "validation_frames": 6}
    return EmulationSettings.parse({**values, **changes})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cnn", 36_626),
        ("unet", 117_202),
        pytest.param("fno", 1_117_682, marks=needs_library),
        pytest.param("tfno", 237_506, marks=needs_library),
        ("unet-well", 17_463_602),
        ("cnextunet-well", 18_571_562),
        pytest.param("fno-well", 19_075_970, marks=needs_library),
        pytest.param("tfno-well", 2_163_282, marks=needs_library),
        pytest.param("fno-pdebench", 1_004_062, marks=needs_library),
        ("unet-pdebench", 7_764_514),
    ],
)
def test_experiments_have_the_size_that_they_say(name, expected, make_scales):
    model = build_model(load_experiment(name), make_scales(), torch.float32)
    assert model.num_parameters == expected
    assert f"{expected:,} parameters" in EXPERIMENTS[name].read_text(encoding="utf-8").replace("\n# ", " ")


@pytest.mark.parametrize("name", ["cnn", "unet", pytest.param("fno", marks=needs_library)])
def test_training_lowers_the_loss_and_the_run_is_an_emulator(name, dataset, tmp_path):
    run = train_emulator(dataset, tmp_path / "run", settings(name, 40))
    with (run / METRICS).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    losses = [float(row["loss"]) for row in rows if row["loss"]]
    assert losses[-1] < 0.7 * losses[0]
    scores = [float(row["validation"]) for row in rows if row["validation"]]
    assert min(scores) < 0.95 * scores[0]
    emulator = load_run(run)
    assert isinstance(emulator, Emulator)
    assert isinstance(emulator.automaton, FrameNetwork)
    assert emulator.evaluations_per_frame == 1
    assert emulator.radius == {"cnn": 4, "unet": 23, "fno": None}[name]
    frames = NETWORKS[name].get("num_given_frames", 1)
    assert emulator.codec == FrameHistory(2, frames)
    grid = Grid.uniform(24, 1 / 32)
    context = {"feed_rate": torch.tensor([0.03]), "kill_rate": torch.tensor([0.06])}
    state = emulator.codec.lift(torch.rand(1, frames, 2, 24, 24, dtype=torch.float64))
    with torch.no_grad():
        double = emulator.bind(grid, context)(state)
        single = load_run(run, torch.float32).bind(grid, context)(state.float())
    assert (double.dtype, single.dtype) == (torch.float64, torch.float32)
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-4)
    assert emulator.num_parameters == emulator.automaton.num_parameters
    assert len(emulator.kinds) == state.shape[1]


@pytest.mark.parametrize("name", ["unet", pytest.param("fno", marks=needs_library)])
def test_a_resumed_run_ends_with_the_same_parameters(name, dataset, tmp_path, monkeypatch):
    whole = train_emulator(dataset, tmp_path / "whole", settings(name))
    monkeypatch.setattr(Training.__init__, "__defaults__", (None, 0.0, None))  # a checkpoint after every step
    steps = []

    def cut(now):
        steps.append(now.step)
        if now.step == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_emulator(dataset, tmp_path / "cut", settings(name), progress=cut)
    cut_short = train_emulator(dataset, tmp_path / "cut", settings(name), resume=True)
    for file in (LAST, BEST):
        first, second = (load_tree(folder / file)["parameters"] for folder in (whole, cut_short))
        assert parameters_equal(first, second)


def test_a_time_budget_ends_a_run_and_a_larger_one_continues_it(dataset, tmp_path):
    short = settings("cnn", 6, max_seconds=1e-9)
    said = []
    run = train_emulator(dataset, tmp_path / "run", short, progress=lambda now: said.append(now.message))
    assert said[-1] == "the time budget of 1e-09 s ended at step 0 of 1 rollout"
    load_run(run)
    with pytest.raises(BadInputError, match="other settings or data"):
        train_emulator(dataset, run, settings("cnn", 7, max_seconds=1e9), resume=True)
    train_emulator(dataset, run, settings("cnn", 6, max_seconds=1e9), resume=True)
    assert load_tree(run / LAST)["total_steps"] == 6
    assert load_run(run).settings.max_seconds == 1e9


def test_a_plateau_ends_a_stage(dataset, tmp_path):
    stage = {"patience": 2, "validate_every": 1, "learning_rate": 1e-12}
    run = train_emulator(dataset, tmp_path / "run", settings("cnn", 50, stage))
    assert "no better by 1% in 2 validations" in (run / METRICS).read_text(encoding="utf-8")
    assert load_tree(run / LAST)["total_steps"] == 3


def test_what_a_network_cannot_be_trained_by_is_refused():
    network = NETWORKS["cnn"]
    propagation = {"objective": "propagation", "fitter": "first-order", "num_steps": 1}
    for values, message in (
        (
            {"network": network, "model": {"radius": 2}, "stages": [{**STAGE, "num_steps": 1}]},
            "automaton or a",
        ),
        (
            {"network": network, "stages": [propagation]},
            "rollout and the fitter first-order, got propagation",
        ),
        ({"network": {**network, "widht": 3}, "stages": [{**STAGE, "num_steps": 1}]}, "did you mean 'width'"),
        ({"network": network, "stages": [{**STAGE, "num_steps": 1, "patience": 0}]}, "patience"),
        ({"network": network, "stages": [{**STAGE, "num_steps": 1}], "max_seconds": 0}, "max_seconds"),
    ):
        with pytest.raises(BadInputError, match=message):
            EmulationSettings.parse(values)


def test_runs_from_before_there_were_networks_are_read(dataset, tmp_path):
    run = train_emulator(dataset, tmp_path / "run", settings("cnn", 1))
    stored = json.loads((run / SETTINGS).read_text())
    old = {key: value for key, value in stored.items() if key not in ("network", "max_seconds")}
    for stage in old["stages"]:
        del stage["patience"]
    assert EmulationSettings.from_json(json.dumps(old)).network is None
    (run / SETTINGS).write_text(json.dumps(old))
    with pytest.raises(FormatError, match="does not fit"):  # an automaton's settings, a network's parameters
        load_run(run)
