"""Solving on all cores: one process per core, each with one thread, each solving whole batches.

Who solves a batch changes no bit of it. A process that dies costs the batch it was at, which another one
tries once more.
"""

import json
import os
import pickle
import signal
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path

from ..recipe import Recipe
from .parts import Batch, Listener, read_part
from .worker import PROGRAM

NUM_TRIES = 2
"""How often a batch is begun before it is reported as lost."""


def num_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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


class _Worker:
    """A running process, and the batch it is at."""

    def __init__(self, recipe: Recipe) -> None:
        self.connection, theirs = Pipe()
        single = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", PROGRAM, json.dumps(sys.path), str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.PIPE,  # never written to: it closes when this process ends, in any way
                stdout=subprocess.DEVNULL,
                env={**os.environ, **single},
                process_group=0,  # Ctrl-C is for this process, which then ends the workers
            )
        self.batch: Batch | None = None
        self._greeting = [_script_of(recipe), recipe]

    def begin(self, batch: Batch) -> None:
        """Hand out a batch; a process that is gone is noticed when its answer is awaited."""
        self.batch = batch
        try:
            for item in (*self._greeting, batch):
                self.connection.send(item)
        except (BrokenPipeError, ConnectionResetError):
            pass
        self._greeting = []

    def end(self, grace: float = 0.0) -> int:
        """End the process, after some seconds of grace, and tidy up after it; return its exit status."""
        try:
            status = self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.connection.close()
        if self.batch is not None:
            for left in self.batch.part.parent.glob(f".*.{self.process.pid}.partial"):
                left.unlink(missing_ok=True)
        return status


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
    return _Crew(recipe, batches, num_workers, listener).run()


class _Crew:
    def __init__(
        self, recipe: Recipe, batches: Sequence[Batch], num_workers: int, listener: Listener
    ) -> None:
        self._recipe = recipe
        self._queue = deque(batches)
        self._num_workers = num_workers
        self._listener = listener
        self._workers: dict[Connection, _Worker] = {}
        self._tries: Counter[Batch] = Counter()
        self._lost: dict[Batch, str] = {}
        self._deaths_in_a_row = 0
        self._last_death = ""

    def run(self) -> dict[Batch, str]:
        self._listener.tell(f"starting {min(self._num_workers, len(self._queue))} worker processes")
        try:
            while self._queue or any(worker.batch for worker in self._workers.values()):
                self._hand_out()
                busy = [connection for connection, worker in self._workers.items() if worker.batch]
                for connection in wait(busy):
                    assert isinstance(connection, Connection), "we wait for pipes only"
                    self._hear(self._workers[connection])
                if self._deaths_in_a_row > 2 * self._num_workers:
                    why = f"not tried any more after a worker {self._last_death}"
                    return {**self._lost, **dict.fromkeys(self._unfinished(), why)}
        finally:
            for worker in self._workers.values():
                worker.end()
        return self._lost

    def _unfinished(self) -> list[Batch]:
        return [*self._queue, *(worker.batch for worker in self._workers.values() if worker.batch)]

    def _hand_out(self) -> None:
        idle = [worker for worker in self._workers.values() if worker.batch is None]
        while self._queue and (idle or len(self._workers) < self._num_workers):
            worker = idle.pop() if idle else _Worker(self._recipe)
            self._workers[worker.connection] = worker
            batch = self._queue.popleft()
            self._tries[batch] += 1
            worker.begin(batch)

    def _hear(self, worker: _Worker) -> None:
        batch = worker.batch
        assert batch is not None, "only busy workers are heard"
        try:
            kind, value = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            self._bury(worker, batch)
            return
        if kind == "frame":
            self._listener.frame(batch, value)
        elif kind == "solved":
            self._finish(worker, batch, value)
        else:
            raise value

    def _finish(self, worker: _Worker, batch: Batch, num_dead: int) -> None:
        worker.batch = None
        self._deaths_in_a_row = 0
        self._listener.solved(batch, num_dead)

    def _bury(self, worker: _Worker, batch: Batch) -> None:
        """A process is gone: its batch goes to the end of the queue, or is lost if that happened before."""
        del self._workers[worker.connection]
        self._last_death = how = _in_words(worker.end(grace=5.0))
        if batch.part.exists():  # it was saved, and only the word of it got lost
            self._finish(worker, batch, int(read_part(batch.part, "num_dead")))
            return
        self._deaths_in_a_row += 1
        self._listener.dropped(batch)
        if self._tries[batch] < NUM_TRIES:
            self._queue.append(batch)
            self._listener.tell(f"a worker {how}, {batch} is tried once more")
        else:
            self._lost[batch] = f"its worker {how}"
            self._listener.tell(f"a worker {how}, {batch} is left out")


def _in_words(status: int) -> str:
    if status >= 0:
        return f"left with exit code {status}"
    name = signal.Signals(-status).name
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
