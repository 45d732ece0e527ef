"""Writing a file: whole or absent, one block of trajectories in memory at a time."""

from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Float32

from pdenca.core import BadInputError, NonFiniteError, atomic_path
from pdenca.solvers.boundary import Dirichlet, boundary_from_name

from ..activity import homogeneous_from, stationary_from
from ..header import SPACE_NAMES, Array, Header, TrajectorySet
from .schema import RESERVED, Compression, channels_of, location, symbol_of
from .structure import write_structure

Blocks = Iterable[Float32[np.ndarray, "_ time channel *space"]]


def write_trajectories(
    path: Path | str, trajectories: TrajectorySet, compression: Compression | None = None
) -> None:
    """Write one file, atomically: it is whole or absent.

    Arguments:
        path: the file to make; The Well and xarray expect the ending ``.hdf5``.
        trajectories: data and description.
        compression: ``"gzip"`` (with shuffle and checksums) saves about 45 % and reads some 15 times slower.

    Raises:
        BadInputError: if the data do not fit the description.
        NonFiniteError: if the data hold a NaN or an infinity.
    """
    write_blocks(path, trajectories.header, [trajectories.data], compression)


def write_blocks(
    path: Path | str, header: Header, blocks: Blocks, compression: Compression | None = None
) -> None:
    """Write one file from blocks of trajectories, holding one block in memory at a time.

    Arguments:
        path: the file to make.
        header: its description; ``num_trajectories`` is the sum over the blocks. Parameters that vary from
            trajectory to trajectory are kept in double precision, those that vary in space in single.
        blocks: arrays ``(trajectory, time, channel, *space)`` float32 in the order of the file.
        compression: None or ``"gzip"``.

    Raises:
        BadInputError: if the blocks do not fit the header.
        NonFiniteError: if a block or a parameter holds a NaN or an infinity.
    """
    _refuse_bad_header(header)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        write_structure(file, header, compression)
        homogeneous = np.full(header.num_trajectories, -1, dtype=np.int32)
        stationary = homogeneous.copy()
        done = 0
        for block in blocks:
            end = done + block.shape[0]
            if block.shape[1:] != header.shape[1:] or end > header.num_trajectories:
                raise BadInputError(
                    f"a block of shape {block.shape} at trajectory {done} does not fit into {header.shape}"
                )
            _refuse_non_finite(block, header, done)
            for item, channels in channels_of(header):
                values = (
                    block[:, :, channels.start]
                    if item.kind != "vector"
                    else np.moveaxis(block[:, :, channels], 2, -1)
                )
                file[location(item)][done:end] = values
            homogeneous[done:end] = homogeneous_from(block)
            stationary[done:end] = stationary_from(block)
            done = end
        if done != header.num_trajectories:
            raise BadInputError(f"got {done} trajectories, the header promises {header.num_trajectories}")
        file["trajectories/homogeneous_from_frame"][:] = homogeneous
        file["trajectories/stationary_from_frame"][:] = stationary


def _refuse_bad_header(header: Header) -> None:
    if min(header.shape) < 1 or not header.fields:
        raise BadInputError(
            f"a file needs at least one trajectory, frame and field, got shape {header.shape}"
        )
    names = [item.name for item in header.fields]
    if len(set(names)) < len(names):
        raise BadInputError(f"field names must differ, got {names}")
    names += [name for parameter in header.parameter_names for name in {parameter, symbol_of(parameter)}]
    for name in names:
        if name in RESERVED or "/" in name or not name.isprintable() or name != name.strip(" ."):
            raise BadInputError(
                f"a field or parameter cannot be called {name!r}; usual cure: a plain word other than "
                f"{', '.join(sorted(RESERVED))}"
            )
    if len(set(names)) < len(names):
        raise BadInputError(f"the names of fields and parameters must differ, got {names}")
    if not header.frame_interval > 0:
        raise BadInputError(f"frame_interval must be positive, got {header.frame_interval}")
    if header.times:
        _refuse_bad_times(header)
    if header.seeds and len(header.seeds) != header.num_trajectories:
        raise BadInputError(f"got {len(header.seeds)} seeds for {header.num_trajectories} trajectories")
    for name, boundary in zip(SPACE_NAMES, header.grid.boundaries, strict=False):
        held = boundary_from_name(boundary)
        if isinstance(held, Dirichlet) and len(held.values) > max(1, header.num_channels):
            raise BadInputError(
                f"boundary {boundary!r} along {name!r} has more values than the {header.num_channels} "
                "channels; expected one value, or one per channel"
            )
    for name, values in header.varying_parameters.items():
        _refuse_bad_parameter(header, name, values)


def _refuse_bad_times(header: Header) -> None:
    times = header.frame_times
    if len(times) != header.num_frames or times[0] != 0 or not (np.diff(times) > 0).all():
        raise BadInputError(
            f"the times of {header.num_frames} frames must be as many, 0 first and increasing, got "
            f"{header.times}; usual cure: less the time of the first frame, sorted"
        )
    if not np.isfinite(times).all():
        raise NonFiniteError(f"a time is not finite: {header.times}")


def _refuse_bad_parameter(header: Header, name: str, values: Array) -> None:
    count, space = header.num_trajectories, header.grid.shape
    if tuple(values.shape) not in ((count,), (1, *space), (count, *space)):
        raise BadInputError(
            f"parameter {name!r} has shape {values.shape}; expected {(count,)}, {(1, *space)} or "
            f"{(count, *space)}; usual cure: a number goes into parameters"
        )
    if not np.isfinite(values[:]).all():
        raise NonFiniteError(f"parameter {name!r} is not finite; usual cure: look at how it was drawn")


def _refuse_non_finite(block: np.ndarray, header: Header, first: int) -> None:
    if np.isfinite(block).all():
        return
    row, frame, channel = np.argwhere(~np.isfinite(block))[0][:3]
    raise NonFiniteError(
        f"trajectory {first + row}, field {header.channel_names[channel]}, frame {frame} is not finite; "
        "usual cure: a smaller time_step"
    )
