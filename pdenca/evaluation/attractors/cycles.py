"""Cycles caught at the same place."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import Step

from .batches import batches


@torch.no_grad()
def in_phase(
    step: Step,
    states: Float[Tensor, "start channel *space"],
    periods: Sequence[int | None],
    *,
    batch_size: int = 64,
) -> Float[Tensor, "start channel *space"]:
    """Return of every cycle that of its states that lies farthest along a direction, the same for all.

    Two roll-outs that end in one cycle are as a rule caught in different phases of it, which are as far apart
    as states of different cycles. In phase they are the same.

    Arguments:
        step: deterministic.
        states: one of each cycle, such as the last ones of :func:`~.follow_to_end`.
        periods: of the cycles (steps); a state whose period is 1 or None is returned as it is.
        batch_size: states that are stepped together.

    Raises:
        BadInputError: for a step that draws random numbers or changes its argument.

    Limits of validity: the direction is drawn at random, but once; where two phases of a cycle lie equally
    far along it, rounding decides between them.
    """
    longest = torch.tensor([period or 1 for period in periods])
    if not bool((longest > 1).any()):
        return states
    direction = torch.randn(
        states[0].numel(), generator=torch.Generator().manual_seed(0), dtype=torch.float64
    ).to(states.device)
    found = []
    for chosen, map in batches(step, states, batch_size):
        own = longest[chosen].to(states.device)
        rows = best = map.rows(states[chosen])
        farthest = rows.double() @ direction
        for number in range(1, int(own.max())):
            rows = map(rows)
            along = rows.double() @ direction
            better = (along > farthest) & (number < own)
            best = torch.where(better[:, None], rows, best)
            farthest = torch.where(better, along, farthest)
        found.append(map.states(best))
    return torch.cat(found)
