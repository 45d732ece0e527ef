"""Some states at a time, each batch with the map that belongs to it."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, Step
from pdenca.equilibrium import RowMap, Selectable


def batches(
    step: Step, states: Float[Tensor, "start channel *space"], batch_size: int
) -> Iterator[tuple[slice, RowMap]]:
    """Yield which states are in a batch, and the map on their rows.

    A step that holds something per sample, such as a parameter for each, is cut down to the batch by its
    ``select``; one without it gets every batch as it is.

    Arguments:
        step: deterministic.
        states: float32 or float64.
        batch_size: states that are stepped together.

    Raises:
        BadInputError: for a batch size below 1, and whatever :class:`~pdenca.equilibrium.RowMap` refuses: a
            step that draws random numbers, changes its argument, or returns other shapes or types.
    """
    if batch_size < 1:
        raise BadInputError(f"got batch_size {batch_size}; expected at least 1; usual cure: 64")
    for first in range(0, max(len(states), 1), batch_size):
        chosen = slice(first, min(first + batch_size, len(states)))
        part = states[chosen]
        if len(part) < len(states) and isinstance(step, Selectable):
            indices = torch.arange(chosen.start, chosen.stop, device=states.device)
            yield chosen, RowMap(step.select(indices), part)
        else:
            yield chosen, RowMap(step, part)
