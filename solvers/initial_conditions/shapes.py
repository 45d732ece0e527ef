"""Drawn starts for any number of fields: seeds, a front, crossed waves that curl into spirals."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from ..analytic import trigonometric_interpolation, with_images
from ..grid import Grid
from .draws import blend, draw_uniform, require_some


def seeds(
    grid: Grid,
    generator: torch.Generator,
    num_trajectories: int,
    *,
    outside: Sequence[float],
    inside: Sequence[float],
    radius: float,
    density: float,
) -> Float[Tensor, "batch channel *space"]:
    """Scatter smooth round seeds of one homogeneous state in another.

        u_i = outside_i + (inside_i - outside_i) s(x),   s = 1 - Π_m (1 - exp(-|x - c_m|² / (2 R²)))

    The number of seeds is the volume times ``density``, rounded, and at least 1; centres are uniform. With
    walls, no-flux or Dirichlet, the seeds are mirrored at them.

    Arguments:
        grid: where to sample.
        generator: draws the centres.
        num_trajectories: how many states.
        outside: the state between the seeds, one value per field.
        inside: the state in their centres, one value per field.
        radius: R (length), small against the domain.
        density: seeds per unit of length, area or volume.

    Returns:
        The states, one channel per value.

    Raises:
        BadInputError: unless radius and density are positive and both states have one value per field.
    """
    require_some(num_trajectories)
    if not (0 < radius < math.inf and 0 < density < math.inf):
        raise BadInputError(f"seeds need a positive radius and density, got {radius} and {density}")
    number = max(1, round(density * math.prod(grid.extent)))
    shapes = []
    for _ in range(num_trajectories):
        centres = draw_uniform((number, grid.num_dims), (0.0, 1.0), generator)
        empty = torch.ones(grid.shape, dtype=torch.float64, device=generator.device)
        for centre in centres:
            seed = torch.ones((), dtype=torch.float64, device=generator.device)
            for axis, x in enumerate(grid.coordinates()):
                line = with_images(
                    lambda distance: torch.exp(-((distance / radius) ** 2) / 2),
                    x.to(generator.device),
                    centre[axis] * grid.extent[axis],
                    grid.extent[axis],
                    grid.boundaries[axis],
                    9 * radius,
                )
                seed = seed[..., None] * line.clamp(max=1)
            empty = empty * (1 - seed)
        shapes.append(1 - empty)
    return blend(outside, inside, torch.stack(shapes))


def front(
    grid: Grid,
    generator: torch.Generator,
    num_trajectories: int,
    *,
    behind: Sequence[float],
    ahead: Sequence[float],
    position: tuple[float, float] = (0.3, 0.7),
    width: float = 1.0,
    roughness: float = 0.0,
    density: float = 0.2,
) -> Float[Tensor, "batch channel *space"]:
    """Fill one side of the first axis with one homogeneous state and the other with another.

        u_i = ahead_i + (behind_i - ahead_i) ½ [1 + tanh(L (cos πx/L - cos πf) / (π w sin πf))]

    a smooth step of width w at x = f L that is flat at both walls. On a periodic axis L is half the domain
    and the step is there and back again: the state ``behind`` fills the fraction f around the first face.
    Across, the front is displaced by smooth noise of at most ``roughness``.

    Arguments:
        grid: where to sample.
        generator: draws the position and the roughness.
        num_trajectories: how many states.
        behind: the state at x = 0, one value per field.
        ahead: the state it moves into, one value per field.
        position: range of f, as a fraction of the domain.
        width: w (length).
        roughness: largest displacement from a straight front (length); without effect in one dimension.
        density: noise points per unit length along the front.

    Returns:
        The states, one channel per value.

    Raises:
        BadInputError: for a position outside of (0, 1), even by roughness, a width or density that is not
            positive, or states without one value per field.
    """
    require_some(num_trajectories)
    length, (low, high) = grid.extent[0], position
    if not (
        low - roughness / length > 0 and high + roughness / length < 1 and low <= high and roughness >= 0
    ):
        raise BadInputError(
            f"a front needs a range of positions within (0, 1), also after displacement by "
            f"{roughness / length:.3g} of the domain, got {position}; usual cure: less roughness"
        )
    if not (0 < width < math.inf and 0 < density < math.inf):
        raise BadInputError(f"a front needs a positive width and density, got {width} and {density}")
    where = draw_uniform((num_trajectories, *(1,) * (grid.num_dims - 1)), position, generator)
    if grid.num_dims > 1 and roughness > 0:
        where = where + roughness / length * _noise_across(grid, generator, num_trajectories, density)
    periodic = grid.boundaries[0] == "periodic"
    half = length / 2 if periodic else length
    x = grid.coordinates()[0].to(generator.device).reshape(-1, *(1,) * (grid.num_dims - 1))
    angle, corner = math.pi * x / half, math.pi * where[:, None]
    step = (torch.cos(angle) - torch.cos(corner)) * half / (math.pi * width * torch.sin(corner))
    return blend(ahead, behind, ((1 + torch.tanh(step)) / 2).expand(num_trajectories, *grid.shape))


def spiral(
    grid: Grid,
    generator: torch.Generator,
    num_trajectories: int,
    *,
    means: Sequence[float],
    amplitudes: Sequence[float],
    sharpness: float = 1.0,
) -> Float[Tensor, "batch 2 *space"]:
    """Cross a step of the first field along one axis with a step of the second along another.

        u_i = mean_i + amplitude_i tanh(s w(x_i)) / tanh(s),   w = sin(2π(x - c)/L) or cos(πx/L + offset)

    Around each point where both steps vanish the two fields go through all four combinations, as they do
    around the tip of a spiral. On periodic axes there are four such points (two turning each way) at a random
    place; with walls there is one, within the middle half of the domain. In three dimensions the spirals are
    scrolls along the third axis.

    Arguments:
        grid: where to sample, at least two axes.
        generator: draws the place.
        num_trajectories: how many states.
        means: the state between the sides, two values.
        amplitudes: half the height of each step, two values.
        sharpness: s; 1 is nearly a sine, 4 nearly a jump.

    Returns:
        The states.

    Raises:
        BadInputError: on a grid of one axis, for other than two fields, or a sharpness that is not positive.
    """
    require_some(num_trajectories)
    if grid.num_dims < 2:
        raise BadInputError("a spiral needs two axes, got a grid of 1; usual cure: front")
    if len(means) != 2 or len(amplitudes) != 2:
        raise BadInputError(
            f"a spiral is made of two fields, got means {tuple(means)} and amplitudes {tuple(amplitudes)}"
        )
    if not 0 < sharpness < math.inf:
        raise BadInputError(f"sharpness must be positive, got {sharpness}")
    places = draw_uniform((num_trajectories, 2), (0.0, 1.0), generator)
    channels = []
    for axis, (mean, amplitude) in enumerate(zip(means, amplitudes, strict=True)):
        place = places[:, axis, None]
        fraction = grid.coordinates()[axis].to(generator.device) / grid.extent[axis]
        if grid.boundaries[axis] == "periodic":
            wave = torch.sin(2 * math.pi * (fraction - place))
        else:
            wave = torch.cos(math.pi * fraction) - torch.cos(math.pi * (0.25 + place / 2))
        line = mean + amplitude * torch.tanh(sharpness * wave) / math.tanh(sharpness)
        shape = [-1 if dim == axis else 1 for dim in range(grid.num_dims)]
        channels.append(line.reshape(num_trajectories, *shape).expand(num_trajectories, *grid.shape))
    return torch.stack(channels, dim=1)


def _noise_across(
    grid: Grid, generator: torch.Generator, num_trajectories: int, density: float
) -> Float[Tensor, "..."]:
    """Smooth noise in (-1, 1) on all axes but the first."""
    num_points = [max(1, round(length * density)) for length in grid.extent[1:]]
    noise = draw_uniform((num_trajectories, *num_points), (-1.0, 1.0), generator)
    for axis, points in enumerate(num_points, start=1):
        weights = trigonometric_interpolation(
            grid.coordinates()[axis].to(generator.device),
            grid.extent[axis],
            points,
            grid.boundaries[axis],
        )
        noise = torch.tensordot(noise, weights, dims=([1], [1]))
    return torch.tanh(noise)  # bounded, since interpolation overshoots between its points
