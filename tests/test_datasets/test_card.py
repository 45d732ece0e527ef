"""Cards and wavelengths: what a dataset says about itself is measured from its files."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from pdenca.core import BadInputError, Field
from pdenca.datasets import RECIPES, data_files, generate, read_header, write_trajectories
from pdenca.datasets.wavelength import measure_wavelength
from pdenca.solvers import Grid

OWN_EQUATION = '''
from dataclasses import dataclass
from typing import ClassVar

from pdenca.core import Field
from pdenca.solvers import ReactionDiffusion


@dataclass(frozen=True, eq=False)
class Decay(ReactionDiffusion):
    """What decays while it spreads."""

    name: ClassVar[str] = "decay"
    fields: ClassVar[tuple[Field, ...]] = (Field("c"),)

    rate_of_decay: float = 0.5

    def parameters(self):
        return {"rate_of_decay": self.rate_of_decay}

    def diffusivities(self):
        return (0.01,)

    def reaction(self, state):
        return -self.rate_of_decay * state
'''


def test_a_wave_has_its_own_length(make_set, tmp_path):
    grid = Grid.uniform(32, 0.5)
    x = np.arange(32) / 8  # four waves of 8 cells
    wave = np.broadcast_to(np.cos(2 * np.pi * x)[:, None], (2, 3, 1, 32, 32)).astype(np.float32)
    flat = np.zeros_like(wave)
    flat[0] = wave[0]  # the second trajectory is homogeneous and does not count
    for number, (data, length) in enumerate(((wave, 4.0), (flat, 4.0), (np.zeros_like(wave), math.nan))):
        path = tmp_path / f"{number}.hdf5"
        write_trajectories(path, make_set(data=data, grid=grid, fields=(Field("c"),)))
        assert measure_wavelength(path) == pytest.approx(length, rel=1e-3, nan_ok=True)


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Path:
    """Schnakenberg on very few cells, with one split of unseen parameters."""
    recipe = RECIPES["schnakenberg"](
        num_cells=12, num_trajectories=1, num_valid_trajectories=1, num_frames=3, regimes=("spots",)
    ).replace(splits=("train", "ood_params_extrap"), num_params_trajectories=1)
    return generate(recipe, tmp_path_factory.mktemp("card") / "data", num_workers=1).out


def test_the_card_tells_equation_parameters_cost_and_wavelengths(generated):
    card = (generated / "README.md").read_text(encoding="utf-8")
    assert "$" not in card
    assert "∂u/∂t = D_u ∇²u + a - u + u² v" in card
    assert "| spots | supply_u 0.1, supply_v 0.9 |" in card
    assert "| extrap-02 | supply_u 0.05, supply_v 1.7 |" in card
    assert "diffusivity_v 30" in card
    assert "wavelength" in card
    for split, file in (("train", "spots"), ("ood_params_extrap", "extrap-01")):
        (path,) = (path for path in data_files(generated, split) if file in path.name)
        length = measure_wavelength(path)
        assert f"| `{split}` | {file} | {length:.3g} | {length / 0.75:.3g} |" in card
    assert 'RECIPES["schnakenberg"]' in card
    assert RECIPES["schnakenberg"].hard in card


def test_the_card_of_gray_scott_tells_wavelengths_too(dataset):
    card = (dataset / "README.md").read_text(encoding="utf-8")
    assert "| `train` | maze | " in card
    assert "| `ood_params` | maze | " in card
    assert "| `test` | maze | " not in card


@pytest.fixture
def own_module(tmp_path, monkeypatch) -> str:
    """A module of the user's own that holds an equation without presets."""
    (tmp_path / "my_equations.py").write_text(OWN_EQUATION, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield "my_equations:Decay"
    sys.modules.pop("my_equations", None)


def test_an_equation_of_ones_own_becomes_a_dataset(own_module, tmp_path):
    values = {
        "equation_name": own_module,
        "parameters": {"rate_of_decay": 0.3},
        "initial_condition": "smooth-noise",
        "initial_options": {"means": [1.0], "amplitudes": [0.5]},
        "num_cells": 8,
        "num_frames": 3,
        "frame_interval": 1.0,
        "time_step": 0.25,
        "num_trajectories": 1,
        "splits": ["train", "ood_resolution_fine"],
    }
    summary = generate(RECIPES["equation"].parse(values), tmp_path / "data", num_workers=1)
    assert [path.name for path in summary.files] == ["decay_own_rate_of_decay_0.3.hdf5"] * 2
    header = read_header(summary.files[0])
    assert (header.equation, header.regime) == (own_module, "own")
    assert header.parameters == {"rate_of_decay": 0.3}
    card = (summary.out / "README.md").read_text(encoding="utf-8")
    assert "What decays while it spreads." in card
    assert "rate_of_decay 0.3" in card


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "no preset to take a start from; expected one of gaussian-blobs"),
        ({"initial_condition": "smooth-nois"}, "did you mean 'smooth-noise'"),
        ({"parameters": {"rate_of_deca": 1.0}}, "did you mean 'rate_of_decay'"),
        ({"preset": "slow"}, "no presets"),
    ],
)
def test_what_is_missing_or_wrong_with_ones_own_equation_is_said(own_module, values, message):
    start = {"initial_condition": "smooth-noise"} if "parameters" in values else {}
    with pytest.raises(BadInputError, match=message):
        RECIPES["equation"].parse({"equation_name": own_module, **start, **values})


def test_a_preset_fills_in_what_is_not_given():
    recipe = RECIPES["equation"].parse({"equation_name": "fisher-kpp", "spacing": 0.5})
    assert (recipe.preset, recipe.regime, recipe.dataset_name) == ("invasion", "invasion", "fisher_kpp")
    assert (recipe.num_frames, recipe.spacing) == (101, 0.5)
    assert recipe.initial_condition == "seeds"
    other = RECIPES["equation"].parse({"equation_name": "fisher-kpp", "parameters": {"growth_rate": 2.0}})
    assert other.regime == "own"
    assert other.shards()[0].parameters == {"growth_rate": 2.0}
    front = RECIPES["equation"].parse({"equation_name": "fisher-kpp", "preset": "front"})
    assert front.boundary == "no-flux"
    with pytest.raises(BadInputError, match="did you mean 'invasion'"):
        RECIPES["equation"].parse({"equation_name": "fisher-kpp", "preset": "invasio"})
