"""One file of trajectories from image time series."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from pdenca.core import BadInputError, Field, FormatError
from pdenca.solvers.grid import Grid

from ..format import Compression, write_blocks
from ..header import Header
from ..layout import ENDINGS
from .channels import settle_channels
from .masks import NAME as MASK
from .masks import mask_array, mask_values, settle_mask
from .orientation import CONVENTION, to_space
from .reading import Source, read_image, read_series
from .series import ImageSeries, require_alike
from .times import Schedule, put_in_order, read_times, schedule_every, schedule_told
from .units import LENGTHS, TIMES, Amount, in_one_unit, parse_amount
from .values import describe_scaling, refuse_non_finite, scale

_TOLD: Final = 10
"""How many names of a long list a file tells."""

Times = Sequence[Amount] | np.ndarray | Path | str
"""Times one by one, or the text file that has them."""


def import_images(
    source: Source | Sequence[Source],
    out: Path | str,
    *,
    interval: Amount | None = None,
    times: Times | None = None,
    spacing: Amount | Sequence[Amount],
    channels: Sequence[str] | None = None,
    alpha: bool | None = None,
    mask: Path | str | np.ndarray | Tensor | None = None,
    boundary: str | tuple[str, ...] = "no-flux",
    axes: str | None = None,
    name: str | None = None,
    compression: Compression | None = None,
) -> Path:
    """Write image time series as one file of trajectories, whole or not at all.

    Values: whole numbers are scaled by the full range of their type to 0 to 1 (v of 8 bits becomes v / 255),
    floating point numbers are kept; the attribute ``value_scaling`` says which. Axes: x runs along the
    columns to the right, y along the rows from the bottom up, so that pdenca's figures show images upright;
    the frame in ``"... row column"`` is :func:`pdenca.datasets.images.to_images` of what the file holds.
    Memory is needed for all images as stored, and for one series in single precision.

    Arguments:
        source: one series or several: see :func:`read_frames` and :func:`read_series`. Several become
            trajectories, which need the same times and the same size.
        out: the file to make, ``.hdf5`` or ``.h5``.
        interval: time between frames, ``"10min"`` or a plain number. Numbers in the names of files count the
            frames; those that are not there leave gaps in the times and are noted in ``missing_frames``.
        times: in place of ``interval``: a time per frame, perhaps irregular, or a text file with a time on
            each line, or a file's name, a comma and its time. The first frame becomes time 0.
        spacing: size of a pixel, ``"0.65um"`` or a plain number; for oblong pixels along x and along y.
        channels: names of the channels; default: ``intensity``, or ``red, green, blue``.
        alpha: keep the alpha channel (True) or not (False); default: unless it is the same everywhere.
        mask: an image or an array (row, column), not 0 where there is tissue. It becomes the parameter
            ``mask``, 1 or 0, that varies in space, for all trajectories; the frames are not changed by it.
        boundary: what lies beyond the edges: a name for all axes, or one for x and one for y.
        axes: a letter per axis of a TIFF or an array: see :func:`read_frames`.
        name: of the dataset; default: the name of the file or folder.
        compression: None or ``"gzip"``.

    Returns:
        The file, which `pdenca check`, `pdenca info` and :class:`pdenca.datasets.TrajectoryFile` read.

    Raises:
        BadInputError: for arguments that do not fit, or if the file is there already.
        FormatError: for files that cannot be read, or images that are not alike.
        NonFiniteError: for a NaN or an infinity in floating point images.
    """
    out = _target(out)
    if (interval is None) == (times is None):
        raise BadInputError(
            "frames need either an interval or times, got " + ("none" if times is None else "both")
        )
    cell, length_unit = _cell(spacing)
    # what is cheap to refuse is refused before thousands of files are read
    boundaries = (boundary, boundary) if isinstance(boundary, str) else boundary
    grid = Grid((1, 1), cell, boundaries)
    told = None if times is None else _told(times)
    if interval is not None:
        parse_amount(interval, TIMES, "the interval")
    series = read_series(source, axes)
    for item in series[1:]:
        require_alike(series[0], item)
    if told is None:
        assert interval is not None, "one of them is there"
        schedules = [schedule_every(interval, item) for item in series]
    else:
        values, names = told
        series = [put_in_order(item, names) for item in series] if names else series
        schedules = [schedule_told(values, item.num_frames) for item in series]
    _refuse_other_times(series, schedules)
    series = settle_channels(series, channels, alpha)
    inside = None if mask is None else _mask(mask, series[0])
    header = _header(series, schedules[0], name or _name(source), grid, length_unit)
    if inside is not None:
        header = replace(header, varying_parameters={MASK: to_space(inside)[None]})
    write_blocks(out, header, _blocks(series), compression)
    return out


def _target(out: Path | str) -> Path:
    out = Path(out)
    if out.suffix not in ENDINGS:
        raise BadInputError(
            f"{out} should be a file that ends in {' or '.join(ENDINGS)}; usual cure: {out}.hdf5"
        )
    if out.exists():
        raise BadInputError(f"{out} is there already; usual cure: another --out, or remove it")
    return out


def _cell(spacing: Amount | Sequence[Amount]) -> tuple[tuple[float, float], str]:
    """Return the size of a pixel along x and y, and its unit."""
    given = [spacing] if isinstance(spacing, (str, int, float)) else list(spacing)
    if len(given) not in (1, 2):
        raise BadInputError(f"the spacing has {len(given)} numbers, expected one, or one for x and one for y")
    values, unit = in_one_unit(given, LENGTHS, "the spacing")
    if min(values) <= 0:
        raise BadInputError(f"the spacing is {spacing!r}, expected more than 0")
    return (values[0], values[-1]), unit


def _told(times: Times) -> tuple[tuple[Amount, ...], tuple[str, ...]]:
    """Return times one by one, and the names of the files they belong to, if those are told."""
    if isinstance(times, (str, Path)):
        return read_times(Path(times))
    # numbers of NumPy among them
    return tuple(value if isinstance(value, str) else float(value) for value in times), ()


def _refuse_other_times(series: Sequence[ImageSeries], schedules: Sequence[Schedule]) -> None:
    """Refuse series of other times than the first: a file has one list of times for all its trajectories."""
    for item, schedule in zip(series[1:], schedules[1:], strict=True):
        if schedule.times != schedules[0].times:
            lacks = [
                f"{one.name} has {one.num_frames} frames"
                + (f" and lacks {_some([str(number) for number in told.missing])}" if told.missing else "")
                for one, told in ((series[0], schedules[0]), (item, schedule))
            ]
            raise FormatError(
                f"{' while '.join(lacks)}, expected the same times for all trajectories of a file; usual "
                "cure: leave out the frames that the other has not, or import them apart"
            )


def _mask(mask: Path | str | np.ndarray | Tensor, series: ImageSeries) -> Float32[np.ndarray, "row column"]:
    if isinstance(mask, (Path, str)):
        return settle_mask(mask_values(read_image(Path(mask))), series, mask)
    return settle_mask(mask_array(mask), series, "array")


def _name(source: Source | Sequence[Source]) -> str:
    """Return what to call the dataset: the file or folder, or of several the folder they are in."""
    if isinstance(source, (Path, str)):
        path = Path(source).resolve()
        return path.name if path.is_dir() else path.stem
    if isinstance(source, (list, tuple)):
        parents = {Path(item).resolve().parent for item in source if isinstance(item, (Path, str))}
        if len(parents) == 1:
            return next(iter(parents)).name or "images"
    return "images"


def _header(
    series: Sequence[ImageSeries],
    schedule: Schedule,
    name: str,
    grid: Grid,
    length_unit: str,
) -> Header:
    first = series[0]
    rows, columns = first.frames.shape[2:]
    left_out = [file for item in series for file in item.left_out]
    notes: dict[str, Any] = {
        "converted_from": _some([item.name for item in series]),
        "value_scaling": describe_scaling(first.frames.dtype),
        "orientation": CONVENTION,
        "time_unit": schedule.unit,
        "length_unit": length_unit,
        "pdenca_version": version("pdenca"),
        "torch_version": str(torch.__version__),
        "numpy_version": np.__version__,
        "h5py_version": h5py.__version__,
    }
    if schedule.first != 0:
        notes["first_time"] = schedule.first
    if schedule.missing:
        notes["missing_frames"] = json.dumps(schedule.missing)
    if left_out:
        notes["not_read"] = _some(left_out)
    return Header(
        dataset_name=name,
        equation="unknown",
        regime="observed",
        split="unsplit",
        fields=tuple(Field(channel) for channel in first.channels),
        grid=replace(grid, shape=(columns, rows)),
        frame_interval=schedule.interval,
        parameters={},
        num_trajectories=len(series),
        num_frames=first.num_frames,
        provenance=notes,
        times=() if schedule.is_regular else schedule.times,
    )


def _some(names: Sequence[str]) -> str:
    """Return a list of names, the end of a long one as a number."""
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more


def _blocks(series: Sequence[ImageSeries]) -> Iterator[Float32[np.ndarray, "1 time channel x y"]]:
    """Yield the trajectories, each as a block."""
    for item in series:
        scaled = scale(item.frames)
        refuse_non_finite(item, scaled)
        yield np.ascontiguousarray(to_space(scaled))[None]
