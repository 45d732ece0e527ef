"""What enters a figure: anything that numpy can read, turned into checked float64 arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pdenca.core import BadInputError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Values = npt.ArrayLike | Sequence[Any] | float | int
"""What numpy can read: arrays, tensors, and lists or tuples of numbers."""

Number = float | int
"""A number that a caller may write without a decimal point."""


def to_array(values: Any, what: str, num_axes: int | None = None) -> FloatArray:  # noqa: ANN401
    """Turn numbers, lists, numpy arrays or tensors of any device into a float64 numpy array.

    Arguments:
        values: real numbers; a tensor is detached and brought to the CPU. Missing numbers (None) become NaN.
        what: name of the argument, for the error.
        num_axes: how many axes it must have; None for any number.

    Returns:
        The array; a copy only where the type asks for one.

    Raises:
        BadInputError: if it is not made of real numbers or has another number of axes.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = (values.double() if values.is_floating_point() else values).numpy()
    if np.iscomplexobj(values):
        raise BadInputError(f"{what} is complex, expected real numbers; pass its modulus or its real part")
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInputError(f"{what} cannot be read as an array of numbers ({error})") from None
    if num_axes is not None and array.ndim != num_axes:
        raise BadInputError(
            f"{what} has {array.ndim} axes (shape {array.shape}), expected {num_axes}; "
            "choose one trajectory, one channel or one plane first"
        )
    return array


def same_shape(array: FloatArray, other: FloatArray, what: str, other_what: str) -> None:
    """Raise BadInputError unless both arrays have the same shape."""
    if array.shape != other.shape:
        raise BadInputError(f"{what} has shape {array.shape}, expected {other.shape} as {other_what}")


def all_finite(array: FloatArray, what: str) -> None:
    """Raise BadInputError if a number is NaN or infinite where only a prediction may be."""
    if not np.isfinite(array).all():
        place = tuple(int(index) for index in np.argwhere(~np.isfinite(array))[0])
        raise BadInputError(
            f"{what} is not finite at index {place}; only a prediction may diverge, check the data"
        )


def not_empty(rows: Mapping[str, Any] | list[Any] | tuple[Any, ...], what: str) -> None:
    """Raise BadInputError if there is nothing to draw."""
    if len(rows) == 0:
        raise BadInputError(f"{what} is empty, expected at least one entry to draw")


def one_trajectory(
    fields: Mapping[str, Any],
    times: Any,  # noqa: ANN401
    axes: tuple[str, ...],
    least: int = 1,
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Read the fields of one trajectory and its times.

    Arguments:
        fields: name -> values, all of one shape (time, ...).
        times: one per frame.
        axes: what the axes of the values are, for the error.
        least: how many frames there must be at least.

    Returns:
        The fields as arrays, and the times.

    Raises:
        BadInputError: for shapes that do not match, no field or too few frames.
    """
    arrays = {name: to_array(values, name, len(axes)) for name, values in fields.items()}
    clock = to_array(times, "times", 1)
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1 or len(clock) != next(iter(shapes))[0] or len(clock) < least:
        raise BadInputError(
            f"got fields of shapes {[array.shape for array in arrays.values()]} with {len(clock)} times; "
            f"expected at least one field, all of the shape ({', '.join(axes)}), and one time per frame, at "
            f"least {least}"
        )
    return arrays, clock
