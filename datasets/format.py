"""The only home of the HDF5 layout: one file that The Well's loader and xarray both read.

A file holds the trajectories of one equation at one set of parameters. Everything The Well asks for is there
(root attributes, ``/dimensions``, ``/boundary_conditions``, ``/scalars``, ``/t0_fields`` to ``/t2_fields``),
and the dimension scales live at the root, hard-linked from ``/dimensions``, so that netCDF readers find named
dimensions and coordinates. On top come our own root attributes (how the file was made) and the group
``/trajectories`` (seed of each trajectory, and the frame from which on it is homogeneous or stationary).

Layout of the fields: ``(trajectory, time, *space)`` float32 for a scalar, one more axis for the components of
a vector; chunks of one trajectory and 8 frames. The Well: Ohana et al., NeurIPS 2024, arXiv 2412.00568.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import h5py
import numpy as np
from jaxtyping import Float32, Int

from pdenca.core import BadInputError, Field, FormatError, NonFiniteError, atomic_path
from pdenca.solvers.grid import Grid

from .activity import homogeneous_from, stationary_from
from .header import SPACE_NAMES, SYMBOLS, Header, TrajectorySet

SCHEMA = "1"
CHUNK_FRAMES = 8
NAMES = {symbol: name for name, symbol in SYMBOLS.items()}
WELL_BOUNDARIES = {"periodic": "PERIODIC", "no-flux": "WALL"}
"""Our boundary name -> the nearest of The Well's three kinds (WALL, OPEN, PERIODIC)."""
PROVENANCE = (
    "initial_condition",
    "solver",
    "time_step",
    "dealiasing",
    "refine",
    "dtype",
    "seed",
    "equation_constants",
    "settings",
    "pdenca_version",
    "torch_version",
    "numpy_version",
    "h5py_version",
)
"""The root attributes without which a simulated file could not be remade.

``num_start_frames`` and, unless that is 0, ``start_time_step`` come on top; a file without them was solved
with ``time_step`` throughout.
"""

Compression = Literal["gzip"]
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
        header: its description; ``num_trajectories`` is the sum over the blocks.
        blocks: arrays ``(trajectory, time, channel, *space)`` float32 in the order of the file.
        compression: None or ``"gzip"``.

    Raises:
        BadInputError: if the blocks do not fit the header.
        NonFiniteError: if a block holds a NaN or an infinity.
    """
    _refuse_bad_header(header)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        _write_structure(file, header, compression)
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
            for item, channels in _channels(header):
                values = (
                    block[:, :, channels.start]
                    if item.kind != "vector"
                    else np.moveaxis(block[:, :, channels], 2, -1)
                )
                file[_location(item)][done:end] = values
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
    if not header.frame_interval > 0:
        raise BadInputError(f"frame_interval must be positive, got {header.frame_interval}")
    if header.seeds and len(header.seeds) != header.num_trajectories:
        raise BadInputError(f"got {len(header.seeds)} seeds for {header.num_trajectories} trajectories")


def _refuse_non_finite(block: np.ndarray, header: Header, first: int) -> None:
    if np.isfinite(block).all():
        return
    row, frame, channel = np.argwhere(~np.isfinite(block))[0][:3]
    raise NonFiniteError(
        f"trajectory {first + row}, field {header.channel_names[channel]}, frame {frame} is not finite; "
        "usual cure: a smaller time_step"
    )


def _channels(header: Header) -> Iterator[tuple[Field, slice]]:
    start = 0
    for item in header.fields:
        width = header.grid.num_dims if item.kind == "vector" else 1
        yield item, slice(start, start + width)
        start += width


def _location(item: Field) -> str:
    return f"{'t1_fields' if item.kind == 'vector' else 't0_fields'}/{item.name}"


def _strings(values: Sequence[str]) -> np.ndarray:
    return np.array(list(values), dtype=h5py.string_dtype())


def _write_structure(file: h5py.File, header: Header, compression: Compression | None) -> None:
    axes = SPACE_NAMES[: header.grid.num_dims]
    _write_root(file, header)
    _write_scales(file, header, axes)
    _write_boundaries(file, header, axes)
    scalars = file.create_group("scalars")
    scalars.attrs["field_names"] = _strings([SYMBOLS.get(name, name) for name in header.parameters])
    for name, value in header.parameters.items():
        item = scalars.create_dataset(SYMBOLS.get(name, name), data=np.float32(value))
        item.attrs.update(
            sample_varying=False, time_varying=False, units="1", long_name=name.replace("_", " ")
        )
    for order in range(3):
        group = file.create_group(f"t{order}_fields")
        group.attrs["field_names"] = _strings(
            [f.name for f in header.fields if (f.kind == "vector") == (order == 1) and order < 2]
        )
    for item, _ in _channels(header):
        vector = item.kind == "vector"
        tail = (header.grid.num_dims,) if vector else ()
        dims = ("sample", "time", *axes, *(("component",) if vector else ()))
        data = file.create_dataset(
            _location(item),
            shape=(header.num_trajectories, header.num_frames, *header.grid.shape, *tail),
            dtype="f4",
            chunks=(1, min(header.num_frames, CHUNK_FRAMES), *header.grid.shape, *tail),
            compression=compression,
            shuffle=compression is not None,
            fletcher32=compression is not None,
        )
        data.attrs.update(sample_varying=True, time_varying=True, dim_varying=np.ones(len(axes), dtype=bool))
        data.attrs.update(units=item.unit, long_name=item.name, pdenca_kind=item.kind)
        for axis, name in enumerate(dims):
            data.dims[axis].attach_scale(file[name])
    for group in ("t0_fields", "t1_fields"):
        if len(file[group].attrs["field_names"]):  # coordinates also for who opens this group alone
            for name in ("sample", "time", *axes):
                file[group][name] = file[name]


def _write_root(file: h5py.File, header: Header) -> None:
    symbols = [SYMBOLS.get(name, name) for name in header.parameters]
    file.attrs.update(
        dataset_name=header.dataset_name,
        grid_type="cartesian",
        n_spatial_dims=header.grid.num_dims,
        n_trajectories=header.num_trajectories,
        simulation_parameters=_strings(symbols),
        Conventions="CF-1.11",
        title=f"{header.dataset_name}: {header.regime} ({header.split})",
        source=f"{header.equation}, see the other attributes",
        pdenca_schema=SCHEMA,
        equation=header.equation,
        regime=header.regime,
        split=header.split,
        frame_interval=float(header.frame_interval),
        field_names=json.dumps([item.name for item in header.fields]),
        grid=header.grid.to_json(),
    )
    for name, symbol in zip(header.parameters, symbols, strict=True):
        file.attrs[symbol] = float(header.parameters[name])
    for name, value in header.provenance.items():
        if name in file.attrs:
            raise BadInputError(f"provenance may not redefine the attribute {name!r}")
        file.attrs[name] = value


def _write_scales(file: h5py.File, header: Header, axes: Sequence[str]) -> None:
    dimensions = file.create_group("dimensions")
    dimensions.attrs["spatial_dims"] = _strings(axes)
    sample = file.create_dataset("sample", data=np.arange(header.num_trajectories, dtype="i8"))
    sample.make_scale("sample")
    sample.attrs["long_name"] = "trajectory"
    times = np.arange(header.num_frames) * header.frame_interval
    coordinates = [coordinate.cpu().numpy() for coordinate in header.grid.coordinates()]
    for name, values in zip(("time", *axes), (times, *coordinates), strict=True):
        scale = file.create_dataset(name, data=values.astype("f4"))
        scale.make_scale(name)
        scale.attrs.update(
            sample_varying=False,
            time_varying=name == "time",
            long_name=name,
            units="s" if name == "time" else "1",
        )
        scale.attrs["axis"] = "T" if name == "time" else name.upper()
        dimensions[name] = scale  # a hard link: netCDF readers need the scales at the root
    if any(item.kind == "vector" for item in header.fields):
        component = file.create_dataset("component", data=np.arange(header.grid.num_dims, dtype="i8"))
        component.make_scale("component")
    group = file.create_group("trajectories")
    empty = np.full(header.num_trajectories, -1, dtype=np.int32)
    notes = {
        "homogeneous_from_frame": "first frame from which on no field varies in space; -1: it never dies",
        "stationary_from_frame": "first frame from which on no field changes in time; -1: it never rests",
    }
    for name, note in notes.items():
        group.create_dataset(name, data=empty).attrs["comment"] = note
    if header.seeds:
        group.create_dataset("seed", data=np.array(header.seeds, dtype=np.int64))
    for data in group.values():
        data.dims[0].attach_scale(sample)


def _write_boundaries(file: h5py.File, header: Header, axes: Sequence[str]) -> None:
    group = file.create_group("boundary_conditions")
    for name, boundary in zip(axes, header.grid.boundaries, strict=True):
        kind = WELL_BOUNDARIES[boundary]
        item = group.create_group(f"{name}_{kind.lower()}")
        item.attrs.update(bc_type=kind, sample_varying=False, time_varying=False, pdenca_bc=boundary)
        item.attrs["associated_dims"] = _strings([name])
        item.attrs["associated_fields"] = _strings([])
        mask = np.zeros(file[name].shape[0], dtype=bool)
        mask[[0, -1]] = True
        item.create_dataset("mask", data=mask).dims[0].attach_scale(file[name])


@contextmanager
def open_hdf5(path: Path | str) -> Iterator[h5py.File]:
    """Open a file for reading; whatever HDF5 cannot read becomes one FormatError with the file's name."""
    path = Path(path)
    if not path.is_file():
        raise FormatError(
            f"{path} is not a file; usual cure: check the path, or make it with `pdenca generate`"
        )
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, BadInputError):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0].strip("'\"")
        raise FormatError(
            f"{path} is damaged or not a trajectory file ({reason}); usual cure: delete it and run "
            "`pdenca generate` again, which remakes only what is missing"
        ) from error


def read_header(path: Path | str) -> Header:
    """Read what a file holds without reading its numbers.

    Files of The Well that were not written by pdenca are read too: their equation, regime and split are
    ``"unknown"``, and the parameters F and k get their full names.

    Arguments:
        path: an HDF5 file.

    Returns:
        Its header.

    Raises:
        FormatError: if it is missing, damaged or laid out differently.
    """
    with open_hdf5(path) as file:
        return header_of(file, Path(path))


def header_of(file: h5py.File, path: Path) -> Header:
    """Read the header off an open file."""
    attributes = {name: _plain(value) for name, value in file.attrs.items()}
    symbols = [str(name) for name in file.attrs["simulation_parameters"]]
    time = file["dimensions/time"]
    if "frame_interval" in attributes:
        interval = float(attributes["frame_interval"])
    else:
        values = np.asarray(time[...], dtype=np.float64).reshape(-1, time.shape[-1])[0]
        interval = float(values[1] - values[0]) if len(values) > 1 else 1.0
    known = {item.name for item in Header.__dataclass_fields__.values()} | set(symbols) | _STRUCTURE
    return Header(
        dataset_name=str(attributes["dataset_name"]),
        equation=str(attributes.get("equation", "unknown")),
        regime=str(attributes.get("regime", "unknown")),
        split=str(attributes.get("split", path.parent.name)),
        fields=_read_fields(file, attributes),
        grid=_read_grid(file, attributes),
        frame_interval=interval,
        parameters={NAMES.get(symbol, symbol): float(attributes[symbol]) for symbol in symbols},
        num_trajectories=int(attributes["n_trajectories"]),
        num_frames=int(time.shape[-1]),
        seeds=tuple(int(seed) for seed in file["trajectories/seed"][:])
        if "trajectories/seed" in file
        else (),
        provenance={name: value for name, value in attributes.items() if name not in known},
        path=path,
    )


_STRUCTURE = {
    "grid_type",
    "n_spatial_dims",
    "n_trajectories",
    "simulation_parameters",
    "Conventions",
    "title",
    "source",
    "pdenca_schema",
    "field_names",
}


def _plain(value: Any) -> Any:  # noqa: ANN401  # HDF5 attributes are of any type
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.generic):
        return value.item()
    return value


def _read_fields(file: h5py.File, attributes: Mapping[str, Any]) -> tuple[Field, ...]:
    found: dict[str, Field] = {}
    for group, default in (("t0_fields", "scalar"), ("t1_fields", "vector")):
        for name in file[group].attrs["field_names"]:
            data = file[group][name]
            kind = data.attrs.get("pdenca_kind", default)
            found[str(name)] = Field(str(name), str(data.attrs.get("units", "1")), kind)
    order = json.loads(attributes["field_names"]) if "field_names" in attributes else list(found)
    if sorted(order) != sorted(found):
        raise KeyError(f"the attribute field_names lists {order}, the groups hold {list(found)}")
    return tuple(found[name] for name in order)


def _read_grid(file: h5py.File, attributes: Mapping[str, Any]) -> Grid:
    if "grid" in attributes:
        return Grid.from_json(str(attributes["grid"]))
    axes = [str(name) for name in file["dimensions"].attrs["spatial_dims"]]
    boundaries = dict.fromkeys(axes, "no-flux")
    for item in file["boundary_conditions"].values():
        for name in item.attrs["associated_dims"]:
            if str(item.attrs["bc_type"]).upper() == "PERIODIC":
                boundaries[str(name)] = "periodic"
    coordinates = [np.asarray(file["dimensions"][name][...], dtype=np.float64) for name in axes]
    return Grid(
        shape=tuple(len(values) for values in coordinates),
        spacing=tuple(float(values[-1] - values[0]) / (len(values) - 1) for values in coordinates),
        boundaries=tuple(boundaries.values()),
    )


class TrajectoryFile:
    """An open file that reads only the hyperslabs it is asked for; close it, or use it in a ``with`` block.

    Arguments:
        path: an HDF5 file.

    Raises:
        FormatError: if it is missing, damaged or laid out differently.
    """

    def __init__(self, path: Path | str) -> None:
        self._manager = open_hdf5(path)
        self._path = Path(path)
        self._file = self._manager.__enter__()
        try:
            self.header = header_of(self._file, self._path)
            self._data = [(self._file[_location(item)], item, part) for item, part in _channels(self.header)]
        except BaseException as error:
            self._manager.__exit__(type(error), error, error.__traceback__)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; reading afterwards raises FormatError."""
        self._manager.__exit__(None, None, None)

    def activity(self) -> tuple[Int[np.ndarray, " batch"], Int[np.ndarray, " batch"]]:
        """Return per trajectory the frames from which on it is homogeneous, and stationary; -1 for never.

        Read from the file where pdenca noted them, computed otherwise.
        """
        names = ("homogeneous_from_frame", "stationary_from_frame")
        if all(f"trajectories/{name}" in self._file for name in names):
            homogeneous, stationary = (self._file[f"trajectories/{name}"][:] for name in names)
            return homogeneous, stationary
        flags = []
        for index in range(self.header.num_trajectories):
            data = self.read(index)
            flags.append((homogeneous_from(data)[0], stationary_from(data)[0]))
        homogeneous, stationary = np.array(flags, dtype=np.int32).T
        return homogeneous, stationary

    def read(
        self, trajectories: slice | int = slice(None), frames: slice = slice(None)
    ) -> Float32[np.ndarray, "batch time channel *space"]:
        """Read some trajectories and frames.

        Arguments:
            trajectories: which ones; a number reads that one and keeps the axis.
            frames: which frames.

        Returns:
            ``(trajectory, time, channel, *space)`` float32.

        Raises:
            BadInputError: if there is no such trajectory, or for slices that run backwards.
            FormatError: if the bytes cannot be read.
        """
        count = self.header.num_trajectories
        if isinstance(trajectories, int):
            if not -count <= trajectories < count:
                raise BadInputError(f"trajectory {trajectories} does not exist, {self._path} holds {count}")
            start = trajectories % count
            trajectories = slice(start, start + 1)
        if (trajectories.step or 1) < 1 or (frames.step or 1) < 1:
            raise BadInputError(f"slices must run forwards, got {trajectories} and {frames}")
        rows = range(*trajectories.indices(count))
        times = range(*frames.indices(self.header.num_frames))
        shape = (len(rows), len(times), *self.header.shape[2:])
        out = np.empty(shape, dtype=np.float32)
        try:
            for data, item, channels in self._data:
                values = data[trajectories, frames]
                out[:, :, channels] = (
                    np.moveaxis(values, -1, 2) if item.kind == "vector" else values[:, :, None]
                )
        except (OSError, RuntimeError, ValueError) as error:
            raise FormatError(f"{self._path} cannot be read ({str(error).splitlines()[0]})") from error
        return out
