"""What all initial conditions share: uniform draws, and the check that some are asked for."""

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
