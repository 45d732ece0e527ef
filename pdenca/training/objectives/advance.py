"""One stored frame of any model, with the penalty on leaving the range of the data."""

import torch
from torch import Tensor

from pdenca.core import Context, Trainable
from pdenca.solvers.grid import Grid

from ..losses import overflow


def advance_frame(
    automaton: Trainable,
    state: Tensor,
    context: Context,
    grid: Grid,
    generator: torch.Generator,
    low: Tensor,
    high: Tensor,
    overflow_weight: float,
    num_penalised: int,
) -> tuple[Tensor, Tensor]:
    """Advance one stored frame; return the new state and the weighted penalty of its first channels."""
    masks = automaton.sample_masks(automaton.steps_per_frame, state.shape[0], grid, generator, state)
    if not overflow_weight:
        return automaton.advance(state, context, grid, automaton.steps_per_frame, masks), state.new_zeros(())
    penalties: list[Tensor] = []
    # watched states have their channels last

    def watch(current: Tensor) -> None:
        penalties.append(overflow(current[..., :num_penalised], low.view(-1), high.view(-1)))

    state = automaton.advance(state, context, grid, automaton.steps_per_frame, masks, watch)
    return state, overflow_weight * torch.stack(penalties).mean()
