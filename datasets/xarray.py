"""Labelled data: one file as one xarray Dataset."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray

from pdenca.core import FormatError

from .format import TrajectoryFile
from .format.schema import symbol_of

GROUPS = ("t0_fields", "t1_fields", "scalars", "trajectories")


def open_xarray(path: Path | str) -> xarray.Dataset:
    """Open a file as one Dataset with named dimensions and coordinates, read lazily.

    Its variables are the fields (dimensions sample, time, x, y, ...), the parameters (without dimensions, or
    by sample and in space as they vary), and per trajectory its seed and the frames from which on it is
    homogeneous or stationary. Attributes that netCDF cannot store (true and false) become 0 and 1, so that
    ``to_netcdf`` works. Close it, or use it in a ``with`` block.

    Arguments:
        path: an HDF5 file.

    Returns:
        The Dataset; its attributes are the file's root attributes.

    Raises:
        FormatError: if the file is missing or damaged, or has no names for its axes, as The Well's own.
    """
    with TrajectoryFile(path) as file:  # says in one sentence what is wrong, if something is
        exact = {
            parameter: symbol_of(parameter)
            for parameter, values in file.header.varying_parameters.items()
            if values.ndim == 1
        }
        if file.schema is None:
            raise FormatError(
                f"{path} is The Well's own and has no names for its axes; usual cure: `pdenca convert`"
            )
    tree = xarray.open_datatree(path, engine="h5netcdf")
    parts = {name: tree.children[name].to_dataset(inherit=True) for name in GROUPS if name in tree.children}
    # of a parameter by trajectory only the exact values stay, under the name the scalar has
    parts["scalars"] = parts["scalars"].drop_vars(exact.values())
    parts["trajectories"] = parts["trajectories"].rename(exact)
    merged = xarray.merge(parts.values(), combine_attrs="override").drop_vars("end", errors="ignore")
    for variable in merged.variables.values():
        variable.attrs = {name: _storable(value) for name, value in variable.attrs.items()}
    merged.attrs = {name: _storable(value) for name, value in tree.attrs.items()}
    merged.set_close(tree.close)
    return merged


def _storable(value: Any) -> Any:  # noqa: ANN401  # attributes are of any type
    if isinstance(value, (bool, np.bool_)):
        return np.int8(value)
    if isinstance(value, np.ndarray) and value.dtype == bool:
        return value.astype(np.int8)
    return value
