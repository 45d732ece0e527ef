"""Repeating a step and watching it go."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from pdenca.core import BadInputError, Codec, InTurn, LastFrame, Repeated, Step, rollout


@dataclass(frozen=True)
class Decay:
    """x -> x / 2."""

    time_step: float = 0.25
    deterministic: bool = True

    def __call__(self, state: Tensor) -> Tensor:
        return state / 2


@dataclass(frozen=True, eq=False)
class Shift:
    """x -> x + b, with a b for every trajectory."""

    by: Tensor
    time_step: float = 0.5
    deterministic: bool = True

    def __call__(self, state: Tensor) -> Tensor:
        return state + self.by

    def select(self, trajectories: Tensor) -> "Shift":
        return Shift(self.by[trajectories])


@pytest.fixture
def state(small_state):
    return small_state


def test_a_callable_with_the_two_attributes_is_a_step():
    assert isinstance(Decay(), Step)
    assert isinstance(Repeated(Decay(), 2), Step)
    assert not isinstance(torch.nn.Identity(), Step)
    assert isinstance(LastFrame(), Codec)


def test_repeated(state):
    step = Repeated(Decay(), 3)
    assert torch.equal(step(state), state / 8)
    assert step.time_step == 0.75
    assert step.deterministic
    assert not Repeated(Decay(deterministic=False), 3).deterministic


def test_repeated_steps_nest(state):
    step = Repeated(Repeated(Decay(), 2), 3)
    assert torch.equal(step(state), state / 64)
    assert step.time_step == pytest.approx(1.5)


def test_steps_in_turn_are_one_step(state):
    raised = Shift(torch.ones(2, 1, 1, 1))
    step = InTurn((Decay(), raised))
    assert isinstance(step, Step)
    assert torch.equal(step(state), state / 2 + 1)
    assert torch.equal(InTurn((raised, Decay()))(state), (state + 1) / 2)
    assert step.time_step == 0.75
    assert step.deterministic
    assert not InTurn((raised, Decay(deterministic=False))).deterministic
    with pytest.raises(BadInputError, match="expected at least one"):
        InTurn(())


def test_steps_in_turn_are_had_for_some_trajectories(state):
    by = torch.tensor([1.0, 2.0]).view(2, 1, 1, 1)
    second = InTurn((Decay(), Shift(by))).select(torch.tensor([1]))
    assert torch.equal(second(state[1:]), state[1:] / 2 + 2)


def test_rollout_leaves_out_the_initial_state(state):
    frames = rollout(Decay(), state, 3)
    assert frames.shape == (2, 3, 2, 8, 8)
    for number in range(3):
        assert torch.equal(frames[:, number], state / 2 ** (number + 1))


def test_rollout_of_repeated_steps_is_every_nth_frame(state):
    every = rollout(Decay(), state, 6)
    assert torch.equal(rollout(Repeated(Decay(), 2), state, 3), every[:, 1::2])


def test_rollout_observes_without_disturbing_the_state(state):
    frames = rollout(Decay(), state, 2, observe=lambda hidden: hidden[:, :1])
    assert frames.shape == (2, 2, 1, 8, 8)
    assert torch.equal(frames, rollout(Decay(), state, 2)[:, :, :1])


def test_rollout_tells_its_progress(state):
    seen = []
    rollout(Decay(), state, 3, each=seen.append)
    assert seen == [1, 2, 3]


def test_rollout_keeps_what_is_not_finite(state):
    @dataclass(frozen=True)
    class Blowup(Decay):
        def __call__(self, state: Tensor) -> Tensor:
            return state / 0

    assert torch.isinf(rollout(Blowup(), state + 1, 2)).all()


def test_gradients_flow_through_a_rollout(state):
    state.requires_grad_()
    rollout(Decay(), state, 3)[:, -1].sum().backward()
    assert torch.equal(state.grad, torch.full_like(state, 1 / 8))


@pytest.mark.parametrize("num_steps", [0, -1])
def test_too_few_steps_are_refused(state, num_steps):
    with pytest.raises(BadInputError, match=f"at least 1, got {num_steps}"):
        rollout(Decay(), state, num_steps)
    with pytest.raises(BadInputError, match=f"at least 1, got {num_steps}"):
        Repeated(Decay(), num_steps)


def test_last_frame(generator):
    given = torch.rand(2, 4, 3, 8, 8, generator=generator)
    codec = LastFrame()
    assert torch.equal(codec.lift(given), given[:, 3])
    assert torch.equal(codec.observe(given[:, 3]), given[:, 3])
