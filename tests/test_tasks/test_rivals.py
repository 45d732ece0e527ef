"""The rows that are tuned on data, and what rows cost."""

import pytest
import torch

from pdenca.baselines import EquationFamily, EquationsOnGrid, Persistence, SparsePolynomial, SpectralOnGrid
from pdenca.core import BadInputError, LastFrame
from pdenca.datasets import generate
from pdenca.datasets.recipes.schnakenberg import SchnakenbergRecipe
from pdenca.solvers.equations import Schnakenberg
from pdenca.tasks.emulation import load_cases
from pdenca.tasks.rivals import (
    LARGEST_STEP,
    RESOLUTION_FLOOR,
    SPARSE_FIT,
    baseline_rows,
    cost_of,
    most_rivals,
    tuned_rows,
)
from pdenca.tasks.training_data import measure_scales
from pdenca.tasks.validation import Validation


@pytest.mark.slow
def test_tuned_rows_hold_what_they_promise(dataset):
    scales = measure_scales(dataset)
    rows = tuned_rows(dataset, scales)
    assert list(rows) == [LARGEST_STEP, SPARSE_FIT]
    validate = Validation(dataset, None, scales, 12, torch.float64, 1)
    longest = rows[LARGEST_STEP]
    assert isinstance(longest, SpectralOnGrid)
    converged = validate(SpectralOnGrid("gray-scott", scales.frame_interval, 0.25))
    assert validate(longest) <= 1.12 * converged
    if longest.steps_per_frame > 1:
        longer = SpectralOnGrid(
            "gray-scott", scales.frame_interval, scales.frame_interval / (longest.steps_per_frame - 1)
        )
        assert not validate(longer) <= 1.08 * converged
    fit = rows[SPARSE_FIT]
    assert isinstance(fit, SparsePolynomial)
    assert 4 <= fit.num_parameters <= 64
    assert validate(fit) < validate(Persistence(scales.frame_interval))


def test_validation_takes_no_more_trajectories_than_it_is_told(dataset):
    scales = measure_scales(dataset)
    counts = {
        most: [
            len(frames) for _, _, frames in Validation(dataset, None, scales, 4, torch.float32, most).parts
        ]
        for most in (None, 1, 0)
    }
    assert counts == {None: [1, 1], 1: [1, 1], 0: [0, 0]}


def test_costs_are_told_and_measured(dataset):
    (case,) = load_cases(dataset, ["test"], ("maze",))
    cheap = cost_of(EquationsOnGrid.equal_evaluations("gray-scott", 10.0, 8, "order-2"), case)
    assert (cheap.num_parameters, cheap.radius, cheap.evaluations_per_frame) == (0, 1, 8)
    dear = cost_of(EquationsOnGrid.equal_evaluations("gray-scott", 10.0, 400, "order-6"), case, num_repeats=3)
    assert (dear.radius, dear.evaluations_per_frame) == (3, 400)
    assert 0 < cheap.milliseconds < dear.milliseconds
    whole = cost_of(SpectralOnGrid("gray-scott", 10.0), case)
    assert (whole.radius, whole.evaluations_per_frame) == (None, 40)


def test_an_emulator_that_tells_no_cost_is_refused(dataset):
    class Silent:
        codec = LastFrame()

        def bind(self, lattice, context, generator=None):
            return torch.nn.Identity()

    (case,) = load_cases(dataset, ["test"], ("maze",))
    with pytest.raises(BadInputError, match="Silent does not tell what it costs; expected num_parameters"):
        cost_of(Silent(), case)


def test_solver_rows_know_the_constants_that_no_rule_is_told(tmp_path):
    """The recipe's diffusivity is not the equation's default."""
    recipe = SchnakenbergRecipe(
        num_cells=16,
        num_trajectories=1,
        num_frames=6,
        regimes=("spots",),
        splits=("train", "test"),
        num_test_trajectories=1,
        frame_interval=0.02,
        time_step=0.01,
    )
    data = generate(recipe, tmp_path / "data").out
    scales = measure_scales(data)
    assert scales.constants["diffusivity_v"] == 30.0 != Schnakenberg.from_parameters({}).diffusivity_v
    assert not set(scales.constants) & set(scales.parameter_names)
    (case,) = load_cases(data, ["test"])
    rows = baseline_rows([], scales)
    unaware = SpectralOnGrid("schnakenberg", scales.frame_interval)
    errors = []
    for row in (rows[RESOLUTION_FLOOR], unaware):
        predicted = row.bind(case.grid, case.context)(case.truth[:, 4])
        errors.append(float((predicted - case.truth[:, 5]).abs().max() / case.truth[:, 5].std()))
    assert errors[0] < 1e-4 < 0.01 < errors[1]
    with pytest.raises(BadInputError, match="no parameter 'difusivity_v': did you mean 'diffusivity_v'"):
        EquationFamily("schnakenberg", {"difusivity_v": 1.0}).at(case.context)


def test_the_number_of_rows_is_known_before_they_are_made(dataset):
    scales = measure_scales(dataset)
    assert most_rivals(dataset) == len({**baseline_rows([], scales), **tuned_rows(dataset, scales)})
