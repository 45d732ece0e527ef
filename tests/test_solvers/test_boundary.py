"""Padding against numpy's, in every layout and dimension."""

import numpy as np
import pytest
import torch

from pdenca.core.errors import BadInputError
from pdenca.solvers import BOUNDARIES, GrayScott, Grid, pad, simulate

NUMPY_MODE = {"periodic": "wrap", "no-flux": "symmetric", "zeros": "constant"}


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("boundary", NUMPY_MODE)
@pytest.mark.parametrize("shape", [(4,), (4, 5), (5, 4, 6)])
@pytest.mark.parametrize("channels_last", [False, True])
def test_pad_equals_numpy(generator, radius, boundary, shape, channels_last):
    state = torch.rand(2, *shape, 3, generator=generator)
    state = state if channels_last else state.movedim(-1, 1)
    none, around = [(0, 0)], [(radius, radius)] * len(shape)
    widths = none + around + none if channels_last else none + none + around
    expected = np.pad(state.numpy(), widths, mode=NUMPY_MODE[boundary])
    padded = pad(state, Grid.uniform(shape, 0.1, boundary), radius, channels_last=channels_last)
    np.testing.assert_array_equal(padded.numpy(), expected)


@pytest.mark.parametrize("radius", [1, 2, 4])
@pytest.mark.parametrize("channels_last", [False, True])
def test_dirichlet_walls_hold_each_channel_at_its_value(generator, radius, channels_last):
    state = torch.rand(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    walls = torch.tensor([1.0, -0.5, 0.0], dtype=torch.float64).reshape(3, 1, 1)
    grid = Grid.uniform((4, 5), 0.1, "dirichlet(1, -0.5)")  # the third, hidden, channel is held at 0
    given = state.movedim(1, -1) if channels_last else state
    padded = pad(given, grid, radius, channels_last=channels_last)
    padded = padded.movedim(-1, 1) if channels_last else padded
    signs = [np.pad(np.ones(n), radius, constant_values=-1.0) for n in (4, 5)]
    even = np.pad((state - walls).numpy(), [(0, 0)] * 2 + [(radius, radius)] * 2, "symmetric")
    expected = even * signs[0][:, None] * signs[1] + walls.numpy()
    np.testing.assert_allclose(padded.numpy(), expected, rtol=0, atol=1e-15)
    inside = slice(radius - 1, radius + 1)
    face = padded[:, :, inside, radius:-radius].mean(2)
    torch.testing.assert_close(face, walls[:, 0].expand_as(face))


def test_one_dirichlet_value_is_for_all_channels_and_too_many_are_refused():
    state = torch.zeros(1, 2, 3)
    padded = pad(state, Grid.uniform(3, 1.0, "dirichlet(0.5)", 1), 1)
    assert padded[0, :, 0].tolist() == [1.0, 1.0]
    with pytest.raises(BadInputError, match="has 3 values for 2 channels"):
        pad(state, Grid.uniform(3, 1.0, "dirichlet(1, 2, 3)", 1), 1)


@pytest.mark.parametrize("name", ["walls", "dirichlet()", "dirichlet(a)", "dirichlet(nan)", "dirichlet(1"])
def test_unknown_boundaries_are_refused(name):
    with pytest.raises(
        BadInputError, match=r"is unknown; expected one of periodic, no-flux, zeros, dirichlet"
    ):
        Grid.uniform(4, 1.0, name)


def test_each_axis_has_its_own_boundary(generator):
    state = torch.rand(1, 1, 4, 5, generator=generator)
    padded = pad(state, Grid((4, 5), (0.1, 0.1), ("periodic", "no-flux")), 2)[0, 0].numpy()
    expected = np.pad(np.pad(state[0, 0].numpy(), [(2, 2), (0, 0)], "wrap"), [(0, 0), (2, 2)], "symmetric")
    np.testing.assert_array_equal(padded, expected)


def test_gradients_flow_back_through_the_copies():
    state = torch.ones(1, 1, 3, requires_grad=True)
    pad(state, Grid.uniform(3, 1.0, "no-flux", 1), 1).sum().backward()
    assert state.grad is not None
    assert state.grad.flatten().tolist() == [2.0, 1.0, 2.0]


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_too_wide_a_pad_is_refused(boundary):
    with pytest.raises(BadInputError, match="cannot pad an axis of 3 cells by 4"):
        pad(torch.zeros(1, 1, 3), Grid.uniform(3, 1.0, boundary, 1), 4)


def test_a_state_of_another_grid_is_refused():
    with pytest.raises(BadInputError, match=r"space shape \(4, 5\) is not the grid's \(5, 4\)"):
        pad(torch.zeros(1, 1, 4, 5), Grid.uniform((5, 4), 1.0), 1)
    with pytest.raises(BadInputError, match="channels_last=True"):
        pad(torch.zeros(1, 5, 4, 2), Grid.uniform((5, 4), 1.0), 1)


@pytest.mark.parametrize("method", ["etdrk4", "etdrk2", "semi-implicit", "adaptive", "rk4", "euler", "auto"])
def test_solvers_refuse_zeros_which_belong_to_no_equation(method):
    equation, grid = GrayScott(0.03, 0.06), Grid.uniform(16, 2.0, "zeros")
    with pytest.raises(BadInputError, match="zeros"):
        simulate(
            equation,
            grid,
            torch.rand(1, 2, 16, 16, dtype=torch.float64),
            num_frames=2,
            frame_interval=1.0,
            time_step=0.5,
            method=method,
        )
