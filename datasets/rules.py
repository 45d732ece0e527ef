"""The rules of the layout, each as one sentence about what breaks it.

The first half are the rules of The Well's own format checker and loader; the second half is what xarray and
we need on top. Every function yields a message per broken rule and reads attributes and shapes only.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pdenca.core import BadInputError
from pdenca.solvers import EQUATIONS, Grid

from .format import PROVENANCE, READABLE, header_of, well_boundary
from .header import file_name

WELL_KINDS = ("WALL", "OPEN", "PERIODIC")
"""The kinds of boundary The Well's loader knows."""


def broken_well_rules(file: h5py.File) -> Iterator[str]:
    """Yield what The Well's format checker or loader would refuse."""
    root = [*_root_rules(file)]
    yield from root
    if root:
        return  # everything below needs the root attributes
    dimensions = [*_dimension_rules(file)]
    yield from dimensions
    if dimensions:
        return  # every shape below needs the dimensions
    for order in range(3):
        yield from _group_rules(file, f"t{order}_fields", order)
    yield from _group_rules(file, "scalars", None)
    yield from _boundary_rules(file)


def _root_rules(file: h5py.File) -> Iterator[str]:
    for name, kind, words in (
        ("dataset_name", str, "a string"),
        ("grid_type", str, "a string"),
        ("n_spatial_dims", (int, np.integer), "a whole number"),
        ("n_trajectories", (int, np.integer), "a whole number"),
    ):
        if name not in file.attrs:
            yield f"the root attribute {name!r} is missing"
        elif not isinstance(file.attrs[name], kind):
            yield f"the root attribute {name!r} must be {words}, got {file.attrs[name]!r}"
    names = ("dimensions", "boundary_conditions", "scalars", "t0_fields", "t1_fields", "t2_fields")
    absent = [name for name in names if not isinstance(file.get(name), h5py.Group)]
    yield from (f"the group /{name} is missing" for name in absent)
    problem = _not_strings(file.attrs.get("simulation_parameters"))
    if problem:
        yield f"the root attribute 'simulation_parameters' {problem}"
    elif "scalars" not in absent:
        for name in file.attrs["simulation_parameters"]:
            if name not in file.attrs:
                yield f"{name!r} is listed in 'simulation_parameters' but is not a root attribute"
            if name not in file["scalars"]:
                yield f"{name!r} is listed in 'simulation_parameters' but is not in /scalars"


def _dimension_rules(file: h5py.File) -> Iterator[str]:
    group, num_dims = file["dimensions"], int(file.attrs["n_spatial_dims"])
    problem = _not_strings(group.attrs.get("spatial_dims"))
    if problem:
        yield f"the attribute 'spatial_dims' of /dimensions {problem}"
        return
    axes = [str(name) for name in group.attrs["spatial_dims"]]
    if len(axes) != num_dims:
        yield f"/dimensions lists {len(axes)} spatial_dims, 'n_spatial_dims' says {num_dims}"
    for name in ("time", *axes):
        if not isinstance(group.get(name), h5py.Dataset):
            yield f"/dimensions/{name} is missing"
            continue
        flags = [*_flag_rules(group[name])]
        yield from flags
        if flags:
            continue
        if group[name].ndim < 1:
            yield f"/dimensions/{name} must be a list of coordinates"
        elif name == "time" and not group[name].attrs["time_varying"]:
            yield "the attribute 'time_varying' of /dimensions/time must be true"
        else:
            expected = _shape(file, group[name], axes, field=False)
            current = group[name].shape if name == "time" else group[name].shape[:-1]
            if current != expected:
                yield f"/dimensions/{name} has shape {group[name].shape}, which does not fit its attributes"


def _group_rules(file: h5py.File, name: str, order: int | None) -> Iterator[str]:
    """Check /scalars (order None) or the fields of one tensor order."""
    group = file[name]
    problem = _not_strings(group.attrs.get("field_names"))
    if problem:
        yield f"the attribute 'field_names' of /{name} {problem}"
        return
    axes = [str(axis) for axis in file["dimensions"].attrs["spatial_dims"]]
    for key in group.attrs["field_names"]:
        data = group.get(key)
        if not isinstance(data, h5py.Dataset):
            yield f"/{name}/{key} is listed in 'field_names' but missing"
            continue
        flags = [*_flag_rules(data)]
        if order is not None:
            varying = data.attrs.get("dim_varying")
            if not isinstance(varying, np.ndarray) or varying.dtype != bool:
                flags.append(f"the attribute 'dim_varying' of {data.name} must be a list of true and false")
            elif len(varying) != len(axes):
                flags.append(f"the attribute 'dim_varying' of {data.name} must have {len(axes)} entries")
        yield from flags
        if flags:
            continue
        tail = () if order is None else (len(axes),) * order
        expected = (*_shape(file, data, axes, field=order is not None), *tail)
        if data.shape != expected:
            yield f"{data.name} has shape {data.shape}, expected {expected}"


def _boundary_rules(file: h5py.File) -> Iterator[str]:
    axes = [str(name) for name in file["dimensions"].attrs["spatial_dims"]]
    for item in file["boundary_conditions"].values():
        flags = [*_flag_rules(item)]
        kind = item.attrs.get("bc_type")
        if not isinstance(kind, str):
            flags.append(f"the attribute 'bc_type' of {item.name} must be a string, got {kind!r}")
        elif kind.upper() not in WELL_KINDS:
            flags.append(f"'bc_type' of {item.name} is {kind!r}, expected one of {', '.join(WELL_KINDS)}")
        for name in ("associated_dims", "associated_fields"):
            problem = _not_strings(item.attrs.get(name))
            if problem:
                flags.append(f"the attribute {name!r} of {item.name} {problem}")
        if not isinstance(item.get("mask") if isinstance(item, h5py.Group) else None, h5py.Dataset):
            flags.append(f"{item.name} has no mask")
        yield from flags
        if flags:
            continue
        own = [str(name) for name in item.attrs["associated_dims"]]
        for name in own:
            if name not in axes:
                yield f"{item.name} is associated with {name!r}, which is not one of the spatial_dims {axes}"
        expected = _shape(file, item, axes, field=False)
        expected += tuple(file["dimensions"][axis].shape[-1] for axis in axes if axis in own)
        mask = item["mask"]
        if mask.shape != expected or mask.dtype != bool:
            yield f"{mask.name} has shape {mask.shape} of {mask.dtype}, expected {expected} of bool"
        elif len(own) == 1 and mask.ndim == 1 and not (mask[0] and mask[-1]):
            yield f"{mask.name} must be true at both ends, else the loader takes the boundary for open"


def _flag_rules(item: Any) -> Iterator[str]:  # noqa: ANN401  # h5py.Dataset or h5py.Group
    for name in ("sample_varying", "time_varying"):
        if not isinstance(item.attrs.get(name), (bool, np.bool_)):
            yield f"the attribute {name!r} of {item.name} must be true or false, got {item.attrs.get(name)!r}"


def _not_strings(value: object) -> str | None:
    if value is None:
        return "is missing"
    if (
        not isinstance(value, np.ndarray)
        or value.ndim != 1
        or not all(isinstance(name, str) for name in value)
    ):
        return f"must be a list of strings, got {value!r}"
    return None


def _shape(file: h5py.File, item: Any, axes: Sequence[str], field: bool) -> tuple[int, ...]:  # noqa: ANN401
    shape: list[int] = []
    if item.attrs["sample_varying"]:
        shape.append(int(file.attrs["n_trajectories"]))
    if item.attrs["time_varying"]:
        shape.append(file["dimensions/time"].shape[-1])
    if field:
        varying = zip(axes, item.attrs["dim_varying"], strict=True)
        shape += [file["dimensions"][axis].shape[-1] for axis, varies in varying if varies]
    return tuple(shape)


def broken_own_rules(file: h5py.File, path: Path) -> Iterator[str]:
    """Yield what xarray or pdenca needs and a file that obeys The Well's rules does not have."""
    schema = file.attrs.get("pdenca_schema")
    if schema not in READABLE:
        yield f"'pdenca_schema' is {schema!r}, expected {' or '.join(READABLE)}: not written by pdenca"
        return
    needed = ["equation", "regime", "split", "frame_interval", "field_names", "grid"]
    if file.attrs.get("equation") in EQUATIONS:
        needed += PROVENANCE
    if file.attrs.get("num_start_frames", 0):
        needed.append("start_time_step")
    absent = [name for name in needed if name not in file.attrs]
    yield from (f"the root attribute {name!r} is missing, the file could not be remade" for name in absent)
    if absent:
        return
    try:
        header = header_of(file, path)
    except (KeyError, TypeError, json.JSONDecodeError, BadInputError) as error:
        yield f"the root attributes contradict the rest ({error})"
        return
    yield from _scale_rules(file)
    yield from _grid_rules(file, header.grid, header.frame_interval)
    for symbol in file.attrs["simulation_parameters"]:
        stored, told = file["scalars"][symbol][()], file.attrs[symbol]
        if not np.isclose(stored, told, rtol=1e-6, atol=0):
            yield f"the parameter {symbol!r} is {told} at the root and {stored} in /scalars"
    constants = json.loads(header.provenance.get("equation_constants", "{}"))
    for name, value in header.parameters.items():
        if name in constants and constants[name] != value:
            yield f"the parameter {name!r} is {value} at the root and {constants[name]} in equation_constants"
    expected = file_name(header.dataset_name, header.regime, header.parameters)
    if path.parent.parent.name == "data" and (path.name, path.parent.name) != (expected, header.split):
        yield f"the file says it is {header.split}/{expected}; it was renamed or its attributes were changed"
    if len(set(header.seeds)) < len(header.seeds):
        yield "two trajectories have the same seed"


def _scale_rules(file: h5py.File) -> Iterator[str]:
    axes = [str(name) for name in file["dimensions"].attrs["spatial_dims"]]
    for name in ("sample", "time", *axes):
        if not isinstance(file.get(name), h5py.Dataset) or not file[name].is_scale:
            yield f"/{name} is not a dimension scale, so xarray finds no coordinates"
            return
        if name != "sample" and file["dimensions"][name] != file[name]:
            yield f"/dimensions/{name} and /{name} must be the same dataset (a hard link)"
    for group in ("t0_fields", "t1_fields"):
        for key in file[group].attrs["field_names"]:
            data = file[group][key]
            names = ["sample", "time", *axes]
            attached = [len(data.dims[i]) > 0 and data.dims[i][0] == file[n] for i, n in enumerate(names)]
            if not all(attached):
                yield f"{data.name} lacks the scales {', '.join(names)}, so xarray cannot name its axes"
            if data.dtype != np.float32:
                yield f"{data.name} is {data.dtype}, expected float32"


def _grid_rules(file: h5py.File, grid: Grid, frame_interval: float) -> Iterator[str]:
    times = np.asarray(file["time"][...], dtype=np.float64)
    if not np.allclose(times, np.arange(len(times)) * frame_interval, rtol=1e-6, atol=0):
        yield f"/time is not 0, 1, 2, ... times the frame_interval {frame_interval:g}"
    axes = [str(name) for name in file["dimensions"].attrs["spatial_dims"]]
    if len(axes) != grid.num_dims:
        yield f"the grid has {grid.num_dims} axes, the file {len(axes)}"
        return
    for name, values, boundary in zip(axes, grid.coordinates(), grid.boundaries, strict=True):
        stored = np.asarray(file[name][...], dtype=np.float64)
        if stored.shape != values.shape or not np.allclose(stored, values.numpy(), rtol=1e-6, atol=0):
            yield f"/{name} does not hold the cell centres of the grid"
        kinds = {
            str(item.attrs["bc_type"]).upper()
            for item in file["boundary_conditions"].values()
            if name in item.attrs["associated_dims"]
        }
        if kinds != {well_boundary(boundary)}:
            yield f"/boundary_conditions says {sorted(kinds)} along {name!r}, the grid says {boundary!r}"
