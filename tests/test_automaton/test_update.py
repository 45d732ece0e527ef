"""Updates and the masks that say which cells fire."""

import pytest
import torch

from pdenca.automaton import Increment, Leaky, Replace, Saturate
from pdenca.core import BadInputError
from pdenca.solvers import Grid

GRID = Grid.uniform((40, 50), 1.0)


def test_increment_adds_the_rate_times_the_step():
    state, proposal = torch.rand(2, 1, 4, 4, 3, dtype=torch.float64)
    mask = (torch.rand(1, 4, 4, 1) < 0.5).double()
    torch.testing.assert_close(Increment()(state, proposal, None, 0.25), state + 0.25 * proposal)
    found = Increment(0.5)(state, proposal, mask, 0.25)
    torch.testing.assert_close(found, torch.where(mask > 0, state + 0.25 * proposal, state))


def test_replace_takes_the_proposal_where_a_cell_fires():
    state, proposal = torch.rand(2, 1, 4, 4, 3)
    mask = (torch.rand(1, 4, 4, 1) < 0.5).float()
    assert torch.equal(Replace()(state, proposal, None, 0.25), proposal)
    assert torch.equal(Replace(0.5)(state, proposal, mask, 9.0), torch.where(mask > 0, proposal, state))


def test_a_leaky_state_forgets_and_stays_bounded():
    state, proposal = torch.randn(2, 1, 4, 4, 3, dtype=torch.float64)
    mask = (torch.rand(1, 4, 4, 1) < 0.5).double()
    torch.testing.assert_close(Leaky(0.2)(state, proposal, None, 0.5), 0.8 * state + 0.5 * proposal)
    found = Leaky(0.2, 0.5)(state, proposal, mask, 0.5)
    torch.testing.assert_close(found, torch.where(mask > 0, 0.8 * state + 0.5 * proposal, state))
    torch.testing.assert_close(Leaky(1.0)(state, proposal, None, 1.0), Replace()(state, proposal, None, 1.0))
    driven = 100 * state
    for _ in range(200):
        driven = Leaky(0.2)(driven, proposal.tanh(), None, 1.0)
    torch.testing.assert_close(driven, proposal.tanh() / 0.2)
    for leak in (0.0, 1.5):
        with pytest.raises(BadInputError, match="leak must be above 0 and at most 1"):
            Leaky(leak)


def test_saturated_states_stay_within_one_and_remember_a_sign():
    state, proposal = torch.randn(2, 1, 4, 4, 3, dtype=torch.float64)
    mask = (torch.rand(1, 4, 4, 1) < 0.5).double()
    torch.testing.assert_close(Saturate()(state, proposal, None, 0.5), (state + proposal / 2).tanh())
    found = Saturate(0.5)(state, proposal, mask, 0.5)
    torch.testing.assert_close(found, torch.where(mask > 0, (state + proposal / 2).tanh(), state))
    driven = 0.1 * state
    for _ in range(60):  # z = tanh(2 z) has a root on either side
        driven = Saturate()(driven, driven, None, 1.0)
    torch.testing.assert_close(driven, 0.9575040240772687 * state.sign())


@pytest.mark.parametrize("fire_rate", [0.1, 0.5, 0.9])
def test_as_many_cells_fire_as_the_rate_says(fire_rate, generator, dtype):
    update = Increment(fire_rate)
    assert not update.deterministic
    mask = update.sample_mask(5, GRID, generator, torch.zeros(1, dtype=dtype))
    assert mask.shape == (5, 40, 50, 1)
    assert mask.dtype == dtype
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    deviation = (fire_rate * (1 - fire_rate) / mask.numel()) ** 0.5
    assert abs(float(mask.mean()) - fire_rate) < 5 * deviation


def test_masks_are_those_of_the_generator():
    update = Increment(0.5)

    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        return [update.sample_mask(1, GRID, generator, torch.zeros(1)) for _ in range(2)]

    first, again, other = draw(1), draw(1), draw(2)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize("fire_rate", [0.0, -0.1, 1.5, float("nan")])
def test_impossible_rates_are_refused(fire_rate):
    with pytest.raises(BadInputError, match="fire rate must be above 0 and at most 1"):
        Increment(fire_rate)
