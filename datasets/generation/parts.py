"""The unit of work: a batch of trajectories, solved together by one thread and saved as one part file."""

import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32

from pdenca.core import FormatError, IncompleteError, NonFiniteError, atomic_path
from pdenca.solvers import simulate

from ..activity import homogeneous_from
from ..recipe import Recipe
from ..shard import Shard
from .disk import full_disk_is_told


@dataclass(frozen=True, eq=False)
class Batch:
    """Trajectories that are solved and saved together.

    Arguments:
        shard: the file they belong to.
        first: index of the first of them in that file.
        seeds: one seed each.
        part: where they are saved until the file is put together.
    """

    shard: Shard
    first: int
    seeds: tuple[int, ...]
    part: Path

    @property
    def file(self) -> str:
        """Which file, in words."""
        return f"{self.shard.split}/{self.shard.regime}"

    def __str__(self) -> str:
        return f"{self.file}, batch {self.part.stem}"


@dataclass(frozen=True)
class Solution:
    """The trajectories of a batch.

    Arguments:
        frames: ``(trajectory, time, channel, *space)`` float32.
        seconds: time the solver took.
        num_dead: how many of them become homogeneous.
    """

    frames: Float32[np.ndarray, "batch time channel *space"]
    seconds: float
    num_dead: int


@runtime_checkable
class Listener(Protocol):
    """Who wants to know how the batches come along."""

    def frame(self, batch: Batch, number: int) -> None:
        """Frame ``number`` of a batch is solved."""

    def solved(self, batch: Batch, num_dead: int) -> None:
        """A batch is saved as its part file."""

    def dropped(self, batch: Batch) -> None:
        """A batch was given up half-way."""

    def tell(self, message: str) -> None:
        """Something else is going on."""


def batches_of(recipe: Recipe, shard: Shard, folder: Path) -> list[Batch]:
    """Return the batches of a file, which depend on the recipe alone and not on who solves them."""
    return [
        Batch(shard, first, shard.trajectory_seeds[first : first + recipe.batch], folder / f"{first:06d}.npz")
        for first in range(0, shard.num_trajectories, recipe.batch)
    ]


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread inside the block: sums are split by threads, and their rounding with them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def solve(
    recipe: Recipe, batch: Batch, device: torch.device | str, progress: Callable[[int], None] | None = None
) -> Solution:
    """Solve a batch.

    Arguments:
        recipe: whose batch it is.
        batch: which.
        device: where.
        progress: told the number of each frame.

    Raises:
        NonFiniteError: if the solution blows up.
        IncompleteError: if the memory does not suffice.
    """
    started = time.monotonic()
    shard = batch.shard
    options = recipe.solver_options(shard)
    fine = shard.grid.refined(options["refine"])
    with one_thread():
        states = [
            recipe.initial_state(shard, fine, torch.Generator().manual_seed(seed)) for seed in batch.seeds
        ]
        try:
            frames = simulate(
                recipe.equation(shard),
                shard.grid,
                torch.cat(states).to(device),
                progress=progress,
                **options,
            )
        except NonFiniteError as error:
            raise NonFiniteError(f"{batch}: {error}") from error
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and "allocate memory" not in str(error):
                raise
            raise IncompleteError(
                f"{batch} needs more memory than there is; usual cure: fewer workers, or a smaller batch"
            ) from error
    data = frames.cpu().numpy().astype(np.float32)
    return Solution(data, time.monotonic() - started, int((homogeneous_from(data) >= 0).sum()))


def save(batch: Batch, solution: Solution) -> None:
    """Write the part file of a batch, atomically.

    Raises:
        StorageError: if the disk is full.
    """
    with (
        full_disk_is_told(batch.part),
        atomic_path(batch.part) as temporary,
        temporary.open("wb") as file,
    ):
        np.savez(
            file,
            frames=solution.frames,
            seconds=np.float64(solution.seconds),
            num_dead=np.int64(solution.num_dead),
        )


def read_part(part: Path, name: str) -> np.ndarray:
    """Read one array of a part file: ``frames``, ``seconds`` or ``num_dead``.

    Raises:
        FormatError: if the file is damaged (every array has a checksum).
    """
    try:
        with part.open("rb") as file, np.load(file) as content:
            values: np.ndarray = content[name]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise FormatError(
            f"{part} is damaged ({error}); usual cure: `pdenca repair` on the dataset's folder, then the "
            "same command again"
        ) from error
    return values
