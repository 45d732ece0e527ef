"""Is a file or dataset what it says it is? Format, numbers, physics."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import torch

from pdenca.core import BadInputError, FormatError
from pdenca.solvers import EQUATIONS, Equation, equation_class
from pdenca.solvers.boundary import Dirichlet, boundary_from_name

from .activity import homogeneous_from, stationary_from
from .budget import budget_residual
from .format import TrajectoryFile, open_hdf5
from .format.reading import refuse_other_layout
from .format.schema import refuse_other_schema
from .header import Header
from .layout import DATA_FOLDER, data_files, expand, is_dataset, splits_of
from .own_rules import broken_own_rules
from .rules import broken_well_rules
from .statistics import FILE_NAME as STATISTICS_NAME
from .statistics import STATISTICS, compute_statistics, read_stats

STATISTICS_TOLERANCE = 1e-4
"""How far stats.yaml may be off, in units of the RMS of the field (or of its change)."""

Level = Literal["error", "warning"]
Equations = Mapping[str, type[Equation]]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (error) or worth knowing (warning).

    Arguments:
        level: ``"error"`` or ``"warning"``.
        file: where.
        field: name of the field, if it concerns one.
        trajectory: index of the trajectory, if it concerns one.
        frame: index of the frame, if it concerns one.
        message: what, in one sentence.
    """

    level: Level
    file: Path
    field: str | None
    trajectory: int | None
    frame: int | None
    message: str

    def __str__(self) -> str:
        place = [
            f"{name} {value}"
            for name, value in (("field", self.field), ("trajectory", self.trajectory), ("frame", self.frame))
            if value is not None
        ]
        return f"{self.level}: {self.file}: {', '.join(place)}{': ' if place else ''}{self.message}"


def check(
    paths: Iterable[Path | str] | Path | str, strict: bool = False, equations: Iterable[str] = ()
) -> list[Finding]:
    """Check files, split folders and dataset folders.

    Per file: every rule of The Well's format checker and loader, what xarray and we need on top, and whether
    the parameters agree wherever they are stored; then, if the layout is sound, per trajectory non-finite
    values, the budget d<ΣU>/dt of the equation against its quadrature (:mod:`pdenca.datasets.budget` states
    the tolerance), and whether the trajectory dies or comes to rest. Over all files given: no seed twice. Per
    dataset folder: one name, resolution and dimension per split, and a ``stats.yaml`` that fits the training
    files.

    Arguments:
        paths: what to check.
        strict: make every warning (dead and stationary trajectories among them) an error.
        equations: "module:Class" of each equation of one's own whose budget is to be checked. They are
            imported; no file can make anything else be imported.

    Returns:
        The findings in the order of the files; an empty list means all is well.

    Raises:
        FormatError: if a file is missing, truncated or damaged so that HDF5 cannot read it, if it is neither
            ours nor The Well's, or if another version of pdenca wrote it.
        BadInputError: if an equation cannot be imported.
    """
    known = {**EQUATIONS, **{name: equation_class(name) for name in equations}}
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    findings: list[Finding] = []
    sound: list[Header] = []
    for path in expand(given):
        own = [*_format_findings(path)]
        findings += own
        if not own:
            with TrajectoryFile(path) as file:
                sound.append(file.header)
                findings += _content_findings(file, path, known)
    findings += _seed_findings(sound)
    for path in map(Path, given):
        if is_dataset(path):
            findings += _dataset_findings(path, sound)
    return [replace(item, level="error") for item in findings] if strict else findings


def _format_findings(path: Path) -> Iterator[Finding]:
    with open_hdf5(path) as file:
        refuse_other_schema(file, path)
        refuse_other_layout(file, path)
        messages = [*broken_well_rules(file)]
        messages = messages or [*broken_own_rules(file, path)]
        _touch(file)
    for message in messages:
        yield Finding("error", path, None, None, None, message)


def _touch(file: h5py.File) -> None:
    """Visit every object, so that damage anywhere in the structure shows as an error of HDF5."""
    file.visititems(lambda name, item: None)


def _content_findings(file: TrajectoryFile, path: Path, known: Equations) -> Iterator[Finding]:
    header = file.header
    stored_homogeneous, stored_stationary = file.activity()
    if ":" in header.equation and header.equation not in known:
        message = (
            f"the physics was not checked, because the equation {header.equation} is not one of pdenca's; "
            f"usual cure: --equation {header.equation}"
        )
        yield Finding("warning", path, None, None, None, message)
    if header.times:
        steps = header.regular_steps
        message = (
            f"the frames are at irregular times, {int(steps.sum())} of {len(steps)} steps take the frame "
            f"interval {header.frame_interval:g}; windows for training lie within those, and what needs "
            "whole trajectories refuses the file"
        )
        yield Finding("warning", path, None, None, None, message)
    for trajectory in range(header.num_trajectories):
        data = file.read(trajectory)
        bad = np.argwhere(~np.isfinite(data[0]))
        if len(bad):
            frame, channel = int(bad[0, 0]), int(bad[0, 1])
            message = f"{len(bad)} values are not finite, the first of them here"
            yield Finding("error", path, header.channel_names[channel], trajectory, frame, message)
            continue
        equation = None if header.times else _equation(header, trajectory, known)
        if equation is not None:
            yield from _budget_findings(equation, header, data[0], path, trajectory)
        flat, still = int(homogeneous_from(data)[0]), int(stationary_from(data)[0])
        if (flat, still) != (stored_homogeneous[trajectory], stored_stationary[trajectory]):
            message = (
                "the frames noted in /trajectories do not fit the data, which were changed after writing"
            )
            yield Finding("error", path, None, trajectory, None, message)
        if flat >= 0:
            message = "dead: every field is homogeneous from this frame on"
            yield Finding("warning", path, None, trajectory, flat, message)
        elif still >= 0:
            message = "stationary: no field changes from this frame on"
            yield Finding("warning", path, None, trajectory, still, message)


def _equation(header: Header, trajectory: int, known: Equations) -> Equation | None:
    """Return the equation of one trajectory; None if it is unknown or walls let through what they like."""
    walls = [isinstance(boundary_from_name(name), Dirichlet) for name in header.grid.boundaries]
    if header.equation not in known or "equation_constants" not in header.provenance or any(walls):
        return None
    varying = {
        name: torch.from_numpy(values.astype(np.float64))
        for name, values in header.varying_parameters_of(trajectory).items()
    }
    return known[header.equation].from_parameters({**header.constants, **header.parameters, **varying})


def _budget_findings(
    equation: Equation, header: Header, data: np.ndarray, path: Path, trajectory: int
) -> Iterator[Finding]:
    frames = torch.from_numpy(data.astype(np.float64))
    result = budget_residual(equation, header.grid, frames, header.frame_interval)
    if result is None:
        return
    residual, tolerance, resolved = result
    late = resolved[len(resolved) // 2 :]
    if not late.float().mean() >= 0.5:
        message = "the frames are too far apart in time to check the budget of the equation"
        yield Finding("warning", path, None, trajectory, None, message)
        return
    excess = residual / tolerance
    if excess.max() > 1:
        frame = int(excess.argmax())
        message = (
            f"until the next frame the total of the fields changes by {residual[frame]:.2g} too much or too "
            f"little for the equation (tolerance {tolerance[frame]:.2g}); {int((excess > 1).sum())} of "
            f"{len(excess)} intervals are so"
        )
        yield Finding("error", path, None, trajectory, frame, message)


def _seed_findings(headers: list[Header]) -> Iterator[Finding]:
    owner: dict[int, Path] = {}
    for header in headers:
        assert header.path is not None, "headers read from files have a path"
        for trajectory, seed in enumerate(header.seeds):
            if seed in owner and owner[seed] != header.path:
                message = f"the same seed as a trajectory of {owner[seed]}"
                yield Finding("error", header.path, None, trajectory, None, message)
            owner[seed] = header.path


def _dataset_findings(dataset: Path, sound: list[Header]) -> Iterator[Finding]:
    for split in splits_of(dataset):
        paths = data_files(dataset, split)
        own = [header for header in sound if header.path in paths]
        for key in ("dataset_name", "grid", "fields", "frame_interval", "num_frames"):
            if len({getattr(header, key) for header in own}) > 1:
                message = f"the files differ in {key}; The Well's loader needs one per split"
                yield Finding("error", dataset / DATA_FOLDER / split, None, None, None, message)
        if split == "train" and len(own) == len(paths):
            yield from _statistics_findings(dataset, paths)


def _statistics_findings(dataset: Path, paths: list[Path]) -> Iterator[Finding]:
    path = dataset / STATISTICS_NAME
    try:
        stored = read_stats(dataset)
        computed = compute_statistics(paths)
    except (FormatError, BadInputError) as error:
        yield Finding("error", path, None, None, None, str(error))
        return
    for key in STATISTICS:
        table, other = getattr(stored, key), getattr(computed, key)
        scale = computed.rms_delta if key.endswith("_delta") else computed.rms
        if set(table) != set(other):
            yield Finding(
                "error", path, None, None, None, f"{key} lists {sorted(table)}, the files {sorted(other)}"
            )
            continue
        for name, value in other.items():
            off = np.abs(np.subtract(table[name], value)).max()
            if off > STATISTICS_TOLERANCE * np.max(scale[name]):
                message = f"{key} is {table[name]}, the training files give {value}"
                yield Finding("error", path, name, None, None, message)
