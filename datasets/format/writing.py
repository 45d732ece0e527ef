"""Writing a file: whole or absent, one block of trajectories in memory at a time."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
from jaxtyping import Float32

from pdenca.core import BadInputError, NonFiniteError, atomic_path
from pdenca.solvers.boundary import Dirichlet, boundary_from_name

from ..activity import homogeneous_from, stationary_from
from ..header import SPACE_NAMES, Array, Header, TrajectorySet
from .schema import (
    ACTIVITY,
    CHUNK_FRAMES,
    FIELD_GROUPS,
    RESERVED,
    SCHEMA,
    channels_of,
    location,
    symbol_of,
    well_boundary,
)

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


def _strings(values: Sequence[str]) -> np.ndarray:
    return np.array(list(values), dtype=h5py.string_dtype())


def _write_structure(file: h5py.File, header: Header, compression: Compression | None) -> None:
    axes = SPACE_NAMES[: header.grid.num_dims]
    _write_root(file, header)
    _write_scales(file, header, axes)
    _write_boundaries(file, header, axes)
    _write_scalars(file, header)
    in_space = {name: values for name, values in header.varying_parameters.items() if values.ndim > 1}
    names = {
        "t0_fields": [item.name for item in header.fields if item.kind != "vector"]
        + [symbol_of(name) for name in in_space],
        "t1_fields": [item.name for item in header.fields if item.kind == "vector"],
        "t2_fields": [],
    }
    for group, listed in names.items():
        file.create_group(group).attrs["field_names"] = _strings(listed)
    for item, _ in channels_of(header):
        vector = item.kind == "vector"
        tail = (header.grid.num_dims,) if vector else ()
        dims = ("sample", "time", *axes, *(("component",) if vector else ()))
        data = file.create_dataset(
            location(item),
            shape=(header.num_trajectories, header.num_frames, *header.grid.shape, *tail),
            dtype="f4",
            chunks=(1, min(header.num_frames, CHUNK_FRAMES), *header.grid.shape, *tail),
            compression=compression,
            shuffle=compression is not None,
            fletcher32=compression is not None,
        )
        data.attrs.update(sample_varying=True, time_varying=True, dim_varying=np.ones(len(axes), dtype=bool))
        data.attrs.update(units=item.unit, long_name=item.name, pdenca_kind=item.kind)
        _attach(file, data, dims)
    for name, values in in_space.items():
        shared = len(values) == 1
        data = file.create_dataset(
            f"t0_fields/{symbol_of(name)}", data=(values[:][0] if shared else values[:]).astype("f4")
        )
        data.attrs.update(sample_varying=not shared, time_varying=False)
        data.attrs.update(dim_varying=np.ones(len(axes), dtype=bool), units="1", pdenca_kind="parameter")
        data.attrs["long_name"] = name.replace("_", " ")
        _attach(file, data, axes if shared else ("sample", *axes))
    for group in FIELD_GROUPS:
        if names[group]:  # coordinates also for who opens this group alone
            for name in ("sample", "time", *axes):
                file[group][name] = file[name]


def _attach(file: h5py.File, data: h5py.Dataset, dims: Sequence[str]) -> None:
    for axis, name in enumerate(dims):
        data.dims[axis].attach_scale(file[name])


def _write_scalars(file: h5py.File, header: Header) -> None:
    per_trajectory = {name: values for name, values in header.varying_parameters.items() if values.ndim == 1}
    scalars = file.create_group("scalars")
    scalars.attrs["field_names"] = _strings(
        [symbol_of(name) for name in (*header.parameters, *per_trajectory)]
    )
    for name in (*header.parameters, *per_trajectory):
        varies = name in per_trajectory
        value = per_trajectory[name][:] if varies else header.parameters[name]
        item = scalars.create_dataset(symbol_of(name), data=np.float32(value))
        item.attrs.update(
            sample_varying=varies, time_varying=False, units="1", long_name=name.replace("_", " ")
        )
        if varies:
            _attach(file, item, ("sample",))
            exact = file["trajectories"].create_dataset(name, data=np.asarray(value, dtype=np.float64))
            exact.attrs["comment"] = "the parameter in double precision"
            _attach(file, exact, ("sample",))


def _write_root(file: h5py.File, header: Header) -> None:
    symbols = [symbol_of(name) for name in header.parameters]
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
    for what, values in (
        ("the parameters", {symbol_of(name): float(value) for name, value in header.parameters.items()}),
        ("provenance", header.provenance),
    ):
        for name, value in values.items():
            if name in file.attrs:
                raise BadInputError(f"{what} may not redefine the attribute {name!r}")
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
    for name, note in ACTIVITY.items():
        group.create_dataset(name, data=empty).attrs["comment"] = note
    if header.seeds:
        group.create_dataset("seed", data=np.array(header.seeds, dtype=np.int64))
    for data in group.values():
        data.dims[0].attach_scale(sample)


def _write_boundaries(file: h5py.File, header: Header, axes: Sequence[str]) -> None:
    file.create_group("boundary_conditions")
    for axis, boundary in zip(axes, header.grid.boundaries, strict=True):
        held = boundary_from_name(boundary)
        kind = well_boundary(boundary)
        if not isinstance(held, Dirichlet):
            _write_boundary(file, f"{axis}_{kind.lower()}", axis, boundary)
            continue
        if "end" not in file:
            file.create_dataset("end", data=np.arange(2, dtype="i8")).make_scale("end")
            file["end"].attrs["long_name"] = "first and last cell along an axis"
        values = held.values * header.num_channels if len(held.values) == 1 else held.values
        values += (0.0,) * (header.num_channels - len(values))
        for item, channels in channels_of(header):
            group = _write_boundary(file, f"{axis}_wall_{item.name}", axis, boundary, item.name)
            vector = item.kind == "vector"
            both = np.array([values[channels] if vector else values[channels.start]] * 2, dtype=np.float32)
            ends = group.create_dataset("values", data=both)
            _attach(file, ends, ("end", "component") if vector else ("end",))


def _write_boundary(
    file: h5py.File, name: str, axis: str, boundary: str, field: str | None = None
) -> h5py.Group:
    item = file["boundary_conditions"].create_group(name)
    item.attrs.update(sample_varying=False, time_varying=False)
    item.attrs.update(bc_type=well_boundary(boundary), pdenca_bc=boundary)
    item.attrs["associated_dims"] = _strings([axis])
    item.attrs["associated_fields"] = _strings([] if field is None else [field])
    mask = np.zeros(file[axis].shape[0], dtype=bool)
    mask[[0, -1]] = True
    _attach(file, item.create_dataset("mask", data=mask), (axis,))
    return item
