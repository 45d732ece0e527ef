"""Processes that work for this one on other cores, each with one thread.

A helper is started as ``python -c`` and not by multiprocessing, which would run the caller's script a second
time: so whatever uses helpers works in scripts and notebooks as it is, also inside other processes.
"""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import torch

FAILED = "failed"
"""Kind of the message with which a helper hands over what it did not expect: ``(FAILED, error)``."""


def num_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def helper_program(module: str, function: str) -> str:
    """Return the program of a helper that calls a function with the number of its end of the pipe.

    Arguments:
        module: where the function is.
        function: its name; it calls :func:`help_caller`.
    """
    return (
        "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
        f"from {module} import {function}; {function}(int(sys.argv[2]))"
    )


class Helper:
    """A running helper.

    Arguments:
        program: what it runs, see :func:`helper_program`; its arguments are this process's ``sys.path`` and
            the number of the pipe's file.

    Attributes:
        connection: our end of the pipe.
        process: the process.
    """

    def __init__(self, program: str) -> None:
        self.connection, theirs = Pipe()
        single = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", program, json.dumps(sys.path), str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.PIPE,  # never written to: it closes when this process ends, in any way
                stdout=subprocess.DEVNULL,
                env={**os.environ, **single},
                process_group=0,  # Ctrl-C is for this process, which then ends its helpers
            )

    def send(self, *items: object) -> None:
        """Send something; that the helper is gone is noticed when its answer is awaited."""
        try:
            for item in items:
                self.connection.send(item)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def end(self, grace: float = 0.0) -> int:
        """End the process, after some seconds of grace; return its exit status."""
        try:
            status = self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.connection.close()
        return status


def status_in_words(status: int) -> str:
    """Say how a process with this exit status has ended."""
    if status >= 0:
        return f"left with exit code {status}"
    name = signal.Signals(-status).name
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def help_caller(pipe: int, serve: Callable[[Connection], None]) -> None:
    """Be a helper: serve until the caller hangs up, on one thread, and leave with it however it goes.

    Arguments:
        pipe: number of an open file, one end of a two-way pipe.
        serve: receives what is to be done from the connection, and sends what becomes of it; what it raises
            is sent as ``(FAILED, error)``.
    """
    threading.Thread(target=_leave_with_the_caller, daemon=True).start()
    torch.set_num_threads(1)
    connection = Connection(pipe)
    try:
        serve(connection)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except BaseException as error:
        connection.send((FAILED, sendable(error)))


def _leave_with_the_caller() -> None:
    """Wait until the caller is gone: its end of our standard input closes then."""
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
