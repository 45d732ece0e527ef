"""Make a dataset, in steps that survive a kill at any moment.

Each batch of trajectories is solved and saved whole as one part file; when all parts of a file (a shard) are
there, they are assembled into the HDF5 in one atomic move and removed. Running again continues where the last
run stopped. The arrays are the same bit for bit whoever solves the batches and however often the run is
interrupted, because batches are fixed by the recipe, every trajectory has a seed of its own, and every batch
is solved on one thread.
"""

import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from pdenca.core import BadInputError, IncompleteError

from ..card import write_card, write_metadata
from ..format import Compression, read_header, write_blocks
from ..format.schema import CHUNK_FRAMES
from ..header import Header
from ..inactive import Inactive, find_inactive
from ..layout import data_files
from ..recipe import Recipe, Shard
from ..statistics import FILE_NAME as STATISTICS_NAME
from ..statistics import compute_statistics, write_statistics
from .checksums import add_checksum
from .claim import CARD_NAME, alone, claim
from .cluster import solve_on_cluster
from .disk import full_disk_is_told, require_room
from .files import fingerprint, header_of, is_complete, require_space, target_of
from .here import solve_here
from .parts import Batch, batches_of, read_part
from .processes import can_be_sent, num_cores, solve_with_processes
from .report import Progress, Report
from .worker import refuse_inside_worker

PARTS_FOLDER = "parts"

LONG_SECONDS = 10.0
"""What would take longer in this process is worth the seconds that worker processes need to start."""


@dataclass(frozen=True)
class Summary:
    """What :func:`generate` did.

    Arguments:
        out: the dataset's folder.
        files: all data files of the dataset, in order.
        num_trajectories: trajectories in these files.
        num_solved: trajectories that this run solved; the others were there already.
        seconds: wall time of this run.
        dead: trajectories that become homogeneous.
        stationary: trajectories that come to rest without becoming homogeneous.
    """

    out: Path
    files: tuple[Path, ...]
    num_trajectories: int
    num_solved: int
    seconds: float
    dead: tuple[Inactive, ...]
    stationary: tuple[Inactive, ...]


def generate(
    recipe: Recipe,
    out: Path | str,
    progress: Progress | None = None,
    device: torch.device | str = "cpu",
    compression: Compression | None = None,
    num_workers: int | None = None,
    cluster: str | None = None,
) -> Summary:
    """Make the dataset of a recipe in a folder, or finish one that was begun.

    The folder becomes ``data/<split>/*.hdf5``, ``stats.yaml``, ``<dataset_name>.yaml``, ``README.md``,
    ``recipe.json`` and ``SHA256SUMS``. A complete file is kept. Splits may be added to a
    finished dataset (its files are not touched); any other change of the settings is refused.

    Arguments:
        recipe: what to make.
        out: the dataset's folder; made if missing.
        progress: told after every stored frame.
        device: where to solve; files made on different devices agree only up to rounding.
        compression: None or ``"gzip"`` for the files that this run makes.
        num_workers: processes that solve batches; 1 solves in this process. By default one per core, if
            there is more than a few seconds of work; a recipe whose class is defined in the running script
            needs a number, because workers then import that script. Each takes some 300 MB and what the batch
            it is at needs.
        cluster: address of a dask.distributed scheduler, such as ``tcp://host:8786``, whose workers solve the
            batches instead.

    Returns:
        A summary; its dead and stationary trajectories are also named in the card.

    Raises:
        BadInputError: if ``out`` holds a dataset with other settings or foreign files, if another process is
            generating there, if the disk is too small, or for workers or a cluster that cannot be had.
        FormatError: if a file that is already there is damaged; ``pdenca repair`` moves it aside.
        NonFiniteError: if the solution blows up.
        StorageError: if the disk gets full.
        IncompleteError: if some batches were lost with the processes that solved them; the same call makes
            what is missing.
    """
    started = time.monotonic()
    refuse_inside_worker()
    crew = _Crew(recipe, torch.device(device), num_workers, cluster)
    out = Path(out)
    with alone(out), full_disk_is_told(out):
        recipe = claim(recipe, out)
        shards = recipe.shards()
        missing = [shard for shard in shards if not is_complete(recipe, shard, out)]
        require_space(recipe, missing, out)
        report = Report(progress, shards)
        for shard in shards:
            if shard not in missing:
                report.found(shard, shard.num_trajectories, _num_dead(target_of(recipe, shard, out)))
        report.tell(f"{len(missing)} files to make")
        assembly = _Assembly(recipe, missing, out, crew.device, compression, report)
        lost = crew.solve(recipe, assembly.batches, assembly)
        if lost:
            raise _incomplete(lost, len(assembly.batches))
        report.tell("statistics and card", with_numbers=False)
        training = data_files(out, "train") if "train" in recipe.splits else []
        if training and (
            any(shard.split == "train" for shard in missing) or not (out / STATISTICS_NAME).exists()
        ):
            write_statistics(out / STATISTICS_NAME, compute_statistics(training))
        files = tuple(target_of(recipe, shard, out) for shard in shards)
        dead, stationary = find_inactive(files)
        headers = [read_header(path) for path in files]
        write_metadata(out / f"{recipe.dataset_name}.yaml", headers)
        write_card(out / CARD_NAME, recipe, headers, dead, stationary)
        shutil.rmtree(out / PARTS_FOLDER, ignore_errors=True)
        report.tell("done", with_numbers=False)
    return Summary(
        out=out,
        files=files,
        num_trajectories=report.total,
        num_solved=sum(len(batch.seeds) for batch in assembly.batches),
        seconds=time.monotonic() - started,
        dead=dead,
        stationary=stationary,
    )


def _num_dead(path: Path) -> int:
    return len(find_inactive([path])[0])


def _incomplete(lost: dict[Batch, str], num_batches: int) -> IncompleteError:
    named = [f"{batch} ({why})" for batch, why in lost.items()]
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return IncompleteError(
        f"{len(lost)} of {num_batches} batches are missing: {', '.join(named[:3])}{more}; everything else is "
        "kept; usual cure: run the same command again, which goes on where it stopped, with fewer workers if "
        "the memory was short"
    )


class _Crew:
    """Who solves the batches."""

    def __init__(
        self, recipe: Recipe, device: torch.device, num_workers: int | None, cluster: str | None
    ) -> None:
        self.device = device
        if num_workers is not None and num_workers < 1:
            raise BadInputError(f"num_workers must be at least 1, got {num_workers}")
        if cluster is not None and (num_workers is not None or device.type != "cpu"):
            raise BadInputError(
                "the workers of a cluster are its own, one thread of the processor each; usual cure: neither "
                "num_workers nor device beside cluster"
            )
        if device.type != "cpu" and (num_workers or 1) > 1:
            raise BadInputError(
                f"on the device {device} one process solves all, got num_workers={num_workers}; usual cure: "
                "num_workers=1 and a larger batch"
            )
        sendable = can_be_sent(recipe)
        if num_workers is not None and num_workers > 1 and not sendable:
            raise BadInputError(
                f"worker processes cannot import {type(recipe).__qualname__}; usual cure: define the recipe "
                "in a module or script, or num_workers=1"
            )
        self._num_workers = num_workers
        self._cluster = cluster
        importable = sendable and type(recipe).__module__ != "__main__"
        self._may_grow = num_workers is None and device.type == "cpu" and importable and num_cores() > 1

    def solve(self, recipe: Recipe, batches: list[Batch], assembly: "_Assembly") -> dict[Batch, str]:
        """Solve all batches; return those that were lost, and why."""
        if not batches:
            return {}
        if self._cluster is not None:
            return solve_on_cluster(self._cluster, recipe, batches, assembly)
        if self._num_workers is not None and self._num_workers > 1:
            return solve_with_processes(recipe, batches, self._num_workers, assembly)
        is_long = assembly.is_long if self._may_grow else None
        rest = solve_here(recipe, batches, self.device, assembly, is_long)
        return solve_with_processes(recipe, rest, num_cores(), assembly) if rest else {}


class _Assembly:
    """Listens to who solves, and puts every file together as soon as its parts are there.

    Attributes:
        batches: those that were not there, in order.
    """

    def __init__(
        self,
        recipe: Recipe,
        missing: list[Shard],
        out: Path,
        device: torch.device,
        compression: Compression | None,
        report: Report,
    ) -> None:
        self._recipe = recipe
        self._out = out
        self._compression = compression
        self._report = report
        self.batches: list[Batch] = []
        self._parts: dict[Path, list[Batch]] = {}
        self._waiting: dict[Path, int] = {}
        for shard in missing:
            name = f"{shard.regime}_{fingerprint(recipe, shard, device)}"
            folder = out / PARTS_FOLDER / shard.split / name
            folder.mkdir(parents=True, exist_ok=True)
            self._parts[folder] = batches_of(recipe, shard, folder)
            absent = [batch for batch in self._parts[folder] if not batch.part.exists()]
            self._waiting[folder] = len(absent)
            self.batches += absent
            for batch in self._parts[folder]:
                if batch.part.exists():
                    num_dead = int(read_part(batch.part, "num_dead"))
                    report.found(shard, len(batch.seeds), num_dead)
        for folder, count in self._waiting.items():
            if not count:
                self._assemble(folder)

    def frame(self, batch: Batch, number: int) -> None:
        self._report.frame(batch, number)

    def dropped(self, batch: Batch) -> None:
        self._report.dropped(batch)

    def tell(self, message: str) -> None:
        self._report.tell(message)

    def is_long(self) -> bool:
        return (self._report.seconds_left() or 0.0) > LONG_SECONDS

    def solved(self, batch: Batch, num_dead: int) -> None:
        folder = batch.part.parent
        self._waiting[folder] -= 1
        self._report.solved(batch, num_dead)
        if not self._waiting[folder]:
            self._assemble(folder)

    def _assemble(self, folder: Path) -> None:
        parts = [batch.part for batch in self._parts[folder]]
        shard = self._parts[folder][0].shard
        header = header_of(
            self._recipe, shard, seconds=sum(float(read_part(part, "seconds")) for part in parts)
        )
        target = target_of(self._recipe, shard, self._out)
        with full_disk_is_told(target):
            require_room(target, _size(header, self._compression))
            write_blocks(target, header, (read_part(part, "frames") for part in parts), self._compression)
        add_checksum(self._out, target)
        shutil.rmtree(folder)


def _size(header: Header, compression: Compression | None) -> int:
    """Return how many bytes a file takes, roughly: whole chunks, and a little beside its numbers."""
    frames = math.ceil(header.num_frames / CHUNK_FRAMES) * CHUNK_FRAMES
    numbers = 4 * math.prod(header.shape) // header.num_frames * frames
    return numbers // 2 if compression else numbers + 100_000
