"""A process that solves batches for another one and writes the part files itself."""

import runpy
import sys
from multiprocessing.connection import Connection

from pdenca.core import BadInputError
from pdenca.core.helpers import help_caller, helper_program

from .parts import Batch, save, solve

PROGRAM = helper_program("pdenca.datasets.generation.worker", "work")

_is_worker = False


def refuse_inside_worker() -> None:
    """Refuse to make a dataset while a worker looks up a recipe's class in the caller's script."""
    if _is_worker:
        raise BadInputError(
            "the script that defines the recipe makes a dataset when it is imported, and the workers import "
            "it; usual cure: put the call under `if __name__ == '__main__':`, or pass num_workers=1"
        )


def work(pipe: int) -> None:
    """Solve batches until the other process hangs up.

    Messages to it: ``("frame", number)``, ``("solved", num_dead)``, ``("failed", error)``.

    Arguments:
        pipe: number of an open file, one end of a two-way pipe. From it come the path of the script in which
            the recipe's class is defined (or None), the recipe, and batches.
    """
    global _is_worker
    _is_worker = True
    help_caller(pipe, _serve)


def _serve(connection: Connection) -> None:
    script = connection.recv()
    if script is not None:
        _be_script(script)
    recipe = connection.recv()
    while True:
        batch: Batch = connection.recv()

        def each(number: int) -> None:
            connection.send(("frame", number))

        solution = solve(recipe, batch, "cpu", each)
        if batch.part.parent.is_dir():  # else somebody else finished the file and tidied up
            save(batch, solution)
        connection.send(("solved", solution.num_dead))


def _be_script(path: str) -> None:
    """Make the classes of the caller's script known under ``__main__``, as multiprocessing does."""
    module = sys.modules["__main__"]
    module.__dict__.update(runpy.run_path(path, run_name="__mp_main__"))
