"""Whole training runs on a tiny dataset: repeatable, killed and resumed, refused where they must be."""

import csv
import os
import signal
import subprocess
import sys

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.tasks.emulation import load_run, train_emulator
from pdenca.training.checkpoint import load_tree, parameters_equal

NAMES = ("mlp", "polynomial", "founding-paper")

# the run as a program of its own, with a checkpoint after every step and a line for each
PROGRAM = """
import functools, sys
from pathlib import Path
from pdenca.tasks import emulation
emulation.Training = functools.partial(emulation.Training, checkpoint_seconds=0.0)
data, run, settings = sys.argv[1:]
settings = emulation.EmulationSettings.from_json(settings)
emulation.train_emulator(Path(data), Path(run), settings, progress=lambda at: print(at.step, flush=True))
"""


def best(folder):
    return load_tree(folder / "best.safetensors")["parameters"]


def table(folder):
    rows = csv.DictReader((folder / "metrics.csv").read_text().splitlines())
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_model(name, trained, dataset, smaller, tmp_path):
    first = trained(name)
    second = train_emulator(dataset, tmp_path / "again", smaller(name))
    assert parameters_equal(best(first), best(second))
    assert table(first) == table(second)
    files = {"best.safetensors", "last.safetensors", "metrics.csv", "settings.json", "scales.json"}
    assert {path.name for path in first.iterdir()} == files | {"environment.json"}


def test_another_seed_gives_another_model(trained, dataset, smaller, tmp_path):
    other = train_emulator(dataset, tmp_path / "other", smaller("founding-paper", seed="1"))
    assert not parameters_equal(best(trained("founding-paper")), best(other))


@pytest.mark.parametrize("name", NAMES)
def test_training_lowers_the_validation_error(name, trained):
    rows = table(trained(name))
    scores = [float(row["validation"]) for row in rows if row["validation"]]
    assert min(scores[1:]) < (0.99 if name == "founding-paper" else 0.5) * scores[0]
    assert load_tree(trained(name) / "best.safetensors")["validation"] == min(scores)
    stages = {"founding-paper": ["1 propagation"]}.get(name, ["1 derivative", "2 rollout", "3 rollout"])
    assert list(dict.fromkeys(row["stage"] for row in rows)) == ["start", *stages]


@pytest.mark.parametrize(("name", "lines"), [("mlp", 5), ("founding-paper", 9)])
def test_a_killed_run_resumes_to_the_same_model(name, lines, trained, dataset, smaller, tmp_path):
    whole, folder = trained(name), tmp_path / "killed"
    arguments = [sys.executable, "-P", "-c", PROGRAM, str(dataset), str(folder), smaller(name).to_json()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(lines):
            assert process.stdout.readline(), "the run ended before it could be killed"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    left = load_tree(folder / "last.safetensors")
    assert left["within"] is not None or left["stage_index"] > 0
    assert 0 < left["total_steps"] < load_tree(whole / "last.safetensors")["total_steps"]

    with pytest.raises(BadInputError, match="already holds a training run; usual cure: --resume"):
        train_emulator(dataset, folder, smaller(name))
    train_emulator(dataset, folder, smaller(name), resume=True)
    assert parameters_equal(best(whole), best(folder))
    assert table(whole) == table(folder)


def test_a_run_killed_before_its_first_checkpoint_starts_again(trained, dataset, smaller, tmp_path):
    folder = tmp_path / "early"
    folder.mkdir()
    for name in ("settings.json", "scales.json"):
        (folder / name).write_text((trained("founding-paper") / name).read_text())
    train_emulator(dataset, folder, smaller("founding-paper"), resume=True)
    assert parameters_equal(best(trained("founding-paper")), best(folder))


def test_a_run_goes_on_with_further_stages_as_if_it_had_had_them_at_once(trained, dataset, smaller, tmp_path):
    whole, folder = smaller("mlp"), tmp_path / "shorter"
    train_emulator(dataset, folder, whole.replace(stages=whole.stages[:2]))
    assert len(table(folder)) < len(table(trained("mlp")))
    train_emulator(dataset, folder, whole, resume=True)
    assert parameters_equal(best(trained("mlp")), best(folder))
    assert table(trained("mlp")) == table(folder)
    assert (trained("mlp") / "settings.json").read_text() == (folder / "settings.json").read_text()
    # what was done cannot be undone
    with pytest.raises(BadInputError, match="was made with other settings or data; usual cure"):
        train_emulator(dataset, folder, whole.replace(stages=whole.stages[:2]), resume=True)


def test_a_run_is_resumed_with_its_own_settings_and_data_only(trained, dataset, smaller):
    before = (trained("mlp") / "settings.json").read_text()
    with pytest.raises(BadInputError, match="was made with other settings or data; usual cure"):
        train_emulator(dataset, trained("mlp"), smaller("mlp", seed="9"), resume=True)
    with pytest.raises(BadInputError, match="was made with other settings or data; usual cure"):
        train_emulator(dataset, trained("mlp"), smaller("mlp"), resume=True, regimes=("maze",))
    assert (trained("mlp") / "settings.json").read_text() == before
    # a finished run has nothing left to do
    assert train_emulator(dataset, trained("mlp"), smaller("mlp"), resume=True) == trained("mlp")
    assert len(table(trained("mlp"))) == 8


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model.fire_rate": "0.5"}, "derivative matching needs a deterministic automaton"),
        (
            {"stages.1.horizon": "12"},
            "needs trajectories of 15 frames, the data have 12",
        ),
        ({"stages.1.horizon": "10"}, "needs trajectories of 13 frames, the data have 12"),
    ],
)
def test_what_cannot_be_trained_says_why(overrides, message, dataset, smaller, tmp_path):
    with pytest.raises(BadInputError, match=message):
        train_emulator(dataset, tmp_path / "run", smaller("mlp", **overrides))


def test_a_network_per_regime(dataset, smaller, tmp_path):
    settings = smaller("founding-paper", **{"stages.0.num_steps": "2"})
    run = train_emulator(dataset, tmp_path / "spots", settings, regimes=("spots",))
    assert load_run(run).scales.parameter_pairs == ((0.03, 0.062),)


def test_both_dtypes_train(dataset, smaller, tmp_path):
    for dtype in ("float32", "float64"):
        settings = smaller("founding-paper", dtype=dtype, **{"stages.0.num_steps": "2"})
        run = train_emulator(dataset, tmp_path / dtype, settings)
        assert {value.dtype for value in best(run).values()} == {getattr(torch, dtype)}
