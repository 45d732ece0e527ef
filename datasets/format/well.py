"""What a file of The Well says of itself, where it has none of our attributes.

Whatever cannot be kept (tensor fields, scalars that vary in time, open boundaries, a time or a corner that is
not zero) is told in the header's provenance under ``not_read``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from pdenca.solvers.grid import Grid

from ..header import IRREGULAR
from .schema import FIELD_GROUPS


def spacing_of(values: np.ndarray, what: str) -> float:
    """Return the step of equally spaced coordinates; 1 if there is only one.

    Raises:
        ValueError: if they are not equally spaced.
    """
    points = np.asarray(values, dtype=np.float64)
    if len(points) < 2:
        return 1.0
    steps = np.diff(points)
    mean = float(points[-1] - points[0]) / len(steps)
    rounding = 4 * np.finfo(np.float32).eps * np.abs(points).max()
    if not mean > 0 or np.abs(steps - mean).max() > IRREGULAR * mean + rounding:
        raise ValueError(f"{what} is not equally spaced")
    return mean


def times_of(file: h5py.File) -> np.ndarray:
    """Return the times of the first trajectory."""
    time = file["dimensions/time"]
    values: np.ndarray = np.asarray(time[...], dtype=np.float64).reshape(-1, time.shape[-1])[0]
    return values


def grid_of(file: h5py.File, field_names: Sequence[str]) -> Grid:
    """Return the grid that coordinates and boundary conditions describe.

    Raises:
        ValueError: for other than Cartesian grids of equal cells.
    """
    kind = str(file.attrs.get("grid_type", "cartesian"))
    if kind.lower() != "cartesian":
        raise ValueError(f"its grid is {kind}, only cartesian ones are read")
    axes = [str(name) for name in file["dimensions"].attrs["spatial_dims"]]
    coordinates = [np.asarray(file["dimensions"][name][...], dtype=np.float64) for name in axes]
    if any(values.ndim != 1 for values in coordinates):
        raise ValueError("its coordinates differ between trajectories or times")
    return Grid(
        shape=tuple(len(values) for values in coordinates),
        spacing=tuple(
            spacing_of(values, f"/dimensions/{name}") for name, values in zip(axes, coordinates, strict=True)
        ),
        boundaries=tuple(_boundary(file, name, field_names) for name in axes),
    )


def _boundary(file: h5py.File, axis: str, field_names: Sequence[str]) -> str:
    """Return the name of the boundary along one axis; a wall without values lets nothing through."""
    held: dict[str, float] = {}
    for item in file["boundary_conditions"].values():
        if axis not in [str(name) for name in item.attrs["associated_dims"]]:
            continue
        if str(item.attrs["bc_type"]).upper() == "PERIODIC":
            return "periodic"
        values = np.unique(item["values"][...]) if "values" in item else np.array([])
        if len(values) == 1:
            held |= {str(name): float(values[0]) for name in item.attrs["associated_fields"]}
    if field_names and set(held) >= set(field_names):
        return f"dirichlet({', '.join(repr(held[name]) for name in field_names)})"
    return "no-flux"


def parameters_of(file: h5py.File, attributes: Mapping[str, Any]) -> dict[str, float]:
    """Return the parameters that are one number, by their names in the file; first the root attributes."""
    found: dict[str, float] = {}
    for symbol in map(str, file.attrs["simulation_parameters"]):
        item = file["scalars"].get(symbol) if "scalars" in file else None
        if item is not None and item.attrs.get("sample_varying", False):
            continue
        found[symbol] = float(attributes[symbol])
    for symbol in map(str, file["scalars"].attrs["field_names"]) if "scalars" in file else ():
        item = file["scalars"][symbol]
        if symbol not in found and not item.attrs["sample_varying"] and not item.attrs["time_varying"]:
            found[symbol] = float(np.asarray(item[...]).reshape(-1)[0])
    return found


def not_read(file: h5py.File, grid: Grid) -> str:
    """Return what of a file of The Well has no place in ours, in words; empty if all has."""
    return "; ".join(_not_read(file, grid))


def _not_read(file: h5py.File, grid: Grid) -> Iterator[str]:
    for order, group in enumerate((*FIELD_GROUPS, "t2_fields")):
        for name in file[group].attrs["field_names"] if group in file else ():
            if order == 2:
                yield f"the tensor field {name}"
            elif order == 1 and not file[group][name].attrs["time_varying"]:
                yield f"the constant vector field {name}"
    for name in file["scalars"].attrs["field_names"] if "scalars" in file else ():
        if file["scalars"][name].attrs["time_varying"]:
            yield f"the scalar {name}, which varies in time"
    for name, item in file["boundary_conditions"].items():
        kind = str(item.attrs["bc_type"]).upper()
        axes = [str(axis) for axis in item.attrs["associated_dims"]]
        if kind == "OPEN" or len(axes) > 1:
            yield f"the {kind.lower()} boundary {name}, taken for no-flux"
    if times_of(file)[0] != 0:
        yield f"time begins at {times_of(file)[0]:g}"
    for name, spacing in zip(file["dimensions"].attrs["spatial_dims"], grid.spacing, strict=True):
        first = float(file["dimensions"][name][0])
        if abs(first - spacing / 2) > IRREGULAR * spacing:
            yield f"{name} begins at {first:g}"
