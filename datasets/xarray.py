"""Labelled data: one file as one xarray Dataset."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray

from .format import TrajectoryFile

GROUPS = ("t0_fields", "t1_fields", "scalars", "trajectories")


def open_xarray(path: Path | str) -> xarray.Dataset:
    """Open a file as one Dataset with named dimensions and coordinates, read lazily.

    Its variables are the fields (dimensions sample, time, x, y, ...), the parameters, and per trajectory its
    seed and the frames from which on it is homogeneous or stationary. Attributes that netCDF cannot store
    (true and false) become 0 and 1, so that ``to_netcdf`` works. Close it, or use it in a ``with`` block.

    Arguments:
        path: an HDF5 file.

    Returns:
        The Dataset; its attributes are the file's root attributes.

    Raises:
        FormatError: if the file is missing or damaged.
    """
    TrajectoryFile(path).close()  # says in one sentence what is wrong, if something is
    tree = xarray.open_datatree(path, engine="h5netcdf")
    parts = [tree.children[name].to_dataset(inherit=True) for name in GROUPS if name in tree.children]
    merged = xarray.merge(parts, combine_attrs="override")
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
