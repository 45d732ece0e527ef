"""Arrays of any order of axes, put into one."""

from typing import Final

import numpy as np
from jaxtyping import Shaped
from torch import Tensor

from pdenca.core import BadInputError, FormatError

from .series import ImageSeries, default_channels

AXES: Final = "TCYX"
"""Time, channel, row (downwards), column: the order in which frames are kept."""


def arrange(
    data: Shaped[np.ndarray, "..."], axes: str, what: str
) -> Shaped[np.ndarray, "time channel row column"]:
    """Bring the axes into the order T, C, Y, X; those that are not there get a length of 1.

    Arguments:
        data: with one axis per letter.
        axes: a letter for each; those other than T, C, Y and X must have a length of 1.
        what: where the data are from, for errors.

    Raises:
        BadInputError: if letters are missing, twice, unknown or do not fit the shape.
    """
    shape = " x ".join(map(str, data.shape))
    if len(axes) != data.ndim:
        raise BadInputError(
            f"{what} has {data.ndim} axes ({shape}), but {axes!r} names {len(axes)}; expected a letter for "
            "each of them, from T (time), C (channel), Y (row) and X (column)"
        )
    for index in reversed(range(data.ndim)):
        if axes[index] not in AXES and data.shape[index] == 1:
            data, axes = data.squeeze(index), axes[:index] + axes[index + 1 :]
    if not {"Y", "X"} <= set(axes) <= set(AXES) or len(set(axes)) < len(axes):
        raise BadInputError(
            f"{what} has the axes {axes!r} ({shape}), expected T (time), C (channel), Y (row) and X "
            "(column), each once; usual cure: say what they are (--axes TYX or TCYX), and of a volume make "
            "one plane"
        )
    for name in AXES:
        if name not in axes:
            data, axes = data[None], name + axes
    return np.transpose(data, [axes.index(name) for name in AXES])


def from_array(data: np.ndarray | Tensor, axes: str | None = None, name: str = "the array") -> ImageSeries:
    """Return an array or a tensor as a series.

    Arguments:
        data: whole numbers, truth values or floating point.
        axes: a letter per axis; None: (time, row, column) or (time, channel, row, column).
        name: what to call it.

    Raises:
        BadInputError: for other numbers of axes, letters that do not fit, or what is no number.
    """
    values = data.detach().cpu().numpy() if isinstance(data, Tensor) else data
    if axes is None and values.ndim not in (3, 4):
        raise BadInputError(
            f"{name} has {values.ndim} axes, expected 3 (time, row, column) or 4 (time, channel, row, "
            "column); usual cure: say what they are, e.g. axes='TYXC'"
        )
    frames = arrange(values, axes or ("TYX" if values.ndim == 3 else AXES), name)
    require_numbers(frames, name)
    return ImageSeries(name, frames, default_channels(frames.shape[1], colour=False))


def require_numbers(frames: Shaped[np.ndarray, "..."], name: str) -> None:
    """Refuse what is neither truth values, whole numbers nor floating point, and what is empty.

    Raises:
        FormatError: with the type or the shape.
    """
    if frames.dtype.kind not in "buif":
        raise FormatError(
            f"{name} holds values of type {frames.dtype}, expected whole or floating point numbers; usual "
            "cure: save it as 8 or 16 bit, or as 32 bit floating point"
        )
    if not frames.size:
        raise FormatError(f"{name} is empty: its shape is {frames.shape}; usual cure: save it again")
