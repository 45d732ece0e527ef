"""The founding paper's training with other distances than its own, from settings to a run."""

import pytest

from pdenca.core import BadInputError
from pdenca.tasks.emulation import train_emulator
from pdenca.tasks.models import load_run
from pdenca.tasks.settings import load_experiment
from pdenca.tasks.training_data import TrainingWindows
from pdenca.training.checkpoint import load_tree
from pdenca.training.distances import Hellinger, Spectral
from pdenca.training.loop import BEST


def paper(**distance):
    """Two steps of it; every option of the distance as text, as from a command line."""
    overrides = {"stages.0.num_steps": "2", "stages.0.batch_size": "4", "stages.0.validate_every": "1"}
    overrides |= {f"stages.0.distance.{name}": value for name, value in distance.items()}
    return load_experiment("founding-paper", {**overrides, "validation_frames": "3"})


@pytest.fixture(scope="module")
def plain(dataset, tmp_path_factory):
    """The parameters after two steps with the distance of the founding paper."""
    return train_emulator(dataset, tmp_path_factory.mktemp("plain") / "run", paper())


@pytest.mark.parametrize(
    ("distance", "built"),
    [
        ({"name": "spectral", "euclidean_weight": "0.5"}, Spectral(euclidean_weight=0.5)),
        (
            {"name": "hellinger", "negative": "magnitude", "amplitude": "factor"},
            Hellinger(negative="magnitude", amplitude="factor"),
        ),
    ],
)
def test_a_distance_trains_a_rule(distance, built, dataset, plain, tmp_path):
    run = train_emulator(dataset, tmp_path / "run", paper(**distance))
    settings = load_run(run).settings
    assert settings.stages[0].distance is not None
    assert settings.stages[0].distance.build() == built
    by_distance, by_norm = (load_tree(folder / BEST)["parameters"] for folder in (run, plain))
    assert any((value != by_norm[name]).any() for name, value in by_distance.items())


@pytest.mark.parametrize(
    ("distance", "changed", "message"),
    [
        (
            {"name": "sinkhorn", "negative": "magnitude"},
            lambda frames: frames.repeat(1, 1, 1, 4, 4),
            r"stage 0 \(distance sinkhorn\): .* at most 1024 cells \(32 x 32\), got 64 x 64",
        ),
        (
            {"name": "hellinger"},
            lambda frames: frames - 0.5,
            r"stage 0 \(distance hellinger\): .* cannot have negative values",
        ),
    ],
    ids=["large", "negative"],
)
def test_data_that_a_distance_cannot_compare_are_refused_first(
    distance, changed, message, dataset, tmp_path, monkeypatch
):
    if distance["name"] == "sinkhorn":
        pytest.importorskip("ot")
    trajectories = TrainingWindows.trajectories

    def changed_trajectories(windows):
        frames, context = trajectories(windows)
        return changed(frames), context

    monkeypatch.setattr(TrainingWindows, "trajectories", changed_trajectories)
    with pytest.raises(BadInputError, match=message):
        train_emulator(dataset, tmp_path / "run", paper(**distance))
    assert not (tmp_path / "run").exists()
