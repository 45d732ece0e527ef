"""Functions on the whole domain rather than on a grid: images at boundaries, interpolants, extremes."""

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def with_images(
    profile: Callable[[Tensor], Tensor], x: Tensor, centre: Tensor, length: float, boundary: str, reach: float
) -> Tensor:
    """Sum an even profile around a centre over the images of the centre that the boundary makes.

    Periodic images lie at c + m L; a no-flux wall is a mirror, with images at ±c + 2 m L.

    Arguments:
        profile: distance (signed) -> value, even, negligible beyond ``reach``.
        x: positions, broadcast against ``centre``.
        centre: in [0, length].
        length: L, the side of the domain.
        boundary: "periodic", or any wall, which is taken as a mirror.
        reach: images further than this from [0, length] are left out.

    Returns:
        Σ profile(x - image).
    """
    period = length if boundary == "periodic" else 2 * length
    origins = [centre] if boundary == "periodic" else [centre, -centre]
    num_images = 1 + math.floor(reach / period)
    terms = [
        profile(x - origin - image * period)
        for origin in origins
        for image in range(-num_images, num_images + 1)
    ]
    return torch.stack(terms).sum(0)


def trigonometric_interpolation(x: Tensor, length: float, num_points: int, boundary: str) -> Tensor:
    """Return the matrix that evaluates the trigonometric interpolant of values at (j + ½) L / n.

    Arguments:
        x: positions to evaluate at.
        length: L, the side of the domain.
        num_points: n, how many values are given.
        boundary: "periodic" (a Fourier series of period L) or any wall (cosines, flat at both ends).

    Returns:
        Weights ``"position point"``.
    """
    points = (torch.arange(num_points, dtype=torch.float64, device=x.device) + 0.5) * length / num_points
    if boundary != "periodic":  # the even continuation is periodic on twice the length
        mirrored = torch.cat((points, 2 * length - points))
        both = _dirichlet_kernel(x[:, None] - mirrored, 2 * length, 2 * num_points)
        return both[:, :num_points] + both[:, num_points:]
    return _dirichlet_kernel(x[:, None] - points, length, num_points)


def _dirichlet_kernel(distance: Tensor, period: float, num_points: int) -> Tensor:
    """The periodic band-limited function that is 1 at 0 and 0 at the other ``num_points`` - 1 samples."""
    angle = 2 * math.pi * distance / period
    total = torch.ones_like(angle)
    for wave in range(1, (num_points - 1) // 2 + 1):
        total = total + 2 * torch.cos(wave * angle)
    if num_points % 2 == 0:
        total = total + torch.cos(num_points / 2 * angle)
    return total / num_points


def extremes(
    on_lattice: Callable[[Sequence[Tensor]], Tensor],
    at_points: Callable[[Tensor], Tensor],
    extent: Sequence[float],
    device: torch.device,
) -> tuple[float, float]:
    """Find minimum and maximum of a function on the box [0, extent], to about 1e-8 of its range.

    A lattice finds the neighbourhoods, then a search with halving steps walks to the bottom and the top from
    the most promising lattice points. No grid is involved, so the result is that of the function itself.

    Arguments:
        on_lattice: one tensor of positions per axis -> values on their tensor product.
        at_points: ``"point axis"`` -> values.
        extent: side lengths of the box; features much smaller than 1/64 could be missed.
        device: where the functions compute.

    Returns:
        (minimum, maximum).
    """
    numbers = [max(8, math.ceil(64 * length)) for length in extent]
    steps = torch.tensor(
        [length / number for length, number in zip(extent, numbers, strict=True)],
        dtype=torch.float64,
        device=device,
    )
    axes = [
        (torch.arange(number, dtype=torch.float64, device=device) + 0.5) * step
        for number, step in zip(numbers, steps, strict=True)
    ]
    values = on_lattice(axes)
    directions = torch.tensor(
        list(itertools.product((-1.0, 0.0, 1.0), repeat=len(extent))), dtype=torch.float64, device=device
    )
    found = []
    for sign in (-1.0, 1.0):
        best = (sign * values).flatten().topk(min(12, values.numel())).indices
        points = torch.stack(
            [x[i] for x, i in zip(axes, torch.unravel_index(best, values.shape), strict=True)], 1
        )
        for halving in range(1, 13):
            trials = points[:, None] + directions * steps * 0.5**halving
            heights = sign * at_points(trials.flatten(0, 1)).reshape(trials.shape[:2])
            points = trials[torch.arange(len(points), device=device), heights.argmax(1)]
        found.append(float(sign * (sign * at_points(points)).max()))
    return found[0], found[1]
