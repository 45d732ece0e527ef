"""Who does the jobs: this process, or one process per core."""

import time
from collections.abc import Sequence
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Protocol, runtime_checkable

import torch

from pdenca.core.crew import Crew
from pdenca.core.helpers import help_caller, helper_program

from .jobs import Job, Tell
from .record import Record
from .work import do, lost

PROGRAM = helper_program("pdenca.tasks.sweep.crew", "help_sweep")
TOLD, DONE = "told", "done"
TELL_EVERY = 0.5
"""Seconds between two messages of a worker about where it is."""


@runtime_checkable
class Listener(Protocol):
    """Who wants to know how the jobs go."""

    def moved(self, job: Job, share: float | int, message: str) -> None:
        """So much of a job is done."""
        ...

    def ended(self, job: Job, record: Record) -> None:
        """A job is done, or will not be."""
        ...

    def dropped(self, job: Job, how: str) -> None:
        """The process of a job ended in this way; the job is tried once more."""
        ...


def do_here(jobs: Sequence[Job], listener: Listener) -> None:
    """Do jobs in this process, one after the other, on one thread, as worker processes have."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for job in jobs:
            listener.ended(job, do(job, partial(listener.moved, job)))
    finally:
        torch.set_num_threads(num_threads)


def do_with_processes(jobs: Sequence[Job], num_workers: int, listener: Listener) -> None:
    """Do jobs in processes of their own, one thread each; the numbers are those of :func:`do_here`.

    A process that dies costs nothing but time: its job is tried once more from its last checkpoint, and is
    recorded as failed if that process dies too.

    Raises:
        OSError: what :func:`~pdenca.tasks.sweep.work.do` raises, at once; what is saved stays.
        PdencaError: likewise.
    """
    for job, how in _Crew(jobs, num_workers, listener).run().items():
        listener.ended(job, lost(job, how))


class _Crew(Crew[Job]):
    def __init__(self, jobs: Sequence[Job], num_workers: int, listener: Listener) -> None:
        super().__init__(PROGRAM, jobs, num_workers)
        self.listener = listener

    def hear(self, item: Job, kind: str, value: Any) -> bool:  # noqa: ANN401
        if kind == TOLD:
            self.listener.moved(item, *value)
        else:
            self.listener.ended(item, value)
        return kind == DONE

    def finished_by_the_dead(self, item: Job) -> bool:
        record = item.record()
        if record is None or record.status == "failed":  # perhaps by an earlier sitting
            return False
        self.listener.ended(item, record)
        return True

    def dropped(self, item: Job, how: str, again: bool) -> None:
        if again:
            self.listener.dropped(item, how)

    def tidy(self, item: Job, pid: int) -> None:
        for place in (item.run, item.path.parent):
            for left in place.glob(f".*.{pid}.partial"):
                left.unlink(missing_ok=True)


def help_sweep(pipe: int) -> None:
    """Do jobs for another process until it hangs up; see :func:`~pdenca.core.helpers.help_caller`."""
    help_caller(pipe, _serve)


def _serve(connection: Connection) -> None:
    while True:
        job: Job = connection.recv()
        connection.send((DONE, do(job, now_and_then(lambda *now: connection.send((TOLD, now))))))


def now_and_then(tell: Tell) -> Tell:
    """Return what passes on a message where the last one was passed on long enough ago."""
    told = -TELL_EVERY

    def pass_on(share: float | int, message: str) -> None:
        nonlocal told
        if time.monotonic() - told >= TELL_EVERY:
            told = time.monotonic()
            tell(share, message)

    return pass_on
