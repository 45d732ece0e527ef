"""A tiny dataset, made once, and scales that need no data."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pdenca.datasets import GrayScottRecipe, generate
from pdenca.tasks.training_data import DataScales


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    """16 x 16 cells, 16 frames, two regimes: train (2 trajectories each), valid and test (1 each)."""
    recipe = GrayScottRecipe(
        num_cells=16,
        spacing=1 / 32,
        num_trajectories=2,
        num_valid_trajectories=1,
        num_test_trajectories=1,
        num_frames=16,
        regimes=("maze", "spots"),
        refine=1,
        time_step=2.0,
        start_time_step=1.0,
    )
    return generate(recipe, tmp_path_factory.mktemp("tasks") / "data").out


@pytest.fixture
def make_scales() -> Callable[..., DataScales]:
    """Scales of a made-up dataset."""

    def make(**changes):
        values = {
            "equation": "gray-scott",
            "field_names": ("A", "B"),
            "field_mean": (0.5, 0.2),
            "field_std": (0.3, 0.1),
            "field_low": (0.0, 0.0),
            "field_high": (1.0, 0.5),
            "rate_scale": (0.02, 0.01),
            "parameter_names": ("feed_rate", "kill_rate"),
            "parameter_centre": (0.03, 0.06),
            "parameter_scale": (0.003, 0.006),
            "parameter_pairs": ((0.029, 0.057), (0.031, 0.063)),
            "spacing": 1 / 32,
            "num_dims": 2,
            "frame_interval": 10.0,
        }
        return DataScales(**{**values, **changes})

    return make
