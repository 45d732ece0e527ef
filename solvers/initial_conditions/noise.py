"""Random starts for any number of fields: band-limited noise, and noise cell by cell."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from ..analytic import trigonometric_interpolation
from ..grid import Grid
from .draws import draw_uniform, require_some


def smooth_noise(
    grid: Grid,
    generator: torch.Generator,
    num_trajectories: int,
    *,
    means: Sequence[float],
    amplitudes: Sequence[float],
    density: float = 8.0,
) -> Float[Tensor, "batch channel *space"]:
    """Draw band-limited noise around a homogeneous state, the same function on every grid.

        u_i(x) = mean_i + amplitude_i n_i(x)

    where n_i interpolates uniform noise in [-1, 1] on a lattice of ``density`` points per unit length by
    trigonometric functions: waves shorter than 2/density are absent. The fields are independent. With walls,
    no-flux or Dirichlet, n is mirrored at them.

    Arguments:
        grid: where to sample.
        generator: source of all draws.
        num_trajectories: how many independent states.
        means: one per field.
        amplitudes: one per field.
        density: noise points per unit length.

    Returns:
        The states, one channel per mean.

    Raises:
        BadInputError: if ``density`` is not positive, or means and amplitudes are not one per field.
    """
    require_some(num_trajectories)
    if not 0 < density < math.inf:
        raise BadInputError(
            f"density must be a positive number of noise points per unit length, got {density}"
        )
    num_points = tuple(max(1, round(length * density)) for length in grid.extent)
    noise = draw_uniform((num_trajectories, len(means), *num_points), (-1.0, 1.0), generator)
    for x, length, points, boundary in zip(
        grid.coordinates(), grid.extent, num_points, grid.boundaries, strict=True
    ):
        weights = trigonometric_interpolation(x.to(generator.device), length, points, boundary)
        # the first space axis is used up and comes back as the last
        noise = torch.tensordot(noise, weights, dims=([2], [1]))
    return _around(means, amplitudes, noise)


def white_noise(
    grid: Grid,
    generator: torch.Generator,
    num_trajectories: int,
    *,
    means: Sequence[float],
    amplitudes: Sequence[float],
) -> Float[Tensor, "batch channel *space"]:
    """Draw independent normal numbers in every cell: u_i = mean_i + amplitude_i N(0, 1).

    This start depends on the resolution: finer cells hold shorter waves, and the same seed gives another
    function on another grid. Where that matters, use :func:`smooth_noise`. PDEBench's 2-D diffusion-reaction
    data starts from it, with means 0 and amplitudes 1.

    Arguments:
        grid: where to sample.
        generator: source of all draws.
        num_trajectories: how many independent states.
        means: one per field.
        amplitudes: one per field, the standard deviation.

    Returns:
        The states, one channel per mean.

    Raises:
        BadInputError: if means and amplitudes are not one per field.
    """
    require_some(num_trajectories)
    shape = (num_trajectories, len(means), *grid.shape)
    noise = torch.randn(shape, generator=generator, dtype=torch.float64, device=generator.device)
    return _around(means, amplitudes, noise)


def _around(means: Sequence[float], amplitudes: Sequence[float], noise: Tensor) -> Tensor:
    if len(amplitudes) != len(means) or not means:
        raise BadInputError(
            f"means and amplitudes need one number per field, got {tuple(means)} and {tuple(amplitudes)}"
        )
    shape = (len(means), *(1,) * (noise.ndim - 2))
    mean, amplitude = (
        torch.tensor(list(values), dtype=torch.float64, device=noise.device).reshape(shape)
        for values in (means, amplitudes)
    )
    return mean + amplitude * noise
