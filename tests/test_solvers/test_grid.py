"""The domain: geometry, refinement, storage, refusals."""

import hypothesis
import pytest
import torch
from hypothesis import strategies as st

from pdenca.core.errors import BadInputError
from pdenca.solvers import Grid


def test_geometry_of_an_anisotropic_grid():
    grid = Grid((4, 6), (0.5, 0.25), ("periodic", "no-flux"))
    assert (grid.num_dims, grid.num_cells, grid.extent) == (2, 24, (2.0, 1.5))
    assert not grid.is_periodic
    x, y = grid.coordinates()
    assert x.dtype == torch.float64
    assert x.tolist() == [0.25, 0.75, 1.25, 1.75]
    assert y.tolist() == [0.125, 0.375, 0.625, 0.875, 1.125, 1.375]


@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_uniform_makes_squares_and_boxes(num_dims):
    grid = Grid.uniform(5, 0.1, "no-flux", num_dims)
    assert grid == Grid((5,) * num_dims, (0.1,) * num_dims, ("no-flux",) * num_dims)
    assert Grid.uniform((3, 4, 5)[:num_dims], 0.1).shape == (3, 4, 5)[:num_dims]


def test_refining_keeps_the_domain_and_nests_the_cells():
    grid = Grid((4, 3), (0.5, 1.0), ("periodic", "no-flux"))
    fine = grid.refined(3)
    assert fine.shape == (12, 9)
    assert fine.extent == pytest.approx(grid.extent)
    assert fine.boundaries == grid.boundaries
    for coarse_x, fine_x in zip(grid.coordinates(), fine.coordinates(), strict=True):
        torch.testing.assert_close(fine_x.reshape(-1, 3).mean(1), coarse_x)


@hypothesis.given(
    st.lists(
        st.tuples(st.integers(1, 99), st.floats(1e-6, 1e6), st.sampled_from(["periodic", "no-flux"])),
        min_size=1,
        max_size=3,
    )
)
def test_json_gives_the_same_grid_back_exactly(axes):
    shape, spacing, boundaries = (tuple(part) for part in zip(*axes, strict=True))
    grid = Grid(shape, spacing, boundaries)
    assert Grid.from_json(grid.to_json()) == grid


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Grid((), (), ()), "1, 2 or 3 axes"),
        (lambda: Grid.uniform(4, 1.0, num_dims=4), "1, 2 or 3 axes"),
        (lambda: Grid((4, 4), (1.0,), ("periodic",)), "one spacing and one boundary per axis"),
        (lambda: Grid.uniform(0, 1.0), "at least one cell"),
        (lambda: Grid.uniform(4, 0.0), "positive length"),
        (lambda: Grid.uniform(4, float("nan")), "positive length"),
        (lambda: Grid.uniform(4, 1.0, "neumann"), "'neumann' is unknown; expected one of periodic, no-flux"),
        (lambda: Grid.uniform(4, 1.0).refined(0), "at least 1, got 0"),
        (lambda: Grid.from_json("{}"), "expected JSON with shape, spacing and boundaries"),
        (lambda: Grid.from_json("no json"), "usual cure: write the grid with Grid.to_json"),
    ],
)
def test_bad_grids_are_refused(make, message):
    with pytest.raises(BadInputError, match=message):
        make()
