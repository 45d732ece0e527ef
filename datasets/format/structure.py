"""What a new file is made of before the numbers come: attributes, scales, boundaries, parameters, fields."""

import json
from collections.abc import Sequence

import h5py
import numpy as np

from pdenca.core import BadInputError
from pdenca.solvers.boundary import Dirichlet, boundary_from_name

from ..header import SPACE_NAMES, Header
from .schema import (
    ACTIVITY,
    CHUNK_FRAMES,
    FIELD_GROUPS,
    IRREGULAR_TIMES,
    SCHEMA,
    Compression,
    channels_of,
    location,
    symbol_of,
    well_boundary,
)


def _strings(values: Sequence[str]) -> np.ndarray:
    return np.array(list(values), dtype=h5py.string_dtype())


def write_structure(file: h5py.File, header: Header, compression: Compression | None) -> None:
    """Make everything of a file but the values of its fields.

    Raises:
        BadInputError: if a parameter or provenance would overwrite an attribute.
    """
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
    if header.times:
        file.attrs["time_spacing"] = IRREGULAR_TIMES
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
    coordinates = [coordinate.cpu().numpy() for coordinate in header.grid.coordinates()]
    for name, values in zip(("time", *axes), (header.frame_times, *coordinates), strict=True):
        exact = name == "time" and header.times  # nothing else in the file tells them
        scale = file.create_dataset(name, data=values.astype("f8" if exact else "f4"))
        scale.make_scale(name)
        scale.attrs.update(
            sample_varying=False,
            time_varying=name == "time",
            long_name=name,
            units=str(
                header.provenance.get("time_unit", "s")
                if name == "time"
                else header.provenance.get("length_unit", "1")
            ),
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
