"""What xarray and pdenca need of a file on top of The Well's rules, as sentences about what breaks it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from pdenca.solvers import EQUATIONS
from pdenca.solvers.boundary import Dirichlet, boundary_from_name

from .format import PROVENANCE, READABLE, header_of, well_boundary
from .format.schema import ACTIVITY, FIELD_GROUPS, IRREGULAR_TIMES, NAMES, channels_of
from .header import Header, file_name


def is_text(value: object) -> bool:
    """Tell whether an attribute is a text."""
    return isinstance(value, str) and bool(value)


def is_number(value: object) -> bool:
    """Tell whether an attribute is a finite number."""
    kinds = (int, float, np.integer, np.floating)
    return isinstance(value, kinds) and not isinstance(value, bool) and bool(np.isfinite(value))


def is_json(value: object) -> bool:
    """Tell whether an attribute is a text that JSON can read."""
    try:
        json.loads(value) if isinstance(value, str) else json.loads("")
    except json.JSONDecodeError:
        return False
    return True


Test = Callable[[object], bool]
WORDS: Final[Mapping[Test, str]] = {
    is_text: "a text",
    is_number: "a finite number",
    is_json: "a text in JSON",
}
ROOT: Final[Mapping[str, Test]] = {
    "dataset_name": is_text,
    "grid_type": is_text,
    "Conventions": is_text,
    "title": is_text,
    "source": is_text,
    "equation": is_text,
    "regime": is_text,
    "split": is_text,
    "frame_interval": is_number,
    "field_names": is_json,
    "grid": is_json,
}
"""Root attribute -> what it must be."""

PROVENANCE_NUMBERS: Final = ("time_step", "dealiasing", "refine", "seed")
PROVENANCE_JSON: Final = ("equation_constants", "settings")
NAMED: Final = ("units", "long_name")
"""What every coordinate, field and scalar must say of itself, as texts."""


def is_simulated(file: h5py.File) -> bool:
    """Tell whether a file says that it was solved by pdenca, so that it could be remade."""
    equation = str(file.attrs.get("equation", ""))
    return "converted_from" not in file.attrs and (equation in EQUATIONS or ":" in equation)


def broken_own_rules(file: h5py.File, path: Path) -> Iterator[str]:
    """Yield what xarray or pdenca needs and a file that obeys The Well's rules does not have."""
    schema = file.attrs.get("pdenca_schema")
    if schema not in READABLE:
        yield (
            f"'pdenca_schema' is {schema!r}, expected {' or '.join(READABLE)}: not written by pdenca; usual "
            "cure: `pdenca convert`"
        )
        return
    faults = [*_root_rules(file)]
    yield from faults
    if faults:
        return  # everything below needs the root attributes
    yield from _attribute_rules(file)
    try:
        header = header_of(file, path)
    except (KeyError, TypeError, ValueError) as error:
        yield f"the root attributes contradict the rest ({error})"
        return
    yield from _scale_rules(file, header)
    yield from _grid_rules(file, header)
    yield from _boundary_rules(file, header)
    yield from _parameter_rules(file, header)
    expected = file_name(header.dataset_name, header.regime, header.parameters)
    if path.parent.parent.name == "data" and (path.name, path.parent.name) != (expected, header.split):
        yield f"the file says it is {header.split}/{expected}; it was renamed or its attributes were changed"
    if len(set(header.seeds)) < len(header.seeds):
        yield "two trajectories have the same seed"


def _root_rules(file: h5py.File) -> Iterator[str]:
    needed = {**ROOT, **{str(name): is_number for name in file.attrs["simulation_parameters"]}}
    if is_simulated(file):
        needed |= {name: _provenance_test(name) for name in PROVENANCE}
        if {"num_start_frames", "start_time_step"} & set(file.attrs):
            needed["num_start_frames"] = is_number
            if file.attrs.get("num_start_frames", 0) != 0:
                needed["start_time_step"] = is_number
    for name, test in needed.items():
        if name not in file.attrs:
            yield f"the root attribute {name!r} is missing, the file could not be remade"
        elif not test(file.attrs[name]):
            yield f"the root attribute {name!r} must be {WORDS[test]}, got {file.attrs[name]!r}"


def _provenance_test(name: str) -> Test:
    return is_number if name in PROVENANCE_NUMBERS else is_json if name in PROVENANCE_JSON else is_text


def _attribute_rules(file: h5py.File) -> Iterator[str]:
    axes = _axes(file)
    for name in ("time", *axes):
        item = file["dimensions"][name]
        yield from _texts(item, (*NAMED, "axis"))
        expected = "T" if name == "time" else name.upper()
        if is_text(item.attrs.get("axis")) and item.attrs["axis"] != expected:
            yield f"the attribute 'axis' of {item.name} must be {expected!r}, got {item.attrs['axis']!r}"
    for name in ("sample", "end"):
        if isinstance(file.get(name), h5py.Dataset):
            yield from _texts(file[name], ("long_name",))
    for name in file["scalars"].attrs["field_names"]:
        yield from _texts(file["scalars"][name], NAMED)
    for group, kinds in zip(FIELD_GROUPS, (("scalar", "pseudoscalar"), ("vector",)), strict=True):
        for name in file[group].attrs["field_names"]:
            item = file[group][name]
            yield from _texts(item, NAMED)
            allowed = kinds if item.attrs["time_varying"] else ("parameter",)
            kind = item.attrs.get("pdenca_kind")
            if not isinstance(kind, str) or kind not in allowed:
                wanted = " or ".join(allowed)
                yield f"the attribute 'pdenca_kind' of {item.name} must be {wanted}, got {kind!r}"
    for item in file["boundary_conditions"].values():
        yield from _texts(item, ("pdenca_bc",))
    for name in ACTIVITY:
        if not isinstance(file.get(f"trajectories/{name}"), h5py.Dataset):
            yield f"/trajectories/{name} is missing"
            continue
        item = file[f"trajectories/{name}"]
        yield from _texts(item, ("comment",))
        if item.shape != (file.attrs["n_trajectories"],):
            yield f"{item.name} has shape {item.shape}, expected {(int(file.attrs['n_trajectories']),)}"


def _texts(item: Any, names: Sequence[str]) -> Iterator[str]:  # noqa: ANN401  # h5py.Dataset or h5py.Group
    for name in names:
        if not is_text(item.attrs.get(name)):
            yield f"the attribute {name!r} of {item.name} must be a text, got {item.attrs.get(name)!r}"


def _axes(file: h5py.File) -> list[str]:
    return [str(name) for name in file["dimensions"].attrs["spatial_dims"]]


def _scale_rules(file: h5py.File, header: Header) -> Iterator[str]:
    axes = _axes(file)
    for name in ("sample", "time", *axes):
        if not isinstance(file.get(name), h5py.Dataset) or not file[name].is_scale:
            yield f"/{name} is not a dimension scale, so xarray finds no coordinates"
            return
        if name != "sample" and file["dimensions"][name] != file[name]:
            yield f"/dimensions/{name} and /{name} must be the same dataset (a hard link)"
    for group in FIELD_GROUPS:
        for key in file[group].attrs["field_names"]:
            data = file[group][key]
            flags = {"sample": data.attrs["sample_varying"], "time": data.attrs["time_varying"]}
            names = [*(name for name, varies in flags.items() if varies), *axes]
            attached = [len(data.dims[i]) > 0 and data.dims[i][0] == file[n] for i, n in enumerate(names)]
            if not all(attached):
                yield f"{data.name} lacks the scales {', '.join(names)}, so xarray cannot name its axes"
            if data.dtype != np.float32:
                yield f"{data.name} is {data.dtype}, expected float32"


def _grid_rules(file: h5py.File, header: Header) -> Iterator[str]:
    times = np.asarray(file["time"][...], dtype=np.float64)
    if "time_spacing" in file.attrs:
        yield from _irregular_rules(file.attrs["time_spacing"], times)
    elif not np.allclose(times, np.arange(len(times)) * header.frame_interval, rtol=1e-6, atol=0):
        yield f"/time is not 0, 1, 2, ... times the frame_interval {header.frame_interval:g}"
    axes, grid = _axes(file), header.grid
    if len(axes) != grid.num_dims:
        yield f"the grid has {grid.num_dims} axes, the file {len(axes)}"
        return
    for name, values in zip(axes, grid.coordinates(), strict=True):
        stored = np.asarray(file[name][...], dtype=np.float64)
        if stored.shape != values.shape or not np.allclose(stored, values.numpy(), rtol=1e-6, atol=0):
            yield f"/{name} does not hold the cell centres of the grid"


def _irregular_rules(told: object, times: np.ndarray) -> Iterator[str]:
    if told != IRREGULAR_TIMES:
        yield f"the root attribute 'time_spacing' must be {IRREGULAR_TIMES!r} or not there, got {told!r}"
    if not np.isfinite(times).all() or times[0] != 0 or not (np.diff(times) > 0).all():
        yield "/time does not begin at 0 and increase"


def _boundary_rules(file: h5py.File, header: Header) -> Iterator[str]:
    for axis, boundary in zip(_axes(file), header.grid.boundaries, strict=False):
        items = [
            item
            for item in file["boundary_conditions"].values()
            if axis in [str(name) for name in item.attrs["associated_dims"]]
        ]
        kinds = sorted({str(item.attrs["bc_type"]).upper() for item in items})
        names = sorted({str(item.attrs.get("pdenca_bc")) for item in items})
        if kinds != [well_boundary(boundary)] or names != [boundary]:
            yield f"/boundary_conditions says {kinds} {names} along {axis!r}, the grid says {boundary!r}"
            continue
        held = boundary_from_name(boundary)
        if isinstance(held, Dirichlet):
            yield from _held_rules(items, header, axis, held)


def _held_rules(items: Sequence[h5py.Group], header: Header, axis: str, held: Dirichlet) -> Iterator[str]:
    values = held.values * header.num_channels if len(held.values) == 1 else held.values
    values += (0.0,) * (header.num_channels - len(values))
    stored = {
        str(name): item["values"][...]
        for item in items
        if isinstance(item.get("values"), h5py.Dataset)
        for name in item.attrs["associated_fields"]
    }
    for field, channels in channels_of(header):
        value = values[channels] if field.kind == "vector" else values[channels.start]
        wanted = np.array(value, dtype=np.float32)
        got = stored.get(field.name)
        if got is None or got.shape != (2, *wanted.shape) or not np.allclose(got, wanted, rtol=1e-6, atol=0):
            yield (
                f"/boundary_conditions holds {field.name} at {None if got is None else got.tolist()} along "
                f"{axis!r}, the grid says {held}"
            )


def _parameter_rules(file: h5py.File, header: Header) -> Iterator[str]:
    for symbol in map(str, file["scalars"].attrs["field_names"]):
        stored = file["scalars"][symbol]
        exact = f"trajectories/{NAMES.get(symbol, symbol)}"
        if not stored.attrs["sample_varying"] and symbol in file.attrs:
            told = file.attrs[symbol]
            if not np.isclose(stored[()], told, rtol=1e-6, atol=0):
                yield f"the parameter {symbol!r} is {told} at the root and {stored[()]} in /scalars"
        elif not stored.attrs["sample_varying"]:
            yield f"the scalar {symbol!r} is a parameter, but no root attribute"
        elif not isinstance(file.get(exact), h5py.Dataset):
            yield f"the parameter {symbol!r} varies, but /{exact} is missing"
        elif not is_text(file[exact].attrs.get("comment")):
            yield f"the attribute 'comment' of /{exact} must be a text"
        elif file[exact].shape != stored.shape or not np.allclose(file[exact], stored, rtol=1e-6, atol=1e-30):
            yield f"the parameter {symbol!r} differs between /{exact} and /scalars"
    constants = json.loads(header.provenance.get("equation_constants", "{}"))
    for name, value in header.parameters.items():
        if name in constants and constants[name] != value:
            yield f"the parameter {name!r} is {value} at the root and {constants[name]} in equation_constants"
    for name in header.parameters_in_space:
        if not np.isfinite(header.varying_parameters[name][:]).all():
            yield f"the parameter {name!r} is not finite everywhere"
