"""Starts at the edge of what a rule bears, and rules without their smallest weights."""

import math

import pytest
import torch

from pdenca.automaton import Automaton, FixedKernels, HiddenChannels, Increment, LocalRule
from pdenca.core import BadInputError
from pdenca.solvers import Grid
from pdenca.tasks.images import find_change, pruned
from pdenca.tasks.images.series import Series


class Switch(LocalRule):
    """Every cell follows the mean of two: it goes to 1 from above 1/2, and to 0 from below."""

    def forward(self, features, parameters):
        return features * (1 - features) * (2 * features - 1)


@pytest.fixture
def switch():
    return Automaton(
        FixedKernels(1, ("identity",)), Switch(), Increment(), HiddenChannels(1, 0), time_step=0.3
    )


@pytest.fixture
def series():
    """A square that was there all the time."""
    frames = torch.zeros(1, 2, 1, 6, 6)
    frames[:, :, :, 2:4, 2:4] = 1
    return Series(frames, (0.0, 1.0), Grid.uniform(6, 1.0, "no-flux"), ("intensity",))


def test_the_smallest_change_that_breaks(switch, series):
    """One of the four cells has to cross 1/2 for an error of 1/4: a change of 1/2, of a start of norm 2."""
    found = find_change(switch, series, 16, "break", threshold=0.1, num_steps=40, num_halvings=10)
    assert found.error > 0.1
    assert 0.24 < found.size < 0.36
    assert (found.start - series.frames[0, 0]).norm() == pytest.approx(2 * found.size, rel=1e-4)
    assert found.again == pytest.approx(found.error), "it always fires"
    assert found.random < 0.1, "a random change of that size does no harm"


def test_the_largest_change_that_does_not(switch, series):
    """Cells outside the box of the last frame may be anything: there is always a larger one that is kept."""
    found = find_change(switch, series, 20, "keep", threshold=0.1, num_steps=40, num_halvings=8)
    assert found.error <= 0.1
    assert found.size > 0.5
    with torch.no_grad():
        end = switch.advance(found.start[None], {}, series.grid, 20)
    assert float((end[0, 0, 2:4, 2:4] - 1).square().mean()) == pytest.approx(found.error, abs=1e-6)


def test_what_nothing_breaks(series):
    """A rule that shows the square whatever it is given."""

    class Painter(LocalRule):
        def forward(self, features, parameters):
            return series.frames[0, -1, 0][None, ..., None] - features + 0 * features

    rule = Automaton(
        FixedKernels(1, ("identity",)), Painter(), Increment(), HiddenChannels(1, 0), time_step=1.0
    )
    found = find_change(rule, series, 3, "break", num_steps=3, num_halvings=2)
    assert found.size == math.inf
    assert torch.equal(found.start, series.frames[0, 0])


def test_an_outcome_that_is_not_reached_cannot_be_broken(switch, series):
    frames = series.frames.clone()
    frames[:, 1] = 1 - frames[:, 1]
    other = Series(frames, series.times, series.grid, series.channels)
    with pytest.raises(BadInputError, match="no outcome to break"):
        find_change(switch, other, 3)


def test_the_smallest_weights_go_first():
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters(), 1):
            values = torch.arange(1, parameter.numel() + 1) + 10.0 * number
            parameter.copy_((values * (-1) ** torch.arange(parameter.numel())).view_as(parameter))
        model[0].bias.zero_()
    found = pruned(model, 0.5)  # of ten that are not zero, the six of the first layer are smallest
    assert [int((parameter == 0).sum()) for parameter in found.parameters()] == [5, 3, 0, 0]
    assert model[0].weight.abs().min() > 0, "the rule itself is not changed"
    assert all(
        torch.equal(a, b) for a, b in zip(pruned(model, 0.0).parameters(), model.parameters(), strict=True)
    )
    assert not any(bool(parameter.any()) for parameter in pruned(model, 1.0).parameters())
    with pytest.raises(BadInputError, match="from 0 to 1"):
        pruned(model, 1.5)
