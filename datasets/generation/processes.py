"""Solving on all cores: one process per core, each with one thread, each solving whole batches.

Who solves a batch changes no bit of it. A process that dies costs the batch it was at, which another one
tries once more.
"""

import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pdenca.core.crew import Crew

from ..recipe import Recipe
from .parts import Batch, Listener, read_part
from .worker import PROGRAM


def can_be_sent(recipe: Recipe) -> bool:
    """Tell whether another process can get to know this recipe: its class is in a module or a script."""
    try:
        pickle.dumps(recipe)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return type(recipe).__module__ != "__main__" or _script_of(recipe) is not None


def _script_of(recipe: Recipe) -> str | None:
    """Return the script whose classes a worker must know, if any."""
    if type(recipe).__module__ != "__main__":
        return None
    path = getattr(sys.modules["__main__"], "__file__", None)
    return str(Path(path).resolve()) if path else None


def solve_with_processes(
    recipe: Recipe, batches: Sequence[Batch], num_workers: int, listener: Listener
) -> dict[Batch, str]:
    """Solve batches in processes of their own.

    Arguments:
        recipe: whose batches they are.
        batches: what to solve.
        num_workers: how many processes.
        listener: told of every frame, in this process.

    Returns:
        The batches that were lost with their processes, and how these ended; empty if all is well.

    Raises:
        PdencaError: whatever a batch raises, at once; what is saved stays.
    """
    listener.tell(f"starting {min(num_workers, len(batches))} worker processes")
    return _Crew(recipe, batches, num_workers, listener).run()


class _Crew(Crew[Batch]):
    def __init__(
        self, recipe: Recipe, batches: Sequence[Batch], num_workers: int, listener: Listener
    ) -> None:
        super().__init__(PROGRAM, batches, num_workers, [_script_of(recipe), recipe])
        self._listener = listener

    def hear(self, item: Batch, kind: str, value: Any) -> bool:  # noqa: ANN401
        if kind == "frame":
            self._listener.frame(item, value)
        else:
            self._listener.solved(item, value)
        return kind == "solved"

    def finished_by_the_dead(self, item: Batch) -> bool:
        if not item.part.exists():
            return False
        self._listener.solved(item, int(read_part(item.part, "num_dead")))
        return True

    def dropped(self, item: Batch, how: str, again: bool) -> None:
        self._listener.dropped(item)
        fate = "is tried once more" if again else "is left out"
        self._listener.tell(f"a worker {how}, {item} {fate}")

    def tidy(self, item: Batch, pid: int) -> None:
        for left in item.part.parent.glob(f".*.{pid}.partial"):
            left.unlink(missing_ok=True)
