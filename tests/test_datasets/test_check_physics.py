"""The checker knows the physics of every equation, of users' own too, and says what it did not check."""

import json
import sys

import h5py
import numpy as np
import pytest
import torch

from pdenca.core import BadInputError
from pdenca.datasets import RECIPES, TrajectorySet, check, generate, write_trajectories
from pdenca.datasets.format import PROVENANCE
from pdenca.solvers import EQUATIONS, Equation, Grid, equation_from_name, simulate

OWN = '''
from dataclasses import dataclass
from typing import ClassVar

import torch

from pdenca.core import Field
from pdenca.solvers import ReactionDiffusion


@dataclass(frozen=True, eq=False)
class Decay(ReactionDiffusion):
    """du/dt = D laplacian u - rate u."""

    name: ClassVar[str] = "decay"
    fields: ClassVar[tuple] = (Field("u"),)
    rate_of_decay: object = 0.5

    def parameters(self):
        return {"rate_of_decay": self.rate_of_decay}

    def diffusivities(self):
        return (0.01,)

    def linear_rate(self):
        return (0.0,)

    def reaction(self, state):
        rate = torch.as_tensor(self.rate_of_decay, dtype=state.dtype)
        return -rate.reshape(-1, *(1,) * (state.ndim - 1)) * state

    def budget(self, state):
        return self.reaction(state).sum(1).flatten(1).mean(1)
'''


def solved(
    equation: Equation, name: str, boundary: str = "periodic", varying: dict[str, np.ndarray] | None = None
) -> TrajectorySet:
    """Solve two trajectories from smooth random states, with the provenance of a simulated file."""
    grid = Grid.uniform(16, 1 / 16, boundary)
    generator = torch.Generator().manual_seed(0)
    start = torch.rand(2, len(equation.fields), 4, 4, generator=generator, dtype=torch.float64)
    start = torch.nn.functional.interpolate(start, size=(16, 16), mode="bilinear")
    frames = simulate(
        equation, grid, start, num_frames=9, frame_interval=0.1, time_step=0.01, method="rk4", refine=1
    )
    names = set(equation.parameters()) - set(varying or {})
    constants = {key: value for key, value in vars(equation).items() if key not in (varying or {})}
    filled = {**dict.fromkeys(PROVENANCE, "words"), "time_step": 0.01, "dealiasing": 1.0, "refine": 1}
    return TrajectorySet(
        dataset_name="solved",
        equation=name,
        regime="any",
        split="train",
        fields=equation.fields,
        grid=grid,
        frame_interval=0.1,
        parameters={key: float(equation.parameters()[key]) for key in sorted(names)},
        varying_parameters=varying or {},
        data=frames.numpy().astype(np.float32),
        provenance={
            **filled,
            "seed": 0,
            "equation_constants": json.dumps(constants),
            "settings": "{}",
        },
    )


def spoil(path, field: str) -> None:
    with h5py.File(path, "r+") as file:
        file["t0_fields"][field][1, 4] *= 1.05


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """A module of a user's, on the import path but not imported."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "own_decay.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path / "code")
    yield "own_decay:Decay"
    sys.modules.pop("own_decay", None)


def test_an_equation_of_ones_own_is_imported_only_when_it_is_named(own_module, tmp_path):
    path = tmp_path / "own.hdf5"
    equation = equation_from_name(own_module, {"rate_of_decay": 0.5})
    write_trajectories(path, solved(equation, own_module))
    sys.modules.pop("own_decay")
    (found,) = check(path)
    assert "own_decay" not in sys.modules, "a file must not make anything be imported"
    assert found.level == "warning"
    assert found.message.endswith("usual cure: --equation own_decay:Decay")
    assert check(path, equations=[own_module]) == []
    spoil(path, "u")
    messages = [item.message for item in check(path, equations=[own_module]) if item.level == "error"]
    assert any("too much" in message for message in messages)
    with pytest.raises(BadInputError, match="cannot import module 'no_such'"):
        check(path, equations=["no_such:Class"])


def test_the_command_takes_the_equation(own_module, tmp_path):
    from click.testing import CliRunner

    from pdenca.cli import cli

    path = tmp_path / "own.hdf5"
    write_trajectories(path, solved(equation_from_name(own_module, {}), own_module))
    for flags, told in (([], "1 warning"), (["--equation", own_module], "0 warnings")):
        result = CliRunner().invoke(cli, ["check", str(path), *flags], catch_exceptions=False)
        assert result.exit_code == 0
        assert told in result.stdout


@pytest.mark.parametrize("boundary", ["periodic", "no-flux", "dirichlet(0.5)"])
def test_honest_data_pass_whatever_the_walls(tmp_path, boundary):
    """What walls that hold a value let through is not known, so nothing is claimed of it."""
    path = tmp_path / "a.hdf5"
    equation = EQUATIONS["gray-scott"].from_parameters({"feed_rate": 0.03, "kill_rate": 0.06})
    write_trajectories(path, solved(equation, "gray-scott", boundary))
    assert [item for item in check(path) if item.level == "error"] == []
    spoil(path, "A")
    messages = [item.message for item in check(path) if item.level == "error"]
    assert any("too much" in message for message in messages) == (boundary != "dirichlet(0.5)")


def test_each_trajectory_is_held_against_its_own_parameters(tmp_path):
    path = tmp_path / "a.hdf5"
    rates = {"feed_rate": np.array([0.02, 0.9]), "kill_rate": np.array([0.05, 0.3])}
    tensors = {name: torch.from_numpy(values) for name, values in rates.items()}
    equation = EQUATIONS["gray-scott"].from_parameters(tensors)
    write_trajectories(path, solved(equation, "gray-scott", varying=rates))
    assert [item for item in check(path) if item.level == "error"] == []
    with h5py.File(path, "r+") as file:
        for place in ("trajectories/feed_rate", "scalars/F"):
            file[place][1] = 0.1
    wrong = [item.trajectory for item in check(path) if "too much" in item.message]
    assert wrong == [1]


def test_so_is_one_whose_parameters_vary_in_space(tmp_path):
    path = tmp_path / "a.hdf5"
    feed = 0.02 + np.random.default_rng(0).random((2, 16, 16), dtype=np.float32)
    equation = EQUATIONS["gray-scott"].from_parameters(
        {"feed_rate": torch.from_numpy(feed.astype(np.float64)), "kill_rate": 0.06}
    )
    write_trajectories(path, solved(equation, "gray-scott", varying={"feed_rate": feed}))
    assert [item for item in check(path) if item.level == "error"] == []
    with h5py.File(path, "r+") as file:
        file["t0_fields/F"][0] += 0.5
    assert [item.trajectory for item in check(path) if "too much" in item.message] == [0]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in RECIPES if name != "equation" and "well" not in name])
def test_honest_data_of_every_recipe_pass(tmp_path, name):
    """No equation's budget is so strict that what its own recipe makes would fail."""
    recipe = RECIPES[name](num_cells=32, num_trajectories=1, num_frames=21, splits=("train",), refine=1)
    generate(recipe, tmp_path / "out")
    assert [item for item in check(tmp_path / "out") if item.level == "error"] == []
