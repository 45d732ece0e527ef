"""Parameters that vary in space: random fields with values in [0, 1], one function each.

All are called as function(grid, generator) and return float64 ``"1 *space"`` on the generator's device.
"""

import math
from collections.abc import Callable
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from .boundary import Periodic, boundary_from_name
from .grid import Grid

_NUM_MODES: Final = 3


def cosines(grid: Grid, generator: torch.Generator) -> Float[Tensor, " 1 *space"]:
    """Sum a few smooth waves that suit the walls, and stretch the sum to [0, 1].

        p = Σ_m a_m Π_axis cos(π m_axis x / L),   a_m normal with variance 1 / (1 + |m|²),   m_axis <= 3

    Along a periodic axis the waves are cos(2π m x / L + φ), φ uniform.

    Arguments:
        grid: the domain, of side L (length).
        generator: of amplitudes and phases.
    """
    shape = (_NUM_MODES + 1,) * grid.num_dims
    orders = torch.stack(torch.meshgrid(*[torch.arange(n) for n in shape], indexing="ij"))
    size = (1 + orders.square().sum(0)).double().sqrt()
    values = torch.randn(shape, generator=generator, dtype=torch.float64, device=generator.device).cpu()
    values = values / size
    values.view(-1)[0] = 0  # the constant
    for axis in range(grid.num_dims):
        places = (torch.arange(grid.shape[axis], dtype=torch.float64) + 0.5) / grid.shape[axis]
        numbers = torch.arange(_NUM_MODES + 1, dtype=torch.float64)
        phases = torch.zeros(_NUM_MODES + 1, dtype=torch.float64)
        if _is_periodic(grid, axis):
            drawn = torch.rand(
                phases.shape, generator=generator, dtype=torch.float64, device=generator.device
            )
            numbers, phases = 2 * numbers, 2 * math.pi * drawn.cpu()
        waves = torch.cos(math.pi * numbers[:, None] * places + phases[:, None])
        # the axes of orders come first and are used up one after the other
        values = torch.tensordot(values, waves, dims=([0], [0]))
    return _stretched(values).to(generator.device)


def ramp(grid: Grid, generator: torch.Generator) -> Float[Tensor, " 1 *space"]:
    """Rise from 0 to 1 at constant slope, in a random direction.

    Along periodic axes it rises and falls again, as a triangle.

    Arguments:
        grid: the domain.
        generator: of the direction.
    """
    direction = torch.randn(grid.num_dims, generator=generator, dtype=torch.float64, device=generator.device)
    total = torch.zeros(grid.shape, dtype=torch.float64)
    for axis, part in enumerate(direction.tolist()):
        places = (torch.arange(grid.shape[axis], dtype=torch.float64) + 0.5) * grid.spacing[axis]
        if _is_periodic(grid, axis):
            places = (places - places.mean()).abs() * 2
        total = total + part * places.view(-1, *(1,) * (grid.num_dims - 1 - axis))
    return _stretched(total).to(generator.device)


def disc(grid: Grid, generator: torch.Generator) -> Float[Tensor, " 1 *space"]:
    """Be 1 in a disc and 0 outside, or the other way round, with an edge of two cells.

        p = 1/2 + 1/2 tanh((R - |x - c|) / 2h),   R uniform in [0.2, 0.35] of the shortest side

    Arguments:
        grid: the domain; the disc lies inside of it.
        generator: of place, size and sign.
    """
    draw = torch.rand(grid.num_dims + 2, generator=generator, dtype=torch.float64, device=generator.device)
    numbers = draw.tolist()
    radius = (0.2 + 0.15 * numbers[0]) * min(grid.extent)
    squares = torch.zeros(grid.shape, dtype=torch.float64)
    for axis, part in enumerate(numbers[2:]):
        side = grid.extent[axis]
        centre = radius + part * (side - 2 * radius)
        places = (torch.arange(grid.shape[axis], dtype=torch.float64) + 0.5) * grid.spacing[axis]
        squares = squares + (places - centre).square().view(-1, *(1,) * (grid.num_dims - 1 - axis))
    values = 0.5 + 0.5 * torch.tanh((radius - squares.sqrt()) / (2 * min(grid.spacing)))
    return (values if numbers[1] < 0.5 else 1 - values)[None].to(generator.device)


def _is_periodic(grid: Grid, axis: int) -> bool:
    return isinstance(boundary_from_name(grid.boundaries[axis]), Periodic)


def _stretched(values: Tensor) -> Float[Tensor, " 1 *space"]:
    low, high = values.min(), values.max()
    return ((values - low) / (high - low))[None]


PARAMETER_FIELDS: Final[dict[str, Callable[[Grid, torch.Generator], Tensor]]] = {
    "cosines": cosines,
    "ramp": ramp,
    "disc": disc,
}
"""Name -> function(grid, generator)."""
