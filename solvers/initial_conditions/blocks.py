"""Rectangles of one species in the other, drawn once and for all or at random (fields A and B)."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from ..analytic import with_images
from ..grid import Grid
from .draws import draw_uniform, require_some

# (centre, sides) of each rectangle as fractions of the domain, in 64ths like the 64 x 64 originals
DRAWINGS: Final[tuple[tuple[tuple[float, float, float, float], ...], ...]] = (
    ((32, 32, 16, 16),),
    ((14, 14, 8, 8), (50, 46, 8, 8), (18, 44, 20, 20), (46, 16, 20, 20)),
    ((32, 32, 4, 64), (14, 16, 12, 12), (50, 42, 10, 16)),
    ((16, 14, 20, 8), (46, 16, 8, 20), (18, 46, 8, 24), (46, 48, 16, 12)),
)


def blocks(
    grid: Grid,
    generator: torch.Generator,
    num_trajectories: int,
    *,
    width: float = 0.0,
    patterns: Sequence[int] | None = None,
) -> Float[Tensor, "batch 2 *space"]:
    """Lay out rectangles of pure B in pure A, in the manner of the first study of NCA as PDE emulators.

    Four drawings, scaled to the domain: a centred square; four squares of two sizes; a stripe with two
    blocks; four rectangles. Inside A = 0, B = 1; outside A = 1, B = 0. Nothing is random: trajectories that
    are drawn one by one have to be told which drawing they show.

    Arguments:
        grid: where to sample, two axes.
        generator: gives the device only.
        num_trajectories: how many states.
        width: width of the edges (length); 0 for sharp edges, which a spectral method answers with ringing.
        patterns: which drawing (0 to 3) each state shows; the first ``num_trajectories`` of them if None.

    Returns:
        The states.

    Raises:
        BadInputError: unless the grid has two axes, the width is not negative and there is a drawing for each
            state.

    References:
        A. D. Richardson, T. Antal, R. A. Blythe, L. J. Schumacher, Learning spatio-temporal patterns with
        neural cellular automata, PLOS Comput. Biol. 20 (2024) e1011589. The layouts here are drawn after its
        description.
    """
    require_some(num_trajectories)
    if grid.num_dims != 2:
        raise BadInputError(
            f"blocks are drawn in two dimensions, got a grid of {grid.num_dims}; usual cure: square"
        )
    if not width >= 0:
        raise BadInputError(f"width must be at least 0, got {width}")
    chosen = range(num_trajectories) if patterns is None else patterns
    if len(chosen) != num_trajectories or any(not 0 <= pattern < len(DRAWINGS) for pattern in chosen):
        raise BadInputError(
            f"there are drawings 0 to {len(DRAWINGS) - 1}, one for each of {num_trajectories} trajectories, "
            f"got {tuple(chosen)}; usual cure: patterns=(...) with repetitions"
        )
    long, wide = grid.extent
    states = []
    for pattern in chosen:
        parts = [[part / 64 for part in rectangle] for rectangle in DRAWINGS[pattern]]
        rectangles = [
            ((x * long, y * wide), (side_x * long, side_y * wide)) for x, y, side_x, side_y in parts
        ]
        states.append(_reacted(grid, rectangles, width, generator.device))
    return torch.stack(states)


def random_blocks(
    grid: Grid,
    generator: torch.Generator,
    num_trajectories: int,
    *,
    sides: tuple[float, float] = (4.0, 20.0),
    density: tuple[float, float] = (2.5e-4, 1.25e-3),
    width: float = 0.0,
) -> Float[Tensor, "batch 2 *space"]:
    """Draw rectangles (intervals, boxes) of pure B in pure A, anywhere, of any sides.

    Arguments:
        grid: where to sample.
        generator: source of all draws.
        num_trajectories: how many states.
        sides: shortest and longest side (length).
        density: fewest and most rectangles per unit of area (length, volume), at least 1; by default 1 to 5
            on 64 x 64 cells of size 1.
        width: width of the edges (length); 0 for sharp edges.

    Returns:
        The states.

    Raises:
        BadInputError: for an empty or negative range, or a negative width.
    """
    require_some(num_trajectories)
    for name, (low, high) in {"sides": sides, "density": density}.items():
        if not 0 < low <= high < math.inf:
            raise BadInputError(
                f"{name} must be a range of positive numbers (low, high), got ({low}, {high})"
            )
    if not width >= 0:
        raise BadInputError(f"width must be at least 0, got {width}")
    volume = math.prod(grid.extent)
    fewest, most = (max(1, round(limit * volume)) for limit in density)
    states = []
    for _ in range(num_trajectories):
        count = int(torch.randint(fewest, most + 1, (), generator=generator, device=generator.device))
        places = draw_uniform((count, grid.num_dims), (0.0, 1.0), generator).tolist()
        lengths = draw_uniform((count, grid.num_dims), sides, generator).tolist()
        rectangles = [
            ([u * length for u, length in zip(place, grid.extent, strict=True)], own)
            for place, own in zip(places, lengths, strict=True)
        ]
        states.append(_reacted(grid, rectangles, width, generator.device))
    return torch.stack(states)


def _reacted(
    grid: Grid,
    rectangles: Iterable[tuple[Sequence[float], Sequence[float]]],
    width: float,
    device: torch.device,
) -> Float[Tensor, " 2 *space"]:
    """Pure B within rectangles, each told by centre and sides, and pure A outside."""
    outside = torch.ones(grid.shape, dtype=torch.float64, device=device)
    for centre, sides in rectangles:
        outside = outside * (1 - box(grid, centre, sides, width, device))
    return torch.stack((outside, 1 - outside))


def box(
    grid: Grid, centre: Sequence[float], sides: Sequence[float], width: float, device: torch.device
) -> Tensor:
    """1 inside a box, 0 outside, with edges smoothed over ``width``."""
    inside = torch.ones((), dtype=torch.float64, device=device)
    for axis, x in enumerate(grid.coordinates()):
        half = sides[axis] / 2

        def profile(distance: Tensor, half: float = half) -> Tensor:
            if width == 0:
                return (distance.abs() < half).to(distance.dtype)
            return (torch.tanh((distance + half) / width) - torch.tanh((distance - half) / width)) / 2

        middle = torch.full((1,), centre[axis], dtype=torch.float64, device=device)
        reach = half + 20 * width
        line = with_images(profile, x.to(device), middle, grid.extent[axis], grid.boundaries[axis], reach)
        inside = inside[..., None] * line.clamp(max=1)
    return inside
