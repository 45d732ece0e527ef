"""Full kernels and injected feature maps: what an implicit network's cell is made of."""

import pytest
import torch

from pdenca.automaton import Automaton, FullKernels, HiddenChannels, InjectedActivation, Replace
from pdenca.core import BadInputError
from pdenca.solvers import Grid
from pdenca.symmetry import CONVOLUTIONS


@pytest.fixture
def state(generator):
    return torch.randn(2, 9, 7, 3, generator=generator, dtype=torch.float64)


def kernels(generator, radius, num_dims=2, features=5):
    return FullKernels(3, radius, features, num_dims, generator=generator).double()


@pytest.mark.parametrize("radius", [1, 2])
def test_on_a_torus_it_is_torch_s_circular_convolution(generator, state, radius):
    perception = kernels(generator, radius)
    conv = torch.nn.Conv2d(
        3, 5, 2 * radius + 1, padding=radius, padding_mode="circular", bias=False, dtype=torch.float64
    )
    conv.weight = perception.weight
    found = perception(state, Grid((9, 7), (1.0, 1.0), ("periodic", "periodic")))
    torch.testing.assert_close(found, conv(state.movedim(-1, 1)).movedim(1, -1))


@pytest.mark.parametrize("radius", [1, 2])
def test_with_a_rim_of_zeros_it_is_torch_s_zero_padded_convolution(generator, state, radius):
    perception = kernels(generator, radius)
    sides = [0, 0, radius, radius, radius, radius]
    rimmed = torch.nn.functional.pad(state, sides)
    grid = Grid.uniform(rimmed.shape[1:3], 1.0)
    found = perception(rimmed, grid)[:, radius:-radius, radius:-radius]
    expected = torch.nn.functional.conv2d(state.movedim(-1, 1), perception.weight, padding=radius)
    torch.testing.assert_close(found, expected.movedim(1, -1))


def test_the_boundary_is_the_grid_s(generator, state):
    perception = kernels(generator, 1)
    grid = Grid((9, 7), (1.0, 1.0), ("no-flux", "dirichlet(0.5)"))
    padded = torch.cat((state[:, :1], state, state[:, -1:]), 1)
    padded = torch.cat((1 - padded[:, :, :1], padded, 1 - padded[:, :, -1:]), 2)
    expected = torch.nn.functional.conv2d(padded.movedim(-1, 1), perception.weight).movedim(1, -1)
    torch.testing.assert_close(perception(state, grid), expected)


@pytest.mark.parametrize("num_dims", [1, 2, 3])
@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_both_halves_together_are_the_whole(generator, num_dims, boundary):
    perception = kernels(generator, 1, num_dims)
    grid = Grid.uniform(4, 0.5, boundary, num_dims)
    state = torch.randn(2, *grid.shape, 3, generator=generator, dtype=torch.float64)
    halves = perception.combine(perception.gather(state, grid), 0.5)
    torch.testing.assert_close(halves, perception(state, grid))
    assert halves.shape[-1] == perception.num_features == 5


def test_the_same_generator_makes_the_same_start():
    weights = [FullKernels(4, generator=torch.Generator().manual_seed(1)).weight for _ in range(2)]
    assert torch.equal(*weights)
    # independent inputs of size 1 make features of size 1
    assert float(weights[0].detach().square().sum((1, 2, 3)).mean()) == pytest.approx(1, rel=0.3)


def test_what_does_not_fit_is_refused(generator, state):
    with pytest.raises(BadInputError, match="at least 1 cell"):
        FullKernels(3, 0)
    with pytest.raises(BadInputError, match="at least 1 cell"):
        FullKernels(3, 1, num_dims=len(CONVOLUTIONS) + 1)
    with pytest.raises(BadInputError, match="have 1 axes"):
        kernels(generator, 1, 1)(state, Grid.uniform(9, 1.0))
    with pytest.raises(BadInputError, match="unknown"):
        InjectedActivation("sinus")


@pytest.fixture
def cell(generator):
    return Automaton(
        FullKernels(3, generator=generator).double(),
        InjectedActivation("relu"),
        Replace(),
        HiddenChannels(3),
        context_names=("injected",),
    )


def test_a_feature_map_is_injected_channel_by_channel(cell, generator):
    grid = Grid.uniform(5, 1.0)
    state, injected = torch.randn(2, 4, 3, 5, 5, generator=generator, dtype=torch.float64)
    found = cell.bind(grid, {"injected": injected})(state)
    padded = torch.nn.functional.pad(state, [1] * 4, mode="circular")
    expected = torch.relu(torch.nn.functional.conv2d(padded, cell.perception.weight) + injected)
    torch.testing.assert_close(found, expected)


def test_columns_of_numbers_fields_and_maps_stand_side_by_side(generator):
    automaton = Automaton(
        FullKernels(2), InjectedActivation(), Replace(), HiddenChannels(2), context_names=("a", "map", "b")
    )
    grid, state = Grid.uniform((3, 4), 1.0), torch.zeros(2, 2, 3, 4)
    told = {"a": torch.rand(2), "map": torch.rand(2, 5, 3, 4), "b": torch.rand(2, 3, 4)}
    stacked = automaton.stack_context(told, state, grid)
    assert stacked.shape == (2, 3, 4, 7)
    assert torch.equal(stacked[..., 0], told["a"][:, None, None].expand(2, 3, 4))
    assert torch.equal(stacked[..., 1:6], told["map"].movedim(1, -1))
    assert torch.equal(stacked[..., 6], told["b"])
    with pytest.raises(BadInputError, match="of a feature map"):
        automaton.stack_context({**told, "map": torch.rand(2, 5, 4, 4)}, state, grid)


def test_a_bound_cell_is_cut_down_to_some_of_the_batch(cell, generator):
    state, injected = torch.randn(2, 4, 3, 5, 5, generator=generator, dtype=torch.float64)
    step, chosen = cell.bind(Grid.uniform(5, 1.0), {"injected": injected}), torch.tensor([3, 1])
    torch.testing.assert_close(step.select(chosen)(state[chosen]), step(state)[chosen])
