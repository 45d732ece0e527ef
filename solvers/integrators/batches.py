"""The equation of some trajectories of a batch, for methods that take a few at a time."""

import dataclasses
from typing import Any

from torch import Tensor

from ..equation import Equation


def batch_of(equation: Equation) -> int:
    """Return for how many trajectories an equation has constants, 1 if they are the same for all."""
    if not dataclasses.is_dataclass(equation):
        return 1
    values = [getattr(equation, item.name) for item in dataclasses.fields(equation)]
    parts = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
    return max((len(part) for part in parts if isinstance(part, Tensor) and part.ndim > 0), default=1)


def equation_of(equation: Equation, rows: slice | Tensor) -> Equation:
    """Return the equation with the constants of some trajectories only.

    Arguments:
        equation: of a batch; every constant that is a tensor with axes has the batch first.
        rows: which trajectories, a slice or indices.

    Returns:
        The equation itself if no constant differs between trajectories.
    """
    if not dataclasses.is_dataclass(equation):
        return equation
    changed: dict[str, Any] = {}
    for item in dataclasses.fields(equation):
        value = getattr(equation, item.name)
        own = _rows_of(value, rows)
        if own is not value:
            changed[item.name] = own
    return equation.with_parameters(changed) if changed else equation


def _rows_of(value: object, rows: slice | Tensor) -> object:
    if isinstance(value, tuple):
        parts = tuple(_rows_of(part, rows) for part in value)
        return value if all(a is b for a, b in zip(parts, value, strict=True)) else parts
    if isinstance(value, Tensor) and value.ndim > 0 and len(value) > 1:
        return value[rows]
    return value
