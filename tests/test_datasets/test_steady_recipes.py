"""Recipes whose trajectories end in a steady state, under parameters that vary in space."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from pdenca.core import BadInputError
from pdenca.datasets import RECIPES, TrajectoryFile, generate, read_header
from pdenca.solvers import Grid, equation_class
from pdenca.solvers.derivatives import SpectralDerivatives
from pdenca.solvers.parameter_fields import PARAMETER_FIELDS

SMALL = {
    "num_cells": 16,
    "num_trajectories": 3,
    "num_valid_trajectories": 1,
    "num_test_trajectories": 1,
    "num_params_trajectories": 1,
    "num_frames": 21,
    "frame_interval": 10.0,
    "time_step": 0.5,
    "start_time_step": 0.25,
    "newton_below": 3e-3,
    "batch": 2,
}


def frames_of(path):
    with TrajectoryFile(path) as file:
        return torch.from_numpy(file.read())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    recipe = RECIPES["steady-schnakenberg"].parse({**SMALL, "splits": ("train", "valid", "ood_params")})
    return generate(recipe, tmp_path_factory.mktemp("steady") / "data", num_workers=1)


def test_the_last_frame_solves_the_equation_with_the_field_in_the_file(dataset):
    for path in dataset.files:
        header = read_header(path)
        notes = {name: json.loads(header.provenance[name]) for name in header.provenance if "steady_" in name}
        assert notes["steady_converged"] == [1.0] * header.num_trajectories
        assert max(notes["steady_rate"]) <= 1e-10
        frames = frames_of(path)
        last, before = frames[:, -1].double(), frames[:, 0].double()
        context = {name: value.double() for name, value in header.context(len(last)).items()}
        assert context["supply_v"].shape == (len(last), 16, 16)
        equation = equation_class(header.equation).from_parameters({**header.constants, **context})
        derivatives = SpectralDerivatives(header.grid)
        # what rounding to float32 leaves
        assert equation.rate(last, derivatives).abs().max() < 1e-5
        assert equation.rate(before, derivatives).abs().max() > 1e-2
        assert (last.std((2, 3)) > 0.05).all(), "no pattern"


def test_every_trajectory_has_its_own_field_between_the_bounds(dataset):
    header = read_header(dataset.files[0])
    fields = header.varying_parameters["supply_v"][:]
    assert fields.shape == (3, 16, 16)
    assert fields.min() == pytest.approx(0.7)
    assert fields.max() == pytest.approx(1.5)
    assert np.abs(fields[0] - fields[1]).max() > 0.1
    families = {path.name.split("_supply")[0] for path in dataset.files if "ood_params" in str(path)}
    assert families == {"steady_schnakenberg_ramp", "steady_schnakenberg_disc"}


def test_trajectories_do_not_depend_on_how_they_are_batched(dataset, tmp_path):
    recipe = RECIPES["steady-schnakenberg"].parse({**SMALL, "splits": ("train",), "batch": 1})
    other = generate(recipe, tmp_path / "data", num_workers=1)
    one, two = (frames_of(summary.files[0])[:, -1] for summary in (dataset, other))
    torch.testing.assert_close(one, two, rtol=0, atol=1e-5)
    first, second = read_header(dataset.files[0]), read_header(other.files[0])
    np.testing.assert_array_equal(
        first.varying_parameters["supply_v"][:], second.varying_parameters["supply_v"][:]
    )


def test_a_search_that_fails_is_told(tmp_path):
    recipe = RECIPES["steady-gray-scott-torus"].parse(
        {
            "num_cells": 16,
            "spacing": 1 / 24,
            "regimes": ("spirals",),
            "num_trajectories": 1,
            "splits": ("train",),
            "num_frames": 21,
            "max_settle_time": 20.0,
        }
    )
    (path,) = generate(recipe, tmp_path / "data", num_workers=1).files
    header = read_header(path)
    assert json.loads(header.provenance["steady_converged"]) == [0.0]
    assert json.loads(header.provenance["steady_rate"])[0] > 1e-6
    assert not header.varying_parameters


def test_a_steady_state_is_one_of_the_stored_grid():
    with pytest.raises(BadInputError, match=r"one of the stored grid, got refine=2"):
        RECIPES["steady-schnakenberg"].parse({"refine": 2})


@pytest.mark.parametrize("boundary", ["no-flux", "periodic"])
@pytest.mark.parametrize("family", PARAMETER_FIELDS)
def test_fields_fill_the_unit_interval_and_suit_the_walls(family, boundary):
    grid = Grid.uniform(48, 0.5, boundary, 2)
    fields = [PARAMETER_FIELDS[family](grid, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert fields[0].shape == (1, 48, 48)
    assert fields[0].dtype == torch.float64
    assert torch.equal(fields[0], fields[1])
    assert (fields[0] - fields[2]).abs().max() > 0.1
    assert 0 <= fields[0].min() < 0.02
    assert 0.98 < fields[0].max() <= 1
    if boundary == "periodic":
        jump = (fields[0] - fields[0].roll(1, -1)).abs().amax((0, 1))
        assert jump[0] <= 0.6
    elif family == "cosines":
        # no slope at the walls: the first difference there is far smaller than the steepest
        slope = fields[0].diff(dim=-1).abs().amax((0, 1))
        assert slope[0] < 0.2 * slope.max()


def test_a_refined_grid_sees_the_same_waves():
    coarse, fine = Grid.uniform(16, 1.0, "no-flux", 2), Grid.uniform(48, 1 / 3, "no-flux", 2)
    one, three = (
        PARAMETER_FIELDS["cosines"](grid, torch.Generator().manual_seed(3)) for grid in (coarse, fine)
    )
    # the middle of every third cell is the middle of a coarse one; only the stretching differs
    low, high = three[..., 1::3, 1::3].min(), three[..., 1::3, 1::3].max()
    torch.testing.assert_close((three[..., 1::3, 1::3] - low) / (high - low), one, rtol=0, atol=1e-12)


def test_a_header_tells_what_is_settled_and_which_frames_follow_each_other(dataset):
    header = read_header(dataset.files[0])
    assert header.settled == (True,) * 3
    assert header.num_transient_frames == header.num_frames - 1
    plain = replace(header, provenance={})
    assert plain.settled == (True,) * 3
    assert plain.num_transient_frames == header.num_frames
    failed = replace(header, provenance={"steady_converged": "[1.0, 0.0, 1.0]"})
    assert failed.settled == (True, False, True)
