"""When frames were taken: at a constant interval, or as a list or a file tells."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import Final

import numpy as np

from pdenca.core import BadInputError, FormatError

from ..header import IRREGULAR
from .folders import frame_numbers, missing_numbers, natural_key, stride_of
from .series import ImageSeries
from .units import TIMES, Amount, in_one_unit, parse_amount

_ROUNDING: Final = 1e-6
"""Times that are off by no more than this fraction are written as equally spaced."""


@dataclass(frozen=True)
class Schedule:
    """The times of the frames of a series.

    Arguments:
        times: 0 first, then increasing.
        interval: between frames; where that is not always the same, the step between neighbours.
        unit: of both; ``"1"`` for plain numbers.
        first: what was told of the first frame, which is now 0.
        missing: the numbers of frames that are not there.
    """

    times: tuple[float, ...]
    interval: float
    unit: str
    first: float = 0.0
    missing: tuple[int, ...] = ()

    @property
    def is_regular(self) -> bool:
        """Whether frame i is at i times the interval."""
        return np.allclose(self.times, np.arange(len(self.times)) * self.interval, rtol=_ROUNDING, atol=0)


def schedule_every(interval: Amount, series: ImageSeries) -> Schedule:
    """Return the times of frames that were taken at a constant interval, of which some may be missing.

    Files are numbered, and the difference of two neighbouring numbers is one interval: 1, 2, 4 are taken at
    0, 1 and 3 intervals, and so are 10, 20, 40. Frames of one file or array are all there.

    Arguments:
        interval: between frames, e.g. ``"10min"``.
        series: the frames.

    Raises:
        BadInputError: if the interval is not positive or not understood, or files are not numbered.
    """
    value, unit = parse_amount(interval, TIMES, "the interval")
    if value <= 0:
        raise BadInputError(f"the interval is {interval!r}, expected more than 0")
    if not series.files:
        return Schedule(tuple((np.arange(series.num_frames) * value).tolist()), value, unit)
    numbers = frame_numbers(series.files)
    missing, stride = missing_numbers(numbers), stride_of(numbers)
    times = tuple((number - numbers[0]) // stride * value for number in numbers)
    return Schedule(times, value, unit, missing=missing)


def schedule_told(times: Sequence[Amount], num_frames: int) -> Schedule:
    """Return times that were told one by one.

    Arguments:
        times: one per frame, with a unit for all or for none.
        num_frames: how many there must be.

    Raises:
        BadInputError: if there are more or fewer, or they do not increase.
    """
    if len(times) != num_frames:
        raise BadInputError(
            f"there are {len(times)} times for {num_frames} frames, expected one each; usual cure: a time "
            "for every frame that is there, in their order"
        )
    values, unit = in_one_unit(times, TIMES, "a time")
    for index, (earlier, later) in enumerate(pairwise(values)):
        if not later > earlier:
            raise BadInputError(
                f"the times do not increase: {times[index]} of frame {index} is followed by "
                f"{times[index + 1]}; usual cure: frames in the order in which they were taken"
            )
    shifted = np.array(values) - values[0]
    steps = np.diff(shifted)
    mean = float(shifted[-1]) / len(steps)
    regular = Schedule(tuple(shifted.tolist()), mean, unit, values[0])
    if regular.is_regular:
        return regular
    # the step that most others equal; of several the one in the middle, the shorter of two
    counts = [int((np.abs(steps - step) <= IRREGULAR * step).sum()) for step in steps]
    commonest = [float(step) for step, count in zip(steps, counts, strict=True) if count == max(counts)]
    return Schedule(regular.times, median_low(commonest), unit, values[0])


def read_times(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read times off a text file: a line each, or a line ``file,time`` each.

    Empty lines and what follows ``#`` do not count; nor does a first line whose time is no number, the
    heading.

    Arguments:
        path: text in UTF-8, with columns separated by commas, semicolons or tabs.

    Returns:
        The times, and the names of the files they belong to; no names if there is one column.

    Raises:
        FormatError: if the file cannot be read, has more columns, or no times.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(
            f"{path} cannot be read ({error}); expected times as text in UTF-8, one per line"
        ) from None
    plain = [line.partition("#")[0].replace(";", ",").replace("\t", ",").strip() for line in lines]
    rows = [[cell.strip() for cell in row] for row in csv.reader(line for line in plain if line)]
    if rows and not any(character.isdigit() for character in rows[0][-1]):
        rows = rows[1:]
    widths = {len(row) for row in rows}
    if not rows or widths - {1, 2} or len(widths) > 1:
        told = f"lines of {' and '.join(map(str, sorted(widths)))} columns" if rows else "no times"
        raise FormatError(
            f"{path} has {told}, expected a time on each line, or a file's name, a comma and its time"
        )
    names = tuple(row[0] for row in rows) if widths == {2} else ()
    return tuple(row[-1] for row in rows), names


def put_in_order(series: ImageSeries, names: Sequence[str]) -> ImageSeries:
    """Return a series in the order in which a file of times names its frames.

    Arguments:
        series: the frames, in a file each.
        names: what the file of times names.

    Raises:
        BadInputError: if the names are not those of the frames, each once.
    """
    there = {name: index for index, name in enumerate(series.files)}
    unknown = [name for name in names if name not in there]
    absent = sorted(set(there) - set(names), key=natural_key)
    twice = [name for name in names if list(names).count(name) > 1]
    for wrong, what in (
        (unknown, "which is none of its frames"),
        (absent, "which has no time"),
        (twice, "which has two times"),
    ):
        if wrong:
            raise BadInputError(
                f"the times do not fit {series.name}: {wrong[0]}, {what}; usual cure: one line for every "
                "frame that is there"
            )
    return series.select([there[name] for name in names])
