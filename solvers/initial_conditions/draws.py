"""What initial conditions share: uniform draws, a blend of two states, the check that some are asked for."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pdenca.core.errors import BadInputError


def draw_uniform(shape: tuple[int, ...], limits: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Draw uniform numbers between two limits, in float64 on the generator's device."""
    low, high = limits
    drawn = torch.rand(shape, generator=generator, dtype=torch.float64, device=generator.device)
    return torch.lerp(torch.full_like(drawn, low), torch.full_like(drawn, high), drawn)


def require_some(num_trajectories: int) -> None:
    """Raise BadInputError unless at least one trajectory is asked for."""
    if num_trajectories < 1:
        raise BadInputError(f"num_trajectories must be at least 1, got {num_trajectories}")


def blend(outside: Sequence[float], inside: Sequence[float], shape: Tensor) -> Tensor:
    """Return outside + (inside - outside) · shape, one channel per value.

    Arguments:
        outside: one value per field, where the shape is 0.
        inside: one value per field, where the shape is 1.
        shape: ``"batch *space"``.

    Raises:
        BadInputError: unless both have the same number of values, at least one.
    """
    if len(outside) != len(inside) or not outside:
        raise BadInputError(f"both states need one value per field, got {tuple(outside)} and {tuple(inside)}")
    low, high = (
        torch.tensor(list(values), dtype=torch.float64, device=shape.device).reshape(
            -1, *(1,) * (shape.ndim - 1)
        )
        for values in (outside, inside)
    )
    return low + (high - low) * shape[:, None]
