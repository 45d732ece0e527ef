"""Reading a file, ours or The Well's, no more of it than is asked for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float32, Int
from torch import Tensor

from pdenca.core import Field, FormatError
from pdenca.solvers.grid import Grid

from ..hdf5 import DAMAGE, open_hdf5, plain, reason
from ..header import Header
from ..trajectories import Trajectories, as_tensor
from .schema import (
    ACTIVITY,
    FIELD_GROUPS,
    GROUPS,
    NAMES,
    STRUCTURE,
    channels_of,
    location,
    refuse_other_schema,
)
from .well import grid_of, not_read, parameters_of, spacing_of, times_of


def read_header(path: Path | str) -> Header:
    """Read what a file holds without reading its numbers.

    Files of The Well that were not written by pdenca are read too: their equation, regime and split are
    ``"unknown"``, the parameters F and k get their full names, and what has no place in a header is told in
    its provenance, ``"not_read"``.

    Arguments:
        path: an HDF5 file.

    Returns:
        Its header.

    Raises:
        FormatError: if it is missing, damaged, laid out differently, or of another version of the layout.
    """
    with open_hdf5(path) as file:
        return header_of(file, Path(path))


def header_of(file: h5py.File, path: Path) -> Header:
    """Read the header off an open file."""
    refuse_other_schema(file, path)
    refuse_other_layout(file, path)
    attributes = {name: plain(value) for name, value in file.attrs.items()}
    symbols = parameters_of(file, attributes)
    fields = _read_fields(file, attributes)
    ours = "pdenca_schema" in attributes
    grid = (
        Grid.from_json(str(attributes["grid"]))
        if "grid" in attributes
        else grid_of(file, [item.name for item in fields])
    )
    interval = attributes.get("frame_interval")
    known = {item.name for item in Header.__dataclass_fields__.values()} | set(symbols) | STRUCTURE
    lost = "" if ours else not_read(file, grid)
    return Header(
        dataset_name=str(attributes["dataset_name"]),
        equation=str(attributes.get("equation", "unknown")),
        regime=str(attributes.get("regime", "unknown")),
        split=str(attributes.get("split", path.parent.name)),
        fields=fields,
        grid=grid,
        frame_interval=spacing_of(times_of(file), "time") if interval is None else float(interval),
        parameters={NAMES.get(symbol, symbol): value for symbol, value in symbols.items()},
        num_trajectories=int(attributes["n_trajectories"]),
        num_frames=int(file["dimensions/time"].shape[-1]),
        seeds=tuple(int(seed) for seed in file["trajectories/seed"][:])
        if "trajectories/seed" in file
        else (),
        provenance={
            **{name: value for name, value in attributes.items() if name not in known},
            **({"not_read": lost} if lost else {}),
        },
        path=path,
        times=tuple(times_of(file).tolist()) if "time_spacing" in attributes else (),
        varying_parameters={
            name: StoredParameter(path, place, _parameter_shape(file, place, grid.shape))
            for name, place in _places(file).items()
        },
    )


def refuse_other_layout(file: h5py.File, path: Path) -> None:
    """Refuse an HDF5 file that has nothing of The Well's layout.

    Raises:
        FormatError: with what may read it.
    """
    if "dataset_name" not in file.attrs and not any(name in file for name in GROUPS):
        raise FormatError(
            f"{path} is HDF5, but neither ours nor The Well's; usual cure: `pdenca convert`, which reads "
            "PDEBench's files"
        )


def _read_fields(file: h5py.File, attributes: Mapping[str, Any]) -> tuple[Field, ...]:
    found: dict[str, Field] = {}
    for group, default in zip(FIELD_GROUPS, ("scalar", "vector"), strict=True):
        for name in file[group].attrs["field_names"]:
            data = file[group][name]
            if data.attrs["time_varying"]:
                kind = data.attrs.get("pdenca_kind", default)
                found[str(name)] = Field(str(name), str(data.attrs.get("units", "1")), kind)
    order = json.loads(attributes["field_names"]) if "field_names" in attributes else list(found)
    if sorted(order) != sorted(found):
        raise KeyError(f"the attribute field_names lists {order}, the groups hold {list(found)}")
    return tuple(found[name] for name in order)


def _places(file: h5py.File) -> dict[str, str]:
    """Return the parameters that vary from trajectory to trajectory or in space, and where they are."""
    places: dict[str, str] = {}
    for symbol in map(str, file["scalars"].attrs["field_names"]) if "scalars" in file else ():
        flags = file["scalars"][symbol].attrs
        if flags["sample_varying"] and not flags["time_varying"]:
            name = NAMES.get(symbol, symbol)
            exact = f"trajectories/{name}"
            places[name] = exact if exact in file else f"scalars/{symbol}"
    for symbol in map(str, file["t0_fields"].attrs["field_names"]):
        if not file["t0_fields"][symbol].attrs["time_varying"]:
            places[NAMES.get(symbol, symbol)] = f"t0_fields/{symbol}"
    return places


def _read_parameter(
    file: h5py.File, place: str, space: tuple[int, ...], trajectories: slice = slice(None)
) -> np.ndarray:
    """Read a parameter: ``(trajectory,)`` float64, or ``(1 or trajectory, *space)`` float32."""
    data = file[place]
    if not place.startswith("t0_fields/"):
        return np.asarray(data[trajectories], dtype=np.float64)
    values = data[trajectories] if data.attrs["sample_varying"] else data[...][None][trajectories]
    for axis in _constant_axes(data):
        values = np.expand_dims(values, 1 + axis)
    return np.broadcast_to(values, (len(values), *space)).astype(np.float32)


def _constant_axes(data: h5py.Dataset) -> list[int]:
    """Return the axes of space along which a field is stored only once."""
    return [axis for axis, varies in enumerate(data.attrs["dim_varying"]) if not varies]


def _parameter_shape(file: h5py.File, place: str, space: tuple[int, ...]) -> tuple[int, ...]:
    data = file[place]
    if not place.startswith("t0_fields/"):
        return (int(data.shape[0]),)
    return (int(data.shape[0]) if data.attrs["sample_varying"] else 1, *space)


@dataclass(frozen=True)
class StoredParameter:
    """A parameter that varies, of which the file is asked for just the rows that are wanted.

    Arguments:
        path: the file.
        place: where it is in the file.
        shape: ``(trajectory,)``, ``(1, *space)`` or ``(trajectory, *space)``.
    """

    path: Path
    place: str
    shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        with open_hdf5(self.path) as file:
            return _read_parameter(file, self.place, self.shape[1:], rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:  # noqa: ANN401
        return np.asarray(self[:], dtype)


class TrajectoryFile(Trajectories):
    """An open file of ours or The Well's that reads only the hyperslabs it is asked for.

    Close it, or use it in a ``with`` block. ``schema`` is the version of our layout, None for The Well's own.

    Arguments:
        path: an HDF5 file.

    Raises:
        FormatError: if it is missing, damaged, laid out differently, or of another version of the layout.
    """

    def __init__(self, path: Path | str) -> None:
        self._manager = open_hdf5(path)
        self._path = Path(path)
        self._file = self._manager.__enter__()
        try:
            self.header = header_of(self._file, self._path)
            self.schema = plain(self._file.attrs.get("pdenca_schema"))
            self._places = _places(self._file)
            self._data = [
                (
                    data,
                    bool(data.attrs["sample_varying"]),
                    _constant_axes(data),
                    item,
                    part,
                )
                for item, part in channels_of(self.header)
                for data in (self._file[location(item)],)
            ]
        except BaseException as error:
            self._manager.__exit__(type(error), error, error.__traceback__)
            raise

    def close(self) -> None:
        """Close the file; reading afterwards raises FormatError."""
        self._manager.__exit__(None, None, None)

    def activity(self) -> tuple[Int[np.ndarray, " batch"], Int[np.ndarray, " batch"]]:
        """Return per trajectory the frames from which on it is homogeneous, and stationary; -1 for never.

        Read from the file where pdenca noted them, computed otherwise.
        """
        if all(f"trajectories/{name}" in self._file for name in ACTIVITY):
            homogeneous, stationary = (self._file[f"trajectories/{name}"][:] for name in ACTIVITY)
            return homogeneous, stationary
        return super().activity()

    def parameters(self, trajectory: int) -> dict[str, Tensor]:
        """Return the parameters of one trajectory, float32: 0-dimensional, or ``"*space"``."""
        row = self._rows(trajectory)
        told = {name: as_tensor(value) for name, value in self.header.parameters.items()}
        for name, place in self._places.items():
            rows = row if len(self.header.varying_parameters[name]) > 1 else slice(None)
            told[name] = as_tensor(_read_parameter(self._file, place, self.header.grid.shape, rows)[0])
        return told

    def read(
        self, trajectories: slice | int = slice(None), frames: slice = slice(None)
    ) -> Float32[np.ndarray, "batch time channel *space"]:
        """Read some trajectories and frames; see :class:`Trajectories`."""
        rows = self._rows(trajectories, frames)
        out = self._empty(rows, frames)
        try:
            for data, varies, constant_axes, item, channels in self._data:
                values = data[rows, frames] if varies else data[frames][None]
                for axis in constant_axes:
                    values = np.expand_dims(values, 2 + axis)
                out[:, :, channels] = (
                    np.moveaxis(values, -1, 2) if item.kind == "vector" else values[:, :, None]
                )
        except DAMAGE as error:
            raise FormatError(f"{self._path} cannot be read ({reason(error)})") from error
        return out
