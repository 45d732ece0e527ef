"""The constants of an equation: numbers, one per trajectory, or fields in space."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from .waves import Waves

Parameter = float | Tensor
"""A number, or a tensor of shape () or (batch,), or, where an equation allows it, (batch, *space)."""

Constant = Parameter | tuple[Parameter, ...]
"""What a constructor of an equation takes: a parameter, or one per axis of space."""


def scale_fields(
    values: tuple[Parameter, ...], state: Float[Tensor, "batch channel *space"]
) -> Float[Tensor, "batch channel *space"]:
    """Multiply each field by its own constant.

    Arguments:
        values: one number or tensor of shape (), (batch,) or (batch, *space) per field.
        state: the fields.

    Returns:
        values_i · state_i.
    """
    fields = state.unbind(1)
    return torch.stack([expand(value, field) * field for value, field in zip(values, fields, strict=True)], 1)


def expand(value: Parameter, field: Tensor) -> Parameter:
    """Align one parameter with one field ``"batch *space"`` for pointwise arithmetic.

    Arguments:
        value: a number, or a tensor of shape (), (batch,) or (batch, *space).
        field: gives dtype, device and number of space axes.

    Returns:
        The number, or a tensor in the field's dtype that broadcasts against it.

    Raises:
        BadInputError: if the tensor fits neither the batch nor the field.
    """
    if not isinstance(value, Tensor):
        return value
    shape = (*value.shape, *(1,) * (field.ndim - 1)) if value.ndim == 1 else tuple(value.shape)
    broadcasts = len(shape) == field.ndim and all(
        have in (1, want) for have, want in zip(shape, field.shape, strict=True)
    )
    if shape and not broadcasts:
        raise BadInputError(
            f"a parameter of shape {tuple(value.shape)} does not fit a field of shape {tuple(field.shape)}; "
            f"expected a number, ({field.shape[0]},) or {tuple(field.shape)}"
        )
    return value.to(field).reshape(shape)


def varies_in_space(value: Parameter) -> bool:
    """Tell whether a parameter is a field in space, (batch, *space)."""
    return isinstance(value, Tensor) and value.ndim > 1


def mean_over_space(value: Parameter) -> Parameter:
    """Return a parameter that varies in space as its mean (batch,), any other as it is."""
    return value.flatten(1).mean(1) if isinstance(value, Tensor) and value.ndim > 1 else value


def per_mode(value: Parameter, waves: Waves, what: str) -> Float[Tensor, "..."]:
    """Shape a constant as (1 or batch, 1, ...), which broadcasts against (rows, *modes), in float64.

    Raises:
        BadInputError: if it varies in space; ``what`` says what it is.
    """
    constant = torch.as_tensor(value, dtype=torch.float64, device=waves.laplacian.device)
    if constant.ndim > 1:
        raise BadInputError(
            f"spectral methods need {what} that are constant in space, numbers or (batch,), got shape "
            f"{tuple(constant.shape)}; usual cure: a stencil method ('rk4')"
        )
    return constant.reshape(-1, *(1,) * waves.laplacian.ndim)


def stack_fields(rows: Sequence[Tensor]) -> Float[Tensor, "..."] | Complex[Tensor, "..."]:
    """Stack one tensor per field along a new axis 1, after broadcasting them against each other."""
    shape = np.broadcast_shapes(*(tuple(row.shape) for row in rows))
    return torch.stack([row.expand(shape) for row in rows], 1)
