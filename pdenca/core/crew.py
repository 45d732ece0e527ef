"""Many items of work, handed to helpers one at a time each."""

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Generic, TypeVar

from .helpers import FAILED, Helper, status_in_words

Item = TypeVar("Item")


class _Worker(Helper, Generic[Item]):
    """A running helper, and the item it is at."""

    def __init__(self, program: str, greeting: Sequence[object]) -> None:
        super().__init__(program)
        self.item: Item | None = None
        self._greeting = greeting

    def begin(self, item: Item) -> None:
        self.item = item
        self.send(*self._greeting, item)
        self._greeting = ()


class Crew(ABC, Generic[Item]):
    """Helpers that share items among them.

    A helper that dies costs the item it was at, which another one tries once more. Subclasses say what a
    message means and what a death leaves behind.

    Arguments:
        program: of the helpers, see :func:`~pdenca.core.helpers.helper_program`.
        items: what is to be done; hashable, and such that pickle can carry them.
        num_helpers: at most so many processes.
        greeting: what a helper is sent before its first item.
    """

    NUM_TRIES: Final = 2
    """How often an item is begun before it counts as lost."""

    def __init__(
        self, program: str, items: Sequence[Item], num_helpers: int, greeting: Sequence[object] = ()
    ) -> None:
        self._program, self._greeting, self._num_helpers = program, greeting, num_helpers
        self._queue = deque(items)
        self._workers: dict[Connection, _Worker[Item]] = {}
        self._tries: Counter[Item] = Counter()
        self._lost: dict[Item, str] = {}
        self._deaths_in_a_row = 0
        self._last_death = ""

    @abstractmethod
    def hear(self, item: Item, kind: str, value: Any) -> bool:  # noqa: ANN401
        """Take note of a message about an item; return whether it was the last one, so that all is done."""

    @abstractmethod
    def finished_by_the_dead(self, item: Item) -> bool:
        """Return whether an item is done, of whose helper only the last word got lost; take note if it is."""

    @abstractmethod
    def dropped(self, item: Item, how: str, again: bool) -> None:
        """Take note that the helper of an item ended in this way, and whether it is tried again."""

    @abstractmethod
    def tidy(self, item: Item, pid: int) -> None:
        """Remove what a process that was ended at this item may have left half-written."""

    def run(self) -> dict[Item, str]:
        """Do all items.

        Returns:
            The items that were lost with their helpers, and how these ended; empty if all is well.

        Raises:
            BaseException: what a helper hands over as failed, at once; the other helpers are ended.
        """
        try:
            while self._queue or any(worker.item is not None for worker in self._workers.values()):
                self._hand_out()
                busy = [place for place, worker in self._workers.items() if worker.item is not None]
                for connection in wait(busy):
                    assert isinstance(connection, Connection), "we wait for pipes only"
                    self._listen(self._workers[connection])
                if self._deaths_in_a_row > 2 * self._num_helpers:
                    why = f"not tried any more after a worker {self._last_death}"
                    return {**self._lost, **dict.fromkeys(self._unfinished(), why)}
        finally:
            for worker in self._workers.values():
                self._end(worker)
        return self._lost

    def _unfinished(self) -> list[Item]:
        at_work = [worker.item for worker in self._workers.values() if worker.item is not None]
        return [*self._queue, *at_work]

    def _hand_out(self) -> None:
        idle = [worker for worker in self._workers.values() if worker.item is None]
        while self._queue and (idle or len(self._workers) < self._num_helpers):
            worker = idle.pop() if idle else _Worker[Item](self._program, self._greeting)
            self._workers[worker.connection] = worker
            item = self._queue.popleft()
            self._tries[item] += 1
            worker.begin(item)

    def _listen(self, worker: _Worker[Item]) -> None:
        item = worker.item
        assert item is not None, "only busy workers are heard"
        try:
            kind, value = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            self._bury(worker, item)
            return
        if kind == FAILED:
            raise value
        if self.hear(item, kind, value):
            worker.item = None
            self._deaths_in_a_row = 0

    def _bury(self, worker: _Worker[Item], item: Item) -> None:
        """A process is gone: its item goes to the end of the queue, or is lost if that happened before."""
        del self._workers[worker.connection]
        self._last_death = how = status_in_words(self._end(worker, grace=5.0))
        if self.finished_by_the_dead(item):
            self._deaths_in_a_row = 0
            return
        self._deaths_in_a_row += 1
        again = self._tries[item] < self.NUM_TRIES
        if again:
            self._queue.append(item)
        else:
            self._lost[item] = f"its worker {how}"
        self.dropped(item, how, again)

    def _end(self, worker: _Worker[Item], grace: float = 0.0) -> int:
        status = worker.end(grace)
        if worker.item is not None:
            self.tidy(worker.item, worker.process.pid)
        return status
