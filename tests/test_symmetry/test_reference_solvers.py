"""Every reference solver keeps the symmetries of its equation: there is no favourite direction in space."""

import pytest
import torch

from pdenca.solvers import INTEGRATORS, STENCILS, GrayScott, Grid
from pdenca.symmetry import D2, D4, assert_equivariant, equivariance_residuals

SHIFTS = [(1, 0), (3, 5)]


@pytest.fixture
def equation():
    return GrayScott(feed_rate=0.029, kill_rate=0.057)


def start(generator, *space):
    return torch.rand(2, 2, *space, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("method", INTEGRATORS)
@pytest.mark.parametrize("num_cells", [15, 16])
def test_integrators(equation, method, num_cells, generator):
    step = INTEGRATORS[method](equation, Grid.uniform(num_cells, 1 / 64), 1.0)
    assert_equivariant(step, D4, start(generator, num_cells, num_cells), num_steps=3, translations=SHIFTS)


@pytest.mark.parametrize("stencil", STENCILS)
@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_stencils_and_boundaries(equation, stencil, boundary, generator):
    grid = Grid.uniform(12, 1 / 64, boundary=boundary)
    step = INTEGRATORS["euler"](equation, grid, 1.0, stencil=stencil)
    shifts = SHIFTS if boundary == "periodic" else ()
    assert_equivariant(step, D4, start(generator, 12, 12), num_steps=3, translations=shifts)


def test_walls_break_shifts(equation, generator):
    step = INTEGRATORS["euler"](equation, Grid.uniform(12, 1 / 64, boundary="no-flux"), 1.0)
    residuals = equivariance_residuals(step, D4, start(generator, 12, 12), translations=[(1, 0)])
    assert residuals.pop("shift (1, 0)") > 1e-3
    assert max(residuals.values()) < 1e-12


@pytest.mark.parametrize("method", INTEGRATORS)
def test_rectangles(equation, method, generator):
    step = INTEGRATORS[method](equation, Grid.uniform((10, 16), 1 / 64), 1.0)
    assert_equivariant(step, D2, start(generator, 10, 16), num_steps=3, translations=SHIFTS)


def test_unequal_spacings_have_no_quarter_turn(equation, generator):
    # the numbers can be turned, space cannot: a square of cells that are no squares
    grid = Grid((12, 12), (1 / 64, 1 / 48), ("periodic", "periodic"))
    step = INTEGRATORS["rk4"](equation, grid, 1.0)
    residuals = equivariance_residuals(step, D4, start(generator, 12, 12))
    broken = {name for name, residual in residuals.items() if residual > 1e-4}
    assert broken == {"rotate 90", "rotate 270", "transpose", "anti-transpose"}
    assert_equivariant(step, D2, start(generator, 12, 12))


def test_a_feed_rate_that_varies_in_space_breaks_the_symmetry(generator):
    slope = torch.linspace(0.02, 0.06, 12, dtype=torch.float64)[:, None].expand(1, 12, 12)
    step = INTEGRATORS["rk4"](GrayScott(feed_rate=slope, kill_rate=0.057), Grid.uniform(12, 1 / 64), 1.0)
    residuals = equivariance_residuals(step, D4, start(generator, 12, 12)[:1])
    assert residuals["flip axis 1"] < 1e-12  # the slope runs along axis 0
    assert residuals["flip axis 0"] > 1e-3
