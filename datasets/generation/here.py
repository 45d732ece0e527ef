"""Solving in this process, one batch after the other."""

from collections import deque
from collections.abc import Callable, Sequence

import torch

from ..recipe import Recipe
from .parts import Batch, Listener, save, solve


class _WorthMoreError(Exception):
    """Raised between two frames to give up a batch."""


def solve_here(
    recipe: Recipe,
    batches: Sequence[Batch],
    device: torch.device,
    listener: Listener,
    is_long: Callable[[], bool] | None = None,
) -> list[Batch]:
    """Solve batches in this process, on one thread.

    Arguments:
        recipe: whose batches they are.
        batches: what to solve.
        device: where.
        listener: told of every frame.
        is_long: asked after each frame whether to give up, so that others can do the rest; None never does.

    Returns:
        The batches that were given up; the one under way was not saved.
    """
    queue = deque(batches)
    while queue:
        batch = queue[0]

        def each(number: int, batch: Batch = batch) -> None:
            listener.frame(batch, number)
            if is_long is not None and len(queue) > 1 and is_long():
                raise _WorthMoreError

        try:
            solution = solve(recipe, batch, device, each)
        except _WorthMoreError:
            listener.dropped(batch)
            break
        save(batch, solution)
        queue.popleft()
        listener.solved(batch, solution.num_dead)
    return list(queue)
