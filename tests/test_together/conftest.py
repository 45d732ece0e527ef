"""A tiny dataset and tiny experiments, trained once for all tests that only look at the result."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pdenca.datasets import GrayScottRecipe, generate
from pdenca.tasks.emulation import EmulationSettings, load_experiment, train_emulator

# few steps on few windows; every stage and every fitter of the real experiments stays
SMALLER = {
    "mlp": {
        "validation_frames": "2",
        "model.steps_per_frame": "5",
        "stages.0.num_steps": "4",
        "stages.0.validate_every": "2",
        "stages.0.num_windows": "4",
        "stages.0.cells_per_window": "40",
        "stages.1.num_steps": "2",
        "stages.1.num_windows": "2",
        "stages.2.num_steps": "1",
        "stages.2.num_windows": "2",
        "stages.2.horizon": "2",
    },
    "founding-paper": {
        "validation_frames": "2",
        "model.steps_per_frame": "3",
        "stages.0.num_steps": "16",
        "stages.0.validate_every": "5",
        "stages.0.batch_size": "3",
    },
}
SMALLER["polynomial"] = SMALLER["mlp"]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    """16 x 16 cells, 12 frames, two regimes, one trajectory each."""
    recipe = GrayScottRecipe(
        num_cells=16,
        spacing=1 / 32,
        num_trajectories=1,
        num_valid_trajectories=1,
        num_test_trajectories=1,
        num_frames=12,
        regimes=("maze", "spots"),
        refine=1,
        time_step=2.0,
        start_time_step=1.0,
    )
    return generate(recipe, tmp_path_factory.mktemp("together") / "data").out


@pytest.fixture(scope="session")
def smaller() -> Callable[..., EmulationSettings]:
    """Settings of an experiment, made small."""

    def make(name, **overrides):
        return load_experiment(name, {**SMALLER[name], **overrides})

    return make


@pytest.fixture(scope="session")
def trained(dataset, smaller, tmp_path_factory) -> Callable[[str], Path]:
    """The run folder of a small experiment; do not change it."""
    folders: dict[str, Path] = {}

    def run(name):
        if name not in folders:
            folder = tmp_path_factory.mktemp("runs") / name
            folders[name] = train_emulator(dataset, folder, smaller(name))
        return folders[name]

    return run
