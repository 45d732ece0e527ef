"""Make a dataset, in steps that survive a kill at any moment.

Each batch of trajectories is solved and saved whole as one part file; when all parts of a file (a shard) are
there, they are assembled into the HDF5 in one atomic move and removed. Running again continues where the last
run stopped. The arrays are the same bit for bit whoever solves the batches and however often the run is
interrupted, because batches are fixed by the recipe, every trajectory has a seed of its own, and every batch
is solved on one thread.
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from pdenca.core import IncompleteError
from pdenca.core.alone import alone

from ..card import write_card, write_metadata
from ..format import Compression, read_header
from ..inactive import Inactive, find_inactive
from ..layout import data_files
from ..recipe import Recipe
from ..statistics import FILE_NAME as STATISTICS_NAME
from ..statistics import compute_statistics, write_statistics
from .assembly import PARTS_FOLDER, Assembly
from .claim import CARD_NAME, claim
from .crew import Crew
from .disk import full_disk_is_told
from .files import is_complete, require_space, target_of
from .parts import Batch
from .report import Progress, Report
from .worker import refuse_inside_worker


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
    crew = Crew(recipe, torch.device(device), num_workers, cluster)
    out = Path(out)
    with alone(out, "generating"), full_disk_is_told(out):
        recipe = claim(recipe, out)
        shards = recipe.shards()
        missing = [shard for shard in shards if not is_complete(recipe, shard, out)]
        require_space(recipe, missing, out)
        report = Report(progress, shards)
        for shard in shards:
            if shard not in missing:
                report.found(shard, shard.num_trajectories, _num_dead(target_of(recipe, shard, out)))
        report.tell(f"{len(missing)} files to make")
        assembly = Assembly(recipe, missing, out, crew.device, compression, report)
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
