"""How far one frame is a shifted copy of another, on periodic axes."""

import math
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from ..grid import Grid

_NEWTON_STEPS: Final = 6
# equal maxima differ in samples by up to this part of the range
_NEARLY: Final = 0.1


def best_shift(
    first: Float[Tensor, " channel *space"],
    second: Float[Tensor, " channel *space"],
    grid: Grid,
) -> tuple[Float[Tensor, " axis"], float]:
    """Return the shift s for which first(x - s) is nearest to second(x), and the rms that remains.

    The correlation by Fourier transform finds the whole cells, Newton's method on the trigonometric
    interpolant the fraction. Axes with walls are not shifted.

    Arguments:
        first: the earlier frame.
        second: the later one.
        grid: the domain.

    Returns:
        Shift per axis (length), the shorter way round; rms of second(x) - first(x - s) over space, summed
        over the fields as squares.
    """
    axes = [axis for axis, name in enumerate(grid.boundaries) if name == "periodic"]
    power = float((first**2).sum() + (second**2).sum())
    shift = torch.zeros(grid.num_dims, dtype=torch.float64)
    overlap = float((first * second).sum())
    if axes:
        dims = [axis + 1 for axis in axes]
        product = torch.fft.fftn(second.double(), dim=dims) * torch.fft.fftn(first.double(), dim=dims).conj()
        weights = product.sum(0)
        for axis in reversed(range(grid.num_dims)):
            if axis not in axes:
                weights = weights.sum(axis, keepdim=True)
        shift, overlap = _highest(weights, grid, axes)
    rest = max(0.0, power - 2 * overlap)
    return shift, math.sqrt(rest / grid.num_cells)


def _highest(weights: Tensor, grid: Grid, axes: list[int]) -> tuple[Tensor, float]:
    """The maximum of the correlation; of equal ones, as of a pattern that repeats, the shortest shift."""
    correlation = torch.fft.ifftn(weights, dim=axes).real
    high, low = float(correlation.max()), float(correlation.min())
    lengths = []
    for axis in range(grid.num_dims):
        cells = weights.shape[axis]
        index = torch.arange(cells, dtype=torch.float64)
        way = torch.where(index > cells // 2, index - cells, index) * grid.spacing[axis]
        lengths.append(way.reshape([-1 if other == axis else 1 for other in range(grid.num_dims)]))
    way = sum((length**2 for length in lengths), torch.zeros(())).expand(correlation.shape)
    near_top = correlation >= high - _NEARLY * (high - low)
    candidates = [correlation.argmax(), torch.where(near_top, way, math.inf).argmin()]
    results = []
    for candidate in candidates:
        indices = torch.unravel_index(candidate, correlation.shape)
        shift = torch.stack([length.flatten()[index] for length, index in zip(lengths, indices, strict=True)])
        results.append(_refine(weights, shift, grid, axes))
    best, shortest = results
    return shortest if shortest[1] >= best[1] - 1e-6 * (high - low) else best


def _refine(weights: Tensor, shift: Tensor, grid: Grid, axes: list[int]) -> tuple[Tensor, float]:
    """Climb to the maximum of Σ_k w_k exp(i k·s) from its largest sample."""
    waves = [
        (2 * math.pi * torch.fft.fftfreq(grid.shape[axis], grid.spacing[axis], dtype=torch.float64)).reshape(
            [-1 if other == axis else 1 for other in range(grid.num_dims)]
        )
        for axis in axes
    ]

    def terms(at: Tensor) -> Tensor:
        phase = sum((k * at[axis] for k, axis in zip(waves, axes, strict=True)), torch.zeros(()))
        return weights * torch.exp(1j * phase) / math.prod(weights.shape[axis] for axis in axes)

    best, overlap = shift, float(terms(shift).sum().real)
    for _ in range(_NEWTON_STEPS):
        here = terms(best)
        slope = torch.stack([-(k * here.imag).sum() for k in waves])
        bend = torch.stack([torch.stack([-(k * q * here.real).sum() for q in waves]) for k in waves])
        # axes along which nothing varies have neither slope nor bend
        step = -torch.linalg.pinv(bend, rtol=1e-10, hermitian=True) @ slope
        trial = best.clone()
        trial[axes] += step
        value = float(terms(trial).sum().real)
        if not value > overlap:
            break
        best, overlap = trial, value
    return best, overlap
