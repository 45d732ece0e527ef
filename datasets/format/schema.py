"""The layout: names, places, versions. What is written and what is read agree because both ask here.

A file holds the trajectories of one equation. Everything The Well asks for is there (root attributes,
``/dimensions``, ``/boundary_conditions``, ``/scalars``, ``/t0_fields`` to ``/t2_fields``), and the dimension
scales live at the root, hard-linked from ``/dimensions``, so that netCDF readers find named dimensions and
coordinates. On top come our own root attributes (how the file was made) and the group ``/trajectories`` (seed
of each trajectory, the frame from which on it is homogeneous or stationary, and parameters that differ from
trajectory to trajectory).

Fields: ``(trajectory, time, *space)`` float32 for a scalar, one more axis for the components of a vector;
chunks of one trajectory and 8 frames.

Times: ``/time`` is 0, 1, 2, ... times the root attribute ``frame_interval`` in float32. Where frames are not
equally spaced the root attribute ``time_spacing`` is ``"irregular"`` and ``/time`` has them in float64.
``time_unit`` and ``length_unit``, if there, are the units of the coordinates.

Parameters: a number is a root attribute (exact) and a scalar (float32, for The Well); one value per
trajectory is a scalar that varies with the sample, and exact in ``/trajectories``; a field in space is a
field of ``/t0_fields`` that does not vary in time. The Well's constant fields are just that.

Boundaries: ``/boundary_conditions/x_periodic`` or ``x_wall``; a wall that holds values is one group per
field, ``x_wall_A``, with the values of both ends. ``pdenca_bc`` has the exact name.

The Well: Ohana et al., NeurIPS 2024, arXiv 2412.00568.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import h5py

from pdenca.core import Field, FormatError

from ..header import SYMBOLS, Header

Compression = Literal["gzip"]

SCHEMA: Final = "2"
"""The version that is written."""

READABLE: Final = ("1", "2")
"""The versions that are read; "1" had numbers as parameters only, and no walls that hold a value."""

CHUNK_FRAMES: Final = 8
NAMES: Final[Mapping[str, str]] = {symbol: name for name, symbol in SYMBOLS.items()}
FIELD_GROUPS: Final = ("t0_fields", "t1_fields")
GROUPS: Final = ("dimensions", "boundary_conditions", "scalars", "t0_fields", "t1_fields", "t2_fields")
"""The groups without which a file is not one of The Well's."""

ACTIVITY: Final[Mapping[str, str]] = {
    "homogeneous_from_frame": "first frame from which on no field varies in space; -1: it never dies",
    "stationary_from_frame": "first frame from which on no field changes in time; -1: it never rests",
}
RESERVED: Final = frozenset({"sample", "time", "x", "y", "z", "component", "end", "seed", *ACTIVITY})
"""Names of dimensions and notes, which fields and parameters may not have."""

PROVENANCE: Final = (
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

STRUCTURE: Final = frozenset(
    {
        "grid_type",
        "n_spatial_dims",
        "n_trajectories",
        "simulation_parameters",
        "Conventions",
        "title",
        "source",
        "pdenca_schema",
        "field_names",
        "time_spacing",
    }
)
"""Root attributes that follow from the rest of a header."""

IRREGULAR_TIMES: Final = "irregular"
"""What ``time_spacing`` says where it is there."""

WELL_BOUNDARIES: Final[Mapping[str, str]] = {
    "periodic": "PERIODIC",
    "no-flux": "WALL",
    "zeros": "OPEN",
    "dirichlet": "WALL",
}
"""Key of ``BOUNDARIES`` -> the nearest of The Well's three kinds (WALL, OPEN, PERIODIC)."""


def well_boundary(name: str) -> str:
    """Return The Well's kind of one of our boundaries, e.g. ``"WALL"`` for ``"dirichlet(1, 0)"``."""
    return WELL_BOUNDARIES[name.partition("(")[0]]


def channels_of(header: Header) -> Iterator[tuple[Field, slice]]:
    """Yield each field with its channels of the data array."""
    start = 0
    for item in header.fields:
        width = header.grid.num_dims if item.kind == "vector" else 1
        yield item, slice(start, start + width)
        start += width


def location(item: Field) -> str:
    """Return the place of a field's values in the file."""
    return f"{'t1_fields' if item.kind == 'vector' else 't0_fields'}/{item.name}"


def symbol_of(parameter: str) -> str:
    """Return the name of a parameter in the file, which is short where The Well has a short one."""
    return SYMBOLS.get(parameter, parameter)


def refuse_other_schema(file: h5py.File, path: Any) -> None:  # noqa: ANN401  # str or Path
    """Refuse a file of a version of the layout that this version of pdenca does not know.

    Raises:
        FormatError: if it is newer, older, or not a version at all; a file without any version passes.
    """
    if "pdenca_schema" not in file.attrs:
        return
    schema = str(file.attrs["pdenca_schema"])
    if schema in READABLE:
        return
    known = f"this version reads {' and '.join(READABLE)}"
    if schema.isdecimal() and int(schema) > int(SCHEMA):
        raise FormatError(
            f"{path} was written by a newer pdenca (schema {schema}, {known}); usual cure: update pdenca"
        )
    raise FormatError(
        f"{path} has the schema {schema!r}, {known}; usual cure: make it again with `pdenca generate`"
    )
