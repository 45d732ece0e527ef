"""Depth-wise kernels and the rule that mixes what they see."""

import pytest
import torch

from pdenca.automaton import DepthwiseKernels, NormalisedMixing
from pdenca.core import BadInputError
from pdenca.solvers import Grid


@pytest.mark.parametrize(("radius", "multiplier"), [(1, 1), (1, 3), (2, 2)])
def test_on_a_torus_it_is_torch_s_grouped_convolution(generator, radius, multiplier):
    state = torch.randn(2, 9, 7, 4, generator=generator, dtype=torch.float64)
    perception = DepthwiseKernels(4, radius, multiplier, generator=generator).double()
    taps = 2 * radius + 1
    conv = torch.nn.Conv2d(
        4,
        4 * multiplier,
        taps,
        padding=radius,
        padding_mode="circular",
        bias=False,
        groups=4,
        dtype=torch.float64,
    )
    conv.weight = perception.weight
    found = perception(state, Grid((9, 7), (1.0, 1.0), ("periodic", "periodic")))
    torch.testing.assert_close(found, conv(state.movedim(-1, 1)).movedim(1, -1))
    assert found.shape[-1] == perception.num_features == 4 * multiplier


@pytest.mark.parametrize("num_dims", [1, 2, 3])
@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_both_halves_together_are_the_whole(generator, num_dims, boundary):
    perception = DepthwiseKernels(3, 1, 2, num_dims, generator=generator).double()
    grid = Grid.uniform(4, 0.5, boundary, num_dims)
    state = torch.randn(2, *grid.shape, 3, generator=generator, dtype=torch.float64)
    halves = perception.combine(perception.gather(state, grid), 0.5)
    torch.testing.assert_close(halves, perception(state, grid))


@torch.no_grad()
def test_a_channel_does_not_see_another(generator):
    perception = DepthwiseKernels(3, 1, 2, generator=generator)
    state = torch.randn(1, 5, 5, 3, generator=generator)
    grid = Grid.uniform(5, 1.0)
    before = perception(state, grid)
    state[..., 1] += 1
    changed = (perception(state, grid) - before).abs().amax((0, 1, 2)) > 1e-4
    assert changed.tolist() == [False, False, True, True, False, False]


@torch.no_grad()
def test_a_mixed_cell_has_mean_and_size_of_its_own(generator):
    rule = NormalisedMixing(6, 2, 5, generator=generator).double()
    features = 3 * torch.randn(4, 7, 6, generator=generator, dtype=torch.float64) + 1
    told = torch.randn(4, 7, 2, generator=generator, dtype=torch.float64)
    proposal = rule(features, told)
    torch.testing.assert_close(proposal.mean(-1), torch.zeros(4, 7, dtype=torch.float64))
    assert float((proposal.var(-1, correction=0) - 1).abs().max()) < 0.01
    mixed = torch.cat((torch.relu(features), told), -1) @ rule.weight.T
    expected = torch.nn.functional.layer_norm(mixed, (5,))
    torch.testing.assert_close(proposal, expected)
    # nothing is told
    alone = NormalisedMixing(6, 0, 5, generator=generator)
    assert alone(features.float(), torch.zeros(1, 1, 0)).shape == (4, 7, 5)


def test_what_does_not_fit_is_refused():
    with pytest.raises(BadInputError, match="at least one kernel"):
        DepthwiseKernels(3, 1, 0)
    with pytest.raises(BadInputError, match="at least 1 cell"):
        DepthwiseKernels(3, 0)
    with pytest.raises(BadInputError, match="at least two"):
        NormalisedMixing(3, 0, 1)
    with pytest.raises(BadInputError, match="unknown"):
        NormalisedMixing(3, 0, 2, activation="sinus")
