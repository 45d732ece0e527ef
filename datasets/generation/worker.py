"""A process that solves batches for another one and writes the part files itself.

It is started as ``python -c`` and not by multiprocessing, which would run the caller's script a second time:
so :func:`pdenca.datasets.generate` works in scripts and notebooks as it is, also inside other processes.
"""

import os
import pickle
import runpy
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any

import torch

from pdenca.core import BadInputError

from .parts import Batch, save, solve

PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from pdenca.datasets.generation.worker import work; work(int(sys.argv[2]))"
)
"""What the process runs; its arguments are the caller's ``sys.path`` and the number of the pipe's file."""

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
    threading.Thread(target=_leave_with_the_caller, daemon=True).start()
    torch.set_num_threads(1)
    connection = Connection(pipe)
    try:
        _serve(connection)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except BaseException as error:
        connection.send(("failed", sendable(error)))


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


def _leave_with_the_caller() -> None:
    """Wait until the caller is gone, however it went: its end of our standard input closes then."""
    sys.stdin.buffer.read()
    os._exit(1)


def sendable(error: BaseException) -> BaseException:
    """Return an error that pickle can carry, with the trace as a note."""
    error.add_note("in a worker process:\n" + "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        other: Any = RuntimeError(f"{type(error).__name__}: {error}")
        other.add_note(error.__notes__[-1])
        return other  # type: ignore[no-any-return]
    return error
