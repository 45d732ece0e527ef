"""The unit of work: a batch of trajectories, solved together by one thread and saved as one part file."""

import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32

from pdenca.core import FormatError, IncompleteError, NonFiniteError, atomic_path
from pdenca.solvers import simulate
from pdenca.solvers.spectral import restrict

from ..activity import homogeneous_from
from ..recipe import Recipe
from ..shard import Shard
from .disk import full_disk_is_told

_PARAMETER, _NOTE = "parameter ", "note "
Content = TypeVar("Content")


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
        parameters: those that vary in space, name -> ``(trajectory, *space)`` float32.
        notes: name -> one number per trajectory.
    """

    frames: Float32[np.ndarray, "batch time channel *space"]
    seconds: float
    num_dead: int
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: Mapping[str, np.ndarray] = field(default_factory=dict)


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
        generators = [torch.Generator().manual_seed(seed) for seed in batch.seeds]
        drawn = [recipe.draw_parameters(shard, fine, generator) for generator in generators]
        told = {name: torch.cat([parameters[name] for parameters in drawn]).to(device) for name in drawn[0]}
        states = [recipe.initial_state(shard, fine, generator) for generator in generators]
        equation = recipe.equation(shard)
        if told:
            equation = equation.with_parameters(told)
        try:
            frames = simulate(
                equation,
                shard.grid,
                torch.cat(states).to(device),
                progress=progress,
                **options,
            )
            frames, notes = recipe.finish(shard, equation, frames)
        except NonFiniteError as error:
            raise NonFiniteError(f"{batch}: {error}") from error
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and "allocate memory" not in str(error):
                raise
            raise IncompleteError(
                f"{batch} needs more memory than there is; usual cure: fewer workers, or a smaller batch"
            ) from error
    data = frames.cpu().numpy().astype(np.float32)
    fields = {
        name: restrict(value[:, None], fine, shard.grid)[:, 0].cpu().numpy().astype(np.float32)
        for name, value in told.items()
    }
    return Solution(
        data,
        time.monotonic() - started,
        int((homogeneous_from(data) >= 0).sum()),
        fields,
        {name: np.asarray(values, dtype=np.float64) for name, values in notes.items()},
    )


def save(batch: Batch, solution: Solution) -> None:
    """Write the part file of a batch, atomically.

    Raises:
        StorageError: if the disk is full.
    """
    arrays: dict[str, Any] = {
        "frames": solution.frames,
        "seconds": np.float64(solution.seconds),
        "num_dead": np.int64(solution.num_dead),
        **{_PARAMETER + name: values for name, values in solution.parameters.items()},
        **{_NOTE + name: values for name, values in solution.notes.items()},
    }
    with (
        full_disk_is_told(batch.part),
        atomic_path(batch.part) as temporary,
        temporary.open("wb") as file,
    ):
        np.savez(file, **arrays)


def read_part(part: Path, name: str) -> np.ndarray:
    """Read one array of a part file: ``frames``, ``seconds`` or ``num_dead``.

    Raises:
        FormatError: if the file is damaged (every array has a checksum).
    """
    return _read(part, lambda content: content[name])


def read_parameters_and_notes(parts: Sequence[Path]) -> tuple[dict[str, np.ndarray], dict[str, list[float]]]:
    """Read what the parts of a file say beside frames: parameters that vary in space, and notes.

    Raises:
        FormatError: if a file is damaged.
    """

    def beside(content: np.lib.npyio.NpzFile) -> dict[str, np.ndarray]:
        return {name: content[name] for name in content.files if name.startswith((_PARAMETER, _NOTE))}

    rows = [_read(part, beside) for part in parts]
    joined = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    return (
        {name.removeprefix(_PARAMETER): joined[name] for name in joined if name.startswith(_PARAMETER)},
        {name.removeprefix(_NOTE): joined[name].tolist() for name in joined if name.startswith(_NOTE)},
    )


def _read(part: Path, take: Callable[[np.lib.npyio.NpzFile], Content]) -> Content:
    try:
        with part.open("rb") as file, np.load(file) as content:
            return take(content)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise FormatError(
            f"{part} is damaged ({error}); usual cure: `pdenca repair` on the dataset's folder, then the "
            "same command again"
        ) from error
