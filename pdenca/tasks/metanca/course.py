"""What becomes of networks whose weights go on being updated, and are zeroed on the way."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdenca.core import BadInputError, device_of
from pdenca.datasets.tables import Examples
from pdenca.training import step_generator
from pdenca.training.objectives import zero_out

from .model import Writer

NEAR = 1.1
"""Times the least cross-entropy that still counts as near it."""


@dataclass(frozen=True, eq=False)
class Course:
    """Networks over local updates, before the first one and after some of them.

    Arguments:
        updates: how many had been made.
        accuracy: share of examples told right, of every sample.
        cross_entropy: likewise.
    """

    updates: Int[Tensor, " time"]
    accuracy: Float[Tensor, "time sample"]
    cross_entropy: Float[Tensor, "time sample"]

    def stays(self) -> tuple[Int[Tensor, " sample"], Int[Tensor, " sample"]]:
        """Return when every sample is best, and how many updates it then stays within 10 % of that.

        The stay ends with the first look at which the cross-entropy is more than 1.1 times its least.
        """
        best, place = self.cross_entropy.min(0)
        later = torch.arange(len(self.updates))[:, None] >= place
        gone = later & (self.cross_entropy > NEAR * best)
        last = torch.where(gone.any(0), gone.int().argmax(0) - 1, len(self.updates) - 1)
        return self.updates[place], self.updates[last] - self.updates[place]


@torch.no_grad()
def follow(
    bound: Writer,
    examples: Examples,
    *,
    num_updates: int,
    every: int = 1,
    early: int = 0,
    num_samples: int = 100,
    zero_outs: tuple[int, ...] = (),
    damage: float = 0.3,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Course:
    """Update fresh networks for long, and look at them now and then.

    Arguments:
        bound: the rule, and one network.
        examples: to judge by, standardised.
        num_updates: local updates.
        every: between two looks.
        early: the first so many updates are all looked at.
        num_samples: networks.
        zero_outs: before the update after these counts, one layer and a share of the other weights are
            zeroed, see :func:`~pdenca.training.objectives.zero_out`.
        damage: this share.
        seed: of starts, firing and damage.
        progress: called with (updates made, all).

    Raises:
        BadInputError: for several networks, or counts that do not fit.
    """
    if len(bound.lattice.networks) != 1:
        raise BadInputError(f"one network is followed at a time, got {len(bound.lattice.networks)}")
    if num_updates < 1 or every < 1 or any(not 0 <= place < num_updates for place in zero_outs):
        raise BadInputError(
            f"expected one update or more, and zero-outs before the last, got {num_updates}, every {every} "
            f"and {list(zero_outs)}"
        )
    generator, hurting = step_generator(seed, "samples"), step_generator(seed, "zero-outs")
    states, examples = bound.begin(num_samples, generator), examples.to(device_of(bound.automaton))
    looks = [(0, *_look(bound, states, examples))]
    for done in range(num_updates):
        if done in zero_outs:
            states = zero_out(states, bound.lattice, damage, hurting)
        states = bound.advance(states, 1, generator)
        if done < early or (done + 1) % every == 0 or done + 1 == num_updates:
            looks.append((done + 1, *_look(bound, states, examples)))
        if progress:
            progress(done + 1, num_updates)
    updates, accuracy, losses = zip(*looks, strict=True)
    return Course(torch.tensor(updates), torch.stack(accuracy), torch.stack(losses))


def _look(bound: Writer, states: Tensor, examples: Examples) -> tuple[Tensor, Tensor]:
    scores = bound.scores(states, examples.inputs, 0)
    labels = examples.labels.expand(len(states), -1)
    losses = torch.nn.functional.cross_entropy(scores.movedim(-1, 1), labels, reduction="none").mean(1)
    return (scores.argmax(-1) == labels).double().mean(1).cpu(), losses.double().cpu()
