"""From other people's files to ours: whatever can be read lazily can be converted, a trajectory at a time."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from pdenca.core import BadInputError, FormatError, NonFiniteError

from .format import Compression, TrajectoryFile, open_hdf5, write_blocks
from .header import Header, file_name
from .layout import DATA_FOLDER, ENDINGS, data_files
from .pdebench import PDEBenchFile
from .pdebench_layouts import is_pdebench
from .statistics import FILE_NAME as STATISTICS_NAME
from .statistics import compute_statistics, write_statistics
from .trajectories import Trajectories

Progress = Callable[[int, int], None]
"""Called with (trajectories done, trajectories in all)."""


def open_trajectories(path: Path | str, boundary: str | tuple[str, ...] | None = None) -> Trajectories:
    """Open a file of ours, The Well's or PDEBench's; it is read only where it is asked for.

    Arguments:
        path: an HDF5 file.
        boundary: of PDEBench's files, which do not say it: a name for every axis, or one per axis; None takes
            PDEBench's own where the dataset's name tells it.

    Returns:
        The open file, with ``header``, ``read`` and ``parameters``; close it, or use it in a ``with`` block.

    Raises:
        BadInputError: for a boundary that is not known, or given for a file that tells its own.
        FormatError: if the file is missing, damaged, or of none of these layouts.
    """
    with open_hdf5(path) as file:
        theirs = is_pdebench(file)
    if theirs:
        return PDEBenchFile(path, boundary)
    if boundary is not None:
        raise BadInputError(f"{path} tells its boundaries itself, but {boundary!r} was given")
    return TrajectoryFile(path)


def convert(
    paths: Iterable[Path | str] | Path | str,
    out: Path | str,
    *,
    boundary: str | tuple[str, ...] | None = None,
    dataset_name: str | None = None,
    equation: str | None = None,
    regime: str | None = None,
    split: str | None = None,
    trajectories: slice = slice(None),
    compression: Compression | None = None,
    progress: Progress | None = None,
) -> list[Header]:
    """Write files of ours, The Well's or PDEBench's in our layout.

    A dataset's folder becomes ``data/<split>/*.hdf5``, with ``stats.yaml`` if it has a split ``train``.
    Memory is needed for one trajectory.

    Arguments:
        paths: what to convert.
        out: a file that ends in ``.hdf5`` or ``.h5``, for one file; else a dataset's folder.
        boundary: see :func:`open_trajectories`.
        dataset_name, equation, regime, split: what the headers say in place of what was read.
        trajectories: which ones.
        compression: None or ``"gzip"``.
        progress: told after every trajectory.

    Returns:
        The headers of the new files.

    Raises:
        BadInputError: if several files go into one, a file is there already, or no trajectory is left.
        FormatError: if a file cannot be read, or holds a NaN or an infinity.
    """
    given = [Path(item) for item in ([paths] if isinstance(paths, (str, Path)) else paths)]
    out = Path(out)
    if out.suffix in ENDINGS and len(given) != 1:
        raise BadInputError(f"{len(given)} files do not go into one ({out}); usual cure: a folder")
    told = {"dataset_name": dataset_name, "equation": equation, "regime": regime, "split": split}
    changes = {name: value for name, value in told.items() if value is not None}
    written: list[Header] = []
    for path in given:
        with open_trajectories(path, boundary) as source:
            header = _new_header(source, path, trajectories, changes)
            header = replace(header, path=_target(out, header))
            _write(source, header, trajectories, compression, progress)
            written.append(header)
    if any(header.split == "train" for header in written) and out.suffix not in ENDINGS:
        files = data_files(out, "train")
        if all(header.num_frames > 1 for header in written):
            write_statistics(out / STATISTICS_NAME, compute_statistics(files))
    return written


def _new_header(source: Trajectories, path: Path, chosen: slice, changes: Mapping[str, Any]) -> Header:
    found = source.header
    rows = range(found.num_trajectories)[chosen]
    if not rows or rows.step < 1:
        parts = (chosen.start, chosen.stop, chosen.step)
        chosen_text = ":".join("" if part is None else str(part) for part in parts)
        raise BadInputError(
            f"{path} holds {found.num_trajectories} trajectories, none of them in "
            f"{chosen_text}; usual cure: trajectories that are there"
        )
    kept = slice(rows.start, rows.stop, rows.step)
    ours = isinstance(source, TrajectoryFile) and source.schema is not None
    origin = {} if ours else {"converted_from": path.name}
    return replace(
        found,
        num_trajectories=len(rows),
        seeds=found.seeds[kept],
        varying_parameters={
            name: values[:] if len(values) == 1 else values[kept]
            for name, values in found.varying_parameters.items()
        },
        provenance={**_plain(found.provenance), **origin},
        **changes,
    )


def _plain(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes as texts and numbers; lists become JSON."""
    return {
        name: json.dumps(value.tolist()) if isinstance(value, np.ndarray) else value
        for name, value in provenance.items()
        if isinstance(value, (str, bool, int, float, np.ndarray))
    }


def _target(out: Path, header: Header) -> Path:
    name = file_name(header.dataset_name, header.regime, header.parameters)
    target = out if out.suffix in ENDINGS else out / DATA_FOLDER / header.split / name
    if target.exists():
        raise BadInputError(f"{target} is there already; usual cure: another --out, --name or --regime")
    return target


def _write(
    source: Trajectories,
    header: Header,
    chosen: slice,
    compression: Compression | None,
    progress: Progress | None,
) -> None:
    rows = range(source.header.num_trajectories)[chosen]

    def blocks() -> Iterator[Float32[np.ndarray, "_ time channel *space"]]:
        for done, row in enumerate(rows):
            yield source.read(row)
            if progress:
                progress(done + 1, len(rows))

    assert header.path is not None, "a target was chosen"
    try:
        write_blocks(header.path, header, blocks(), compression)
    except NonFiniteError as error:
        reason = str(error).partition(";")[0]
        raise FormatError(
            f"{source.header.path}: {reason}; usual cure: leave it out (--trajectories)"
        ) from error
