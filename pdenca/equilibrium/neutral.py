"""Directions along which a fixed point can be moved and stays one: translations, rotations, phases."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError

from .rows import RowMap, Rows

NullModes = Callable[[Tensor], Sequence[Tensor] | Tensor]
"""A state -> its neutral directions, each of the state's shape: for translations ∂z/∂x, ∂z/∂y, ...

They need be neither normalised nor independent: a stripe pattern has ∂z/∂y = 0.
"""

NeutralBasis = Float[Tensor, "batch entry mode"]

# directions smaller than this against the largest one are rounding
_NEGLIGIBLE = 1e-8


def neutral_basis(null_modes: NullModes, map: RowMap, state: Tensor) -> NeutralBasis:
    """Return orthonormal neutral directions of every sample; columns that are not needed are zero.

    Raises:
        BadInputError: for modes of another shape than the state.
    """
    with torch.no_grad():
        modes = list(null_modes(state))
        if not modes or any(mode.shape != state.shape for mode in modes):
            raise BadInputError(
                f"null modes must each have the shape of the state, {tuple(state.shape)}, got "
                f"{[tuple(mode.shape) for mode in modes]}; usual cure: return a list of derivatives"
            )
        columns = torch.stack([map.rows(mode) for mode in modes], dim=2)
        u, values, _ = torch.linalg.svd(columns.nan_to_num(), full_matrices=False)
        used = (values > _NEGLIGIBLE * values[:, :1]) & (values > 0)
        return torch.where(used[:, None, :], u, 0)


def without(rows: Rows, basis: NeutralBasis | None) -> Rows:
    """Take the neutral part out of rows."""
    if basis is None:
        return rows
    return rows - (basis @ (basis.mT @ rows[:, :, None]))[:, :, 0]
