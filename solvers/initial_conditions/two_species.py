"""Initial states of two-species reaction-diffusion systems (fields A and B).

Every function is analytic: the random draws do not depend on the resolution, and a finer grid samples the
same function at more points, so a trajectory can be made at any resolution from the same seed. On periodic
axes the functions are periodic; on no-flux axes they are mirrored at the walls and so satisfy the boundary
condition; walls that hold a value are treated likewise, so that the start jumps to the value there. All
return float64 ``"batch channel *space"`` on the generator's device, A in channel 0 and B in channel 1.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from ..analytic import extremes, trigonometric_interpolation, with_images
from ..grid import Grid
from .blocks import box
from .draws import draw_uniform, require_some


def gaussian_blobs(
    grid: Grid,
    generator: torch.Generator,
    num_trajectories: int,
    *,
    density: tuple[float, float] = (2.5, 25.0),
    amplitude: tuple[float, float] = (1.0, 3.0),
    exponent: tuple[float, float] = (150.0, 300.0),
) -> Float[Tensor, "batch 2 *space"]:
    """Draw sums of Gaussian blobs: The Well's "Gaussian" family, at the same density on any domain.

        g(x) = Σ_m p_m exp(-s_m |x - c_m|²),   A = 1 - g₁ and B = g₂, each rescaled to [0, 1]

    with g₁ and g₂ independent. The number of blobs is a uniform whole number, and at least 1; amplitudes,
    exponents and centres are uniform. Rescaling uses the extremes of the function (found to about 1e-8), not
    of its samples, so it does not depend on the grid either; the samples of a coarse grid may therefore just
    miss 0 and 1.

    Arguments:
        grid: where to sample.
        generator: source of all draws.
        num_trajectories: how many independent states.
        density: fewest and most blobs per unit of area (length, volume). The Well has 10 to 100 on area 4.
        amplitude: range of p.
        exponent: range of s (1/length²); 150 to 300 are blobs of standard deviation 0.058 to 0.041.

    Returns:
        The states.

    Raises:
        BadInputError: for an empty or negative range, or a domain so small that the blobs make a constant.

    References:
        R. Ohana et al., The Well, arXiv 2412.00568, dataset gray_scott_reaction_diffusion.
    """
    for name, (low, high) in {"density": density, "amplitude": amplitude, "exponent": exponent}.items():
        if not 0 < low <= high < math.inf:
            raise BadInputError(
                f"{name} must be a range of positive numbers (low, high), got ({low}, {high})"
            )
    require_some(num_trajectories)
    states = []
    for _ in range(num_trajectories):
        a, b = (_rescaled_blobs(grid, generator, density, amplitude, exponent) for _ in range(2))
        states.append(torch.stack((1 - a, b)))
    return torch.stack(states)


def fourier_noise(
    grid: Grid,
    generator: torch.Generator,
    num_trajectories: int,
    *,
    feed_rate: float,
    kill_rate: float,
    density: float = 16.0,
) -> Float[Tensor, "batch 2 *space"]:
    """Draw band-limited noise around a steady state: The Well's "Fourier" family.

        A = Ā + ½ δ_A n₁(x),   B = B̄ + ½ δ_B n₂(x)

    where n interpolates uniform noise in [-½, ½] on a lattice of ``density`` points per unit length by
    trigonometric functions. Around the bare state (Ā, B̄) = (1, 0) the widths are (1, 1), so **B is negative
    in places**; where the equations also have reacted steady states (k < √F/2 - F, the regime "bubbles"), the
    one with more B is taken, with δ = 0.9 min(mean, 1 - mean).

    Arguments:
        grid: where to sample.
        generator: source of all draws.
        num_trajectories: how many independent states.
        feed_rate: F of the Gray-Scott equations.
        kill_rate: k of the Gray-Scott equations.
        density: noise points per unit length; The Well has 32 on length 2.

    Returns:
        The states.

    Raises:
        BadInputError: if ``density`` is not positive.

    References:
        R. Ohana et al., The Well, arXiv 2412.00568, dataset gray_scott_reaction_diffusion.
    """
    if not 0 < density < math.inf:
        raise BadInputError(
            f"density must be a positive number of noise points per unit length, got {density}"
        )
    require_some(num_trajectories)
    means, widths = (1.0, 0.0), (1.0, 1.0)
    if kill_rate < math.sqrt(feed_rate) / 2 - feed_rate:
        root = math.sqrt(1 - 4 * (feed_rate + kill_rate) ** 2 / feed_rate)
        means = ((1 - root) / 2, feed_rate * (1 + root) / (2 * (feed_rate + kill_rate)))
        widths = (0.9 * min(means[0], 1 - means[0]), 0.9 * min(means[1], 1 - means[1]))
    num_points = tuple(max(1, round(length * density)) for length in grid.extent)
    matrices = [
        trigonometric_interpolation(x.to(generator.device), length, points, boundary)
        for x, length, points, boundary in zip(
            grid.coordinates(), grid.extent, num_points, grid.boundaries, strict=True
        )
    ]
    noise = draw_uniform((num_trajectories, 2, *num_points), (-0.5, 0.5), generator)
    for matrix in matrices:  # the first space axis is used up and comes back as the last
        noise = torch.tensordot(noise, matrix, dims=([2], [1]))
    mean, width = (
        torch.tensor(pair, dtype=torch.float64, device=generator.device).reshape(2, *(1,) * grid.num_dims)
        for pair in (means, widths)
    )
    return mean + 0.5 * width * noise


def square(
    grid: Grid,
    generator: torch.Generator,
    num_trajectories: int,
    *,
    side: float = 0.3,
    width: float = 0.02,
    centre: Sequence[float] | None = None,
) -> Float[Tensor, "batch 2 *space"]:
    """Place one smoothed square (interval, cube) of half-reacted mixture in the bare state.

        A = 1 - s/2,   B = s/4,   s(x) = Π_d ½ [tanh((x_d - c_d + a/2)/w) - tanh((x_d - c_d - a/2)/w)]

    Arguments:
        grid: where to sample.
        generator: draws the centres; unused if ``centre`` is given.
        num_trajectories: how many states.
        side: a, the side of the square (length).
        width: w, the width of its edge (length); 0 for sharp edges.
        centre: the same centre c for all states (length per axis); uniform random centres if None.

    Returns:
        The states.

    Raises:
        BadInputError: for a non-positive side, a negative width, or a centre with another number of axes.
    """
    require_some(num_trajectories)
    if not side > 0 or not width >= 0:
        raise BadInputError(f"a square needs side > 0 and width >= 0, got {side} and {width}")
    if centre is not None and len(centre) != grid.num_dims:
        raise BadInputError(
            f"centre needs one coordinate per axis, got {tuple(centre)} on {grid.num_dims} axes"
        )
    states = []
    for _ in range(num_trajectories):
        if centre is None:
            drawn = draw_uniform((grid.num_dims,), (0.0, 1.0), generator).tolist()
            at = [u * length for u, length in zip(drawn, grid.extent, strict=True)]
        else:
            at = list(centre)
        inside = box(grid, at, [side] * grid.num_dims, width, generator.device)
        states.append(torch.stack((1 - inside / 2, inside / 4)))
    return torch.stack(states)


def _rescaled_blobs(
    grid: Grid,
    generator: torch.Generator,
    density: tuple[float, float],
    amplitude: tuple[float, float],
    exponent: tuple[float, float],
) -> Tensor:
    """Draw one sum of blobs and rescale its range to [0, 1]."""
    volume = math.prod(grid.extent)
    fewest, most = (max(1, round(limit * volume)) for limit in density)
    number = int(torch.randint(fewest, most + 1, (), generator=generator, device=generator.device))
    heights = draw_uniform((number,), amplitude, generator)
    exponents = draw_uniform((number, 1), exponent, generator)
    centres = draw_uniform((number, grid.num_dims), (0.0, 1.0), generator)
    centres = centres * torch.tensor(grid.extent, dtype=torch.float64, device=generator.device)
    reach = math.sqrt(40 / exponent[0])  # exp(-40) is below float64 rounding

    def along(axis: int, x: Tensor) -> Tensor:
        """Every blob's factor at positions x of one axis, (blob, position), images included."""
        return with_images(
            lambda distance: torch.exp(-exponents * distance**2),
            x,
            centres[:, axis, None],
            grid.extent[axis],
            grid.boundaries[axis],
            reach,
        )

    def on_lattice(axes: Sequence[Tensor]) -> Tensor:
        total = heights[:, None] * along(0, axes[0])
        for axis, x in enumerate(axes[1:-1], start=1):
            total = total[..., None] * along(axis, x).reshape(number, *(1,) * axis, -1)
        if len(axes) == 1:
            return total.sum(0)
        result: Tensor = torch.tensordot(total, along(len(axes) - 1, axes[-1]), dims=([0], [0]))
        return result

    def at_points(points: Tensor) -> Tensor:
        total = heights[:, None]
        for axis in range(grid.num_dims):
            total = total * along(axis, points[:, axis])
        return total.sum(0)

    low, high = extremes(on_lattice, at_points, grid.extent, generator.device)
    if high - low < 1e-6 * high:
        raise BadInputError(
            f"on a domain of {grid.extent} blobs with exponents {exponent} overlap to a constant; "
            "usual cure: a larger domain or larger exponents"
        )
    return (on_lattice([x.to(generator.device) for x in grid.coordinates()]) - low) / (high - low)
