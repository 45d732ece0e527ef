"""Turned, mirrored and shifted states give turned, mirrored and shifted futures, to round-off."""

import pytest
import torch

from pdenca.core import Repeated
from pdenca.solvers import Grid
from pdenca.symmetry import C4, D4, assert_equivariant, equivariance_residuals

FEED = {"feed_rate": torch.tensor([0.03, 0.05], dtype=torch.float64)}
SHIFTS = ((1, 0), (3, -5))


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize(("radius", "group"), [(1, D4), (3, C4), (3, D4)], ids=["1-D4", "3-C4", "3-D4"])
def test_the_default_emulator_over_twenty_steps(radius, group, boundary, make_isotropic, small_state):
    automaton = make_isotropic(radius, min(radius, 2), time_step=0.1)
    step = automaton.bind(Grid.uniform(8, 1.0, boundary), FEED, num_steps=1)
    shifts = SHIFTS if boundary == "periodic" else ()
    assert_equivariant(step, group, small_state, num_steps=20, translations=shifts)
    # the states that were compared are patterns, not decay to a constant
    with torch.no_grad():
        final = Repeated(step, 20)(small_state)
    assert 0.01 < float(final.std((-1, -2)).mean()) < 10


@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize(
    "kernels",
    [("identity", "laplacian"), ("identity", "gradient-norm"), ("laplacian@2", "gradient-norm@2")],
)
def test_fixed_isotropic_kernels(kernels, boundary, make_fixed, small_state):
    step = make_fixed(kernels).bind(Grid.uniform(8, 1.0, boundary), {})
    assert_equivariant(step, D4, small_state, num_steps=20)


@pytest.mark.parametrize("group", [C4, D4], ids=lambda group: group.name)
def test_the_gradient_as_two_scalars_prefers_a_direction(group, make_fixed, small_state):
    step = make_fixed(("identity", "gradient")).bind(Grid.uniform(8, 1.0), {})
    with pytest.raises(AssertionError, match="does not commute"):
        assert_equivariant(step, group, small_state, num_steps=20, translations=SHIFTS)
    residuals = equivariance_residuals(step, group, small_state, translations=SHIFTS)
    for name, residual in residuals.items():
        if name == "identity" or name.startswith("shift"):
            assert residual < 1e-13, name
        else:
            assert residual > 1e-4, name


def test_a_parameter_that_varies_in_space_prefers_a_direction(make_isotropic, small_state, generator):
    field = 0.05 * torch.rand(2, 8, 8, generator=generator, dtype=torch.float64)
    step = make_isotropic().bind(Grid.uniform(8, 1.0), {"feed_rate": field})
    with pytest.raises(AssertionError, match="does not commute"):
        assert_equivariant(step, D4, small_state)
