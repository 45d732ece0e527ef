"""What becomes of the numbers: whole ones go to 0 to 1 by the range of their type, others stay."""

import numpy as np
from jaxtyping import Float32, Shaped

from pdenca.core import NonFiniteError

from .series import ImageSeries


def describe_scaling(dtype: np.dtype) -> str:
    """Say what :func:`scale` does to a type, as files tell it.

    >>> describe_scaling(np.dtype("uint8")), describe_scaling(np.dtype("float64"))
    ('uint8, 0 to 255 scaled to 0 to 1', 'float64, as stored')
    """
    if dtype.kind == "b":
        return "truth values, 0 and 1"
    if dtype.kind == "f":
        return f"{dtype.name}, as stored"
    limits = np.iinfo(dtype)
    return f"{dtype.name}, {limits.min} to {limits.max} scaled to 0 to 1"


def scale(frames: Shaped[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """Return values as numbers to compute with.

    Whole numbers are scaled by the full range of their type, whatever part of it they take, so that equal
    brightness stays equal in all images of one camera: v of 8 bits becomes v / 255. Truth values become 0 and
    1; floating point numbers are kept.

    Arguments:
        frames: of any type of numbers.
    """
    if frames.dtype.kind in "bf":
        with np.errstate(over="ignore"):  # what is too large is refused with its place
            return frames.astype(np.float32)
    limits = np.iinfo(frames.dtype)
    scaled = np.empty(frames.shape, dtype=np.float32)
    for index in range(len(frames)):  # a frame at a time: no copy of a large stack in double precision
        scaled[index] = (frames[index].astype(np.float64) - limits.min) / (float(limits.max) - limits.min)
    return scaled


def refuse_non_finite(series: ImageSeries, scaled: Float32[np.ndarray, "time channel row column"]) -> None:
    """Refuse values that are no numbers.

    Arguments:
        series: where they are from.
        scaled: its values.

    Raises:
        NonFiniteError: with the place of the first one.
    """
    if np.isfinite(scaled).all():
        return
    frame, channel, row, column = (int(index) for index in np.argwhere(~np.isfinite(scaled))[0])
    raise NonFiniteError(
        f"{series.name}, {series.file_names[frame]}, channel {series.channels[channel]}: the value in row "
        f"{row}, column {column} is {series.frames[frame, channel, row, column]}, expected a finite number; "
        "usual cure: leave the frame out, or fill the gap before"
    )
