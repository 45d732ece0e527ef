"""PDEBench's layouts: where a file has its numbers, what they are called, when and where they live.

- one group per trajectory, ``/0000/data`` ``(time, *space, channel)``, ``/0000/grid/x``, ``y``, ``z``, ``t``,
  named by the seed, with the settings as YAML in the attribute ``config``: "2D_diff-react_NA_NA.h5", others;
- one array ``/tensor`` ``(trajectory, time, *space)``, perhaps with a last axis of channels, beside
  ``/x-coordinate``, ..., ``/t-coordinate``, the constants being attributes: advection, Burgers,
  reaction-diffusion, Darcy flow (whose coefficient ``/nu`` is a parameter that varies in space);
- the same with one array per field, ``/density``, ``/pressure``, ``/Vx``, ...: compressible flow.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import yaml

from pdenca.core import Field

from .hdf5 import open_hdf5, plain
from .header import SPACE_NAMES, Array

DOMAIN: Final = frozenset(
    {"t", "tdim", "xdim", "ydim", "x_left", "x_right", "y_bottom", "y_top", "n", "seed", "gridDim", "T_in"}
)
"""Numbers of the settings that are no constants of the equation."""

FLOW: Final = ("density", "pressure")
LETTERS: Final = ("u", "v", "w")


def is_pdebench(file: h5py.File) -> bool:
    """Tell whether an open file has one of PDEBench's layouts."""
    return bool(seed_groups(file)) or ("x-coordinate" in file and ("tensor" in file or "density" in file))


def seed_groups(file: h5py.File) -> list[str]:
    """Return the names of the groups that are trajectories, in order."""
    return [
        name
        for name, item in file.items()
        if isinstance(item, h5py.Group) and {"data", "grid"} <= set(item) and "x" in item["grid"]
    ]


@dataclass(frozen=True)
class Layout:
    """What a file says of itself.

    Arguments:
        name: of the dataset, as far as the file has one.
        places: one array per trajectory (``grouped``), or one per channel, or one for all.
        grouped: whether ``places`` are trajectories.
        fields: what the channels are.
        shape: ``(trajectory, time, *space)``.
        times: of the frames.
        coordinates: axis -> cell centres.
        parameters: those that are numbers.
        varying: those that are not.
        seeds: of the trajectories, if known.
        notes: root attributes worth keeping.
    """

    name: str
    places: tuple[str, ...]
    grouped: bool
    fields: tuple[Field, ...]
    shape: tuple[int, ...]
    times: np.ndarray
    coordinates: Mapping[str, np.ndarray]
    parameters: Mapping[str, float]
    varying: Mapping[str, Array]
    seeds: tuple[int, ...]
    notes: Mapping[str, str]


def layout_of(file: h5py.File, path: Path) -> Layout:
    """Describe an open file.

    Raises:
        ValueError, KeyError: if it contradicts itself.
    """
    layout = _groups(file, path) if seed_groups(file) else _arrays(file, path)
    space, axes = layout.shape[2:], tuple(layout.coordinates)
    if tuple(len(values) for values in layout.coordinates.values()) != space:
        raise ValueError(f"coordinates along {', '.join(axes)} do not fit the shape {layout.shape}")
    if len(layout.times) != layout.shape[1]:
        raise ValueError(f"{len(layout.times)} times do not fit {layout.shape[1]} frames")
    return layout


def _groups(file: h5py.File, path: Path) -> Layout:
    """Describe a file with one group per trajectory."""
    names = seed_groups(file)
    first = file[names[0]]
    shapes = {file[name]["data"].shape for name in names}
    if len(shapes) > 1:
        raise ValueError(f"its trajectories have different shapes, {sorted(shapes)}")
    num_frames, *space, num_channels = first["data"].shape
    title, constants = _settings([str(plain(file[name].attrs.get("config", "{}"))) for name in names])
    shared = {name: float(values[0]) for name, values in constants.items() if len(set(values)) == 1}
    seeds = tuple(int(name) for name in names if name.isdecimal())
    return Layout(
        name=title or path.stem,
        places=tuple(f"{name}/data" for name in names),
        grouped=True,
        fields=_channels(num_channels),
        shape=(len(names), num_frames, *space),
        times=first["grid/t"][...] if "t" in first["grid"] else np.zeros(1),
        coordinates={axis: first["grid"][axis][...] for axis in SPACE_NAMES if axis in first["grid"]},
        parameters=shared,
        varying={name: values for name, values in constants.items() if name not in shared},
        seeds=seeds if len(set(seeds)) == len(names) else (),
        notes={"pdebench_config": str(plain(first.attrs["config"]))} if "config" in first.attrs else {},
    )


def _settings(texts: list[str]) -> tuple[str, dict[str, np.ndarray]]:
    """Read the YAML of all trajectories: the dataset's name, and constant -> one value per trajectory.

    Those that differ in the seed only, as all of a file do, are parsed once.
    """
    parsed: dict[str, Mapping[str, Any]] = {}
    found = []
    for text in texts:
        same = re.sub(r"(?m)^(\s*seed:).*$", r"\1 0", text)
        if same not in parsed:
            content = yaml.safe_load(same)
            parsed[same] = content if isinstance(content, dict) else {}
        found.append(parsed[same])
    numbers = [{name: _number(value) for name, value in (item.get("sim") or {}).items()} for item in found]
    names = [name for name in numbers[0] if name not in DOMAIN]
    constants = {name: [item.get(name) for item in numbers] for name in names}
    return str(found[0].get("name", "")), {
        name: np.array(values, dtype=np.float64)
        for name, values in constants.items()
        if all(value is not None for value in values)
    }


def _number(value: object) -> float | None:
    """Return a finite number, also one that YAML takes for a text (1E-3), else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value) if math.isfinite(float(value)) else None
    except ValueError:
        return None


def _channels(count: int) -> tuple[Field, ...]:
    names = LETTERS[:count] if count <= len(LETTERS) else tuple(f"u{index}" for index in range(count))
    return tuple(map(Field, names))


@dataclass(frozen=True)
class _Coefficient:
    """A coefficient ``(trajectory, *space)`` of which the rows that are asked for are read."""

    path: Path
    place: str
    shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        with open_hdf5(self.path) as file:
            return np.asarray(file[self.place][rows], dtype=np.float32)


def _arrays(file: h5py.File, path: Path) -> Layout:
    """Describe a file with one array, or one per field."""
    coordinates = {
        axis: file[f"{axis}-coordinate"][...] for axis in SPACE_NAMES if f"{axis}-coordinate" in file
    }
    num_dims = len(coordinates)
    if "tensor" in file:
        places: tuple[str, ...] = ("tensor",)
        whole = file["tensor"].shape
        fields = _channels(whole[-1] if len(whole) == num_dims + 3 else 1)
    else:
        places, whole = (*FLOW, *(f"V{axis}" for axis in coordinates)), file["density"].shape
        fields = (*map(Field, FLOW), Field("velocity", kind="vector"))
    shape = tuple(whole[: num_dims + 2])
    varies = (shape[0], *shape[2:])
    has_coefficient = "nu" in file and file["nu"].shape == varies
    constants = {name: _number(plain(value)) for name, value in file.attrs.items()}
    return Layout(
        name=path.stem,
        places=places,
        grouped=False,
        fields=fields,
        shape=shape,
        times=file["t-coordinate"][: shape[1]] if "t-coordinate" in file else np.zeros(1),
        coordinates=coordinates,
        parameters={name: value for name, value in constants.items() if value is not None},
        varying={"nu": _Coefficient(path, "nu", varies)} if has_coefficient else {},
        seeds=(),
        notes={},
    )
