"""The rules of The Well's own format checker and loader, each as one sentence about what breaks it.

Every function yields a message per broken rule and reads attributes and shapes only. What xarray and we need
on top is in :mod:`pdenca.datasets.own_rules`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np

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
