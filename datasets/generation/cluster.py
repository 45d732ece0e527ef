"""Solving on the workers of a dask.distributed cluster that is already there.

A worker that sees the dataset's folder writes its part files there itself; one that does not (no shared file
system) sends the frames back. The cluster begins the batches of a lost worker again elsewhere.
"""

import socket
import time
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pdenca.core import BadInputError, FormatError, IncompleteError
from pdenca.core.helpers import sendable

from ..recipe import Recipe
from .parts import Batch, Listener, Solution, save, solve

if TYPE_CHECKING:
    from distributed import Client, Future

PACKAGES = ("pdenca", "torch", "numpy")
"""Packages whose versions the bits of a part depend on."""

LOOK = "{item.name: item.version for item in __import__('importlib.metadata').metadata.distributions()}"
"""Versions of everything on a worker; asked as a text, because pdenca may be missing there."""

CONNECT_SECONDS = 10.0
POLL_SECONDS = 2.0
SHARED_SECONDS = 90.0
"""How long a file that a worker wrote may take to show up here; network file systems cache what is absent."""


def solve_on_cluster(
    address: str, recipe: Recipe, batches: Sequence[Batch], listener: Listener
) -> dict[Batch, str]:
    """Solve batches on the workers of a cluster.

    Arguments:
        address: of the scheduler, such as ``tcp://host:8786``.
        recipe: whose batches they are.
        batches: what to solve.
        listener: told of every batch that is done.

    Returns:
        The batches that were lost, each after several workers died over it, and why; empty if all is well.

    Raises:
        BadInputError: if ``distributed`` is not installed, nobody answers at the address, or a worker has
            other versions of what computes.
        IncompleteError: if the scheduler goes away.
        PdencaError: whatever a batch raises, at once; what is saved stays.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise BadInputError(
            f"a cluster needs dask.distributed ({error}); usual cure: pip install 'pdenca[cluster]'"
        ) from error
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"no scheduler of dask.distributed answers at {address!r} ({error}); expected an address like "
            "tcp://host:8786; usual cure: start it with `dask scheduler`"
        ) from error
    token = batches[0].part.parents[2] / f".shared-{uuid.uuid4().hex}.partial"
    token.parent.mkdir(parents=True, exist_ok=True)
    token.touch()
    try:
        _require_same_versions(client, listener)
        return _Crew(client, recipe, batches, listener, token.absolute()).run()
    finally:
        token.unlink(missing_ok=True)
        client.close()


def versions() -> dict[str, str]:
    """Return the versions of what computes, as installed here; packages that are not are left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def differences(ours: dict[str, str], theirs: dict[str, str]) -> str:
    """Say in which versions a worker differs from us; empty if in none."""
    return ", ".join(
        f"{name} {theirs.get(name, '(none)')} instead of {ours.get(name, '(none)')}"
        for name in PACKAGES
        if ours.get(name) != theirs.get(name)
    )


def _refuse(worker: str, different: str) -> BadInputError:
    return BadInputError(
        f"the worker {worker} has {different}, so that its trajectories could differ; usual cure: the same "
        "environment on all machines"
    )


def _require_same_versions(client: "Client", listener: Listener) -> None:
    """Ask all workers that are there; later ones are asked when they begin their first batch."""
    while not client.nthreads():
        listener.tell("waiting for the first worker of the cluster")
        time.sleep(POLL_SECONDS / 4)
    for worker, theirs in client.run(eval, LOOK).items():
        different = differences(versions(), theirs)
        if different:
            raise _refuse(worker, different)


def solve_there(
    recipe: Recipe, batch: Batch, ours: dict[str, str], token: Path
) -> tuple[int, Solution | None] | BaseException:
    """Solve a batch on a worker.

    Arguments:
        recipe: whose batch it is.
        batch: which; its part has an absolute path.
        ours: versions of the caller.
        token: a file that the caller made in the dataset's folder.

    Returns:
        How many of its trajectories die, and the solution unless it was saved in the shared folder; or the
        error, as a value: one whose traceback cannot be sent would make the caller wait for ever.
    """
    try:
        different = differences(ours, versions())
        if different:
            raise _refuse(socket.gethostname(), different)
        solution = solve(recipe, batch, "cpu")
        if not _is_shared(token):
            return solution.num_dead, solution
        save(batch, solution)
    except Exception as error:
        return sendable(error)
    return solution.num_dead, None


def _is_shared(token: Path) -> bool:
    """Tell whether the caller's folder is seen from here: whether the file that it made there is."""
    return token.exists()


class _Crew:
    def __init__(
        self, client: "Client", recipe: Recipe, batches: Sequence[Batch], listener: Listener, token: Path
    ) -> None:
        self._client = client
        self._recipe = recipe
        self._queue = deque(batches)
        self._listener = listener
        self._token = token
        self._pending: dict[Future[Any], Batch] = {}
        self._lost: dict[Batch, str] = {}

    def run(self) -> dict[Batch, str]:
        from distributed import wait

        try:
            while self._queue or self._pending:
                self._submit()
                try:
                    with self._client.as_current():
                        wait(list(self._pending), timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
                except TimeoutError:
                    self._tell_waiting()
                for future in [future for future in self._pending if future.done()]:
                    self._take(future)
        finally:
            self._client.cancel(list(self._pending))
        return self._lost

    def _submit(self) -> None:
        """Keep every thread busy and one batch more in reserve, so that frames do not pile up."""
        limit = 2 * max(1, sum(self._client.nthreads().values()))
        while self._queue and len(self._pending) < limit:
            batch = self._queue.popleft()
            there = replace(batch, part=batch.part.absolute())
            future = self._client.submit(
                solve_there, self._recipe, there, versions(), self._token, pure=False
            )
            self._pending[future] = batch

    def _tell_waiting(self) -> None:
        if self._client.status != "running":
            raise IncompleteError(
                f"the scheduler of the cluster is gone ({len(self._pending) + len(self._queue)} batches "
                "missing); what is finished is kept; usual cure: run the same command again"
            )
        count = len(self._client.nthreads())
        self._listener.tell(f"{count} workers" if count else "waiting: the cluster has no workers")

    def _take(self, future: "Future[Any]") -> None:
        from distributed import KilledWorker

        batch = self._pending.pop(future)
        try:
            result = future.result()
        except KilledWorker as error:
            self._lost[batch] = f"{error.allowed_failures + 1} workers died over it"
            self._listener.tell(f"{batch} is left out")
            return
        if isinstance(result, BaseException):
            raise result
        num_dead, solution = result
        if solution is not None:
            save(batch, solution)
        else:
            _await_file(batch.part)
        self._listener.solved(batch, num_dead)


def _await_file(path: Path) -> None:
    deadline = time.monotonic() + SHARED_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise FormatError(f"{path} was written by a worker, but cannot be seen here")
        time.sleep(0.2)
