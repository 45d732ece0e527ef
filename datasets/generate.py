"""Make a dataset, in steps that survive a kill at any moment.

Each batch of trajectories is solved and saved whole as one part file; when all parts of a file (a shard) are
there, they are assembled into the HDF5 in one atomic move and removed. Running again continues where the last
run stopped and gives the same arrays bit for bit, because batches are fixed by the recipe and every
trajectory has a seed of its own.
"""

import fcntl
import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from pdenca.core import BadInputError, FormatError, NonFiniteError, atomic_path, write_text
from pdenca.solvers import simulate

from .card import write_card, write_metadata
from .format import Compression, read_header, write_blocks
from .header import Header, file_name
from .inactive import Inactive, find_inactive
from .layout import DATA_FOLDER, data_files
from .recipe import Recipe, Shard
from .statistics import FILE_NAME as STATISTICS_NAME
from .statistics import compute_statistics, write_statistics

RECIPE_NAME = "recipe.json"
PARTS_FOLDER = "parts"
CARD_NAME = "README.md"

Progress = Callable[[int, int, str], None]
"""Called with (trajectories done, trajectories in all, what is going on)."""


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
) -> Summary:
    """Make the dataset of a recipe in a folder, or finish one that was begun.

    The folder becomes ``data/<split>/*.hdf5``, ``stats.yaml``, ``<dataset_name>.yaml``, ``README.md`` and
    ``recipe.json``. A complete file is kept. Splits may be added to a finished dataset (its files are not
    touched); any other change of the settings is refused.

    Arguments:
        recipe: what to make.
        out: the dataset's folder; made if missing.
        progress: told after every stored frame.
        device: where to solve; files made on different devices agree only up to rounding.
        compression: None or ``"gzip"`` for the files that this run makes.

    Returns:
        A summary; its dead and stationary trajectories are also named in the card.

    Raises:
        BadInputError: if ``out`` holds a dataset with other settings or foreign files, if another process is
            generating there, or if the disk is too small.
        FormatError: if a file that is already there is damaged.
        NonFiniteError: if the solution blows up.
    """
    started = time.monotonic()
    out = Path(out)
    with _alone(out):
        recipe = _claim(recipe, out)
        shards = recipe.shards()
        missing = [shard for shard in shards if not _is_complete(recipe, shard, out)]
        _require_space(recipe, missing, out)
        report = _Report(progress, sum(shard.num_trajectories for shard in shards))
        there = report.total - sum(shard.num_trajectories for shard in missing)
        report.advance(there, f"{len(missing)} files to make")
        num_solved = 0
        for shard in missing:
            num_solved += _make(recipe, shard, out, torch.device(device), report, compression)
        report.tell("statistics and card")
        training = data_files(out, "train") if "train" in recipe.splits else []
        if training and (
            any(shard.split == "train" for shard in missing) or not (out / STATISTICS_NAME).exists()
        ):
            write_statistics(out / STATISTICS_NAME, compute_statistics(training))
        files = tuple(_target(recipe, shard, out) for shard in shards)
        dead, stationary = find_inactive(files)
        headers = [read_header(path) for path in files]
        write_metadata(out / f"{recipe.dataset_name}.yaml", headers)
        write_card(out / CARD_NAME, recipe, headers, dead, stationary)
        shutil.rmtree(out / PARTS_FOLDER, ignore_errors=True)
        report.tell("done")
    return Summary(
        out=out,
        files=files,
        num_trajectories=report.total,
        num_solved=num_solved,
        seconds=time.monotonic() - started,
        dead=dead,
        stationary=stationary,
    )


class _Report:
    """Counts trajectories and passes the count on."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self.total = total
        self.done = 0

    def advance(self, count: int, message: str) -> None:
        self.done += count
        self.tell(message)

    def tell(self, message: str) -> None:
        if self._progress:
            self._progress(self.done, self.total, message)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold a lock that the system releases even if the process is killed."""
    if out.exists() and not out.is_dir():
        raise BadInputError(f"{out} is a file, expected a folder for the dataset")
    out.mkdir(parents=True, exist_ok=True)
    folder = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BadInputError(
            f"another process is generating in {out}; usual cure: wait for it, or choose another folder"
        ) from None
    finally:
        os.close(folder)


def _claim(recipe: Recipe, out: Path) -> Recipe:
    """Return the recipe of the folder, which is the given one with the splits that are already there."""
    path = out / RECIPE_NAME
    if not path.exists():
        ours = (DATA_FOLDER, STATISTICS_NAME, CARD_NAME, f"{recipe.dataset_name}.yaml")
        foreign = [name for name in ours if (out / name).exists()]
        if foreign:
            raise BadInputError(
                f"{out} already holds {', '.join(foreign)} but no {RECIPE_NAME}, so it was not made by "
                "`pdenca generate`; usual cure: choose an empty folder"
            )
    else:
        recipe = _merge(recipe, path, out)
    for stale in out.rglob(".*.partial"):  # left by a killed run; nobody else is writing, we hold the lock
        stale.unlink()
    write_text(path, recipe.to_json() + "\n")
    return recipe


def _merge(recipe: Recipe, path: Path, out: Path) -> Recipe:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        splits = known.pop("splits")
        known = recipe.complete_settings(known)
    except (json.JSONDecodeError, KeyError, AttributeError, TypeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is damaged ({error}); usual cure: choose an empty folder") from error
    wanted = recipe.files_settings()
    different = [name for name in {**known, **wanted} if known.get(name) != wanted.get(name)]
    if different:
        listed = ", ".join(
            f"{name} is {known.get(name)!r} there and {wanted.get(name)!r} here" for name in different
        )
        raise BadInputError(
            f"{out} holds a dataset with other settings ({listed}); usual cure: choose another folder, or "
            "the same settings"
        )
    return recipe.replace(splits=tuple(dict.fromkeys([*splits, *recipe.splits])))


def _target(recipe: Recipe, shard: Shard, out: Path) -> Path:
    return out / DATA_FOLDER / shard.split / file_name(recipe.dataset_name, shard.regime, shard.parameters)


def _is_complete(recipe: Recipe, shard: Shard, out: Path) -> bool:
    path = _target(recipe, shard, out)
    if not path.exists():
        return False
    found, expected = read_header(path), _header(recipe, shard, seconds=0.0)
    keys = ("equation", "regime", "split", "fields", "grid", "frame_interval", "parameters", "shape", "seeds")
    if any(getattr(found, key) != getattr(expected, key) for key in keys) or _file_settings(
        recipe, found
    ) != _file_settings(recipe, expected):
        raise BadInputError(f"{path} was made with other settings; usual cure: choose another folder")
    return True


def _file_settings(recipe: Recipe, header: Header) -> dict[str, Any]:
    settings = recipe.complete_settings(json.loads(header.provenance.get("settings", "{}")))
    settings.pop("splits", None)
    return settings


def _header(recipe: Recipe, shard: Shard, seconds: float) -> Header:
    equation = recipe.equation(shard)
    constants = vars(equation)  # a frozen dataclass: its constants
    return Header(
        dataset_name=recipe.dataset_name,
        equation=equation.name,
        regime=shard.regime,
        split=shard.split,
        fields=equation.fields,
        grid=shard.grid,
        frame_interval=recipe.frame_interval,
        parameters=dict(shard.parameters),
        num_trajectories=shard.num_trajectories,
        num_frames=shard.num_frames,
        seeds=shard.trajectory_seeds,
        provenance={
            "initial_condition": shard.initial_condition,
            "solver": recipe.method,
            "time_step": recipe.time_step,
            "num_start_frames": recipe.num_start_frames,
            **({"start_time_step": recipe.start_time_step} if recipe.num_start_frames else {}),
            "dealiasing": recipe.dealiasing,
            "refine": recipe.solver_options(shard)["refine"],
            "dtype": recipe.dtype,
            "seed": recipe.seed,
            "equation_constants": json.dumps(constants),
            "settings": recipe.to_json(),
            "pdenca_version": version("pdenca"),
            "torch_version": str(torch.__version__),
            "numpy_version": np.__version__,
            "h5py_version": h5py.__version__,
            "solver_seconds": seconds,
        },
    )


def _make(
    recipe: Recipe,
    shard: Shard,
    out: Path,
    device: torch.device,
    report: _Report,
    compression: Compression | None,
) -> int:
    """Solve what is missing of one file, assemble it, remove its parts; return how many were solved."""
    folder = out / PARTS_FOLDER / shard.split / f"{shard.regime}_{_fingerprint(recipe, shard, device)}"
    parts = []
    num_solved = 0
    for first in range(0, shard.num_trajectories, recipe.batch):
        seeds = shard.trajectory_seeds[first : first + recipe.batch]
        part = folder / f"{first:06d}.npz"
        if not part.exists():
            _solve(recipe, shard, seeds, part, device, report)
            num_solved += len(seeds)
        parts.append(part)
        report.advance(len(seeds), f"{shard.split}/{shard.regime}")
    seconds = sum(float(_read_part(part, "seconds")) for part in parts)
    header = _header(recipe, shard, seconds)
    write_blocks(
        _target(recipe, shard, out), header, (_read_part(part, "frames") for part in parts), compression
    )
    shutil.rmtree(folder)
    return num_solved


def _fingerprint(recipe: Recipe, shard: Shard, device: torch.device) -> str:
    """Name everything that the bits of a part depend on, so that no part of another run is mixed in."""
    header = _header(recipe, shard, seconds=0.0)
    settings: dict[str, Any] = {**header.provenance, "settings": recipe.files_settings()}
    text = json.dumps(
        [settings, shard.trajectory_seeds, shard.parameters, shard.num_frames, device.type], sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _solve(
    recipe: Recipe, shard: Shard, seeds: tuple[int, ...], part: Path, device: torch.device, report: _Report
) -> None:
    started = time.monotonic()
    options = recipe.solver_options(shard)
    fine = shard.grid.refined(options["refine"])
    states = [recipe.initial_state(shard, fine, torch.Generator().manual_seed(seed)) for seed in seeds]

    def each(frame: int) -> None:
        report.tell(f"{shard.split}/{shard.regime}: frame {frame} of {shard.num_frames}")

    try:
        frames = simulate(
            recipe.equation(shard),
            shard.grid,
            torch.cat(states).to(device),
            progress=each,
            **options,
        )
    except NonFiniteError as error:
        raise NonFiniteError(f"{shard.split}/{shard.regime}, batch {part.stem}: {error}") from error
    data = frames.cpu().numpy().astype(np.float32)
    with atomic_path(part) as temporary, temporary.open("wb") as file:
        np.savez(file, frames=data, seconds=np.float64(time.monotonic() - started))


def _read_part(part: Path, name: str) -> np.ndarray:
    with np.load(part) as content:
        values: np.ndarray = content[name]
    return values


def _require_space(recipe: Recipe, missing: list[Shard], out: Path) -> None:
    """Refuse a dataset that cannot fit: all missing files, and once more the parts of the largest."""
    sizes = [4 * math.prod(_header(recipe, shard, seconds=0.0).shape) for shard in missing]
    need = sum(sizes) + max(sizes, default=0)
    free = shutil.disk_usage(out).free
    if need > free:
        raise BadInputError(
            f"the dataset needs {need / 1e9:.1f} GB, the disk of {out} has {free / 1e9:.1f} GB free; "
            "usual cure: fewer trajectories or frames, or another disk"
        )
