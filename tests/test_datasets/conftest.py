"""A tiny dataset with every split, made once; what changes a file works on a copy."""

import multiprocessing
import shutil
import urllib.request
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pdenca.core import Field
from pdenca.datasets import GrayScottRecipe, Summary, TrajectoryFile, TrajectorySet, generate
from pdenca.solvers import Grid


@pytest.fixture(scope="session")
def recipe() -> GrayScottRecipe:
    """16 x 16 cells, 12 frames, two regimes, every split, two batches of training trajectories."""
    return GrayScottRecipe(
        num_cells=16,
        spacing=1 / 32,
        num_trajectories=3,
        num_frames=12,
        num_domain_frames=5,
        time_step=2.0,
        start_time_step=1.0,
        num_start_frames=1,
        batch=2,
        regimes=("maze", "spots"),
        splits=GrayScottRecipe.available_splits,
        seed=7,
    )


@pytest.fixture(scope="session")
def summary(recipe: GrayScottRecipe, tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """What making the dataset returned."""
    return generate(recipe, tmp_path_factory.mktemp("dataset") / "gray_scott", num_workers=1)


@pytest.fixture(scope="session")
def dataset(summary: Summary) -> Path:
    """The dataset's folder; do not change it."""
    return summary.out


@pytest.fixture(scope="session")
def fork_server() -> ForkServerContext:
    """Processes that inherit nothing of this one, and that import torch once for all of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pdenca.datasets"])
    return context


@pytest.fixture
def own_dataset(dataset: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return shutil.copytree(dataset, tmp_path / "copy")


@pytest.fixture
def maze(own_dataset: Path) -> Path:
    """A training file to change."""
    return own_dataset / "data" / "train" / "gray_scott_maze_F_0.029_k_0.057.hdf5"


@pytest.fixture
def make_set() -> Callable[..., TrajectorySet]:
    """Make random trajectories of any grid and fields."""

    def make(
        shape: tuple[int, ...] = (4, 6),
        num_trajectories: int = 2,
        num_frames: int = 5,
        fields: tuple[Field, ...] = (Field("A"), Field("B")),
        boundary: str = "periodic",
        **changes: Any,
    ) -> TrajectorySet:
        channels = sum(len(shape) if item.kind == "vector" else 1 for item in fields)
        random = np.random.default_rng(num_frames)
        data = random.random((num_trajectories, num_frames, channels, *shape), dtype=np.float32)
        values: dict[str, Any] = {
            "dataset_name": "noise",
            "equation": "none",
            "regime": "random",
            "split": "train",
            "fields": fields,
            "grid": Grid(shape, tuple(0.5 / (i + 1) for i in range(len(shape))), (boundary,) * len(shape)),
            "frame_interval": 2.5,
            "parameters": {"feed_rate": 0.03, "strength": 2.0},
            "data": data,
        }
        return TrajectorySet(**{**values, **changes})

    return make


def _arrays(folder: Path) -> dict[str, np.ndarray]:
    result = {}
    for path in sorted((folder / "data").rglob("*.hdf5")):
        with TrajectoryFile(path) as file:
            result[str(path.relative_to(folder))] = file.read()
    return result


@pytest.fixture(scope="session")
def arrays() -> Callable[[Path], dict[str, np.ndarray]]:
    """(dataset) -> the data of every file, by its path in the folder."""
    return _arrays


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Path, Path], None]:
    """(one, other): the same files with the same bits and the same statistics."""

    def compare(one: Path, other: Path) -> None:
        first, second = _arrays(one), _arrays(other)
        assert list(first) == list(second)
        for name, values in first.items():
            np.testing.assert_array_equal(values, second[name], err_msg=name)
        assert (one / "stats.yaml").read_text() == (other / "stats.yaml").read_text()

    return compare


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable, an empty cache, and no network."""

    def offline(url: str, timeout: float) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.delenv("PDENCA_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(urllib.request, "urlopen", offline)
