"""The rows that are tuned on data, and what rows cost."""

import pytest
import torch

from pdenca.baselines import EquationsOnGrid, Persistence, SparsePolynomial, SpectralOnGrid
from pdenca.core import BadInputError, LastFrame
from pdenca.tasks.emulation import load_cases
from pdenca.tasks.rivals import LARGEST_STEP, SPARSE_FIT, cost_of, tuned_rows
from pdenca.tasks.training_data import measure_scales
from pdenca.tasks.validation import Validation


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
