"""Hidden channels, and the pool of states that training passes on."""

import pytest
import torch

from pdenca.automaton import HiddenChannels
from pdenca.automaton.pool import PropagationPool
from pdenca.core import BadInputError, Codec


@pytest.fixture
def frames(generator):
    """3 trajectories of 5 frames, 2 fields, 4 x 3 cells."""
    return torch.rand(3, 5, 2, 4, 3, generator=generator)


@pytest.mark.parametrize("num_hidden", [0, 3])
def test_hidden_channels_follow_the_observed_ones_and_start_empty(num_hidden, frames):
    codec = HiddenChannels(2, num_hidden)
    assert isinstance(codec, Codec)
    state = codec.lift(frames)
    assert state.shape == (3, 2 + num_hidden, 4, 3)
    assert torch.equal(state[:, :2], frames[:, -1])
    assert not state[:, 2:].any()
    assert torch.equal(codec.observe(state + 1), frames[:, -1] + 1)


def test_the_wrong_number_of_fields_is_refused(frames):
    with pytest.raises(BadInputError, match="have 2 fields, the automaton observes 3"):
        HiddenChannels(3).lift(frames)


def test_a_pool_starts_with_the_truth(frames):
    pool = PropagationPool(frames, HiddenChannels(2, 1))
    assert len(pool) == 3 * 4
    state, target, trajectory = pool.draw(torch.tensor([0, 6, 11]))  # (0, 0), (1, 2), (2, 3)
    assert trajectory.tolist() == [0, 1, 2]
    assert torch.equal(state[:, :2], frames[[0, 1, 2], [0, 2, 3]])
    assert not state[:, 2:].any()
    assert torch.equal(target, frames[[0, 1, 2], [1, 3, 4]])


def test_outputs_become_the_inputs_of_the_following_pairs(frames):
    pool = PropagationPool(frames, HiddenChannels(2, 1))
    truth = pool.states.clone()
    indices = torch.tensor([4, 6, 7])  # trajectory 1: pairs 0, 2 and the last one
    outputs = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 3, 4, 3) + 10
    pool.put_back(indices, outputs, reset=0)
    changed = (pool.states != truth).flatten(2).any(-1).nonzero().tolist()
    assert changed == [[1, 1], [1, 3]]
    assert torch.equal(pool.states[1, 1], outputs[0])
    assert torch.equal(pool.states[1, 3], outputs[1])
    # the last pair's output has nowhere to go, and no pair 0 ever changes
    pool.put_back(torch.arange(12), torch.full((12, 3, 4, 3), 7.0), reset=2)
    assert torch.equal(pool.states[:, 0], truth[:, 0])
    assert (pool.states[:2, 1:] == 7).all()
    assert torch.equal(pool.states[2], truth[2])
    assert torch.equal(pool.truth, truth)


def test_the_pool_holds_values_not_graphs(frames):
    pool = PropagationPool(frames, HiddenChannels(2))
    pool.put_back(torch.tensor([0]), torch.ones(1, 2, 4, 3, requires_grad=True) * 2, reset=1)
    assert not pool.states.requires_grad


def test_a_single_frame_makes_no_pair(frames):
    with pytest.raises(BadInputError, match="a pair needs two frames, got trajectories of 1"):
        PropagationPool(frames[:, :1], HiddenChannels(2))
